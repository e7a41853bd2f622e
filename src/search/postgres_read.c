/* postgres_read.c: items of an index on a server: one by its name, all that a filter lets through, how many there are.
 */
#include "search/postgres_store.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#define FETCHED 256 /* rows that a cursor asks for at once */

/* ---- rows ---- */

align_status al_postgres_get_item(const al_postgres *p, const PGresult *rows, int row, align_item *out,
                                  align_error *err)
{
    enum { ID, KIND, PATH, MEMBER, TEXT, SIZE, MODIFIED, TAKEN, WIDTH, HEIGHT, HASH };
    const int64_t kind = al_postgres_get_int(rows, row, KIND);
    *out = (align_item){
        .id = al_postgres_get_int(rows, row, ID),
        .kind = kind == ALIGN_ITEM_TEXT ? ALIGN_ITEM_TEXT : ALIGN_ITEM_IMAGE,
        .path = PQgetvalue(rows, row, PATH), /* libpq ends all values with a NUL of its own */
        .member = PQgetvalue(rows, row, MEMBER),
        .text = PQgetvalue(rows, row, TEXT),
        .size = al_postgres_get_int(rows, row, SIZE),
        .modified = al_postgres_get_int(rows, row, MODIFIED),
        .taken = PQgetisnull(rows, row, TAKEN) ? INT64_MIN : al_postgres_get_int(rows, row, TAKEN),
        .width = al_postgres_get_int(rows, row, WIDTH),
        .height = al_postgres_get_int(rows, row, HEIGHT),
    };
    const bool has_hash = !PQgetisnull(rows, row, HASH);
    if (out->id < 1 || kind < 0 || kind > ALIGN_ITEM_TEXT ||
        (has_hash && PQgetlength(rows, row, HASH) != ALIGN_HASH_SIZE))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: item %" PRId64 " is not one of an index", p->address.shown,
                            out->id);
    if (has_hash)
        memcpy(out->hash, PQgetvalue(rows, row, HASH), ALIGN_HASH_SIZE);
    return ALIGN_OK;
}

void al_postgres_pack_vector(char *bytes, const float *vector, int64_t width)
{
    al_postgres_pack(bytes, (uint64_t)width, 2);
    al_postgres_pack(bytes + 2, 0, 2);
    for (int64_t i = 0; i < width; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        al_postgres_pack(bytes + 4 + 4 * i, bits, 4);
    }
}

align_status al_postgres_get_vector(const al_postgres *p, const PGresult *rows, int row, int column, float *out,
                                    align_error *err)
{
    const char *bytes = PQgetvalue(rows, row, column);
    if ((size_t)PQgetlength(rows, row, column) != AL_POSTGRES_VECTOR_BYTES(p->store.width))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: a vector of %d bytes, where %zu are expected",
                            p->address.shown, PQgetlength(rows, row, column), AL_POSTGRES_VECTOR_BYTES(p->store.width));
    for (int64_t i = 0; i < p->store.width; i++) {
        const uint32_t bits = (uint32_t)al_postgres_unpack(bytes + 4 + 4 * i, 4);
        memcpy(&out[i], &bits, sizeof bits);
    }
    return ALIGN_OK;
}

/* ---- filters ---- */

/* The next condition follows "WHERE" or "AND". */
static const char *joint(bool *any)
{
    const char *word = *any ? " AND " : " WHERE ";
    *any = true;
    return word;
}

/* The second condition says it all; the first is one that items_folder helps with: '0' comes after '/'. */
static void say_folder(al_postgres_statement *s, const char *folder)
{
    const int f = al_postgres_put_bytes(s, folder, strlen(folder));
    al_postgres_say(s,
                    "(substring(path from 1 for 1024) >= substring($%d::bytea from 1 for 1024)"
                    " AND substring(path from 1 for 1024) < $%d::bytea || '0'::bytea"
                    " AND (path = $%d::bytea OR"
                    " substring(path from 1 for length($%d::bytea) + 1) = $%d::bytea || '/'::bytea))",
                    f, f, f, f, f);
}

