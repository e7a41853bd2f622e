/*
 * test_postgres.c: an index on a server, where it differs from one in a file: connections that break, a server that
 * goes away and comes back, writers at once, and everything that can stand in the way of opening it. What both have in
 * common is test_index's to test, which runs on a server, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server_test.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

static void nap(long milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000L}, NULL);
}

/* ---- opening ---- */

/* Opening must fail so, and say so; and must not give the password away. */
static void refuse(const char *where, const align_index_options *options, align_status expected, const char *said)
{
    align_error err = ALIGN_ERROR_INIT;
    align_index *index = NULL;
    const align_status status = align_index_open(&index, where, options, &err);
    if (status != expected || !strstr(err.message, said))
        fail_msg("%s: got \"%s\"", align_status_name(status), err.message);
    assert_null(index);
    assert_null(strstr(err.message, "secret"));
}

static void test_addresses(void **state)
{
    (void)state;
    refuse("postgresql://me:secret@[::1/db", NULL, ALIGN_ERROR_INVALID_ARGUMENT, "postgresql://me@[::1/db");
    refuse("postgresql://me:secret/secret@host/db", NULL, ALIGN_ERROR_INVALID_ARGUMENT, "the port is not a number");
    refuse("postgresql://me@host/db?password=secret&port=x", NULL, ALIGN_ERROR_INVALID_ARGUMENT, "password=&port=x");
    refuse("postgresql://me:secret@host/db?nonsense=1", NULL, ALIGN_ERROR_INVALID_ARGUMENT, "no address");
    refuse("postgresql://me:secret@host/db#", NULL, ALIGN_ERROR_INVALID_ARGUMENT, "1 to 63 bytes");
    refuse("postgresql://me:secret@127.0.0.1:1/db", NULL, ALIGN_ERROR_IO, "postgresql://me@127.0.0.1:1/db: ");
}

static void test_refused(void **state)
{
    char where[512];
    const char *server = server_address(), *at = strrchr(server, '@');
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    (void)state;
    snprintf(where, sizeof where, "postgresql://align:secretive%s", at);
    refuse(where, NULL, ALIGN_ERROR_IO, "password authentication failed");
    snprintf(where, sizeof where, "%.*s/nowhere", (int)(strrchr(server, '/') - server), server);
    refuse(where, NULL, ALIGN_ERROR_IO, "database \"nowhere\" does not exist");
    refuse(on_server("nothing"), NULL, ALIGN_ERROR_NOT_FOUND, "no index in the schema nothing");
    options.create = true;
    options.width = WIDTH;
    options.model = MODEL;
    meddle("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    snprintf(where, sizeof where, "%.*s/latin", (int)(strrchr(server, '/') - server), server);
    refuse(where, &options, ALIGN_ERROR_UNSUPPORTED, "LATIN1");
    meddle("CREATE ROLE reader LOGIN PASSWORD 'secretly'");
    snprintf(where, sizeof where, "postgresql://reader:secretly%s#readers", at);
    refuse(where, &options, ALIGN_ERROR_IO, "permission denied");
}

static void test_no_extension(void **state)
{
    char where[512], command[512];
    const char *server = server_address();
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    (void)state;
    options.create = true;
    options.width = WIDTH;
    options.model = MODEL;
    snprintf(command, sizeof command, "sh %s hide", getenv("ALIGN_TEST_SERVER_SCRIPT"));
    if (WEXITSTATUS(system(command)) == 77)
        skip();
    meddle("CREATE DATABASE bare");
    snprintf(where, sizeof where, "%.*s/bare", (int)(strrchr(server, '/') - server), server);
    refuse(where, &options, ALIGN_ERROR_UNSUPPORTED, "cannot have the vector extension (pgvector) in this database");
    snprintf(command, sizeof command, "sh %s show", getenv("ALIGN_TEST_SERVER_SCRIPT"));
    assert_int_equal(system(command), 0);
    align_index *index = NULL;
    must(align_index_open(&index, where, &options, NULL)); /* nothing of the failure is left */
    align_index_close(index);
}

static void test_other_index(void **state)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    (void)state;
    align_index_close(open_index("other"));
    options.model = "another model";
    refuse(on_server("other"), &options, ALIGN_ERROR_MISMATCH, "a model");
    options.model = MODEL;
    options.width = WIDTH + 1;
    refuse(on_server("other"), &options, ALIGN_ERROR_MISMATCH, "numbers");
    meddle("UPDATE other.about SET version = 1000");
    refuse(on_server("other"), NULL, ALIGN_ERROR_UNSUPPORTED, "newer version");
    meddle("UPDATE other.about SET version = 1, application = 'else'");
    refuse(on_server("other"), NULL, ALIGN_ERROR_FORMAT, "is not an index");
    meddle("ALTER TABLE other.about DROP COLUMN application");
    refuse(on_server("other"), NULL, ALIGN_ERROR_FORMAT, "not as an index should be");
}

