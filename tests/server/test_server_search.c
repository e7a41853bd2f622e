/* test_server_search.c: searching an index over HTTP. */
#include "album.h"
#include "schema.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_without_index(void **state)
{
    fixture *f = *state;
    srv_gallery_close(f->house.service.gallery);
    f->house.service.gallery = NULL;
    expect_problem(client_post(f->house.server.port, "/v1/search", "{}"), 404, "no_index");
    expect_problem(get(f, "/v1/thumbnails/1", ""), 404, "no_index");
    expect_problem(get(f, "/v1/pictures/1", ""), 404, "no_index");
}

static void test_text(void **state)
{
    fixture *f = *state;
    serve_index(f, NULL);
    json_t *json = SEARCH(f, "{\"text\":\"a cat\",\"top_k\":2}");
    const json_t *cat = result(json, 0);
    assert_int_equal(json_integer_value(json_object_get(cat, "id")), CAT);
    assert_string_equal(json_string_value(json_object_get(cat, "path")), "animals/cat.png");
    assert_string_equal(json_string_value(json_object_get(cat, "caption")), "a \"cat\"");
    assert_string_equal(json_string_value(json_object_get(cat, "kind")), "image");
    assert_string_equal(json_string_value(json_object_get(cat, "thumbnail")), "/v1/thumbnails/1");
    assert_string_equal(json_string_value(json_object_get(cat, "picture")), "/v1/pictures/1");
    assert_int_equal(json_integer_value(json_object_get(cat, "width")), 72);
    assert_int_equal(json_integer_value(json_object_get(cat, "taken")), 0);
    assert_true(json_is_null(json_object_get(cat, "member")));
    assert_int_equal(json_integer_value(json_object_get(json, "next")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "index"), "images")), N_ITEMS - 1);
    assert_true(json_number_value(json_object_get(cat, "score")) >
                json_number_value(json_object_get(result(json, 1), "score")));
    json_decref(json);
}

/* Answers have what the description says, and nothing else. */
static void test_description(void **state)
{
    static const char *const questions[] = {"{\"text\":\"a cat\",\"kind\":\"all\"}", "{\"top_k\":1}"};
    fixture *f = *state;
    char at[256] = "";
    serve_index(f, NULL);
    json_t *document = expect_json(get(f, "/openapi.json", ""));
    const json_t *about = json_object_get(json_object_get(json_object_get(document, "paths"), "/v1/search"), "post");
    const json_t *schema = schema_of_answer(document, about, 200, "application/json");
    assert_non_null(schema);
    for (size_t i = 0; i < 2; i++) {
        json_t *answer = SEARCH(f, "%s", questions[i]);
        if (!schema_fits(document, schema, answer, at, sizeof at))
            fail_msg("%s: %s", questions[i], at);
        json_decref(answer);
    }
    json_decref(document);
}

static void test_pictures_and_likes(void **state)
{
    fixture *f = *state;
    char *dog = demo_base64("dog.png");
    serve_index(f, NULL);
    json_t *json = SEARCH(f, "{\"image\":\"%s\",\"top_k\":1}", dog);
    assert_true(json_number_value(json_object_get(result(json, 0), "score")) > 0.999);
    expect_ids(json, IDS(DOG));
    /* A row is not like itself, and pages go on behind it. */
    json_t *all = SEARCH(f, "{\"like\":%d,\"kind\":\"all\"}", DOG);
    assert_int_equal(json_array_size(json_object_get(all, "results")), N_ITEMS - 1);
    for (int skip = 0; skip < N_ITEMS - 1; skip++) {
        json_t *one = SEARCH(f, "{\"like\":%d,\"kind\":\"all\",\"top_k\":1,\"skip\":%d}", DOG, skip);
        assert_true(json_equal(result(one, 0), result(all, (size_t)skip)));
        assert_int_equal(json_is_null(json_object_get(one, "next")), skip == N_ITEMS - 2);
        json_decref(one);
    }
    json_decref(all);
    expect_ids(SEARCH(f, "{\"like\":[%d],\"text\":\"a pizza\",\"text_weight\":100,\"top_k\":1}", DOG), IDS(PIZZA));
    expect_ids(SEARCH(f, "{\"text\":[\"a pizza\",\"a cat\"],\"minus\":\"a pizza\",\"top_k\":1}"), IDS(CAT));
    expect_ids(SEARCH(f,
                      "{\"text\":\"a pizza\",\"image\":[{\"url\":\"data:image/png;base64,%s\"}],\"text_weight\":0,"
                      "\"top_k\":1}",
                      dog),
               IDS(DOG));
    free(dog);
}

