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
    al_matrix a;
    size_t column, columns, vectors; /* of the panel: the first one in c, how many c has, the vectors that hold them */
    size_t begin, end, steps;        /* steps of the slice; of all of k */
    const char *b;
    const float *first;          /* what sums start from; NULL: zeros */
    const char *fetch, *fetched; /* weights that will be read after this slice: what is to be asked for, its end */
    size_t pace;                 /* bytes of one request */
} slice;

/* Rows that are addressed from one register: it and what it is indexed with, once and twice. With a register a row
 * there would be too few, and loads of addresses between the multiply-adds. */
#define REACH 3

/* Where the rows of a tile are. */
typedef struct tile_rows {
    const float *from[(TILE_ROWS + REACH - 1) / REACH]; /* every REACH-th row */
    size_t stride;
} tile_rows;

static inline __attribute__((always_inline)) void forget_addresses(const size_t rows, tile_rows *a, const char **b)
{
    UNROLL
    for (size_t i = 0; i < rows; i += REACH)
        FORGET(a->from[i / REACH]);
    FORGET(*b);
}

/* sum[rows x vectors] += a b over step l of k after those where rows and weights begin. */
static inline __attribute__((always_inline)) void add_step(const size_t rows, const size_t vectors, size_t l,
                                                           const tile_rows *a, const char *b,
                                                           vf sum[TILE_ROWS][TILE_VECTORS])
{
    vf column[TILE_VECTORS];
    UNROLL
    for (size_t j = 0; j < vectors; j++)
        column[j] = v_columns(b + (l * TILE_VECTORS + j) * VL * STEP_BYTES);
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        float step; /* or other numbers of its size */
        __builtin_memcpy(&step, a->from[i / REACH] + i % REACH * a->stride + l, sizeof step);
        const vf x = v_set(step);
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[i][j] = v_step(x, column[j], sum[i][j]);
    }
}

/* The same over n steps, the first of them at p in the first row and at b in the weights. */
static inline __attribute__((always_inline)) void add_steps(const size_t rows, const size_t vectors, size_t n,
                                                            const float *p, const size_t stride, const char *b,
                                                            vf sum[TILE_ROWS][TILE_VECTORS])
{
    tile_rows a = {.stride = stride};
    UNROLL
    for (size_t i = 0; i < rows; i += REACH)
        a.from[i / REACH] = p + i * stride;
    for (; STEPS_AT_ONCE > 1 && n >= STEPS_AT_ONCE; n -= STEPS_AT_ONCE, b += STEPS_AT_ONCE * NR * STEP_BYTES) {
        forget_addresses(rows, &a, &b); /* of the stretch before, too: gcc 12 keeps them otherwise */
        UNROLL
        for (size_t l = 0; l < STEPS_AT_ONCE; l++) {
            forget_addresses(rows, &a, &b);
            add_step(rows, vectors, l, &a, b, sum);
        }
        UNROLL
        for (size_t i = 0; i < rows; i += REACH)
            a.from[i / REACH] += STEPS_AT_ONCE;
    }
    UNROLL_2
    for (size_t l = 0; l < n; l++)
        add_step(rows, vectors, l, &a, b, sum);
}

static inline __attribute__((always_inline)) void ask_for(const char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch(p + i, 0, 2);
}

static inline __attribute__((always_inline)) void ask_for_weights(slice *s)
{
    if (s->fetch < s->fetched) {
        ask_for(s->fetch, s->pace);
        s->fetch += s->pace;
    }
}

/* sum += a b over all steps of the slice; the tile begins at `row`. */
static inline __attribute__((always_inline)) void add_slice(const size_t rows, const size_t vectors, slice *s,
                                                            size_t row, vf sum[TILE_ROWS][TILE_VECTORS])
{
    const al_matrix *a = &s->a;
    const float *p = a->data + s->begin / NR * a->panel + row * a->row_stride;
    const char *b = s->b;
    size_t n = s->end - s->begin;
    if (a->panel != NR) /* panel by panel, with a known stride; what is left lies in the last one */
        for (; n >= NR; n -= NR, p += a->panel)
            for (size_t l = 0; l < NR; l += REQUEST_STEPS, b += REQUEST_STEPS * NR * STEP_BYTES) {
                ask_for_weights(s);
                if (ASKS_FOR_ROWS) /* of the next tile, which the processor does not guess */
                    ask_for((const char *)(p + rows * NR + l * rows), rows * REQUEST_STEPS * sizeof *p);
                add_steps(rows, vectors, REQUEST_STEPS, p + l, NR, b, sum);
            }
    for (; n >= REQUEST_STEPS; n -= REQUEST_STEPS, p += REQUEST_STEPS, b += REQUEST_STEPS * NR * STEP_BYTES) {
        ask_for_weights(s);
        add_steps(rows, vectors, REQUEST_STEPS, p, a->row_stride, b, sum);
    }
    add_steps(rows, vectors, n, p, a->row_stride, b, sum);
}

/* Whether c has sums that this slice adds to. */
static inline bool resumes(const slice *s)
{
    return s->begin != 0 || s->g->add;
}

/* The sums of a tile from where they wait, or as they begin. */
static inline __attribute__((always_inline)) void load_sums(const size_t rows, const size_t vectors, const slice *s,
                                                            const float *c, size_t stride,
                                                            vf sum[TILE_ROWS][TILE_VECTORS])
{
    const bool resume = resumes(s);
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[i][j] = resume ? v_load(c + i * stride + j * VL) : s->first ? v_load(s->first + j * VL) : v_zero();
    }
}

