#ifndef AL_POSTGRES_ADDRESS_H
#define AL_POSTGRES_ADDRESS_H
/*
 * postgres_address.h: "postgresql://[USER[:PASSWORD]@][HOST[:PORT]][/DATABASE][?...][#SCHEMA]": what libpq takes, and
 * behind it the schema that the index is in.
 */
#include <align/error.h>

typedef struct al_postgres_address {
    char *server; /* libpq's part, with the password */
    char *schema; /* "align" where none is given */
    char *shown;  /* the whole for messages, without a password */
} al_postgres_address;

#define AL_POSTGRES_SCHEMA "align"

/* Error: INVALID_ARGUMENT; it never quotes what might be a password. */
align_status al_postgres_address_read(al_postgres_address *out, const char *where, align_error *err);
void al_postgres_address_done(al_postgres_address *address); /* zeroed is fine */
#endif
