/*
 * test_index_processes.c: an SQLite index in the hands of several processes, and of processes that are killed.
 *
 * ALIGN_KILLS in the environment says how often one is killed.
 */
#include "search/search_test.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

/* ---- what must hold at any moment ---- */

/* Vectors are made from their items' size: whether each has its own. */
static int64_t check_items(align_index *index)
{
    align_cursor *cursor;
    align_item item;
    bool found;
    float vector[WIDTH], wanted[WIDTH];
    int64_t n = 0;
    assert_done(align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_PATH, &err));
    for (;;) {
        assert_done(align_cursor_next(cursor, &item, vector, &found, &err));
        if (!found)
            break;
        make_vector((uint64_t)item.size, wanted);
        assert_true(score_of(wanted, vector) > 0.999f);
        n++;
    }
    align_cursor_close(cursor);
    return n;
}

static int64_t ask_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* The invariants of docs/index-format.md that rows alone can break. */
static void check_rows(const char *where)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(where, &db), SQLITE_OK);
    assert_int_equal(ask_number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    assert_int_equal(ask_number(db, "SELECT slots - holes - images - texts FROM state"), 0);
    assert_int_equal(ask_number(db, "SELECT COUNT(*) FROM items") + ask_number(db, "SELECT COUNT(*) FROM holes"),
                     ask_number(db, "SELECT slots FROM state"));
    assert_int_equal(ask_number(db, "SELECT COUNT(*) FROM (SELECT slot FROM items UNION SELECT slot FROM holes)"),
                     ask_number(db, "SELECT slots FROM state"));
    assert_int_equal(ask_number(db, "SELECT COUNT(*) FROM items, state WHERE slot < 0 OR slot >= slots"), 0);
    sqlite3_close(db);
}

/* ---- killed at any moment ---- */

enum { STEPS_A_KILL = 20, BATCH = 20, PLACES = 900, KILLS = 10, LAST_MS = 12 };
#define PROGRESS "/progress"

static int64_t next_step(align_index *index)
{
    align_item item;
    bool found;
    assert_done(align_index_find(index, PROGRESS, NULL, &item, &found, &err));
    return found ? item.modified : 0;
}

/* New items, new vectors for old ones, and how far the work has come: all in one. */
static void add_batch(align_index *index, int64_t step)
{
    sample samples[BATCH];
    align_item items[BATCH];
    float vectors[BATCH * WIDTH];
    for (int i = 0; i < BATCH; i++) {
        char path[32];
        const int64_t seed = step * BATCH + i;
        snprintf(path, sizeof path, "/%04d", (int)(scramble((uint64_t)seed) % PLACES));
        make_sample(&samples[i], (uint64_t)seed, i == 0 ? PROGRESS : path);
        items[i] = samples[i].item;
        items[i].size = seed;
        items[i].modified = step + 1;
        memcpy(vectors + i * WIDTH, samples[i].vector, sizeof samples[i].vector);
    }
    assert_done(align_index_add(index, items, vectors, BATCH, NULL, &err));
}

static void remove_some(align_index *index, int64_t step)
{
    int64_t ids[5];
    size_t n = 0;
    for (int i = 0; i < 5; i++) {
        char path[32];
        align_item item;
        bool found;
        snprintf(path, sizeof path, "/%04d", (int)(scramble((uint64_t)(step * 7 + i)) % PLACES));
        assert_done(align_index_find(index, path, NULL, &item, &found, &err));
        if (found)
            ids[n++] = item.id;
    }
    assert_done(align_index_remove(index, ids, n, NULL, &err));
}

/* The work: whoever begins it goes on where it was left. */
static void work(const char *where, int64_t steps)
{
    align_index *index = open_index(where, true);
    for (int64_t step = next_step(index); step < steps; step++) {
        if (step % 3 == 0)
            remove_some(index, step);
        if (step % 10 == 9)
            assert_done(align_index_vacuum(index, &err));
        add_batch(index, step);
    }
    align_index_close(index);
}

/* Does it in a process that is killed after some microseconds. */
static void work_until_killed(const char *where, int64_t steps, uint64_t microseconds)
{
    int status;
    const pid_t child = fork_apart();
    if (child == 0) {
        work(where, steps);
        _exit(0);
    }
    const struct timespec pause = {0, (long)microseconds * 1000};
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
}

