/* test_server_routes.c: what every route answers, good and bad, over a real connection. */
#include "client.h"
#include "house.h"
#include "routes.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int open_house(void **state)
{
    house *h = malloc(sizeof *h);
    house_prepare(h);
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

/* An answer that is a problem, with the status also in its body. */
static void expect_problem(reply r, int status, const char *code)
{
    assert_int_equal(r.status, status);
    assert_int_equal(strncmp(reply_header(&r, "Content-Type"), "application/problem+json", 24), 0);
    json_t *json = reply_json(&r);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
    assert_string_equal(json_string_value(json_object_get(json, "code")), code);
    assert_true(json_string_length(json_object_get(json, "detail")) > 0);
    assert_true(json_string_length(json_object_get(json, "title")) > 0);
    json_decref(json);
    reply_done(&r);
}

static json_t *expect_json(reply r)
{
    if (r.status != 200)
        fail_msg("status %d: %s", r.status, r.body);
    assert_int_equal(strncmp(reply_header(&r, "Content-Type"), "application/json", 16), 0);
    json_t *json = reply_json(&r);
    reply_done(&r);
    return json;
}

/* data[i].embedding of an answer, which must have unit length. */
static void get_embedding(const json_t *answer, size_t i, float *out)
{
    const json_t *item = json_array_get(json_object_get(answer, "data"), i);
    const json_t *embedding = json_object_get(item, "embedding");
    assert_int_equal(json_integer_value(json_object_get(item, "index")), i);
    assert_int_equal(json_array_size(embedding), 256);
    double sum = 0;
    for (size_t k = 0; k < 256; k++) {
        out[k] = (float)json_number_value(json_array_get(embedding, k));
        sum += (double)out[k] * (double)out[k];
    }
    assert_true(fabs(sum - 1) < 1e-5);
}

static void expect_same(const float *a, const float *b)
{
    for (size_t k = 0; k < 256; k++)
        assert_true(fabsf(a[k] - b[k]) < 1e-5f);
}

/* ---- embeddings ---- */

static void test_embeddings_of_texts(void **state)
{
    const int port = port_of(state);
    float one[256], two[256], alone[256];
    json_t *json =
        expect_json(client_post(port, "/v1/embeddings", "{\"input\":[\"a cat\",\"two dogs\"],\"model\":\"emoji\"}"));
    assert_string_equal(json_string_value(json_object_get(json, "object")), "list");
    assert_string_equal(json_string_value(json_object_get(json, "model")), "emoji");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "usage"), "prompt_tokens")), 8);
    get_embedding(json, 0, one);
    get_embedding(json, 1, two);
    json_decref(json);
    json = expect_json(client_post(port, "/v1/embeddings", "{\"input\":\"two dogs\"}"));
    get_embedding(json, 0, alone);
    expect_same(two, alone);
    json_decref(json);
}

static void test_embeddings_as_base64(void **state)
{
    const int port = port_of(state);
    float plain[256], packed[256];
    size_t n;
    json_t *json = expect_json(client_post(port, "/v1/embeddings", "{\"input\":\"a cat\"}"));
    get_embedding(json, 0, plain);
    json_decref(json);
    json = expect_json(client_post(port, "/v1/embeddings", "{\"input\":\"a cat\",\"encoding_format\":\"base64\"}"));
    const json_t *text = json_object_get(json_array_get(json_object_get(json, "data"), 0), "embedding");
    uint8_t bytes[2048];
    assert_true(json_string_length(text) < 2048);
    assert_true(srv_base64_decode(bytes, &n, json_string_value(text), json_string_length(text)));
    assert_int_equal(n, sizeof packed);
    memcpy(packed, bytes, sizeof packed);
    assert_memory_equal(plain, packed, sizeof packed); /* nine digits give back every bit */
    json_decref(json);
}

