/*
 * gemm.inc.h: c = act(bias + a b) + residual, written once for every product: in the words of simd_*.h and in these of
 * the product, which f32.inc.h, bf16_dot.inc.h and int8_dot.inc.h define:
 *
 *     GROUP, STEP_BYTES            numbers along k that a step multiplies with a column of weights, and their size
 *     v_columns(weights)           VL columns of one step
 *     v_step(x, columns, sum)      sum + x columns; x has one step of a row, 4 bytes, in every lane
 *     STEPS_AT_ONCE                steps that are straight code; 1: the compiler decides
 *     steps_of_rows(g)             where the rows are
 *     first_sums(g, column)        what the sums of these columns start from; NULL: zeros
 *     SUMS_ARE_NUMBERS             whether sums of all of k are the numbers of c
 *     complete(g, ...)             turns them into such, where they are not
 *
 *     for blocks of rows            (so that a block of a stays in L2)
 *       for panels of nr columns
 *         for slices of k           (so that a slice of the panel of b stays in L1)
 *           for tiles of TILE_ROWS  -> accumulators in registers
 *
 * A tile is stored, then activated: an activation of accumulators would spill them. Between slices of k the sums wait
 * in c itself (integers as their bits), so that every element is summed over k in ascending order however the work is
 * divided.
 */

/* steps of a slice, a multiple of every NR: 24 kB of weights with AVX2, 18 with NEON, 72 with AVX-512, whose L2 is fast
 * enough that shorter ones bring nothing. */
#define SLICE ((size_t)384)
/* rows of a block: at most this many steps of a. */
#define BLOCK_STEPS ((size_t)192 * 1024)

/* bytes of a cache line */
#define LINE 64

/* Steps from one request for what will be read later to the next. Each line is asked for once: asking again in every
 * step takes loads and, where vectors of 256 bits leave no port to themselves, multiply-adds. */
#define REQUEST_STEPS ((size_t)(NR % 16 ? NR : 16))

/* One panel over one slice of k. */
typedef struct slice {
    const al_gemm *g;
    al_matrix a;                     /* from the slice's first step on */
    size_t column, columns, vectors; /* of the panel: the first one in c, how many c has, the vectors that hold them */
    size_t begin, end, steps;        /* steps of the slice; of all of k */
    const char *b;
    const float *first; /* what sums start from; NULL: zeros */
    bool resume;        /* c has sums that this slice adds to */
    bool adds_residual; /* on the way to c */
    size_t pace;        /* bytes of weights, read after this slice, that are asked for at a time */
} slice;

/* Where the rows of a tile are: every `reach`-th of them. Where the stride is known, all are addressed from one
 * register; otherwise REACH are: from where it points and what indexes it, once and twice. With a register a row there
 * would be too few, and loads of addresses between the multiply-adds. */
typedef struct tile_rows {
    const float *from[TILE_ROWS];
    size_t stride;
} tile_rows;
#define REACH 3

/* sum[rows x vectors] += a b over step l of k after those where rows and weights begin. */
static inline __attribute__((always_inline)) void add_step(const size_t rows, const size_t vectors, size_t l,
                                                           const tile_rows *a, const size_t reach, const char *b,
                                                           vf sum[TILE_ROWS][TILE_VECTORS])
{
    vf column[TILE_VECTORS];
    UNROLL
    for (size_t j = 0; j < vectors; j++)
        column[j] = v_columns(b + (l * TILE_VECTORS + j) * VL * STEP_BYTES);
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        float step; /* or other numbers of its size */
        __builtin_memcpy(&step, a->from[i / reach] + i % reach * a->stride + l, sizeof step);
        const vf x = v_set(step);
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[i][j] = v_step(x, column[j], sum[i][j]);
    }
}

/* The same over n steps, the first of them at p in the first row and at b in the weights. */
static inline __attribute__((always_inline)) void add_steps(const size_t rows, const size_t vectors, size_t n,
                                                            const float *p, const size_t stride, const size_t reach,
                                                            const char *b, vf sum[TILE_ROWS][TILE_VECTORS])
{
    tile_rows a = {.stride = stride};
    UNROLL
    for (size_t i = 0; i < rows; i += reach)
        a.from[i / reach] = p + i * stride;
    for (; STEPS_AT_ONCE > 1 && n >= STEPS_AT_ONCE; n -= STEPS_AT_ONCE, b += STEPS_AT_ONCE * NR * STEP_BYTES) {
        UNROLL
        for (size_t i = 0; i < rows; i += reach)
            FORGET(a.from[i / reach]);
        FORGET(b);
        UNROLL
        for (size_t l = 0; l < STEPS_AT_ONCE; l++)
            add_step(rows, vectors, l, &a, reach, b, sum);
        UNROLL
        for (size_t i = 0; i < rows; i += reach)
            a.from[i / reach] += STEPS_AT_ONCE;
    }
    UNROLL_2
    for (size_t l = 0; l < n; l++)
        add_step(rows, vectors, l, &a, reach, b, sum);
}

