/* test_server_text.c: floats, strings and base64 as answers have them. */
#include "text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect_float(float value, const char *written)
{
    srv_text text = {0};
    srv_text_float(&text, value);
    assert_string_equal(text.bytes, written);
    srv_text_done(&text);
}

static void test_floats_look_like_numbers(void **state)
{
    (void)state;
    expect_float(0, "0");
    expect_float(-1, "-1");
    expect_float(0.5f, "0.5");
    expect_float(-0.145699903f, "-0.145699903");
    expect_float(1234.5f, "1234.5");
    expect_float(99999999.0f, "100000000");
    expect_float(1e-20f, "9.99999968e-21");
    expect_float(NAN, "null");
    expect_float(-INFINITY, "null");
}

/* Every float reads back as itself: bits from all over, by steps that share no factor with powers of two. */
static void test_floats_read_back(void **state)
{
    (void)state;
    srv_text text = {0};
    for (uint32_t bits = 1; bits < UINT32_MAX - 40009; bits += 40009) {
        float value, back;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        text.length = 0;
        srv_text_float(&text, value);
        back = strtof(text.bytes, NULL);
        if (memcmp(&value, &back, sizeof value) != 0 && value != 0)
            fail_msg("%.9g is written as %s", (double)value, text.bytes);
    }
    srv_text_done(&text);
}

static void test_strings_are_json(void **state)
{
    (void)state;
    srv_text text = {0};
    srv_text_string(&text, "a\"\\\n\x01 \xC3\xA9 \xF0\x9F\x98\x80 \xFF\xC3(\xED\xA0\x80 end\xE2\x82");
    assert_string_equal(text.bytes, "\"a\\\"\\\\\\u000a\\u0001 \xC3\xA9 \xF0\x9F\x98\x80 \xEF\xBF\xBD\xEF\xBF\xBD("
                                    "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD end\xEF\xBF\xBD\xEF\xBF\xBD\"");
    srv_text_done(&text);
}

static void test_base64_both_ways(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        srv_text text = {0};
        uint8_t bytes[16];
        size_t n;
        srv_text_base64(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(text.bytes, pairs[i][1]);
        assert_true(srv_base64_decode(bytes, &n, text.bytes, text.length));
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(bytes, pairs[i][0], n);
        srv_text_done(&text);
    }
}

static void test_base64_of_others(void **state)
{
    (void)state;
    uint8_t bytes[16];
    size_t n;
    assert_true(srv_base64_decode(bytes, &n, "-_-_\r\nZg", 8)); /* the other alphabet, a line break, no padding */
    assert_int_equal(n, 4);
    assert_int_equal(bytes[0], 0xFB);
    assert_false(srv_base64_decode(bytes, &n, "Zm9v!", 5));
    assert_false(srv_base64_decode(bytes, &n, "Z", 1));
    assert_false(srv_base64_decode(bytes, &n, "Zg==Zg", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats_look_like_numbers), cmocka_unit_test(test_floats_read_back),
        cmocka_unit_test(test_strings_are_json),         cmocka_unit_test(test_base64_both_ways),
        cmocka_unit_test(test_base64_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
