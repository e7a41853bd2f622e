#ifndef AL_STORE_H
#define AL_STORE_H
/*
 * store.h: where an index lives. index.c checks what callers hand over, then calls the functions of one of the stores;
 * what these get is in order: items have paths, vectors are finite and of unit length, options are in range, folders of
 * filters have no slash at their end (the root is "") and are no more than ALIGN_MOST_FOLDERS.
 *
 * A store's struct begins with al_store, its cursor's with align_cursor. Functions do what those of <align/search.h>
 * say that are called like them.
 */
#include <align/search.h>
#include <string.h>

typedef struct al_store al_store;

typedef struct al_store_class {
    const char *name;
    void (*close)(al_store *store);
    align_status (*info)(al_store *store, align_index_info *out, align_error *err);
    align_status (*add)(al_store *store, const align_item *items, const float *vectors, size_t count, int64_t *ids,
                        align_error *err);
    align_status (*update)(al_store *store, const align_item *items, size_t count, align_error *err);
    align_status (*remove)(al_store *store, const int64_t *ids, size_t count, size_t *removed, align_error *err);
    align_status (*vacuum)(al_store *store, align_error *err);
    align_status (*find)(al_store *store, const char *path, const char *member, align_item *out, bool *found,
                         align_error *err);
    align_status (*item)(al_store *store, int64_t id, align_item *out, bool *found, align_error *err);
    align_status (*vector)(al_store *store, int64_t id, float *out, align_error *err);
    align_status (*cursor_open)(align_cursor **out, al_store *store, const align_filter *filter, align_item_order order,
                                align_error *err);
    align_status (*cursor_next)(align_cursor *cursor, align_item *out, float *vector, bool *found, align_error *err);
    void (*cursor_close)(align_cursor *cursor);
    align_status (*query)(al_store *store, const float *vectors, size_t queries, const align_query_options *options,
                          align_hits *out, align_error *err);
} al_store_class;

/* What is the same in all stores. */
struct al_store {
    const al_store_class *class;
    char *where, *model;
    int64_t width, lost;
    bool read_only;
};

struct align_cursor {
    const al_store_class *class;
};

/* The version of what is stored; a newer one is refused. */
#define AL_STORE_VERSION 1

align_status al_sqlite_open(al_store **out, const char *where, const align_index_options *options, align_error *err);
align_status al_postgres_open(al_store **out, const char *where, const align_index_options *options, align_error *err);

/* Strings of items may be NULL for "". */
static inline const char *al_text(const char *text)
{
    return text ? text : "";
}

static inline bool al_hash_is_known(const uint8_t hash[ALIGN_HASH_SIZE])
{
    static const uint8_t unknown[ALIGN_HASH_SIZE];
    return memcmp(hash, unknown, ALIGN_HASH_SIZE) != 0;
}
#endif
