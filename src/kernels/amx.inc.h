/*
 * amx.inc.h: c = act(bias + a b) + residual on Intel's tile registers, written once for the product_amx_*.c, in the
 * words of simd_avx512.h and in these of the product:
 *
 *     K_STEP, PARTS                 numbers along k that a tile takes, 64 bytes; parts that a number is multiplied in
 *     slice_steps(steps)            of a slice, if all of k is so many
 *     PAIRS, EACH_PAIR(multiply)    multiply(part of a, part of b) for all that add up to the product; how many
 *     TILE_STEP(sum)                sums of a tile += A_TILE B_TILE
 *     panel_bytes(k)                of packed weights
 *     MAKES_TILES, TILE_ROOM        whether packed weights are yet to be made [steps][PARTS][16][NR][4 bytes]; how many
 *                                   bytes those of a slice take
 *     make_tiles(b, n, i, end, room)  makes rows i to end of n packed ones, both even; beyond n they are zeros
 *     PAYS, BF16_ROWS, PACK         al_product.pays, bf16_rows, pack
 *     operand_row, first_sums, complete     as for gemm.inc.h; a row is [steps][PARTS][64 bytes]
 *
 *     for blocks of rows
 *       for chunks of k            (so that their part of the operand stays in L2; sums wait in c)
 *         for panels of NR columns
 *           for slices of k        (so that a slice of the panel stays in L1; sums wait beside)
 *             for bands of rows    -> sums in six tiles, 2 x 3
 *
 * Tiles are multiplied by a unit of its own, which the others need not wait for: between its instructions the rows of
 * the band before are finished, and the next slice of weights is made ready (errands).
 *
 * The two tiles of a band of at most 32 rows overlap if its rows are odd: what is computed twice comes out the same.
 * Sums that wait lose nothing (integers wait as their bits), so the order of additions depends on k alone.
 */
#include "kernels/tiles.h"

#include "base/least.h"

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

typedef struct range {
    size_t begin, end;
} range;

/* ---- how tiles cover a block of rows ---- */

typedef struct cover {
    size_t bands;     /* of rows */
    size_t tiles;     /* of a band: 1 or 2 */
    size_t tile_rows; /* what the tile registers are configured for */
    size_t columns;   /* of tiles: 1 to 3 */
} cover;

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

/* The same rounded. */
static void write_bf16(const al_gemm *g, range rows, size_t column, size_t n, const float *sums)
{
    uint16_t *c = g->c_bf16 + rows.begin * g->c_row_stride + column;
    for (size_t r = rows.begin; r < rows.end; r++, sums += NR, c += g->c_row_stride)
        for (size_t j = 0; j < n; j += VL)
            _mm256_mask_storeu_epi16(c + j, columns_left(n - j), (__m256i)_mm512_cvtneps_pbh(v_load(sums + j)));
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
    size_t slice;      /* steps of a slice */
    size_t panel, column, columns;
    bool direct;    /* c is as sums are */
    float *waiting; /* [rows, NR] sums between slices */
    float *start;   /* [tile rows, NR] sums before the first */
} work;

/* What is done beside the tiles, a piece after each pair of parts. */
typedef struct errands {
    range rows; /* to finish: of the band before this */
    float *sums;
    size_t rows_at_once;
    range weights; /* to make into tiles: rows of the slice after this */
    const char *packed;
    size_t packed_rows, weights_at_once;
    char *room;
} errands;

/* c = act(sums) + residual; or sums that wait for the next chunk. */
static void finish_rows(const work *w, range rows, float *sums)
{
    const al_gemm *g = w->g;
    const bool done = w->chunk.end == w->steps;
    if (done) {
        complete(g, rows.begin, rows.end - rows.begin, w->column, TILE_VECTORS, sums, NR);
        activate(g->act, (rows.end - rows.begin) * NR, sums);
    }
    if (g->c_bf16)
        write_bf16(g, rows, w->column, w->columns, sums);
    else if (!w->direct)
        write_rows(g, rows, w->column, w->columns, sums, done ? g->residual : NULL);
}

