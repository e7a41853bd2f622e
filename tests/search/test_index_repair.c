/* test_index_repair.c: SQLite indexes whose vectors are lost, or whose rows do not fit them, are repaired: what is lost
 * goes, and can be added again; what a newer version has written stays. */
#include "search/files_test.h"

#include <fcntl.h>

static void repair_index(int64_t lost)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index;
    options.repair = true;
    assert_done(align_index_open(&index, path, &options, &err));
    assert_int_equal(info_of(index).lost, lost);
    align_index_close(index);
}

/* What is lost is let go of, and can be added again. */
static void lost_vectors_are_let_go(void **state)
{
    (void)state;
    for (int damage = 0; damage < 4; damage++) {
        make_index(10);
        align_index *index = open_index(path, false);
        const int64_t gone[] = {2, 9};
        assert_done(align_index_remove(index, gone, 2, NULL, &err));
        align_index_close(index);
        repair_index(0);
        assert_holds(8);
        if (damage == 0)
            assert_int_equal(truncate(beside("-vectors-1"), 4096 + 6 * WIDTH * 2 + 5), 0);
        else if (damage == 1)
            assert_int_equal(truncate(beside("-vectors-1"), 7), 0);
        else if (damage == 2)
            assert_int_equal(unlink(beside("-vectors-1")), 0);
        else
            write_text(beside("-vectors-1"), "something else");
        assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, "-vectors-1");
        assert_refused(try_open(path, false, false, &err), ALIGN_ERROR_FORMAT, "align index repair");
        repair_index(damage == 0 ? 3 : 8);
        assert_holds(damage == 0 ? 5 : 0);
        index = open_index(path, false);
        add_many(index, 1, 10);
        align_index_close(index);
        assert_holds(10);
    }
}

/* What a newer version has written may be whole: nothing of it is let go of. */
static void what_is_newer_is_not_repaired(void **state)
{
    (void)state;
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index;
    options.repair = true;
    make_index(3);
    change(path, "PRAGMA user_version = 2");
    assert_refused(align_index_open(&index, path, &options, &err), ALIGN_ERROR_UNSUPPORTED, "newer version: format 2");
    change(path, "PRAGMA user_version = 1");
    const int fd = open(beside("-vectors-1"), O_WRONLY);
    assert_int_equal(pwrite(fd, "\x09", 1, 8), 1);
    assert_refused(align_index_open(&index, path, &options, &err), ALIGN_ERROR_UNSUPPORTED, "format 9");
    assert_int_equal(pwrite(fd, "\x01", 1, 8), 1);
    close(fd);
    assert_holds(3);
    options.read_only = true;
    assert_refused(align_index_open(&index, path, &options, &err), ALIGN_ERROR_INVALID_ARGUMENT, "read only");
}

/* Rows that name vectors which are not there, or the same one; vectors and holes that do not go together. */
static void rows_are_repaired(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        size_t left;
    } damages[] = {
        {"UPDATE items SET slot = 99 WHERE id = 3", 9},
        {"UPDATE items SET slot = -1 WHERE id = 3", 9},
        {"UPDATE items SET slot = 'x' WHERE id = 3", 9},
        {"UPDATE items SET slot = 1 WHERE id = 3", 8},
        {"DELETE FROM items WHERE id = 3", 9},
        {"INSERT INTO holes VALUES (77)", 10},
        {"INSERT INTO holes VALUES (4)", 10},
        {"UPDATE state SET images = 3, texts = 9, holes = 9", 10},
        {"UPDATE state SET slots = 5", 5},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        make_index(10);
        change(path, damages[i].sql);
        align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
        align_index *index;
        options.repair = true;
        assert_done(align_index_open(&index, path, &options, &err));
        assert_done(align_index_vacuum(index, &err));
        align_index_close(index);
        assert_holds(damages[i].left);
        index = open_index(path, false);
        add_many(index, 1, 10);
        align_index_close(index);
        assert_holds(10);
    }
}

/* Without memory nothing is repaired, or all. */
static void memory_runs_out(void **state)
{
    (void)state;
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index;
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    options.repair = true;
    for (long n = 1; status != ALIGN_OK; n++) {
        make_index(4);
        assert_int_equal(truncate(beside("-vectors-1"), 4096 + 2 * WIDTH * 2), 0);
        al_memory_fail_at(n);
        status = align_index_open(&index, path, &options, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        align_index_close(index);
        if (status != ALIGN_OK) {
            assert_done(align_index_open(&index, path, &options, &err));
            align_index_close(index);
        }
        assert_holds(2);
        assert_true(status != ALIGN_OK || n > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_vectors_are_let_go),
        cmocka_unit_test(what_is_newer_is_not_repaired),
        cmocka_unit_test(rows_are_repaired),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
