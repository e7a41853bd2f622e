/*
 * bf16_rows.inc.h: operand rows of bf16, in the words of simd_*.h and in v_store_bf16, which rounds a vector to nearest
 * even. A row is [k] bf16 and zeros.
 */
#include "kernels/operand.inc.h"

static size_t operand_row(size_t k)
{
    return odd_lines(k * sizeof(uint16_t));
}

static inline __attribute__((always_inline)) void round_stretch(const float *x, const float *gates, const size_t n,
                                                                uint16_t *to)
{
    UNROLL
    for (size_t j = 0; j < TILE_VECTORS; j++)
        if (j * VL < n)
            v_store_bf16(to + j * VL, gated(x, gates, n, j));
}

static void prepare(const al_operand *o, size_t row_begin, size_t row_end)
{
    const size_t bytes = operand_row(o->k), filled = o->k * sizeof(uint16_t);
    for (size_t begin = row_begin, end; begin < row_end; begin = end) {
        end = begin + rows_together(o, row_end - begin);
        for (size_t row = begin; row < end; row++)
            memset((char *)o->rows + row * bytes + filled, 0, bytes - filled);
        for (size_t k = 0; k < o->k; k += NR)
            for (size_t row = begin; row < end; row++) {
                const float *x = stretch(o, row, k), *gates = o->gates ? o->gates + k : NULL;
                uint16_t *to = (uint16_t *)(void *)((char *)o->rows + row * bytes) + k;
                if (o->k - k >= NR)
                    round_stretch(x, gates, NR, to);
                else
                    round_stretch(x, gates, o->k - k, to);
            }
    }
}
