/*
 * amx.inc.h: c = act(bias + a b) + residual on Intel's tile registers, written once for the product_amx_*.c, in the
 * words of simd_avx512.h and in these of the product:
 *
 *     K_STEP, PARTS                 numbers along k that a tile takes, 64 bytes; parts that a number is multiplied in
 *     slice_steps(steps)            of a slice, if all of k is so many
 *     EACH_PAIR(multiply)           multiply(part of a, part of b) for all that add up to the product
 *     TILE_STEP(sum)                sums of a tile += A_TILE B_TILE
 *     panel_bytes(k)                of packed weights
 *     tile_weights(b, n, room)      n rows of packed weights as [steps][PARTS][16][NR][4 bytes], made in room if they
 *                                   are not in this form
 *     PAYS, CHAINS, PACK            al_product.pays, chains, pack
 *     v_store_bf16(p, x)            stores a vector as bf16; only with CHAINS
 *     operand_row, first_sums, complete     as for gemm.inc.h; a row is [steps][PARTS][64 bytes]
 *
 *     for blocks of rows
 *       for chunks of k            (so that their part of the operand stays in L2; sums wait in c)
 *         for panels of NR columns
 *           for slices of k        (so that a slice of the panel stays in L1; sums wait beside)
 *             for bands of rows    -> sums in six tiles, 2 x 3
 *
 * The two tiles of a band of at most 32 rows overlap if its rows are odd: what is computed twice comes out the same.
 * Sums that wait lose nothing (integers wait as their bits), so the order of additions depends on k alone.
 */
#include <string.h>

/* The part of the operand that should stay in L2; rows of a block: many, since weights are made ready for each, but not
 * so many that waiting sums leave L2. */
#define CHUNK_BYTES ((size_t)5 << 18)
#define BLOCK_ROWS  ((size_t)384)
#define FEW_ROWS    ((size_t)192)
#define BAND_ROWS   ((size_t)32)

/* bytes of a row of a tile; of a step of one part of weights as tiles take them; of a cache line */
#define TILE_BYTES ((size_t)64)
#define B_BYTES    (TILE_BYTES * NR)
#define LINE       64

/* The tile registers: sums [2][3], and one each for the operand and the weights. */
#define SUM_00 0
#define SUM_01 1
#define SUM_02 2
#define SUM_10 3
#define SUM_11 4
#define SUM_12 5
#define A_TILE 6
#define B_TILE 7

/* gcc does not know that tile instructions read memory: whatever was written must be there. */
#define FINISH_WRITES() __asm__ volatile("" ::: "memory")

typedef struct range {
    size_t begin, end;
} range;

static inline size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- how tiles cover a block of rows ---- */

typedef struct cover {
    size_t bands;     /* of rows */
    size_t tiles;     /* of a band: 1 or 2 */
    size_t tile_rows; /* what the tile registers are configured for */
    size_t columns;   /* of tiles: 1 to 3 */
} cover;

/* What ldtilecfg reads. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

static void configure(size_t rows)
{
    tile_shapes shapes = {.palette = 1};
    for (size_t t = 0; t < 8; t++) {
        shapes.rows[t] = (uint8_t)(t == B_TILE ? TILE_BYTES / 4 : rows);
        shapes.row_bytes[t] = TILE_BYTES;
    }
    __asm__ volatile("" ::"r"(&shapes) : "memory"); /* all of it is read, not the pointer's worth that gcc believes */
    _tile_loadconfig(&shapes);
}

/* Even bands, so that no tile is nearly empty: tiles cost by their rows. */
static cover cover_rows(size_t rows)
{
    cover v = {.bands = (rows + BAND_ROWS - 1) / BAND_ROWS, .tiles = rows > BAND_ROWS / 2 ? 2 : 1};
    v.tile_rows = ((rows + v.bands - 1) / v.bands + v.tiles - 1) / v.tiles;
    return v;
}

