#ifndef ALIGN_SEARCH_H
#define ALIGN_SEARCH_H
/*
 * search.h: an index of pictures and texts: vectors, each with what it is of, found again by other vectors.
 *
 *     align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
 *     options.create = true;  options.width = 640;  options.model = "my-model";
 *     align_index_open(&index, "photos.db", &options, &err);
 *     align_index_add(index, items, vectors, count, &err);
 *
 *     align_query_options query = ALIGN_QUERY_OPTIONS_INIT;
 *     query.top = 5;
 *     align_index_query(index, vector, 1, &query, &hits, &err);       // hits.items[0] is the nearest
 *     align_hits_done(&hits);
 *
 * The vectors may come from anywhere: an index knows no models, only the name of the one its vectors are of. They are
 * kept with unit length, and a score is the cosine of the angle between a query and a vector: -1 to 1.
 *
 * An index that is called "PATH" lives in an SQLite file, with the vectors in f16 in a file beside it
 * (docs/index-format.md). Queries are exact: every vector is looked at.
 *
 * One that is called "postgresql://..." (libpq's words) lives in tables of a PostgreSQL database with the vector
 * extension, pgvector: many machines may write and search at once.
 *
 * Any number of processes may search an index while others write into it; each sees what had been added when its call
 * began. What a call adds or removes is there as a whole or not at all, whatever happens meanwhile. A handle is for one
 * thread at a time; open several for more. A library that was built without SQLite lacks all of this.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct align_index align_index;

/* ---- what is in it ---- */

typedef enum align_item_kind { ALIGN_ITEM_IMAGE = 0, ALIGN_ITEM_TEXT = 1 } align_item_kind;

#define ALIGN_HASH_SIZE 16

/*
 * What a vector is of. path and member together name an item: two items of an index have not both in common. Strings of
 * an item that the index hands out belong to whoever the function says; in items to be added they are the caller's, and
 * NULL is "".
 */
typedef struct align_item {
    int64_t id; /* from 1 on, given by the index when an item is added, never given again; 0 before */
    align_item_kind kind;
    const char *path;      /* the file: bytes without NUL as the file system has them, any encoding; never empty */
    const char *member;    /* where in the file: a member of a tar file, a row of a table; "": the file is the item */
    const char *text;      /* the text itself, or what is said about a picture; UTF-8, "": nothing */
    int64_t size;          /* of the file, or the member, in bytes; 0: not known */
    int64_t modified;      /* the file's time of modification, nanoseconds since 1970; 0: not known */
    int64_t taken;         /* when the picture was taken, seconds since 1970 UTC; INT64_MIN: not known */
    int64_t width, height; /* of the picture; 0: not known */
    uint8_t hash[ALIGN_HASH_SIZE]; /* of the content (align_content_hash); zeros: not known */
} align_item;

/* clang-format off */
#define ALIGN_ITEM_INIT { 0, ALIGN_ITEM_IMAGE, NULL, NULL, NULL, 0, 0, INT64_MIN, 0, 0, { 0 } }
/* clang-format on */

/* XXH3 of 128 bits, big end first: the same on every machine. Tells contents apart, but not against somebody who makes
 * two alike on purpose. */
ALIGN_API void align_content_hash(const void *bytes, size_t size, uint8_t hash[ALIGN_HASH_SIZE]);

/* ---- open and close ---- */

typedef struct align_index_options {
    const char *model; /* what the vectors are of, up to 255 bytes: align_model_fingerprint gives a good name. An index
                        * keeps the first name it is opened for writing with; another one is MISMATCH. NULL: any */
    int64_t width;     /* numbers of a vector, 1 to 16000; 0: as the index has it. Another one is MISMATCH */
    bool create;       /* make the index, and the folder it is in, where there is none; needs width and model */
    bool read_only;    /* nothing is changed: the way to search on disks that cannot be written to */
    bool quantize;     /* look at a copy of the vectors in int8 first, and score the best exactly: half the memory to
                        * read. The copy is made as needed and can be thrown away */
    int threads;       /* of a query; 0: one a core */
    bool repair;       /* where the file of vectors is missing, shorter than its rows or another's, or rows and vectors
                        * do not fit each other, let go of the items whose vectors are lost, so that they can be added
                        * again; an error otherwise */
} align_index_options;

/* clang-format off */
#define ALIGN_INDEX_OPTIONS_INIT { NULL, 0, false, false, false, 0, false }
/* clang-format on */

/*
 * Opens an index. options NULL: the defaults.
 * Errors, which name the file: NOT_FOUND (no such index, and not to be created); FORMAT (no SQLite file, one of another
 * program, damaged, or a file of vectors that is shorter than its rows); UNSUPPORTED (written by a newer version; a
 * server without pgvector; a build without that store); MISMATCH (another model, another width); IO.
 */
ALIGN_API align_status align_index_open(align_index **out, const char *where, const align_index_options *options,
                                        align_error *err);
ALIGN_API void align_index_close(align_index *index); /* NULL is fine */

typedef struct align_index_info {
    const char *where; /* without a password. Owned by the index, as all strings here */
    const char *store; /* "sqlite" or "postgresql" */
    const char *model;
    int64_t width;
    int64_t images, texts;
    int64_t bytes; /* on disk */
    int64_t holes; /* vectors that no item has any more; align_index_vacuum drops them */
    int64_t lost;  /* items that were let go of when this handle was opened, to repair */
} align_index_info;
ALIGN_API align_status align_index_get_info(align_index *index, align_index_info *out, align_error *err);

/* ---- change it ---- */

/*
 * Adds items with their vectors, [count, width] f32 of any length but zero. An item of the same path and member is
 * replaced, keeping its id. ids, if not NULL, gets the ids. INVALID_ARGUMENT, naming the item: an empty path, a vector
 * that is zero or not finite, a text that is not UTF-8.
 */
