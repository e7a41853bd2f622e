/*
 * postgres_schema.c: the schema of an index: what it is looked up in, checked for and made with.
 *
 *     about    one row: whose it is, its version, the model and the width of its vectors, their type
 *     items    an item a row, with its vector
 *
 * An item's name (path and member) may be longer than what an index of PostgreSQL takes: key stands for it, and for
 * folders the first bytes of a path. No path holds a NUL, so that path, NUL, member is nobody else's name.
 */
#include "search/postgres_store.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define APPLICATION "ALGN"
#define PAGE_ROOM   6000  /* bytes of a vector that fit into a page of 8 KB beside the rest of its row */
#define HNSW_LEAST  5     /* pgvector 0.5 brought the HNSW index, */
#define HALF_LEAST  7     /* 0.7 numbers in f16, */
#define FILTERS     8     /* 0.8 filters in the index */
#define VECTOR_MOST 16000 /* numbers of a vector, says pgvector */
#define HNSW_FLOATS 2000  /* the widest vectors that an HNSW index takes */
#define HNSW_HALVES 4000

/* The version of pgvector, 0.x as x and anything later as a large number; 0: it is not there. */
static int read_extension(const char *version)
{
    int major = 0, minor = 0;
    if (sscanf(version, "%d.%d", &major, &minor) != 2)
        return 0;
    return major > 0 ? 1000 * major + minor : minor;
}

/* What the database has: columns of look's row. */
enum { EXTENSION, EXTENSION_SCHEMA, HAS_SCHEMA, HAS_ABOUT, ENCODING };

static align_status look(al_postgres_session *s, PGresult **out, align_error *err)
{
    al_postgres_statement statement = {.sql = ""};
    const char *schema = s->address->schema;
    const int name = al_postgres_put_bytes(&statement, schema, strlen(schema));
    al_postgres_say(&statement,
                    "SELECT coalesce(max(e.extversion), ''), coalesce(max(n.nspname::text), ''),"
                    " to_regnamespace(quote_ident($%d::text))::text,"
                    " to_regclass(quote_ident($%d::text) || '.about')::text, getdatabaseencoding()::text "
                    "FROM pg_extension e JOIN pg_namespace n ON e.extnamespace = n.oid WHERE e.extname = 'vector'",
                    name, name);
    return al_postgres_run(s, &statement, out, err);
}

/* Names without a schema are those of the index, and of pgvector. */
static align_status choose_schema(al_postgres_session *s, const char *extension_schema, align_error *err)
{
    al_postgres_statement statement = {.sql = ""};
    const char *schema = s->address->schema;
    const int ours = al_postgres_put_bytes(&statement, schema, strlen(schema));
    const int theirs = al_postgres_put_bytes(&statement, extension_schema, strlen(extension_schema));
    al_postgres_say(&statement,
                    "SELECT set_config('search_path', quote_ident($%d::text) || ',' || quote_ident($%d::text), false),"
                    " set_config('jit', 'off', false),"
                    " CASE WHEN current_setting('statement_timeout') = '0'"
                    " THEN set_config('statement_timeout', '10min', false) END",
                    ours, theirs);
    return al_postgres_run(s, &statement, NULL, err);
}

static align_status read_about(al_postgres_session *s, al_postgres_facts *facts, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *shown = s->address->shown;
    al_postgres_statement statement = {.sql = ""};
    PGresult *rows = NULL;
    al_postgres_say(&statement, "SELECT application, version::bigint, model, width::bigint, element FROM about");
    TRY(al_postgres_run(s, &statement, &rows, err));
    if (PQntuples(rows) != 1 || strcmp(PQgetvalue(rows, 0, 0), APPLICATION) != 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: the schema %s is not an index", shown, s->address->schema);
    facts->made = true;
    facts->version = al_postgres_get_int(rows, 0, 1);
    facts->width = al_postgres_get_int(rows, 0, 3);
    facts->half = strcmp(PQgetvalue(rows, 0, 4), "halfvec") == 0;
    snprintf(facts->model, sizeof facts->model, "%s", PQgetvalue(rows, 0, 2));
    if (facts->version > AL_STORE_VERSION)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: written by a newer version: format %" PRId64 ", this one knows %d",
             shown, facts->version, AL_STORE_VERSION);
    if (facts->version < 1 || facts->width < 1 || facts->width > VECTOR_MOST)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: an index of format %" PRId64 " and width %" PRId64, shown, facts->version,
             facts->width);
done:
    PQclear(rows);
    return status;
}

/* Goes into the schema, if it is there: what look found, and then what the index says of itself. */
static align_status go_in(al_postgres_session *s, al_postgres_facts *facts, align_error *err)
{
    align_status status = ALIGN_OK;
    PGresult *looked_up = NULL;
    *facts = (al_postgres_facts){.made = false};
    TRY(look(s, &looked_up, err));
    if (PQgetisnull(looked_up, 0, HAS_ABOUT))
        goto done;
    const int extension = read_extension(PQgetvalue(looked_up, 0, EXTENSION));
    if (extension == 0)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: the database has lost its vector extension (pgvector)",
             s->address->shown);
    facts->iterates = extension >= FILTERS;
    TRY(choose_schema(s, PQgetvalue(looked_up, 0, EXTENSION_SCHEMA), err));
    TRY(read_about(s, facts, err));
done:
    PQclear(looked_up);
    return status;
}

