/* postgres_session.c: see postgres_session.h. */
#include "search/postgres_session.h"

#include "base/status.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAID 700 /* bytes of a server's message that are told */

/* ---- what goes wrong ---- */

/* What libpq or the server says, on one line. */
static void say_on_one_line(char said[SAID], const char *message)
{
    size_t n = 0;
    for (const char *c = message; *c && n + 1 < SAID; c++) {
        const bool space = *c == '\n' || *c == '\t' || *c == ' ';
        if (!space)
            said[n++] = *c;
        else if (n > 0 && said[n - 1] != ' ')
            said[n++] = ' ';
    }
    while (n > 0 && said[n - 1] == ' ')
        n--;
    said[n] = '\0';
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static al_postgres_failure failure_of(const PGconn *connection, const char *state)
{
    if (PQstatus(connection) != CONNECTION_OK || begins_with(state, "08") || begins_with(state, "57P"))
        return AL_POSTGRES_LOST; /* 57P: the server is being stopped, or this process of it */
    if (begins_with(state, "40"))
        return AL_POSTGRES_CONFLICT;
    return AL_POSTGRES_FAILED;
}

/* What a table or a function that is not there means: these tables are not ours. */
static align_status status_of(const char *state)
{
    if (strcmp(state, "42P01") == 0 || strcmp(state, "42703") == 0 || strcmp(state, "42883") == 0)
        return ALIGN_ERROR_FORMAT;
    if (strcmp(state, "0A000") == 0 || strcmp(state, "58P01") == 0)
        return ALIGN_ERROR_UNSUPPORTED; /* an extension that is not there, by either name */
    return ALIGN_ERROR_IO;
}

align_status al_postgres_check(al_postgres_session *s, const PGresult *result, align_error *err)
{
    const ExecStatusType kind = PQresultStatus(result);
    if (kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK || kind == PGRES_COPY_IN || kind == PGRES_PIPELINE_SYNC)
        return ALIGN_OK;
    char said[SAID];
    const char *found = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *state = found ? found : "", *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    s->failure = failure_of(s->connection, state);
    say_on_one_line(said, message ? message : PQerrorMessage(s->connection));
    const align_status status = status_of(state);
    return al_error_set(err, status, "%s: %s%s", s->address->shown,
                        status == ALIGN_ERROR_FORMAT ? "not as an index should be: " : "",
                        said[0] ? said : "no answer");
}

/* ---- connecting ---- */

static void ignore_notice(void *user, const PGresult *result)
{
    (void)user;
    (void)result;
}

align_status al_postgres_session_open(al_postgres_session *s, const al_postgres_address *address, align_error *err)
{
    /* What stands before dbname is a default, which the address may change; what is behind it stands. A server that
     * went away without a word is noticed within a minute or two. */
    static const char *const names[] = {
        "connect_timeout",           "keepalives_idle", "keepalives_interval", "tcp_user_timeout",
        "fallback_application_name", "dbname",          "client_encoding",     NULL};
    const char *const values[] = {"10", "30", "10", "90000", "align", address->server, "UTF8", NULL};
    *s = (al_postgres_session){.address = address};
    s->connection = PQconnectdbParams(names, values, 1);
    if (!s->connection)
        return al_error_no_memory(err, sizeof *s);
    if (PQstatus(s->connection) != CONNECTION_OK) {
        char said[SAID];
        say_on_one_line(said, PQerrorMessage(s->connection));
        al_postgres_session_close(s);
        s->failure = AL_POSTGRES_LOST;
        return al_error_set(err, ALIGN_ERROR_IO, "%s: %s", address->shown, said);
    }
    PQsetNoticeReceiver(s->connection, ignore_notice, NULL); /* libpq would print them */
    return ALIGN_OK;
}

void al_postgres_session_close(al_postgres_session *s)
{
    PQfinish(s->connection);
    *s = (al_postgres_session){.address = s->address, .failure = s->failure};
}

/* ---- statements ---- */

void al_postgres_say(al_postgres_statement *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(s->sql + s->used, sizeof s->sql - s->used, format, arguments);
    va_end(arguments);
    if (n > 0)
        s->used += (size_t)n < sizeof s->sql - s->used ? (size_t)n : sizeof s->sql - s->used - 1;
}

int al_postgres_put_bytes(al_postgres_statement *s, const void *bytes, size_t size)
{
    s->values[s->count] = bytes;
    s->lengths[s->count] = size < INT_MAX ? (int)size : INT_MAX; /* far more than the server takes */
    s->formats[s->count] = 1;
    return ++s->count;
}

int al_postgres_put_int(al_postgres_statement *s, int64_t x)
{
    char *number = s->numbers[s->count];
    al_postgres_pack(number, (uint64_t)x, 8);
    return al_postgres_put_bytes(s, number, 8);
}

int al_postgres_put_double(al_postgres_statement *s, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return al_postgres_put_int(s, (int64_t)bits);
}

align_status al_postgres_run(al_postgres_session *s, const al_postgres_statement *statement, PGresult **out,
                             align_error *err)
{
    PGresult *result = PQexecParams(s->connection, statement->sql, statement->count, NULL, statement->values,
                                    statement->lengths, statement->formats, 1);
    const align_status status = al_postgres_check(s, result, err);
    if (out && status == ALIGN_OK)
        *out = result;
    else
        PQclear(result);
    return status;
}

align_status al_postgres_script(al_postgres_session *s, const char *sql, align_error *err)
{
    PGresult *result = PQexec(s->connection, sql);
    const align_status status = al_postgres_check(s, result, err);
    PQclear(result);
    return status;
}

void al_postgres_roll_back(al_postgres_session *s)
{
    if (s->connection && PQtransactionStatus(s->connection) != PQTRANS_IDLE)
        PQclear(PQexec(s->connection, "ROLLBACK"));
}

/* ---- numbers on their way ---- */

void al_postgres_pack(char *bytes, uint64_t x, int n)
{
    for (int i = 0; i < n; i++)
        bytes[i] = (char)(unsigned char)(x >> (8 * (n - 1 - i)));
}

uint64_t al_postgres_unpack(const char *bytes, int n)
{
    uint64_t x = 0;
    for (int i = 0; i < n; i++)
        x = x << CHAR_BIT | (unsigned char)bytes[i];
    return x;
}

int64_t al_postgres_get_int(const PGresult *rows, int row, int column)
{
    return PQgetlength(rows, row, column) == 8 ? (int64_t)al_postgres_unpack(PQgetvalue(rows, row, column), 8) : 0;
}

double al_postgres_get_double(const PGresult *rows, int row, int column)
{
    double x;
    const int64_t bits = al_postgres_get_int(rows, row, column);
    memcpy(&x, &bits, sizeof x);
    return x;
}
