/* The row loops of the table under test against plain sums in double, for every length up to a few vectors. */
#include "kernels_test.h"

#include <string.h>

#define LONGEST 150

static const al_kernels *kernels;

static void elementwise(void **state)
{
    (void)state;
    float *x = random_floats(LONGEST, 1), *y = random_floats(LONGEST, 2), z[LONGEST];
    for (size_t n = 0; n < LONGEST; n++) {
        double product = 0.0;
        for (size_t i = 0; i < n; i++)
            product += (double)x[i] * (double)y[i];
        assert_close(kernels->dot(n, x, y), (float)product, 1e-5, "dot", n);
        memcpy(z, y, sizeof z);
        kernels->axpy(n, 0.75f, x, z);
        for (size_t i = 0; i < LONGEST; i++)
            assert_close(z[i], i < n ? y[i] + 0.75f * x[i] : y[i], 1e-6, "axpy", i);
        memcpy(z, y, sizeof z);
        kernels->add(n, x, z);
        for (size_t i = 0; i < LONGEST; i++)
            assert_true(z[i] == (i < n ? y[i] + x[i] : y[i]));
        memcpy(z, y, sizeof z);
        kernels->multiply(n, x, z);
        for (size_t i = 0; i < LONGEST; i++)
            assert_true(z[i] == (i < n ? y[i] * x[i] : y[i]));
    }
    free(x);
    free(y);
}

static void softmax_rows(void **state)
{
    (void)state;
    for (size_t n = 1; n < LONGEST; n++) {
        float *x = random_floats(n, (uint32_t)n), y[LONGEST];
        double sum = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += exp(20.0 * (double)x[i]);
        for (size_t i = 0; i < n; i++)
            y[i] = 20.0f * x[i];
        kernels->softmax(n, 1.0f, NULL, y);
        for (size_t i = 0; i < n; i++)
            assert_close(y[i], (float)(exp(20.0 * (double)x[i]) / sum), 3e-6, "softmax", i);
        free(x);
    }
}

/* What is scaled and added on the way. */
static void softmax_of_scaled(void **state)
{
    (void)state;
    for (size_t n = 1; n < LONGEST; n++) {
        float *x = random_floats(n, (uint32_t)n), *addend = random_floats(n, 7), y[LONGEST];
        double sum = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += exp(0.125 * 40.0 * (double)x[i] + (double)addend[i]);
        for (size_t i = 0; i < n; i++)
            y[i] = 40.0f * x[i];
        kernels->softmax(n, 0.125f, addend, y);
        for (size_t i = 0; i < n; i++)
            assert_close(y[i], (float)(exp(0.125 * 40.0 * (double)x[i] + (double)addend[i]) / sum), 3e-6, "softmax", i);
        free(x);
        free(addend);
    }
}

/* A fully masked row is uniform, a masked key weighs exactly nothing, an infinity spoils its row. */
static void softmax_masked(void **state)
{
    (void)state;
    const float lowest = -3.4028234663852886e38f;
    for (size_t n = 1; n < 70; n++) {
        float x[70];
        for (size_t i = 0; i < n; i++)
            x[i] = lowest;
        kernels->softmax(n, 1.0f, NULL, x);
        for (size_t i = 0; i < n; i++)
            assert_true(x[i] == 1.0f / (float)n);
        for (size_t i = 0; i < n; i++)
            x[i] = i == n / 2 ? 3.0f : lowest;
        kernels->softmax(n, 1.0f, NULL, x);
        for (size_t i = 0; i < n; i++)
            assert_true(x[i] == (i == n / 2 ? 1.0f : 0.0f));
        x[n / 2] = INFINITY;
        kernels->softmax(n, 1.0f, NULL, x);
        for (size_t i = 0; i < n; i++)
            assert_true(isnan(x[i]) || i != n / 2);
    }
}

