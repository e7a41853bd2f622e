/* sqlite.c: an index in an SQLite file: opening, making and closing one. */
#include "search/sqlite.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x414C474E /* "ALGN" */
#define WAL_TRIES      500
#define WAL_WAIT_MS    10

/* docs/index-format.md explains these. */
static const char schema[] =
    "CREATE TABLE state ("
    "  one INTEGER PRIMARY KEY CHECK (one = 1), width INTEGER NOT NULL, model TEXT NOT NULL, identity BLOB NOT NULL,"
    "  generation INTEGER NOT NULL, slots INTEGER NOT NULL, holes INTEGER NOT NULL, images INTEGER NOT NULL,"
    "  texts INTEGER NOT NULL, last_id INTEGER NOT NULL);"
    "CREATE TABLE items ("
    "  id INTEGER PRIMARY KEY, slot INTEGER NOT NULL, kind INTEGER NOT NULL, path BLOB NOT NULL, member BLOB NOT NULL,"
    "  text TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, taken INTEGER, width INTEGER NOT NULL,"
    "  height INTEGER NOT NULL, hash BLOB);"
    "CREATE TABLE holes (slot INTEGER PRIMARY KEY);"
    "CREATE UNIQUE INDEX items_place ON items (path, member);"
    "CREATE INDEX items_slot ON items (slot, kind);"
    "CREATE INDEX items_taken ON items (taken, slot, kind);"
    "CREATE INDEX items_hash ON items (hash) WHERE hash IS NOT NULL;"
    "PRAGMA application_id = 1095518030; PRAGMA user_version = 1";

_Static_assert(APPLICATION_ID == 1095518030 && AL_STORE_VERSION == 1, "the schema says the same");

static align_status read_pragma(al_session *s, const char *sql, int64_t *value, align_error *err)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    const int code = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
    align_status status =
        code == SQLITE_OK ? al_session_step(s, statement, &row, err) : al_sqlite_error(s, code, "cannot read", err);
    *value = row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return status;
}

/* Whose file it is; *empty: nobody's so far. Within a transaction. */
static align_status check_kind(al_session *s, bool *empty, align_error *err)
{
    align_status status = ALIGN_OK;
    int64_t application, version, tables;
    TRY(read_pragma(s, "PRAGMA application_id", &application, err));
    TRY(read_pragma(s, "PRAGMA user_version", &version, err));
    TRY(read_pragma(s, "SELECT COUNT(*) FROM sqlite_master", &tables, err));
    *empty = application == 0 && version == 0 && tables == 0;
    if (*empty)
        goto done;
    if (application != APPLICATION_ID)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: an SQLite file of another program, not an index", s->path);
    if (version > AL_STORE_VERSION)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED,
             "%s: an index written by a newer version: format %" PRId64 ", up to %d is understood", s->path, version,
             AL_STORE_VERSION);
    if (version != AL_STORE_VERSION)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: an index of format %" PRId64 ", which there never was", s->path, version);
done:
    return status;
}

/* The same of one moment: another process may be making its tables. */
static align_status look_at_kind(al_session *s, bool *empty, align_error *err)
{
    align_status status = al_session_exec(s, "BEGIN", err);
    if (status == ALIGN_OK)
        status = al_session_end(s, check_kind(s, empty, err), err);
    return status;
}

/* Readers do not wait for writers. The mode stays with the file; others may be opening it at this moment. */
static align_status use_log(al_session *s, align_error *err)
{
    int code = SQLITE_BUSY;
    for (int i = 0; i < WAL_TRIES && (code & 0xFF) == SQLITE_BUSY; i++) {
        code = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if ((code & 0xFF) == SQLITE_BUSY)
            sqlite3_sleep(WAL_WAIT_MS);
    }
    return code == SQLITE_OK ? ALIGN_OK : al_sqlite_error(s, code, "cannot be set up", err);
}