static range band_of(const cover *v, range rows, size_t band)
{
    const size_t n = rows.end - rows.begin;
    return (range){rows.begin + n * band / v->bands, rows.begin + n * (band + 1) / v->bands};
}

/* second: the rows of the second tile */
static inline void load_sums(const cover *v, const float *sums, const float *second)
{
    const size_t row_bytes = NR * sizeof *sums;
    _tile_loadd(SUM_00, sums, row_bytes);
    if (v->columns > 1)
        _tile_loadd(SUM_01, sums + VL, row_bytes);
    if (v->columns > 2)
        _tile_loadd(SUM_02, sums + 2 * VL, row_bytes);
    if (v->tiles == 1)
        return;
    _tile_loadd(SUM_10, second, row_bytes);
    if (v->columns > 1)
        _tile_loadd(SUM_11, second + VL, row_bytes);
    if (v->columns > 2)
        _tile_loadd(SUM_12, second + 2 * VL, row_bytes);
}

static inline void store_sums(const cover *v, float *sums, float *second)
{
    const size_t row_bytes = NR * sizeof *sums;
    _tile_stored(SUM_00, sums, row_bytes);
    if (v->columns > 1)
        _tile_stored(SUM_01, sums + VL, row_bytes);
    if (v->columns > 2)
        _tile_stored(SUM_02, sums + 2 * VL, row_bytes);
    if (v->tiles == 1)
        return;
    _tile_stored(SUM_10, second, row_bytes);
    if (v->columns > 1)
        _tile_stored(SUM_11, second + VL, row_bytes);
    if (v->columns > 2)
        _tile_stored(SUM_12, second + 2 * VL, row_bytes);
}

/* ---- products ---- */

/* Where a band reads: its operand, that of its second tile, and weights. */
typedef struct source {
    const char *a, *second, *b;
    size_t a_row;
} source;

/* sums += a b, of one part each and one step */
static inline __attribute__((always_inline)) void multiply(const cover *v, const source *from, size_t a_part,
                                                           size_t b_part)
{
    const char *b = from->b + b_part * B_BYTES;
    const size_t b_row = NR * 4, at = a_part * TILE_BYTES;
    _tile_loadd(A_TILE, from->a + at, from->a_row);
    _tile_loadd(B_TILE, b, b_row);
    TILE_STEP(SUM_00);
    if (v->columns > 1) {
        _tile_loadd(B_TILE, b + TILE_BYTES, b_row);
        TILE_STEP(SUM_01);
    }
    if (v->columns > 2) {
        _tile_loadd(B_TILE, b + 2 * TILE_BYTES, b_row);
        TILE_STEP(SUM_02);
    }
    if (v->tiles == 1)
        return;
    _tile_loadd(A_TILE, from->second + at,
                from->a_row); /* the last weights are still there: back through the columns */
    if (v->columns > 2) {
        TILE_STEP(SUM_12);
        _tile_loadd(B_TILE, b + TILE_BYTES, b_row);
    }
    if (v->columns > 1) {
        TILE_STEP(SUM_11);
        _tile_loadd(B_TILE, b, b_row);
    }
    TILE_STEP(SUM_10);
}

/* sums += a b over some steps. next is what will be read after this: some lines of it are asked for at each step, since
 * weights come from far away. */
static inline void multiply_steps(const cover *v, source from, size_t steps, const char *next, size_t lines)
{
    for (size_t s = 0; s < steps; s++) {
        for (size_t i = 0; i < lines; i++, next += LINE)
            __builtin_prefetch(next, 0, 2);
#define MULTIPLY(a_part, b_part) multiply(v, &from, a_part, b_part)
        EACH_PAIR(MULTIPLY);
#undef MULTIPLY
        from.a += PARTS * TILE_BYTES;
        from.second += PARTS * TILE_BYTES;
        from.b += PARTS * B_BYTES;
    }
}

/* ---- c ---- */

static inline __mmask16 columns_left(size_t n)
{
    return (__mmask16)(n < VL ? (1u << n) - 1 : 0xffff);
}