static inline __attribute__((always_inline)) void ask_for(const char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch(p + i, 0, 2);
}

/* sum += a b over all steps of the slice, of rows from p on. */
static inline __attribute__((always_inline)) void add_slice(const size_t rows, const size_t vectors, const slice *s,
                                                            const float *p, const char *fetch,
                                                            vf sum[TILE_ROWS][TILE_VECTORS])
{
    const size_t pace = s->pace, stride = s->a.row_stride, panel = s->a.panel;
    const char *b = s->b;
    size_t n = s->end - s->begin;
    if (panel != NR) /* panel by panel, with a known stride; what is left lies in the last one */
        for (; n >= NR; n -= NR, p += panel)
            for (size_t l = 0; l < NR; l += REQUEST_STEPS, b += REQUEST_STEPS * NR * STEP_BYTES, fetch += pace) {
                ask_for(fetch, pace);
                if (ASKS_FOR_ROWS) /* of the next tile, which the processor does not guess */
                    ask_for((const char *)(p + rows * NR + l * rows), rows * REQUEST_STEPS * sizeof *p);
                add_steps(rows, vectors, REQUEST_STEPS, p + l, NR, TILE_ROWS, b, sum);
            }
    for (; n >= REQUEST_STEPS; n -= REQUEST_STEPS, p += REQUEST_STEPS, fetch += pace) {
        ask_for(fetch, pace);
        add_steps(rows, vectors, REQUEST_STEPS, p, stride, REACH, b, sum);
        b += REQUEST_STEPS * NR * STEP_BYTES;
    }
    if (n)
        add_steps(rows, vectors, n, p, stride, REACH, b, sum);
}

/* Rows of sums, or more to add to them: those at x. */
static inline __attribute__((always_inline)) void load_rows(const size_t rows, const size_t vectors, const bool add,
                                                            const float *x, const size_t stride,
                                                            vf sum[TILE_ROWS][TILE_VECTORS])
{
    UNROLL
    for (size_t i = 0; i < rows; i++, x += stride) {
        FORGET(x); /* no register a row */
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[i][j] = add ? v_add(sum[i][j], v_load(x + j * VL)) : v_load(x + j * VL);
    }
}

/*
 * One tile, `stride` floats from one row of c to the next: from the sums in c or those that all begin with, to c. What
 * it asks for begins at fetch.
 */
static inline __attribute__((always_inline)) void tile(const size_t rows, const size_t vectors, const slice *s,
                                                       size_t row, float *c, const size_t stride, const char *fetch)
{
    const al_gemm *g = s->g;
    vf sum[TILE_ROWS][TILE_VECTORS];
    if (s->resume)
        load_rows(rows, vectors, false, c, stride, sum);
    else if (s->first)
        load_rows(rows, vectors, false, s->first, 0, sum);
    else
        for (size_t i = 0; i < rows * vectors; i++)
            sum[i / vectors][i % vectors] = v_zero();
    add_slice(rows, vectors, s, s->a.data + row * s->a.row_stride, fetch, sum);
    if (s->adds_residual)
        load_rows(rows, vectors, true, g->residual + row * g->residual_stride + s->column, g->residual_stride, sum);
    UNROLL
    for (size_t i = 0; i < rows; i++, c += stride) {
        FORGET(c);
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            v_store(c + j * VL, sum[i][j]);
    }
}

typedef void tile_function(const slice *s, size_t row, float *c, size_t stride, const char *fetch);

/* One function a tile size, so that the loops above unroll into straight code. */
#define TILE(rows, vectors)                                                                                     \
    static void tile_##rows##x##vectors(const slice *s, size_t row, float *c, size_t stride, const char *fetch) \
    {                                                                                                           \
        tile(rows, vectors, s, row, c, stride, fetch);                                                          \
    }
