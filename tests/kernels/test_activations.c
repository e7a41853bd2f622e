/* Every activation of the table under test against its formula in double, on a fine grid, odd lengths and special
 * values. */
#include "kernels_test.h"

#include <string.h>

static const al_kernels *kernels;

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double gelu(double x)
{
    return 0.5 * x * erfc(-x / sqrt(2.0));
}

static double gelu_tanh(double x, double scale)
{
    return 0.5 * x * (1.0 + tanh(scale * x * (1.0 + 0.044715 * x * x)));
}

static double formula(align_activation act, double x)
{
    switch (act) {
    case ALIGN_ACT_GELU:
        return gelu(x);
    case ALIGN_ACT_GELU_10:
        return fmin(fmax(gelu(x), -10.0), 10.0);
    case ALIGN_ACT_GELU_NEW:
        return gelu_tanh(x, sqrt(2.0 / acos(-1.0)));
    case ALIGN_ACT_GELU_FAST:
        return gelu_tanh(x, 0.7978845608);
    case ALIGN_ACT_QUICK_GELU:
        return x * sigmoid(1.702 * x);
    case ALIGN_ACT_LAPLACE:
        return 0.5 * erfc(-(x - 0.707107) / (0.282095 * sqrt(2.0)));
    case ALIGN_ACT_LEAKY_RELU:
        return x < 0.0 ? 0.01 * x : x;
    case ALIGN_ACT_MISH:
        return x * tanh(x > 20.0 ? x : log1p(exp(x)));
    case ALIGN_ACT_RELU:
        return fmax(x, 0.0);
    case ALIGN_ACT_RELU2:
        return fmax(x, 0.0) * fmax(x, 0.0);
    case ALIGN_ACT_RELU6:
        return fmin(fmax(x, 0.0), 6.0);
    case ALIGN_ACT_SELU:
        return 1.0507009873554804934 * (x > 0.0 ? x : 1.6732632423543772848 * expm1(x));
    case ALIGN_ACT_SIGMOID:
        return sigmoid(x);
    case ALIGN_ACT_SILU:
        return x * sigmoid(x);
    case ALIGN_ACT_TANH:
        return tanh(x);
    default:
        return x;
    }
}

/* Within 1e-6 of the value, or of the largest rounding step that the formula in float would make near zero. */
static void grid(void **state)
{
    (void)state;
    enum { N = 200001 };
    float *x = malloc(N * sizeof *x);
    for (int act = 0; act < ALIGN_ACT_COUNT; act++) {
        for (int i = 0; i < N; i++)
            x[i] = (float)(i - N / 2) * 1.0e-3f;
        kernels->activate((align_activation)act, N, x);
        for (int i = 0; i < N; i++) {
            const double in = (double)((float)(i - N / 2) * 1.0e-3f), out = formula((align_activation)act, in);
            const double limit = 1e-6 * fabs(out) + 2.5e-7 * fmin(1.0, fabs(in)) + 1e-37;
            if (!(fabs((double)x[i] - out) <= limit))
                fail_msg("activation %d of %.9g: %.9g, expected %.9g", act, in, (double)x[i], out);
        }
    }
    free(x);
}

