/* album.c: a server with an index of a few pictures. */
#include "album.h"
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
enum { N_PICTURES = sizeof names / sizeof *names };

/* ---- an index to search ---- */

void path_of(const fixture *f, char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", f->folder, name);
}

void copy_demo(const fixture *f, const char *name, const char *to)
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

align_status serve_folders(fixture *f, const char *const *folders, size_t n, align_error *err)
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

void serve_index(fixture *f, const char *folder)
{
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(serve_folders(f, &folder, folder ? 1 : 0, &err), ALIGN_OK);
}

int open_fixture(void **state)
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

int close_fixture(void **state)
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

json_t *expect_json(reply r)
{
    if (r.status != 200)
        fail_msg("status %d: %s", r.status, r.body);
    json_t *json = reply_json(&r);
    reply_done(&r);
    return json;
}

void expect_problem(reply r, int status, const char *code)
{
    if (r.status != status)
        fail_msg("status %d: %s", r.status, r.body);
    json_t *json = reply_json(&r);
    assert_string_equal(json_string_value(json_object_get(json, "code")), code);
    assert_null(strstr(r.body, "/tmp"));
    json_decref(json);
    reply_done(&r);
}

const json_t *result(const json_t *answer, size_t i)
{
    const json_t *item = json_array_get(json_object_get(answer, "results"), i);
    assert_non_null(item);
    return item;
}

void expect_ids(json_t *answer, const int *ids)
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

reply get(fixture *f, const char *path, const char *headers)
{
    return client_ask(f->house.server.port, "GET", path, headers, NULL, 0);
}
