/* test_index.c: an index in an SQLite file does what every index does; and what needs no index. */
#include "search/index_cases.h"

static char store[64];

static const char *fresh_store(void)
{
    static int number;
    snprintf(store, sizeof store, "%s/%d/photos.db", folder, number++);
    return store;
}

static void sums_of_directions(void **state)
{
    (void)state;
    const float vectors[] = {2, 0, 0, 0, 5, 0};
    const double weights[] = {1, 2};
    float out[3];
    assert_done(align_compose(out, vectors, weights, 2, 3, &err));
    assert_float_equal(out[0], 1 / sqrtf(5), 1e-6);
    assert_float_equal(out[1], 2 / sqrtf(5), 1e-6);
    assert_float_equal(out[2], 0, 0);
    const float opposite[] = {1, 2, 3, 1, 2, 3};
    const double less[] = {1, -1};
    assert_refused(align_compose(out, opposite, less, 2, 3, &err), ALIGN_ERROR_INVALID_ARGUMENT, "zero");
    assert_refused(align_compose(out, opposite, less, 0, 3, &err), ALIGN_ERROR_INVALID_ARGUMENT, "zero");
    const double no_number[] = {1, NAN};
    assert_refused(align_compose(out, opposite, no_number, 2, 3, &err), ALIGN_ERROR_INVALID_ARGUMENT, "weight 1");
    const float zero[] = {1, 0, 0, 0, 0, 0};
    assert_refused(align_compose(out, zero, weights, 2, 3, &err), ALIGN_ERROR_INVALID_ARGUMENT, "vector 1");
}

/* What XXH3 gives for nothing, as its authors publish it. */
static void hashes_of_content(void **state)
{
    (void)state;
    static const uint8_t nothing[] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
                                      0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
    uint8_t hash[ALIGN_HASH_SIZE], other[ALIGN_HASH_SIZE];
    align_content_hash("", 0, hash);
    assert_memory_equal(hash, nothing, sizeof nothing);
    align_content_hash("a", 1, hash);
    align_content_hash("b", 1, other);
    assert_memory_not_equal(hash, other, sizeof hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {INDEX_CASES, cmocka_unit_test(sums_of_directions),
                                       cmocka_unit_test(hashes_of_content)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