static void say_folders(al_postgres_statement *s, const align_filter *filter, const char *joined)
{
    for (size_t i = 0; i < filter->n_folders; i++) {
        al_postgres_say(s, "%s%s", i > 0 ? " OR " : joined, i > 0 ? "" : "(");
        say_folder(s, filter->folders[i]);
    }
    al_postgres_say(s, ")");
}

void al_postgres_say_filter(al_postgres_statement *s, const align_filter *filter)
{
    bool any = false;
    if (filter->images != filter->texts)
        al_postgres_say(s, "%skind = %d", joint(&any), filter->images ? ALIGN_ITEM_IMAGE : ALIGN_ITEM_TEXT);
    if (filter->n_folders > 0)
        say_folders(s, filter, joint(&any));
    if (filter->path) { /* by the same help: the name itself may be too long for an index */
        const int path = al_postgres_put_bytes(s, filter->path, strlen(filter->path));
        al_postgres_say(s,
                        "%s(substring(path from 1 for 1024) = substring($%d::bytea from 1 for 1024)"
                        " AND path = $%d::bytea)",
                        joint(&any), path, path);
    }
    if (filter->from != INT64_MIN)
        al_postgres_say(s, "%staken >= $%d::bigint", joint(&any), al_postgres_put_int(s, filter->from));
    if (filter->until != INT64_MAX)
        al_postgres_say(s, "%staken < $%d::bigint", joint(&any), al_postgres_put_int(s, filter->until));
    if (filter->hash)
        al_postgres_say(s, "%shash = $%d::bytea", joint(&any), al_postgres_put_bytes(s, filter->hash, ALIGN_HASH_SIZE));
}

const char *al_postgres_order(align_item_order order)
{
    static const char *const orders[] = {
        [ALIGN_ORDER_ID] = "id",
        [ALIGN_ORDER_PATH] = "path, member",
        [ALIGN_ORDER_NEWEST] = "taken DESC NULLS LAST, id",
        [ALIGN_ORDER_OLDEST] = "taken ASC NULLS LAST, id",
        [ALIGN_ORDER_SCORE] = "score DESC, id",
    };
    return orders[order];
}

/* ---- one item ---- */

typedef struct wanted {
    const char *path, *member;
    align_item *item;
    bool *found;
    int64_t id;
    float *vector;
} wanted;

static align_status prepare_find(al_postgres *p, align_error *err)
{
    if (p->session.has_find)
        return ALIGN_OK;
    PGresult *result = PQprepare(p->session.connection, "find",
                                 "SELECT " AL_POSTGRES_COLUMNS " FROM items"
                                 " WHERE key = sha256($1::bytea || '\\x00'::bytea || $2::bytea)",
                                 0, NULL);
    const align_status status = al_postgres_check(&p->session, result, err);
    PQclear(result);
    p->session.has_find = status == ALIGN_OK;
    return status;
}

static align_status find(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    const wanted *w = task;
    al_postgres_statement parameters = {.sql = ""};
    TRY(prepare_find(p, err));
    al_postgres_put_bytes(&parameters, w->path, strlen(w->path));
    al_postgres_put_bytes(&parameters, w->member, strlen(w->member));
    PQclear(p->found);
    p->found = PQexecPrepared(p->session.connection, "find", parameters.count, parameters.values, parameters.lengths,
                              parameters.formats, 1);
    TRY(al_postgres_check(&p->session, p->found, err));
    *w->found = PQntuples(p->found) > 0;
    if (*w->found)
        TRY(al_postgres_get_item(p, p->found, 0, w->item, err));
done:
    return status;
}

align_status al_postgres_find(al_store *store, const char *path, const char *member, align_item *out, bool *found,
                              align_error *err)
{
    return al_postgres_try((al_postgres *)store, find,
                           &(wanted){.path = path, .member = al_text(member), .item = out, .found = found}, err);
}