/* Ids of "a cat", with and without those around them, are that text. */
static void test_embeddings_of_ids(void **state)
{
    const house *h = *state;
    const char *text = "a cat";
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    align_encoding encoding = {0};
    options.padding = ALIGN_PAD_NONE;
    assert_int_equal(
        align_tokenizer_encode(align_processor_tokenizer(h->processor), &text, NULL, 1, &options, &encoding, NULL),
        ALIGN_OK);
    assert_int_equal(encoding.length, 4);
    const long long *ids = (const long long *)encoding.input_ids;
    float plain[256], given[256];
    json_t *json = expect_json(client_post(h->server.port, "/v1/embeddings",
                                           "{\"input\":[\"a cat\",{\"text\":[%lld,%lld]}]}", ids[1], ids[2]));
    get_embedding(json, 0, plain);
    get_embedding(json, 1, given);
    expect_same(plain, given);
    json_decref(json);
    json = expect_json(client_post(h->server.port, "/v1/embeddings", "{\"input\":[%lld,%lld,%lld,%lld]}", ids[0],
                                   ids[1], ids[2], ids[3]));
    get_embedding(json, 0, given);
    expect_same(plain, given);
    json_decref(json);
    align_encoding_done(&encoding);
}

static void test_pictures_in_all_forms(void **state)
{
    const int port = port_of(state);
    char *picture = demo_base64("cat.png");
    static const char *const forms[] = {
        "{\"image\":\"%s\"}",
        "{\"image\":\"data:image/png;base64,%s\"}",
        "\"data:image/png;base64,%s\"",
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,%s\"}}",
        "{\"content\":[{\"type\":\"image_base64\",\"image_base64\":\"%s\"}]}",
    };
    float first[256], other[256];
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        srv_text item = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        srv_text_print(&item, forms[i], picture);
#pragma GCC diagnostic pop
        json_t *json = expect_json(client_post(port, "/v1/embeddings", "{\"input\":[%s]}", item.bytes));
        get_embedding(json, 0, i == 0 ? first : other);
        if (i > 0)
            expect_same(first, other);
        json_decref(json);
        srv_text_done(&item);
    }
    json_t *json =
        expect_json(client_post(port, "/v1/embeddings", "{\"input\":\"%s\",\"modality\":\"image\"}", picture));
    get_embedding(json, 0, other);
    expect_same(first, other);
    json_decref(json);
    free(picture);
}

