/* float_sums.inc.h: the words of gemm.inc.h for products whose sums are the numbers themselves: they start from the
 * bias, and when complete nothing is left to do. */
#define SUMS_ARE_NUMBERS true

static inline const float *first_sums(const al_gemm *g, size_t column)
{
    return g->bias ? g->bias + column : NULL;
}

static inline void complete(const al_gemm *g, size_t row, size_t rows, size_t column, size_t vectors, float *c,
                            size_t c_row_stride)
{
    (void)g, (void)row, (void)rows, (void)column, (void)vectors, (void)c, (void)c_row_stride;
}
