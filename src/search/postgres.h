#ifndef AL_POSTGRES_H
#define AL_POSTGRES_H
/*
 * postgres.h: an index in a PostgreSQL database. This is a library of its own, libalign-postgres.so, which postgres.c
 * opens where an index is asked for that lives on a server: nobody else needs libpq to be there.
 */
#include "search/store.h"

#define AL_POSTGRES_LIBRARY "libalign-postgres.so"
#define AL_POSTGRES_CONNECT "al_postgres_connect"

typedef align_status (*al_postgres_connect_function)(al_store **out, const char *where,
                                                     const align_index_options *options, align_error *err);

/* What al_postgres_open does, once the library is there. */
ALIGN_API align_status al_postgres_connect(al_store **out, const char *where, const align_index_options *options,
                                           align_error *err);
#endif