static void test_bad_embeddings(void **state)
{
    static const struct {
        const char *body, *code;
        int status;
    } cases[] = {
        {"", "invalid_json", 400},
        {"{", "invalid_json", 400},
        {"[1]", "invalid_json", 400},
        {"{}", "missing_input", 400},
        {"{\"input\":[]}", "missing_input", 400},
        {"{\"input\":null}", "missing_input", 400},
        {"{\"input\":7}", "invalid_input", 400},
        {"{\"input\":[\"a\",true]}", "invalid_input", 400},
        {"{\"input\":[{}]}", "invalid_input", 400},
        {"{\"input\":[{\"text\":\"a\",\"image\":\"b\"}]}", "invalid_input", 400},
        {"{\"input\":[{\"image\":7}]}", "invalid_input", 400},
        {"{\"input\":[{\"image\":\"https://example.org/a.png\"}]}", "invalid_input", 400},
        {"{\"input\":[{\"image\":\"data:image/png,x\"}]}", "invalid_input", 400},
        {"{\"input\":[{\"image\":\"!!!!\"}]}", "invalid_input", 400},
        {"{\"input\":[{\"image\":\"aGVsbG8=\"}]}", "invalid_input", 400},
        {"{\"input\":[{\"content\":[]}]}", "invalid_input", 400},
        {"{\"input\":[{\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]}]}", "invalid_input", 400},
        {"{\"input\":[{\"content\":[{\"content\":[{\"text\":\"b\"}]}]}]}", "invalid_input", 400},
        {"{\"input\":[[-1]]}", "invalid_input", 400},
        {"{\"input\":[[10900]]}", "invalid_input", 400},
        {"{\"input\":[[1.5]]}", "invalid_input", 400},
        {"{\"input\":[1,\"a\"]}", "invalid_input", 400},
        {"{\"input\":\"a\",\"encoding_format\":\"int8\"}", "invalid_value", 400},
        {"{\"input\":\"a\",\"encoding_format\":7}", "invalid_value", 400},
        {"{\"input\":\"a\",\"dimensions\":128}", "dimensions_not_supported", 400},
        {"{\"input\":\"a\",\"dimensions\":-1}", "invalid_value", 400},
        {"{\"input\":\"a\",\"dimensions\":256.0}", "invalid_value", 400},
        {"{\"input\":\"a\",\"dimensions\":99999999999999999999}", "invalid_json", 400},
        {"{\"input\":\"a\",\"modality\":\"smell\"}", "invalid_value", 400},
        {"{\"input\":\"a\",\"truncate\":1}", "invalid_value", 400},
        {"{\"input\":\"a\",\"model\":\"gpt\"}", "model_not_found", 404},
        {"{\"input\":\"a\\u0000b\"}", "invalid_json", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_problem(client_post(port_of(state), "/v1/embeddings", "%s", cases[i].body), cases[i].status,
                       cases[i].code);
}

static void test_embeddings_take_what_is_allowed(void **state)
{
    const int port = port_of(state);
    json_decref(expect_json(client_post(port, "/v1/embeddings",
                                        "{\"input\":\"a\",\"dimensions\":256,\"user\":\"u\",\"model\":"
                                        "\"text-embedding-3-small\",\"encoding_format\":null,\"other\":[{}]}")));
    json_t *json = expect_json(client_post(port, "/v1/embeddings", "{\"input\":\"\"}"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "usage"), "total_tokens")), 2);
    json_decref(json);
}

static void test_too_much(void **state)
{
    const int port = port_of(state);
    srv_text text = {0};
    for (int i = 0; i < 65; i++)
        srv_text_print(&text, "%s\"cat\"", i > 0 ? "," : "");
    expect_problem(client_post(port, "/v1/embeddings", "{\"input\":[%s]}", text.bytes), 400, "too_many_inputs");
    text.length = 0;
    for (int i = 0; i < 500000; i++)
        srv_text_add(&text, "[,", 2);
    expect_problem(client_post(port, "/v1/embeddings", "{\"input\":[%s]}", text.bytes), 413, "too_many_values");
    text.length = 0;
    for (int i = 0; i < 200; i++)
        srv_text_print(&text, "cat ");
    json_t *json = expect_json(client_post(port, "/v1/embeddings", "{\"input\":\"%s\"}", text.bytes));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "usage"), "prompt_tokens")), 64);
    json_decref(json);
    /* also where the embedding of the text that was cut is kept */
    expect_problem(client_post(port, "/v1/embeddings", "{\"input\":\"%s\",\"truncate\":false}", text.bytes), 400,
                   "invalid_input");
    srv_text_done(&text);
}

/* ---- classification and similarity ---- */

#define BOUNDARY    "Content-Type: multipart/form-data; boundary=XX\r\n"
#define FIELD(name) "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FORM_END    "--XX--\r\n"

/* A form with a picture, and fields before the end. */
static reply post_form(int port, const char *path, const char *picture, const char *fields)
{
    size_t size;
    char *bytes = demo_file(picture, &size);
    srv_text body = {0};
    srv_text_print(&body, "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"p\"\r\n\r\n");
    srv_text_add(&body, bytes, size);
    srv_text_print(&body, "\r\n%s", fields);
    reply r = client_ask(port, "POST", path, BOUNDARY, body.bytes, body.length);
    srv_text_done(&body);
    free(bytes);
    return r;
}

static const json_t *guess_of(const json_t *answer, size_t picture, size_t rank)
{
    const json_t *result = json_array_get(json_object_get(answer, "results"), picture);
    return json_array_get(json_object_get(result, "labels"), rank);
}