/* Names that must not become statements, and two indexes in one database. */
static void test_schemas(void **state)
{
    align_index *one = open_index("one \"; DROP SCHEMA two"), *two = open_index("two");
    align_index_info info;
    (void)state;
    must(add_numbered(one, 0, 3, NULL, NULL));
    assert_int_equal(count_of(two), 0);
    must(align_index_get_info(one, &info, NULL));
    assert_null(strstr(info.where, "secret"));
    assert_string_equal(info.store, "postgresql");
    align_index_close(one);
    align_index_close(two);
}

static void test_read_only(void **state)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_error err = ALIGN_ERROR_INIT;
    align_index *index = open_index("read_only");
    (void)state;
    must(add_numbered(index, 0, 3, NULL, NULL));
    align_index_close(index);
    options.read_only = true;
    must(align_index_open(&index, on_server("read_only"), &options, NULL));
    assert_int_equal(count_of(index), 3);
    assert_int_equal(add_numbered(index, 3, 1, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    align_index_close(index);
}

/* ---- connections that break ---- */

static void test_broken_between_calls(void **state)
{
    align_index *index = open_index("broken");
    align_item item;
    align_hits hits;
    align_cursor *cursor;
    float vector[WIDTH];
    bool found;
    size_t removed;
    int64_t ids[3];
    (void)state;
    must(add_numbered(index, 0, 3, ids, NULL));
    meddle(END_ALL);
    must(add_numbered(index, 3, 3, NULL, NULL));
    meddle(END_ALL);
    must(align_index_find(index, "/pictures/000004.jpg", NULL, &item, &found, NULL));
    assert_true(found);
    item.modified = 5;
    meddle(END_ALL);
    must(align_index_update(index, &item, 1, NULL));
    meddle(END_ALL);
    vector_of(4, vector);
    must(align_index_query(index, vector, 1, NULL, &hits, NULL));
    assert_int_equal(hits.offsets[1], 6);
    assert_string_equal(hits.items[0].path, "/pictures/000004.jpg");
    assert_int_equal(hits.items[0].modified, 5);
    align_hits_done(&hits);
    meddle(END_ALL);
    must(align_index_vector(index, ids[0], vector, NULL));
    meddle(END_ALL);
    must(align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_PATH, NULL));
    meddle(END_ALL);
    must(align_index_remove(index, ids, 2, &removed, NULL));
    assert_int_equal(removed, 2);
    meddle(END_ALL);
    must(align_index_vacuum(index, NULL));
    meddle(END_ALL);
    assert_int_equal(count_of(index), 4);
    align_cursor_close(cursor);
    align_index_close(index);
}

