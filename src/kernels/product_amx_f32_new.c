/*
 * product_amx_f32_new.c: f32 by tdpbf16ps, in three parts as in product_amx_f32.c, for two matrices that are both new.
 *
 * There, weights stay as they are for many products, and are split in each; here both sides are split once, into tiles
 * that lie as they are loaded, a KB each:
 *
 *     operand   [rows / 16][steps of 32 along k][parts] tiles of 16 rows
 *     packed    [panels][steps][NR / 16][parts] tiles of 16 columns
 *
 * Two tiles of rows meet two of columns: four sums, and four registers for one part of each. The order of the pairs of
 * parts changes one side at a time, so that a step of 24 products loads 14 tiles. Small products come first but for
 * what that order asks.
 */
#include "kernels/products.h"

#if defined(AL_AMX)
#include "kernels/simd_avx512.h"

#include "kernels/f32_parts.h"
#include "kernels/float_sums.inc.h"
#include "kernels/tiles.h"

#include "base/least.h"

#define STEP       ((size_t)32) /* numbers along k of a tile */
#define SIDE       ((size_t)16) /* rows of a tile of the operand, columns of one of weights */
#define TILE_BYTES ((size_t)1024)
#define STEP_TILES (PARTS * TILE_BYTES)

/* The tile registers: sums [2][2], and of each side the two tiles of a part. */
#define SUM_00   0
#define SUM_01   1
#define SUM_10   2
#define SUM_11   3
#define A_TILE   4
#define A_SECOND 5
#define B_TILE   6
#define B_SECOND 7

static inline size_t steps_of(size_t k)
{
    return (k + STEP - 1) / STEP;
}

/* ---- operand ---- */

static size_t operand_row(size_t k)
{
    return steps_of(k) * STEP_TILES / SIDE;
}

/* A step of a row, two vectors of numbers, into line `row` of its tiles. */
static inline void write_line(vf first, vf second, size_t row, char *tiles)
{
    const __m512i upper = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                                           25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    vf low[PARTS], high[PARTS];
    split(first, low);
    split(second, high);
    UNROLL
    for (size_t p = 0; p < PARTS; p++)
        _mm512_store_si512(tiles + p * TILE_BYTES + row * 64,
                           _mm512_permutex2var_epi16(_mm512_castps_si512(low[p]), upper, _mm512_castps_si512(high[p])));
}

/* Numbers [k, k + VL) of a row, zero from o->k on, times their gates. */
static inline vf row_vector(const al_operand *o, size_t row, size_t k)
{
    const float *x = o->x.data + k / NR * o->x.panel + row * o->x.row_stride + k % NR;
    const __mmask16 valid = k + VL <= o->k ? 0xffff : k < o->k ? (__mmask16)((1u << (o->k - k)) - 1) : 0;
    const vf v = _mm512_maskz_loadu_ps(valid, x);
    return o->gates ? v_mul(v, _mm512_maskz_loadu_ps(valid, o->gates + k)) : v;
}

/* Rows [row, row + SIDE) by numbers [k, k + VL) of a matrix that lies, put upright. */
static inline void stand_up(const al_operand *o, size_t row, size_t n, size_t k, vf x[VL])
{
    const float *from = o->x.data + row / NR * o->x.panel + k * o->x.row_stride + row % NR;
    const __mmask16 valid = (__mmask16)((1u << n) - 1);
    UNROLL
    for (size_t i = 0; i < VL; i++) {
        x[i] = _mm512_maskz_loadu_ps(k + i < o->k ? valid : 0, from + i * o->x.row_stride);
    }
    v_transpose(x);
}

/* One step of up to SIDE rows. */
static inline void write_step(const al_operand *o, size_t row, size_t n, size_t k, char *tiles)
{
    if (!o->lies) {
        for (size_t i = 0; i < n; i++)
            write_line(row_vector(o, row + i, k), row_vector(o, row + i, k + VL), i, tiles);
        return;
    }
    vf first[VL], second[VL];
    stand_up(o, row, n, k, first);
    stand_up(o, row, n, k + VL, second);
    for (size_t i = 0; i < n; i++)
        write_line(first[i], second[i], i, tiles);
}

/* All rows of a tile together, whose lines would push each other out of L1 if they were written one by one. */
static void prepare(const al_operand *o, size_t row_begin, size_t row_end)
{
    char *tiles = (char *)o->rows + row_begin * operand_row(o->k);
    for (size_t row = row_begin; row < row_end; row += SIDE)
        for (size_t k = 0; k < o->k; k += STEP, tiles += STEP_TILES)
            write_step(o, row, al_least(row_end - row, SIDE), k, tiles);
}

/* ---- weights ---- */

