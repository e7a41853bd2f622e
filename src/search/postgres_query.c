/*
 * postgres_query.c: what is nearest to vectors, found by the server.
 *
 * pgvector's operator <#> is the negative product, and its HNSW index is used for nothing but rows in the order of that
 * operator. A query that is to be exact orders by the score instead, and so looks at every row. One that may be
 * approximate lets the index give the nearest, and is asked again, exactly, where the index gave fewer than there might
 * be: its list of candidates is limited, and a filter takes its share of it.
 *
 * Where numbers are kept as f16, the index compares with a query in f16, too. A score is always of the query as it
 * came.
 *
 * Several queries are sent together, each a statement, and see the index as it was at the same moment.
 */
#include "search/postgres_store.h"

#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/hits.h"

#include <math.h>

#define TOGETHER   16 /* queries on their way */
#define LIST_LEAST 100
#define LIST_MOST  1000 /* candidates that the HNSW index keeps, at most, says pgvector */

typedef struct questions {
    const float *vectors;
    size_t queries;
    const align_query_options *options;
    int64_t wanted; /* hits of a query, those to be skipped, too */
    char *packed;   /* [TOGETHER] vectors on their way */
    PGresult *rows[TOGETHER];
    align_hits *out;
} questions;

/* ---- one query ---- */

/* The HNSW index knows what is near, and nothing of other orders. */
static bool asks_index(const align_query_options *options)
{
    return options->approximate && options->order == ALIGN_ORDER_SCORE;
}

static void say_query(al_postgres_statement *s, const al_postgres *p, const questions *all, const char *vector,
                      bool exact)
{
    const align_query_options *o = all->options;
    const int v = al_postgres_put_bytes(s, vector, AL_POSTGRES_VECTOR_BYTES(p->store.width));
    const int wanted = al_postgres_put_int(s, all->wanted);
    al_postgres_say(
        s, "SELECT * FROM (SELECT " AL_POSTGRES_COLUMNS ", -(vector::vector <#> $%d::vector) AS score FROM items", v);
    al_postgres_say_filter(s, &o->filter);
    if (exact)
        al_postgres_say(s, ") AS scored WHERE score >= $%d::float8 ORDER BY %s LIMIT $%d::bigint",
                        al_postgres_put_double(s, o->threshold), al_postgres_order(o->order), wanted);
    else
        al_postgres_say(s,
                        " ORDER BY vector <#> $%d::vector%s LIMIT $%d::bigint) AS nearest"
                        " ORDER BY score DESC, id",
                        v, p->facts.half ? "::halfvec" : "", wanted);
}

static align_status read_hits(al_hits_builder *hits, const al_postgres *p, const questions *all, const PGresult *rows,
                              align_error *err)
{
    const align_query_options *o = all->options;
    for (int row = 0; row < PQntuples(rows); row++) {
        align_item item;
        const double score = al_postgres_get_double(rows, row, AL_POSTGRES_N_COLUMNS);
        if (row < o->skip || !(score >= o->threshold))
            continue;
        align_status status = al_postgres_get_item(p, rows, row, &item, err);
        if (status == ALIGN_OK)
            status = al_hits_add(hits, &item, (float)fmin(fmax(score, -1), 1), err);
        if (status != ALIGN_OK)
            return status;
    }
    al_hits_next(hits);
    return ALIGN_OK;
}

/* ---- several on their way ---- */

static bool send_query(al_postgres *p, const questions *all, size_t i, size_t place, bool exact)
{
    al_postgres_statement s = {.sql = ""};
    char *packed = all->packed + place * AL_POSTGRES_VECTOR_BYTES(p->store.width);
    al_postgres_pack_vector(packed, all->vectors + i * (size_t)p->store.width, p->store.width);
    say_query(&s, p, all, packed, exact);
    return PQsendQueryParams(p->session.connection, s.sql, s.count, NULL, s.values, s.lengths, s.formats, 1) == 1;
}

/* The result of the next statement sent, or NULL; and the end of that statement's results behind it. */
static PGresult *receive(PGconn *connection)
{
    PGresult *result = PQgetResult(connection);
    if (result && PQresultStatus(result) != PGRES_PIPELINE_SYNC)
        PQclear(PQgetResult(connection));
    return result;
}

/* All results of what was sent, whatever they are, so that the connection can be used again. The first failure is the
 * one told of: those behind it only say that they were not done. */