/* The rough ones keep what kernels.h says, however far from 0. */
static void roughly(void **state)
{
    (void)state;
    enum { N = 40001 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    for (int act = 0; act < ALIGN_ACT_COUNT; act++) {
        for (int i = 0; i < N; i++)
            x[i] = y[i] = (float)(i - N / 2) * 1.0e-3f * (i % 100 ? 1.0f : 1000.0f);
        kernels->activate_roughly((align_activation)act, N, y);
        for (int i = 0; i < N; i++) {
            const double out = formula((align_activation)act, (double)x[i]);
            const double limit = x[i] > 0.0f ? 5e-5 * fabs(out) + 1e-7 : fmax(5e-5, 1e-6 * fabs(out));
            if (!(fabs((double)y[i] - out) <= limit))
                fail_msg("activation %d of %.9g: %.9g, expected %.9g", act, (double)x[i], (double)y[i], out);
        }
        float strange = NAN;
        kernels->activate_roughly((align_activation)act, 1, &strange);
        assert_true(isnan(strange));
    }
    free(x);
    free(y);
}

/* The value of an element does not depend on where in the array it stands. */
static void lengths(void **state)
{
    (void)state;
    float all[67], part[67];
    for (int act = 0; act < ALIGN_ACT_COUNT; act++)
        for (size_t n = 0; n <= 67; n++) {
            uint32_t seed = 5;
            for (size_t i = 0; i < 67; i++)
                all[i] = part[i] = 4.0f * uniform(&seed);
            kernels->activate((align_activation)act, 67, all);
            kernels->activate((align_activation)act, n, part);
            assert_memory_equal(all, part, n * sizeof *all);
            seed = 5;
            for (size_t i = 0; i < 67; i++) {
                const float before = 4.0f * uniform(&seed);
                if (i >= n)
                    assert_true(part[i] == before);
            }
        }
}

static void special_values(void **state)
{
    (void)state;
    for (int act = 0; act < ALIGN_ACT_COUNT; act++) {
        float x[3] = {NAN, 0.0f, 1.0f};
        kernels->activate((align_activation)act, 3, x);
        assert_true(isnan(x[0]));
        assert_close(x[1], (float)formula((align_activation)act, 0.0), 1e-6, "at 0", (size_t)act);
        float huge[2] = {INFINITY, 3e38f};
        kernels->activate((align_activation)act, 2, huge);
        if (act != ALIGN_ACT_RELU2)
            assert_close(huge[1], (float)formula((align_activation)act, 3e38), 1e-5, "at 3e38", (size_t)act);
    }
}

/* silu keeps its relative error where it is small, and ends in 0 however far below. */
static void silu_far_below(void **state)
{
    (void)state;
    for (float from = -1e-3f; from > -86.0f; from *= 1.001f) {
        float x = from;
        kernels->activate(ALIGN_ACT_SILU, 1, &x);
        const double out = formula(ALIGN_ACT_SILU, (double)from);
        if (!(fabs((double)x - out) <= 5e-7 * fabs(out)))
            fail_msg("silu of %.9g: %.9g, expected %.9g", (double)from, (double)x, out);
    }
    float low[3] = {-100.0f, -3e38f, -INFINITY};
    kernels->activate(ALIGN_ACT_SILU, 3, low);
    assert_true(fabsf(low[0]) < 1e-40f);
    assert_true(low[1] == 0.0f);
    assert_true(isnan(low[2]));
}

/* The slope of the formula: a central difference of fourth order. */
static double slope(align_activation act, double x)
{
    const double h = 1e-3;
    const double near = formula(act, x + h) - formula(act, x - h);
    const double far = formula(act, x + 2.0 * h) - formula(act, x - 2.0 * h);
    return (8.0 * near - far) / (12.0 * h);
}

/* Where act has a corner near x, the difference says nothing. */
static bool has_corner(align_activation act, double x)
{
    switch (act) {
    case ALIGN_ACT_LEAKY_RELU:
    case ALIGN_ACT_RELU:
    case ALIGN_ACT_RELU2:
    case ALIGN_ACT_SELU:
        return fabs(x) < 2.1e-3;
    case ALIGN_ACT_RELU6:
        return fabs(x) < 2.1e-3 || fabs(x - 6.0) < 2.1e-3;
    case ALIGN_ACT_GELU_10:
        return fabs(x - 10.0) < 2.1e-3;
    case ALIGN_ACT_MISH: /* cut at 20 in the reference and here: a step of 1e-8 */
        return fabs(x - 20.0) < 2.1e-3;
    default:
        return false;
    }
}

/* dy times the slope, in place and not, odd lengths at the end. */
static void slopes(void **state)
{
    (void)state;
    enum { N = 40003 };
    float *x = malloc(N * sizeof *x), *dy = random_floats(N, 9), *dx = malloc(N * sizeof *dx);
    for (int i = 0; i < N; i++)
        x[i] = (float)(i - N / 2) * 2.0e-3f;
    for (int act = 0; act < ALIGN_ACT_COUNT; act++) {
        kernels->activate_backward((align_activation)act, N, x, dy, dx);
        for (int i = 0; i < N; i++) {
            if (has_corner((align_activation)act, (double)x[i]))
                continue;
            const double out = (double)dy[i] * slope((align_activation)act, (double)x[i]);
            if (!(fabs((double)dx[i] - out) <= 1e-6 * fabs(out) + 1e-6))
                fail_msg("slope %d at %.9g: %.9g, expected %.9g", act, (double)x[i], (double)dx[i], out);
        }
        for (size_t n = 0; n <= 35; n++) {
            float part[35];
            memcpy(part, dy + 7, sizeof part);
            kernels->activate_backward((align_activation)act, n, x + 7, part, part);
            assert_memory_equal(part, dx + 7, n * sizeof *part);
            assert_memory_equal(part + n, dy + 7 + n, (35 - n) * sizeof *part);
        }
    }
    free(x);
    free(dy);
    free(dx);
}

/* In a corner the reference's choice; far out the limit. */
static void slopes_at_ends(void **state)
{
    (void)state;
    const struct {
        align_activation act;
        float x, slope;
    } known[] = {
        {ALIGN_ACT_RELU, 0.0f, 0.0f},      {ALIGN_ACT_RELU2, 0.0f, 0.0f},       {ALIGN_ACT_RELU6, 0.0f, 0.0f},
        {ALIGN_ACT_RELU6, 6.0f, 0.0f},     {ALIGN_ACT_LEAKY_RELU, 0.0f, 0.01f}, {ALIGN_ACT_SELU, 0.0f, 1.7580993f},
        {ALIGN_ACT_GELU_10, 10.0f, 1.0f},  {ALIGN_ACT_GELU_10, 11.0f, 0.0f},    {ALIGN_ACT_SILU, 3e38f, 1.0f},
        {ALIGN_ACT_SILU, -3e38f, 0.0f},    {ALIGN_ACT_GELU, 3e38f, 1.0f},       {ALIGN_ACT_GELU, -3e38f, 0.0f},
        {ALIGN_ACT_GELU_NEW, 3e38f, 1.0f}, {ALIGN_ACT_GELU_NEW, -3e38f, 0.0f},  {ALIGN_ACT_QUICK_GELU, 1e38f, 1.0f},
        {ALIGN_ACT_MISH, 3e38f, 1.0f},     {ALIGN_ACT_MISH, -3e38f, 0.0f},      {ALIGN_ACT_SIGMOID, 3e38f, 0.0f},
        {ALIGN_ACT_SIGMOID, -3e38f, 0.0f}, {ALIGN_ACT_TANH, 3e38f, 0.0f},       {ALIGN_ACT_SELU, -3e38f, 0.0f},
        {ALIGN_ACT_LINEAR, 3e38f, 1.0f},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const float one = 1.0f;
        float dx;
        kernels->activate_backward(known[i].act, 1, &known[i].x, &one, &dx);
        assert_close(dx, known[i].slope, 1e-6, "slope", i);
    }
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(grid),           cmocka_unit_test(roughly),
                                       cmocka_unit_test(lengths),        cmocka_unit_test(special_values),
                                       cmocka_unit_test(silu_far_below), cmocka_unit_test(slopes),
                                       cmocka_unit_test(slopes_at_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
