#ifndef AL_POSTGRES_STORE_H
#define AL_POSTGRES_STORE_H
/*
 * postgres_store.h: the store on a server, and what its files share (schema, writing, reading, queries).
 *
 * Whatever a call does is one transaction, so that it can be done again from the start where the connection broke, or
 * where another writer was in the way: al_postgres_try does, and every function of the store is an operation for it.
 */
#include "search/postgres_session.h"
#include "search/store.h"

/* What the schema holds. */
typedef struct al_postgres_facts {
    bool made;
    int64_t version, width;
    bool half;     /* numbers are f16 */
    bool iterates; /* pgvector goes on in its HNSW index until a filter has let enough through: 0.8 */
    char model[256];
} al_postgres_facts;

typedef struct al_postgres {
    al_store store;
    al_postgres_address address;
    al_postgres_session session;
    al_postgres_facts facts;
    PGresult *found; /* what the last find gave out strings of */
} al_postgres;

typedef align_status (*al_postgres_operation)(al_postgres *p, void *task, align_error *err);

/* Does it; once more over a new connection if there was none any more, and again after a conflict. */
align_status al_postgres_try(al_postgres *p, al_postgres_operation operation, void *task, align_error *err);

/* Whether what a new connection finds is the index that was opened: NOT_FOUND, MISMATCH. */
align_status al_postgres_check_same(const al_postgres *p, const al_postgres_facts *facts, align_error *err);

/* ---- schema ---- */

/* Opens a session in the schema that there is: facts->made is false where there is none. */
align_status al_postgres_enter(al_postgres_session *session, const al_postgres *p, al_postgres_facts *facts,
                               align_error *err);

/* Makes the schema, unless another process just did. */
align_status al_postgres_make(al_postgres *p, const align_index_options *options, align_error *err);

/* ---- reading ---- */

/* The columns that al_postgres_get_item reads, from the first one on. */
#define AL_POSTGRES_COLUMNS   "id, kind, path, member, text, size, modified, taken, width, height, hash"
#define AL_POSTGRES_N_COLUMNS 11

/* Strings are those of rows. FORMAT for what no index of ours holds. */
align_status al_postgres_get_item(const al_postgres *p, const PGresult *rows, int row, align_item *out,
                                  align_error *err);

/* " WHERE ...", if there is a condition. The filter's strings must stay there until the statement has been run. */
void al_postgres_say_filter(al_postgres_statement *statement, const align_filter *filter);

/* What follows "ORDER BY"; of scores, in the order of a column of that name. */
const char *al_postgres_order(align_item_order order);

/* ---- the functions of the store ---- */

align_status al_postgres_info(al_store *store, align_index_info *out, align_error *err);
align_status al_postgres_add(al_store *store, const align_item *items, const float *vectors, size_t count, int64_t *ids,
                             align_error *err);
align_status al_postgres_update(al_store *store, const align_item *items, size_t count, align_error *err);
align_status al_postgres_remove(al_store *store, const int64_t *ids, size_t count, size_t *removed, align_error *err);
align_status al_postgres_vacuum(al_store *store, align_error *err);
align_status al_postgres_item(al_store *store, int64_t id, align_item *out, bool *found, align_error *err);
align_status al_postgres_find(al_store *store, const char *path, const char *member, align_item *out, bool *found,
                              align_error *err);
align_status al_postgres_vector(al_store *store, int64_t id, float *out, align_error *err);
align_status al_postgres_cursor_open(align_cursor **out, al_store *store, const align_filter *filter,
                                     align_item_order order, align_error *err);
align_status al_postgres_cursor_next(align_cursor *cursor, align_item *out, float *vector, bool *found,
                                     align_error *err);
void al_postgres_cursor_close(align_cursor *cursor);
align_status al_postgres_query(al_store *store, const float *vectors, size_t queries,
                               const align_query_options *options, align_hits *out, align_error *err);

/* ---- vectors on their way, in pgvector's binary form ---- */

#define AL_POSTGRES_VECTOR_BYTES(width) (4 + 4 * (size_t)(width))

void al_postgres_pack_vector(char *bytes, const float *vector, int64_t width);

/* FORMAT where a column of a row is not a vector of that width. */
align_status al_postgres_get_vector(const al_postgres *p, const PGresult *rows, int row, int column, float *out,
                                    align_error *err);
#endif