static align_status receive_all(al_postgres *p, questions *all, const bool *asked, size_t n, align_error *err)
{
    align_status status = ALIGN_OK;
    PGconn *connection = p->session.connection;
    for (size_t i = 0; i < n; i++) {
        if (!asked[i])
            continue;
        PQclear(all->rows[i]);
        all->rows[i] = receive(connection);
        if (status == ALIGN_OK)
            status = al_postgres_check(&p->session, all->rows[i], err);
    }
    PGresult *end = receive(connection);
    if (status == ALIGN_OK)
        status = al_postgres_check(&p->session, end, err);
    PQclear(end);
    return status;
}

/* The asked ones of queries first .. first + n - 1, together. */
static align_status ask(al_postgres *p, questions *all, size_t first, const bool *asked, size_t n, bool exact,
                        align_error *err)
{
    align_status status = ALIGN_OK;
    PGconn *connection = p->session.connection;
    bool sent = PQenterPipelineMode(connection) == 1;
    for (size_t i = 0; i < n && sent; i++)
        sent = !asked[i] || send_query(p, all, first + i, i, exact);
    if (sent && PQpipelineSync(connection) == 1) {
        status = receive_all(p, all, asked, n, err);
        PQexitPipelineMode(connection);
    } else {
        status = al_postgres_check(&p->session, NULL, err);
        p->session.failure = AL_POSTGRES_LOST; /* what was sent of it is still to be answered: begin anew */
    }
    return status;
}

static align_status search_group(al_postgres *p, questions *all, size_t first, size_t n, al_hits_builder *hits,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    bool asked[TOGETHER], again = false;
    for (size_t i = 0; i < n; i++)
        asked[i] = true;
    TRY(ask(p, all, first, asked, n, !asks_index(all->options), err));
    if (asks_index(all->options)) {
        for (size_t i = 0; i < n; i++)
            again |= asked[i] = PQntuples(all->rows[i]) < all->wanted;
        if (again)
            TRY(ask(p, all, first, asked, n, true, err));
    }
    for (size_t i = 0; i < n; i++)
        TRY(read_hits(hits, p, all, all->rows[i], err));
done:
    return status;
}

/* ---- all ---- */

static align_status begin(al_postgres *p, const questions *all, align_error *err)
{
    align_status status = ALIGN_OK;
    al_postgres_statement list = {.sql = ""};
    TRY(al_postgres_script(&p->session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err));
    if (asks_index(all->options)) {
        const int64_t twice = all->wanted < LIST_MOST ? 2 * all->wanted : LIST_MOST;
        const int64_t length = twice < LIST_LEAST ? LIST_LEAST : twice > LIST_MOST ? LIST_MOST : twice;
        al_postgres_say(&list, "SELECT set_config('hnsw.ef_search', '%" PRId64 "', true)", length);
        if (p->facts.iterates)
            al_postgres_say(&list, ", set_config('hnsw.iterative_scan', 'relaxed_order', true)");
        TRY(al_postgres_run(&p->session, &list, NULL, err));
    }
done:
    return status;
}

static align_status query(al_postgres *p, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    questions *all = task;
    al_hits_builder hits = {0};
    TRY(al_hits_begin(&hits, all->queries, err));
    TRY(begin(p, all, err));
    for (size_t first = 0; first < all->queries; first += TOGETHER)
        TRY(search_group(p, all, first, al_least(all->queries - first, TOGETHER), &hits, err));
    TRY(al_postgres_script(&p->session, "COMMIT", err));
    al_hits_end(&hits, all->out);
done:
    al_hits_drop(&hits);
    return status;
}

align_status al_postgres_query(al_store *store, const float *vectors, size_t queries,
                               const align_query_options *options, align_hits *out, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t bytes = TOGETHER * AL_POSTGRES_VECTOR_BYTES(store->width);
    questions task = {.vectors = vectors, .queries = queries, .options = options, .out = out};
    task.wanted = options->top + options->skip;
    task.packed = al_alloc(bytes);
    if (!task.packed) {
        status = al_error_no_memory(err, bytes);
        goto done;
    }
    TRY(al_postgres_try((al_postgres *)store, query, &task, err));
done:
    for (int i = 0; i < TOGETHER; i++)
        PQclear(task.rows[i]);
    al_free(task.packed);
    return status;
}
