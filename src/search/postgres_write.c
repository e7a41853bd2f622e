/*
 * postgres_write.c: what changes an index on a server. Items travel by COPY into a temporary table of the connection,
 * from which one statement puts them in place.
 *
 * Rows are locked in the order of their keys or ids, so that writers rarely wait for each other in a circle; where they
 * do, the server picks one who begins again.
 */
#include "search/postgres_store.h"

#include "base/memory.h"
#include "base/status.h"

#include <limits.h>
#include <string.h>

#define FLUSH      ((size_t)1 << 20) /* bytes of rows that are sent at once */
#define ROW_MOST   ((size_t)1 << 30) /* bytes of a field that the server takes */
#define COPIED     "kind, path, member, text, size, modified, taken, width, height, hash"
#define N_COPIED   10
#define FIXED_ROOM 256 /* bytes of a row but for its strings and vector */

/* ---- rows on their way ---- */

typedef struct rows {
    al_postgres *p;
    char *bytes;
    size_t used, capacity;
} rows;

static void put(rows *r, const void *bytes, size_t size)
{
    al_postgres_pack(r->bytes + r->used, size, 4);
    memcpy(r->bytes + r->used + 4, bytes, size);
    r->used += 4 + size;
}

static void put_int(rows *r, int64_t x)
{
    char bytes[8];
    al_postgres_pack(bytes, (uint64_t)x, 8);
    put(r, bytes, 8);
}

static void put_null(rows *r)
{
    memset(r->bytes + r->used, 0xFF, 4); /* a length of -1 */
    r->used += 4;
}

static void put_text(rows *r, const char *text)
{
    put(r, al_text(text), strlen(al_text(text)));
}

/* COPY's own words: n fields to come, -1 at the end of all. */
static void put_count(rows *r, int n)
{
    al_postgres_pack(r->bytes + r->used, (uint64_t)(int64_t)n, 2);
    r->used += 2;
}

static align_status make_room(rows *r, size_t wanted, align_error *err)
{
    size_t capacity;
    if (!al_add(r->used, wanted, &capacity))
        return al_error_no_memory(err, wanted);
    if (capacity <= r->capacity)
        return ALIGN_OK;
    char *bytes = al_realloc(r->bytes, capacity);
    if (!bytes)
        return al_error_no_memory(err, capacity);
    r->bytes = bytes;
    r->capacity = capacity;
    return ALIGN_OK;
}

static align_status send_rows(rows *r, align_error *err)
{
    const int sent = PQputCopyData(r->p->session.connection, r->bytes, (int)r->used);
    r->used = 0;
    return sent == 1 ? ALIGN_OK : al_postgres_check(&r->p->session, NULL, err);
}

static align_status put_item(rows *r, size_t place, const align_item *item, const float *vector, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t vector_bytes = AL_POSTGRES_VECTOR_BYTES(r->p->store.width);
    const size_t path = strlen(item->path), member = strlen(al_text(item->member)), text = strlen(al_text(item->text));
    if (path + member + text > ROW_MOST)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%.100s: strings of more than %zu bytes", item->path, ROW_MOST);
    TRY(make_room(r, FIXED_ROOM + path + member + text + vector_bytes, err));
    put_count(r, 2 + N_COPIED);
    put_int(r, (int64_t)place);
    if (!vector)
        put_int(r, item->id);
    put_int(r, item->kind);
    put(r, item->path, path);
    put_text(r, item->member);
    put_text(r, item->text);
    put_int(r, item->size);
    put_int(r, item->modified);
    if (item->taken == INT64_MIN)
        put_null(r);
    else
        put_int(r, item->taken);
    put_int(r, item->width);
    put_int(r, item->height);
    if (al_hash_is_known(item->hash))
        put(r, item->hash, ALIGN_HASH_SIZE);
    else
        put_null(r);
    if (vector) {
        al_postgres_pack(r->bytes + r->used, vector_bytes, 4);
        al_postgres_pack_vector(r->bytes + r->used + 4, vector, r->p->store.width);
        r->used += 4 + vector_bytes;
    }
    if (r->used >= FLUSH)
        TRY(send_rows(r, err));
done:
    return status;
}

/* The table that items arrive in: with new ids, in their order, unless they bring their own. */
static align_status make_incoming(al_postgres *p, align_error *err)
{
    align_status status = ALIGN_OK;
    if (p->session.has_incoming)
        return ALIGN_OK;
    TRY(al_postgres_script(&p->session,
                           "CREATE TEMPORARY TABLE incoming (place bigint NOT NULL,"
                           " id bigint NOT NULL DEFAULT nextval('items_id'),"
                           " kind bigint NOT NULL, path bytea NOT NULL, member bytea NOT NULL, text text NOT NULL,"
                           " size bigint NOT NULL, modified bigint NOT NULL, taken bigint, width bigint NOT NULL,"
                           " height bigint NOT NULL, hash bytea, vector vector,"
                           " key bytea GENERATED ALWAYS AS (sha256(path || '\\x00'::bytea || member)) STORED)"
                           " ON COMMIT DELETE ROWS",
                           err));
    p->session.has_incoming = true;
done:
    return status;
}

