/* test_folder.c: folders that are replaced whole, removed, and kept from other processes. */
#include "base/file.h"
#include "base/folder.h"
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

static char root[] = "/tmp/align-folder-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    return al_folder_remove(root, NULL) == ALIGN_OK ? 0 : 1;
}

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

/* A folder with a file that says what it is. */
static void make(const char *name, const char *content)
{
    char file[64];
    snprintf(file, sizeof file, "%s/inside/file", name);
    char folder[64];
    snprintf(folder, sizeof folder, "%s/inside", name);
    assert_int_equal(al_make_folder(path_of(folder), NULL), ALIGN_OK);
    assert_int_equal(al_file_write(path_of(file), content, strlen(content), NULL), ALIGN_OK);
}

static void holds(const char *name, const char *content)
{
    char file[64], *text;
    size_t size;
    snprintf(file, sizeof file, "%s/inside/file", name);
    assert_int_equal(al_file_read(&text, &size, path_of(file), 100, NULL), ALIGN_OK);
    assert_string_equal(text, content);
    al_free(text);
}

static void replaces(void **state)
{
    (void)state;
    make("new", "1");
    assert_int_equal(al_folder_replace(path_of("new"), path_of("there"), NULL), ALIGN_OK);
    holds("there", "1");
    make("new", "2");
    assert_int_equal(al_folder_replace(path_of("new"), path_of("there"), NULL), ALIGN_OK);
    holds("there", "2");
    assert_false(al_is_folder(path_of("new")));
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_folder_replace(path_of("absent"), path_of("nowhere"), &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "nowhere"));
}

static void settles(void **state)
{
    (void)state;
    make("x.tmp", "half");
    make("x.tmp.old", "whole");
    assert_int_equal(al_folder_settle(path_of("x.tmp"), path_of("x"), NULL), ALIGN_OK);
    holds("x", "whole");
    assert_false(al_is_folder(path_of("x.tmp")));
    make("x.tmp.old", "older");
    assert_int_equal(al_folder_settle(path_of("x.tmp"), path_of("x"), NULL), ALIGN_OK);
    holds("x", "whole");
    assert_false(al_is_folder(path_of("x.tmp.old")));
}

static void lists_and_removes(void **state)
{
    (void)state;
    al_folder_names names;
    make("many", "0");
    for (int i = 0; i < 40; i++) {
        char file[64];
        snprintf(file, sizeof file, "many/%d", i);
        assert_int_equal(al_file_write(path_of(file), "", 0, NULL), ALIGN_OK);
    }
    make("kept", "kept");
    assert_int_equal(symlink(path_of("kept"), path_of("many/link")), 0);
    assert_int_equal(al_folder_names_read(&names, path_of("many"), NULL), ALIGN_OK);
    assert_int_equal(names.count, 42);
    al_folder_names_done(&names);
    assert_int_equal(al_folder_remove(path_of("many"), NULL), ALIGN_OK);
    assert_false(al_is_folder(path_of("many")));
    holds("kept", "kept"); /* a link is not followed */
    assert_int_equal(al_folder_remove(path_of("many"), NULL), ALIGN_OK);
    assert_int_equal(al_folder_names_read(&names, path_of("many"), NULL), ALIGN_OK);
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
        const align_status status = al_folder_lock(&lock, path_of("locked"), NULL);
        _exit(write(ends[1], status == ALIGN_OK ? "y" : "n", 1) == 1 && pause() == 0);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_folder_lock(&lock, path_of("locked"), &err), ALIGN_ERROR_MISMATCH);
    assert_int_equal(lock, -1);
    assert_non_null(strstr(err.message, "another process"));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(al_folder_lock(&lock, path_of("locked"), NULL), ALIGN_OK);
    al_folder_unlock(lock);
    assert_int_equal(al_folder_lock(&lock, path_of("absent"), NULL), ALIGN_ERROR_IO);
    close(ends[0]);
    close(ends[1]);
}

static void memory_that_is_missing(void **state)
{
    (void)state;
    for (long n = 1; n < 20; n++) {
        make("swept", "1");
        al_memory_fail_at(n);
        const align_status status = al_folder_remove(path_of("swept"), NULL);
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
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