static void test_classify(void **state)
{
    const int port = port_of(state);
    char *cat = demo_base64("cat.png"), *dog = demo_base64("dog.png");
    json_t *json = expect_json(
        client_post(port, "/v1/classify",
                    "{\"images\":[\"%s\",{\"url\":\"data:image/png;base64,%s\"}],\"labels\":[\"car\",\"cat\",\"dog\"],"
                    "\"templates\":[\"{}\",\"a photo of a {}\"],\"top\":2}",
                    cat, dog));
    assert_int_equal(json_array_size(json_object_get(json, "results")), 2);
    assert_string_equal(json_string_value(json_object_get(guess_of(json, 0, 0), "label")), "cat");
    assert_string_equal(json_string_value(json_object_get(guess_of(json, 1, 0), "label")), "dog");
    assert_non_null(guess_of(json, 0, 1));
    assert_null(guess_of(json, 0, 2));
    assert_true(json_number_value(json_object_get(guess_of(json, 0, 0), "probability")) > 0.5);
    json_decref(json);
    free(cat);
    free(dog);
}

/* A form and JSON give the same. */
static void test_classify_form(void **state)
{
    const int port = port_of(state);
    char *cat = demo_base64("cat.png");
    json_t *sent = expect_json(post_form(
        port, "/v1/classify", "cat.png",
        FIELD("label") "car\r\n" FIELD("label") "cat\r\n" FIELD("template") "a {}\r\n" FIELD("top") "1\r\n" FORM_END));
    json_t *json = expect_json(client_post(
        port, "/v1/classify", "{\"image\":\"%s\",\"labels\":[\"car\",\"cat\"],\"template\":\"a {}\",\"top\":1}", cat));
    assert_string_equal(json_string_value(json_object_get(guess_of(sent, 0, 0), "label")), "cat");
    const double a = json_number_value(json_object_get(guess_of(sent, 0, 0), "logit"));
    const double b = json_number_value(json_object_get(guess_of(json, 0, 0), "logit"));
    assert_true(fabs(a - b) < 1e-4);
    json_decref(sent);
    json_decref(json);
    free(cat);
}

/* By itself a label's probability does not depend on the others, and it is what the logits say. */
static void test_classify_each_by_itself(void **state)
{
    const int port = port_of(state);
    char *cat = demo_base64("cat.png");
    json_t *two = expect_json(
        client_post(port, "/v1/classify", "{\"image\":\"%s\",\"labels\":[\"cat\",\"animal\"],\"multi\":true}", cat));
    json_t *one = expect_json(
        client_post(port, "/v1/classify", "{\"image\":\"%s\",\"labels\":[\"animal\",\"\"],\"template\":\"{}\"}", cat));
    const double by_itself = json_number_value(json_object_get(guess_of(two, 0, 1), "probability"));
    const double against_nothing = json_number_value(json_object_get(guess_of(one, 0, 0), "probability"));
    assert_string_equal(json_string_value(json_object_get(guess_of(two, 0, 1), "label")), "animal");
    assert_true(fabs(by_itself - against_nothing) < 1e-4);
    assert_null(guess_of(two, 0, 2));
    json_decref(one);
    json_decref(two);
    two = expect_json(
        post_form(port, "/v1/classify", "cat.png", FIELD("label") "animal\r\n" FIELD("multi") "true\r\n" FORM_END));
    assert_true(fabs(json_number_value(json_object_get(guess_of(two, 0, 0), "probability")) - by_itself) < 1e-4);
    json_decref(two);
    free(cat);
}

