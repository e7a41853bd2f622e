/* sqlite_session.c: a connection to an index's SQLite file: statements, transactions, and what SQLite's errors mean. */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/sqlite.h"

#include <errno.h>
#include <string.h>

/* Another writer may take its time: a vacuum copies all vectors. */
#define PATIENCE_MS 60000

/* A vacuum between the reading of a row and the opening of the file it names: who comes too late looks again. */
#define ATTEMPTS 100

static align_status status_of(int code)
{
    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return ALIGN_ERROR_OUT_OF_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return ALIGN_ERROR_FORMAT;
    default:
        return ALIGN_ERROR_IO;
    }
}

align_status al_sqlite_error(const al_session *s, int code, const char *what, align_error *err)
{
    const int system = s->db ? sqlite3_system_errno(s->db) : 0;
    const char *reason = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);
    if ((code & 0xFF) == SQLITE_BUSY)
        reason = "other processes keep it locked";
    else if ((code & 0xFF) == SQLITE_CORRUPT)
        reason = "the file is damaged";
    const bool tells = system && ((code & 0xFF) == SQLITE_IOERR || (code & 0xFF) == SQLITE_CANTOPEN);
    return al_error_set(err, status_of(code), "%s: %s: %s%s%s%s", s->path, what, reason, tells ? " (" : "",
                        tells ? strerror(system) : "", tells ? ")" : "");
}

/* ---- open and close ---- */

/* A name that SQLite takes for nothing else (":memory:", "file:..."), or as an URI one that is read without locks. */
static char *name_of(const char *path, bool without_locks)
{
    const char *here = *path == '/' ? "" : "./";
    if (!without_locks)
        return al_format("%s%s", here, path);
    static const char start[] = "file:", end[] = "?immutable=1", digits[] = "0123456789ABCDEF";
    char *name = al_alloc(sizeof start + sizeof end + strlen(here) + 3 * strlen(path));
    if (!name)
        return NULL;
    char *at = name + strlen(strcpy(name, start));
    at += strlen(strcpy(at, here));
    for (const char *c = path; *c; c++) {
        const unsigned char byte = (unsigned char)*c;
        const bool plain = strchr("/._-", byte) || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                           (byte >= 'A' && byte <= 'Z');
        if (plain) {
            *at++ = *c;
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        }
    }
    strcpy(at, end);
    return name;
}

/* What a file says is not trusted. */
static align_status distrust(al_session *s, align_error *err)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, PATIENCE_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return al_session_exec(s, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", err);
}

/* The cache holds the tree of a million places. What is committed is on disk, for a vacuum then removes old vectors. */
static align_status tune(al_session *s, align_error *err)
{
    return al_session_exec(s, "PRAGMA cache_size = -65536; PRAGMA synchronous = FULL", err);
}

static align_status open_as(al_session *s, int flags, bool without_locks, align_error *err)
{
    char *name = name_of(s->path, without_locks);
    if (!name)
        return al_error_no_memory(err, strlen(s->path));
    const int code = sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    al_free(name);
    return code == SQLITE_OK ? distrust(s, err) : al_sqlite_error(s, code, "cannot open", err);
}

