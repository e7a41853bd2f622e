/* The depthwise convolution of the table under test and the sums it takes on the way against the formula in double,
 * over kernels, strides and paddings. */
#include "kernels_test.h"

static const al_kernels *kernels;

static double expected(const al_depthwise *d, size_t y, size_t x, size_t c)
{
    const size_t nr = kernels->nr;
    double sum = (double)d->bias[c];
    for (size_t i = 0; i < d->kernel; i++)
        for (size_t j = 0; j < d->kernel; j++) {
            const ptrdiff_t v = (ptrdiff_t)(y * d->stride + i) - d->top, u = (ptrdiff_t)(x * d->stride + j) - d->left;
            if (v >= 0 && u >= 0 && v < (ptrdiff_t)d->in_rows && u < (ptrdiff_t)d->in_columns)
                sum += (double)d->in[((size_t)v * d->in_columns + (size_t)u) * d->in_pixel + c] *
                       (double)d->weight[(i * d->kernel + j) * nr + c];
        }
    return d->act == ALIGN_ACT_SILU ? sum / (1.0 + exp(-sum)) : fmax(sum, 0.0);
}

/* Every output, and the sums, which began at 1. */
static void check_outputs(const al_depthwise *d, const float *sums)
{
    const size_t nr = kernels->nr;
    for (size_t c = 0; c < d->channels; c++) {
        double sum = 1.0, size = 1.0;
        for (size_t y = 0; y < d->out_rows; y++)
            for (size_t x = 0; x < d->out_columns; x++) {
                const double out = expected(d, y, x, c);
                assert_close(d->out[(y * d->out_columns + x) * nr + c], (float)out, 4e-6, "depthwise",
                             (y * d->out_columns + x) * nr + c);
                sum += out;
                size += fabs(out);
            }
        assert_close(sums[c], (float)sum, 1e-6 * size, "sum", c);
    }
}

static void assert_same_channels(const al_depthwise *d, const float *out)
{
    const size_t nr = kernels->nr;
    for (size_t i = 0; i < d->out_rows * d->out_columns; i++)
        assert_memory_equal(out + i * nr, d->out + i * nr, d->channels * sizeof *out);
}

/* `channels` of pixels that lie in_pixel floats apart. */
static void check_channels(size_t channels, size_t in_pixel, align_activation act, size_t kernel, size_t stride,
                           ptrdiff_t top, ptrdiff_t left, size_t rows, size_t columns)
{
    const size_t nr = kernels->nr;
    /* not a float more than there is: the last pixel ends with its channels */
    float *in = random_floats((rows * columns - 1) * in_pixel + channels, 1),
          *weight = random_floats(kernel * kernel * nr, 2);
    float *bias = random_floats(nr, 3), *sums = malloc(nr * sizeof *sums), *again = malloc(nr * sizeof *again);
    al_depthwise d = {.in_rows = rows,
                      .in_columns = columns,
                      .out_rows = (rows + stride - 1) / stride,
                      .out_columns = (columns + stride - 1) / stride,
                      .channels = channels,
                      .in_pixel = in_pixel,
                      .kernel = kernel,
                      .stride = stride,
                      .top = top,
                      .left = left,
                      .act = act,
                      .in = in,
                      .weight = weight,
                      .bias = bias,
                      .sums = sums};
    const size_t floats = d.out_rows * d.out_columns * nr;
    float *out = calloc(floats, sizeof *out), *one_by_one = calloc(floats, sizeof *one_by_one);
    for (size_t c = 0; c < nr; c++)
        sums[c] = again[c] = 1.0f;
    d.out = out;
    kernels->depthwise(&d, 0, d.out_rows);
    check_outputs(&d, sums);

    /* Row by row: the same bits, sums included; without sums: the same outputs. */
    d.out = one_by_one;
    d.sums = again;
    for (size_t y = 0; y < d.out_rows; y++)
        kernels->depthwise(&d, y, y + 1);
    assert_same_channels(&d, out);
    assert_memory_equal(sums, again, nr * sizeof *sums);
    d.sums = NULL;
    kernels->depthwise(&d, 0, d.out_rows);
    assert_same_channels(&d, out);
    free(out);
    free(one_by_one);
    free(in);
    free(weight);
    free(bias);
    free(sums);
    free(again);
}

static void check(align_activation act, size_t kernel, size_t stride, ptrdiff_t top, ptrdiff_t left, size_t rows,
                  size_t columns)
{
    const size_t nr = kernels->nr, vl = kernels->vl;
    check_channels(nr, nr, act, kernel, stride, top, left, rows, columns);
    check_channels(nr, nr + vl, act, kernel, stride, top, left, rows, columns);
    check_channels(vl, 2 * vl + 1, act, kernel, stride, top, left, rows, columns);
}

static void shapes(void **state)
{
    (void)state;
    for (size_t kernel = 1; kernel <= 7; kernel++)
        for (size_t stride = 1; stride <= 3; stride++)
            for (size_t size = 1; size <= 13; size++) {
                const ptrdiff_t correct = (ptrdiff_t)(kernel / 2), same = (ptrdiff_t)((kernel - 1) / 2);
                check(ALIGN_ACT_SILU, kernel, stride, stride == 2 ? correct - 1 : same, stride == 2 ? correct : same,
                      size, size + 2);
                check(ALIGN_ACT_RELU, kernel, stride, same, same, size, size + 2);
            }
}

/* Rows of several blocks, with blocks in the middle that see no edge. */
static void wide(void **state)
{
    (void)state;
    for (size_t kernel = 3; kernel <= 5; kernel += 2)
        for (size_t stride = 1; stride <= 2; stride++)
            for (size_t columns = 26; columns <= 60; columns++)
                check(ALIGN_ACT_SILU, kernel, stride, 1, 1, 3, columns);
}

/* Padding that lies wholly outside, and cropping. */
static void far_from_the_edge(void **state)
{
    (void)state;
    for (size_t kernel = 1; kernel <= 5; kernel++)
        for (size_t stride = 1; stride <= 2; stride++)
            for (ptrdiff_t before = -12; before <= 12; before++)
                check(ALIGN_ACT_SILU, kernel, stride, before, before, 11, 11);
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(wide),
                                       cmocka_unit_test(far_from_the_edge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