static void test_bad_classify(void **state)
{
    const int port = port_of(state);
    expect_problem(client_post(port, "/v1/classify", "{\"labels\":[\"a\"]}"), 400, "missing_input");
    expect_problem(client_post(port, "/v1/classify", "{\"image\":\"aGVsbG8=\"}"), 400, "missing_input");
    expect_problem(client_post(port, "/v1/classify", "{\"image\":\"aGVsbG8=\",\"labels\":[7]}"), 400, "invalid_value");
    expect_problem(client_post(port, "/v1/classify", "{\"image\":\"aGVsbG8=\",\"labels\":\"a\",\"top\":-1}"), 400,
                   "invalid_value");
    expect_problem(client_post(port, "/v1/classify", "{\"image\":\"a\",\"labels\":\"a\",\"template\":\"no hole\"}"),
                   400, "invalid_value");
    expect_problem(client_post(port, "/v1/classify", "{\"image\":\"aGVsbG8=\",\"labels\":\"a\"}"), 400,
                   "invalid_input");
    expect_problem(post_form(port, "/v1/classify", "cat.png", FORM_END), 400, "missing_input");
    expect_problem(post_form(port, "/v1/classify", "cat.png", FIELD("label") "a\r\n" FIELD("top") "many\r\n" FORM_END),
                   400, "invalid_value");
    expect_problem(post_form(port, "/v1/classify", "cat.png", FIELD("label") "a\r\n" FIELD("multi") "1\r\n" FORM_END),
                   400, "invalid_value");
    expect_problem(post_form(port, "/v1/classify", "labels.txt", FIELD("label") "a\r\n" FORM_END), 400,
                   "invalid_input");
    expect_problem(client_ask(port, "POST", "/v1/classify", "Content-Type: multipart/form-data\r\n", "x", 1), 400,
                   "invalid_form");
    expect_problem(client_ask(port, "POST", "/v1/classify", BOUNDARY, "nonsense", 8), 400, "missing_input");
}

static void test_similarity(void **state)
{
    const int port = port_of(state);
    json_t *form = expect_json(
        post_form(port, "/v1/similarity", "dog.png", FIELD("text") "cat\r\n" FIELD("text") "dog\r\n" FORM_END));
    char *dog = demo_base64("dog.png");
    json_t *json =
        expect_json(client_post(port, "/v1/similarity", "{\"images\":[\"%s\"],\"texts\":[\"cat\",\"dog\"]}", dog));
    const char *const names[] = {"cosines", "logits", "probabilities"};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            const double a = json_number_value(json_array_get(json_array_get(json_object_get(form, names[i]), 0), k));
            const double b = json_number_value(json_array_get(json_array_get(json_object_get(json, names[i]), 0), k));
            assert_true(a != 0 && fabs(a - b) < 1e-4);
        }
    json_decref(form);
    json_decref(json);
    json = expect_json(
        client_post(port, "/v1/similarity", "{\"left\":[\"dog\",{\"image\":\"%s\"}],\"right\":[\"dog\"]}", dog));
    const json_t *cosines = json_object_get(json, "cosines");
    assert_int_equal(json_array_size(cosines), 2);
    assert_true(fabs(json_number_value(json_array_get(json_array_get(cosines, 0), 0)) - 1) < 1e-5);
    json_decref(json);
    free(dog);
    expect_problem(client_post(port, "/v1/similarity", "{\"images\":[],\"texts\":[\"a\"]}"), 400, "missing_input");
    expect_problem(client_post(port, "/v1/similarity", "{\"left\":[\"a\"]}"), 400, "missing_input");
    expect_problem(client_post(port, "/v1/similarity", "{\"images\":[\"a\"],\"texts\":[{}]}"), 400, "invalid_input");
}

/* ---- the rest ---- */

