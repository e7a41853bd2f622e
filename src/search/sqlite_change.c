/* sqlite_change.c: items come into an SQLite index, change and go. */
#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "search/sqlite.h"

#include <string.h>

/* Numbers that are made f16 at a time. */
#define BLOCK_NUMBERS ((size_t)1 << 19)

/* What is known of an item that is there. */
typedef struct known {
    bool found;
    int64_t id, slot;
    align_item_kind kind;
} known;

static void bind_bytes(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_blob64(statement, at, text, strlen(text), SQLITE_STATIC);
}

static align_status read_known(al_session *s, sqlite3_stmt *statement, known *out, align_error *err)
{
    *out = (known){0};
    const align_status status = al_session_step(s, statement, &out->found, err);
    if (out->found) {
        out->id = sqlite3_column_int64(statement, 0);
        out->slot = sqlite3_column_int64(statement, 1);
        out->kind = (align_item_kind)sqlite3_column_int(statement, 2);
    }
    sqlite3_reset(statement);
    return status;
}

static align_status look_at_place(al_session *s, const align_item *item, known *out, align_error *err)
{
    sqlite3_stmt *statement;
    const align_status status = al_session_statement(s, AL_SQL_PLACE, &statement, err);
    if (status != ALIGN_OK)
        return status;
    bind_bytes(statement, 1, item->path);
    bind_bytes(statement, 2, al_text(item->member));
    return read_known(s, statement, out, err);
}

static align_status look_by_id(al_session *s, int64_t id, known *out, align_error *err)
{
    sqlite3_stmt *statement;
    const align_status status = al_session_statement(s, AL_SQL_BY_ID, &statement, err);
    if (status != ALIGN_OK)
        return status;
    sqlite3_bind_int64(statement, 1, id);
    return read_known(s, statement, out, err);
}

static align_status run_with(al_session *s, al_statement which, int64_t value, align_error *err)
{
    sqlite3_stmt *statement;
    const align_status status = al_session_statement(s, which, &statement, err);
    if (status != ALIGN_OK)
        return status;
    sqlite3_bind_int64(statement, 1, value);
    return al_session_run(s, statement, err);
}

