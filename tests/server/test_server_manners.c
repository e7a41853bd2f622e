/* test_server_manners.c: who is let in, what is refused and how, and what happens to those who are late, slow or gone.
 */
#include "client.h"
#include "house.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define JSON    "Content-Type: application/json\r\n"
#define A_CAT   "{\"input\":\"a cat\"}"
#define WORKERS 3

static house *new_house(void)
{
    house *h = malloc(sizeof *h);
    assert_non_null(h);
    house_prepare(h);
    return h;
}

static void end(house *h)
{
    house_close(h);
    free(h);
}

static void expect(reply r, int status, const char *code)
{
    if (r.status != status)
        fail_msg("status %d: %s", r.status, r.body);
    if (code) {
        json_t *json = reply_json(&r);
        assert_string_equal(json_string_value(json_object_get(json, "code")), code);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
        json_decref(json);
    }
    reply_done(&r);
}

static reply ask(const house *h, const char *path, const char *headers)
{
    return client_ask(h->server.port, "GET", path, headers, NULL, 0);
}

/* Until a counter says so: what happens in other threads is waited for, however long it takes. */
static void wait_for(house *h, srv_counter counter, uint64_t least)
{
    while (atomic_load(&h->metrics.counters[counter]) < least)
        usleep(1000);
}

static void wait_for_gauge(house *h, srv_gauge gauge, int64_t value)
{
    while (atomic_load(&h->metrics.gauges[gauge]) != value)
        usleep(1000);
}

/* ---- who asks ---- */

static void test_token(void **state)
{
    (void)state;
    house *h = new_house();
    h->settings.token = "secret";
    h->settings.checks_host = false;
    house_open(h);
    reply r = ask(h, "/v1/models", "");
    assert_int_equal(strncmp(reply_header(&r, "WWW-Authenticate"), "Bearer", 6), 0);
    expect(r, 401, "unauthorized");
    expect(ask(h, "/v1/models", "Authorization: Bearer wrong\r\n"), 401, "unauthorized");
    expect(ask(h, "/metrics", ""), 401, "unauthorized");
    expect(ask(h, "/v1/models", "Authorization: Bearer secret\r\n"), 200, NULL);
    expect(ask(h, "/v1/models", "Host: example.org\r\nAuthorization: Bearer secret\r\n"), 200, NULL);
    expect(ask(h, "/healthz", ""), 200, NULL);
    expect(ask(h, "/", ""), 200, NULL);
    expect(client_ask(h->server.port, "POST", "/v1/embeddings", JSON, A_CAT, strlen(A_CAT)), 401, "unauthorized");
    end(h);
}

static void test_hosts_and_origins(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://friend.example"};
    house *h = new_house();
    h->settings.origins = origins;
    h->settings.n_origins = 1;
    house_open(h);
    expect(ask(h, "/v1/models", "Host: evil.example\r\n"), 421, "wrong_host");
    expect(ask(h, "/v1/models", "Host: 127.0.0.1:80\r\n"), 200, NULL);
    expect(ask(h, "/v1/models", "Origin: http://localhost\r\n"), 200, NULL); /* the page itself */
    expect(ask(h, "/v1/models", "Origin: https://evil.example\r\n"), 403, "wrong_origin");
    expect(ask(h, "/v1/models", "Origin: null\r\n"), 403, "wrong_origin");
    reply r = ask(h, "/v1/models", "Origin: https://friend.example\r\n");
    assert_int_equal(strncmp(reply_header(&r, "Access-Control-Allow-Origin"), "https://friend.example\r", 23), 0);
    expect(r, 200, NULL);
    r = client_ask(h->server.port, "OPTIONS", "/v1/embeddings", "Origin: https://friend.example\r\n", NULL, 0);
    assert_non_null(strstr(reply_header(&r, "Access-Control-Allow-Methods"), "POST"));
    expect(r, 204, NULL);
    expect(client_ask(h->server.port, "OPTIONS", "/v1/embeddings", "", NULL, 0), 405, "wrong_method");
    end(h);
}

/* ---- bodies ---- */

/* What is refused by its headers has its body read, so that the connection goes on. */
static void test_connection_lives_on(void **state)
{
    (void)state;
    house *h = new_house();
    house_open(h);
    const int fd = client_open(h->server.port);
    static const char refused[] = "POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    static const char good[] =
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 17\r\n\r\n" A_CAT;
    for (int i = 0; i < 3; i++) {
        client_send(fd, refused, sizeof refused - 1);
        expect(client_read(fd, 0), 404, "not_found");
        client_send(fd, good, sizeof good - 1);
        expect(client_read(fd, 0), 200, NULL);
    }
    close(fd);
    end(h);
}

static void test_large_bodies(void **state)
{
    (void)state;
    house *h = new_house();
    h->settings.max_body = 1000;
    house_open(h);
    char body[1500];
    memset(body, ' ', sizeof body);
    expect(client_ask(h->server.port, "POST", "/v1/embeddings", JSON, body, 1001), 413, "body_too_large");
    expect(client_ask(h->server.port, "POST", "/v1/embeddings", JSON "Expect: 100-continue\r\n", body, 1001), 413,
           "body_too_large");
    /* in chunks nobody says before how many bytes there will be */
    const int fd = client_open(h->server.port);
    static const char head[] =
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n5dc\r\n";
    client_send(fd, head, sizeof head - 1);
    client_send(fd, body, 1500);
    client_send(fd, "\r\n0\r\n\r\n", 7);
    expect(client_read(fd, 0), 413, "body_too_large");
    close(fd);
    expect(client_post(h->server.port, "/v1/embeddings", A_CAT), 200, NULL);
    end(h);
}

