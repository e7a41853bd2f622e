/* test_random.c: random numbers without a state: known values, evenness, and shuffles that are permutations. */
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A resumed run needs them to stay what they are. */
static void test_known_values(void **state)
{
    (void)state;
    assert_true(al_random_bits(0, 0) == UINT64_C(0xE220A8397B1DCDAF)); /* SplitMix64's first two with seed 0 */
    assert_true(al_random_bits(0, 1) == UINT64_C(0x6E789E6AA1B965F4));
    assert_int_equal(al_random_shuffled(1, 1000, 0), 346);
    assert_int_equal(al_random_shuffled(1, 1000, 1), 208);
}

static void test_units_are_even(void **state)
{
    (void)state;
    const size_t n = 100000;
    size_t bins[10] = {0};
    for (size_t i = 0; i < n; i++) {
        const double x = al_random_unit(al_random_key(3, i % 7), i);
        assert_true(x >= 0 && x < 1);
        bins[(size_t)(x * 10)]++;
    }
    for (size_t b = 0; b < 10; b++)
        assert_in_range(bins[b], n / 10 - 500, n / 10 + 500); /* five standard deviations */
}

static void test_shuffles_are_permutations(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 2, 3, 16, 17, 255, 256, 257, 5000, 70000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        bool *met = calloc(sizes[s], sizeof *met);
        assert_non_null(met);
        for (size_t i = 0; i < sizes[s]; i++) {
            const size_t at = al_random_shuffled(s, sizes[s], i);
            assert_true(at < sizes[s] && !met[at]);
            met[at] = true;
        }
        free(met);
    }
    assert_true(al_random_shuffled(1, SIZE_MAX, SIZE_MAX - 1) < SIZE_MAX);
}

/* Over many keys every one of the 24 orders of four comes up as often as the others. */
static void test_shuffles_are_fair(void **state)
{
    (void)state;
    const size_t n = 24000;
    size_t orders[256] = {0};
    for (size_t key = 0; key < n; key++) {
        size_t order = 0;
        for (size_t i = 0; i < 4; i++)
            order = order << 2 | al_random_shuffled(key, 4, i);
        orders[order]++;
    }
    size_t met = 0;
    for (size_t i = 0; i < 256; i++)
        if (orders[i]) {
            assert_in_range(orders[i], 840, 1160);
            met++;
        }
    assert_int_equal(met, 24);
}

/* Neighbours must not stay neighbours. */
static void test_shuffles_leave_no_runs(void **state)
{
    (void)state;
    const size_t n = 10000;
    size_t runs = 0;
    for (size_t i = 1; i < n; i++) {
        const size_t a = al_random_shuffled(5, n, i - 1), b = al_random_shuffled(5, n, i);
        runs += a + 1 == b || b + 1 == a;
    }
    assert_in_range(runs, 0, 12); /* two are expected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_units_are_even),
        cmocka_unit_test(test_shuffles_are_permutations),
        cmocka_unit_test(test_shuffles_are_fair),
        cmocka_unit_test(test_shuffles_leave_no_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