/* Ends a COPY, and gives what the server says about it. */
static align_status end_copy(al_postgres *p, const char *failure, align_error *err)
{
    align_status status = ALIGN_OK;
    PGconn *connection = p->session.connection;
    PGresult *result;
    if (PQputCopyEnd(connection, failure) != 1)
        status = al_postgres_check(&p->session, NULL, failure ? NULL : err);
    while ((result = PQgetResult(connection)) != NULL) {
        if (status == ALIGN_OK)
            status = al_postgres_check(&p->session, result, failure ? NULL : err);
        PQclear(result);
        if (PQstatus(connection) != CONNECTION_OK)
            break;
    }
    return status;
}

/* COPY's signature, and neither flags nor an extension of the header. */
static const char copy_header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

/* Begins a transaction and brings items to the server. vectors NULL: items with ids, without vectors. */
static align_status bring(al_postgres *p, const align_item *items, const float *vectors, size_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    rows r = {.p = p};
    bool copying = false;
    TRY(make_incoming(p, err)); /* before, so that it outlives a transaction that fails */
    TRY(al_postgres_script(&p->session, "BEGIN", err));
    TRY(al_postgres_script(&p->session,
                           vectors ? "COPY incoming (place, " COPIED ", vector) FROM STDIN (FORMAT binary)"
                                   : "COPY incoming (place, id, " COPIED ") FROM STDIN (FORMAT binary)",
                           err));
    copying = true;
    TRY(make_room(&r, sizeof copy_header, err));
    memcpy(r.bytes, copy_header, sizeof copy_header - 1);
    r.used = sizeof copy_header - 1;
    for (size_t i = 0; i < count; i++)
        TRY(put_item(&r, i, &items[i], vectors ? vectors + i * (size_t)p->store.width : NULL, err));
    TRY(make_room(&r, 2, err));
    put_count(&r, -1);
    TRY(send_rows(&r, err));
    copying = false;
    TRY(end_copy(p, NULL, err));
done:
    if (copying)
        end_copy(p, "given up", NULL);
    al_free(r.bytes);
    return status;
}

/* ---- add ---- */

typedef struct addition {
    const align_item *items;
    const float *vectors;
    size_t count;
    int64_t *ids;
} addition;

/* Of two of the same name the later one counts, with the id of the earlier, as if they had been added in turn. */
static align_status put_in_place(al_postgres *p, PGresult **ids, align_error *err)
{
    al_postgres_statement statement = {.sql = ""};
    al_postgres_say(&statement,
                    "WITH stored AS ("
                    "INSERT INTO items (id, " COPIED ", vector) "
                    "SELECT id, " COPIED ", vector%s FROM (SELECT DISTINCT ON (key) key,"
                    " min(id) OVER (PARTITION BY key) AS id, " COPIED ", vector FROM incoming"
                    " ORDER BY key, place DESC) AS last ORDER BY key "
                    "ON CONFLICT (key) DO UPDATE SET kind = EXCLUDED.kind, text = EXCLUDED.text, size = EXCLUDED.size,"
                    " modified = EXCLUDED.modified, taken = EXCLUDED.taken, width = EXCLUDED.width,"
                    " height = EXCLUDED.height, hash = EXCLUDED.hash, vector = EXCLUDED.vector "
                    "RETURNING id, key) "
                    "SELECT stored.id FROM incoming JOIN stored USING (key) ORDER BY place",
                    p->facts.half ? "::halfvec" : "");
    return al_postgres_run(&p->session, &statement, ids, err);
}

static align_status add(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    const addition *a = task;
    PGresult *ids = NULL;
    TRY(bring(p, a->items, a->vectors, a->count, err));
    TRY(put_in_place(p, &ids, err));
    if ((size_t)PQntuples(ids) != a->count)
        FAIL(err, ALIGN_ERROR_IO, "%s: %d ids for %zu items", p->address.shown, PQntuples(ids), a->count);
    TRY(al_postgres_script(&p->session, "COMMIT", err));
    for (size_t i = 0; a->ids && i < a->count; i++)
        a->ids[i] = al_postgres_get_int(ids, (int)i, 0);
done:
    PQclear(ids);
    return status;
}

align_status al_postgres_add(al_store *store, const align_item *items, const float *vectors, size_t count, int64_t *ids,
                             align_error *err)
{
    return al_postgres_try((al_postgres *)store, add, &(addition){items, vectors, count, ids}, err);
}

/* ---- update ---- */

typedef struct change {
    const align_item *items;
    size_t count;
} change;

/* Fails for the first id that is not there; those that are there stay until the transaction ends. */
static align_status hold_items(al_postgres *p, align_error *err)
{
    align_status status = ALIGN_OK;
    al_postgres_statement statement = {.sql = ""};
    PGresult *missing = NULL;
    TRY(al_postgres_script(&p->session,
                           "SELECT count(*) FROM (SELECT FROM items WHERE id IN (SELECT id FROM incoming)"
                           " ORDER BY id FOR UPDATE) AS held",
                           err));
    al_postgres_say(&statement, "SELECT incoming.id FROM incoming LEFT JOIN items USING (id) WHERE items.id IS NULL "
                                "ORDER BY place LIMIT 1");
    TRY(al_postgres_run(&p->session, &statement, &missing, err));
    if (PQntuples(missing) > 0)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: there is no item %" PRId64, p->address.shown,
             al_postgres_get_int(missing, 0, 0));
