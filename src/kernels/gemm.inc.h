/*
 * gemm.inc.h: c = act(bias + a b) + residual, written once for every product: in the words of simd_*.h and in these of
 * the product, which f32.inc.h, bf16_dot.inc.h and int8_dot.inc.h define:
 *
 *     GROUP, STEP_BYTES            numbers along k that a step multiplies with a column of weights, and their size
 *     v_columns(weights)           VL columns of one step
 *     v_step(x, columns, sum)      sum + x columns; x has one step of a row, 4 bytes, in every lane
 *     steps_of_rows(g)             where the rows are
 *     first_sums(g, column)        what the sums of these columns start from; NULL: zeros
 *     complete(g, ...)             turns sums of all of k into numbers, where they are not
 *
 *     for blocks of rows            (so that a block of a stays in L2)
 *       for panels of nr columns
 *         for slices of k           (so that a slice of the panel of b stays in L1)
 *           for tiles of TILE_ROWS  -> accumulators in registers
 *
 * A tile is stored, then activated: an activation inside the micro-kernel would spill the accumulators. Between slices
 * of k the sums wait in c itself (integers as their bits), so that every element is summed over k in ascending order
 * however the work is divided.
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

/* sum[rows x vectors] += a b over n steps of k, which begin at p in the first row and at b in the weights. */
static inline __attribute__((always_inline)) void add_steps(const size_t rows, const size_t vectors, const size_t n,
                                                            const float *p, const size_t stride, const char *b,
                                                            vf sum[TILE_ROWS][TILE_VECTORS])
{
    UNROLL_2
    for (size_t l = 0; l < n; l++, b += NR * STEP_BYTES) {
        vf column[TILE_VECTORS];
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            column[j] = v_columns(b + j * VL * STEP_BYTES);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            float step; /* or other numbers of its size */
            __builtin_memcpy(&step, p + i * stride + l, sizeof step);
            const vf x = v_set(step);
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                sum[i][j] = v_step(x, column[j], sum[i][j]);
        }
    }
}

static inline __attribute__((always_inline)) void ask_for(const char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch(p + i, 0, 2);
}

/*
 * add_steps, asking every REQUEST_STEPS steps for `pace` bytes of weights, which come from far away; and of rows in
 * panels for as much of the next tile as these steps read of this one: it follows, which the processor does not guess.
 */
static inline __attribute__((always_inline)) void add_slice(const size_t rows, const size_t vectors, size_t n,
                                                            const float *p, const size_t stride, const bool in_panels,
                                                            const char *b, const char *fetch, const size_t pace,
                                                            vf sum[TILE_ROWS][TILE_VECTORS])
{
    const float *next = p + rows * stride;
    for (; n >= REQUEST_STEPS; n -= REQUEST_STEPS, p += REQUEST_STEPS, b += REQUEST_STEPS * NR * STEP_BYTES) {
        ask_for(fetch, pace);
        fetch += pace;
        if (in_panels) {
            ask_for((const char *)next, rows * REQUEST_STEPS * sizeof *p);
            next += rows * REQUEST_STEPS;
        }
        add_steps(rows, vectors, REQUEST_STEPS, p, stride, b, sum);
    }
    add_steps(rows, vectors, n, p, stride, b, sum);
}

/*
 * c[rows x vectors] (+)= a b over steps [begin, end). resume: go on from the sums in c; otherwise start from `first`,
 * or from zeros where that is NULL. b points to step `begin` of the panel, fetch to the weights that will be read after
 * this.
 */
static inline __attribute__((always_inline)) void tile(const size_t rows, const size_t vectors, const al_matrix *a,
                                                       size_t row, size_t begin, size_t end, const char *b, bool resume,
                                                       const float *first, float *c, size_t c_row_stride,
                                                       const char *fetch, size_t pace)
{
    vf sum[TILE_ROWS][TILE_VECTORS];
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[i][j] = resume ? v_load(c + i * c_row_stride + j * VL) : first ? v_load(first + j * VL) : v_zero();
    }
    const float *p = a->data + begin / NR * a->panel + row * a->row_stride;
    size_t k = begin;
    if (a->panel != NR) /* panel by panel, each of known size; k runs on in a row-major a and in the last panel */
        for (; end - k >= NR; k += NR, p += a->panel, b += NR * NR * STEP_BYTES, fetch += NR / REQUEST_STEPS * pace)
            add_slice(rows, vectors, NR, p, NR, true, b, fetch, pace, sum);
    add_slice(rows, vectors, end - k, p, a->row_stride, false, b, fetch, pace, sum);
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            v_store(c + i * c_row_stride + j * VL, sum[i][j]);
    }
}