static align_status write_row(al_session *s, al_statement which, const align_item *item, int64_t slot, int64_t id,
                              align_error *err)
{
    sqlite3_stmt *row;
    const align_status status = al_session_statement(s, which, &row, err);
    if (status != ALIGN_OK)
        return status;
    sqlite3_bind_int(row, 1, (int)item->kind);
    bind_bytes(row, 2, item->path);
    bind_bytes(row, 3, al_text(item->member));
    sqlite3_bind_text64(row, 4, al_text(item->text), strlen(al_text(item->text)), SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(row, 5, item->size);
    sqlite3_bind_int64(row, 6, item->modified);
    if (item->taken == INT64_MIN)
        sqlite3_bind_null(row, 7);
    else
        sqlite3_bind_int64(row, 7, item->taken);
    sqlite3_bind_int64(row, 8, item->width);
    sqlite3_bind_int64(row, 9, item->height);
    if (al_hash_is_known(item->hash))
        sqlite3_bind_blob(row, 10, item->hash, ALIGN_HASH_SIZE, SQLITE_STATIC);
    else
        sqlite3_bind_null(row, 10);
    sqlite3_bind_int64(row, 11, slot);
    sqlite3_bind_int64(row, 12, id);
    return al_session_run(s, row, err);
}

static void count_item(al_sqlite_state *state, align_item_kind kind, int64_t by)
{
    if (kind == ALIGN_ITEM_TEXT)
        state->texts += by;
    else
        state->images += by;
}

/* An item's vector counts no longer. */
static align_status leave_hole(al_session *s, al_sqlite_state *state, const known *item, align_error *err)
{
    count_item(state, item->kind, -1);
    state->holes++;
    return run_with(s, AL_SQL_ADD_HOLE, item->slot, err);
}

static align_status drop(al_session *s, al_sqlite_state *state, const known *item, align_error *err)
{
    const align_status status = leave_hole(s, state, item, err);
    return status == ALIGN_OK ? run_with(s, AL_SQL_REMOVE, item->id, err) : status;
}

/* ---- add ---- */

/* The row of an item whose vector is in `slot`: a new one, or in the place of the one that has its path. */
static align_status add_row(al_session *s, al_sqlite_state *state, const align_item *item, int64_t slot, int64_t *id,
                            align_error *err)
{
    align_status status = ALIGN_OK;
    known there;
    TRY(look_at_place(s, item, &there, err));
    if (there.found)
        TRY(leave_hole(s, state, &there, err));
    *id = there.found ? there.id : ++state->last_id;
    count_item(state, item->kind, 1);
    TRY(write_row(s, there.found ? AL_SQL_CHANGE : AL_SQL_ADD, item, slot, *id, err));
done:
    return status;
}

/* Vectors are on disk before there is a row that tells of them. */
static align_status write_vectors(al_vectors *v, int64_t slot, const float *vectors, size_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t width = (size_t)v->key.width, step = al_least(count, BLOCK_NUMBERS / width);
    uint16_t *block = al_alloc(step * width * sizeof *block);
    if (!block)
        return al_error_no_memory(err, step * width * sizeof *block);
    for (size_t i = 0; i < count; i += step) {
        const size_t n = al_least(count - i, step);
        al_f32_to_f16(vectors + i * width, n * width, block);
        TRY(al_vectors_write(v, slot + (int64_t)i, block, n, err));
    }
    TRY(al_vectors_sync(v, err));
done:
    al_free(block);
    return status;
}

align_status al_sqlite_add(al_store *store, const align_item *items, const float *vectors, size_t count, int64_t *ids,
                           align_error *err)
{
    align_status status = ALIGN_OK;
    al_session *s = &((al_sqlite *)store)->session;
    al_sqlite_state state;
    TRY(al_session_begin(s, true, &state, err));
    const int64_t slots = state.slots;
    status = write_vectors(&s->vectors, slots, vectors, count, err);
    for (size_t i = 0; i < count && status == ALIGN_OK; i++) {
        int64_t id = 0;
        status = add_row(s, &state, &items[i], slots + (int64_t)i, &id, err);
        if (ids)
            ids[i] = id;
    }
    state.slots += (int64_t)count;
    if (status == ALIGN_OK)
        status = al_session_write_state(s, &state, err);
    if (status != ALIGN_OK)
        al_vectors_cut(&s->vectors, slots);
    status = al_session_end(s, status, err);
done:
    return status;
}

/* ---- update and remove ---- */

static align_status update_row(al_session *s, al_sqlite_state *state, const align_item *item, align_error *err)
{
    align_status status = ALIGN_OK;
    known old, there;
    TRY(look_by_id(s, item->id, &old, err));
    TRY(look_at_place(s, item, &there, err));
    if (there.found && there.id != item->id)
        TRY(drop(s, state, &there, err));
    count_item(state, old.kind, -1);
    count_item(state, item->kind, 1);
    TRY(write_row(s, AL_SQL_CHANGE, item, old.slot, item->id, err));
done:
    return status;
}

align_status al_sqlite_update(al_store *store, const align_item *items, size_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    al_session *s = &((al_sqlite *)store)->session;
    al_sqlite_state state;
    TRY(al_session_begin(s, true, &state, err));
    /* All leave their places first, so that items may change places with each other. */
    for (size_t i = 0; i < count && status == ALIGN_OK; i++) {
        known old;
        status = look_by_id(s, items[i].id, &old, err);
        if (status == ALIGN_OK && !old.found)
            status = al_error_set(err, ALIGN_ERROR_NOT_FOUND, "%s: no item %" PRId64, s->path, items[i].id);
        if (status == ALIGN_OK)
            status = run_with(s, AL_SQL_PARK, items[i].id, err);
    }
    for (size_t i = 0; i < count && status == ALIGN_OK; i++)
        status = update_row(s, &state, &items[i], err);
    if (status == ALIGN_OK)
        status = al_session_write_state(s, &state, err);
    status = al_session_end(s, status, err);
done:
    return status;
}

align_status al_sqlite_remove(al_store *store, const int64_t *ids, size_t count, size_t *removed, align_error *err)
{
    align_status status = ALIGN_OK;
    al_session *s = &((al_sqlite *)store)->session;
    al_sqlite_state state;
    size_t n = 0;
    TRY(al_session_begin(s, true, &state, err));
    for (size_t i = 0; i < count && status == ALIGN_OK; i++) {
        known item;
        status = look_by_id(s, ids[i], &item, err);
        if (status != ALIGN_OK || !item.found)
            continue;
        status = drop(s, &state, &item, err);
        n++;
    }
    if (status == ALIGN_OK)
        status = al_session_write_state(s, &state, err);
    status = al_session_end(s, status, err);
    if (status == ALIGN_OK)
        *removed = n;
done:
    return status;
}
