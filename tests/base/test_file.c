/* Files: mapped and read as they are, written whole or not at all, every failure with the path in its message. */
#include "base/file.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/align-test-file-XXXXXX";

static char *in_folder(const char *name)
{
    return al_join_path(folder, name);
}

static int entries(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void write_and_read(void **state)
{
    (void)state;
    char *path = in_folder("a"), *text, *big = malloc(1000000);
    size_t size;
    memset(big, 'x', 1000000);
    const size_t sizes[] = {0, 1, 5, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(al_file_write(path, big, sizes[i], NULL), ALIGN_OK);
        assert_int_equal(al_file_read(&text, &size, path, 1000000, NULL), ALIGN_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(text, big, size);
        assert_int_equal(text[size], 0);
        al_map map;
        assert_int_equal(al_map_open(&map, path, NULL), ALIGN_OK);
        assert_int_equal(map.size, size);
        assert_memory_equal(map.data, big, size);
        al_map_close(&map);
        al_free(text);
    }
    assert_int_equal(entries(), 1); /* nothing temporary is left */
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_file_read(&text, &size, path, 999999, &err), ALIGN_ERROR_FORMAT);
    assert_non_null(strstr(err.message, path));
    unlink(path);
    al_free(path);
    free(big);
}

static void parts(void **state)
{
    (void)state;
    char *path = in_folder("p");
    uint8_t *bytes;
    size_t size;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_file_write(path, "0123456789", 10, NULL), ALIGN_OK);
    assert_int_equal(al_file_read_part(&bytes, &size, path, 3, 4, 4, NULL), ALIGN_OK);
    assert_int_equal(size, 4);
    assert_memory_equal(bytes, "3456", 5);
    al_free(bytes);
    assert_int_equal(al_file_read_part(&bytes, &size, path, 8, AL_FILE_REST, 4, NULL), ALIGN_OK);
    assert_int_equal(size, 2);
    assert_memory_equal(bytes, "89", 3);
    al_free(bytes);
    assert_int_equal(al_file_read_part(&bytes, &size, path, 10, AL_FILE_REST, 4, NULL), ALIGN_OK);
    assert_int_equal(size, 0);
    al_free(bytes);
    assert_int_equal(al_file_read_part(&bytes, &size, path, 8, 3, 4, &err), ALIGN_ERROR_FORMAT);
    assert_null(bytes);
    assert_non_null(strstr(err.message, "10 bytes, too few to hold 3 from 8 on"));
    assert_int_equal(al_file_read_part(&bytes, &size, path, 11, AL_FILE_REST, 4, NULL), ALIGN_ERROR_FORMAT);
    assert_int_equal(al_file_read_part(&bytes, &size, path, 2, SIZE_MAX - 1, 4, NULL), ALIGN_ERROR_FORMAT);
    assert_int_equal(al_file_read_part(&bytes, &size, path, 2, 5, 4, &err), ALIGN_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "more than the limit of 4"));
    unlink(path);
    al_free(path);
}

static void pieces(void **state)
{
    (void)state;
    char *path = in_folder("b"), piece[70001], *text;
    size_t size;
    al_writer *w;
    assert_int_equal(al_writer_open(&w, path, NULL), ALIGN_OK);
    for (int i = 0; i < 20; i++) {
        memset(piece, 'a' + i, sizeof piece);
        assert_int_equal(al_writer_write(w, piece, sizeof piece, NULL), ALIGN_OK);
        assert_false(al_is_file(path)); /* not before it is whole */
    }
    assert_int_equal(al_writer_commit(w, NULL), ALIGN_OK);
    assert_int_equal(al_file_read(&text, &size, path, 10000000, NULL), ALIGN_OK);
    assert_int_equal(size, 20 * sizeof piece);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(text[i], 'a' + (int)(i / sizeof piece));
    al_free(text);
    assert_int_equal(al_writer_open(&w, path, NULL), ALIGN_OK);
    assert_int_equal(al_writer_write(w, "new", 3, NULL), ALIGN_OK);
    al_writer_abort(w); /* the old file stays */
    assert_int_equal(al_file_read(&text, &size, path, 10000000, NULL), ALIGN_OK);
    assert_int_equal(size, 20 * sizeof piece);
    assert_int_equal(entries(), 1);
    al_free(text);
    unlink(path);
    al_free(path);
}

static void failures(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    al_map map;
    char *missing = in_folder("missing/file"), *text;
    size_t size;
    assert_int_equal(al_map_open(&map, missing, &err), ALIGN_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, missing));
    assert_int_equal(al_file_read(&text, &size, folder, 100, &err), ALIGN_ERROR_IO);
    assert_int_equal(al_file_write(missing, "x", 1, &err), ALIGN_ERROR_NOT_FOUND);
    assert_int_equal(al_file_write(folder, "x", 1, &err), ALIGN_ERROR_IO); /* a folder is in the way */
    assert_int_equal(entries(), 0);
    assert_int_equal(al_make_folder("/dev/null/x", &err), ALIGN_ERROR_IO);
    al_free(missing);

    char *path = in_folder("c");
    for (long n = 1;; n++) {
        al_memory_fail_at(n);
        const align_status status = al_file_write(path, "x", 1, &err);
        al_memory_fail_at(0);
        if (status == ALIGN_OK)
            break;
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
        assert_int_equal(entries(), 0);
    }
    unlink(path);
    al_free(path);
}

static void folders(void **state)
{
    (void)state;
    char *deep = in_folder("x/y/z");
    assert_int_equal(al_make_folder(deep, NULL), ALIGN_OK);
    assert_int_equal(al_make_folder(deep, NULL), ALIGN_OK);
    assert_true(al_is_folder(deep));
    assert_false(al_is_file(deep));
    for (int i = 0; i < 3; i++) {
        rmdir(deep);
        *strrchr(deep, '/') = '\0';
    }
    al_free(deep);

    align_error err = ALIGN_ERROR_INIT;
    char *link =
        in_folder("link"); /* which nothing is behind: the message is mkdir's, not that of the look behind it */
    assert_int_equal(symlink("absent", link), 0);
    assert_int_equal(al_make_folder(link, &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, strerror(EEXIST)));
    unlink(link);
    al_free(link);
    assert_int_equal(entries(), 0);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(write_and_read), cmocka_unit_test(parts),
                                       cmocka_unit_test(pieces), cmocka_unit_test(failures), cmocka_unit_test(folders)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
