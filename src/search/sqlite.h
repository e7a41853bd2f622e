#ifndef AL_SQLITE_H
#define AL_SQLITE_H
/*
 * sqlite.h: an index in an SQLite file, with its vectors in a file beside it; docs/index-format.md has the tables and
 * what holds of them.
 *
 *   sqlite.c            opening, making and closing one
 *   sqlite_session.c    statements, transactions, what SQLite's errors mean
 *   sqlite_change.c     items come, change and go
 *   sqlite_vacuum.c     vectors move to a new file, without holes
 *   sqlite_repair.c     items whose vectors are lost go
 *   sqlite_read.c       items are looked up and listed
 *   sqlite_query.c      the nearest vectors, and whose they are
 */
#include "base/threads.h"
#include "search/quantized.h"
#include "search/store.h"
#include "search/vectors.h"

#include <sqlite3.h>

/* Every statement that a handle keeps: name, text. */
#define AL_ITEM_COLUMNS "id, kind, path, member, text, size, modified, taken, width, height, hash, slot"
#define AL_STATEMENTS(X)                                                                                         \
    X(READ, "BEGIN")                                                                                             \
    X(WRITE, "BEGIN IMMEDIATE")                                                                                  \
    X(COMMIT, "COMMIT")                                                                                          \
    X(STATE, "SELECT width, model, identity, generation, slots, holes, images, texts, last_id FROM state")       \
    X(SET_STATE, "UPDATE state SET generation = ?, slots = ?, holes = ?, images = ?, texts = ?, last_id = ?")    \
    X(PLACE, "SELECT id, slot, kind FROM items WHERE path = ? AND member = ?")                                   \
    X(BY_ID, "SELECT id, slot, kind FROM items WHERE id = ?")                                                    \
    X(ADD, "INSERT INTO items (kind, path, member, text, size, modified, taken, width, height, hash, slot, id) " \
           "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                                        \
    X(CHANGE, "UPDATE items SET kind = ?, path = ?, member = ?, text = ?, size = ?, modified = ?, taken = ?, "   \
              "width = ?, height = ?, hash = ?, slot = ? WHERE id = ?")                                          \
    X(PARK, "UPDATE items SET path = x'00', member = CAST(id AS BLOB) WHERE id = ?")                             \
    X(REMOVE, "DELETE FROM items WHERE id = ?")                                                                  \
    X(ADD_HOLE, "INSERT INTO holes (slot) VALUES (?)")                                                           \
    X(HOLES, "SELECT slot FROM holes ORDER BY slot")                                                             \
    X(CLEAR_HOLES, "DELETE FROM holes")                                                                          \
    X(MOVE, "UPDATE items SET slot = slot - ? WHERE slot > ? AND slot < ?")                                      \
    X(FIND, "SELECT " AL_ITEM_COLUMNS " FROM items WHERE path = ? AND member = ?")                               \
    X(ITEM, "SELECT " AL_ITEM_COLUMNS " FROM items WHERE id = ?")                                                \
    X(AT_SLOT, "SELECT " AL_ITEM_COLUMNS " FROM items WHERE slot = ?")

typedef enum al_statement {
#define X(name, text) AL_SQL_##name,
    AL_STATEMENTS(X)
#undef X
        AL_SQL_COUNT
} al_statement;

/* The one row of the table `state`. */
typedef struct al_sqlite_state {
    al_vectors_key key;
    int64_t slots, holes, images, texts, last_id;
} al_sqlite_state;

/* A connection, with the vectors of the generation it saw last. */
typedef struct al_session {
    sqlite3 *db;
    const char *path; /* the SQLite file */
    bool writable;
    sqlite3_stmt *statements[AL_SQL_COUNT]; /* NULL: not needed so far */
    al_vectors vectors;
} al_session;

typedef struct al_sqlite {
    al_store base;
    al_session session;
    char *held; /* the strings of the item that find or item gave last */
    bool quantize;
    al_quantized quantized;
    int wanted_threads;
    al_threads *threads; /* NULL: not needed so far */
} al_sqlite;

/* ---- sqlite_session.c ---- */

/* What can be done about vectors and rows that do not fit each other. */
#define AL_SQLITE_ADVICE "'align index repair' lets go of the items whose vectors are lost"

/* The error that says so of rows. */
#define al_sqlite_damaged(session, err, what, ...) \
    al_error_set((err), ALIGN_ERROR_FORMAT, "%s: damaged: " what "; " AL_SQLITE_ADVICE, (session)->path, __VA_ARGS__)

/* A failed call of SQLite as a status, and a message that says what was being done. */
align_status al_sqlite_error(const al_session *session, int code, const char *what, align_error *err);

/* Opens the file. Where it must not be written and the disk cannot be, it is read without locks. */
align_status al_session_open(al_session *out, const char *path, bool writable, bool create, align_error *err);
void al_session_close(al_session *session); /* a zeroed one is fine */

align_status al_session_exec(al_session *session, const char *sql, align_error *err);

/* A statement, ready to be bound and stepped. */
align_status al_session_statement(al_session *session, al_statement which, sqlite3_stmt **out, align_error *err);

/* Steps to the next row; *row is false behind the last, and after an error: then the statement is reset. */
align_status al_session_step(al_session *session, sqlite3_stmt *statement, bool *row, align_error *err);

/* Runs a statement that has no rows. */
align_status al_session_run(al_session *session, sqlite3_stmt *statement, align_error *err);

/*
 * Begins a transaction, reads the state and opens the vectors that belong to it. A transaction that writes keeps other
 * writers waiting. _end takes what the transaction came to: it commits, or rolls back and keeps the failure.
 */
align_status al_session_begin(al_session *session, bool write, al_sqlite_state *state, align_error *err);
align_status al_session_end(al_session *session, align_status status, align_error *err);

align_status al_session_read_state(al_session *session, al_sqlite_state *state, align_error *err);
align_status al_session_write_state(al_session *session, const al_sqlite_state *state, align_error *err);

/* ---- sqlite_change.c ---- */

align_status al_sqlite_add(al_store *store, const align_item *items, const float *vectors, size_t count, int64_t *ids,
                           align_error *err);
align_status al_sqlite_update(al_store *store, const align_item *items, size_t count, align_error *err);
align_status al_sqlite_remove(al_store *store, const int64_t *ids, size_t count, size_t *removed, align_error *err);

/* ---- sqlite_vacuum.c ---- */

align_status al_sqlite_vacuum(al_store *store, align_error *err);

/* Bytes of the index's files. */
int64_t al_sqlite_bytes(const al_sqlite *store);

/* ---- sqlite_repair.c ---- */

/* *lost: how many items went. */
align_status al_sqlite_repair(al_session *session, int64_t *lost, align_error *err);

/* ---- sqlite_read.c ---- */

/* The item of a row of AL_ITEM_COLUMNS, whose strings are the statement's until it steps, and its slot. */
align_status al_sqlite_read_item(const al_session *session, sqlite3_stmt *row, const al_sqlite_state *state,
                                 align_item *out, int64_t *slot, align_error *err);

/* A statement for the items of a filter: "SELECT <columns> FROM items WHERE ... <order>", in no order for that of
 * scores, which rows do not know. Whoever asks finalises it. */
align_status al_sqlite_filtered(al_session *session, const char *columns, const align_filter *filter,
                                align_item_order order, sqlite3_stmt **out, align_error *err);

align_status al_sqlite_item(al_store *store, int64_t id, align_item *out, bool *found, align_error *err);
align_status al_sqlite_find(al_store *store, const char *path, const char *member, align_item *out, bool *found,
                            align_error *err);
align_status al_sqlite_vector(al_store *store, int64_t id, float *out, align_error *err);
align_status al_sqlite_cursor_open(align_cursor **out, al_store *store, const align_filter *filter,
                                   align_item_order order, align_error *err);
align_status al_sqlite_cursor_next(align_cursor *cursor, align_item *out, float *vector, bool *found, align_error *err);
void al_sqlite_cursor_close(align_cursor *cursor);

/* ---- sqlite_query.c ---- */

align_status al_sqlite_query(al_store *store, const float *vectors, size_t queries, const align_query_options *options,
                             align_hits *out, align_error *err);
#endif