typedef void (*tile_function)(const al_matrix *a, size_t row, size_t begin, size_t end, const char *b, bool resume,
                              const float *first, float *c, size_t c_row_stride, const char *fetch, size_t pace);

/* One function a tile size, so that the loops above unroll into straight code. */
#define TILE(rows, vectors)                                                                                      \
    static void tile_##rows##x##vectors(const al_matrix *a, size_t row, size_t begin, size_t end, const char *b, \
                                        bool resume, const float *first, float *c, size_t c_row_stride,          \
                                        const char *fetch, size_t pace)                                          \
    {                                                                                                            \
        tile(rows, vectors, a, row, begin, end, b, resume, first, c, c_row_stride, fetch, pace);                 \
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
static const tile_function tiles[TILE_ROWS][TILE_VECTORS] = {
    NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6),
#if TILE_ROWS > 6
    NAMES(7), NAMES(8),
#endif
#if TILE_ROWS > 8
    NAMES(9),
#endif
};
/* clang-format on */

/* One panel over one slice of k. */
typedef struct slice {
    const al_gemm *g;
    al_matrix a;
    size_t column, columns, vectors; /* of the panel: the first one in c, how many c has, the vectors that hold them */
    size_t begin, end, steps;        /* steps of the slice; of all of k */
    const char *b;
    const float *first;
} slice;

/* Whether c has sums that this slice adds to. */
static inline bool resumes(const slice *s)
{
    return s->begin != 0 || s->g->add;
}

/* Whole vectors of one tile, which c has room for. */
static void whole_tile(const slice *s, size_t rows, size_t row, float *c, size_t c_row_stride, const char *fetch,
                       size_t pace)
{
    tiles[rows - 1][s->vectors - 1](&s->a, row, s->begin, s->end, s->b, resumes(s), s->first, c, c_row_stride, fetch,
                                    pace);
    if (s->end == s->steps)
        complete(s->g, row, rows, s->column, s->vectors, c, c_row_stride);
}

/*
 * One tile of a row-major c whose columns end inside the panel: whole vectors would write past them, so the tile is
 * computed beside and its columns are copied.
 */
static void edge_tile(const slice *s, size_t rows, size_t row, float *c, size_t c_row_stride, const char *fetch,
                      size_t pace)
{
    float beside[TILE_ROWS * NR];
    for (size_t i = 0; i < rows && resumes(s); i++)
        for (size_t j = 0; j < NR; j++)
            beside[i * NR + j] = j < s->columns ? c[i * c_row_stride + j] : 0.0f;
    whole_tile(s, rows, row, beside, NR, fetch, pace);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < s->columns; j++)
            c[i * c_row_stride + j] = beside[i * NR + j];
}

static void rows_of_slice(const slice *s, size_t row_begin, size_t row_end)
{
    const al_gemm *g = s->g;
    const size_t steps = s->end - s->begin;
    const size_t lines = (steps * NR * STEP_BYTES + LINE - 1) / LINE;
    const size_t requests = steps < REQUEST_STEPS ? 1 : steps / REQUEST_STEPS; /* of a tile */
    size_t tiles_left = (row_end - row_begin + TILE_ROWS - 1) / TILE_ROWS, lines_left = lines;
    for (size_t row = row_begin, rows; row < row_end; row += rows, tiles_left--) {
        rows = (row_end - row) / tiles_left; /* even tiles: one of few rows would wait for its own sums */
        /* the next slice is fetched evenly while this one is used: memory has no time to spare for bursts */
        const char *fetch = s->b + (2 * lines - lines_left) * LINE;
        const size_t pace = (lines_left + tiles_left * requests - 1) / (tiles_left * requests) * LINE;
        float *c = g->c + s->column / NR * g->c_panel + row * g->c_row_stride;
        if (s->columns % VL)
            edge_tile(s, rows, row, c, g->c_row_stride, fetch, pace);
        else
            whole_tile(s, rows, row, c, g->c_row_stride, fetch, pace);
        if (s->end == s->steps)
            finish_tile(g, row, rows, s->column, s->columns, c);
        const size_t fetched = requests * pace / LINE;
        lines_left -= lines_left < fetched ? lines_left : fetched;
    }
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
