/* dropout.c: what is dropped depends on key and place alone, at about the rate; what stays is made larger. */
#include "layers/dropout.h"
#include "layers_test.h"

#define N 100001

typedef struct dropping {
    float rate;
    const float *x;
    float *y;
} dropping;

static void step(const al_run *run, void *user)
{
    const dropping *d = user;
    al_dropout(run, d->rate, 77, N, d->x, d->y);
}

static void shares(void **state)
{
    (void)state;
    float *x = random_floats(N, 1), *y = malloc(N * sizeof *y), *again = malloc(N * sizeof *y);
    const float rates[] = {0.1f, 0.5f, 0.9f};
    for (size_t r = 0; r < 3; r++) {
        dropping d = {rates[r], x, y};
        run_step(1, step, &d);
        size_t dropped = 0, both = 0;
        for (size_t i = 0; i < N; i++) {
            assert_true(y[i] == 0.0f || y[i] == x[i] * (1.0f / (1.0f - rates[r])));
            dropped += y[i] == 0.0f;
            both += i % 2 && y[i] == 0.0f && y[i - 1] == 0.0f;
        }
        /* five standard deviations, for numbers and for the pairs that share random bits */
        const double rate = (double)rates[r], pairs = N / 2, square = rate * rate;
        assert_true(fabs((double)dropped - rate * N) < 5.0 * sqrt(N * rate * (1.0 - rate)));
        assert_true(fabs((double)both - square * pairs) < 5.0 * sqrt(pairs * square * (1.0 - square)));
        d.y = again;
        run_step(3, step, &d);
        assert_memory_equal(y, again, N * sizeof *y);
        memcpy(again, x, N * sizeof *x); /* in place */
        d.x = again;
        run_step(2, step, &d);
        assert_memory_equal(y, again, N * sizeof *y);
    }
    free(x);
    free(y);
    free(again);
}

static void all_or_none(void **state)
{
    (void)state;
    float *x = random_floats(N, 1), *y = malloc(N * sizeof *y);
    dropping d = {0.0f, x, y};
    run_step(2, step, &d);
    assert_memory_equal(x, y, N * sizeof *y);
    d.rate = 1.0f;
    run_step(2, step, &d);
    for (size_t i = 0; i < N; i++)
        assert_true(y[i] == 0.0f);
    free(x);
    free(y);
}

/* A stretch is dropped as it is in the whole, wherever it begins; another key drops others. */
static void stretches(void **state)
{
    (void)state;
    float *x = random_floats(1000, 1), whole[1000], part[1000], other[1000];
    al_dropout_some(&al_kernels_ref, 0.3f, 5, 0, 1000, x, whole); /* in every table the same */
    for (size_t first = 0; first < 1000; first += 111) {
        const size_t n = 1000 - first < 201 ? 1000 - first : 201;
        al_dropout_some(al_kernels_get(), 0.3f, 5, first, n, x + first, part);
        assert_memory_equal(whole + first, part, n * sizeof *part);
    }
    al_dropout_some(al_kernels_get(), 0.3f, 6, 0, 1000, x, other);
    assert_memory_not_equal(whole, other, sizeof whole);
    free(x);
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares), cmocka_unit_test(all_or_none),
                                       cmocka_unit_test(stretches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