/* Stores them, plus the same elements of a residual, if it is not NULL. */
static inline __attribute__((always_inline)) void store_sums(const size_t rows, const size_t vectors, float *c,
                                                             size_t stride, const float *residual,
                                                             size_t residual_stride, vf sum[TILE_ROWS][TILE_VECTORS])
{
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++) {
            const vf x = residual ? v_add(sum[i][j], v_load(residual + i * residual_stride + j * VL)) : sum[i][j];
            v_store(c + i * stride + j * VL, x);
        }
    }
}

/*
 * One tile. Where the columns of a row-major c end inside a vector, a whole one would write past them: there the sums
 * wait and become numbers beside c, and its columns are copied. A residual that nothing comes before is added on the
 * way.
 */
static inline __attribute__((always_inline)) void tile(const size_t rows, const size_t vectors, slice *s, size_t row,
                                                       float *c)
{
    const al_gemm *g = s->g;
    const bool edge = s->columns % VL, last = s->end == s->steps;
    const size_t stride = edge ? NR : g->c_row_stride;
    float room[TILE_ROWS * NR], *at = edge ? room : c;
    vf sum[TILE_ROWS][TILE_VECTORS];
    for (size_t i = 0; edge && resumes(s) && i < rows; i++)
        for (size_t j = 0; j < NR; j++)
            room[i * NR + j] = j < s->columns ? c[i * g->c_row_stride + j] : 0.0f;
    load_sums(rows, vectors, s, at, stride, sum);
    add_slice(rows, vectors, s, row, sum);
    if (last && !edge && SUMS_ARE_NUMBERS && g->residual && g->act == ALIGN_ACT_LINEAR) {
        const float *residual = g->residual + row * g->residual_stride + s->column;
        store_sums(rows, vectors, c, stride, residual, g->residual_stride, sum);
        return;
    }
    store_sums(rows, vectors, at, stride, NULL, 0, sum);
    if (last)
        complete(g, row, rows, s->column, vectors, at, stride);
    for (size_t i = 0; edge && i < rows; i++)
        for (size_t j = 0; j < s->columns; j++)
            c[i * g->c_row_stride + j] = room[i * NR + j];
    if (last)
        finish_tile(g, row, rows, s->column, s->columns, c);
}

/* c (+)= a b over one slice, `count` tiles of as many rows from `row` on. */
static inline __attribute__((always_inline)) void tiles(const size_t rows, const size_t vectors, slice *s, size_t row,
                                                        size_t count)
{
    const al_gemm *g = s->g;
    for (; count; count--, row += rows)
        tile(rows, vectors, s, row, g->c + s->column / NR * g->c_panel + row * g->c_row_stride);
}

/* One function a tile size, so that the loops above unroll into straight code. */
#define TILE(rows, vectors)                                                  \
    static void tiles_##rows##x##vectors(slice *s, size_t row, size_t count) \
    {                                                                        \
        tiles(rows, vectors, s, row, count);                                 \
    }
/* clang-format off */
#if TILE_VECTORS == 3
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define NAMES(rows) { tiles_##rows##x1, tiles_##rows##x2, tiles_##rows##x3 }
#else
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#define NAMES(rows) { tiles_##rows##x1, tiles_##rows##x2 }
#endif
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#if TILE_ROWS > 6
TILES(7) TILES(8)
#endif
#if TILE_ROWS > 8
TILES(9)
#endif
static void (*const tiles_of[TILE_ROWS][TILE_VECTORS])(slice *s, size_t row, size_t count) = {
    NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6),
#if TILE_ROWS > 6
    NAMES(7), NAMES(8),
#endif
#if TILE_ROWS > 8
    NAMES(9),
#endif
};
/* clang-format on */

/* Rows of a slice in tiles as even as can be: one of few rows would wait for its own sums. */
static void rows_of_slice(slice *s, size_t row_begin, size_t row_end)
{
    const size_t rows = row_end - row_begin, count = (rows + TILE_ROWS - 1) / TILE_ROWS;
    const size_t low = rows / count, high = rows % count; /* rows of a tile, and tiles that have one more */
    const size_t bytes = (s->end - s->begin) * NR * STEP_BYTES;
    /* the next slice is fetched evenly while this one is used: memory has no time to spare for bursts */
    const size_t requests = count * (bytes / (REQUEST_STEPS * NR * STEP_BYTES) + 1);
    s->fetch = s->b + bytes;
    s->fetched = s->fetch + bytes;
    s->pace = (bytes + requests * LINE - 1) / (requests * LINE) * LINE;
    if (count > high)
        tiles_of[low - 1][s->vectors - 1](s, row_begin, count - high);
    if (high)
        tiles_of[low][s->vectors - 1](s, row_end - high * (low + 1), high);
}

/* Rows [row_begin, row_end) of one panel. */
static void rows_of_panel(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel)
{
    const size_t column = panel * NR, left = g->c_padded ? NR : g->n - column;
    slice s = {.g = g, .a = steps_of_rows(g), .column = column, .columns = left < NR ? left : NR};
    s.vectors = (s.columns + VL - 1) / VL;
    s.first = first_sums(g, column);
    s.steps = (g->k + GROUP - 1) / GROUP;
    do { /* once also where k is 0 */
        s.b = (const char *)g->b + (panel * s.steps + s.begin) * NR * STEP_BYTES;
        s.end = s.steps - s.begin < SLICE ? s.steps : s.begin + SLICE;
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
