/* test_server_auth.c: tokens, names of this machine, origins. */
#include "auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_tokens(void **state)
{
    (void)state;
    assert_true(srv_token_matches("secret", "Bearer secret"));
    assert_true(srv_token_matches("secret", "bearer secret"));
    static const char *const wrong[] = {NULL,
                                        "",
                                        "Bearer",
                                        "Bearer ",
                                        "Bearer secre",
                                        "Bearer secret ",
                                        "Bearer Secret",
                                        "Bearer secretsecret",
                                        "Basic secret",
                                        "secret",
                                        "Bearer  secret"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(srv_token_matches("secret", wrong[i]));
}

static void test_names_of_this_machine(void **state)
{
    (void)state;
    static const char *const here[] = {"localhost",    "LOCALHOST:8080", "127.0.0.1",
                                       "127.1.2.3:80", "[::1]",          "[::1]:8080"};
    static const char *const elsewhere[] = {
        NULL,    "",        "example.org", "localhost.example.org", "127.0.0.1.example.org", "10.0.0.1",
        "[::2]", "0.0.0.0", ":8080",       "localhost@example.org"};
    for (size_t i = 0; i < sizeof here / sizeof *here; i++)
        assert_true(srv_is_loopback_name(here[i]));
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        assert_false(srv_is_loopback_name(elsewhere[i]));
}

static void test_origins(void **state)
{
    (void)state;
    assert_true(srv_is_same_origin("http://localhost:8080", "localhost:8080"));
    assert_true(srv_is_same_origin("https://Example.org", "example.org"));
    assert_false(srv_is_same_origin("http://localhost:8081", "localhost:8080"));
    assert_false(srv_is_same_origin("http://evil", "localhost"));
    assert_false(srv_is_same_origin("null", "localhost"));
    assert_false(srv_is_same_origin("http://localhost", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_names_of_this_machine),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