/* c = sums + residual (NULL: none), n columns of some rows */
static void write_rows(const al_gemm *g, range rows, size_t column, size_t n, const float *sums, const float *residual)
{
    float *c = g->c + column / NR * g->c_panel + rows.begin * g->c_row_stride;
    for (size_t r = rows.begin; r < rows.end; r++, sums += NR, c += g->c_row_stride)
        for (size_t j = 0; j < n; j += VL) {
            const __mmask16 valid = columns_left(n - j);
            vf x = v_load(sums + j);
            if (residual)
                x = v_add(x, _mm512_maskz_loadu_ps(valid, residual + r * g->residual_stride + column + j));
            _mm512_mask_storeu_ps(c + j, valid, x);
        }
}

/* The same as rows of an operand. */
static void write_operand(const al_gemm *g, range rows, size_t column, size_t n, const float *sums)
{
#if CHAINS
    const size_t bytes = operand_row(g->n);
    for (size_t r = rows.begin; r < rows.end; r++, sums += NR)
        for (size_t j = 0; j < n; j += VL) /* n is a multiple of VL, as K_MULTIPLE is */
            v_store_bf16((uint16_t *)(void *)((char *)g->c_operand + r * bytes) + column + j, v_load(sums + j));
#else
    (void)g, (void)rows, (void)column, (void)n, (void)sums;
#endif
}

/* The reverse, of sums that waited in c. */
static void read_rows(const al_gemm *g, range rows, size_t column, size_t n, float *sums)
{
    const float *c = g->c + column / NR * g->c_panel + rows.begin * g->c_row_stride;
    for (size_t r = rows.begin; r < rows.end; r++, sums += NR, c += g->c_row_stride)
        for (size_t j = 0; j < n; j += VL)
            v_store(sums + j, _mm512_maskz_loadu_ps(columns_left(n - j), c + j));
}

/* ---- loops ---- */

/* A chunk of k of a panel for a block of rows, and how far it has come. */
typedef struct work {
    const al_gemm *g;
    const cover *cover;
    range rows, chunk; /* chunk: steps */
    size_t steps;      /* of all of k */
    size_t column, columns;
    float *waiting; /* [rows, NR] sums between slices */
    float *start;   /* [tile rows, NR] sums before the first */
} work;

/* The steps of one slice of b, for all bands. */
static void multiply_slice(const work *w, range steps, const char *b, const char *next, size_t next_bytes)
{
    const al_gemm *g = w->g;
    const cover *v = w->cover;
    const size_t count = steps.end - steps.begin, a_row = operand_row(g->k);
    const size_t lines = count ? (next_bytes / LINE + v->bands * count - 1) / (v->bands * count) : 0;
    const bool last = steps.end == w->chunk.end, done = steps.end == w->steps;
    const bool direct =
        w->columns == NR && g->c_row_stride == NR && !g->residual && !g->c_operand; /* c is as sums are */
    _Alignas(64) float ready[BAND_ROWS * NR];
    for (size_t i = 0; i < v->bands; i++, next += count * lines * LINE) {
        const range band = band_of(v, w->rows, i);
        const size_t rows = band.end - band.begin, second = rows - v->tile_rows;
        float *wait = w->waiting + (band.begin - w->rows.begin) * NR;
        float *to = !last ? wait : direct ? g->c + w->column / NR * g->c_panel + band.begin * NR : ready;
        const char *a = (const char *)g->operand + band.begin * a_row + steps.begin * PARTS * TILE_BYTES;
        FINISH_WRITES();
        if (steps.begin || g->add)
            load_sums(v, wait, wait + second * NR);
        else
            load_sums(v, w->start, w->start);
        multiply_steps(v, (source){a, a + second * a_row, b, a_row}, count, next, lines);
        store_sums(v, to, to + second * NR);
        if (done) {
            complete(g, band.begin, rows, w->column, TILE_VECTORS, to, NR);
            activate(g->act, rows * NR, to);
        }
        if (last && g->c_operand)
            write_operand(g, band, w->column, w->columns, to);
        else if (last && !direct)
            write_rows(g, band, w->column, w->columns, to, done ? g->residual : NULL);
    }
}

