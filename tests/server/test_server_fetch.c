/*
 * test_server_fetch.c: pictures from addresses: which addresses are let through, and what a server over TLS that means
 * no good can do. It is in this process, under a name that leads here in these tests alone.
 */
#include "client.h"
#include "house.h"
#include "netaddr.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- addresses ---- */

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return srv_address_is_public((const struct sockaddr *)(const void *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return srv_address_is_public((const struct sockaddr *)(const void *)&v6);
}

static void test_addresses(void **state)
{
    /* The first and last of each block, and the neighbours outside. */
    static const char *const refused[] = {"0.0.0.0",
                                          "0.255.255.255",
                                          "10.0.0.0",
                                          "10.255.255.255",
                                          "100.64.0.0",
                                          "100.127.255.255",
                                          "100.100.100.200",
                                          "127.0.0.1",
                                          "127.255.255.255",
                                          "168.63.129.16",
                                          "169.254.0.0",
                                          "169.254.169.254",
                                          "169.254.255.255",
                                          "172.16.0.0",
                                          "172.31.255.255",
                                          "192.0.0.0",
                                          "192.0.0.255",
                                          "192.0.2.1",
                                          "192.88.99.1",
                                          "192.168.0.0",
                                          "192.168.255.255",
                                          "198.18.0.0",
                                          "198.19.255.255",
                                          "198.51.100.1",
                                          "203.0.113.1",
                                          "224.0.0.0",
                                          "239.255.255.255",
                                          "240.0.0.0",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::ffff:8.8.8.8",
                                          "::ffff:127.0.0.1",
                                          "::127.0.0.1",
                                          "64:ff9b::8.8.8.8",
                                          "64:ff9b::10.0.0.1",
                                          "64:ff9b:1::1",
                                          "100::1",
                                          "2001::1",
                                          "2001:0:53aa:64c::1",
                                          "2001:10::1",
                                          "2001:20::1",
                                          "2001:1ff:ffff::1",
                                          "2001:db8::1",
                                          "2001:db8:ffff::1",
                                          "2002::1",
                                          "2002:7f00:1::1",
                                          "2002:ffff::1",
                                          "3fff::1",
                                          "3fff:fff::1",
                                          "4000::1",
                                          "5f00::1",
                                          "fc00::1",
                                          "fd00:ec2::254",
                                          "fdff::1",
                                          "fe80::1",
                                          "fec0::1",
                                          "ff02::1",
                                          "1fff:ffff::1"};
    static const char *const allowed[] = {"1.1.1.1",
                                          "8.8.8.8",
                                          "9.255.255.255",
                                          "11.0.0.0",
                                          "100.63.255.255",
                                          "100.128.0.0",
                                          "126.255.255.255",
                                          "128.0.0.0",
                                          "169.253.255.255",
                                          "169.255.0.0",
                                          "172.15.255.255",
                                          "172.32.0.0",
                                          "192.0.1.0",
                                          "192.167.255.255",
                                          "192.169.0.0",
                                          "198.17.255.255",
                                          "198.20.0.0",
                                          "223.255.255.255",
                                          "2000::1",
                                          "2001:200::1",
                                          "2001:4860:4860::8888",
                                          "2001:db7::1",
                                          "2001:db9::1",
                                          "2003::1",
                                          "2606:4700:4700::1111",
                                          "3ffe::1",
                                          "3fff:1000::1"};
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (is_public(refused[i]))
            fail_msg("%s is let through", refused[i]);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (!is_public(allowed[i]))
            fail_msg("%s is refused", allowed[i]);
    const struct sockaddr other = {.sa_family = AF_UNIX};
    assert_false(srv_address_is_public(&other));
}

/* ---- a server of pictures ---- */

typedef struct gallery {
    struct MHD_Daemon *daemon;
    char *picture, *authority, *key, *certificate;
    size_t size;
    char connect_to[64];
    atomic_int asked;
} gallery;

typedef struct shown {
    const char *path;
    unsigned status;
    const char *type, *location;
} shown;

static const shown shows[] = {
    {"/cat.png", 200, "image/png", NULL},
    {"/typed.png", 200, "Image/PNG; charset=binary", NULL},
    {"/page", 200, "text/html", NULL},
    {"/untyped", 200, NULL, NULL},
    {"/missing", 404, "image/png", NULL},
    {"/partial", 206, "image/png", NULL},
    {"/once", 302, NULL, "/cat.png"},
    {"/absolute", 301, NULL, "https://pictures.test/once"},
    {"/loop", 307, NULL, "/loop"},
    {"/to-http", 302, NULL, "http://pictures.test/cat.png"},
    {"/to-file", 302, NULL, "file:///etc/passwd"},
    {"/to-port", 302, NULL, "https://pictures.test:8443/cat.png"},
    {"/to-user", 302, NULL, "https://a:b@pictures.test/cat.png"},
    {"/to-local", 302, NULL, "https://127.0.0.1/cat.png"},
    {"/to-local-6", 302, NULL, "https://[::1]/cat.png"},
    {"/nowhere", 302, NULL, NULL},
};

static enum MHD_Result show(void *closure, struct MHD_Connection *connection, const char *url, const char *method,
                            const char *version, const char *data, size_t *data_size, void **state)
{
    gallery *g = closure;
    (void)method;
    (void)version;
    (void)data;
    (void)data_size;
    (void)state;
    atomic_fetch_add(&g->asked, 1);
    for (size_t i = 0; i < sizeof shows / sizeof *shows; i++) {
        if (strcmp(shows[i].path, url) != 0)
            continue;
        struct MHD_Response *response = MHD_create_response_from_buffer(g->size, g->picture, MHD_RESPMEM_PERSISTENT);
        if (shows[i].type)
            MHD_add_response_header(response, "Content-Type", shows[i].type);
        if (shows[i].location)
            MHD_add_response_header(response, "Location", shows[i].location);
        const enum MHD_Result result = MHD_queue_response(connection, shows[i].status, response);
        MHD_destroy_response(response);
        return result;
    }
    return MHD_NO; /* closes without a word */
}

static char *read_text(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, TLS "/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 8192);
    assert_non_null(text);
    assert_true(fread(text, 1, 8191, file) > 0);
    fclose(file);
    return text;
}

static void open_gallery(gallery *g)
{
    memset(g, 0, sizeof *g);
    g->picture = demo_file("cat.png", &g->size);
    g->key = read_text("server.key.pem");
    g->certificate = read_text("server.pem");
    g->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, show, g,
                         MHD_OPTION_HTTPS_MEM_KEY, g->key, MHD_OPTION_HTTPS_MEM_CERT, g->certificate, MHD_OPTION_END);
    assert_non_null(g->daemon);
    snprintf(g->connect_to, sizeof g->connect_to, "pictures.test:443:127.0.0.1:%u",
             MHD_get_daemon_info(g->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
}

static void close_gallery(gallery *g)
{
    MHD_stop_daemon(g->daemon);
    free(g->picture);
    free(g->key);
    free(g->certificate);
}

static bool is_any(const struct sockaddr *address)
{
    (void)address;
    return true;
}

static bool goes_on(void *closure)
{
    (void)closure;
    return true;
}

static bool has_memory(void *closure, size_t bytes)
{
    size_t *left = closure;
    if (bytes > *left)
        return false;
    *left -= bytes;
    return true;
}

typedef struct visit {
    gallery gallery;
    srv_download_rules rules;
    size_t memory;
    srv_download_client client;
    char *bytes;
    size_t size;
} visit;

static int begin_visit(void **state)
{
    if (!MHD_is_feature_supported(MHD_FEATURE_TLS) || !srv_can_download()) {
        *state = NULL;
        return 0;
    }
    visit *v = calloc(1, sizeof *v);
    assert_non_null(v);
    open_gallery(&v->gallery);
    v->rules = (srv_download_rules){.max_bytes = 1 << 20,
                                    .timeout = 60,
                                    .max_redirects = 3,
                                    .is_allowed = is_any,
                                    .authorities = TLS "/authority.pem",
                                    .connect_to = v->gallery.connect_to};
    v->memory = 4 << 20;
    v->client = (srv_download_client){goes_on, has_memory, &v->memory};
    *state = v;
    return 0;
}

static int end_visit(void **state)
{
    visit *v = *state;
    if (v)
        close_gallery(&v->gallery);
    free(v);
    return 0;
}

static visit *visit_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static void expect_picture(visit *v, const char *url)
{
    const char *reason = srv_download(url, &v->rules, &v->client, &v->bytes, &v->size);
    if (reason)
        fail_msg("%s: %s", url, reason);
    assert_int_equal(v->size, v->gallery.size);
    assert_memory_equal(v->bytes, v->gallery.picture, v->size);
    free(v->bytes);
}

static void expect_nothing(visit *v, const char *url, const char *words)
{
    const char *reason = srv_download(url, &v->rules, &v->client, &v->bytes, &v->size);
    if (!reason || !strstr(reason, words))
        fail_msg("%s: %s", url, reason ? reason : "came");
    assert_null(v->bytes);
    assert_int_equal(v->size, 0);
}

/* What every failure of the network, the far server or a rule is called. */
static const char nothing[] = "no picture could be fetched";

static void test_pictures_come(void **state)
{
    visit *v = visit_of(state);
    expect_picture(v, "https://pictures.test/cat.png");
    expect_picture(v, "HTTPS://pictures.test:443/cat.png#fragment");
    expect_picture(v, "https://pictures.test/typed.png");
    expect_picture(v, "https://pictures.test/once");
    expect_picture(v, "https://pictures.test/absolute");
}

static void test_addresses_that_are_refused(void **state)
{
    static const char *const urls[] = {"http://pictures.test/cat.png",
                                       "https://pictures.test:8443/cat.png",
                                       "https://a:b@pictures.test/cat.png",
                                       "https://a@pictures.test/cat.png",

                                       "https://",
                                       "https:cat.png",
                                       "file:///etc/passwd",
                                       "ftp://pictures.test/",
                                       "gopher://pictures.test/",
                                       "https://pictures.test:0/",
                                       "https://pictures.test:99999/",
                                       "https://pictures .test/",
                                       "https://[::1/",
                                       ""};
    visit *v = visit_of(state);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        expect_nothing(v, urls[i], "https addresses alone");
    char longer[4096];
    memset(longer, 'a', sizeof longer);
    memcpy(longer, "https://pictures.test/", 22);
    longer[4095] = '\0';
    expect_nothing(v, longer, "https addresses alone");
    assert_int_equal(atomic_load(&v->gallery.asked), 0);
}

static void test_answers_that_are_refused(void **state)
{
    visit *v = visit_of(state);
    expect_nothing(v, "https://pictures.test/page", "is no picture");
    expect_nothing(v, "https://pictures.test/untyped", "is no picture");
    expect_nothing(v, "https://pictures.test/missing", nothing);
    expect_nothing(v, "https://pictures.test/partial", nothing);
    expect_nothing(v, "https://pictures.test/closes", nothing);
    expect_nothing(v, "https://pictures.test/nowhere", nothing);
    v->rules.max_bytes = v->gallery.size - 1;
    expect_nothing(v, "https://pictures.test/cat.png", "too large");
    v->rules.max_bytes = v->gallery.size;
    expect_picture(v, "https://pictures.test/cat.png");
    v->memory = 10;
    expect_nothing(v, "https://pictures.test/cat.png", "out of memory");
}

static void test_redirects_that_are_refused(void **state)
{
    static const char *const paths[] = {"loop", "to-http", "to-file", "to-port", "to-user"};
    visit *v = visit_of(state);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char url[128];
        snprintf(url, sizeof url, "https://pictures.test/%s", paths[i]);
        atomic_store(&v->gallery.asked, 0);
        expect_nothing(v, url, nothing);
        assert_int_equal(atomic_load(&v->gallery.asked), i == 0 ? 4 : 1);
    }
}

/* A name that leads to this machine is refused where the connection would begin, whatever it was called before. */
static void test_private_addresses(void **state)
{
    static const char *const urls[] = {"https://pictures.test/cat.png",
                                       "https://localhost/",
                                       "https://127.0.0.1/",
                                       "https://[::1]/",
                                       "https://2130706433/",
                                       "https://0x7f.1/",
                                       "https://[::ffff:127.0.0.1]/",
                                       "https://169.254.169.254/"};
    visit *v = visit_of(state);
    v->rules.is_allowed = srv_address_is_public;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        expect_nothing(v, urls[i], nothing);
    assert_int_equal(atomic_load(&v->gallery.asked), 0);
}

/* Lets the first connection through, and no other. */
static bool is_first(const struct sockaddr *address)
{
    static const char *const ours = "\x7f\0\0\1";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    return address->sa_family == AF_INET && memcmp(&v4->sin_addr, ours, 4) == 0 && ntohs(v4->sin_port) != 443;
}

static void test_redirects_to_private_addresses(void **state)
{
    visit *v = visit_of(state);
    v->rules.is_allowed = is_first;
    expect_nothing(v, "https://pictures.test/to-local", nothing);
    expect_nothing(v, "https://pictures.test/to-local-6", nothing);
    assert_int_equal(atomic_load(&v->gallery.asked), 2);
}

static void test_certificates(void **state)
{
    visit *v = visit_of(state);
    char other[64];
    snprintf(other, sizeof other, "other.test%s", v->gallery.connect_to + strlen("pictures.test"));
    v->rules.connect_to = other; /* which the certificate does not name */
    expect_nothing(v, "https://other.test/cat.png", nothing);
    v->rules.connect_to = v->gallery.connect_to;
    v->rules.authorities = NULL; /* the system's, who do not know ours */
    expect_nothing(v, "https://pictures.test/cat.png", nothing);
    assert_int_equal(atomic_load(&v->gallery.asked), 0);
}

static bool breaks_off(void *closure)
{
    (void)closure;
    return false;
}

static void test_time_and_clients_end_it(void **state)
{
    visit *v = visit_of(state);
    v->rules.timeout = 0;
    expect_nothing(v, "https://pictures.test/cat.png", nothing);
    v->rules.timeout = 60;
    v->client.goes_on = breaks_off;
    expect_nothing(v, "https://pictures.test/cat.png", nothing);
}

/* ---- requests ---- */

static void expect_refused(reply r, const char *words)
{
    assert_int_equal(r.status, 400);
    if (!strstr(r.body, words))
        fail_msg("%s", r.body);
    reply_done(&r);
}

static void test_requests(void **state)
{
    visit *v = visit_of(state);
    house h;
    house_prepare(&h);
    const srv_fetcher_options options = {.threads = 2,
                                         .max_waiting = 16,
                                         .rules = v->rules,
                                         .metrics = &h.metrics,
                                         .is_wanted = srv_request_wants,
                                         .reserve = srv_request_reserve_for,
                                         .done = srv_request_fetched};
    h.service.fetcher = srv_fetcher_open(&options);
    assert_non_null(h.service.fetcher);
    house_open(&h);
    const int port = h.server.port;
    const char *path = "/v1/embeddings";
    char *cat = demo_base64("cat.png");
    reply sent = client_post(port, path, "{\"input\":[{\"image\":\"%s\"},\"a cat\"]}", cat);
    reply named = client_post(port, path, "{\"input\":[{\"image\":\"https://pictures.test/once\"},\"a cat\"]}");
    assert_int_equal(named.status, 200);
    assert_string_equal(named.body, sent.body);
    reply_done(&named);
    reply_done(&sent);
    expect_refused(client_post(port, path, "{\"input\":[\"a\",{\"image\":\"https://pictures.test/page\"}]}"),
                   "input[1]");
    expect_refused(client_post(port, path, "{\"input\":[{\"image\":\"http://pictures.test/cat.png\"}]}"),
                   "https addresses alone");
    expect_refused(
        client_post(port, "/v1/classify", "{\"image\":{\"url\":\"https://pictures.test/missing\"},\"labels\":[\"a\"]}"),
        nothing);
    srv_text many = {0};
    for (int i = 0; i < 17; i++)
        srv_text_print(&many, "%s{\"image\":\"https://pictures.test/cat.png\"}", i > 0 ? "," : "");
    expect_refused(client_post(port, path, "{\"input\":[%s]}", many.bytes), "input[16]: too many");
    srv_text_done(&many);
    reply text = client_post(port, path, "{\"input\":\"https://pictures.test/cat.png\"}"); /* is no picture */
    assert_int_equal(text.status, 200);
    reply_done(&text);
    free(cat);
    srv_server_drain(&h.server);
    srv_fetcher_close(h.service.fetcher);
    assert_int_equal(atomic_load(&h.metrics.gauges[SRV_HELD_BYTES]), 0);
    srv_engine_close(h.service.engine);
    align_context_free(h.context);
    align_model_free(h.model);
    align_processor_free(h.processor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test_setup_teardown(test_pictures_come, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_addresses_that_are_refused, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_answers_that_are_refused, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_redirects_that_are_refused, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_private_addresses, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_redirects_to_private_addresses, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_certificates, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_time_and_clients_end_it, begin_visit, end_visit),
        cmocka_unit_test_setup_teardown(test_requests, begin_visit, end_visit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
