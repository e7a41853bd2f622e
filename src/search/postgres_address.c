/* postgres_address.c: see postgres_address.h. */
#include "search/postgres_address.h"

#include "base/memory.h"
#include "base/status.h"

#include <libpq-fe.h>
#include <string.h>

#define NAME_MOST 63 /* bytes of a name in PostgreSQL */

/* Takes [from, until) out of text. */
static void cut(char *text, const char *from, const char *until)
{
    memmove(text + (from - text), until, strlen(until) + 1);
}

/*
 * Takes out passwords, wherever they may be: behind the user's name, as far as the last '@', because people forget to
 * write that character as %40; and the value of every parameter that is called so.
 */
static void hide_passwords(char *text)
{
    char *authority = strstr(text, "://") + 3, *at = strrchr(text, '@'), *colon = strchr(authority, ':');
    if (at && colon && colon < at)
        cut(text, colon, at);
    for (char *found = authority; (found = strstr(found, "password=")) != NULL;) {
        found += strlen("password=");
        cut(text, found, found + strcspn(found, "&#"));
    }
}

/* Where the schema's name begins, or NULL: a '#' that may be part of a password is none. */
static const char *schema_of(const char *where)
{
    const char *mark = strrchr(where, '#');
    return mark && !strpbrk(mark, "@/") ? mark + 1 : NULL;
}

static align_status check_server(const al_postgres_address *address, align_error *err)
{
    align_status status = ALIGN_OK;
    PQconninfoOption *options = PQconninfoParse(address->server, NULL);
    if (!options)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "%s: no address of a server: expected postgresql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE, special "
             "characters of a password written as %%XX",
             address->shown);
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && strcmp(o->keyword, "port") == 0 && o->val[strspn(o->val, "0123456789,")])
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: the port is not a number (is a / in the password not %%2F?)",
                 address->shown);
done:
    PQconninfoFree(options);
    return status;
}

align_status al_postgres_address_read(al_postgres_address *out, const char *where, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *schema = schema_of(where);
    al_postgres_address address = {
        .server = schema ? al_strndup(where, (size_t)(schema - 1 - where)) : al_strdup(where),
        .schema = al_strdup(schema ? schema : AL_POSTGRES_SCHEMA),
        .shown = al_strdup(where),
    };
    if (!address.server || !address.schema || !address.shown) {
        status = al_error_no_memory(err, strlen(where));
        goto done;
    }
    hide_passwords(address.shown);
    if (!address.schema[0] || strlen(address.schema) > NAME_MOST)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: a schema's name has 1 to %d bytes", address.shown, NAME_MOST);
    TRY(check_server(&address, err));
    *out = address;
    address = (al_postgres_address){0};
done:
    al_postgres_address_done(&address);
    return status;
}

void al_postgres_address_done(al_postgres_address *address)
{
    al_free(address->server);
    al_free(address->schema);
    al_free(address->shown);
    *address = (al_postgres_address){0};
}