static inline void run_errand(const work *w, errands *e)
{
    if (e->rows.begin < e->rows.end) {
        const range some = {e->rows.begin, al_least(e->rows.begin + e->rows_at_once, e->rows.end)};
        finish_rows(w, some, e->sums);
        e->sums += (some.end - some.begin) * NR;
        e->rows.begin = some.end;
    }
    if (MAKES_TILES && e->weights.begin < e->weights.end) {
        const range some = {e->weights.begin, al_least(e->weights.begin + e->weights_at_once, e->weights.end)};
        make_tiles(e->packed, e->packed_rows, some.begin, some.end, e->room);
        e->weights.begin = some.end;
    }
}

/* sums += a b over some steps. fetch is what will be read later: some lines of it are asked for at each step, since
 * weights come from far away. */
static inline void multiply_steps(const work *w, source from, size_t steps, const char *fetch, size_t lines,
                                  errands *other)
{
    for (size_t s = 0; s < steps; s++) {
        for (size_t i = 0; i < lines; i++, fetch += LINE)
            __builtin_prefetch(fetch, 0, 2);
#define MULTIPLY(a_part, b_part)               \
    multiply(w->cover, &from, a_part, b_part); \
    run_errand(w, other)
        EACH_PAIR(MULTIPLY);
#undef MULTIPLY
        from.a += PARTS * TILE_BYTES;
        from.second += PARTS * TILE_BYTES;
        from.b += PARTS * B_BYTES;
    }
}

/* The packed weights of a panel from a step on. */
static const char *weights_at(const work *w, size_t panel, size_t step)
{
    return (const char *)w->g->b + panel * panel_bytes(w->g->k) + step * panel_bytes(K_STEP);
}

/* What is to be fetched while the slice that begins at this step is multiplied: the next that is read, maybe the next
 * panel's. Tiles are made of it one slice before. */
static const char *fetched_beside(const work *w, size_t step)
{
    const size_t all = w->chunk.end - w->chunk.begin;
    const size_t ahead = step - w->chunk.begin + (MAKES_TILES && all > w->slice ? 2 : 1) * w->slice;
    const size_t round = (all + w->slice - 1) / w->slice * w->slice; /* slices begin anew in each panel */
    return ahead < round ? weights_at(w, w->panel, w->chunk.begin + ahead)
                         : weights_at(w, w->panel + 1, w->chunk.begin + ahead - round);
}

/* The steps of one slice, of which b are the tiles, for all bands. */
static void multiply_slice(const work *w, range steps, const char *b, errands *other)
{
    const al_gemm *g = w->g;
    const cover *v = w->cover;
    const size_t count = steps.end - steps.begin, a_row = operand_row(g->k), errands_of_band = count * PAIRS;
    const size_t lines = (count * panel_bytes(K_STEP) / LINE + v->bands * count - 1) / (v->bands * (count ? count : 1));
    const char *fetch = fetched_beside(w, steps.begin);
    const bool last = steps.end == w->chunk.end;
    _Alignas(64) float ready[2][BAND_ROWS * NR];
    other->weights_at_once = other->weights.end / (v->bands * errands_of_band + 1) / 2 * 2 + 2;
    for (size_t i = 0; i < v->bands; i++, fetch += count * lines * LINE) {
        const range band = band_of(v, w->rows, i);
        const size_t rows = band.end - band.begin, second = rows - v->tile_rows;
        float *wait = w->waiting + (band.begin - w->rows.begin) * NR;
        float *to = !last ? wait : w->direct ? g->c + w->column / NR * g->c_panel + band.begin * NR : ready[i % 2];
        const char *a = (const char *)g->operand + band.begin * a_row + steps.begin * PARTS * TILE_BYTES;
        FINISH_WRITES();
        if (steps.begin || g->add)
            load_sums(v, wait, wait + second * NR);
        else
            load_sums(v, w->start, w->start);
        multiply_steps(w, (source){a, a + second * a_row, b, a_row}, count, fetch, lines, other);
        store_sums(v, to, to + second * NR);
        if (!last)
            continue;
        if (other->rows.begin < other->rows.end) /* there were no steps */
            finish_rows(w, other->rows, other->sums);
        other->rows = band;
        other->sums = to;
        other->rows_at_once = rows / (errands_of_band + 1) + 1;
    }
    if (last)
        finish_rows(w, other->rows, other->sums);
}

