/*
 * finish.inc.h: what happens to a tile of c after its sums are complete, in the words of simd_*.h and of `activate` and
 * `activate_tile`, which does the same where a tile is one run of floats. Shared by every product.
 */
/* What comes after the last slice of k, on the n columns from `column` on of rows that were just stored. */
static inline __attribute__((always_inline)) void finish_tile(const al_gemm *g, size_t row, size_t rows, size_t column,
                                                              size_t n, float *c)
{
    if (n == NR && g->c_row_stride == NR && !g->residual) { /* a tile of a panel is one run of floats */
        activate_tile(g->act, rows * NR, c);
        return;
    }
    for (size_t r = row; r < row + rows; r++, c += g->c_row_stride) {
        if (g->act != ALIGN_ACT_LINEAR)
            activate(g->act, n, c);
        if (!g->residual)
            continue;
        const float *residual = g->residual + r * g->residual_stride + column;
        size_t i = 0;
        for (; i + VL <= n; i += VL)
            v_store(c + i, v_add(v_load(c + i), v_load(residual + i)));
        for (; i < n; i++)
            c[i] += residual[i];
    }
}
