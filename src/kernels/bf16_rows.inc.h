/*
 * bf16_rows.inc.h: operand rows of bf16, in the words of simd_*.h and in v_store_bf16, which rounds a vector to nearest
 * even. A row is [k] bf16 and zeros.
 */
#include "kernels/operand.inc.h"

static inline size_t filled_bytes(size_t k)
{
    return k * sizeof(uint16_t);
}

static size_t operand_row(size_t k)
{
    return odd_lines(filled_bytes(k));
}

static inline __attribute__((always_inline)) void write_stretch(const numbers x, const float *gates, const size_t n,
                                                                size_t k, char *row)
{
    uint16_t *to = (uint16_t *)(void *)row + k;
    UNROLL
    for (size_t j = 0; j < TILE_VECTORS; j++)
        if (j * VL < n)
            v_store_bf16(to + j * VL, gated(x, gates, n, j));
}

#include "kernels/stretches.inc.h"