/* All bodies together have a limit, too; the bytes are given back when an exchange ends. */
static void test_bodies_together(void **state)
{
    (void)state;
    house *h = new_house();
    h->settings.max_held = 4000;
    house_open(h);
    char body[3500];
    memset(body, ' ', sizeof body);
    const int fd = client_open(h->server.port);
    static const char head[] =
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 1017\r\n\r\n";
    client_send(fd, head, sizeof head - 1);
    client_send(fd, body, 1000);
    wait_for_gauge(h, SRV_HELD_BYTES, 1000);
    reply r = client_ask(h->server.port, "POST", "/v1/embeddings", JSON, body, sizeof body);
    assert_non_null(reply_header(&r, "Retry-After"));
    expect(r, 503, "busy");
    client_send(fd, A_CAT, strlen(A_CAT));
    expect(client_read(fd, 0), 200, NULL);
    close(fd);
    wait_for_gauge(h, SRV_HELD_BYTES, 0);
    end(h);
}

/* ---- too much, too late, gone ---- */

static void test_full_queue(void **state)
{
    (void)state;
    house *h = new_house();
    h->engine.max_jobs = 1;
    house_open(h);
    reply r = client_post(h->server.port, "/v1/embeddings", "{\"input\":[\"a\",\"b\"]}");
    assert_non_null(reply_header(&r, "Retry-After"));
    expect(r, 429, "queue_full");
    expect(client_post(h->server.port, "/v1/embeddings", A_CAT), 200, NULL);
    assert_int_equal(atomic_load(&h->metrics.counters[SRV_FULL]), 1);
    end(h);
}

static void test_deadline(void **state)
{
    (void)state;
    house *h = new_house();
    obstacle obstacles[WORKERS];
    h->service.deadline = 0;
    house_open(h);
    block_workers(h->service.engine, obstacles, WORKERS);
    expect(client_post(h->server.port, "/v1/embeddings", A_CAT), 504, "deadline");
    unblock_workers(obstacles, WORKERS);
    assert_int_equal(atomic_load(&h->metrics.counters[SRV_LATE]), 1);
    end(h);
}

/* Nothing is computed for a client that went away; others do not notice. */
static void test_client_goes_away(void **state)
{
    (void)state;
    house *h = new_house();
    obstacle obstacles[WORKERS];
    house_open(h);
    block_workers(h->service.engine, obstacles, WORKERS);
    const int fd = client_open(h->server.port);
    static const char request[] =
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 17\r\n\r\n" A_CAT;
    client_send(fd, request, sizeof request - 1);
    wait_for_gauge(h, SRV_IN_WORK, 1);
    close(fd);
    wait_for(h, SRV_GONE, 1);
    unblock_workers(obstacles, WORKERS);
    expect(client_post(h->server.port, "/v1/embeddings", A_CAT), 200, NULL);
    assert_int_equal(atomic_load(&h->metrics.counters[SRV_TEXTS]), 1);
    end(h);
}

/* One who begins a body and leaves it at that is cut off. */
static void test_slow_client(void **state)
{
    (void)state;
    house *h = new_house();
    h->settings.timeout = 0;
    house_open(h);
    const int fd = client_open(h->server.port);
    static const char head[] = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 17\r\n\r\n{";
    client_send(fd, head, sizeof head - 1);
    reply r = client_read(fd, 0);
    assert_int_equal(r.status, 0);
    reply_done(&r);
    close(fd);
    wait_for_gauge(h, SRV_CONNECTIONS, 0);
    end(h);
}

/* ---- the end ---- */

static void *drain(void *server)
{
    srv_server_drain(server);
    return NULL;
}

/* Who is in gets an answer, then the server ends; nobody else gets in. */
static void test_drain(void **state)
{
    (void)state;
    house *h = new_house();
    obstacle obstacles[WORKERS];
    pthread_t drainer;
    house_open(h);
    block_workers(h->service.engine, obstacles, WORKERS);
    const int fd = client_open(h->server.port), idle = client_open(h->server.port);
    static const char request[] =
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 17\r\n\r\n" A_CAT;
    client_send(fd, request, sizeof request - 1);
    wait_for_gauge(h, SRV_IN_WORK, 1);
    wait_for_gauge(h, SRV_CONNECTIONS, 2);
    assert_int_equal(pthread_create(&drainer, NULL, drain, &h->server), 0);
    reply r = client_read(idle, 0); /* is closed at once */
    assert_int_equal(r.status, 0);
    reply_done(&r);
    unblock_workers(obstacles, WORKERS);
    r = client_read(fd, 0);
    assert_int_equal(strncmp(reply_header(&r, "Connection"), "close", 5), 0);
    expect(r, 200, NULL);
    pthread_join(drainer, NULL);
    close(fd);
    close(idle);
    srv_engine_close(h->service.engine);
    house_release(h);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_hosts_and_origins),
        cmocka_unit_test(test_connection_lives_on),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_bodies_together),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_client_goes_away),
        cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
