/* test_index_files.c: the files of an SQLite index when something is wrong with them, or with the disk: every case is
 * named, and what is there stays as it is. */
#include "search/files_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- files of others ---- */

static void what_is_no_index(void **state)
{
    (void)state;
    for (int create = 0; create < 2; create++) {
        fresh_path();
        if (!create)
            assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_NOT_FOUND, path);
        write_text(path, "just some text, longer than the first page of an SQLite file would have to be to be read");
        assert_refused(try_open(path, create, false, &err), ALIGN_ERROR_FORMAT, path);
        assert_refused(try_open(path, false, true, &err), ALIGN_ERROR_FORMAT, path);
        fresh_path();
        change(path, "CREATE TABLE theirs (x)");
        assert_refused(try_open(path, create, false, &err), ALIGN_ERROR_FORMAT, "another program");
        fresh_path();
        change(path, "PRAGMA application_id = 77");
        assert_refused(try_open(path, create, false, &err), ALIGN_ERROR_FORMAT, "another program");
        assert_refused(try_open(folder, create, false, &err), ALIGN_ERROR_IO, "a folder");
        make_index(1);
        change(path, "PRAGMA user_version = 2");
        assert_refused(try_open(path, create, false, &err), ALIGN_ERROR_UNSUPPORTED, "newer version: format 2");
        change(path, "PRAGMA user_version = 0");
        assert_refused(try_open(path, create, false, &err), ALIGN_ERROR_FORMAT, "format 0");
    }
    fresh_path();
    write_text(path, "");
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, "empty");
    assert_refused(try_open(path, false, true, &err), ALIGN_ERROR_FORMAT, "empty");
    assert_done(try_open(path, true, false, &err));
    assert_refused(try_open("", false, false, &err), ALIGN_ERROR_INVALID_ARGUMENT, "without a name");
}

/* Names that mean something to SQLite or in an URI mean files here. */
static void odd_names(void **state)
{
    (void)state;
    static const char *const names[] = {"file:x?mode=memory", "a b%20#?&=\xff\n.db", ":memory:"};
    char here[256];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        align_index *index = open_index(names[i], true);
        add_many(index, 1, 3);
        align_index_close(index);
        assert_true(al_is_file(names[i]));
        assert_done(try_open(names[i], false, true, &err));
    }
    assert_int_equal(chdir(here), 0);
}

/* ---- vectors that do not fit their rows ---- */

static void vectors_are_missing_or_others(void **state)
{
    (void)state;
    make_index(5);
    char vectors[96];
    snprintf(vectors, sizeof vectors, "%s", beside("-vectors-1"));
    /* Shorter than its rows. */
    assert_int_equal(truncate(vectors, 4096 + 5 * WIDTH * 2 - 1), 0);
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, vectors);
    assert_refused(try_open(path, true, false, &err), ALIGN_ERROR_FORMAT, "tell of 5");
    assert_int_equal(truncate(vectors, 100), 0);
    assert_refused(try_open(path, false, true, &err), ALIGN_ERROR_FORMAT, vectors);
    assert_int_equal(truncate(vectors, 0), 0);
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, vectors);
    /* Something else. */
    write_text(vectors, "This is not what was here before, and long enough to be looked at as a header of it all.");
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, "not a file of vectors");
    assert_int_equal(unlink(vectors), 0);
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, "is missing");
    /* Another index's. */
    char first[64];
    snprintf(first, sizeof first, "%s", path);
    make_index(5);
    assert_int_equal(link(beside("-vectors-1"), vectors), 0);
    assert_refused(try_open(first, false, false, &err), ALIGN_ERROR_FORMAT, "another index");
    assert_holds(5);
}

static void a_newer_header(void **state)
{
    (void)state;
    make_index(2);
    const int fd = open(beside("-vectors-1"), O_WRONLY);
    assert_int_equal(pwrite(fd, "\x09", 1, 8), 1);
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_UNSUPPORTED, "format 9");
    assert_int_equal(pwrite(fd, "\x01\0\0\0\x02", 5, 8), 5);
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, "element type 2");
    assert_int_equal(pwrite(fd, "\x01\0\0\0\x63", 5, 12), 5);
    assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, "found 99");
    close(fd);
}