static size_t panel_bytes(size_t k)
{
    return steps_of(k) * NR / SIDE * STEP_TILES;
}

/* Rows 2 i and 2 i + 1 of a step: lines i of its tiles. n rows are there. */
static inline void write_pair(const float *x, size_t stride, size_t i, size_t n, char *step)
{
    UNROLL
    for (size_t j = 0; j < TILE_VECTORS; j++) {
        vf even[PARTS], odd[PARTS];
        split(2 * i < n ? v_load(x + 2 * i * stride + j * VL) : v_zero(), even);
        split(2 * i + 1 < n ? v_load(x + (2 * i + 1) * stride + j * VL) : v_zero(), odd);
        UNROLL
        for (size_t p = 0; p < PARTS; p++)
            _mm512_store_si512(step + (j * PARTS + p) * TILE_BYTES + i * 64, pair_of(even[p], odd[p]));
    }
}

static void pack(size_t k, const float *x, size_t stride, void *packed)
{
    char *step = packed;
    for (size_t begin = 0; begin < k; begin += STEP, x += STEP * stride, step += panel_bytes(STEP))
        for (size_t i = 0; i < STEP / 2; i++)
            write_pair(x, stride, i, k - begin, step);
}

/* ---- the product ---- */

/* What a block of tiles reads. */
typedef struct source {
    const char *a, *a_second, *b, *b_second;
    size_t steps;
} source;

static inline __attribute__((always_inline)) void load_a(const size_t rows, const source *from, size_t part)
{
    _tile_loadd(A_TILE, from->a + part * TILE_BYTES, 64);
    if (rows > 1)
        _tile_loadd(A_SECOND, from->a_second + part * TILE_BYTES, 64);
}

static inline __attribute__((always_inline)) void load_b(const size_t columns, const source *from, size_t part)
{
    _tile_loadd(B_TILE, from->b + part * TILE_BYTES, 64);
    if (columns > 1)
        _tile_loadd(B_SECOND, from->b_second + part * TILE_BYTES, 64);
}

/* sums += the parts that are loaded */
static inline __attribute__((always_inline)) void multiply_parts(const size_t rows, const size_t columns)
{
    _tile_dpbf16ps(SUM_00, A_TILE, B_TILE);
    if (columns > 1)
        _tile_dpbf16ps(SUM_01, A_TILE, B_SECOND);
    if (rows > 1)
        _tile_dpbf16ps(SUM_10, A_SECOND, B_TILE);
    if (rows > 1 && columns > 1)
        _tile_dpbf16ps(SUM_11, A_SECOND, B_SECOND);
}

/* sums += a b, of so many tiles of rows and of columns */
static inline __attribute__((always_inline)) void multiply(const size_t rows, const size_t columns, source from)
{
    for (size_t s = 0; s < from.steps; s++) {
        load_a(rows, &from, 2);
        load_b(columns, &from, 0);
        multiply_parts(rows, columns);
        load_a(rows, &from, 1);
        multiply_parts(rows, columns);
        load_b(columns, &from, 1);
        multiply_parts(rows, columns);
        load_a(rows, &from, 0);
        multiply_parts(rows, columns);
        load_b(columns, &from, 2);
        multiply_parts(rows, columns);
        load_b(columns, &from, 0);
        multiply_parts(rows, columns);
        from.a += STEP_TILES;
        from.a_second += STEP_TILES;
        from.b += panel_bytes(STEP);
        from.b_second += panel_bytes(STEP);
    }
}

/* A tile of c: where its sums are loaded from and stored, which is beside c where c does not have all of it. */
typedef struct corner {
    float *c, *at;
    size_t stride; /* floats, of `at` */
    size_t rows, columns;
} corner;

static corner corner_of(const al_gemm *g, size_t row, size_t column, size_t row_end, float *beside)
{
    corner t = {.c = g->c + column / NR * g->c_panel + row * g->c_row_stride + column % NR,
                .rows = al_least(row_end - row, SIDE),
                .columns = al_least(g->n - column, SIDE)};
    const bool whole = t.rows == SIDE && t.columns == SIDE;
    t.at = whole ? t.c : beside;
    t.stride = whole ? g->c_row_stride : SIDE;
    return t;
}

static void copy_columns(const corner *t, const float *from, size_t from_stride, float *to, size_t to_stride)
{
    const __mmask16 valid = (__mmask16)((1u << t->columns) - 1);
    for (size_t r = 0; r < t->rows; r++)
        _mm512_mask_storeu_ps(to + r * to_stride, valid, _mm512_maskz_loadu_ps(valid, from + r * from_stride));
}

