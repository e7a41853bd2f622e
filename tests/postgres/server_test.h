#ifndef SERVER_TEST_H
#define SERVER_TEST_H
/*
 * server_test.h: for tests beside a server of their own (server.sh): addresses of indexes on it, a second connection by
 * which a test meddles, and items to put in. Include it behind cmocka.h. Each test is one program, so everything here
 * is static.
 */
#include <align/search.h>
#include <libpq-fe.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WIDTH 16
#define MODEL "a model"

#define must(call) assert_int_equal((call), ALIGN_OK)

static const char *server_address(void)
{
    const char *address = getenv("ALIGN_TEST_SERVER");
    if (!address) {
        fprintf(stderr, "no server: see tests/postgres/server.sh\n");
        exit(77);
    }
    return address;
}

/* An index of that name on the server; one of a few buffers in turn. */
static const char *on_server(const char *schema)
{
    static char addresses[4][512];
    static int next;
    char *address = addresses[next++ % 4];
    snprintf(address, sizeof addresses[0], "%s#%s", server_address(), schema);
    return address;
}

/* Runs a statement past the library; its first value, if any, stays until the next one. */
static inline const char *meddle(const char *sql)
{
    static char value[256];
    PGconn *connection = PQconnectdb(server_address());
    assert_int_equal(PQstatus(connection), CONNECTION_OK);
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    snprintf(value, sizeof value, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return value;
}

/* Breaks every connection of an index. */
#define END_ALL "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'align'"

static inline align_status try_index(align_index **out, const char *schema, align_error *err)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    options.create = true;
    options.width = WIDTH;
    options.model = MODEL;
    return align_index_open(out, on_server(schema), &options, err);
}

static inline align_index *open_index(const char *schema)
{
    align_index *index = NULL;
    align_error err = ALIGN_ERROR_INIT;
    if (try_index(&index, schema, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return index;
}

/* In a child process, where cmocka's asserts would go on with the next test. */
#define must_in_child(call)                               \
    do {                                                  \
        align_error err_ = {ALIGN_OK, ""};                \
        align_error *err = &err_;                         \
        if ((call) != ALIGN_OK) {                         \
            fprintf(stderr, "child: %s\n", err->message); \
            _exit(1);                                     \
        }                                                 \
    } while (0)

static inline void child_succeeds(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Numbers that look random, the same for the same n. */
static inline void vector_of(int n, float vector[WIDTH])
{
    unsigned state = (unsigned)n * 2654435761u + 12345u;
    for (int i = 0; i < WIDTH; i++) {
        state = state * 1664525u + 1013904223u;
        vector[i] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
}

/* Adds items first .. first + n - 1, each called after its number. */
static inline align_status add_numbered(align_index *index, int first, int n, int64_t *ids, align_error *err)
{
    char(*names)[32] = malloc((size_t)n * sizeof *names);
    align_item *items = calloc((size_t)n, sizeof *items);
    float *vectors = malloc((size_t)n * WIDTH * sizeof *vectors);
    assert_true(names && items && vectors);
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "/pictures/%06d.jpg", first + i);
        items[i] = (align_item)ALIGN_ITEM_INIT;
        items[i].path = names[i];
        vector_of(first + i, vectors + i * WIDTH);
    }
    const align_status status = align_index_add(index, items, vectors, (size_t)n, ids, err);
    free(names);
    free(items);
    free(vectors);
    return status;
}

static inline int64_t count_of(align_index *index)
{
    align_index_info info;
    must(align_index_get_info(index, &info, NULL));
    return info.images + info.texts;
}
#endif