/* What a cursor had seen is gone with its connection: that has to be said, and the index is as good as before. */
static void test_broken_cursor(void **state)
{
    align_index *index = open_index("broken_cursor");
    align_cursor *cursor;
    align_item item;
    align_error err = ALIGN_ERROR_INIT;
    bool found;
    (void)state;
    must(add_numbered(index, 0, 1000, NULL, NULL));
    must(align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_ID, NULL));
    must(align_cursor_next(cursor, &item, NULL, &found, NULL));
    meddle(END_ALL);
    align_status status = ALIGN_OK;
    for (found = true; found && status == ALIGN_OK;)
        status = align_cursor_next(cursor, &item, NULL, &found, &err);
    assert_int_equal(status, ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "postgresql://align@127.0.0.1"));
    assert_int_equal(align_cursor_next(cursor, &item, NULL, &found, &err), ALIGN_ERROR_IO);
    align_cursor_close(cursor);
    assert_int_equal(count_of(index), 1000);
    align_index_close(index);
}

/* Somebody who breaks the connections once in every other round (a break may come late), until told to stop. */
typedef struct breaker {
    int round, stop;
} breaker;

static void *break_rounds(void *user)
{
    breaker *b = user;
    PGconn *connection = PQconnectdb(server_address());
    for (int done = 0; !__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE);) {
        const int round = __atomic_load_n(&b->round, __ATOMIC_ACQUIRE);
        nap(1 + round * 7 % 23);
        if (round < done + 2)
            continue;
        PQclear(PQexec(connection, END_ALL));
        done = __atomic_load_n(&b->round, __ATOMIC_ACQUIRE);
    }
    PQfinish(connection);
    return NULL;
}

/* A call lives through one break, wherever it comes. */
static void test_broken_in_calls(void **state)
{
    enum { ROUNDS = 60, QUERIES = 40 };
    static float vectors[QUERIES * WIDTH];
    align_index *index = open_index("broken_often");
    align_error err = ALIGN_ERROR_INIT;
    breaker b = {0, 0};
    pthread_t other;
    (void)state;
    assert_int_equal(pthread_create(&other, NULL, break_rounds, &b), 0);
    for (int i = 0; i < ROUNDS; i++) {
        align_hits hits;
        __atomic_store_n(&b.round, i + 1, __ATOMIC_RELEASE);
        for (int j = 0; j < QUERIES; j++)
            vector_of(i * QUERIES + j, vectors + j * WIDTH);
        if (add_numbered(index, i * QUERIES, QUERIES, NULL, &err) != ALIGN_OK ||
            align_index_query(index, vectors, QUERIES, NULL, &hits, &err) != ALIGN_OK)
            fail_msg("%s", err.message);
        for (size_t j = 0; j < QUERIES; j++)
            assert_true(hits.scores[hits.offsets[j]] > 0.999f);
        align_hits_done(&hits);
    }
    __atomic_store_n(&b.stop, 1, __ATOMIC_RELEASE);
    pthread_join(other, NULL);
    assert_int_equal(count_of(index), ROUNDS * QUERIES);
    align_index_close(index);
}

static void control(const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "sh %s %s", getenv("ALIGN_TEST_SERVER_SCRIPT"), command);
    assert_int_equal(system(line), 0);
}

static void *start_later(void *unused)
{
    (void)unused;
    nap(300);
    control("start");
    return NULL;
}

static void test_server_killed(void **state)
{
    align_index *index = open_index("killed");
    align_error err = ALIGN_ERROR_INIT;
    pthread_t other;
    (void)state;
    must(add_numbered(index, 0, 100, NULL, NULL));
    for (int i = 1; i <= 2; i++) {
        control("kill");
        assert_int_equal(pthread_create(&other, NULL, start_later, NULL), 0);
        if (add_numbered(index, 100 * i, 100, NULL, &err) != ALIGN_OK)
            fail_msg("%s", err.message);
        pthread_join(other, NULL);
        assert_int_equal(count_of(index), 100 * (i + 1));
    }
    control("kill");
    assert_int_equal(add_numbered(index, 0, 1, NULL, &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "postgresql://align@127.0.0.1"));
    assert_null(strstr(err.message, "secret"));
    control("start");
    assert_int_equal(count_of(index), 300);
    align_index_close(index);
}

/* ---- writers ---- */

