/* sqlite_vacuum.c: the vectors of an SQLite index move to a new file, without the holes. */
#include "base/file.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/sqlite.h"

#include <string.h>
#include <unistd.h>

int64_t al_sqlite_bytes(const al_sqlite *store)
{
    int64_t total = 0;
    size_t bytes;
    char *log = al_format("%s-wal", store->base.where);
    const char *const paths[] = {store->base.where, log, store->session.vectors.path};
    for (int i = 0; i < 3; i++)
        if (paths[i] && al_file_size(paths[i], &bytes))
            total += (int64_t)bytes;
    al_free(log);
    return total;
}

static void remove_one(const char *index, int64_t generation, al_vectors_element element)
{
    /* Without memory it stays, until the next vacuum. */
    char *path = al_vectors_path(index, generation, element);
    if (path)
        (void)unlink(path);
    al_free(path);
}

/* Removes files of vectors that are not of this generation: what a vacuum left that was killed. To be called by who
 * keeps other writers waiting. */
static align_status remove_others(const al_session *s, int64_t generation, align_error *err)
{
    align_status status = ALIGN_OK;
    al_folder_names names = {0};
    const char *slash = strrchr(s->path, '/'), *name = slash ? slash + 1 : s->path;
    char *folder = al_folder_of(s->path);
    char *kept = al_vectors_path(name, generation, AL_ELEMENT_F16);
    if (!folder || !kept) {
        status = al_error_no_memory(err, strlen(s->path));
        goto done;
    }
    const size_t any = strlen(name) + strlen("-vectors-"), this = strlen(kept);
    TRY(al_folder_names_read(&names, folder, err));
    for (size_t i = 0; i < names.count; i++) {
        const char *found = names.names[i];
        const bool is_kept = strncmp(found, kept, this) == 0 && (found[this] == '\0' || found[this] == '.');
        if (is_kept || strncmp(found, kept, any) != 0)
            continue;
        char *path = al_join_path(folder, found);
        if (!path) {
            status = al_error_no_memory(err, strlen(folder));
            goto done;
        }
        (void)unlink(path);
        al_free(path);
    }
done:
    al_folder_names_done(&names);
    al_free(kept);
    al_free(folder);
    return status;
}

static align_status move_rows(al_session *s, int64_t by, int64_t after, int64_t before, align_error *err)
{
    sqlite3_stmt *statement;
    const align_status status = al_session_statement(s, AL_SQL_MOVE, &statement, err);
    if (status != ALIGN_OK)
        return status;
    sqlite3_bind_int64(statement, 1, by);
    sqlite3_bind_int64(statement, 2, after);
    sqlite3_bind_int64(statement, 3, before);
    return al_session_run(s, statement, err);
}

/* What lies between one hole and the next moves down by the holes before it. */
static align_status move_stretch(al_session *s, al_vectors *to, int64_t holes, int64_t after, int64_t before,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    const int64_t first = after + 1, count = before - first;
    if (count <= 0)
        goto done;
    TRY(al_vectors_copy(to, first - holes, &s->vectors, first, count, err));
    if (holes > 0)
        TRY(move_rows(s, holes, after, before, err));
done:
    return status;
}

static align_status move_all(al_session *s, const al_sqlite_state *state, al_vectors *to, align_error *err)
{
    align_status status = ALIGN_OK;
    sqlite3_stmt *row = NULL;
    int64_t holes = 0, last = -1;
    bool found;
    TRY(al_session_statement(s, AL_SQL_HOLES, &row, err));
    for (;;) {
        TRY(al_session_step(s, row, &found, err));
        if (!found)
            break;
        const int64_t hole = sqlite3_column_int64(row, 0);
        if (hole <= last || hole >= state->slots) {
            status = al_sqlite_damaged(s, err, "vector %" PRId64 " of %" PRId64, hole, state->slots);
            goto done;
        }
        TRY(move_stretch(s, to, holes++, last, hole, err));
        last = hole;
    }
    TRY(move_stretch(s, to, holes, last, state->slots, err));
    TRY(al_vectors_sync(to, err));
done:
    if (row)
        sqlite3_reset(row);
    return status;
}

static align_status fill_holes(al_session *s, align_error *err)
{
    align_status status = ALIGN_OK;
    al_sqlite_state state;
    al_vectors fresh = AL_VECTORS_CLOSED;
    sqlite3_stmt *clear;
    TRY(al_session_begin(s, true, &state, err));
    status = remove_others(s, state.key.generation, err);
    if (status != ALIGN_OK || state.holes == 0) {
        status = al_session_end(s, status, err);
        goto done;
    }
    al_sqlite_state next = state;
    next.key.generation++;
    next.slots -= state.holes;
    next.holes = 0;
    status = al_vectors_create(&fresh, s->path, &next.key, err);
    if (status == ALIGN_OK)
        status = move_all(s, &state, &fresh, err);
    if (status == ALIGN_OK)
        status = al_session_statement(s, AL_SQL_CLEAR_HOLES, &clear, err);
    if (status == ALIGN_OK)
        status = al_session_run(s, clear, err);
    if (status == ALIGN_OK)
        status = al_session_write_state(s, &next, err);
    /* Should the commit itself fail, the next vacuum removes the file that nobody needs. */
    if (status != ALIGN_OK && fresh.fd >= 0)
        (void)unlink(fresh.path);
    TRY(al_session_end(s, status, err));
    /* No others than these: another process may be ahead already. */
    remove_one(s->path, state.key.generation, AL_ELEMENT_F16);
    remove_one(s->path, state.key.generation, AL_ELEMENT_STEPS);
    remove_one(s->path, state.key.generation, AL_ELEMENT_STEP);
    al_vectors_close(&s->vectors);
    s->vectors = fresh;
    fresh = AL_VECTORS_CLOSED;
done:
    al_vectors_close(&fresh);
    return status;
}

align_status al_sqlite_vacuum(al_store *store, align_error *err)
{
    align_status status = ALIGN_OK;
    al_session *s = &((al_sqlite *)store)->session;
    TRY(fill_holes(s, err));
    TRY(al_session_exec(s, "VACUUM", err));
    /* Readers may keep the log as it is: then a later writer cuts it. */
    sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
done:
    return status;
}
