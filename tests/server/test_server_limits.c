/* test_server_limits.c: what is refused to protect the server, and that it says so. */
#include "client.h"
#include "house.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define JSON "Content-Type: application/json\r\n"

static house *build_house(void)
{
    house *h = malloc(sizeof *h);
    assert_non_null(h);
    house_prepare(h);
    return h;
}

static int open_house(void **state)
{
    house *h = build_house();
    house_open(h);
    *state = h;
    return 0;
}

static int close_house(void **state)
{
    house_close(*state);
    free(*state);
    return 0;
}

static int port_of(void **state)
{
    return ((house *)*state)->server.port;
}

static void expect_problem(reply r, int status, const char *code)
{
    assert_int_equal(r.status, status);
    json_t *json = reply_json(&r);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
    assert_string_equal(json_string_value(json_object_get(json, "code")), code);
    json_decref(json);
    reply_done(&r);
}

static void expect_ok(reply r)
{
    if (r.status != 200)
        fail_msg("status %d: %s", r.status, r.body);
    reply_done(&r);
}

/* So many copies of a text; to be released. */
static srv_text repeated(const char *text, size_t n)
{
    srv_text out = {0};
    for (size_t i = 0; i < n; i++)
        srv_text_add(&out, text, strlen(text));
    assert_false(out.failed);
    return out;
}

/* ---- headers and bodies ---- */

static void test_headers(void **state)
{
    const int port = port_of(state);
    const char *path = "/v1/embeddings", *body = "{\"input\":\"cat\"}";
    const size_t n = strlen(body);
    expect_problem(client_ask(port, "POST", path, JSON, NULL, 0), 411, "length_required");
    expect_problem(client_ask(port, "POST", path, JSON "Content-Encoding: gzip\r\n", body, n), 415, "wrong_encoding");
    expect_ok(client_ask(port, "POST", path, JSON "Content-Encoding: identity\r\n", body, n));
    expect_ok(client_ask(port, "POST", path, "Content-Type: application/json; charset=utf-8\r\n", body, n));
    expect_problem(client_ask(port, "POST", path, "Content-Type: application/jsonp\r\n", body, n), 415, "wrong_type");
    expect_problem(client_ask(port, "POST", path, "Content-Type: text/plain\r\n", body, n), 415, "wrong_type");
    expect_problem(client_ask(port, "POST", path, JSON "Content-Length: 2000000\r\n", NULL, 0), 413, "body_too_large");
    reply r = client_ask(port, "PATCH", path, "", NULL, 0);
    assert_int_equal(strncmp(reply_header(&r, "Allow"), "POST", 4), 0);
    expect_problem(r, 405, "wrong_method");
}