/* A process that adds 40 batches of 5, some of them those that others add; and makes the index, as others do. */
static void write_many(int who)
{
    align_index *index = NULL;
    must_in_child(try_index(&index, "at_once", err));
    for (int i = 0; i < 40; i++)
        must_in_child(add_numbered(index, i % 2 ? i * 5 : 1000 * (who + 1) + i * 5, 5, NULL, err));
    align_index_close(index);
    _exit(0);
}

static void test_writers_at_once(void **state)
{
    enum { WRITERS = 6 };
    pid_t writers[WRITERS];
    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        assert_true(writers[i] >= 0);
        if (writers[i] == 0)
            write_many(i);
    }
    for (int i = 0; i < WRITERS; i++)
        child_succeeds(writers[i]);
    align_index *index = open_index("at_once");
    assert_int_equal(count_of(index), WRITERS * 100 + 100);
    align_index_close(index);
}

/* Updates and adds 50 items in order, or from the last to the first. */
static void write_the_same(const int64_t ids[50], bool forwards)
{
    align_index *index = NULL;
    must_in_child(try_index(&index, "the_same", err));
    for (int i = 0; i < 40; i++) {
        align_item items[50];
        char names[50][32];
        for (int j = 0; j < 50; j++) {
            const int n = forwards ? j : 49 - j;
            snprintf(names[j], sizeof names[j], "/pictures/%06d.jpg", n);
            items[j] = (align_item)ALIGN_ITEM_INIT;
            items[j].id = ids[n];
            items[j].path = names[j];
            items[j].modified = i;
        }
        must_in_child(align_index_update(index, items, 50, err));
        must_in_child(add_numbered(index, forwards ? 0 : 25, 25, NULL, err));
    }
    align_index_close(index);
    _exit(0);
}

/* Writers who lock the same items in every order: a server would call that a deadlock. */
static void test_writers_of_the_same(void **state)
{
    int64_t ids[50];
    pid_t writers[4];
    (void)state;
    align_index *index = open_index("the_same");
    must(add_numbered(index, 0, 50, ids, NULL));
    align_index_close(index);
    for (int i = 0; i < 4; i++) {
        writers[i] = fork();
        if (writers[i] == 0)
            write_the_same(ids, i % 2);
    }
    for (int i = 0; i < 4; i++)
        child_succeeds(writers[i]);
}

/* ---- writers that are killed ---- */

enum { BATCH = 50, BATCHES = 40 };

static void write_batches(void)
{
    align_index *index = NULL;
    must_in_child(try_index(&index, "writer_killed", err));
    for (int batch = 0; batch < BATCHES; batch++)
        must_in_child(add_numbered(index, batch * BATCH, BATCH, NULL, err));
    _exit(0);
}

/* How many items there are; each must have the vector of its name. */
static int check_all(const char *schema)
{
    align_index *index = open_index(schema);
    align_cursor *cursor;
    align_item item;
    float vector[WIDTH], expected[WIDTH];
    bool found;
    int items = 0;
    must(align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_ID, NULL));
    for (;; items++) {
        double product = 0, length = 0;
        must(align_cursor_next(cursor, &item, vector, &found, NULL));
        if (!found)
            break;
        vector_of(atoi(strrchr(item.path, '/') + 1), expected);
        for (int j = 0; j < WIDTH; j++) {
            product += (double)vector[j] * (double)expected[j];
            length += (double)expected[j] * (double)expected[j];
        }
        assert_true(product * product > 0.999 * length);
    }
    align_cursor_close(cursor);
    align_index_close(index);
    return items;
}

/* What is there after a kill is whole batches, and a writer who is left alone completes them. */
static void test_writer_killed(void **state)
{
    const char *said = getenv("ALIGN_TEST_KILLS");
    const int kills = said ? atoi(said) : 6;
    int done = 0;
    (void)state;
    align_index_close(open_index("writer_killed"));
    for (int i = 0; i <= kills; i++) {
        const pid_t writer = fork();
        if (writer == 0)
            write_batches();
        if (i < kills) {
            nap(5 + i * 37 % 400);
            kill(writer, SIGKILL);
            waitpid(writer, NULL, 0);
        } else {
            child_succeeds(writer);
        }
        const int items = check_all("writer_killed");
        assert_true(items % BATCH == 0 && items >= done);
        done = items;
    }
    assert_int_equal(done, BATCHES * BATCH);
}