/* An index that is cut while it is open. */
static void vectors_shrink(void **state)
{
    (void)state;
    make_index(5);
    align_index *index = open_index(path, false);
    align_hits hits;
    float query[WIDTH];
    sample one;
    make_vector(1, query);
    make_sample(&one, 1, "/new");
    assert_done(align_index_query(index, query, 1, NULL, &hits, &err));
    align_hits_done(&hits);
    assert_int_equal(truncate(beside("-vectors-1"), 4096), 0);
    assert_refused(align_index_query(index, query, 1, NULL, &hits, &err), ALIGN_ERROR_FORMAT, "-vectors-1");
    assert_refused(align_index_add(index, &one.item, one.vector, 1, NULL, &err), ALIGN_ERROR_FORMAT, "-vectors-1");
    align_index_close(index);
}

/* ---- rows that do not fit each other ---- */

static void damaged_rows(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE items SET slot = 99 WHERE id = 3",
        "UPDATE items SET slot = -1 WHERE id = 3",
        "DELETE FROM items WHERE id = 3",
        "UPDATE state SET width = 0",
        "UPDATE state SET slots = -5",
        "UPDATE state SET slots = 1 << 62",
        "UPDATE state SET identity = x'00'",
        "DELETE FROM state",
        "DROP TABLE items",
        "DROP TABLE state",
        "INSERT INTO holes VALUES (77)",
        "UPDATE state SET holes = 9",
        "UPDATE items SET slot = 'x' WHERE id = 3",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        make_index(5);
        change(path, "UPDATE state SET holes = 1; INSERT INTO holes VALUES (4); DELETE FROM items WHERE slot = 4");
        change(path, damages[i]);
        align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
        align_index *index = NULL;
        align_hits hits = {0};
        align_error err = ALIGN_ERROR_INIT;
        float query[WIDTH];
        make_vector(1, query);
        align_status status = align_index_open(&index, path, &options, &err);
        if (status == ALIGN_OK)
            status = align_index_query(index, query, 1, NULL, &hits, &err);
        if (status == ALIGN_OK) /* a text that became 0 is somebody else's vector */
            assert_string_equal(damages[i], "UPDATE items SET slot = 'x' WHERE id = 3");
        else if (status != ALIGN_ERROR_FORMAT || !strstr(err.message, path))
            fail_msg("%s: %d: %s", damages[i], (int)status, err.message);
        align_hits_done(&hits);
        align_index_close(index);
    }
}

/* Bytes of the SQLite file turned over, one page after the other: nothing worse than an error. */
static void damaged_pages(void **state)
{
    (void)state;
    make_index(300);
    uint8_t *good;
    size_t size;
    assert_done(al_file_read_part(&good, &size, path, 0, AL_FILE_REST, 1 << 24, &err));
    for (size_t page = 0; page < size / 4096; page++) {
        uint8_t *bad = malloc(size);
        memcpy(bad, good, size);
        for (size_t i = 0; i < 4096; i += 1 + scramble(page) % 7)
            bad[page * 4096 + i] ^= (uint8_t)scramble(page * 4096 + i);
        assert_done(al_file_write(path, bad, size, &err));
        free(bad);
        align_index *index = NULL;
        align_hits hits = {0};
        align_cursor *cursor = NULL;
        align_item item;
        bool found = true;
        float query[WIDTH];
        make_vector(1, query);
        if (align_index_open(&index, path, NULL, NULL) != ALIGN_OK)
            continue;
        (void)align_index_query(index, query, 1, NULL, &hits, NULL);
        align_hits_done(&hits);
        if (align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_PATH, NULL) == ALIGN_OK)
            while (found && align_cursor_next(cursor, &item, query, &found, NULL) == ALIGN_OK)
                continue;
        align_cursor_close(cursor);
        align_index_close(index);
    }
    al_free(good);
}

/* ---- disks ---- */

/* Runs a test in a process of its own, which may give up being root or be kept from writing. */
static void run_apart(void (*test)(void))
{
    const pid_t child = fork_apart();
    if (child == 0) {
        test();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void check_apart(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "%s\n", what);
        _exit(1);
    }
}