static void test_long_heads(void **state)
{
    const int port = port_of(state);
    srv_text head = {0}, filler = repeated("a", 17000), arguments = repeated("a&", 100);
    srv_text_print(&head, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", filler.bytes);
    int fd = client_open(port);
    client_send(fd, head.bytes, head.length);
    expect_problem(client_read(fd, 0), 431, "headers_too_large");
    close(fd);
    head.length = 0;
    srv_text_print(&head, "/healthz?%s", arguments.bytes);
    expect_problem(client_ask(port, "GET", head.bytes, "", NULL, 0), 400, "too_many_arguments");
    srv_text_done(&head);
    srv_text_done(&filler);
    srv_text_done(&arguments);
}

/* Whatever the answer is, a browser is told to make nothing of it. */
static void test_security_headers(void **state)
{
    static const char *const paths[] = {"/", "/healthz", "/nothing", "/v1/embeddings"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        reply r = client_ask(port_of(state), "GET", paths[i], "", NULL, 0);
        assert_int_equal(strncmp(reply_header(&r, "X-Content-Type-Options"), "nosniff", 7), 0);
        assert_int_equal(strncmp(reply_header(&r, "Content-Security-Policy"), "default-src 'none'", 18), 0);
        assert_int_equal(strncmp(reply_header(&r, "X-Frame-Options"), "DENY", 4), 0);
        assert_int_equal(strncmp(reply_header(&r, "Cross-Origin-Resource-Policy"), "same-origin", 11), 0);
        assert_null(reply_header(&r, "Access-Control-Allow-Origin"));
        assert_null(reply_header(&r, "Server"));
        reply_done(&r);
    }
}

/* ---- JSON ---- */

static void test_json_that_grows(void **state)
{
    const int port = port_of(state);
    const char *path = "/v1/embeddings";
    srv_text deep = repeated("[", 33), opened = repeated("[", 100000), wide = repeated("{},", 600);
    expect_problem(client_post(port, path, "{\"input\":\"a\",\"more\":%s", deep.bytes), 400, "too_deep");
    expect_problem(client_post(port, path, "%s", opened.bytes), 400, "too_deep");
    expect_problem(client_post(port, path, "{\"input\":\"a\",\"more\":[%s{}]}", wide.bytes), 413, "too_many_values");
    expect_problem(client_post(port, path, "{\"input\":\"a\",\"input\":\"b\"}"), 400, "invalid_json");
    expect_problem(client_post(port, path, "{\"input\":NaN}"), 400, "invalid_json");
    expect_problem(client_post(port, path, "{\"input\":\"a\",\"dimensions\":1e999}"), 400, "invalid_json");
    expect_problem(client_post(port, path, "{\"input\":\"a\",\"dimensions\":-9223372036854775808}"), 400,
                   "invalid_value");
    expect_problem(client_post(port, path, "{\"input\":\"\\ud800\"}"), 400, "invalid_json");
    expect_problem(client_post(port, path, "{\"input\":\"\xC0\xAF\"}"), 400, "invalid_json");
    expect_ok(client_post(port, path, "{\"input\":\"[[[[{{{{\\\"\\\\\",\"more\":[[[[]]]]}"));
    srv_text_done(&deep);
    srv_text_done(&opened);
    srv_text_done(&wide);
}

static void test_long_text(void **state)
{
    house *h = build_house();
    (void)state;
    h->settings.max_body = 4 << 20;
    house_open(h);
    srv_text words = repeated("a ", 1 << 19);
    expect_ok(client_post(h->server.port, "/v1/embeddings", "{\"input\":\"%s\"}", words.bytes));
    reply r = client_post(h->server.port, "/v1/embeddings", "{\"input\":[\"cat\",\"%sa\"]}", words.bytes);
    expect_problem(r, 400, "invalid_input");
    srv_text_done(&words);
    house_close(h);
    free(h);
}

/* A few bytes that ask for many. */
static void test_templates_that_grow(void **state)
{
    const int port = port_of(state);
    const char *path = "/v1/classify";
    srv_text holes = repeated("{}", 3000), label = repeated("a", 900), longer = repeated("a", 1025);
    char *cat = demo_base64("cat.png");
    expect_problem(client_post(port, path, "{\"image\":\"%s\",\"labels\":[\"%s\"],\"template\":\"%s\"}", cat,
                               label.bytes, holes.bytes),
                   400, "invalid_value");
    expect_problem(client_post(port, path, "{\"image\":\"%s\",\"labels\":[\"a\",\"%s\"]}", cat, longer.bytes), 400,
                   "invalid_value");
    expect_ok(client_post(port, path, "{\"image\":\"%s\",\"labels\":[\"a\",\"%s\"],\"template\":\"a {} {}\"}", cat,
                          label.bytes));
    free(cat);
    srv_text_done(&holes);
    srv_text_done(&label);
    srv_text_done(&longer);
}

/* ---- pictures ---- */

static void put32(unsigned char *to, unsigned value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (24 - 8 * i));
}

static unsigned crc_of(const unsigned char *bytes, size_t n)
{
    unsigned crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    return ~crc;
}

