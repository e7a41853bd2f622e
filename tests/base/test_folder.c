/* test_folder.c: folders that are replaced whole, removed, and kept from other processes. */
#include "base/file.h"
#include "base/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/scratch.h"

/* A folder with a file that says what it is. */
static void make(const char *name, const char *content)
{
    char file[64];
    snprintf(file, sizeof file, "%s/inside/file", name);
    char folder[64];
    snprintf(folder, sizeof folder, "%s/inside", name);
    assert_int_equal(al_make_folder(in_scratch(folder), NULL), ALIGN_OK);
    assert_int_equal(al_file_write(in_scratch(file), content, strlen(content), NULL), ALIGN_OK);
}

static void holds(const char *name, const char *content)
{
    char file[64], *text;
    size_t size;
    snprintf(file, sizeof file, "%s/inside/file", name);
    assert_int_equal(al_file_read(&text, &size, in_scratch(file), 100, NULL), ALIGN_OK);
    assert_string_equal(text, content);
    al_free(text);
}

static void replaces(void **state)
{
    (void)state;
    make("new", "1");
    assert_int_equal(al_folder_replace(in_scratch("new"), in_scratch("there"), NULL), ALIGN_OK);
    holds("there", "1");
    make("new", "2");
    assert_int_equal(al_folder_replace(in_scratch("new"), in_scratch("there"), NULL), ALIGN_OK);
    holds("there", "2");
    assert_false(al_is_folder(in_scratch("new")));
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_folder_replace(in_scratch("absent"), in_scratch("nowhere"), &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "nowhere"));
}

static void settles(void **state)
{
    (void)state;
    make("x.tmp", "half");
    make("x.tmp.old", "whole");
    assert_int_equal(al_folder_settle(in_scratch("x.tmp"), in_scratch("x"), NULL), ALIGN_OK);
    holds("x", "whole");
    assert_false(al_is_folder(in_scratch("x.tmp")));
    make("x.tmp.old", "older");
    assert_int_equal(al_folder_settle(in_scratch("x.tmp"), in_scratch("x"), NULL), ALIGN_OK);
    holds("x", "whole");
    assert_false(al_is_folder(in_scratch("x.tmp.old")));
}

static void lists_and_removes(void **state)
{
    (void)state;
    al_folder_names names;
    make("many", "0");
    for (int i = 0; i < 40; i++) {
        char file[64];
        snprintf(file, sizeof file, "many/%d", i);
        assert_int_equal(al_file_write(in_scratch(file), "", 0, NULL), ALIGN_OK);
    }
    make("kept", "kept");
    assert_int_equal(symlink(in_scratch("kept"), in_scratch("many/link")), 0);
    assert_int_equal(al_folder_names_read(&names, in_scratch("many"), NULL), ALIGN_OK);
    assert_int_equal(names.count, 42);
    al_folder_names_done(&names);
    assert_int_equal(al_folder_remove(in_scratch("many"), NULL), ALIGN_OK);
    assert_false(al_is_folder(in_scratch("many")));
    holds("kept", "kept"); /* a link is not followed */
    assert_int_equal(al_folder_remove(in_scratch("many"), NULL), ALIGN_OK);
    assert_int_equal(al_folder_names_read(&names, in_scratch("many"), NULL), ALIGN_OK);
    assert_int_equal(names.count, 0);
}

/* Another process is kept out while this one has the folder, and one that is killed lets go of it. */
static void locks(void **state)
{
    (void)state;
    int lock, ends[2];
    char byte;
    make("locked", "1");
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        const align_status status = al_folder_lock(&lock, in_scratch("locked"), NULL);
        _exit(write(ends[1], status == ALIGN_OK ? "y" : "n", 1) == 1 && pause() == 0);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_folder_lock(&lock, in_scratch("locked"), &err), ALIGN_ERROR_MISMATCH);
    assert_int_equal(lock, -1);
    assert_non_null(strstr(err.message, "another process"));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(al_folder_lock(&lock, in_scratch("locked"), NULL), ALIGN_OK);
    al_folder_unlock(lock);
    assert_int_equal(al_folder_lock(&lock, in_scratch("absent"), NULL), ALIGN_ERROR_IO);
    close(ends[0]);
    close(ends[1]);
}

static void memory_that_is_missing(void **state)
{
    (void)state;
    for (long n = 1; n < 20; n++) {
        make("swept", "1");
        al_memory_fail_at(n);
        const align_status status = al_folder_remove(in_scratch("swept"), NULL);
        al_memory_fail_at(0);
        if (status == ALIGN_OK) {
            assert_true(n > 3);
            return;
        }
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replaces), cmocka_unit_test(settles),
                                       cmocka_unit_test(lists_and_removes), cmocka_unit_test(locks),
                                       cmocka_unit_test(memory_that_is_missing)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
