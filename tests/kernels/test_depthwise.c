/* The depthwise convolution of the table under test against ref.c's formula in double, over kernels, strides and
 * paddings. */
#include "kernels_test.h"

static const al_kernels *kernels;

static float expected(const al_depthwise *d, size_t y, size_t x, size_t c)
{
    const size_t nr = kernels->nr;
    double sum = (double)d->bias[c];
    for (size_t i = 0; i < d->kernel; i++)
        for (size_t j = 0; j < d->kernel; j++) {
            const ptrdiff_t v = (ptrdiff_t)(y * d->stride + i) - d->top, u = (ptrdiff_t)(x * d->stride + j) - d->left;
            if (v >= 0 && u >= 0 && v < (ptrdiff_t)d->in_rows && u < (ptrdiff_t)d->in_columns)
                sum += (double)d->in[((size_t)v * d->in_columns + (size_t)u) * nr + c] *
                       (double)d->weight[(i * d->kernel + j) * nr + c];
        }
    return (float)(sum / (1.0 + exp(-sum)));
}

static void check(size_t kernel, size_t stride, ptrdiff_t top, ptrdiff_t left, size_t rows, size_t columns)
{
    const size_t nr = kernels->nr;
    float *in = random_floats(rows * columns * nr, 1), *weight = random_floats(kernel * kernel * nr, 2);
    float *bias = random_floats(nr, 3);
    al_depthwise d = {.in_rows = rows,
                      .in_columns = columns,
                      .out_rows = (rows + stride - 1) / stride,
                      .out_columns = (columns + stride - 1) / stride,
                      .kernel = kernel,
                      .stride = stride,
                      .top = top,
                      .left = left,
                      .act = ALIGN_ACT_SILU,
                      .in = in,
                      .weight = weight,
                      .bias = bias};
    d.out = malloc(d.out_rows * d.out_columns * nr * sizeof *d.out);
    for (size_t y = 0; y < d.out_rows; y++)
        kernels->depthwise(&d, y, y + 1);
    for (size_t y = 0; y < d.out_rows; y++)
        for (size_t x = 0; x < d.out_columns; x++)
            for (size_t c = 0; c < nr; c++)
                assert_close(d.out[(y * d.out_columns + x) * nr + c], expected(&d, y, x, c), 4e-6, "depthwise",
                             (y * d.out_columns + x) * nr + c);
    free(d.out);
    free(in);
    free(weight);
    free(bias);
}

static void shapes(void **state)
{
    (void)state;
    for (size_t kernel = 1; kernel <= 7; kernel++)
        for (size_t stride = 1; stride <= 2; stride++)
            for (size_t size = 1; size <= 13; size++) {
                const ptrdiff_t correct = (ptrdiff_t)(kernel / 2), same = (ptrdiff_t)((kernel - 1) / 2);
                check(kernel, stride, stride == 2 ? correct - 1 : same, stride == 2 ? correct : same, size, size + 2);
            }
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