/* A head of a PNG that says it is as large as that, with nothing behind. */
static void test_pictures_that_grow(void **state)
{
    static const unsigned sizes[][2] = {
        {100000, 100000}, {0x7FFFFFFF, 0x7FFFFFFF}, {1, 0x7FFFFFFF}, {0, 5}, {1001, 1000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char png[45] = "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR";
        srv_text text = {0};
        put32(png + 16, sizes[i][0]);
        put32(png + 20, sizes[i][1]);
        memcpy(png + 24, "\x08\x02\0\0\0", 5);
        put32(png + 29, crc_of(png + 12, 17));
        memcpy(png + 33, "\0\0\0\0IDAT", 8);
        put32(png + 41, crc_of(png + 37, 4));
        srv_text_base64(&text, png, sizeof png);
        reply r = client_post(port_of(state), "/v1/embeddings", "{\"input\":[{\"image\":\"%s\"}]}", text.bytes);
        assert_null(strstr(r.body, "png"));
        assert_null(strstr(r.body, "0x"));
        assert_null(strstr(r.body, "/tmp"));
        expect_problem(r, 400, "invalid_input");
        srv_text_done(&text);
    }
}

/* ---- all requests together ---- */

static void test_rate(void **state)
{
    house *h = build_house();
    (void)state;
    h->settings.client_rate = 1e-6; /* one, and then none for days */
    house_open(h);
    expect_ok(client_ask(h->server.port, "GET", "/healthz", "", NULL, 0));
    reply r = client_ask(h->server.port, "GET", "/healthz", "", NULL, 0);
    assert_int_equal(atoi(reply_header(&r, "Retry-After")), 3600);
    expect_problem(r, 429, "too_often");
    assert_int_equal(atomic_load(&h->metrics.counters[SRV_OFTEN]), 1);
    house_close(h);
    free(h);
}

/* Memory that others hold is not there, and comes back. */
static void test_memory(void **state)
{
    house *h = build_house();
    (void)state;
    h->settings.max_held = 100000;
    house_open(h);
    const int port = h->server.port;
    const char *path = "/v1/embeddings";
    srv_text ids = repeated("1,", 30000);
    reply r = client_post(port, path, "{\"input\":[%s1]}", ids.bytes);
    assert_int_equal(atoi(reply_header(&r, "Retry-After")), 1);
    expect_problem(r, 503, "busy");
    const int fd = client_open(port); /* somebody who sends most of a body, and waits */
    const char *head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 99999\r\n\r\n";
    client_send(fd, head, strlen(head));
    srv_text most = repeated(" ", 99990);
    client_send(fd, most.bytes, most.length);
    while (atomic_load(&h->metrics.gauges[SRV_HELD_BYTES]) < 99990)
        usleep(1000);
    expect_problem(client_post(port, path, "{\"input\":\"cat\"}"), 503, "busy");
    expect_ok(client_ask(port, "GET", "/healthz", "", NULL, 0));
    close(fd);
    while (atomic_load(&h->metrics.gauges[SRV_HELD_BYTES]) > 0)
        usleep(1000);
    expect_ok(client_post(port, path, "{\"input\":\"cat\"}"));
    srv_text_done(&ids);
    srv_text_done(&most);
    house_close(h);
    assert_int_equal(atomic_load(&h->metrics.gauges[SRV_HELD_BYTES]), 0);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_headers, open_house, close_house),
        cmocka_unit_test_setup_teardown(test_long_heads, open_house, close_house),
        cmocka_unit_test_setup_teardown(test_security_headers, open_house, close_house),
        cmocka_unit_test_setup_teardown(test_json_that_grows, open_house, close_house),
        cmocka_unit_test_setup_teardown(test_templates_that_grow, open_house, close_house),
        cmocka_unit_test_setup_teardown(test_pictures_that_grow, open_house, close_house),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
