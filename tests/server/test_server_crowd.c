/*
 * test_server_crowd.c: very many connections that do nothing, or do it slowly, while others are served; clients that go
 * away; and the end of the server while it is asked.
 */
#include "client.h"
#include "house.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define IDLE    1000
#define SLOW    200
#define CLIENTS 6

static const char head[] = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           "Content-Length: 100\r\n\r\n";

/* Both ends of a connection are files of this process. */
static bool can_open(rlim_t files)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < files)
        return false;
    limit.rlim_cur = limit.rlim_cur < files ? files : limit.rlim_cur;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static house *open_house(double timeout)
{
    house *h = malloc(sizeof *h);
    assert_non_null(h);
    house_prepare(h);
    h->engine.max_batch[SRV_TEXT] = 1; /* the last bits do not depend on company */
    h->settings.max_connections = 2000;
    h->settings.timeout = timeout;
    house_open(h);
    return h;
}

static void close_house(house *h)
{
    house_close(h);
    assert_int_equal(atomic_load(&h->metrics.gauges[SRV_CONNECTIONS]), 0);
    assert_int_equal(atomic_load(&h->metrics.gauges[SRV_HELD_BYTES]), 0);
    free(h);
}

static char *ask(int port)
{
    reply r = client_post(port, "/v1/embeddings", "{\"input\":[\"a cat\",\"a dog\"]}");
    assert_int_equal(r.status, 200);
    char *body = strdup(r.body);
    reply_done(&r);
    return body;
}

static void expect_healthy(int port, const char *expected)
{
    char *body = ask(port);
    assert_string_equal(body, expected);
    free(body);
    reply r = client_ask(port, "GET", "/readyz", "", NULL, 0);
    assert_int_equal(r.status, 200);
    reply_done(&r);
}

static void wait_for_connections(house *h, int64_t n)
{
    while (atomic_load(&h->metrics.gauges[SRV_CONNECTIONS]) != n)
        usleep(1000);
}

/* ---- slow ones ---- */

/* A thousand that say nothing, and two hundred that send a byte now and then, of headers or of a body. */
static void test_idle_and_slow(void **state)
{
    static int idle[IDLE], slow[SLOW];
    (void)state;
    if (!can_open(2 * (IDLE + SLOW) + 256))
        skip();
    house *h = open_house(600);
    const int port = h->server.port;
    char *expected = ask(port);
    for (int i = 0; i < IDLE; i++)
        idle[i] = client_open(port);
    for (int i = 0; i < SLOW; i++) {
        slow[i] = client_open(port);
        client_send(slow[i], head, i % 2 ? sizeof head - 1 : 40);
    }
    wait_for_connections(h, IDLE + SLOW);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < SLOW; i++)
            client_send(slow[i], i % 2 ? " " : head + 40 + round, 1);
        expect_healthy(port, expected);
    }
    for (int i = 0; i < SLOW; i++)
        close(slow[i]);
    expect_healthy(port, expected);
    for (int i = 0; i < IDLE; i++)
        close(idle[i]);
    wait_for_connections(h, 0);
    expect_healthy(port, expected);
    free(expected);
    close_house(h);
}

/* Who is silent for too long is let go, in whatever it was about to send. */
static void test_slow_ones_are_let_go(void **state)
{
    const size_t sent[] = {0, 10, sizeof head - 3, sizeof head - 1};
    int fds[4];
    (void)state;
    house *h = open_house(1);
    for (int i = 0; i < 4; i++) {
        fds[i] = client_open(h->server.port);
        client_send(fds[i], head, sent[i]);
    }
    for (int i = 0; i < 4; i++) {
        char byte;
        assert_true(recv(fds[i], &byte, 1, 0) <= 0);
        close(fds[i]);
    }
    assert_true(atomic_load(&h->metrics.counters[SRV_SLOW]) >= 1);
    close_house(h);
}

/* Answers that nobody reads: the others still get theirs. */
static void test_who_does_not_read(void **state)
{
    static const char request[] = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const int small = 2048;
    int fds[50];
    (void)state;
    house *h = open_house(600);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)h->server.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char *expected = ask(h->server.port);
    for (int i = 0; i < 50; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&to, sizeof to), 0);
        for (int n = 0; n < 20; n++)
            client_send(fds[i], request, sizeof request - 1);
    }
    for (int n = 0; n < 5; n++)
        expect_healthy(h->server.port, expected);
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    wait_for_connections(h, 0);
    free(expected);
    close_house(h);
}

/* ---- clients that go away ---- */

/* In the middle of headers, of a body, or of the work; with and without a word. */
static void test_who_goes_away(void **state)
{
    static const char body[] = "{\"input\":[\"one\",\"two\",\"three\"]}";
    const struct linger reset = {.l_onoff = 1};
    char whole[512];
    (void)state;
    house *h = open_house(600);
    char *expected = ask(h->server.port);
    const int length = snprintf(whole, sizeof whole, "%.*s%zu\r\n\r\n%s",
                                (int)(sizeof head - 1 - strlen("100\r\n\r\n")), head, sizeof body - 1, body);
    for (int i = 0; i < 300; i++) {
        const int fd = client_open(h->server.port);
        client_send(fd, whole, i % 3 == 0 ? (size_t)length : (size_t)(i * 7 % length));
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    wait_for_connections(h, 0);
    expect_healthy(h->server.port, expected);
    free(expected);
    close_house(h);
}

/* ---- the end ---- */

typedef struct asking {
    pthread_t thread;
    int port, answers, broken; /* broken: cut off in the middle, or no answer that a client expects */
    atomic_bool *ended;
} asking;

static void *keep_asking(void *argument)
{
    static const char text[] = "{\"input\":\"a cat\"}";
    asking *a = argument;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)a->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char request[512];
    const int length = snprintf(request, sizeof request, "%.*s%zu\r\n\r\n%s",
                                (int)(sizeof head - 1 - strlen("100\r\n\r\n")), head, sizeof text - 1, text);
    for (;;) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
            close(fd);
            return NULL;
        }
        client_send(fd, request, (size_t)length);
        reply r = client_read(fd, 0);
        const char *said = r.status ? reply_header(&r, "Content-Length") : NULL;
        if (r.status == 0)
            a->broken += !atomic_load(a->ended);
        else if (r.status == 200 && said && strtoul(said, NULL, 10) == r.body_size)
            a->answers++;
        else
            a->broken++;
        reply_done(&r);
        close(fd);
    }
}

/* Who was let in gets an answer, a whole one; then nobody is let in. */
static void test_end_under_load(void **state)
{
    asking clients[CLIENTS];
    atomic_bool ended = false;
    int answers = 0;
    (void)state;
    house *h = open_house(600);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (asking){.port = h->server.port, .ended = &ended};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, keep_asking, &clients[i]), 0);
    }
    while (atomic_load(&h->metrics.counters[SRV_ANSWERS_OK]) < 200)
        usleep(1000);
    atomic_store(&ended, true);
    close_house(h);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].broken, 0);
        answers += clients[i].answers;
    }
    assert_true(answers >= 200 - CLIENTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_and_slow),     cmocka_unit_test(test_slow_ones_are_let_go),
        cmocka_unit_test(test_who_does_not_read), cmocka_unit_test(test_who_goes_away),
        cmocka_unit_test(test_end_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