static void multiply_panel(const al_gemm *g, cover *v, range rows, range chunk, size_t panel)
{
    const size_t column = panel * NR, steps = (g->k + K_STEP - 1) / K_STEP;
    _Alignas(64) float waiting[BLOCK_ROWS * NR], start[BAND_ROWS / 2 * NR];
    _Alignas(64) char room[2][TILE_ROOM];
    work w = {.g = g,
              .cover = v,
              .rows = rows,
              .chunk = chunk,
              .steps = steps,
              .slice = slice_steps(steps),
              .panel = panel,
              .column = column,
              .columns = g->c_padded ? NR : al_least(g->n - column, NR),
              .waiting = waiting,
              .start = start};
    w.direct = w.columns == NR && g->c_row_stride == NR && !g->residual && !g->c_bf16;
    v->columns = (w.columns + VL - 1) / VL;
    if (chunk.begin || g->add)
        read_rows(g, rows, column, w.columns, waiting);
    const float *first = first_sums(g, column);
    for (size_t i = 0; i < v->tile_rows * NR; i += VL)
        v_store(start + i, first ? v_load(first + i % NR) : v_zero());
    range slice = {chunk.begin, al_least(chunk.begin + w.slice, chunk.end)};
    if (MAKES_TILES)
        make_tiles(weights_at(&w, panel, slice.begin), g->k - slice.begin * K_STEP, 0,
                   (slice.end - slice.begin) * K_STEP, room[0]);
    for (size_t i = 0; i == 0 || slice.begin < chunk.end; i++) {
        const range next = {slice.end, al_least(slice.end + w.slice, chunk.end)};
        errands other = {.weights = {0, (next.end - next.begin) * K_STEP},
                         .packed = weights_at(&w, panel, next.begin),
                         .packed_rows = g->k - al_least(next.begin * K_STEP, g->k),
                         .room = room[(i + 1) % 2]};
        multiply_slice(&w, slice, MAKES_TILES ? room[i % 2] : weights_at(&w, panel, slice.begin), &other);
        slice = next;
    }
}

/* Rows of each block, the blocks even. */
static size_t block_rows(size_t rows, size_t a_row)
{
    size_t most = CHUNK_BYTES / a_row / BAND_ROWS * BAND_ROWS;
    most = most < FEW_ROWS ? FEW_ROWS : al_least(most, BLOCK_ROWS);
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
        const range rows = {row, al_least(row + block, row_end)};
        cover v = cover_rows(rows.end - rows.begin);
        if (v.tile_rows != configured)
            configure_tiles(configured = v.tile_rows, B_TILE);
        const size_t slice = slice_steps(steps);
        size_t chunk = CHUNK_BYTES / ((rows.end - rows.begin) * PARTS * TILE_BYTES) / slice * slice;
        chunk = g->c_bf16 ? steps : chunk < slice ? slice : chunk; /* sums cannot wait where they are rounded */
        for (size_t k = 0; k == 0 || k < steps; k += chunk)
            for (size_t panel = panel_begin; panel < panel_end; panel++)
                multiply_panel(g, &v, rows, (range){k, al_least(k + chunk, steps)}, panel);
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
    .bf16_rows = BF16_ROWS,
    .takes_bf16 = ELEMENT != AL_F32,
    .pack = PACK,
    .gemm = gemm,
};
