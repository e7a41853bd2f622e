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

/* ---- the copy in int8 ---- */

static align_index *open_quantized(bool read_only)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index;
    options.quantize = true;
    options.read_only = read_only;
    options.threads = 2;
    assert_done(align_index_open(&index, store, &options, &err));
    return index;
}

static void assert_same_hits(align_index *a, align_index *b)
{
    enum { N = 5 };
    float queries[N * WIDTH];
    align_hits hits[2];
    for (size_t q = 0; q < N; q++)
        make_vector(900 + q, queries + q * WIDTH);
    assert_done(align_index_query(a, queries, N, NULL, &hits[0], &err));
    assert_done(align_index_query(b, queries, N, NULL, &hits[1], &err));
    assert_memory_equal(hits[0].offsets, hits[1].offsets, (N + 1) * sizeof *hits[0].offsets);
    for (size_t i = 0; i < hits[0].offsets[N]; i++) {
        assert_int_equal(hits[0].items[i].id, hits[1].items[i].id);
        assert_true(hits[0].scores[i] == hits[1].scores[i]);
    }
    align_hits_done(&hits[0]);
    align_hits_done(&hits[1]);
}

static void steps_find_the_same(void **state)
{
    (void)state;
    align_index *index = fresh_index(), *quantized = open_quantized(false), *reader = open_quantized(true);
    char steps[96];
    const int64_t second = 2;
    assert_same_hits(index, quantized);
    add_many(index, 1, 500);
    assert_same_hits(index, reader);
    snprintf(steps, sizeof steps, "%s-vectors-1.steps", store);
    assert_false(al_is_file(steps));
    assert_same_hits(index, quantized);
    assert_true(al_is_file(steps));
    assert_same_hits(index, reader);
    /* More than the copy has. */
    add_many(index, 1000, 100);
    assert_same_hits(index, reader);
    assert_same_hits(index, quantized);
    assert_same_hits(index, reader);
    /* Vectors move. */
    assert_done(align_index_remove(index, &second, 1, NULL, &err));
    assert_same_hits(index, quantized);
    assert_done(align_index_vacuum(index, &err));
    assert_false(al_is_file(steps));
    assert_same_hits(index, quantized);
    align_index_close(reader);
    align_index_close(quantized);
    /* A copy that is damaged is made anew. */
    snprintf(steps, sizeof steps, "%s-vectors-2.steps", store);
    size_t size, again;
    assert_true(al_file_size(steps, &size));
    assert_int_equal(truncate(steps, 5000), 0);
    for (int i = 0; i < 2; i++) {
        quantized = open_quantized(false);
        assert_same_hits(index, quantized);
        assert_same_hits(index, quantized);
        assert_true(al_file_size(steps, &again));
        assert_int_equal(again, size);
        align_index_close(quantized);
        assert_done(al_file_write(steps, "something else", 14, &err));
    }
    align_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {INDEX_CASES, cmocka_unit_test(sums_of_directions),
                                       cmocka_unit_test(hashes_of_content), cmocka_unit_test(steps_find_the_same)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
