/* test_server_memory.c: whichever allocation fails, its request gets a problem or is cut off, and the next one is
 * answered. */
#include "client.h"
#include "house.h"
#include "scarce.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What failed could be done without (the cache), or a problem was told, or there was no memory even for that. */
static void expect_told(reply *r)
{
    if (r->status != 0 && r->status != 200) {
        json_t *json = reply_json(r);
        if (r->status != 503 && r->status != 500)
            fail_msg("status %d: %s", r->status, r->body);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), r->status);
        json_decref(json);
    }
    reply_done(r);
}

static void expect_good(reply r)
{
    if (r.status != 200)
        fail_msg("status %d: %s", r.status, r.body);
    reply_done(&r);
}

/* Lets the first allocation fail, then the second, until none is left to fail. */
static void sweep(const char *path, const char *type, const char *body, size_t size)
{
    house *h = malloc(sizeof *h);
    house_prepare(h);
    h->engine.cache_bytes = 4096;
    house_open(h);
    bool failed = true;
    for (long n = 0; failed; n++) {
        expect_good(client_ask(h->server.port, "POST", path, type, body, size));
        scarce_fail_after(n);
        reply r = client_ask(h->server.port, "POST", path, type, body, size);
        failed = scarce_end();
        expect_told(&r);
        assert_true(n < 10000);
    }
    house_close(h);
    free(h);
}

static void test_embeddings(void **state)
{
    (void)state;
    char *cat = demo_base64("cat.png");
    srv_text body = {0};
    srv_text_print(&body, "{\"input\":[\"a cat\",[5,6],{\"image\":\"%s\"}],\"encoding_format\":\"base64\"}", cat);
    sweep("/v1/embeddings", "Content-Type: application/json\r\n", body.bytes, body.length);
    srv_text_done(&body);
    free(cat);
}

static void test_classify_by_form(void **state)
{
    (void)state;
    size_t size;
    char *cat = demo_file("cat.png", &size);
    srv_text body = {0};
    srv_text_print(&body, "--XX\r\nContent-Disposition: form-data; name=\"label\"\r\n\r\ncat\r\n"
                          "--XX\r\nContent-Disposition: form-data; name=\"template\"\r\n\r\na {}\r\n"
                          "--XX\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n");
    srv_text_add(&body, cat, size);
    srv_text_print(&body, "\r\n--XX--\r\n");
    sweep("/v1/classify", "Content-Type: multipart/form-data; boundary=XX\r\n", body.bytes, body.length);
    srv_text_done(&body);
    free(cat);
}

static void test_similarity(void **state)
{
    (void)state;
    static const char body[] = "{\"left\":[\"a\",\"b\"],\"right\":[\"c\"]}";
    sweep("/v1/similarity", "Content-Type: application/json\r\n", body, sizeof body - 1);
}

/* The server does not begin with half of what it needs. */
static void test_start(void **state)
{
    (void)state;
    bool failed = true;
    house *h = malloc(sizeof *h);
    house_prepare(h);
    for (long n = 0; failed; n++) {
        align_error err = ALIGN_ERROR_INIT;
        scarce_fail_after(n);
        scarce_spare_me(false);
        align_status status = srv_engine_open(&h->service.engine, h->model, h->context, h->processor, &h->engine, &err);
        const bool has_engine = status == ALIGN_OK;
        if (has_engine)
            status = srv_server_start(&h->server, &h->service, &h->settings, &err);
        scarce_spare_me(true);
        failed = scarce_end();
        assert_int_equal(status == ALIGN_OK, !failed);
        assert_int_equal(status, err.status);
        if (status == ALIGN_OK)
            srv_server_drain(&h->server);
        if (has_engine)
            srv_engine_close(h->service.engine);
    }
    house_release(h);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embeddings),
        cmocka_unit_test(test_classify_by_form),
        cmocka_unit_test(test_similarity),
        cmocka_unit_test(test_start),
    };
    scarce_spare_me(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