static align_status search_read_only(int64_t *nearest, align_error *err)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index;
    align_hits hits = {0};
    float query[WIDTH];
    options.read_only = true;
    options.threads = 1;
    make_vector(2, query);
    align_status status = align_index_open(&index, path, &options, err);
    if (status == ALIGN_OK)
        status = align_index_query(index, query, 1, NULL, &hits, err);
    *nearest = status == ALIGN_OK ? hits.items[0].id : 0;
    align_hits_done(&hits);
    align_index_close(index);
    return status;
}

static void become_nobody(void)
{
    if (geteuid() == 0)
        check_apart(setgid(65534) == 0 && setuid(65534) == 0, "cannot stop being root");
}

static void search_in_folder_of_others(void)
{
    align_error err = ALIGN_ERROR_INIT;
    int64_t nearest;
    become_nobody();
    check_apart(search_read_only(&nearest, &err) == ALIGN_OK && nearest == 2, err.message);
    check_apart(try_open(path, false, false, &err) == ALIGN_ERROR_IO && strstr(err.message, "cannot be written"),
                err.message);
    check_apart(try_open(beside(".new"), true, false, &err) == ALIGN_ERROR_IO && strstr(err.message, "cannot be made"),
                err.message);
}

/* What a process leaves that is killed when it has added something. */
static void leave_log(void)
{
    const pid_t child = fork_apart();
    if (child == 0) {
        align_index *index = open_index(path, false);
        add_many(index, 100, 1);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(al_is_file(beside("-wal")));
    assert_int_equal(unlink(beside("-shm")), 0);
}

static void fail_to_search_with_log(void)
{
    align_error err = ALIGN_ERROR_INIT;
    become_nobody();
    check_apart(try_open(path, false, true, &err) == ALIGN_ERROR_IO && strstr(err.message, "-wal: holds what was"),
                err.message);
}

static void a_folder_that_cannot_be_written(void **state)
{
    (void)state;
    make_index(5);
    char *parent = al_strndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(parent, 0555), 0);
    run_apart(search_in_folder_of_others);
    assert_int_equal(chmod(parent, 0755), 0);
    /* A log that nobody has brought in: what it holds must not be missed silently. */
    leave_log();
    assert_int_equal(chmod(parent, 0555), 0);
    run_apart(fail_to_search_with_log);
    assert_int_equal(chmod(parent, 0755), 0);
    al_free(parent);
    assert_holds(6);
}

/* From here on files cannot grow beyond some bytes, as on a disk that is full. */
static void limit_files(size_t bytes)
{
    const struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    check_apart(setrlimit(RLIMIT_FSIZE, &limit) == 0, "no limit");
}

static void add_to_full_disk(void)
{
    align_index *index = open_index(path, false);
    struct stat before, after;
    align_error err = ALIGN_ERROR_INIT;
    sample *samples = calloc(3000, sizeof *samples);
    align_item *items = calloc(3000, sizeof *items);
    float *vectors = calloc(3000, sizeof(float[WIDTH]));
    for (size_t i = 0; i < 3000; i++) {
        char name[32];
        snprintf(name, sizeof name, "/new/%zu", i);
        make_sample(&samples[i], i, name);
        items[i] = samples[i].item;
        memcpy(vectors + i * WIDTH, samples[i].vector, sizeof samples[i].vector);
    }
    check_apart(stat(beside("-vectors-1"), &before) == 0, "no vectors");
    /* Vectors do not fit; vectors fit, but rows do not. */
    for (size_t limit = 4096 + 4000; limit <= 200000; limit += 30000) {
        limit_files(limit);
        const align_status status = align_index_add(index, items, vectors, 3000, NULL, &err);
        limit_files(RLIM_INFINITY);
        check_apart(status == ALIGN_ERROR_IO, "an add that did not fail as it should");
        check_apart(strstr(err.message, path) != NULL, err.message);
        /* Where it was the rows that did not fit, the next one writes over what is left. */
        if (strstr(err.message, "-vectors-1"))
            check_apart(stat(beside("-vectors-1"), &after) == 0 && after.st_size == before.st_size,
                        "room is not given back");
    }
    check_apart(align_index_add(index, items, vectors, 3000, NULL, &err) == ALIGN_OK, err.message);
    free(vectors);
    free(items);
    free(samples);
    align_index_close(index);
}

static void a_full_disk(void **state)
{
    (void)state;
    make_index(5);
    run_apart(add_to_full_disk);
    assert_holds(3005);
}