static align_status write_first_state(al_session *s, const al_vectors_key *key, const char *model, align_error *err)
{
    sqlite3_stmt *row = NULL;
    const int code =
        sqlite3_prepare_v2(s->db, "INSERT INTO state VALUES (1, ?, ?, ?, ?, 0, 0, 0, 0, 0)", -1, &row, NULL);
    if (code != SQLITE_OK)
        return al_sqlite_error(s, code, "cannot be set up", err);
    sqlite3_bind_int64(row, 1, key->width);
    sqlite3_bind_text(row, 2, model, -1, SQLITE_STATIC);
    sqlite3_bind_blob(row, 3, key->identity, AL_IDENTITY_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(row, 4, key->generation);
    const align_status status = al_session_run(s, row, err);
    sqlite3_finalize(row);
    return status;
}

/* Tables into an empty file, unless another process was faster. */
static align_status make_tables(al_session *s, const align_index_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    bool empty = false;
    al_vectors_key key = {.generation = 1, .width = options->width, .element = AL_ELEMENT_F16};
    TRY(use_log(s, err));
    TRY(al_session_exec(s, "BEGIN IMMEDIATE", err));
    TRY(check_kind(s, &empty, err));
    if (empty) {
        sqlite3_randomness(AL_IDENTITY_SIZE, key.identity);
        TRY(al_session_exec(s, schema, err));
        TRY(write_first_state(s, &key, options->model, err));
        TRY(al_vectors_create(&s->vectors, s->path, &key, err));
    }
done:
    return al_session_end(s, status, err);
}

static align_status read_model(al_sqlite *s, align_error *err)
{
    align_status status = ALIGN_OK;
    al_sqlite_state state;
    sqlite3_stmt *row;
    bool found;
    TRY(al_session_begin(&s->session, false, &state, err));
    status = al_session_statement(&s->session, AL_SQL_STATE, &row, err);
    if (status == ALIGN_OK)
        status = al_session_step(&s->session, row, &found, err);
    if (status == ALIGN_OK) {
        const unsigned char *model = sqlite3_column_text(row, 1);
        s->base.width = state.key.width;
        s->base.model = model ? al_strdup((const char *)model) : NULL;
        sqlite3_reset(row);
        if (!s->base.model)
            status = al_error_no_memory(err, 1);
    }
    status = al_session_end(&s->session, status, err);
done:
    return status;
}

/* The folder of a new index, in which a file can be made: where none can, SQLite says that the file is not there. */
static align_status make_folder_for(const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? al_strdup(".") : al_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder)
        return al_error_no_memory(err, strlen(path));
    TRY(al_make_folder(folder, err));
    if (access(folder, W_OK | X_OK) != 0)
        FAIL(err, ALIGN_ERROR_IO, "%s: cannot be made: %s: %s", path, folder, strerror(errno));
done:
    al_free(folder);
    return status;
}

/* What is there, before SQLite is asked, which would say less. */
static align_status check_file(const char *path, bool create, align_error *err)
{
    if (al_is_folder(path))
        return al_error_set(err, ALIGN_ERROR_IO, "%s: a folder, not an index", path);
    if (al_is_file(path))
        return ALIGN_OK;
    return create ? make_folder_for(path, err) : al_error_set(err, ALIGN_ERROR_NOT_FOUND, "%s: no index there", path);
}

static void sqlite_close(al_store *store)
{
    al_sqlite *s = (al_sqlite *)store;
    al_session_close(&s->session);
    al_quantized_close(&s->quantized);
    al_threads_free(s->threads);
    al_free(s->held);
    al_free(s->base.model);
    al_free(s->base.where);
    al_free(s);
}

static align_status sqlite_info(al_store *store, align_index_info *out, align_error *err)
{
    al_sqlite *s = (al_sqlite *)store;
    al_sqlite_state state;
    const align_status status = al_session_begin(&s->session, false, &state, err);
    if (status != ALIGN_OK)
        return status;
    out->images = state.images;
    out->texts = state.texts;
    out->holes = state.holes;
    out->bytes = al_sqlite_bytes(s);
    return al_session_end(&s->session, ALIGN_OK, err);
}

static const al_store_class sqlite_class = {
    .name = "sqlite",
    .close = sqlite_close,
    .info = sqlite_info,
    .add = al_sqlite_add,
    .update = al_sqlite_update,
    .remove = al_sqlite_remove,
    .vacuum = al_sqlite_vacuum,
    .find = al_sqlite_find,
    .item = al_sqlite_item,
    .vector = al_sqlite_vector,
    .cursor_open = al_sqlite_cursor_open,
    .cursor_next = al_sqlite_cursor_next,
    .cursor_close = al_sqlite_cursor_close,
    .query = al_sqlite_query,
};

align_status al_sqlite_open(al_store **out, const char *where, const align_index_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    al_sqlite *s = al_calloc(1, sizeof *s);
    bool empty;
    if (!s)
        return al_error_no_memory(err, sizeof *s);
    s->base = (al_store){.class = &sqlite_class, .where = al_strdup(where), .read_only = options->read_only};
    s->quantize = options->quantize;
    s->quantized = AL_QUANTIZED_CLOSED;
    s->wanted_threads = options->threads;
    if (!s->base.where) {
        status = al_error_no_memory(err, strlen(where));
        goto done;
    }
    TRY(check_file(where, options->create, err));
    TRY(al_session_open(&s->session, s->base.where, !options->read_only, options->create, err));
    TRY(look_at_kind(&s->session, &empty, err));
    if (empty && !options->create)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: empty: no index was made in it", where);
    if (empty)
        TRY(make_tables(&s->session, options, err));
    else if (options->repair)
        TRY(al_sqlite_repair(&s->session, &s->base.lost, err));
    TRY(read_model(s, err));
    *out = &s->base;
    s = NULL;
done:
    if (s)
        sqlite_close(&s->base);
    return status;
}
