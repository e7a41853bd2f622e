/* int8_sums.inc.h: the words of gemm.inc.h for products whose sums are integers, as bits, of rows as int8_rows.inc.h
 * makes them. */
#define SUMS_ARE_NUMBERS false

static inline const float *first_sums(const al_gemm *g, size_t column)
{
    (void)g, (void)column;
    return NULL;
}

/* c = bias + step sizes * (sum - zero * sum of weights) */
static void complete(const al_gemm *g, size_t row, size_t rows, size_t column, size_t vectors, float *c,
                     size_t c_row_stride)
{
    const size_t bytes = operand_row(g->k);
    for (size_t i = 0; i < rows; i++, c += c_row_stride) {
        row_scale scale;
        memcpy(&scale, (const char *)g->operand + (row + i + 1) * bytes - sizeof scale, sizeof scale);
        for (size_t j = 0; j < vectors * VL; j += VL) {
            const vf size = v_mul(v_set(scale.step_size), v_load(g->b_scale + column + j));
            const vf bias = g->bias ? v_load(g->bias + column + j) : v_zero();
            v_store(c + j, v_fma(v_less_zeros(v_load(c + j), scale.zero, g->b_sum + column + j), size, bias));
        }
    }
}
