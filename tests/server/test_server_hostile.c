/*
 * test_server_hostile.c: some clients send hostile requests, with good ones in between, all at once to one server.
 * Whatever is answered must be a status of HTTP, and a problem where it is none of success; good requests are answered
 * as they were before anybody was hostile, byte for byte.
 *
 *     test_server_hostile [REQUESTS [SEED]]
 */
#include "client.h"
#include "hostile.h"
#include "house.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLIENTS 8
#define GOOD    6

static uint64_t requests = 1200, seed = 1;

/* ---- good requests ---- */

typedef struct example {
    srv_text requests[GOOD];
    char *bodies[GOOD]; /* of their answers */
} example;

static void add_post(srv_text *out, const char *path, const char *type, const srv_text *body)
{
    srv_text_print(out, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", path,
                   type, body->length);
    srv_text_add(out, body->bytes, body->length);
}

static void make_examples(example *all)
{
    static const char json[] = "application/json", form[] = "multipart/form-data; boundary=XX";
    char *cat = demo_base64("cat.png"), *dog = demo_base64("dog.png");
    size_t size;
    char *file = demo_file("dog.png", &size);
    srv_text body = {0};
    srv_text_print(&body, "{\"input\":[\"a cat\",\"a dog\",[101,102]],\"encoding_format\":\"base64\"}");
    add_post(&all->requests[0], "/v1/embeddings", json, &body);
    body.length = 0;
    srv_text_print(&body, "{\"input\":[\"cat\",{\"image\":\"data:image/png;base64,%s\"}]}", cat);
    add_post(&all->requests[1], "/v1/embeddings", json, &body);
    body.length = 0;
    srv_text_print(&body, "{\"images\":[\"%s\",\"%s\"],\"labels\":[\"cat\",\"dog\"],\"templates\":[\"a {}\",\"{}\"]}",
                   cat, dog);
    add_post(&all->requests[2], "/v1/classify", json, &body);
    body.length = 0;
    srv_text_print(&body, "--XX\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na dog\r\n"
                          "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n");
    srv_text_add(&body, file, size);
    srv_text_print(&body, "\r\n--XX--\r\n");
    add_post(&all->requests[3], "/v1/similarity", form, &body);
    srv_text_print(&all->requests[4], "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n");
    srv_text_print(&all->requests[5], "GET /app.js HTTP/1.1\r\nHost: localhost\r\nX-Padding: a\r\n\r\n");
    srv_text_done(&body);
    free(cat);
    free(dog);
    free(file);
}

/* ---- clients ---- */

typedef struct hostile_client {
    pthread_t thread;
    int port;
    uint64_t first, answers, refusals, plain; /* plain: refused by the HTTP library, in its own words */
    const example *examples;
    const hostile_seeds *seeds;
    char failure[512];
} hostile_client;

static void send_request(int fd, uint64_t n, const srv_text *request)
{
    const size_t half = n % 3 == 0 ? request->length / 2 : 0; /* often in two pieces */
    client_send(fd, request->bytes, half);
    client_send(fd, request->bytes + half, request->length - half);
}