/* ---- the approximate index ---- */

static void test_approximate(void **state)
{
    align_index *index = open_index("approximate");
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    float vectors[20 * WIDTH];
    align_hits exact, near;
    size_t same = 0;
    (void)state;
    must(add_numbered(index, 0, 3000, NULL, NULL));
    meddle("ANALYZE approximate.items");
    for (int i = 0; i < 20; i++)
        vector_of(100000 + i, vectors + i * WIDTH);
    must(align_index_query(index, vectors, 20, &options, &exact, NULL));
    options.approximate = true;
    must(align_index_query(index, vectors, 20, &options, &near, NULL));
    assert_int_equal(exact.offsets[20], 200);
    assert_int_equal(near.offsets[20], 200);
    for (size_t q = 0; q < 20; q++)
        for (size_t i = exact.offsets[q]; i < exact.offsets[q + 1]; i++)
            for (size_t j = near.offsets[q]; j < near.offsets[q + 1]; j++)
                same += exact.items[i].id == near.items[j].id;
    assert_true(same >= 190);
    align_hits_done(&exact);
    align_hits_done(&near);

    /* What a filter leaves is found, however few there are, and so is more than the index's list holds. */
    options.filter.path = "/pictures/000007.jpg";
    must(align_index_query(index, vectors, 20, &options, &near, NULL));
    assert_int_equal(near.offsets[20], 20);
    align_hits_done(&near);
    options.filter.path = NULL;
    options.top = 2000;
    options.skip = 500;
    must(align_index_query(index, vectors, 2, &options, &near, NULL));
    assert_int_equal(near.offsets[2], 4000);
    align_hits_done(&near);
    align_index_close(index);

    /* The server tells a moment later what it has used. */
    long used = 0;
    for (int i = 0; i < 100 && used == 0; i++) {
        nap(50);
        used = atol(meddle("SELECT idx_scan FROM pg_stat_user_indexes"
                           " WHERE schemaname = 'approximate' AND indexrelname = 'items_vector'"));
    }
    assert_true(used >= 20);
}

/* Vectors of every size there may be: in the row or beside it, with an HNSW index and without. */
static void test_widths(void **state)
{
    static const int64_t widths[] = {1, 640, 1999, 2001, 4001, 16000};
    static float vector[16000], back[16000];
    (void)state;
    for (size_t i = 0; i < 16000; i++)
        vector[i] = (float)(i % 7) + 1;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        char schema[32];
        align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
        align_index *index;
        align_item item = ALIGN_ITEM_INIT;
        align_hits hits;
        int64_t id;
        snprintf(schema, sizeof schema, "width_%d", (int)widths[i]);
        options.create = true;
        options.width = widths[i];
        options.model = MODEL;
        must(align_index_open(&index, on_server(schema), &options, NULL));
        item.path = "/a";
        must(align_index_add(index, &item, vector, 1, &id, NULL));
        must(align_index_vector(index, id, back, NULL));
        must(align_index_query(index, vector, 1, NULL, &hits, NULL));
        assert_true(hits.offsets[1] == 1 && hits.scores[0] > 0.999f);
        align_hits_done(&hits);
        align_index_close(index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_extension),
        cmocka_unit_test(test_other_index),
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_broken_between_calls),
        cmocka_unit_test(test_broken_cursor),
        cmocka_unit_test(test_broken_in_calls),
        cmocka_unit_test(test_server_killed),
        cmocka_unit_test(test_writers_at_once),
        cmocka_unit_test(test_writers_of_the_same),
        cmocka_unit_test(test_writer_killed),
        cmocka_unit_test(test_approximate),
        cmocka_unit_test(test_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