/* Two indexes hold the same: ids apart, which depend on what was begun twice. */
static void assert_same_result(const char *a, const char *b)
{
    align_index *indexes[] = {open_index(a, false), open_index(b, false)};
    align_cursor *cursors[2];
    align_item items[2];
    bool found[2];
    float vectors[2][WIDTH];
    for (int i = 0; i < 2; i++)
        assert_done(align_cursor_open(&cursors[i], indexes[i], NULL, ALIGN_ORDER_PATH, &err));
    do {
        for (int i = 0; i < 2; i++)
            assert_done(align_cursor_next(cursors[i], &items[i], vectors[i], &found[i], &err));
        assert_int_equal(found[0], found[1]);
        if (found[0]) {
            assert_string_equal(items[0].path, items[1].path);
            assert_int_equal(items[0].size, items[1].size);
            assert_memory_equal(vectors[0], vectors[1], sizeof vectors[0]);
        }
    } while (found[0]);
    for (int i = 0; i < 2; i++) {
        align_cursor_close(cursors[i]);
        align_index_close(indexes[i]);
    }
}

static void work_goes_on_after_kills(void **state)
{
    (void)state;
    char undisturbed[64], disturbed[64];
    const char *asked = getenv("ALIGN_KILLS");
    const int kills = asked ? atoi(asked) : KILLS;
    const int64_t steps = (int64_t)kills * STEPS_A_KILL;
    snprintf(undisturbed, sizeof undisturbed, "%s/undisturbed.db", folder);
    snprintf(disturbed, sizeof disturbed, "%s/disturbed.db", folder);
    work(undisturbed, steps);
    for (int i = 0; i < kills; i++) {
        work_until_killed(disturbed, steps, scramble((uint64_t)i + 1) % (LAST_MS * 1000));
        /* Killed before there was anything, perhaps. */
        align_index *index = open_index(disturbed, true);
        const align_index_info info = info_of(index);
        assert_int_equal(check_items(index), info.images);
        align_index_close(index);
        check_rows(disturbed);
    }
    work(disturbed, steps);
    assert_same_result(undisturbed, disturbed);
}

/* ---- many at once ---- */

enum { WRITERS = 3, READERS = 2, ROUNDS = 12, COUNT = 25 };

static void write_much(const char *where, int writer)
{
    align_index *index = open_index(where, true);
    for (int round = 0; round < ROUNDS; round++) {
        sample samples[COUNT];
        align_item items[COUNT];
        float vectors[COUNT * WIDTH];
        for (int i = 0; i < COUNT; i++) {
            char path[32];
            const int64_t seed = (writer * ROUNDS + round) * COUNT + i;
            snprintf(path, sizeof path, "/%d/%d/%d", writer, round, i);
            make_sample(&samples[i], (uint64_t)seed, path);
            items[i] = samples[i].item;
            items[i].size = seed;
            memcpy(vectors + i * WIDTH, samples[i].vector, sizeof samples[i].vector);
        }
        assert_done(align_index_add(index, items, vectors, COUNT, NULL, &err));
        /* The same again, which leaves holes for the vacuum. */
        if (round % 3 == 0)
            assert_done(align_index_add(index, items, vectors, COUNT, NULL, &err));
        if (round % 4 == 3)
            assert_done(align_index_vacuum(index, &err));
    }
    align_index_close(index);
}

/* Searches until all has come that will: what is found is whole batches, each item with its own vector. */
static void read_much(const char *where)
{
    align_index *index = open_index(where, true);
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    size_t seen = 0;
    options.top = 1000000;
    while (seen < (size_t)WRITERS * ROUNDS * COUNT) {
        align_hits hits;
        float query[WIDTH], wanted[WIDTH];
        make_vector(seen, query);
        assert_done(align_index_query(index, query, 1, &options, &hits, &err));
        assert_true(hits.offsets[1] >= seen && hits.offsets[1] % COUNT == 0);
        seen = hits.offsets[1];
        for (size_t i = 0; i < seen; i++) {
            make_vector((uint64_t)hits.items[i].size, wanted);
            assert_true(fabs((double)hits.scores[i] - (double)score_of(query, wanted) / length_of(wanted)) < 0.002);
        }
        align_hits_done(&hits);
        assert_int_equal(check_items(index) % COUNT, 0);
    }
    align_index_close(index);
}

static void many_at_once(void **state)
{
    (void)state;
    char where[64];
    snprintf(where, sizeof where, "%s/many/photos.db", folder);
    pid_t children[WRITERS + READERS];
    for (int i = 0; i < WRITERS + READERS; i++) {
        children[i] = fork_apart();
        if (children[i] == 0) {
            if (i < WRITERS)
                write_much(where, i);
            else
                read_much(where);
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS + READERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    check_rows(where);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(work_goes_on_after_kills), cmocka_unit_test(many_at_once)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