static void test_small_routes(void **state)
{
    const int port = port_of(state);
    json_decref(expect_json(client_ask(port, "GET", "/healthz", "", NULL, 0)));
    json_decref(expect_json(client_ask(port, "GET", "/readyz", "", NULL, 0)));
    json_t *json = expect_json(client_ask(port, "GET", "/v1/models", "", NULL, 0));
    const json_t *first = json_array_get(json_object_get(json, "data"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), "emoji");
    json_decref(json);
    json = expect_json(client_ask(port, "GET", "/v1/models/text-embedding-3-small", "", NULL, 0));
    assert_string_equal(json_string_value(json_object_get(json, "id")), "text-embedding-3-small");
    assert_true(fabs(json_number_value(json_object_get(json, "temperature")) - 0.038) < 0.02);
    json_decref(json);
    expect_problem(client_ask(port, "GET", "/v1/models/other", "", NULL, 0), 404, "model_not_found");
    reply r = client_ask(port, "GET", "/metrics", "", NULL, 0);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "\nalign_inputs_total{kind=\"text\"} "));
    assert_non_null(strstr(r.body, "\nalign_request_seconds_bucket{le=\"+Inf\"} "));
    reply_done(&r);
    r = client_ask(port, "HEAD", "/healthz", "", NULL, 0);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    expect_problem(client_ask(port, "GET", "/v1/nothing", "", NULL, 0), 404, "not_found");
    r = client_ask(port, "DELETE", "/v1/embeddings", "", NULL, 0);
    assert_int_equal(strncmp(reply_header(&r, "Allow"), "POST", 4), 0);
    expect_problem(r, 405, "wrong_method");
    expect_problem(client_ask(port, "POST", "/v1/embeddings", "Content-Type: text/plain\r\n", "{}", 2), 415,
                   "wrong_type");
}

static void test_page(void **state)
{
    const int port = port_of(state);
    reply r = client_ask(port, "GET", "/", "", NULL, 0);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(reply_header(&r, "Content-Security-Policy"), "default-src 'none'"));
    assert_non_null(strstr(r.body, "src=\"/app.js\""));
    char header[256];
    const char *etag = reply_header(&r, "ETag");
    snprintf(header, sizeof header, "If-None-Match: %.*s\r\n", (int)strcspn(etag, "\r"), etag);
    reply_done(&r);
    r = client_ask(port, "GET", "/", header, NULL, 0);
    assert_int_equal(r.status, 304);
    assert_int_equal(r.body_size, 0);
    reply_done(&r);
}

/* Every route is described, and nothing else is. */
static void test_openapi(void **state)
{
    json_t *json = expect_json(client_ask(port_of(state), "GET", "/openapi.json", "", NULL, 0));
    const json_t *paths = json_object_get(json, "paths");
    size_t described = 0;
    for (size_t i = 0; i < srv_n_routes; i++) {
        const srv_route *route = &srv_routes[i];
        const json_t *about =
            json_object_get(json_object_get(paths, route->path), strcmp(route->method, "GET") == 0 ? "get" : "post");
        if (!about)
            fail_msg("%s %s is not described", route->method, route->path);
        const json_t *content = json_object_get(json_object_get(about, "requestBody"), "content");
        assert_int_equal((route->takes & SRV_TAKES_JSON) != 0, json_object_get(content, "application/json") != NULL);
        assert_int_equal((route->takes & SRV_TAKES_FORM) != 0, json_object_get(content, "multipart/form-data") != NULL);
        assert_int_equal(route->is_public, json_object_get(about, "security") != NULL);
    }
    const char *path;
    json_t *methods;
    json_object_foreach((json_t *)(uintptr_t)paths, path, methods) described += json_object_size(methods);
    assert_int_equal(described, srv_n_routes);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embeddings_of_texts),
        cmocka_unit_test(test_embeddings_as_base64),
        cmocka_unit_test(test_embeddings_of_ids),
        cmocka_unit_test(test_pictures_in_all_forms),
        cmocka_unit_test(test_bad_embeddings),
        cmocka_unit_test(test_embeddings_take_what_is_allowed),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_classify),
        cmocka_unit_test(test_classify_form),
        cmocka_unit_test(test_classify_each_by_itself),
        cmocka_unit_test(test_bad_classify),
        cmocka_unit_test(test_similarity),
        cmocka_unit_test(test_small_routes),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_openapi),
    };
    return cmocka_run_group_tests(tests, open_house, close_house);
}
