/*
 * test_postgres_memory.c: every allocation of a store on a server fails once: the call says so, leaves nothing behind,
 * and does its work the next time. The store's functions are called without the library in between, whose allocations
 * are tested elsewhere; that is why this program is linked with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/memory.h"
#include "postgres/server_test.h"
#include "search/postgres.h"

/* Calls until it succeeds, while the first, second, ... allocation fails. */
#define sweep(call)                                                  \
    do {                                                             \
        align_status status = ALIGN_ERROR_OUT_OF_MEMORY;             \
        for (long nth = 1; status != ALIGN_OK; nth++) {              \
            assert_true(nth < 1000);                                 \
            al_memory_fail_at(nth);                                  \
            status = (call);                                         \
            al_memory_fail_at(0);                                    \
            if (status != ALIGN_OK)                                  \
                assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY); \
        }                                                            \
    } while (0)

static al_store *store;

static int open_store(void **state)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    (void)state;
    options.create = true;
    options.width = WIDTH;
    options.model = MODEL;
    return al_postgres_connect(&store, on_server("memory"), &options, NULL) == ALIGN_OK ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    store->class->close(store);
    return 0;
}

static void make_unit(int n, float vector[WIDTH])
{
    float length = 0;
    vector_of(n, vector);
    for (int i = 0; i < WIDTH; i++)
        length += vector[i] * vector[i];
    for (int i = 0; i < WIDTH; i++)
        vector[i] /= sqrtf(length);
}

static void test_opening(void **state)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    al_store *other = NULL;
    (void)state;
    options.create = true;
    options.width = WIDTH;
    options.model = MODEL;
    sweep(al_postgres_connect(&other, on_server("memory_opened"), &options, NULL));
    other->class->close(other);
}

static void test_changing(void **state)
{
    enum { N = 3 };
    align_item items[N];
    float vectors[N * WIDTH];
    char names[N][16];
    int64_t ids[N];
    size_t removed;
    (void)state;
    for (int i = 0; i < N; i++) {
        items[i] = (align_item)ALIGN_ITEM_INIT;
        snprintf(names[i], sizeof names[i], "/%d", i);
        items[i].path = names[i];
        items[i].text = "a text";
        make_unit(i, vectors + i * WIDTH);
    }
    sweep(store->class->add(store, items, vectors, N, ids, NULL));
    for (int i = 0; i < N; i++)
        items[i].id = ids[i];
    sweep(store->class->update(store, items, N, NULL));
    sweep(store->class->remove(store, ids, 1, &removed, NULL));
    assert_int_equal(removed, 1);
    sweep(store->class->vacuum(store, NULL));
}

static void test_reading(void **state)
{
    const align_filter filter = ALIGN_FILTER_INIT;
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    float vectors[2 * WIDTH];
    align_item item;
    align_cursor *cursor;
    align_hits hits;
    bool found = true;
    int n = 0;
    (void)state;
    sweep(store->class->find(store, "/1", "", &item, &found, NULL));
    assert_true(found);
    sweep(store->class->vector(store, item.id, vectors, NULL));
    sweep(store->class->cursor_open(&cursor, store, &filter, ALIGN_ORDER_PATH, NULL));
    for (; found; n += found)
        sweep(store->class->cursor_next(cursor, &item, vectors, &found, NULL));
    assert_int_equal(n, 2);
    store->class->cursor_close(cursor);
    for (int i = 0; i < 2; i++)
        make_unit(i, vectors + i * WIDTH);
    for (int i = 0; i < 2; i++) {
        options.approximate = i == 1;
        sweep(store->class->query(store, vectors, 2, &options, &hits, NULL));
        assert_int_equal(hits.offsets[2], 4);
        align_hits_done(&hits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_changing),
        cmocka_unit_test(test_reading),
    };
    server_address();
    return cmocka_run_group_tests(tests, open_store, close_store);
}
