/*
 * operand.inc.h: what products with prepared operands share, in the words of simd_*.h: rows of GROUP numbers a step,
 * made from f32 rows or panels times gates.
 *
 * Rows are padded to an odd number of cache lines, so that those of a tile fall into different sets of L1.
 */
#include "kernels/tail.inc.h"
#include "kernels/unroll.h"

#include <string.h>

#define OPERAND_ALIGNMENT 64

static inline size_t odd_lines(size_t bytes)
{
    return ((bytes + OPERAND_ALIGNMENT - 1) / OPERAND_ALIGNMENT | 1) * OPERAND_ALIGNMENT;
}

/* Rows that are prepared together: side by side in a panel of x; one is enough where x is row-major. */
#define ROWS_TOGETHER 8

static inline size_t rows_together(const al_operand *o, size_t left)
{
    const size_t together = o->x.panel == NR ? 1 : ROWS_TOGETHER;
    return left < together ? left : together;
}

/* Numbers side by side, in one of the two forms. */
typedef struct numbers {
    const float *f32;
    const uint16_t *bf16;
} numbers;

/* The numbers of a row from column k on, k a multiple of NR: up to NR of them lie side by side. */
static inline numbers stretch(const al_operand *o, size_t row, size_t k)
{
    const size_t at = k / NR * o->x.panel + row * o->x.row_stride;
    return o->bf16 ? (numbers){.bf16 = o->bf16 + at} : (numbers){.f32 = o->x.data + at};
}

static inline vf load_bf16(size_t n, const uint16_t *x)
{
    uint16_t tail[VL] = {0};
    for (size_t i = 0; i < n && n < VL; i++)
        tail[i] = x[i];
    return v_load_bf16(n < VL ? tail : x);
}

/* Vector j of a stretch of n numbers, zero beyond it, times its gates. */
static inline vf gated(numbers x, const float *gates, size_t n, size_t j)
{
    const size_t at = j * VL, left = n - at;
    const vf v = x.bf16      ? load_bf16(left, x.bf16 + at)
                 : left < VL ? load_tail(left, x.f32 + at, 0.0f)
                             : v_load(x.f32 + at);
    if (!gates)
        return v;
    return v_mul(v, left < VL ? load_tail(left, gates + at, 0.0f) : v_load(gates + at));
}