static align_status get_item(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    const wanted *w = task;
    al_postgres_statement statement = {.sql = ""};
    const int id = al_postgres_put_int(&statement, w->id);
    al_postgres_say(&statement, "SELECT " AL_POSTGRES_COLUMNS " FROM items WHERE id = $%d::bigint", id);
    PQclear(p->found);
    p->found = NULL;
    TRY(al_postgres_run(&p->session, &statement, &p->found, err));
    *w->found = PQntuples(p->found) > 0;
    if (*w->found)
        TRY(al_postgres_get_item(p, p->found, 0, w->item, err));
done:
    return status;
}

align_status al_postgres_item(al_store *store, int64_t id, align_item *out, bool *found, align_error *err)
{
    return al_postgres_try((al_postgres *)store, get_item, &(wanted){.id = id, .item = out, .found = found}, err);
}

static align_status get_vector(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    const wanted *w = task;
    al_postgres_statement statement = {.sql = ""};
    PGresult *rows = NULL;
    const int id = al_postgres_put_int(&statement, w->id);
    al_postgres_say(&statement, "SELECT vector::vector FROM items WHERE id = $%d::bigint", id);
    TRY(al_postgres_run(&p->session, &statement, &rows, err));
    if (PQntuples(rows) == 0)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: there is no item %" PRId64, p->address.shown, w->id);
    TRY(al_postgres_get_vector(p, rows, 0, 0, w->vector, err));
done:
    PQclear(rows);
    return status;
}

align_status al_postgres_vector(al_store *store, int64_t id, float *out, align_error *err)
{
    return al_postgres_try((al_postgres *)store, get_vector, &(wanted){.id = id, .vector = out}, err);
}

/* ---- how many ---- */

static align_status count_items(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    align_index_info *info = task;
    al_postgres_statement statement = {.sql = ""};
    PGresult *rows = NULL;
    al_postgres_say(&statement,
                    "SELECT count(*) FILTER (WHERE kind = %d), count(*) FILTER (WHERE kind = %d),"
                    " pg_total_relation_size('items') + pg_total_relation_size('about'),"
                    " coalesce(pg_stat_get_dead_tuples('items'::regclass), 0) FROM items",
                    ALIGN_ITEM_IMAGE, ALIGN_ITEM_TEXT);
    TRY(al_postgres_run(&p->session, &statement, &rows, err));
    info->images = al_postgres_get_int(rows, 0, 0);
    info->texts = al_postgres_get_int(rows, 0, 1);
    info->bytes = al_postgres_get_int(rows, 0, 2);
    info->holes = al_postgres_get_int(rows, 0, 3);
done:
    PQclear(rows);
    return status;
}

align_status al_postgres_info(al_store *store, align_index_info *out, align_error *err)
{
    return al_postgres_try((al_postgres *)store, count_items, out, err);
}

/* ---- cursors: a transaction on a connection of their own, which sees what was there when it began ---- */

/*
 * Two of the server's cursors walk over the same rows in the same order: one gives items, the other one vectors, which
 * are much larger, where they are asked for.
 */
typedef struct cursor {
    align_cursor base;
    const al_postgres *p;
    al_postgres_session session;
    PGresult *rows, *vectors; /* of the same items; vectors NULL: nobody has asked yet */
    int row;
    int64_t fetched, fetched_vectors; /* how far each of the two has come */
} cursor;

static align_status declare(al_postgres_session *session, const char *name, const char *columns,
                            const align_filter *filter, align_item_order order, align_error *err)
{
    align_status status = ALIGN_OK;
    al_postgres_statement statement = {.sql = ""};
    al_postgres_say(&statement, "DECLARE %s NO SCROLL CURSOR FOR SELECT %s FROM items", name, columns);
    al_postgres_say_filter(&statement, filter);
    al_postgres_say(&statement, " ORDER BY %s", al_postgres_order(order));
    TRY(al_postgres_run(session, &statement, NULL, err));
done:
    return status;
}