static void vacuum_on_full_disk(void)
{
    align_index *index = open_index(path, false);
    align_error err = ALIGN_ERROR_INIT;
    const int64_t first = 1;
    check_apart(align_index_remove(index, &first, 1, NULL, &err) == ALIGN_OK, err.message);
    limit_files(30000);
    check_apart(align_index_vacuum(index, &err) == ALIGN_ERROR_IO, "a vacuum that did not fail as it should");
    check_apart(access(beside("-vectors-2"), F_OK) != 0, "half a file is left");
    align_index_close(index);
}

static void a_vacuum_that_fails(void **state)
{
    (void)state;
    make_index(2000);
    run_apart(vacuum_on_full_disk);
    assert_holds(1999);
    /* What a killed one left is taken away by the next. */
    write_text(beside("-vectors-2"), "half a file");
    write_text(beside("-vectors-9"), "half a file");
    align_index *index = open_index(path, false);
    assert_done(align_index_vacuum(index, &err));
    assert_int_equal(info_of(index).holes, 0);
    align_index_close(index);
    assert_false(al_is_file(beside("-vectors-9")));
    assert_false(al_is_file(beside("-vectors-1")));
    assert_holds(1999);
}

/* ---- memory ---- */

static void memory_runs_out(void **state)
{
    (void)state;
    long allocations = 0;
    bool done = false;
    for (long n = 1; !done; n++) {
        align_index *index = NULL;
        align_cursor *cursor = NULL;
        align_hits hits = {0}, ordered = {0}, groups = {0};
        align_item item;
        bool found;
        sample one;
        float vector[WIDTH];
        align_status status;
        align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
        align_query_options query = ALIGN_QUERY_OPTIONS_INIT;
        const int64_t second = 2;
        options = (align_index_options){.model = MODEL, .width = WIDTH, .create = true, .threads = 2};
        choose_folder(&query.filter, "/");
        make_sample(&one, 1, "/a.jpg");
        fresh_path();
        al_memory_fail_at(n);
        status = align_index_open(&index, path, &options, NULL);
        for (int i = 0; i < 3 && status == ALIGN_OK; i++) {
            one.path[1] = (char)('a' + i);
            status = align_index_add(index, &one.item, one.vector, 1, NULL, NULL);
        }
        if (status == ALIGN_OK)
            status = align_index_find(index, "/a.jpg", NULL, &item, &found, NULL);
        if (status == ALIGN_OK)
            status = align_index_remove(index, &second, 1, NULL, NULL);
        if (status == ALIGN_OK)
            status = align_index_vacuum(index, NULL);
        if (status == ALIGN_OK)
            status = align_index_query(index, one.vector, 1, &query, &hits, NULL);
        query.order = ALIGN_ORDER_NEWEST;
        if (status == ALIGN_OK)
            status = align_index_query(index, one.vector, 1, &query, &ordered, NULL);
        if (status == ALIGN_OK)
            status = align_cursor_open(&cursor, index, &query.filter, ALIGN_ORDER_PATH, NULL);
        if (status == ALIGN_OK)
            status = align_cursor_next(cursor, &item, vector, &found, NULL);
        if (status == ALIGN_OK)
            status = align_index_duplicates(index, 0.5, NULL, &groups, NULL);
        al_memory_fail_at(0);
        done = status == ALIGN_OK;
        assert_true(done || status == ALIGN_ERROR_OUT_OF_MEMORY);
        if (done) {
            assert_int_equal(hits.offsets[1], 2);
            assert_int_equal(ordered.offsets[1], 2);
            assert_int_equal(groups.queries, 1);
        }
        align_hits_done(&hits);
        align_hits_done(&ordered);
        align_hits_done(&groups);
        align_cursor_close(cursor);
        align_index_close(index);
        /* Whatever failed, the next one finds it in order. */
        if (al_is_file(path))
            assert_done(try_open(path, true, false, &err));
        allocations = n;
    }
    assert_true(allocations > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_index),
        cmocka_unit_test(odd_names),
        cmocka_unit_test(vectors_are_missing_or_others),
        cmocka_unit_test(a_newer_header),
        cmocka_unit_test(vectors_shrink),
        cmocka_unit_test(damaged_rows),
        cmocka_unit_test(damaged_pages),
        cmocka_unit_test(a_folder_that_cannot_be_written),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_vacuum_that_fails),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
