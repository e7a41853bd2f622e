/* sqlite_read.c: items of an SQLite index are looked up and listed. */
#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "search/hits.h"
#include "search/sqlite.h"

#include <stdio.h>
#include <string.h>

/* ---- rows ---- */

/* Bytes as a string with an end; the row's until it is left. */
static const char *text_of(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

align_status al_sqlite_read_item(const al_session *s, sqlite3_stmt *row, const al_sqlite_state *state, align_item *out,
                                 int64_t *slot, align_error *err)
{
    *out = (align_item)ALIGN_ITEM_INIT;
    out->id = sqlite3_column_int64(row, 0);
    out->kind = sqlite3_column_int64(row, 1) == ALIGN_ITEM_TEXT ? ALIGN_ITEM_TEXT : ALIGN_ITEM_IMAGE;
    out->path = text_of(row, 2);
    out->member = text_of(row, 3);
    out->text = text_of(row, 4);
    out->size = sqlite3_column_int64(row, 5);
    out->modified = sqlite3_column_int64(row, 6);
    if (sqlite3_column_type(row, 7) != SQLITE_NULL)
        out->taken = sqlite3_column_int64(row, 7);
    out->width = sqlite3_column_int64(row, 8);
    out->height = sqlite3_column_int64(row, 9);
    if (sqlite3_column_bytes(row, 10) == ALIGN_HASH_SIZE)
        memcpy(out->hash, sqlite3_column_blob(row, 10), ALIGN_HASH_SIZE);
    *slot = sqlite3_column_int64(row, 11);
    if (!out->path || !out->member || !out->text)
        return al_error_no_memory(err, 1);
    if (*slot < 0 || *slot >= state->slots)
        return al_sqlite_damaged(s, err, "item %" PRId64 " has vector %" PRId64 " of %" PRId64, out->id, *slot,
                                 state->slots);
    return ALIGN_OK;
}

static align_status read_vector(al_session *s, const al_sqlite_state *state, int64_t slot, float *out, align_error *err)
{
    const void *vectors;
    const size_t width = (size_t)state->key.width;
    const align_status status = al_vectors_view(&s->vectors, state->slots, &vectors, err);
    if (status == ALIGN_OK)
        al_to_f32(ALIGN_F16, (const uint16_t *)vectors + (size_t)slot * width, width, out);
    return status;
}

/* What the one item is called that is looked for: by its id, or, path not NULL, by its place. */
typedef struct wanted {
    int64_t id;
    const char *path, *member;
} wanted;

static align_status find_row(al_session *s, const wanted *w, sqlite3_stmt **row, bool *found, align_error *err)
{
    const align_status status = al_session_statement(s, w->path ? AL_SQL_FIND : AL_SQL_ITEM, row, err);
    if (status != ALIGN_OK)
        return status;
    if (w->path) {
        sqlite3_bind_blob64(*row, 1, w->path, strlen(w->path), SQLITE_STATIC);
        sqlite3_bind_blob64(*row, 2, w->member, strlen(w->member), SQLITE_STATIC);
    } else {
        sqlite3_bind_int64(*row, 1, w->id);
    }
    return al_session_step(s, *row, found, err);
}

static align_status find_item(al_sqlite *index, const wanted *w, align_item *out, bool *found, align_error *err)
{
    align_status status = ALIGN_OK;
    al_session *s = &index->session;
    al_sqlite_state state;
    sqlite3_stmt *row;
    int64_t slot;
    TRY(al_session_begin(s, false, &state, err));
    status = find_row(s, w, &row, found, err);
    if (status == ALIGN_OK && *found) {
        status = al_sqlite_read_item(s, row, &state, out, &slot, err);
        if (status == ALIGN_OK)
            status = al_item_hold(&index->held, out, err);
    }
    if (row)
        sqlite3_reset(row);
    status = al_session_end(s, status, err);
done:
    return status;
}

align_status al_sqlite_find(al_store *store, const char *path, const char *member, align_item *out, bool *found,
                            align_error *err)
{
    return find_item((al_sqlite *)store, &(wanted){.path = path, .member = member}, out, found, err);
}

align_status al_sqlite_item(al_store *store, int64_t id, align_item *out, bool *found, align_error *err)
{
    return find_item((al_sqlite *)store, &(wanted){.id = id}, out, found, err);
}

align_status al_sqlite_vector(al_store *store, int64_t id, float *out, align_error *err)
{
    align_status status = ALIGN_OK;
    al_session *s = &((al_sqlite *)store)->session;
    al_sqlite_state state;
    sqlite3_stmt *row;
    bool found = false;
    TRY(al_session_begin(s, false, &state, err));
    status = al_session_statement(s, AL_SQL_BY_ID, &row, err);
    if (status == ALIGN_OK) {
        sqlite3_bind_int64(row, 1, id);
        status = al_session_step(s, row, &found, err);
    }
    if (status == ALIGN_OK && !found)
        status = al_error_set(err, ALIGN_ERROR_NOT_FOUND, "%s: no item %" PRId64, s->path, id);
    if (status == ALIGN_OK)
        status = read_vector(s, &state, sqlite3_column_int64(row, 1), out, err);
    if (row)
        sqlite3_reset(row);
    status = al_session_end(s, status, err);
done:
    return status;
}

/* ---- filters ---- */

enum { AT_PATH = 1, AT_FROM, AT_UNTIL, AT_HASH, AT_FOLDERS };
enum { OF_FOLDER = 3 }; /* parameters: its name, what is behind all that begins with it, its size */

static bool has_dates(const align_filter *filter)
{
    return filter->from != INT64_MIN || filter->until != INT64_MAX;
}

/*
 * " AND (in one OR in another)", to be freed. What begins with a folder's name and '/' lies between the name and the
 * name with the byte after '/'; so does "name.jpg", which the size tells apart.
 */
static char *say_folders(size_t count)
{
    char *sql = al_strdup("");
    for (size_t i = 0; i < count && sql; i++) {
        const int at = AT_FOLDERS + OF_FOLDER * (int)i;
        char *longer =
            al_format("%s%s(path >= ?%d AND path < ?%d AND"
                      " (length(path) = ?%d OR substr(path, ?%d + 1, 1) = x'2F'))%s",
                      sql, i == 0 ? " AND (" : " OR ", at, at + 1, at + 2, at + 2, i + 1 == count ? ")" : "");
        al_free(sql);
        sql = longer;
    }
    return sql;
}

static align_status bind_folders(sqlite3_stmt *statement, const align_filter *filter, align_error *err)
{
    for (size_t i = 0; i < filter->n_folders; i++) {
        const int at = AT_FOLDERS + OF_FOLDER * (int)i;
        const size_t n = strlen(filter->folders[i]);
        char *end = al_format("%s0", filter->folders[i]);
        if (!end)
            return al_error_no_memory(err, n);
        sqlite3_bind_blob64(statement, at, end, n, SQLITE_TRANSIENT);
        sqlite3_bind_blob64(statement, at + 1, end, n + 1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(statement, at + 2, (int64_t)n);
        al_free(end);
    }
    return ALIGN_OK;
}

static char *say_filtered(const char *columns, const align_filter *filter, align_item_order order)
{
    static const char *const orders[] = {
        [ALIGN_ORDER_ID] = "ORDER BY id",
        [ALIGN_ORDER_PATH] = "ORDER BY path, member",
        [ALIGN_ORDER_NEWEST] = "ORDER BY taken DESC, id",
        [ALIGN_ORDER_OLDEST] = "ORDER BY taken ASC NULLS LAST, id",
        [ALIGN_ORDER_SCORE] = "",
    };
    char *folders = say_folders(filter->n_folders);
    char *sql = !folders ? NULL
                         : al_format("SELECT %s FROM items WHERE 1%s%s%s%s%s %s", columns,
                                     filter->images == filter->texts ? ""
                                     : filter->images                ? " AND kind = 0"
                                                                     : " AND kind = 1",
                                     filter->path ? " AND path = ?1" : "",
                                     has_dates(filter) ? " AND taken >= ?2 AND taken < ?3" : "",
                                     filter->hash ? " AND hash = ?4" : "", folders, orders[order]);
    al_free(folders);
    return sql;
}

align_status al_sqlite_filtered(al_session *s, const char *columns, const align_filter *filter, align_item_order order,
                                sqlite3_stmt **out, align_error *err)
{
    align_status status = ALIGN_OK;
    char *sql = say_filtered(columns, filter, order);
    *out = NULL;
    if (!sql) {
        status = al_error_no_memory(err, 256);
        goto done;
    }
    const int code = sqlite3_prepare_v2(s->db, sql, -1, out, NULL);
    if (code != SQLITE_OK) {
        status = al_sqlite_error(s, code, "cannot be searched", err);
        goto done;
    }
    if (filter->path)
        sqlite3_bind_blob64(*out, AT_PATH, filter->path, strlen(filter->path), SQLITE_TRANSIENT);
    if (has_dates(filter)) {
        sqlite3_bind_int64(*out, AT_FROM, filter->from);
        sqlite3_bind_int64(*out, AT_UNTIL, filter->until);
    }
    if (filter->hash)
        sqlite3_bind_blob(*out, AT_HASH, filter->hash, ALIGN_HASH_SIZE, SQLITE_TRANSIENT);
    TRY(bind_folders(*out, filter, err));
done:
    al_free(sql);
    return status;
}

/* ---- listing ---- */

/* A connection of its own, so that it sees what there was when it was opened. */
typedef struct cursor {
    align_cursor base;
    al_session session;
    al_sqlite_state state;
    sqlite3_stmt *rows;
} cursor;

align_status al_sqlite_cursor_open(align_cursor **out, al_store *store, const align_filter *filter,
                                   align_item_order order, align_error *err)
{
    align_status status = ALIGN_OK;
    cursor *c = al_calloc(1, sizeof *c);
    if (!c)
        return al_error_no_memory(err, sizeof *c);
    c->base.class = store->class;
    TRY(al_session_open(&c->session, ((al_sqlite *)store)->session.path, false, false, err));
    TRY(al_session_begin(&c->session, false, &c->state, err));
    TRY(al_sqlite_filtered(&c->session, AL_ITEM_COLUMNS, filter, order, &c->rows, err));
    *out = &c->base;
    c = NULL;
done:
    if (c)
        al_sqlite_cursor_close(&c->base);
    return status;
}

align_status al_sqlite_cursor_next(align_cursor *base, align_item *out, float *vector, bool *found, align_error *err)
{
    align_status status = ALIGN_OK;
    cursor *c = (cursor *)base;
    int64_t slot;
    if (!c->rows)
        goto done;
    status = al_session_step(&c->session, c->rows, found, err);
    if (status != ALIGN_OK || !*found) {
        /* A statement that is stepped on would begin anew. */
        sqlite3_finalize(c->rows);
        c->rows = NULL;
        goto done;
    }
    TRY(al_sqlite_read_item(&c->session, c->rows, &c->state, out, &slot, err));
    if (vector)
        TRY(read_vector(&c->session, &c->state, slot, vector, err));
done:
    return status;
}

void al_sqlite_cursor_close(align_cursor *base)
{
    cursor *c = (cursor *)base;
    sqlite3_finalize(c->rows);
    al_session_close(&c->session);
    al_free(c);
}
