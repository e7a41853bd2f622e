/* test_server_cache.c: what was asked for lately is there, what was not goes first, and the limit holds. */
#include "cache.h"
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LIMIT 65536

static void put(srv_cache *cache, int number)
{
    char text[32];
    const float vector[2] = {(float)number, (float)-number};
    snprintf(text, sizeof text, "text number %d", number);
    srv_cache_put(cache, text, vector, number + 3);
}

static bool get(srv_cache *cache, int number)
{
    char text[32];
    float vector[2];
    int64_t tokens;
    snprintf(text, sizeof text, "text number %d", number);
    if (!srv_cache_get(cache, text, vector, &tokens))
        return false;
    assert_true(vector[0] == (float)number && vector[1] == (float)-number);
    assert_int_equal(tokens, number + 3);
    return true;
}

static void test_finds_what_was_put(void **state)
{
    (void)state;
    srv_cache *cache = srv_cache_new(2, LIMIT);
    assert_false(get(cache, 1));
    for (int i = 0; i < 100; i++)
        put(cache, i);
    put(cache, 50); /* once more */
    for (int i = 0; i < 100; i++)
        assert_true(get(cache, i));
    srv_cache_free(cache);
}

static void test_forgets_the_oldest(void **state)
{
    (void)state;
    srv_cache *cache = srv_cache_new(2, LIMIT);
    for (int i = 0; i < 10000; i++) {
        put(cache, i);
        assert_true(get(cache, 0)); /* used all the time */
        assert_in_range(srv_cache_bytes(cache), 0, LIMIT);
    }
    assert_true(get(cache, 9999));
    assert_false(get(cache, 1));
    int kept = 0;
    for (int i = 0; i < 10000; i++)
        kept += get(cache, i);
    assert_in_range(kept, 300, 1000);
    srv_cache_free(cache);
}

static void test_passes_over_what_is_large(void **state)
{
    (void)state;
    static char text[LIMIT];
    const float vector[2] = {1, 2};
    float found[2];
    int64_t tokens;
    srv_cache *cache = srv_cache_new(2, LIMIT);
    memset(text, 'a', sizeof text - 1);
    put(cache, 1);
    srv_cache_put(cache, text, vector, 1);
    assert_false(srv_cache_get(cache, text, found, &tokens));
    assert_true(get(cache, 1));
    srv_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_was_put),
        cmocka_unit_test(test_forgets_the_oldest),
        cmocka_unit_test(test_passes_over_what_is_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
