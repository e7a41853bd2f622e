#ifndef AL_POSTGRES_SESSION_H
#define AL_POSTGRES_SESSION_H
/*
 * postgres_session.h: one connection to a server: statements with their parameters, and what becomes of them. All
 * numbers and bytes go both ways in PostgreSQL's binary form, big end first.
 */
#include "search/postgres_address.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why the last statement failed, as far as it matters for whether it may be tried again. */
typedef enum al_postgres_failure {
    AL_POSTGRES_FAILED,  /* for good */
    AL_POSTGRES_LOST,    /* there is no connection any more */
    AL_POSTGRES_CONFLICT /* with what somebody else did at the same time: it will work later */
} al_postgres_failure;

typedef struct al_postgres_session {
    const al_postgres_address *address;
    PGconn *connection; /* NULL: none */
    al_postgres_failure failure;
    bool has_incoming, has_find; /* what this connection has: a temporary table, a prepared statement */
} al_postgres_session;

/* Errors: IO, naming the server. */
align_status al_postgres_session_open(al_postgres_session *session, const al_postgres_address *address,
                                      align_error *err);
void al_postgres_session_close(al_postgres_session *session); /* a zeroed one is fine */

/* ---- statements ---- */

/* A filter for ALIGN_MOST_FOLDERS folders and all else that it can ask for has room here. */
#define AL_POSTGRES_SQL        24576
#define AL_POSTGRES_PARAMETERS 80

typedef struct al_postgres_statement {
    char sql[AL_POSTGRES_SQL];
    size_t used;
    int count;
    const char *values[AL_POSTGRES_PARAMETERS];
    int lengths[AL_POSTGRES_PARAMETERS];
    int formats[AL_POSTGRES_PARAMETERS];
    char numbers[AL_POSTGRES_PARAMETERS][8];
} al_postgres_statement;

/* Adds to the text. What comes from callers goes into parameters, never into the text. */
void al_postgres_say(al_postgres_statement *statement, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parameters: the number of each, for "$%d". Bytes must stay there until the statement has been run. */
int al_postgres_put_int(al_postgres_statement *statement, int64_t x);
int al_postgres_put_double(al_postgres_statement *statement, double x);
int al_postgres_put_bytes(al_postgres_statement *statement, const void *bytes, size_t size);

/* Runs it. *out, if not NULL, gets the rows, freed with PQclear. */
align_status al_postgres_run(al_postgres_session *session, const al_postgres_statement *statement, PGresult **out,
                             align_error *err);

/* Runs statements without parameters and rows, several at once, each behind a ';' but the last. */
align_status al_postgres_script(al_postgres_session *session, const char *sql, align_error *err);

/* Judges what came back: ALIGN_OK for rows, for a command that worked, and for a COPY that has begun. */
align_status al_postgres_check(al_postgres_session *session, const PGresult *result, align_error *err);

/* Ends a transaction that failed. */
void al_postgres_roll_back(al_postgres_session *session);

/* ---- numbers on their way ---- */

void al_postgres_pack(char *bytes, uint64_t x, int n); /* the lower n bytes of x */
uint64_t al_postgres_unpack(const char *bytes, int n);

/* A column of a row. What is not of that size is 0. */
int64_t al_postgres_get_int(const PGresult *rows, int row, int column);
double al_postgres_get_double(const PGresult *rows, int row, int column);
#endif
