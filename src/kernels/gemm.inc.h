/*
 * gemm.inc.h: c = act(bias + a b) + residual, written once in the words of simd_*.h.
 *
 *     for blocks of rows            (so that a block of a stays in L2)
 *       for panels of nr columns
 *         for slices of k           (so that a slice of the panel of b stays in L1)
 *           for tiles of TILE_ROWS  -> accumulators in registers
 *
 * A tile is stored, then activated: an activation inside the micro-kernel would spill the accumulators. Between slices
 * of k the sums wait in c itself, so that every element is summed over k in ascending order however the work is
 * divided.
 */

/* k of one slice, in panels: NR * 8 rows of b are 48 to 72 kB. */
#define SLICE_PANELS 8
/* rows of a block: at most this many floats of a. */
#define BLOCK_FLOATS ((size_t)192 * 1024)

#if defined(__clang__)
#define UNROLL   _Pragma("unroll")
#define UNROLL_2 _Pragma("unroll 2")
#else
#define UNROLL   _Pragma("GCC unroll 16")
#define UNROLL_2 _Pragma("GCC unroll 2")
#endif

/* floats of a cache line */
#define LINE 16

/*
 * c[rows x vectors] (+)= a b over k in [k_begin, k_end). first: start from the bias, otherwise from c.
 * b points to row k_begin of the panel. fetch is what will be read after this: one line of it is asked for at each k,
 * since weights come from far away and few rows leave little time to wait for them.
 */
static inline __attribute__((always_inline)) void tile(const size_t rows, const size_t vectors, const al_matrix *a,
                                                       size_t row, size_t k_begin, size_t k_end, const float *b,
                                                       const float *bias, int first, float *c, size_t c_row_stride,
                                                       const float *fetch)
{
    vf sum[TILE_ROWS][TILE_VECTORS];
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[i][j] = !first ? v_load(c + i * c_row_stride + j * VL) : bias ? v_load(bias + j * VL) : v_zero();
    }
    /* k runs on in a row-major a; in panels it goes to the next one after NR */
    const size_t segment = a->panel == NR ? k_end - k_begin : NR;
    for (size_t k = k_begin; k < k_end; k += segment) {
        const size_t n = k_end - k < segment ? k_end - k : segment;
        const float *p = a->data + k / NR * a->panel + row * a->row_stride;
        const size_t stride = a->row_stride;
        UNROLL_2
        for (size_t l = 0; l < n; l++, b += NR, fetch += LINE) {
            __builtin_prefetch(fetch, 0, 2);
            vf column[TILE_VECTORS];
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                column[j] = v_load(b + j * VL);
            UNROLL
            for (size_t i = 0; i < rows; i++) {
                const vf x = v_set(p[i * stride + l]);
                UNROLL
                for (size_t j = 0; j < vectors; j++)
                    sum[i][j] = v_fma(x, column[j], sum[i][j]);
            }
        }
    }
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            v_store(c + i * c_row_stride + j * VL, sum[i][j]);
    }
}

typedef void (*tile_function)(const al_matrix *a, size_t row, size_t k_begin, size_t k_end, const float *b,
                              const float *bias, int first, float *c, size_t c_row_stride, const float *fetch);

/* One function a tile size, so that the loops above unroll into straight code. */
#define TILE(rows, vectors)                                                                                           \
    static void tile_##rows##x##vectors(const al_matrix *a, size_t row, size_t k_begin, size_t k_end, const float *b, \
                                        const float *bias, int first, float *c, size_t c_row_stride,                  \
                                        const float *fetch)                                                           \
    {                                                                                                                 \
        tile(rows, vectors, a, row, k_begin, k_end, b, bias, first, c, c_row_stride, fetch);                          \
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

/*
 * One tile of a row-major c whose columns end inside the panel: whole vectors would write past them, so the tile is
 * computed beside and its columns are copied.
 */
static void edge_tile(const al_gemm *g, tile_function run, size_t rows, size_t row, size_t columns, size_t k_begin,
                      size_t k_end, const float *b, const float *bias, float *c, const float *fetch)
{
    float beside[TILE_ROWS * NR];
    for (size_t i = 0; i < rows && k_begin; i++)
        for (size_t j = 0; j < NR; j++)
            beside[i * NR + j] = j < columns ? c[i * g->c_row_stride + j] : 0.0f;
    run(&g->a, row, k_begin, k_end, b, bias, k_begin == 0, beside, NR, fetch);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            c[i * g->c_row_stride + j] = beside[i * NR + j];
}

/* Rows [begin, end) of one panel over one slice of k. */
static void panel_slice(const al_gemm *g, size_t begin, size_t end, size_t panel, size_t k_begin, size_t k_end)
{
    const float *b = (const float *)g->b + (panel * g->k + k_begin) * NR;
    const float *bias = g->bias ? g->bias + panel * NR : NULL;
    const size_t left = g->n - panel * NR, columns = left < NR ? left : NR;
    const bool edge = !g->c_padded && columns % VL != 0;
    const size_t vectors = g->c_padded ? TILE_VECTORS : (columns + VL - 1) / VL;
    const float *const next = b + (k_end - k_begin) * NR, *const next_end = next + (k_end - k_begin) * NR;
    const float *fetch = next;
    for (size_t row = begin; row < end; row += TILE_ROWS) {
        const size_t rows = end - row < TILE_ROWS ? end - row : TILE_ROWS;
        const tile_function run = tiles[rows - 1][vectors - 1];
        float *c = g->c + panel * g->c_panel + row * g->c_row_stride;
        if (edge)
            edge_tile(g, run, rows, row, columns, k_begin, k_end, b, bias, c, fetch);
        else
            run(&g->a, row, k_begin, k_end, b, bias, k_begin == 0, c, g->c_row_stride, fetch);
        if (k_end == g->k)
            finish_tile(g, row, rows, panel * NR, g->c_padded ? NR : columns, c);
        /* once all of it is on its way, lines that are here already are asked for: that costs nothing */
        fetch = fetch < next_end ? fetch + (k_end - k_begin) * LINE : b;
    }
}

static void gemm(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end)
{
    const size_t slice = SLICE_PANELS * NR;
    size_t block = BLOCK_FLOATS / (g->k ? g->k : 1) / TILE_ROWS * TILE_ROWS;
    if (block < 8 * TILE_ROWS)
        block = 8 * TILE_ROWS;
    for (size_t row = row_begin; row < row_end; row += block) {
        const size_t end = row_end - row < block ? row_end : row + block;
        for (size_t panel = panel_begin; panel < panel_end; panel++)
            for (size_t k = 0; k == 0 || k < g->k; k += slice)
                panel_slice(g, row, end, panel, k, g->k - k < slice ? g->k : k + slice);
    }
}

static const al_product f32_product = {
    .name = "f32 " ISA,
    .element = AL_F32,
    .group = 1,
    .k_multiple = 1,
    .gemm = gemm,
};