static void multiply_panel(const al_gemm *g, cover *v, range rows, range chunk, size_t panel)
{
    const size_t column = panel * NR, left = g->n - column, panel_size = panel_bytes(g->k);
    const size_t step_bytes = panel_bytes(K_STEP);
    _Alignas(64) float waiting[BLOCK_ROWS * NR], start[BAND_ROWS / 2 * NR];
    _Alignas(64) char room[TILE_ROOM];
    const work w = {.g = g,
                    .cover = v,
                    .rows = rows,
                    .chunk = chunk,
                    .steps = (g->k + K_STEP - 1) / K_STEP,
                    .column = column,
                    .columns = g->c_padded ? NR : smaller(left, NR),
                    .waiting = waiting,
                    .start = start};
    v->columns = (w.columns + VL - 1) / VL;
    if (chunk.begin || g->add)
        read_rows(g, rows, column, w.columns, waiting);
    const float *first = first_sums(g, column);
    for (size_t i = 0; i < v->tile_rows * NR; i += VL)
        v_store(start + i, first ? v_load(first + i % NR) : v_zero());
    const size_t slice = slice_steps(w.steps);
    range steps = {chunk.begin, chunk.begin};
    do {
        steps.end = smaller(steps.begin + slice, chunk.end);
        const char *b = (const char *)g->b + panel * panel_size + steps.begin * step_bytes;
        const size_t bytes = (steps.end - steps.begin) * step_bytes, rest = g->k - steps.begin * K_STEP;
        const char *next =
            steps.end < chunk.end ? b + bytes : b + panel_size - (steps.begin - chunk.begin) * step_bytes;
        multiply_slice(&w, steps, tile_weights(b, smaller(rest, (steps.end - steps.begin) * K_STEP), room), next,
                       bytes);
        steps.begin = steps.end;
    } while (steps.end < chunk.end);
}

/* Rows of each block, the blocks even. */
static size_t block_rows(size_t rows, size_t a_row)
{
    size_t most = CHUNK_BYTES / a_row / BAND_ROWS * BAND_ROWS;
    most = most < FEW_ROWS ? FEW_ROWS : smaller(most, BLOCK_ROWS);
    const size_t blocks = (rows + most - 1) / most, even = (rows + blocks - 1) / blocks;
    return blocks == 1 ? rows : (even + BAND_ROWS - 1) / BAND_ROWS * BAND_ROWS;
}

static void gemm(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end)
{
    if (row_begin == row_end)
        return;
    const size_t steps = (g->k + K_STEP - 1) / K_STEP, block = block_rows(row_end - row_begin, operand_row(g->k));
    size_t configured = 0;
    for (size_t row = row_begin; row < row_end; row += block) {
        const range rows = {row, smaller(row + block, row_end)};
        cover v = cover_rows(rows.end - rows.begin);
        if (v.tile_rows != configured)
            configure(configured = v.tile_rows);
        const size_t slice = slice_steps(steps);
        size_t chunk = CHUNK_BYTES / ((rows.end - rows.begin) * PARTS * TILE_BYTES) / slice * slice;
        chunk = g->c_operand ? steps : chunk < slice ? slice : chunk; /* sums cannot wait in an operand */
        for (size_t k = 0; k == 0 || k < steps; k += chunk)
            for (size_t panel = panel_begin; panel < panel_end; panel++)
                multiply_panel(g, &v, rows, (range){k, smaller(k + chunk, steps)}, panel);
    }
    _tile_release(); /* so that switching threads need not save tiles */
}

const al_product PRODUCT = {
    .name = NAME,
    .element = ELEMENT,
    .group = GROUP,
    .k_multiple = K_MULTIPLE,
    .operand_row = operand_row,
    .prepare = prepare,
    .pays = PAYS,
    .chains = CHAINS,
    .pack = PACK,
    .gemm = gemm,
};
