/* test_server_openapi.c: what is sent and answered is what the description says, down to the last member. */
#include "client.h"
#include "house.h"
#include "routes.h"
#include "schema.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct setting {
    house house;
    json_t *document;
} setting;

static int open_house(void **state)
{
    setting *s = malloc(sizeof *s);
    house_prepare(&s->house);
    house_open(&s->house);
    reply r = client_ask(s->house.server.port, "GET", "/openapi.json", "", NULL, 0);
    s->document = reply_json(&r);
    reply_done(&r);
    *state = s;
    return 0;
}

static int close_house(void **state)
{
    setting *s = *state;
    json_decref(s->document);
    house_close(&s->house);
    free(s);
    return 0;
}

static const json_t *method_of(const setting *s, const char *method, const char *path)
{
    const json_t *about = json_object_get(json_object_get(json_object_get(s->document, "paths"), path), method);
    if (!about)
        fail_msg("%s %s is not described", method, path);
    return about;
}

/* The answer is one that the description has for the method. */
static void expect_described(const setting *s, const json_t *method, const char *path, reply r)
{
    char type[64], at[256] = "";
    const char *header = reply_header(&r, "Content-Type");
    snprintf(type, sizeof type, "%.*s", (int)strcspn(header, ";\r"), header);
    const json_t *schema = schema_of_answer(s->document, method, r.status, type);
    if (!schema)
        fail_msg("%s: an answer of status %d, %s, is not described", path, r.status, type);
    if (strstr(type, "json")) {
        json_t *body = reply_json(&r);
        if (!schema_fits(s->document, schema, body, at, sizeof at))
            fail_msg("%s, status %d: %s", path, r.status, at);
        json_decref(body);
    }
    reply_done(&r);
}

static void test_gets(void **state)
{
    const setting *s = *state;
    for (size_t i = 0; i < srv_n_routes; i++) {
        const srv_route *route = &srv_routes[i];
        if (strcmp(route->method, "GET") != 0)
            continue;
        char path[128];
        snprintf(path, sizeof path, "%.*s%s", (int)strcspn(route->path, "{"), route->path,
                 strchr(route->path, '{') ? "emoji" : "");
        expect_described(s, method_of(s, "get", route->path), route->path,
                         client_ask(s->house.server.port, "GET", path, "", NULL, 0));
    }
}

/* What is sent fits the description of a request if `fits`, and so does the answer, whatever it is. */
static void post(const setting *s, const char *path, const char *body, int status, bool fits)
{
    const json_t *method = method_of(s, "post", path);
    const json_t *content = json_object_get(json_object_get(method, "requestBody"), "content");
    const json_t *schema = json_object_get(json_object_get(content, "application/json"), "schema");
    char at[256] = "";
    json_t *sent = json_loads(body, 0, NULL);
    if (schema_fits(s->document, schema, sent, at, sizeof at) != fits)
        fail_msg("%s: %.80s: %s", path, body, fits ? at : "should not fit the description");
    json_decref(sent);
    reply r = client_post(s->house.server.port, path, "%s", body);
    if (r.status != status)
        fail_msg("%s: %.80s: status %d: %s", path, body, r.status, r.body);
    expect_described(s, method, path, r);
}

static void test_embeddings(void **state)
{
    const setting *s = *state;
    post(s, "/v1/embeddings", "{\"input\":\"a\"}", 200, true);
    post(s, "/v1/embeddings", "{\"input\":[\"a\",{\"text\":\"b\"},[5,6]],\"model\":\"emoji\",\"user\":\"u\"}", 200,
         true);
    post(s, "/v1/embeddings", "{\"input\":[5,6],\"encoding_format\":\"base64\",\"dimensions\":256}", 200, true);
    post(s, "/v1/embeddings", "{\"input\":{\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}}", 200, true);
    post(s, "/v1/embeddings", "{\"input\":{\"type\":\"text\",\"text\":\"b\"},\"truncate\":false}", 200, true);
    post(s, "/v1/embeddings", "{\"input\":{\"image\":\"aGVsbG8=\"},\"modality\":\"image\"}", 400, true);
    post(s, "/v1/embeddings", "{\"input\":{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}}", 400, true);
    post(s, "/v1/embeddings", "{\"input\":\"a\",\"model\":\"other\"}", 404, true);
    post(s, "/v1/embeddings", "{\"input\":\"a\",\"encoding_format\":\"int8\"}", 400, false);
    post(s, "/v1/embeddings", "{\"input\":\"a\",\"dimensions\":0}", 400, false);
    post(s, "/v1/embeddings", "{\"input\":[-1]}", 400, false);
    post(s, "/v1/embeddings", "{\"input\":[]}", 400, false);
    post(s, "/v1/embeddings", "{}", 400, false);
}

static void test_classify_and_similarity(void **state)
{
    const setting *s = *state;
    char *cat = demo_base64("cat.png");
    srv_text body = {0};
    srv_text_print(
        &body, "{\"images\":[\"%s\"],\"labels\":[\"cat\",\"dog\"],\"templates\":[\"a {}\"],\"top\":1,\"multi\":true}",
        cat);
    post(s, "/v1/classify", body.bytes, 200, true);
    body.length = 0;
    srv_text_print(&body, "{\"image\":{\"url\":\"data:image/png;base64,%s\"},\"labels\":\"cat\",\"template\":\"a {}\"}",
                   cat);
    post(s, "/v1/classify", body.bytes, 200, true);
    post(s, "/v1/classify", "{\"image\":\"x\",\"labels\":[7]}", 400, false);
    body.length = 0;
    srv_text_print(&body, "{\"images\":[\"%s\"],\"texts\":[\"cat\",[5,6]],\"model\":\"emoji\"}", cat);
    post(s, "/v1/similarity", body.bytes, 200, true);
    post(s, "/v1/similarity", "{\"left\":[\"cat\"],\"right\":[\"dog\",\"bird\"]}", 200, true);
    post(s, "/v1/similarity", "{\"left\":[\"cat\"]}", 400, false);
    srv_text_done(&body);
    free(cat);
}

static void test_search_without_an_index(void **state)
{
    post(*state, "/v1/search", "{\"text\":\"a cat\"}", 404, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gets),
        cmocka_unit_test(test_embeddings),
        cmocka_unit_test(test_classify_and_similarity),
        cmocka_unit_test(test_search_without_an_index),
    };
    return cmocka_run_group_tests(tests, open_house, close_house);
}