/* clang-format off */
#if TILE_VECTORS == 3
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define NAMES(rows) { tile_##rows##x1, tile_##rows##x2, tile_##rows##x3 }
#else
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#define NAMES(rows) { tile_##rows##x1, tile_##rows##x2 }
#endif
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#if TILE_ROWS > 6
TILES(7) TILES(8)
#endif
#if TILE_ROWS > 8
TILES(9)
#endif
static tile_function *const tiles[TILE_ROWS][TILE_VECTORS] = {
    NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6),
#if TILE_ROWS > 6
    NAMES(7), NAMES(8),
#endif
#if TILE_ROWS > 8
    NAMES(9),
#endif
};
/* clang-format on */

/*
 * Where the columns of a row-major c end inside a vector, whole ones would write past them: there the sums wait and
 * become numbers beside c, and its columns are copied.
 */
static void edge_tile(const slice *s, size_t rows, size_t row, float *c, const char *fetch)
{
    const al_gemm *g = s->g;
    float beside[TILE_ROWS * NR];
    for (size_t i = 0; s->resume && i < rows; i++)
        for (size_t j = 0; j < NR; j++)
            beside[i * NR + j] = j < s->columns ? c[i * g->c_row_stride + j] : 0.0f;
    tiles[rows - 1][s->vectors - 1](s, row, beside, NR, fetch);
    if (s->end == s->steps)
        complete(g, row, rows, s->column, s->vectors, beside, NR);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < s->columns; j++)
            c[i * g->c_row_stride + j] = beside[i * NR + j];
}

/* Rows of a slice in tiles as even as can be: one of few rows would wait for its own sums. */
static void rows_of_slice(slice *s, size_t row_begin, size_t row_end)
{
    const al_gemm *g = s->g;
    const bool last = s->end == s->steps, edge = s->columns % VL;
    size_t count = (row_end - row_begin + TILE_ROWS - 1) / TILE_ROWS;
    /* the next slice is fetched evenly while this one is used: memory has no time to spare for bursts */
    const size_t steps = s->end - s->begin,
                 requests = steps < REQUEST_STEPS ? 1 : steps / REQUEST_STEPS; /* of a tile */
    const size_t bytes = steps * NR * STEP_BYTES, all = count * requests * LINE;
    const char *fetch = s->b + bytes, *fetched = fetch + bytes;
    s->adds_residual = last && !edge && SUMS_ARE_NUMBERS && g->residual && g->act == ALIGN_ACT_LINEAR;
    s->pace = (bytes + all - 1) / all * LINE;
    for (size_t row = row_begin, rows; row < row_end; row += rows, count--) {
        rows = (row_end - row) / count;
        float *c = g->c + s->column / NR * g->c_panel + row * g->c_row_stride;
        if (edge)
            edge_tile(s, rows, row, c, fetch);
        else {
            tiles[rows - 1][s->vectors - 1](s, row, c, g->c_row_stride, fetch);
            if (last)
                complete(g, row, rows, s->column, s->vectors, c, g->c_row_stride);
        }
        if (last && !s->adds_residual)
            finish_tile(g, row, rows, s->column, s->columns, c);
        fetch += requests * s->pace;
        if (fetch >= fetched)
            s->pace = 0;
    }
}

/* Rows [row_begin, row_end) of one panel. */
static void rows_of_panel(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel)
{
    const size_t column = panel * NR, left = g->c_padded ? NR : g->n - column;
    const al_matrix rows = steps_of_rows(g);
    slice s = {.g = g, .a = rows, .column = column, .columns = left < NR ? left : NR};
    s.vectors = (s.columns + VL - 1) / VL;
    s.first = first_sums(g, column);
    s.steps = (g->k + GROUP - 1) / GROUP;
    do { /* once also where k is 0 */
        s.b = (const char *)g->b + (panel * s.steps + s.begin) * NR * STEP_BYTES;
        s.end = s.steps - s.begin < SLICE ? s.steps : s.begin + SLICE;
        s.a.data = rows.data + s.begin / NR * rows.panel;
        s.resume = g->add || s.begin != 0;
        rows_of_slice(&s, row_begin, row_end);
        s.begin = s.end;
    } while (s.begin < s.steps);
}

static void gemm(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end)
{
    size_t block = BLOCK_STEPS * GROUP / (g->k ? g->k : 1) / TILE_ROWS * TILE_ROWS;
    if (block < 8 * TILE_ROWS)
        block = 8 * TILE_ROWS;
    for (size_t row = row_begin; row < row_end; row += block)
        for (size_t panel = panel_begin; panel < panel_end; panel++)
            rows_of_panel(g, row, row_end - row < block ? row_end : row + block, panel);
}