align_status al_postgres_enter(al_postgres_session *session, const al_postgres *p, al_postgres_facts *facts,
                               align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_postgres_session_open(session, &p->address, err));
    if (p->store.read_only)
        TRY(al_postgres_script(session, "SET default_transaction_read_only = on", err));
    TRY(go_in(session, facts, err));
done:
    if (status != ALIGN_OK)
        al_postgres_session_close(session);
    return status;
}

/* ---- making ---- */

/* Makers wait for each other, in all schemas of a database: they all want the extension. */
static align_status begin_making(al_postgres *p, align_error *err)
{
    const align_status status = al_postgres_script(&p->session,
                                                   "BEGIN; SELECT pg_advisory_xact_lock(x'414c474e'::bigint);"
                                                   "CREATE EXTENSION IF NOT EXISTS vector",
                                                   err);
    if (status != ALIGN_OK)
        al_error_prefix(err, "cannot have the vector extension (pgvector) in this database");
    return status;
}

static align_status make_schema(al_postgres *p, align_error *err)
{
    char sql[512];
    char *name = PQescapeIdentifier(p->session.connection, p->address.schema, strlen(p->address.schema));
    if (!name)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: the schema's name is not UTF-8", p->address.shown);
    snprintf(sql, sizeof sql, "CREATE SCHEMA %s", name);
    PQfreemem(name);
    return al_postgres_script(&p->session, sql, err);
}

static align_status make_tables(al_postgres *p, int64_t width, bool half, align_error *err)
{
    const bool in_page = width * (half ? 2 : 4) <= PAGE_ROOM, has_index = width <= (half ? HNSW_HALVES : HNSW_FLOATS);
    const char *type = half ? "halfvec" : "vector";
    char sql[AL_POSTGRES_SQL];
    snprintf(sql, sizeof sql,
             "CREATE TABLE about (application text NOT NULL, version int NOT NULL, model text NOT NULL,"
             " width int NOT NULL, element text NOT NULL, made timestamptz NOT NULL DEFAULT now());"
             "CREATE SEQUENCE items_id;"
             "CREATE TABLE items (id bigint PRIMARY KEY, kind bigint NOT NULL, path bytea NOT NULL,"
             " member bytea NOT NULL, text text NOT NULL, size bigint NOT NULL, modified bigint NOT NULL,"
             " taken bigint, width bigint NOT NULL, height bigint NOT NULL, hash bytea,"
             " vector %s(%" PRId64 ") NOT NULL,"
             " key bytea NOT NULL UNIQUE GENERATED ALWAYS AS (sha256(path || '\\x00'::bytea || member)) STORED);"
             "CREATE INDEX items_kind ON items (kind);"
             "CREATE INDEX items_folder ON items (substring(path from 1 for 1024));"
             "CREATE INDEX items_taken ON items (taken);"
             "CREATE INDEX items_hash ON items (hash);"
             "%s%s%s%s", /* a vector outside its row would be looked for at every one that a query looks at */
             type, width, in_page ? "ALTER TABLE items ALTER COLUMN vector SET STORAGE PLAIN;" : "",
             has_index ? "CREATE INDEX items_vector ON items USING hnsw (vector " : "", has_index ? type : "",
             has_index ? "_ip_ops)" : "");
    return al_postgres_script(&p->session, sql, err);
}

static align_status write_about(al_postgres *p, const align_index_options *options, bool half, align_error *err)
{
    al_postgres_statement statement = {.sql = ""};
    const int model = al_postgres_put_bytes(&statement, options->model, strlen(options->model));
    const int width = al_postgres_put_int(&statement, options->width);
    al_postgres_say(&statement,
                    "INSERT INTO about (application, version, model, width, element) VALUES "
                    "('" APPLICATION "', %d, $%d::text, $%d::bigint, '%s')",
                    AL_STORE_VERSION, model, width, half ? "halfvec" : "vector");
    return al_postgres_run(&p->session, &statement, NULL, err);
}

/* Everything, in a database that has no index in this schema yet. */
static align_status make_all(al_postgres *p, const align_index_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *shown = p->address.shown;
    PGresult *looked_up = NULL;
    TRY(look(&p->session, &looked_up, err));
    const int extension = read_extension(PQgetvalue(looked_up, 0, EXTENSION));
    const char *encoding = PQgetvalue(looked_up, 0, ENCODING);
    const bool half = extension >= HALF_LEAST;
    if (extension < HNSW_LEAST)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: pgvector %s, where 0.%d or newer is needed", shown,
             PQgetvalue(looked_up, 0, EXTENSION), HNSW_LEAST);
    if (strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: a database for texts in %s, where UTF8 is needed", shown, encoding);
    if (PQgetisnull(looked_up, 0, HAS_SCHEMA))
        TRY(make_schema(p, err));
    TRY(choose_schema(&p->session, PQgetvalue(looked_up, 0, EXTENSION_SCHEMA), err));
    TRY(make_tables(p, options->width, half, err));
    TRY(write_about(p, options, half, err));
done:
    PQclear(looked_up);
    return status;
}

align_status al_postgres_make(al_postgres *p, const align_index_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(begin_making(p, err));
    TRY(go_in(&p->session, &p->facts, err));
    if (!p->facts.made)
        TRY(make_all(p, options, err));
    TRY(al_postgres_script(&p->session, "COMMIT", err));
    TRY(go_in(&p->session, &p->facts, err));
done:
    al_postgres_roll_back(&p->session);
    return status;
}