ALIGN_API align_status align_index_add(align_index *index, const align_item *items, const float *vectors, size_t count,
                                       int64_t *ids, align_error *err);

/* Writes everything but the vectors of items that are there, by id: files that were moved or touched. They may change
 * places; another item that has the new path and member is replaced. NOT_FOUND naming the first id that is not there;
 * then nothing has changed. */
ALIGN_API align_status align_index_update(align_index *index, const align_item *items, size_t count, align_error *err);

/* Removes items; ids that are not there are passed over. removed, if not NULL, gets how many there were. */
ALIGN_API align_status align_index_remove(align_index *index, const int64_t *ids, size_t count, size_t *removed,
                                          align_error *err);

/* Gives back the room of what was removed. Others may search meanwhile. */
ALIGN_API align_status align_index_vacuum(align_index *index, align_error *err);

/* ---- look things up ---- */

#define ALIGN_MOST_FOLDERS 64

/* Which items: all conditions together. */
typedef struct align_filter {
    bool images, texts;         /* of these kinds; neither: both */
    const char *const *folders; /* [n_folders]: in one of these or below it: path is it, or begins with it and '/'; */
    size_t n_folders;           /* up to ALIGN_MOST_FOLDERS; 0: anywhere */
    const char *path;           /* of this very file; NULL: any */
    int64_t from, until;        /* taken at from <= taken < until */
    const uint8_t *hash;        /* [ALIGN_HASH_SIZE]: of this content; NULL: any */
} align_filter;

/* clang-format off */
#define ALIGN_FILTER_INIT { false, false, NULL, 0, NULL, INT64_MIN, INT64_MAX, NULL }
/* clang-format on */

/* The item of that path and member (NULL: ""). Its strings are the index's, until the next call. */
ALIGN_API align_status align_index_find(align_index *index, const char *path, const char *member, align_item *out,
                                        bool *found, align_error *err);

/* The item of that id. Its strings are the index's, until the next call. */
ALIGN_API align_status align_index_item(align_index *index, int64_t id, align_item *out, bool *found, align_error *err);

/* The vector of an item, [width] f32 of unit length, as it is kept; NOT_FOUND. */
ALIGN_API align_status align_index_vector(align_index *index, int64_t id, float *out, align_error *err);

typedef enum align_item_order {
    ALIGN_ORDER_ID = 0, /* as they were added */
    ALIGN_ORDER_PATH,   /* by path, then member, as bytes */
    ALIGN_ORDER_NEWEST, /* by when they were taken, unknown last */
    ALIGN_ORDER_OLDEST,
    ALIGN_ORDER_SCORE /* the nearest first, equal ones by when their vectors were added: of queries alone */
} align_item_order;

/* All items one after the other, as they were when the cursor was opened. The index may be used meanwhile, and must be
 * closed later. filter NULL: all. */
typedef struct align_cursor align_cursor;
ALIGN_API align_status align_cursor_open(align_cursor **out, align_index *index, const align_filter *filter,
                                         align_item_order order, align_error *err);

/* The next item, whose strings are the cursor's until the next call; vector, if not NULL, gets its vector. *found is
 * false behind the last. */
ALIGN_API align_status align_cursor_next(align_cursor *cursor, align_item *out, float *vector, bool *found,
                                         align_error *err);
ALIGN_API void align_cursor_close(align_cursor *cursor); /* NULL is fine */

/* ---- search ---- */

typedef struct align_query_options {
    int64_t top;      /* at most so many hits a query, from 1 on: those that come first in the order. Default 10 */
    int64_t skip;     /* so many of the first are left out before: pages */
    double threshold; /* no hit with a lower score */
    align_filter filter;
    bool approximate; /* may miss some and be faster: PostgreSQL's HNSW index, which knows the order of scores alone. An
                       * SQLite index is always exact, and so are other orders */
    align_item_order order; /* of all that reach the threshold. Default ALIGN_ORDER_SCORE */
} align_query_options;

/* clang-format off */
#define ALIGN_QUERY_OPTIONS_INIT { 10, 0, -2.0, ALIGN_FILTER_INIT, false, ALIGN_ORDER_SCORE }
/* clang-format on */

/* What was found: of query q hits offsets[q] to offsets[q + 1], in the order that was asked for. */
typedef struct align_hits {
    size_t queries;
    size_t *offsets;   /* [queries + 1] */
    float *scores;     /* [offsets[queries]] */
    align_item *items; /* [offsets[queries]] */
    void *memory;      /* the items' strings */
} align_hits;
ALIGN_API void align_hits_done(align_hits *hits);

/*
 * The items nearest to each query, [queries, width] f32 of any length but zero. Several queries at once cost little
 * more than one.
 */
ALIGN_API align_status align_index_query(align_index *index, const float *vectors, size_t queries,
                                         const align_query_options *options, align_hits *out, align_error *err);

/*
 * The paper's way to ask with more than one thing: the sum of vectors of unit length, each times its weight (negative:
 * less of that), brought to unit length again. vectors [count, width]; out [width]. INVALID_ARGUMENT where nothing is
 * left.
 */
ALIGN_API align_status align_compose(float *out, const float *vectors, const double *weights, size_t count,
                                     size_t width, align_error *err);

/*
 * Pictures that look alike: groups of at least two items, each with a score of at least threshold to some other of its
 * group; of query q of the result the items of group q, the oldest first (by id), with their best score in the group.
 */
ALIGN_API align_status align_index_duplicates(align_index *index, double threshold, const align_filter *filter,
                                              align_hits *out, align_error *err);

#ifdef __cplusplus
}
#endif
#endif