/* Asks for the part of c that the next block adds to: its rows are too far apart for the processor to guess. */
static inline void ask_for(const al_gemm *g, size_t row, size_t column, size_t row_end)
{
    const float *c = g->c + column / NR * g->c_panel + row * g->c_row_stride + column % NR;
    for (size_t i = row; i < al_least(row + 2 * SIDE, row_end); i++, c += g->c_row_stride) {
        __builtin_prefetch(c, 1, 2);
        __builtin_prefetch(c + SIDE, 1, 2);
    }
}

/* The tiles of one or two groups of rows by one or two of columns. */
static inline __attribute__((always_inline)) void block(const size_t rows, const size_t columns, const al_gemm *g,
                                                        size_t row, size_t column, size_t row_end)
{
    _Alignas(64) float beside[4][SIDE * SIDE];
    const size_t stride = g->c_row_stride, group = SIDE * operand_row(g->k), panel = panel_bytes(g->k);
    const char *a = (const char *)g->operand + row / SIDE * group;
    const char *b[2];
    corner corners[2][2];
    for (size_t j = 0; j < columns; j++) {
        const size_t at = column + j * SIDE;
        b[j] = (const char *)g->b + at / NR * panel + at % NR / SIDE * STEP_TILES;
        for (size_t i = 0; i < rows; i++) {
            corner *t = &corners[i][j];
            *t = corner_of(g, row + i * SIDE, at, row_end, beside[i * 2 + j]);
            if (g->add && t->at != t->c)
                copy_columns(t, t->c, stride, t->at, SIDE);
        }
    }
    FINISH_WRITES();
#define BEGIN(sum, i, j)                                                              \
    do {                                                                              \
        if ((i) >= rows || (j) >= columns)                                            \
            break;                                                                    \
        if (g->add)                                                                   \
            _tile_loadd(sum, corners[i][j].at, corners[i][j].stride * sizeof(float)); \
        else if (g->bias)                                                             \
            _tile_loadd(sum, g->bias + column + (j)*SIDE, 0);                         \
        else                                                                          \
            _tile_zero(sum);                                                          \
    } while (0)
#define END(sum, i, j)                                                                 \
    do {                                                                               \
        if ((i) < rows && (j) < columns)                                               \
            _tile_stored(sum, corners[i][j].at, corners[i][j].stride * sizeof(float)); \
    } while (0)
    BEGIN(SUM_00, 0, 0);
    BEGIN(SUM_01, 0, 1);
    BEGIN(SUM_10, 1, 0);
    BEGIN(SUM_11, 1, 1);
    if (g->add)
        ask_for(g, row + 2 * SIDE, column, row_end);
    multiply(rows, columns, (source){a, a + group, b[0], b[columns - 1], steps_of(g->k)});
    END(SUM_00, 0, 0);
    END(SUM_01, 0, 1);
    END(SUM_10, 1, 0);
    END(SUM_11, 1, 1);
#undef BEGIN
#undef END
    FINISH_WRITES();
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            if (corners[i][j].at != corners[i][j].c)
                copy_columns(&corners[i][j], corners[i][j].at, SIDE, corners[i][j].c, stride);
}

typedef void (*block_function)(const al_gemm *g, size_t row, size_t column, size_t row_end);

#define BLOCK(rows, columns)                                                                          \
    static void block_##rows##x##columns(const al_gemm *g, size_t row, size_t column, size_t row_end) \
    {                                                                                                 \
        block(rows, columns, g, row, column, row_end);                                                \
    }
BLOCK(1, 1)
BLOCK(1, 2)
BLOCK(2, 1)
BLOCK(2, 2)

static void gemm(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end)
{
    static const block_function blocks[2][2] = {{block_1x1, block_1x2}, {block_2x1, block_2x2}};
    const size_t column_end = al_least(panel_end * NR, g->n);
    configure_tiles(SIDE, B_TILE);
    for (size_t column = panel_begin * NR; column < column_end; column += 2 * SIDE)
        for (size_t row = row_begin; row < row_end; row += 2 * SIDE)
            blocks[row_end - row > SIDE][column_end - column > SIDE](g, row, column, row_end);
    _tile_release(); /* so that switching threads need not save tiles */
}

/* Small matrices are not worth splitting, nor is padding worth multiplying. */
static bool pays(size_t m, size_t n, size_t k)
{
    return m >= 96 && n >= 96 && k >= 2 * STEP && steps_of(k) * STEP - k <= k / 4;
}

const al_product al_product_amx_f32_new = {
    .name = "f32 by tdpbf16ps, both sides split once",
    .element = AL_BF16,
    .parts = PARTS,
    .group = STEP,
    .k_multiple = STEP,
    .row_group = SIDE,
    .takes_lying = true,
    .operand_row = operand_row,
    .prepare = prepare,
    .pays = pays,
    .pack = pack,
    .gemm = gemm,
};
#endif