/* An embedding that was given out finds what the picture itself does, in both of its formats. */
static void test_vectors(void **state)
{
    static const char *const formats[] = {"float", "base64"};
    fixture *f = *state;
    char *dog = demo_base64("dog.png");
    serve_index(f, NULL);
    for (size_t i = 0; i < 2; i++) {
        json_t *answer =
            expect_json(client_post(f->house.server.port, "/v1/embeddings",
                                    "{\"input\":{\"image\":\"%s\"},\"encoding_format\":\"%s\"}", dog, formats[i]));
        const json_t *item = json_array_get(json_object_get(answer, "data"), 0);
        char *vector = json_dumps(json_object_get(item, "embedding"), JSON_ENCODE_ANY);
        json_t *found = SEARCH(f, "{\"vector\":%s,\"top_k\":1}", vector);
        assert_true(json_number_value(json_object_get(result(found, 0), "score")) > 0.999);
        expect_ids(found, IDS(DOG));
        expect_ids(SEARCH(f, "{\"vector\":%s,\"text\":\"a pizza\",\"image_weight\":0,\"top_k\":1}", vector),
                   IDS(PIZZA));
        free(vector);
        json_decref(answer);
    }
    free(dog);
}

static void test_form(void **state)
{
    fixture *f = *state;
    size_t size;
    char *dog = demo_file("dog.png", &size);
    srv_text body = {0};
    serve_index(f, NULL);
    static const char *const fields[][2] = {{"text", "a pizza"}, {"minus", "a cat"}, {"text_weight", "0.1"},
                                            {"top_k", "2"},      {"like", "1"},      {"folder", "animals"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        srv_text_print(&body, "--xyz\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", fields[i][0],
                       fields[i][1]);
    srv_text_print(&body, "--xyz\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n");
    srv_text_add(&body, dog, size);
    srv_text_print(&body, "\r\n--xyz--\r\n");
    expect_ids(expect_json(client_ask(f->house.server.port, "POST", "/v1/search",
                                      "Content-Type: multipart/form-data; boundary=xyz\r\n", body.bytes, body.length)),
               IDS(DOG));
    srv_text_done(&body);
    free(dog);
}

static void test_lists(void **state)
{
    fixture *f = *state;
    serve_index(f, NULL);
    json_t *json = SEARCH(f, "{\"top_k\":3}");
    assert_true(json_is_null(json_object_get(result(json, 0), "score")));
    assert_true(json_is_null(json_object_get(result(json, 0), "thumbnail")));
    assert_string_equal(json_string_value(json_object_get(result(json, 0), "member")), "000.png");
    assert_int_equal(json_integer_value(json_object_get(json, "next")), 3);
    expect_ids(json, IDS(MEMBER, GONE, LINK));
    expect_ids(SEARCH(f, "{\"top_k\":3,\"skip\":3}"), IDS(CAR, DOG, CAT));
    json = SEARCH(f, "{\"skip\":6}");
    assert_true(json_is_null(json_object_get(json, "next")));
    expect_ids(json, IDS(PIZZA));
    expect_ids(SEARCH(f, "{\"sort\":\"path\",\"kind\":\"all\",\"top_k\":2}"), IDS(MEMBER, CAPTION));
    expect_ids(SEARCH(f, "{\"sort\":\"oldest\",\"since\":1,\"until\":3001}"), IDS(DOG, CAR));
    expect_ids(SEARCH(f, "{\"text\":\"anything\",\"kind\":\"text\"}"), IDS(CAPTION));
    expect_ids(SEARCH(f, "{\"text\":\"a cat\",\"threshold\":1}"), (const int[]){0});
    expect_ids(SEARCH(f, "{\"folder\":\"animals\"}"), IDS(DOG, CAT));
    expect_ids(SEARCH(f, "{\"folder\":[\"food\",\"animals\"],\"sort\":\"path\"}"), IDS(CAT, DOG, PIZZA));
    expect_ids(SEARCH(f, "{\"folder\":\"anim\"}"), (const int[]){0});
    expect_ids(SEARCH(f, "{\"folder\":\"animals/../food\"}"), (const int[]){0});
}

static void test_bad_questions(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *code;
    } cases[] = {
        {"[]", 400, "invalid_json"},
        {"{\"top_k\":0}", 400, "invalid_value"},
        {"{\"top_k\":201}", 400, "invalid_value"},
        {"{\"top_k\":\"1\"}", 400, "invalid_value"},
        {"{\"skip\":-1}", 400, "invalid_value"},
        {"{\"skip\":10001}", 400, "invalid_value"},
        {"{\"text\":\"a\",\"text_weight\":-0.1}", 400, "invalid_value"},
        {"{\"text\":\"a\",\"text_weight\":1e300}", 400, "invalid_value"},
        {"{\"text\":\"a\",\"threshold\":2}", 400, "invalid_value"},
        {"{\"text\":1}", 400, "invalid_input"},
        {"{\"image\":1}", 400, "invalid_input"},
        {"{\"image\":\"AAAA\"}", 400, "invalid_input"},
        {"{\"minus\":\"a\"}", 400, "missing_input"},
        {"{\"text\":\"a\",\"minus\":\"a\"}", 400, "nothing_left"},
        {"{\"text\":\"a\",\"text_weight\":0}", 400, "nothing_left"},
        {"{\"vector\":[1,2]}", 400, "invalid_value"},
        {"{\"vector\":\"AAAA\"}", 400, "invalid_value"},
        {"{\"vector\":{}}", 400, "invalid_value"},
        {"{\"like\":99}", 404, "not_found"},
        {"{\"like\":0}", 400, "invalid_value"},
        {"{\"like\":[1.5]}", 400, "invalid_value"},
        {"{\"like\":{}}", 400, "invalid_value"},
        {"{\"sort\":\"score\"}", 400, "invalid_value"},
        {"{\"sort\":\"size\"}", 400, "invalid_value"},
        {"{\"sort\":[\"path\",\"path\"]}", 400, "invalid_value"},
        {"{\"kind\":1}", 400, "invalid_value"},
        {"{\"since\":1.5}", 400, "invalid_value"},
        {"{\"until\":1e30}", 400, "invalid_value"},
        {"{\"folder\":\"\"}", 400, "invalid_value"},
        {"{\"folder\":\"/tmp\"}", 400, "invalid_value"},
        {"{\"folder\":\"a/\"}", 400, "invalid_value"},
        {"{\"folder\":[1]}", 400, "invalid_value"},
        {"{\"model\":\"other\"}", 404, "model_not_found"},
        {"{\"model\":7}", 400, "invalid_value"},
    };
    fixture *f = *state;
    serve_index(f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_problem(client_post(f->house.server.port, "/v1/search", "%s", cases[i].body), cases[i].status,
                       cases[i].code);
    srv_text many = {0};
    srv_text_print(&many, "{\"like\":[1");
    for (int i = 0; i < 64; i++)
        srv_text_print(&many, ",1");
    srv_text_print(&many, "]}");
    expect_problem(client_post(f->house.server.port, "/v1/search", "%s", many.bytes), 400, "too_many_inputs");
    srv_text_done(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_index), cmocka_unit_test(test_text),
        cmocka_unit_test(test_description),   cmocka_unit_test(test_pictures_and_likes),
        cmocka_unit_test(test_vectors),       cmocka_unit_test(test_form),
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_bad_questions),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