typedef struct walk {
    cursor *cursor;
    const align_filter *filter;
    align_item_order order;
} walk;

static align_status open_walk(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    const walk *w = task;
    al_postgres_session *session = &w->cursor->session;
    al_postgres_facts facts;
    al_postgres_session_close(session);
    TRY(al_postgres_enter(session, p, &facts, err));
    TRY(al_postgres_check_same(p, &facts, err));
    TRY(al_postgres_script(session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err));
    TRY(declare(session, "walk", AL_POSTGRES_COLUMNS, w->filter, w->order, err));
    TRY(declare(session, "vectors", "vector::vector", w->filter, w->order, err));
done:
    p->session.failure = session->failure;
    return status;
}

align_status al_postgres_cursor_open(align_cursor **out, al_store *store, const align_filter *filter,
                                     align_item_order order, align_error *err)
{
    align_status status = ALIGN_OK;
    al_postgres *p = (al_postgres *)store;
    cursor *c = al_calloc(1, sizeof *c);
    if (!c)
        return al_error_no_memory(err, sizeof *c);
    c->base.class = store->class;
    c->p = p;
    TRY(al_postgres_try(p, open_walk, &(walk){c, filter, order}, err));
    *out = &c->base;
    c = NULL;
done:
    if (c)
        al_postgres_cursor_close(&c->base);
    return status;
}

static align_status fetch(cursor *c, const char *what, PGresult **rows, align_error *err)
{
    al_postgres_statement statement = {.sql = ""};
    PQclear(*rows);
    *rows = NULL;
    al_postgres_say(&statement, "FETCH %d FROM %s", FETCHED, what);
    return al_postgres_run(&c->session, &statement, rows, err);
}

static align_status fetch_items(cursor *c, align_error *err)
{
    align_status status = ALIGN_OK;
    PQclear(c->vectors);
    c->vectors = NULL;
    c->row = 0;
    TRY(fetch(c, "walk", &c->rows, err));
    c->fetched += PQntuples(c->rows);
done:
    return status;
}

/* The vectors of the items at hand: those of items before them are passed over. */
static align_status fetch_vectors(cursor *c, align_error *err)
{
    align_status status = ALIGN_OK;
    const int64_t missed = c->fetched - PQntuples(c->rows) - c->fetched_vectors;
    al_postgres_statement statement = {.sql = ""};
    if (c->vectors)
        return ALIGN_OK;
    al_postgres_say(&statement, "MOVE FORWARD %" PRId64 " FROM vectors", missed);
    if (missed > 0)
        TRY(al_postgres_run(&c->session, &statement, NULL, err));
    TRY(fetch(c, "vectors", &c->vectors, err));
    c->fetched_vectors = c->fetched;
done:
    return status;
}

align_status al_postgres_cursor_next(align_cursor *base, align_item *out, float *vector, bool *found, align_error *err)
{
    align_status status = ALIGN_OK;
    cursor *c = (cursor *)base;
    if (!c->rows || (c->row > 0 && c->row == PQntuples(c->rows)))
        TRY(fetch_items(c, err));
    *found = c->row < PQntuples(c->rows);
    if (!*found)
        goto done;
    TRY(al_postgres_get_item(c->p, c->rows, c->row, out, err));
    if (vector) {
        TRY(fetch_vectors(c, err));
        TRY(al_postgres_get_vector(c->p, c->vectors, c->row, 0, vector, err));
    }
    c->row++;
done:
    return status;
}

void al_postgres_cursor_close(align_cursor *base)
{
    cursor *c = (cursor *)base;
    PQclear(c->rows);
    PQclear(c->vectors);
    al_postgres_session_close(&c->session);
    al_free(c);
}
