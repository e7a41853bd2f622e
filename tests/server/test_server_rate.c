/* test_server_rate.c: buckets of requests, and the budget of memory. Time is what the test says. */
#include "budget.h"
#include "rate.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        out.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        out.ss_family = AF_INET6;
    }
    return out;
}

static bool admit(srv_rates *rates, const char *client, double now)
{
    const struct sockaddr_storage from = address(client);
    unsigned retry_after;
    const bool admitted = srv_rates_admit(rates, (const struct sockaddr *)(const void *)&from, now, &retry_after);
    assert_int_equal(admitted, retry_after == 0);
    return admitted;
}

static void test_a_bucket_empties_and_fills(void **state)
{
    (void)state;
    srv_rates *rates = srv_rates_new(10);
    for (int i = 0; i < 20; i++)
        assert_true(admit(rates, "192.0.2.1", 100));
    assert_false(admit(rates, "192.0.2.1", 100));
    assert_false(admit(rates, "192.0.2.1", 100.05));
    assert_true(admit(rates, "192.0.2.1", 100.2));
    assert_true(admit(rates, "192.0.2.1", 100.2));
    assert_false(admit(rates, "192.0.2.1", 100.2));
    for (int i = 0; i < 20; i++) /* it holds no more, however long it fills */
        assert_true(admit(rates, "192.0.2.1", 1e6));
    assert_false(admit(rates, "192.0.2.1", 1e6));
    srv_rates_free(rates);
}

static void test_clients_have_their_own(void **state)
{
    (void)state;
    srv_rates *rates = srv_rates_new(0.5); /* one at once */
    assert_true(admit(rates, "192.0.2.1", 1));
    assert_true(admit(rates, "192.0.2.2", 1));
    assert_false(admit(rates, "::ffff:192.0.2.1", 1)); /* the same client */
    assert_true(admit(rates, "2001:db8::1", 1));
    assert_false(admit(rates, "2001:db8::2:1", 1)); /* of the same network */
    assert_true(admit(rates, "2001:db8:0:1::1", 1));
    srv_rates_free(rates);
}

static void test_it_says_when_to_come_again(void **state)
{
    (void)state;
    srv_rates *rates = srv_rates_new(0.1);
    const struct sockaddr_storage from = address("192.0.2.1");
    const struct sockaddr *client = (const struct sockaddr *)(const void *)&from;
    unsigned retry_after;
    assert_true(srv_rates_admit(rates, client, 5, &retry_after));
    assert_false(srv_rates_admit(rates, client, 5, &retry_after));
    assert_int_equal(retry_after, 10);
    assert_false(srv_rates_admit(rates, client, 14.5, &retry_after));
    assert_int_equal(retry_after, 1);
    assert_true(srv_rates_admit(rates, client, 15.1, &retry_after));
    srv_rates_free(rates);
}

/* More clients than the table has places: one that keeps on asking is remembered all the while. */
static void test_a_crowd_does_not_hide_who_asks_too_often(void **state)
{
    (void)state;
    srv_rates *rates = srv_rates_new(1);
    double now = 1;
    int admitted = 0;
    for (unsigned i = 0; i < 100000; i++, now += 1e-4) {
        char name[32];
        snprintf(name, sizeof name, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        assert_true(admit(rates, name, now));
        admitted += admit(rates, "192.0.2.1", now);
    }
    assert_in_range(admitted, 11, 12); /* two at once, and one a second for ten seconds */
    srv_rates_free(rates);
}

static void test_budget(void **state)
{
    (void)state;
    srv_metrics metrics = {0};
    srv_budget budget;
    srv_budget_init(&budget, 1000, &metrics);
    assert_true(srv_budget_take(&budget, 600));
    assert_false(srv_budget_take(&budget, 401));
    assert_false(srv_budget_take(&budget, SIZE_MAX));
    assert_true(srv_budget_take(&budget, 400));
    assert_false(srv_budget_take(&budget, 1));
    srv_budget_give(&budget, 600);
    assert_true(srv_budget_take(&budget, 600));
    assert_int_equal(atomic_load(&metrics.gauges[SRV_HELD_BYTES]), 1000);
    srv_budget_give(&budget, 1000);
    assert_int_equal(atomic_load(&metrics.gauges[SRV_HELD_BYTES]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bucket_empties_and_fills),
        cmocka_unit_test(test_clients_have_their_own),
        cmocka_unit_test(test_it_says_when_to_come_again),
        cmocka_unit_test(test_a_crowd_does_not_hide_who_asks_too_often),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