static void part(int fd, hostile_parting parting)
{
    const struct linger reset = {.l_onoff = 1};
    if (parting == PARTS_WITH_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    else if (parting == PARTS_READING)
        shutdown(fd, SHUT_WR);
}

/* What no client should ever read. */
static bool tells_too_much(const char *body)
{
    static const char *const secrets[] = {MODELS, "/tmp/", "0x", ".c:", "libpng", "libjpeg", "Sanitizer"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (strstr(body, secrets[i]))
            return true;
    return false;
}

static bool is_problem(const reply *r)
{
    const char *type = reply_header(r, "Content-Type");
    json_t *json = json_loads(r->body, 0, NULL);
    const bool is = type && strncmp(type, "application/problem+json", 24) == 0 &&
                    json_integer_value(json_object_get(json, "status")) == r->status &&
                    json_string_length(json_object_get(json, "code")) > 0 &&
                    json_string_length(json_object_get(json, "detail")) > 0;
    json_decref(json);
    return is;
}

/* What is not HTTP, the library refuses before it comes to the server's own code. */
static bool is_plain_refusal(const reply *r)
{
    static const int statuses[] = {400, 411, 413, 414, 431, 501, 505};
    const char *connection = reply_header(r, "Connection");
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (r->status == statuses[i])
            return connection && strncasecmp(connection, "close", 5) == 0 && r->body_size < 300;
    return false;
}

static void check_answer(hostile_client *c, uint64_t n, const srv_text *request, const reply *r)
{
    const bool is_head = strncmp(request->bytes, "HEAD", 4) == 0;
    if (r->status == 0)
        return; /* closed, as it was wished */
    c->answers++;
    if (r->status >= 200 && r->status < 400)
        return;
    c->refusals++;
    if (is_head || is_problem(r)) {
        if (tells_too_much(r->body))
            snprintf(c->failure, sizeof c->failure, "request %llu: tells too much: %.300s", (unsigned long long)n,
                     r->body);
        return;
    }
    c->plain++;
    if (!is_plain_refusal(r))
        snprintf(c->failure, sizeof c->failure, "request %llu: status %d, no problem: %.100s %.200s",
                 (unsigned long long)n, r->status, r->headers, r->body);
}

static void be_hostile(hostile_client *c, uint64_t n)
{
    srv_text request = {0};
    const hostile_parting parting = hostile_request(&request, seed, n, c->seeds);
    const int fd = client_open(c->port);
    send_request(fd, n, &request);
    part(fd, parting);
    if (parting == PARTS_READING || parting == PARTS_WAITING) {
        reply r = client_read(fd, strncmp(request.bytes, "HEAD", 4) == 0);
        check_answer(c, n, &request, &r);
        reply_done(&r);
    }
    close(fd);
    srv_text_done(&request);
}

static void be_good(hostile_client *c, uint64_t n)
{
    const size_t which = (size_t)(n / 4 % GOOD);
    const int fd = client_open(c->port);
    send_request(fd, n, &c->examples->requests[which]);
    reply r = client_read(fd, 0);
    if (r.status != 200 || strcmp(r.body, c->examples->bodies[which]) != 0)
        snprintf(c->failure, sizeof c->failure, "request %llu: good request %zu has another answer: %d %.200s",
                 (unsigned long long)n, which, r.status, r.status ? r.body : "");
    reply_done(&r);
    close(fd);
}

static void *run_client(void *argument)
{
    hostile_client *c = argument;
    for (uint64_t n = c->first; n < requests && !c->failure[0]; n += CLIENTS)
        if (n / CLIENTS % 4 == 0)
            be_good(c, n);
        else
            be_hostile(c, n);
    return NULL;
}

/* ---- the test ---- */

/* One input a batch: the last bits of an embedding may depend on its company. */
static void open_alone(house *h)
{
    house_prepare(h);
    h->engine.max_batch[SRV_TEXT] = h->engine.max_batch[SRV_PICTURE] = 1;
    h->settings.timeout = 30;
    house_open(h);
}

static void test_hostile(void **state)
{
    house h;
    example examples = {0};
    hostile_client clients[CLIENTS];
    uint64_t answers = 0, refusals = 0, plain = 0;
    (void)state;
    open_alone(&h);
    make_examples(&examples);
    for (size_t i = 0; i < GOOD; i++) {
        const int fd = client_open(h.server.port);
        client_send(fd, examples.requests[i].bytes, examples.requests[i].length);
        reply r = client_read(fd, 0);
        assert_int_equal(r.status, 200);
        examples.bodies[i] = strdup(r.body);
        reply_done(&r);
        close(fd);
    }
    hostile_seeds seeds = {.requests = examples.requests, .n = GOOD};
    char *picture = demo_file("cat.png", &seeds.picture_size);
    seeds.picture = picture;
    for (uint64_t i = 0; i < CLIENTS; i++) {
        clients[i] = (hostile_client){.port = h.server.port, .first = i, .examples = &examples, .seeds = &seeds};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        answers += clients[i].answers;
        refusals += clients[i].refusals;
        plain += clients[i].plain;
    }
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].failure[0])
            fail_msg("%s", clients[i].failure);
    print_message("%llu requests: %llu of the hostile answered, %llu refused, %llu of these as no HTTP\n",
                  (unsigned long long)requests, (unsigned long long)answers, (unsigned long long)refusals,
                  (unsigned long long)plain);
    assert_true(answers > requests / 4 && refusals > answers / 2 && plain < answers / 2);
    house_close(&h);
    assert_int_equal(atomic_load(&h.metrics.gauges[SRV_HELD_BYTES]), 0);
    assert_int_equal(atomic_load(&h.metrics.gauges[SRV_CONNECTIONS]), 0);
    assert_int_equal(atomic_load(&h.metrics.gauges[SRV_QUEUE_TEXTS]), 0);
    assert_int_equal(atomic_load(&h.metrics.gauges[SRV_QUEUE_PICTURES]), 0);
    free(picture);
    for (size_t i = 0; i < GOOD; i++) {
        srv_text_done(&examples.requests[i]);
        free(examples.bodies[i]);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile)};
    if (argc > 1)
        requests = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
