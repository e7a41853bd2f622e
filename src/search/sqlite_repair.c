/* sqlite_repair.c: an SQLite index whose vectors are lost, all or the last of them, or whose rows do not fit them, lets
 * go of their items: whoever made the index can then add these again. */
#include "base/memory.h"
#include "base/status.h"
#include "search/sqlite.h"

#include <string.h>

/* Whose vector is not there, or is another item's as well: then nobody knows whose it is. */
static align_status drop_items(al_session *s, int64_t slots, int64_t *lost, align_error *err)
{
    char *sql = al_format("DELETE FROM items WHERE slot < 0 OR slot >= %" PRId64
                          " OR slot IN (SELECT slot FROM items GROUP BY slot HAVING COUNT(*) > 1)",
                          slots);
    if (!sql)
        return al_error_no_memory(err, strlen(s->path));
    const align_status status = al_session_exec(s, sql, err);
    *lost = status == ALIGN_OK ? sqlite3_changes(s->db) : 0;
    al_free(sql);
    return status;
}

/* Slots that are no item's are holes, and the state counts what there is. */
static align_status count_anew(al_session *s, int64_t generation, int64_t slots, align_error *err)
{
    char *sql =
        al_format("DELETE FROM holes;"
                  "WITH RECURSIVE every(slot) AS"
                  " (SELECT 0 WHERE %" PRId64 " > 0 UNION ALL SELECT slot + 1 FROM every WHERE slot + 1 < %" PRId64 ")"
                  " INSERT INTO holes SELECT slot FROM every WHERE slot NOT IN (SELECT slot FROM items);"
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
static align_status repair(al_session *s, int64_t *lost, align_error *err)
{
    align_status status = ALIGN_OK;
    al_sqlite_state state;
    int64_t slots = 0;
    TRY(al_session_read_state(s, &state, err));
    status = al_vectors_open(&s->vectors, s->path, &state.key, true, err);
    if (status == ALIGN_OK) {
        TRY(al_vectors_count(&s->vectors, &slots, err));
    } else if (status == ALIGN_ERROR_NOT_FOUND || status == ALIGN_ERROR_FORMAT) {
        state.key.generation++;
        TRY(al_vectors_create(&s->vectors, s->path, &state.key, err));
    } else {
        goto done;
    }
    slots = slots < state.slots ? slots : state.slots;
    TRY(drop_items(s, slots, lost, err));
    TRY(count_anew(s, state.key.generation, slots, err));
done:
    return status;
}

align_status al_sqlite_repair(al_session *s, int64_t *lost, align_error *err)
{
    const align_status status = al_session_exec(s, "BEGIN IMMEDIATE", err);
    return status == ALIGN_OK ? al_session_end(s, repair(s, lost, err), err) : status;
}
