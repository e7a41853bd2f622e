/*
 * product_amx_f32.c: f32 by tdpbf16ps, faster than by fused multiply-adds where rows are many, and with smaller errors.
 *
 * A number is split into three parts of eight significant bits, x = high + middle + low exactly, and six products of
 * parts are added up, small ones first. The three products that are left out are below 2^-22 of the whole. Sums are
 * better than those of a chain of multiply-adds, because only six additions in 32 go to the long sum.
 *
 * Tiles take subnormal numbers for 0: what a part or a product of parts has below 2^-126 is lost. A number that is not
 * finite has a part that is NaN, and makes NaN where multiply-adds may make an infinity.
 */
#include "kernels/products.h"

#if defined(AL_AMX)
#include "kernels/simd_avx512.h"

#include "kernels/f32_parts.h"

#define BF16_ROWS  false
#define PACK       NULL
#define PRODUCT    al_product_amx_f32
#define NAME       "f32 by tdpbf16ps, in three parts"
#define ELEMENT    AL_F32
#define GROUP      1
#define K_MULTIPLE 1

#define K_STEP         ((size_t)32)
#define TILE_STEP(sum) _tile_dpbf16ps(sum, A_TILE, B_TILE)
#define PAIRS          6
#define EACH_PAIR(multiply) \
    multiply(0, 2);         \
    multiply(2, 0);         \
    multiply(1, 1);         \
    multiply(0, 1);         \
    multiply(1, 0);         \
    multiply(0, 0)

/* Short slices of weights stay in L1; but where there are many, or the last would be a single step, moving the sums
 * costs more than reading from L2. */
#define SHORT_SLICE ((size_t)2)
#define LONG_SLICE  ((size_t)12)

/* bytes of a slice of weights in parts */
#define MAKES_TILES true
#define TILE_ROOM   (LONG_SLICE * PARTS * 64 * NR)

static inline size_t slice_steps(size_t steps)
{
    return steps <= 10 * SHORT_SLICE && (steps % 2 == 0 || steps <= 5) ? SHORT_SLICE : LONG_SLICE;
}

#include "kernels/float_sums.inc.h"
#include "kernels/operand.inc.h"

static void activate(align_activation act, size_t n, float *x)
{
    TABLE_OF_WIDTH.activate(act, n, x);
}

/* What whole steps take; the last one may be a part of a step, and zeros. */
static inline size_t filled_bytes(size_t k)
{
    return k / K_STEP * PARTS * 64;
}

static size_t operand_row(size_t k)
{
    return odd_lines((k + K_STEP - 1) / K_STEP * PARTS * 64);
}

static inline __attribute__((always_inline)) void write_stretch(const numbers x, const float *gates, const size_t n,
                                                                size_t k, char *row)
{
    UNROLL
    for (size_t j = 0; j < TILE_VECTORS; j++)
        if (j * VL < n) {
            const size_t at = k + j * VL;
            vf part[PARTS];
            split(gated(x, gates, n, j), part);
            UNROLL
            for (size_t p = 0; p < PARTS; p++)
                _mm256_store_si256((__m256i *)(void *)(row + (at / K_STEP * PARTS + p) * 64 + at % K_STEP * 2),
                                   _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(part[p]), 16)));
        }
}

#include "kernels/stretches.inc.h"

static inline size_t panel_bytes(size_t k)
{
    return k * NR * sizeof(float);
}

static inline void make_tiles(const char *packed, size_t n, size_t i, size_t end, char *room)
{
    for (size_t k = i; k < end; k += 2) {
        const float *b = (const float *)(const void *)packed + k * NR;
        for (size_t j = 0; j < NR; j += VL) {
            char *to = room + k / K_STEP * PARTS * 64 * NR + (k % K_STEP / 2 * NR + j) * 4;
            vf even[PARTS], odd[PARTS];
            split(k < n ? v_load(b + j) : v_zero(), even);
            split(k + 1 < n ? v_load(b + NR + j) : v_zero(), odd);
            UNROLL
            for (size_t p = 0; p < PARTS; p++)
                _mm512_store_si512(to + p * 64 * NR, pair_of(even[p], odd[p]));
        }
    }
}

/* Rows and weights have to be split, which few rows, columns or steps do not pay back; and tiles take k by 32. */
static bool pays(size_t m, size_t n, size_t k)
{
    const size_t padding = (k + K_STEP - 1) / K_STEP * K_STEP - k;
    return m >= 100 && n >= 192 && k >= 2 * K_STEP && padding <= k / 4;
}

#define PAYS pays

#include "kernels/amx.inc.h"
#endif
