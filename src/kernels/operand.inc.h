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

/* The numbers of a row from column k on, k a multiple of NR: up to NR of them lie side by side. */
static inline const float *stretch(const al_operand *o, size_t row, size_t k)
{
    return o->x.data + k / NR * o->x.panel + row * o->x.row_stride;
}

/* Vector j of a stretch of n numbers, zero beyond it, times its gates. */
static inline vf gated(const float *x, const float *gates, size_t n, size_t j)
{
    const size_t at = j * VL, left = n - at;
    const vf v = left < VL ? load_tail(left, x + at, 0.0f) : v_load(x + at);
    if (!gates)
        return v;
    return v_mul(v, left < VL ? load_tail(left, gates + at, 0.0f) : v_load(gates + at));
}
