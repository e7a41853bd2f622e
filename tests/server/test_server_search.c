/* test_server_search.c: searching an index over HTTP, and the pictures that leave this machine, or do not. */
#include "client.h"
#include "gallery.h"
#include "house.h"
#include "thumbnails.h"
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const names[] = {"animals/cat.png", "animals/dog.png", "food/pizza.jpg",
                                    "car.png",         "link.png",        "gone.png"};
enum { N_PICTURES = sizeof names / sizeof *names, N_ITEMS = N_PICTURES + 2 };
enum { CAT = 1, DOG, PIZZA, CAR, LINK, GONE, MEMBER, CAPTION };

typedef struct fixture {
    house house;
    char folder[64]; /* index.db, secret.png, and in pictures/ what the index has */
} fixture;

/* ---- an index to search ---- */

static void path_of(const fixture *f, char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", f->folder, name);
}

static void copy_demo(const fixture *f, const char *name, const char *to)
{
    char path[256];
    size_t size;
    char *bytes = demo_file(name, &size);
    path_of(f, path, sizeof path, to);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    free(bytes);
}

static void make_folders(fixture *f)
{
    static const char *const folders[] = {"pictures", "pictures/animals", "pictures/food"};
    char path[256], target[256];
    strcpy(f->folder, "/tmp/align-search-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    for (size_t i = 0; i < 3; i++) {
        path_of(f, path, sizeof path, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    copy_demo(f, "cat.png", "pictures/animals/cat.png");
    copy_demo(f, "dog.png", "pictures/animals/dog.png");
    copy_demo(f, "pizza.jpg", "pictures/food/pizza.jpg");
    copy_demo(f, "car.png", "pictures/car.png");
    copy_demo(f, "ghost.png", "secret.png");
    path_of(f, path, sizeof path, "pictures/link.png");
    path_of(f, target, sizeof target, "secret.png");
    assert_int_equal(symlink(target, path), 0);
}

/* The server's own embeddings go into the index. */
static void embed(const house *h, const char *name, float *out)
{
    char *picture = demo_base64(name);
    reply r = client_post(h->server.port, "/v1/embeddings", "{\"input\":{\"image\":\"%s\"}}", picture);
    json_t *json = reply_json(&r);
    const json_t *data = json_array_get(json_object_get(json, "data"), 0);
    for (size_t i = 0; i < 256; i++)
        out[i] = (float)json_number_value(json_array_get(json_object_get(data, "embedding"), i));
    json_decref(json);
    reply_done(&r);
    free(picture);
}

static void fill_index(fixture *f)
{
    static const char *const demos[] = {"cat.png",   "dog.png",  "pizza.jpg", "car.png",
                                        "ghost.png", "tree.png", "horse.png", "sun.png"};
    char place[256], paths[N_ITEMS][256], model[ALIGN_FINGERPRINT_SIZE];
    align_index *index;
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_item items[N_ITEMS];
    float vectors[N_ITEMS][256];
    for (size_t i = 0; i < N_ITEMS; i++) {
        char name[128];
        snprintf(name, sizeof name, "pictures/%s", i < N_PICTURES ? names[i] : i == N_PICTURES ? "a.tar" : "a.tsv");
        path_of(f, paths[i], sizeof paths[i], name);
        items[i] = (align_item)ALIGN_ITEM_INIT;
        items[i].path = paths[i];
        items[i].taken = 1000 * (int64_t)i;
        embed(&f->house, demos[i], vectors[i]);
    }
    items[CAT - 1].text = "a \"cat\"";
    items[CAT - 1].width = items[CAT - 1].height = 72;
    items[PIZZA - 1].taken = INT64_MIN;
    items[MEMBER - 1].member = "000.png";
    items[CAPTION - 1].kind = ALIGN_ITEM_TEXT;
    items[CAPTION - 1].text = "the sun";
    align_model_fingerprint(f->house.model, model);
    options.create = true;
    options.width = 256;
    options.model = model;
    path_of(f, place, sizeof place, "index.db");
    assert_int_equal(align_index_open(&index, place, &options, NULL), ALIGN_OK);
    assert_int_equal(align_index_add(index, items, &vectors[0][0], N_ITEMS, NULL, NULL), ALIGN_OK);
    align_index_close(index);
}

/* Serves the index, of which clients see those folders: names in the test's own one. */
static align_status serve_folders(fixture *f, const char *const *folders, size_t n, align_error *err)
{
    char place[256], paths[4][256];
    const char *whole[4];
    for (size_t i = 0; i < n; i++) {
        path_of(f, paths[i], sizeof paths[i], folders[i]);
        whole[i] = paths[i];
    }
    path_of(f, place, sizeof place, "index.db");
    srv_gallery_close(f->house.service.gallery);
    return srv_gallery_open(
        &f->house.service.gallery,
        &(srv_gallery_options){
            .place = place, .folders = whole, .n_folders = n, .model = f->house.model, .thumbnail_bytes = 1 << 20},
        err);
}

static void serve_index(fixture *f, const char *folder)
{
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(serve_folders(f, &folder, folder ? 1 : 0, &err), ALIGN_OK);
}

static int open_fixture(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folders(f);
    house_prepare(&f->house);
    house_open(&f->house);
    fill_index(f);
    *state = f;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int close_fixture(void **state)
{
    fixture *f = *state;
    srv_gallery *gallery = f->house.service.gallery;
    house_close(&f->house);
    srv_gallery_close(gallery);
    nftw(f->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* ---- asking ---- */

static json_t *expect_json(reply r)
{
    if (r.status != 200)
        fail_msg("status %d: %s", r.status, r.body);
    json_t *json = reply_json(&r);
    reply_done(&r);
    return json;
}

#define SEARCH(f, ...) expect_json(client_post((f)->house.server.port, "/v1/search", __VA_ARGS__))

static void expect_problem(reply r, int status, const char *code)
{
    if (r.status != status)
        fail_msg("status %d: %s", r.status, r.body);
    json_t *json = reply_json(&r);
    assert_string_equal(json_string_value(json_object_get(json, "code")), code);
    assert_null(strstr(r.body, "/tmp"));
    json_decref(json);
    reply_done(&r);
}

static const json_t *result(const json_t *answer, size_t i)
{
    const json_t *item = json_array_get(json_object_get(answer, "results"), i);
    assert_non_null(item);
    return item;
}

/* The ids of an answer, which is released, are these, ended by 0. */
static void expect_ids(json_t *answer, const int *ids)
{
    const json_t *results = json_object_get(answer, "results");
    size_t n = 0;
    while (ids[n])
        n++;
    if (json_array_size(results) != n)
        fail_msg("%zu results instead of %zu", json_array_size(results), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_integer_value(json_object_get(result(answer, i), "id")), ids[i]);
    json_decref(answer);
}
#define IDS(...) ((const int[]){__VA_ARGS__, 0})

static reply get(fixture *f, const char *path, const char *headers)
{
    return client_ask(f->house.server.port, "GET", path, headers, NULL, 0);
}

/* ---- searching ---- */

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

/* ---- pictures ---- */

static void expect_no_picture(fixture *f, const char *id)
{
    static const char *const routes[] = {"/v1/thumbnails", "/v1/pictures"};
    for (size_t i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", routes[i], id);
        expect_problem(get(f, path, ""), 404, "not_found");
    }
}

static void test_pictures(void **state)
{
    fixture *f = *state;
    char header[256];
    size_t size;
    char *cat = demo_file("cat.png", &size);
    serve_index(f, NULL);
    reply r = get(f, "/v1/pictures/1", "");
    assert_int_equal(r.status, 200);
    assert_int_equal(strncmp(reply_header(&r, "Content-Type"), "image/png", 9), 0);
    assert_int_equal(r.body_size, size);
    assert_memory_equal(r.body, cat, size);
    snprintf(header, sizeof header, "If-None-Match: %.*s\r\n", (int)strcspn(reply_header(&r, "ETag"), "\r"),
             reply_header(&r, "ETag"));
    reply_done(&r);
    r = get(f, "/v1/pictures/1", header);
    assert_int_equal(r.status, 304);
    reply_done(&r);
    r = client_ask(f->house.server.port, "HEAD", "/v1/pictures/1", "", NULL, 0);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    char first[65536];
    for (int again = 0; again < 2; again++) { /* made, then kept */
        r = get(f, "/v1/thumbnails/1", "");
        assert_int_equal(r.status, 200);
        assert_int_equal(strncmp(reply_header(&r, "Content-Type"), "image/jpeg", 10), 0);
        assert_memory_equal(r.body, "\xff\xd8\xff", 3);
        assert_in_range(r.body_size, 100, sizeof first);
        if (again)
            assert_memory_equal(first, r.body, r.body_size);
        memcpy(first, r.body, r.body_size);
        reply_done(&r);
    }
    r = get(f, "/v1/thumbnails/1", header);
    assert_int_equal(r.status, 304);
    reply_done(&r);
    free(cat);
}

static void test_pictures_that_stay_here(void **state)
{
    static const char *const ids[] = {"5", "6", "7", "8", "9", "0", "-1", "1x", "x", "%201", "99999999999999999999",
                                      ".."};
    fixture *f = *state;
    serve_index(f, NULL);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        expect_no_picture(f, ids[i]);
    expect_problem(get(f, "/v1/pictures/1/2", ""), 404, "not_found");
    expect_problem(get(f, "/v1/pictures/", ""), 404, "not_found");
    expect_problem(client_post(f->house.server.port, "/v1/pictures/1", "{}"), 405, "wrong_method");
}

/* A file that is no picture any more, a link in its place, a link among the folders. */
static void test_pictures_replaced(void **state)
{
    fixture *f = *state;
    char path[256], target[256];
    serve_index(f, "pictures");
    path_of(f, path, sizeof path, "pictures/car.png");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("root:x:0:0:nothing for anybody\n", file);
    fclose(file);
    expect_no_picture(f, "4");
    copy_demo(f, "car.png", "pictures/car.png");
    assert_int_equal(truncate(path, 200), 0);
    expect_problem(get(f, "/v1/thumbnails/4", ""), 404, "not_found");
    assert_int_equal(unlink(path), 0);
    path_of(f, target, sizeof target, "secret.png");
    assert_int_equal(symlink(target, path), 0);
    expect_no_picture(f, "4");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes into it: to open it must not wait */
    expect_no_picture(f, "4");
    assert_int_equal(unlink(path), 0);
    copy_demo(f, "car.png", "pictures/car.png");
    path_of(f, path, sizeof path, "pictures/food");
    path_of(f, target, sizeof target, "elsewhere");
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    expect_no_picture(f, "3");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(target, path), 0);
    reply r = get(f, "/v1/thumbnails/3", "");
    assert_int_equal(r.status, 200);
    reply_done(&r);
}

static void test_folders(void **state)
{
    static const char *const two[] = {"pictures/animals", "pictures/food"}, *const missing[] = {"nowhere"};
    fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(serve_folders(f, missing, 1, &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "nowhere"));
    f->house.service.gallery = NULL;
    serve_index(f, "pictures/animals");
    expect_no_picture(f, "3");
    json_t *json = SEARCH(f, "{}");
    assert_string_equal(json_string_value(json_object_get(result(json, 1), "path")), "cat.png");
    expect_ids(json, IDS(DOG, CAT));
    assert_int_equal(serve_folders(f, two, 2, &err), ALIGN_OK);
    json = SEARCH(f, "{\"sort\":\"path\"}");
    assert_string_equal(json_string_value(json_object_get(result(json, 2), "path")), "food/pizza.jpg");
    expect_ids(json, IDS(CAT, DOG, PIZZA));
    expect_ids(SEARCH(f, "{\"folder\":\"food\"}"), IDS(PIZZA));
    expect_problem(client_post(f->house.server.port, "/v1/search", "{\"folder\":\"drinks\"}"), 404, "not_found");
}

static void test_opening(void **state)
{
    const fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    srv_gallery *gallery;
    char place[256];
    path_of(f, place, sizeof place, "none.db");
    srv_gallery_options options = {.place = place, .model = f->house.model};
    assert_int_equal(srv_gallery_open(&gallery, &options, &err), ALIGN_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "align index"));
    align_index *index;
    align_index_options other = ALIGN_INDEX_OPTIONS_INIT;
    other.create = true;
    other.width = 256;
    other.model = "another model";
    assert_int_equal(align_index_open(&index, place, &other, NULL), ALIGN_OK);
    align_index_close(index);
    assert_int_equal(srv_gallery_open(&gallery, &options, &err), ALIGN_ERROR_MISMATCH);
    assert_non_null(strstr(err.message, "another model"));
}

/* ---- small pictures ---- */

static void test_thumbnails_are_bounded(void **state)
{
    const fixture *f = *state;
    srv_thumbnails *thumbnails = srv_thumbnails_new(40000);
    char path[256];
    path_of(f, path, sizeof path, "pictures/animals/cat.png");
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    srv_picture picture = {.file = fileno(file), .size = ftell(file)};
    size_t most = 0;
    for (int64_t id = 1; id < 100; id++) {
        srv_text text = {0};
        assert_true(srv_thumbnails_get(thumbnails, id, &picture, &text));
        assert_true(text.length > 0 && !text.failed);
        srv_text_done(&text);
        assert_true(srv_thumbnails_bytes(thumbnails) <= 40000);
        most = srv_thumbnails_bytes(thumbnails) > most ? srv_thumbnails_bytes(thumbnails) : most;
    }
    assert_true(most > 30000);
    picture.size = 50; /* another state of the file, and no whole picture */
    srv_text text = {0};
    assert_false(srv_thumbnails_get(thumbnails, 99, &picture, &text));
    srv_text_done(&text);
    fclose(file);
    srv_thumbnails_free(thumbnails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_index),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_pictures_and_likes),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_bad_questions),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_pictures_that_stay_here),
        cmocka_unit_test(test_pictures_replaced),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_thumbnails_are_bounded),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