static void layer_norm_rows(void **state)
{
    (void)state;
    float *weight = random_floats(LONGEST, 8), *bias = random_floats(LONGEST, 9);
    for (size_t n = 2; n < LONGEST; n++) {
        float *x = random_floats(n, (uint32_t)n), y[LONGEST];
        double mean = 0.0, var = 0.0;
        for (size_t i = 0; i < n; i++)
            mean += (double)x[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            var += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
        kernels->layer_norm(n, 1e-5f, x, weight, bias, y);
        kernels->layer_norm(n, 1e-5f, x, weight, bias, x);
        assert_memory_equal(x, y, n * sizeof *x);
        uint32_t seed = (uint32_t)n;
        for (size_t i = 0; i < n; i++) {
            const double centred = (double)uniform(&seed) - mean;
            assert_close(y[i], (float)(centred / sqrt(var + 1e-5) * (double)weight[i] + (double)bias[i]), 1e-5,
                         "layer_norm", i);
        }
        free(x);
    }
    free(weight);
    free(bias);
}

static void softmax_slopes(void **state)
{
    (void)state;
    for (size_t n = 1; n < LONGEST; n++) {
        float *y = random_floats(n, (uint32_t)n), *dy = random_floats(n, 7), dx[LONGEST];
        double sum = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += (double)y[i] * (double)dy[i];
        kernels->softmax_backward(n, y, dy, dx);
        for (size_t i = 0; i < n; i++)
            assert_close(dx[i], (float)((double)y[i] * ((double)dy[i] - sum)), 1e-5, "softmax_backward", i);
        kernels->softmax_backward(n, y, dy, dy);
        assert_memory_equal(dx, dy, n * sizeof *dx);
        free(y);
        free(dy);
    }
}

/* One row of layer_norm_backward, whose formula is checked term by term in double. */
static void layer_norm_slopes_of(size_t n, const float *x, const float *weight, const float *dy)
{
    double mean = 0.0, var = 0.0, g = 0.0, gz = 0.0;
    for (size_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        var += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    const double scale = 1.0 / sqrt(var + 1e-5);
    for (size_t i = 0; i < n; i++) {
        g += (double)dy[i] * (double)weight[i] / (double)n;
        gz += (double)dy[i] * (double)weight[i] * ((double)x[i] - mean) * scale / (double)n;
    }
    float dx[LONGEST], dweight[LONGEST], dbias[LONGEST], in_place[LONGEST];
    for (size_t i = 0; i < n; i++)
        dweight[i] = dbias[i] = 2.0f;
    kernels->layer_norm_backward(n, 1e-5f, x, weight, dy, dx, dweight, dbias);
    for (size_t i = 0; i < n; i++) {
        const double z = ((double)x[i] - mean) * scale, d = (double)dy[i];
        assert_close(dweight[i], (float)(2.0 + d * z), 1e-5, "dweight", i);
        assert_close(dbias[i], 2.0f + dy[i], 1e-6, "dbias", i);
        assert_close(dx[i], (float)((d * (double)weight[i] - g - z * gz) * scale), 1e-6 * (10.0 + scale), "dx", i);
    }
    memcpy(in_place, dy, n * sizeof *dy);
    kernels->layer_norm_backward(n, 1e-5f, x, weight, in_place, in_place, dweight, dbias);
    assert_memory_equal(dx, in_place, n * sizeof *dx);
}

static void layer_norm_slopes(void **state)
{
    (void)state;
    float *weight = random_floats(LONGEST, 8), *dy = random_floats(LONGEST, 9);
    for (size_t n = 2; n < LONGEST; n++) {
        float *x = random_floats(n, (uint32_t)n);
        layer_norm_slopes_of(n, x, weight, dy);
        free(x);
    }
    free(weight);
    free(dy);
}

static void transposes(void **state)
{
    (void)state;
    enum { ROWS = 37, COLUMNS = 50, X_STRIDE = 53, Y_STRIDE = 41 };
    float *x = random_floats(ROWS * X_STRIDE, 1), y[COLUMNS * Y_STRIDE];
    for (size_t rows = 0; rows <= ROWS; rows++)
        for (size_t columns_of_x = 0; columns_of_x <= COLUMNS; columns_of_x++) {
            for (size_t i = 0; i < COLUMNS * Y_STRIDE; i++)
                y[i] = 9.0f;
            kernels->transpose(rows, columns_of_x, x, X_STRIDE, y, Y_STRIDE);
            size_t wrong = 0;
            for (size_t c = 0; c < COLUMNS; c++)
                for (size_t r = 0; r < Y_STRIDE; r++)
                    wrong += y[c * Y_STRIDE + r] != (c < columns_of_x && r < rows ? x[r * X_STRIDE + c] : 9.0f);
            assert_int_equal(wrong, 0);
        }
    free(x);
}

static void columns(void **state)
{
    (void)state;
    enum { ROWS = 37, STRIDE = 71 };
    float *x = random_floats(ROWS * STRIDE, 3), sum[STRIDE], max[STRIDE];
    for (size_t n = 1; n <= STRIDE; n++) {
        kernels->column_sum(ROWS, n, STRIDE, x, sum);
        kernels->column_max(ROWS, n, STRIDE, x, max);
        for (size_t c = 0; c < n; c++) {
            double s = 0.0;
            float m = -2.0f;
            for (size_t r = 0; r < ROWS; r++) {
                s += (double)x[r * STRIDE + c];
                m = fmaxf(m, x[r * STRIDE + c]);
            }
            assert_close(sum[c], (float)s, 1e-5, "sum", c);
            assert_true(max[c] == m);
        }
    }
    free(x);
}

static void peak_rounds(void **state)
{
    (void)state;
    for (size_t n = 0; n < 5; n++) {
        float *x = random_floats(kernels->peak_lanes, 4);
        kernels->peak(n, 0.5f, 1.0f, x);
        uint32_t seed = 4;
        for (size_t i = 0; i < kernels->peak_lanes; i++) {
            double expected = (double)uniform(&seed);
            for (size_t round = 0; round < n; round++)
                expected = 0.5 * expected + 1.0;
            assert_close(x[i], (float)expected, 1e-6, "peak", i);
        }
        free(x);
    }
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(elementwise),       cmocka_unit_test(softmax_rows),
                                       cmocka_unit_test(softmax_of_scaled), cmocka_unit_test(softmax_masked),
                                       cmocka_unit_test(layer_norm_rows),   cmocka_unit_test(columns),
                                       cmocka_unit_test(peak_rounds),       cmocka_unit_test(softmax_slopes),
                                       cmocka_unit_test(layer_norm_slopes), cmocka_unit_test(transposes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