static void close_database(al_session *s)
{
    for (int i = 0; i < AL_SQL_COUNT; i++) {
        sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

/* Whether rows can be read; *code is what SQLite says if not. */
static bool is_readable(al_session *s, int *code)
{
    *code = sqlite3_exec(s->db, "SELECT 1 FROM sqlite_master LIMIT 1", NULL, NULL, NULL);
    return *code == SQLITE_OK;
}

/* The log of changes that are not in the file itself yet; without locks SQLite does not look at it. */
static align_status check_no_log(const al_session *s, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t size = 0;
    char *log = al_format("%s-wal", s->path);
    if (!log)
        return al_error_no_memory(err, strlen(s->path));
    if (al_file_size(log, &size) && size > 0)
        FAIL(err, ALIGN_ERROR_IO,
             "%s: holds what was written last, and can only be read where a file may be made beside it: open the index "
             "once from where it can be written",
             log);
done:
    al_free(log);
    return status;
}

/* The file beside it through which others are told of readers cannot be made: so there are no others. */
static bool cannot_share(const al_session *s, int code)
{
    code &= 0xFF;
    return code == SQLITE_CANTOPEN || code == SQLITE_READONLY ||
           (code == SQLITE_IOERR && sqlite3_system_errno(s->db) == ENOSPC);
}

static align_status open_read_only(al_session *s, align_error *err)
{
    align_status status = ALIGN_OK;
    int code;
    TRY(open_as(s, SQLITE_OPEN_READONLY, false, err));
    if (is_readable(s, &code))
        goto done;
    if (!cannot_share(s, code)) {
        status = al_sqlite_error(s, code, "cannot read", err);
        goto done;
    }
    close_database(s);
    TRY(check_no_log(s, err));
    TRY(open_as(s, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, true, err));
    if (!is_readable(s, &code))
        status = al_sqlite_error(s, code, "cannot read", err);
done:
    return status;
}

align_status al_session_open(al_session *s, const char *path, bool writable, bool create, align_error *err)
{
    align_status status = ALIGN_OK;
    int code;
    *s = (al_session){.path = path, .writable = writable, .vectors = AL_VECTORS_CLOSED};
    if (!writable) {
        TRY(open_read_only(s, err));
        goto done;
    }
    TRY(open_as(s, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), false, err));
    if (sqlite3_db_readonly(s->db, "main") == 1)
        FAIL(err, ALIGN_ERROR_IO, "%s: cannot be written to", path);
    if (!is_readable(s, &code))
        status = al_sqlite_error(s, code, "cannot read", err);
done:
    if (status == ALIGN_OK)
        status = tune(s, err);
    if (status != ALIGN_OK)
        al_session_close(s);
    return status;
}

void al_session_close(al_session *s)
{
    if (!s->db)
        return;
    close_database(s);
    al_vectors_close(&s->vectors);
}

/* ---- statements ---- */

align_status al_session_exec(al_session *s, const char *sql, align_error *err)
{
    const int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ALIGN_OK : al_sqlite_error(s, code, "cannot be set up", err);
}

align_status al_session_statement(al_session *s, al_statement which, sqlite3_stmt **out, align_error *err)
{
#define X(name, text) text,
    static const char *const texts[] = {AL_STATEMENTS(X)};
#undef X
    *out = s->statements[which];
    if (*out) {
        sqlite3_reset(*out);
        return ALIGN_OK;
    }
    const int code = sqlite3_prepare_v3(s->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    s->statements[which] = *out;
    /* A table or a column that is not there: somebody else's, or half of ours. */
    if (code == SQLITE_ERROR)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: not as an index should be: %s", s->path,
                            sqlite3_errmsg(s->db));
    return code == SQLITE_OK ? ALIGN_OK : al_sqlite_error(s, code, "cannot be used", err);
}

align_status al_session_step(al_session *s, sqlite3_stmt *statement, bool *row, align_error *err)
{
    const int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return ALIGN_OK;
    const align_status status =
        al_sqlite_error(s, code, sqlite3_stmt_readonly(statement) ? "cannot read" : "cannot write", err);
    sqlite3_reset(statement);
    return status;
}

align_status al_session_run(al_session *s, sqlite3_stmt *statement, align_error *err)
{
    bool row;
    const align_status status = al_session_step(s, statement, &row, err);
    sqlite3_reset(statement);
    return status;
}

/* ---- transactions ---- */

static align_status run(al_session *s, al_statement which, align_error *err)
{
    sqlite3_stmt *statement;
    const align_status status = al_session_statement(s, which, &statement, err);
    return status == ALIGN_OK ? al_session_run(s, statement, err) : status;
}

align_status al_session_read_state(al_session *s, al_sqlite_state *state, align_error *err)
{
    align_status status = ALIGN_OK;
    sqlite3_stmt *row = NULL;
    bool found;
    *state = (al_sqlite_state){0};
    TRY(al_session_statement(s, AL_SQL_STATE, &row, err));
    TRY(al_session_step(s, row, &found, err));
    if (!found || sqlite3_column_bytes(row, 2) != AL_IDENTITY_SIZE)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: damaged: it does not say what it is (table state)", s->path);
    state->key.element = AL_ELEMENT_F16;
    state->key.width = sqlite3_column_int64(row, 0);
    memcpy(state->key.identity, sqlite3_column_blob(row, 2), AL_IDENTITY_SIZE);
    state->key.generation = sqlite3_column_int64(row, 3);
    state->slots = sqlite3_column_int64(row, 4);
    state->holes = sqlite3_column_int64(row, 5);
    state->images = sqlite3_column_int64(row, 6);
    state->texts = sqlite3_column_int64(row, 7);
    state->last_id = sqlite3_column_int64(row, 8);
    if (state->key.width < 1 || state->slots < 0 || state->holes < 0 || state->holes > state->slots ||
        state->images < 0 || state->texts < 0 || state->last_id < 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: damaged: its numbers do not fit together (table state)", s->path);
done:
    if (row)
        sqlite3_reset(row);
    return status;
}

align_status al_session_write_state(al_session *s, const al_sqlite_state *state, align_error *err)
{
    sqlite3_stmt *statement;
    const int64_t values[] = {state->key.generation, state->slots, state->holes,
                              state->images,         state->texts, state->last_id};
    const align_status status = al_session_statement(s, AL_SQL_SET_STATE, &statement, err);
    if (status != ALIGN_OK)
        return status;
    for (int i = 0; i < 6; i++)
        sqlite3_bind_int64(statement, i + 1, values[i]);
    return al_session_run(s, statement, err);
}

/* The vectors of a state: those that are open, or the file that belongs to it. */
static align_status follow(al_session *s, const al_sqlite_state *state, align_error *err)
{
    al_vectors *v = &s->vectors;
    if (v->fd >= 0 && memcmp(&v->key, &state->key, sizeof v->key) == 0)
        return ALIGN_OK;
    al_vectors_close(v);
    return al_vectors_open(v, s->path, &state->key, s->writable, err);
}

static void roll_back(al_session *s)
{
    /* Fails where there is no transaction any more, which is as well. */
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* What a file of vectors says of itself, and what can be done about it. */
static align_status advise(align_status status, align_error *err)
{
    if (status == ALIGN_ERROR_FORMAT && err) {
        const align_error said = *err;
        al_error_write(err, status, "%s; " AL_SQLITE_ADVICE, said.message);
    }
    return status;
}

align_status al_session_begin(al_session *s, bool write, al_sqlite_state *state, align_error *err)
{
    align_status status = ALIGN_OK;
    int64_t generation = -1;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        TRY(run(s, write ? AL_SQL_WRITE : AL_SQL_READ, err));
        TRY(al_session_read_state(s, state, err));
        status = follow(s, state, err);
        if (status != ALIGN_ERROR_NOT_FOUND || state->key.generation == generation)
            break;
        generation = state->key.generation;
        roll_back(s);
    }
    /* Missing twice: no vacuum has taken it away. */
    if (status == ALIGN_ERROR_NOT_FOUND)
        status =
            al_error_set(err, ALIGN_ERROR_FORMAT, "%s-vectors-%" PRId64 ": the file of the index's vectors is missing",
                         s->path, state->key.generation);
    if (status == ALIGN_OK)
        status = al_vectors_check(&s->vectors, state->slots, err);
    TRY(advise(status, err));
done:
    if (status != ALIGN_OK)
        roll_back(s);
    return status;
}

align_status al_session_end(al_session *s, align_status status, align_error *err)
{
    if (status == ALIGN_OK)
        status = run(s, AL_SQL_COMMIT, err);
    if (status != ALIGN_OK)
        roll_back(s);
    return status;
}
