/* search_test.h: what the tests of indexes share: a scratch folder, items and vectors that a number makes. */
#ifndef SEARCH_TEST_H
#define SEARCH_TEST_H
#include "base/file.h"
#include "base/folder.h"
#include "base/memory.h"

#include <align/search.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WIDTH 24
#define MODEL "a model"

static char folder[32];

/* In memory where there is such a place: an index waits for the disk whenever it is written to. */
static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/align-search-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    return al_folder_remove(folder, NULL) == ALIGN_OK ? 0 : -1;
}

/* fork: a process of its own, which ends where a check of its own fails. */
static inline pid_t fork_apart(void)
{
    const pid_t child = fork();
    if (child == 0)
        setenv("CMOCKA_TEST_ABORT", "1", 1);
    return child;
}

#define assert_done(call)                           \
    do {                                            \
        align_error err = ALIGN_ERROR_INIT;         \
        if ((call) != ALIGN_OK)                     \
            fail_msg("%s: %s", #call, err.message); \
    } while (0)

/* The call's status, and a part of what it says. */
#define assert_refused(call, wanted, part)                           \
    do {                                                             \
        align_error err = ALIGN_ERROR_INIT;                          \
        const align_status status = (call);                          \
        if (status != (wanted) || !strstr(err.message, (part)))      \
            fail_msg("%s: %d: %s", #call, (int)status, err.message); \
    } while (0)

/* ---- vectors and items ---- */

static inline uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* The seed's vector: numbers from -1 to 1. */
static inline void make_vector(uint64_t seed, float out[WIDTH])
{
    for (uint64_t i = 0; i < WIDTH; i++)
        out[i] = (float)(scramble(seed * 1000 + i + 1) >> 40) / (float)(1 << 23) - 1.0f;
}

typedef struct sample {
    align_item item;
    char path[64];
    float vector[WIDTH];
} sample;

static inline void make_sample(sample *out, uint64_t seed, const char *path)
{
    out->item = (align_item)ALIGN_ITEM_INIT;
    snprintf(out->path, sizeof out->path, "%s", path);
    out->item.path = out->path;
    make_vector(seed, out->vector);
}

static inline int64_t add_sample(align_index *index, const sample *one)
{
    int64_t id;
    assert_done(align_index_add(index, &one->item, one->vector, 1, &id, &err));
    return id;
}

/* "/photos/0001.jpg" and so on, of the seeds from first on, in one call. */
static inline void add_many(align_index *index, uint64_t first, size_t count)
{
    sample *samples = calloc(count, sizeof *samples);
    align_item *items = calloc(count, sizeof *items);
    float *vectors = calloc(count, sizeof(float[WIDTH]));
    for (size_t i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/photos/%06" PRIu64 ".jpg", first + i);
        make_sample(&samples[i], first + i, path);
        items[i] = samples[i].item;
        memcpy(vectors + i * WIDTH, samples[i].vector, sizeof samples[i].vector);
    }
    assert_done(align_index_add(index, items, vectors, count, NULL, &err));
    free(vectors);
    free(items);
    free(samples);
}

/* One folder, which stays until the next is chosen. */
static inline void choose_folder(align_filter *filter, const char *name)
{
    static const char *chosen;
    chosen = name;
    filter->folders = &chosen;
    filter->n_folders = 1;
}

static inline align_index *open_index(const char *where, bool create)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index = NULL;
    options.model = MODEL;
    options.width = WIDTH;
    options.create = create;
    options.threads = 2;
    assert_done(align_index_open(&index, where, &options, &err));
    return index;
}

static inline align_index_info info_of(align_index *index)
{
    align_index_info info;
    assert_done(align_index_get_info(index, &info, &err));
    return info;
}

static inline double product_of(const float *a, const float *b)
{
    double product = 0;
    for (int i = 0; i < WIDTH; i++)
        product += (double)a[i] * (double)b[i];
    return product;
}

static inline double length_of(const float *vector)
{
    return sqrt(product_of(vector, vector));
}

/* The score of a vector that is kept, whose length is 1 but for what rounding it did. */
static inline float score_of(const float *query, const float *kept)
{
    return (float)(product_of(query, kept) / length_of(query));
}
#endif
