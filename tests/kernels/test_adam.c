/* test_adam.c: Adam's step of the table under test against the formula in double, for every length up to a few vectors,
 * in one part and in two. */
#include "kernels_test.h"

#include <string.h>

#define LONGEST 150

static const al_kernels *kernels;

static const al_adam step = {.scale = 0.5f,
                             .new1 = 0.1f,
                             .old2 = 0.99f,
                             .new2 = 0.01f,
                             .correct = 2.0f,
                             .root = 3.0f,
                             .epsilon = 1e-3f,
                             .decay = 0.25f,
                             .keep = 0.9f,
                             .rate = 0.125f,
                             .new_average = 0.2f};

/* The arrays of one tensor: gradient, first, second, weight, average, one behind the other. */
typedef struct state {
    float x[5][LONGEST];
} arrays;

static void fill(arrays *a, uint32_t seed)
{
    for (size_t k = 0; k < 5; k++)
        for (size_t i = 0; i < LONGEST; i++)
            a->x[k][i] = k == 2 ? fabsf(uniform(&seed)) : uniform(&seed);
}

static al_adam_arrays views(arrays *a, bool average)
{
    return (al_adam_arrays){a->x[0], a->x[1], a->x[2], a->x[3], average ? a->x[4] : NULL};
}

/* What element i becomes, in double; squares are added to. */
static void expect(const arrays *before, size_t i, double out[5], double squares[2])
{
    const double g = (double)step.scale * (double)before->x[0][i];
    const double m = (double)before->x[1][i] + (double)step.new1 * (g - (double)before->x[1][i]);
    const double v = (double)step.old2 * (double)before->x[2][i] + (double)step.new2 * g * g;
    const double r = (double)step.correct * m / ((double)step.root * sqrt(v) + (double)step.epsilon);
    const double w = (double)before->x[3][i], next = (double)step.keep * w - (double)step.rate * r;
    const double average = (double)before->x[4][i];
    out[0] = (double)before->x[0][i];
    out[1] = m;
    out[2] = v;
    out[3] = next;
    out[4] = average + (double)step.new_average * (next - average);
    squares[0] += w * w;
    squares[1] += (r + (double)step.decay * w) * (r + (double)step.decay * w);
}

static void check(const arrays *after, const arrays *before, size_t n, bool average)
{
    double squares[2] = {0};
    for (size_t i = 0; i < LONGEST; i++) {
        double want[5];
        expect(before, i, want, squares);
        for (size_t k = 0; k < 5; k++)
            if (i < n && (k != 4 || average))
                assert_close(after->x[k][i], (float)want[k], 2e-6, "adam", i);
            else
                assert_true(after->x[k][i] == before->x[k][i]);
    }
}

static void one_part(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        arrays before, after;
        fill(&before, (uint32_t)n);
        after = before;
        const al_adam_arrays x = views(&after, n % 2);
        kernels->adam(&step, n, &x);
        check(&after, &before, n, n % 2);
    }
}

static void two_parts(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        arrays before, after, whole;
        double squares[2] = {1.0, 2.0}, want[2] = {1.0, 2.0}, ignored[5];
        fill(&before, (uint32_t)n);
        after = whole = before;
        const al_adam_arrays x = views(&after, true), y = views(&whole, true);
        kernels->adam_moments(&step, n, &x, squares);
        kernels->adam_step(&step, n, &x);
        kernels->adam(&step, n, &y);
        assert_memory_equal(&after, &whole, sizeof after);
        for (size_t i = 0; i < n; i++)
            expect(&before, i, ignored, want);
        assert_close((float)squares[0], (float)want[0], 1e-6, "squares of weights", n);
        assert_close((float)squares[1], (float)want[1], 1e-5, "squares of steps", n);
    }
}

/* Sums over stretches stay good where one sum of floats would not. */
static void long_sums(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    float *zero = calloc(N, sizeof *zero), *first = calloc(N, sizeof *first), *second = calloc(N, sizeof *second),
          *weight = malloc(N * sizeof *weight);
    assert_true(zero && first && second && weight);
    for (size_t i = 0; i < N; i++)
        weight[i] = 0.1f;
    double squares[2] = {0};
    const al_adam_arrays x = {zero, first, second, weight, NULL};
    kernels->adam_moments(&step, N, &x, squares);
    const double want = (double)0.1f * (double)0.1f * N;
    assert_true(fabs(squares[0] / want - 1.0) < 1e-6);
    assert_true(fabs(squares[1] / (want * 0.0625) - 1.0) < 1e-6);
    free(zero);
    free(first);
    free(second);
    free(weight);
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_part), cmocka_unit_test(two_parts),
                                       cmocka_unit_test(long_sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
