/* sqlite_repair.c: an SQLite index whose vectors are lost, all or the last of them, lets go of their items: whoever
 * made the index can then add these again. */
#include "base/memory.h"
#include "base/status.h"
#include "search/sqlite.h"

#include <string.h>

/* Rows know of `slots` vectors from now on, in the file of that generation. */
static align_status keep_rows(al_session *s, int64_t generation, int64_t slots, align_error *err)
{
    char *sql = al_format("DELETE FROM items WHERE slot >= %" PRId64 "; DELETE FROM holes WHERE slot >= %" PRId64 ";"
                          "UPDATE state SET generation = %" PRId64 ", slots = %" PRId64 ","
                          " holes = (SELECT COUNT(*) FROM holes),"
                          " images = (SELECT COUNT(*) FROM items WHERE kind = 0),"
                          " texts = (SELECT COUNT(*) FROM items WHERE kind = 1)",
                          slots, slots, generation, slots);
    if (!sql)
        return al_error_no_memory(err, strlen(s->path));
    const align_status status = al_session_exec(s, sql, err);
    al_free(sql);
    return status;
}

/* Within a transaction. A file that is not of this index stays as it is: another one takes its place. */
static align_status repair(al_session *s, align_error *err)
{
    align_status status = ALIGN_OK;
    al_sqlite_state state;
    int64_t slots = 0;
    TRY(al_session_read_state(s, &state, err));
    status = al_vectors_open(&s->vectors, s->path, &state.key, true, err);
    if (status == ALIGN_OK) {
        TRY(al_vectors_count(&s->vectors, &slots, err));
        if (slots < state.slots)
            TRY(keep_rows(s, state.key.generation, slots, err));
    } else if (status == ALIGN_ERROR_NOT_FOUND || status == ALIGN_ERROR_FORMAT) {
        state.key.generation++;
        TRY(al_vectors_create(&s->vectors, s->path, &state.key, err));
        TRY(keep_rows(s, state.key.generation, 0, err));
    }
done:
    return status;
}

align_status al_sqlite_repair(al_session *s, align_error *err)
{
    const align_status status = al_session_exec(s, "BEGIN IMMEDIATE", err);
    return status == ALIGN_OK ? al_session_end(s, repair(s, err), err) : status;
}
