/* test_utf8.c: what is UTF-8 and what is not. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void text_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a", "\x7f", "\xc3\xa9", "\xe4\xb8\xad", "\xed\x9f\xbf", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe4\xb8",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "a\xc3z"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(al_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(al_is_utf8(bad[i], strlen(bad[i])));
    assert_false(al_is_utf8("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_is_told_from_other_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
