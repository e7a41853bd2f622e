/* postgres_store.c: opening and closing an index on a server, and doing again what a broken connection undid. */
#include "search/postgres_store.h"

#include "base/memory.h"
#include "base/status.h"
#include "search/postgres.h"

#include <string.h>
#include <time.h>

#define CONFLICTS 20         /* that one call gives way to */
#define TRIES     25         /* to connect again: a server that starts anew takes some seconds */
#define NAP_LEAST 20000000L  /* nanoseconds between them, at first, */
#define NAP_MOST  500000000L /* and later on */

static void close_store(al_store *store)
{
    al_postgres *p = (al_postgres *)store;
    PQclear(p->found);
    al_postgres_session_close(&p->session);
    al_postgres_address_done(&p->address);
    al_free(store->where);
    al_free(store->model);
    al_free(p);
}

/* ---- again ---- */

align_status al_postgres_check_same(const al_postgres *p, const al_postgres_facts *facts, align_error *err)
{
    if (!facts->made)
        return al_error_set(err, ALIGN_ERROR_NOT_FOUND, "%s: the index is gone", p->address.shown);
    if (facts->width != p->facts.width || facts->half != p->facts.half || strcmp(facts->model, p->facts.model) != 0)
        return al_error_set(err, ALIGN_ERROR_MISMATCH, "%s: another index stands in its place", p->address.shown);
    return ALIGN_OK;
}

static align_status connect_again(al_postgres *p, align_error *err)
{
    align_status status = ALIGN_OK;
    al_postgres_facts facts;
    long nap = NAP_LEAST;
    al_postgres_session_close(&p->session);
    for (int i = 0; i < TRIES; i++) {
        status = al_postgres_enter(&p->session, p, &facts, err);
        if (status == ALIGN_OK)
            return al_postgres_check_same(p, &facts, err);
        if (p->session.failure != AL_POSTGRES_LOST)
            return status;
        nanosleep(&(struct timespec){0, nap}, NULL);
        nap = nap * 2 < NAP_MOST ? nap * 2 : NAP_MOST;
    }
    al_error_prefix(err, "the connection was lost, and there is none to be had again");
    return status;
}

align_status al_postgres_try(al_postgres *p, al_postgres_operation operation, void *task, align_error *err)
{
    align_status status = ALIGN_OK;
    bool again = false;
    for (int conflicts = 0; conflicts < CONFLICTS; conflicts++) {
        p->session.failure = AL_POSTGRES_FAILED;
        if (!p->session.connection)
            TRY(connect_again(p, err));
        status = operation(p, task, err);
        if (status == ALIGN_OK)
            goto done;
        al_postgres_roll_back(&p->session);
        if (p->session.failure == AL_POSTGRES_LOST)
            al_postgres_session_close(&p->session);
        else if (p->session.failure != AL_POSTGRES_CONFLICT)
            goto done;
        if (!p->session.connection && again)
            goto done;
        again = again || !p->session.connection;
    }
done:
    return status;
}

/* ---- opening ---- */

static const al_store_class postgres_class = {
    .name = "postgresql",
    .close = close_store,
    .info = al_postgres_info,
    .add = al_postgres_add,
    .update = al_postgres_update,
    .remove = al_postgres_remove,
    .vacuum = al_postgres_vacuum,
    .find = al_postgres_find,
    .item = al_postgres_item,
    .vector = al_postgres_vector,
    .cursor_open = al_postgres_cursor_open,
    .cursor_next = al_postgres_cursor_next,
    .cursor_close = al_postgres_cursor_close,
    .query = al_postgres_query,
};

align_status al_postgres_connect(al_store **out, const char *where, const align_index_options *options,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    al_postgres *p = al_calloc(1, sizeof *p);
    if (!p)
        return al_error_no_memory(err, sizeof *p);
    p->store = (al_store){.class = &postgres_class, .read_only = options->read_only};
    TRY(al_postgres_address_read(&p->address, where, err));
    TRY(al_postgres_enter(&p->session, p, &p->facts, err));
    if (!p->facts.made && options->create)
        TRY(al_postgres_make(p, options, err));
    if (!p->facts.made)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: there is no index in the schema %s", p->address.shown, p->address.schema);
    p->store.where = al_strdup(p->address.shown);
    p->store.model = al_strdup(p->facts.model);
    p->store.width = p->facts.width;
    if (!p->store.where || !p->store.model) {
        status = al_error_no_memory(err, sizeof p->facts.model);
        goto done;
    }
    *out = &p->store;
    p = NULL;
done:
    if (p)
        close_store(&p->store);
    return status;
}
