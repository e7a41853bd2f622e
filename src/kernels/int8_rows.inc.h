/*
 * int8_rows.inc.h: operand rows of 256 steps, in the words of simd_*.h and of the product:
 *
 *     quantised                         the type of a step
 *     LOWEST                            how the lowest step, 0, is stored: 0, or -128 where the CPU wants signed
 * numbers v_store_quantised(p, x, zero)     stores round(x) + zero + LOWEST, at most that of step 255
 *
 * A row is [k] steps, zeros, and the row_scale. A number is step_size * (step - zero). The steps reach from the
 * smallest to the largest number of the row and to 0, which is a step itself: a padded picture stays exact where it is
 * 0.
 */
#include "kernels/operand.inc.h"

typedef struct row_scale {
    float step_size;
    int32_t zero; /* as stored, LOWEST included */
} row_scale;

static size_t operand_row(size_t k)
{
    return odd_lines(k * sizeof(quantised) + sizeof(row_scale));
}

/* What the numbers of a row reach, 0 among them; strange: not 0 if one is not finite. */
typedef struct row_range {
    vf low, high, strange;
} row_range;

static inline __attribute__((always_inline)) void scan_stretch(const numbers x, const float *gates, const size_t n,
                                                               row_range *range)
{
    row_range r = *range;
    UNROLL
    for (size_t j = 0; j < TILE_VECTORS; j++)
        if (j * VL < n) {
            const vf v = gated(x, gates, n, j);
            r.low = v_min(v, r.low);
            r.high = v_max(v, r.high);
            r.strange = v_fma(v, v_zero(), r.strange);
        }
    *range = r;
}

static inline __attribute__((always_inline)) void quantise_stretch(const numbers x, const float *gates, const size_t n,
                                                                   float steps_of_one, int32_t zero, quantised *to)
{
    UNROLL
    for (size_t j = 0; j < TILE_VECTORS; j++)
        if (j * VL < n)
            v_store_quantised(to + j * VL, v_mul(gated(x, gates, n, j), v_set(steps_of_one)), zero);
}

/* Steps smaller than this are taken for 0: their inverse would be infinite. */
#define SMALLEST_STEP 1e-36f

/* The scale of a row; *steps_of_one: how many steps make 1. */
static row_scale scale_of(const row_range *range, float *steps_of_one)
{
    const float low = -v_largest(v_sub(v_zero(), range->low)), size = v_largest(range->high) - low;
    *steps_of_one = size > 255.0f * SMALLEST_STEP ? 255.0f / size : 0.0f;
    const int32_t zero = *steps_of_one > 0.0f ? (int32_t)__builtin_rintf(-low * *steps_of_one) : 0;
    return (row_scale){size / 255.0f + v_sum(range->strange), zero};
}

/* Rows [begin, end), at most ROWS_TOGETHER: once for their ranges, and again, from L1 or L2, for their steps. */
static void quantise_rows(const al_operand *o, size_t begin, size_t end)
{
    const size_t bytes = operand_row(o->k), filled = o->k * sizeof(quantised);
    row_range range[ROWS_TOGETHER];
    row_scale scale[ROWS_TOGETHER];
    float steps_of_one[ROWS_TOGETHER];
    for (size_t i = 0; i < end - begin; i++)
        range[i] = (row_range){v_zero(), v_zero(), v_zero()};
    for (size_t k = 0; k < o->k; k += NR)
        for (size_t i = 0; i < end - begin; i++) {
            const numbers x = stretch(o, begin + i, k);
            const float *gates = o->gates ? o->gates + k : NULL;
            if (o->k - k >= NR)
                scan_stretch(x, gates, NR, &range[i]);
            else
                scan_stretch(x, gates, o->k - k, &range[i]);
        }
    for (size_t i = 0; i < end - begin; i++) {
        scale[i] = scale_of(&range[i], &steps_of_one[i]);
        memset((char *)o->rows + (begin + i) * bytes + filled, 0, bytes - filled);
    }
    for (size_t k = 0; k < o->k; k += NR)
        for (size_t i = 0; i < end - begin; i++) {
            const numbers x = stretch(o, begin + i, k);
            const float *gates = o->gates ? o->gates + k : NULL;
            quantised *to = (quantised *)(void *)((char *)o->rows + (begin + i) * bytes) + k;
            if (o->k - k >= NR)
                quantise_stretch(x, gates, NR, steps_of_one[i], scale[i].zero, to);
            else
                quantise_stretch(x, gates, o->k - k, steps_of_one[i], scale[i].zero, to);
        }
    for (size_t i = 0; i < end - begin; i++) { /* last: the last vector of steps may reach into it */
        scale[i].zero += LOWEST;
        memcpy((char *)o->rows + (begin + i + 1) * bytes - sizeof scale[i], &scale[i], sizeof scale[i]);
    }
}

static void prepare(const al_operand *o, size_t row_begin, size_t row_end)
{
    for (size_t row = row_begin, end; row < row_end; row = end) {
        end = row + rows_together(o, row_end - row);
        quantise_rows(o, row, end);
    }
}
