#ifndef TESTS_SERVER_ALBUM_H
#define TESTS_SERVER_ALBUM_H
/*
 * album.h: a server with an index of a few pictures, some of which must not be shown.
 */
#include "client.h"
#include "gallery.h"
#include "house.h"

/* Ids of what is in the index: four files, a link to a file elsewhere, one that is gone, a member of a tar file, and a
 * text. */
enum { CAT = 1, DOG, PIZZA, CAR, LINK, GONE, MEMBER, CAPTION, N_ITEMS = CAPTION };

typedef struct fixture {
    house house;
    char folder[64]; /* index.db, secret.png, and in pictures/ what the index has */
} fixture;

/* Makes all of it; no index is served yet. For cmocka: *state is the fixture. */
int open_fixture(void **state);
int close_fixture(void **state);

/* A path in the fixture's folder; a picture of models/demo copied to there. */
void path_of(const fixture *f, char *path, size_t size, const char *name);
void copy_demo(const fixture *f, const char *name, const char *to);

/* Serves the index, of which clients see those folders, or all if folder is NULL. */
align_status serve_folders(fixture *f, const char *const *folders, size_t n, align_error *err);
void serve_index(fixture *f, const char *folder);

json_t *expect_json(reply r);
void expect_problem(reply r, int status, const char *code);
reply get(fixture *f, const char *path, const char *headers);

#define SEARCH(f, ...) expect_json(client_post((f)->house.server.port, "/v1/search", __VA_ARGS__))

const json_t *result(const json_t *answer, size_t i);

/* The ids of an answer, which is released, are these, ended by 0. */
void expect_ids(json_t *answer, const int *ids);
#define IDS(...) ((const int[]){__VA_ARGS__, 0})
#endif