done:
    PQclear(missing);
    return status;
}

/*
 * What the last word for each item is, who has to make room, and then everybody to their place. Two items may change
 * places, so that those whose names others take go out of the way first, to names that no file has.
 */
static const char move_sql[] =
    "DELETE FROM incoming AS a USING incoming AS b WHERE a.id = b.id AND a.place < b.place;"
    "DELETE FROM items USING incoming WHERE items.key = incoming.key"
    " AND items.id NOT IN (SELECT id FROM incoming);"
    "DELETE FROM items USING incoming AS a JOIN incoming AS b ON a.key = b.key AND a.place < b.place"
    " WHERE items.id = a.id;"
    "UPDATE items SET path = '\\x00'::bytea || int8send(items.id) FROM incoming"
    " WHERE items.key = incoming.key AND items.id <> incoming.id;"
    "UPDATE items SET kind = n.kind, path = n.path, member = n.member, text = n.text, size = n.size,"
    " modified = n.modified, taken = n.taken, width = n.width, height = n.height, hash = n.hash"
    " FROM incoming AS n WHERE items.id = n.id;"
    "COMMIT";

static align_status update(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    const change *c = task;
    TRY(bring(p, c->items, NULL, c->count, err));
    TRY(hold_items(p, err));
    TRY(al_postgres_script(&p->session, move_sql, err));
done:
    return status;
}

align_status al_postgres_update(al_store *store, const align_item *items, size_t count, align_error *err)
{
    return al_postgres_try((al_postgres *)store, update, &(change){items, count}, err);
}

/* ---- remove, vacuum ---- */

typedef struct removal {
    char *array; /* of ids, in the server's form */
    size_t bytes;
    size_t removed;
} removal;

#define INT8_TYPE    20 /* the number of the type bigint */
#define ARRAY_HEADER 20

static void pack_array(char *array, const int64_t *ids, size_t count)
{
    const uint32_t header[ARRAY_HEADER / 4] = {1, 0, INT8_TYPE, (uint32_t)count, 1};
    for (int i = 0; i < ARRAY_HEADER / 4; i++) /* dimensions, nulls, type; length and first index of the dimension */
        al_postgres_pack(array + 4 * i, header[i], 4);
    for (size_t i = 0; i < count; i++) {
        char *at = array + ARRAY_HEADER + 12 * i;
        al_postgres_pack(at, 8, 4);
        al_postgres_pack(at + 4, (uint64_t)ids[i], 8);
    }
}

static align_status remove_items(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    removal *r = task;
    al_postgres_statement statement = {.sql = ""};
    PGresult *result = NULL;
    const int ids = al_postgres_put_bytes(&statement, r->array, r->bytes);
    al_postgres_say(&statement,
                    "WITH gone AS (SELECT id FROM items WHERE id = ANY ($%d::bigint[]) ORDER BY id FOR UPDATE), "
                    "deleted AS (DELETE FROM items USING gone WHERE items.id = gone.id RETURNING items.id) "
                    "SELECT count(*) FROM deleted",
                    ids);
    TRY(al_postgres_run(&p->session, &statement, &result, err));
    r->removed = (size_t)al_postgres_get_int(result, 0, 0);
done:
    PQclear(result);
    return status;
}

align_status al_postgres_remove(al_store *store, const int64_t *ids, size_t count, size_t *removed, align_error *err)
{
    align_status status = ALIGN_OK;
    removal r = {0};
    if (!al_mul(count, 12, &r.bytes) || !al_add(r.bytes, ARRAY_HEADER, &r.bytes) || r.bytes > ROW_MOST)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%zu ids at once, at most %zu can be sent", count, ROW_MOST / 12 - 2);
    r.array = al_alloc(r.bytes);
    if (!r.array) {
        status = al_error_no_memory(err, r.bytes);
        goto done;
    }
    pack_array(r.array, ids, count);
    TRY(al_postgres_try((al_postgres *)store, remove_items, &r, err));
    if (removed)
        *removed = r.removed;
done:
    al_free(r.array);
    return status;
}

/* It may take longer than statements otherwise may. */
static align_status vacuum(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    (void)task;
    TRY(al_postgres_script(&p->session,
                           "SELECT set_config('align.timeout', current_setting('statement_timeout'), false);"
                           "SET statement_timeout = 0",
                           err));
    TRY(al_postgres_script(&p->session, "VACUUM (ANALYZE) items", err));
    TRY(al_postgres_script(&p->session,
                           "SELECT set_config('statement_timeout', current_setting('align.timeout'), false)", err));
done:
    return status;
}

align_status al_postgres_vacuum(al_store *store, align_error *err)
{
    return al_postgres_try((al_postgres *)store, vacuum, NULL, err);
}
