/* test_server_pictures.c: the pictures of an index that leave this machine, and those that do not; with little memory,
 * too. */
#include "album.h"
#include "scarce.h"
#include "thumbnails.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
        assert_int_equal(srv_thumbnails_get(thumbnails, id, &picture, &text), ALIGN_OK);
        assert_true(text.length > 0 && !text.failed);
        srv_text_done(&text);
        assert_true(srv_thumbnails_bytes(thumbnails) <= 40000);
        most = srv_thumbnails_bytes(thumbnails) > most ? srv_thumbnails_bytes(thumbnails) : most;
    }
    assert_true(most > 30000);
    picture.size = 50; /* another state of the file, and no whole picture */
    srv_text text = {0};
    assert_int_not_equal(srv_thumbnails_get(thumbnails, 99, &picture, &text), ALIGN_OK);
    srv_text_done(&text);
    fclose(file);
    srv_thumbnails_free(thumbnails);
}

/* ---- without memory ---- */

/* Whichever allocation fails, the answer is as it should be, or a problem of the server's, or none. */
static void sweep(fixture *f, const char *method, const char *path, const char *body)
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        scarce_fail_after(n);
        reply r = client_ask(f->house.server.port, method, path, "Content-Type: application/json\r\n", body,
                             body ? strlen(body) : 0);
        failed = scarce_end();
        if (r.status != 0 && r.status != 200 && r.status != 503 && r.status != 500)
            fail_msg("%s, allocation %ld: status %d: %s", path, n, r.status, r.body);
        if (!failed)
            assert_int_equal(r.status, 200);
        reply_done(&r);
        serve_index(f, "pictures"); /* nothing is kept from before */
        assert_true(n < 10000);
    }
}

static void test_memory(void **state)
{
    fixture *f = *state;
    serve_index(f, "pictures");
    sweep(f, "POST", "/v1/search",
          "{\"text\":\"a cat\",\"minus\":\"a dog\",\"like\":2,\"folder\":[\"animals\",\"food\"]}");
    sweep(f, "POST", "/v1/search", "{\"sort\":\"path\"}");
    sweep(f, "GET", "/v1/thumbnails/1", NULL);
    sweep(f, "GET", "/v1/pictures/1", NULL);
}

/* The index is not served with half of what it needs. */
static void test_opening_without_memory(void **state)
{
    fixture *f = *state;
    static const char *const folders[] = {"pictures/animals", "pictures/food"};
    bool failed = true;
    for (long n = 0; failed; n++) {
        align_error err = ALIGN_ERROR_INIT;
        srv_gallery_close(f->house.service.gallery);
        f->house.service.gallery = NULL;
        scarce_fail_after(n);
        scarce_spare_me(false);
        const align_status status = serve_folders(f, folders, 2, &err);
        scarce_spare_me(true);
        failed = scarce_end();
        if (!failed)
            assert_int_equal(status, ALIGN_OK);
        assert_int_equal(status, err.status);
        assert_int_equal(status == ALIGN_OK, f->house.service.gallery != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_pictures_that_stay_here),
        cmocka_unit_test(test_pictures_replaced),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_thumbnails_are_bounded),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_opening_without_memory),
    };
    scarce_spare_me(true);
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
