#ifndef TEST_SCRATCH_H
#define TEST_SCRATCH_H
/*
 * scratch.h: what the tests of this room share: files in the scratch folder, and comparing tensors and files. Include
 * it behind cmocka.h. Each test is one program, so everything here is static.
 */
#include "base/file.h"
#include "base/memory.h"
#include "support/scratch.h"

#include <align/tensor.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN(name) TEST_DATA "/checkpoint/" name

/* Removes the files of a folder and its folders' files; returns how many there were. */
static inline int empty_folder(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    if (!d)
        return 0;
    for (const struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = al_join_path(folder, entry->d_name);
        if (al_is_folder(path)) {
            n += empty_folder(path);
            rmdir(path);
        } else {
            unlink(path);
            n++;
        }
        al_free(path);
    }
    closedir(d);
    return n;
}

static inline int count_files(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static inline void write_scratch(const char *name, const void *bytes, size_t size)
{
    assert_int_equal(al_file_write(in_scratch(name), bytes, size, NULL), ALIGN_OK);
}

static inline void assert_same_file(const char *actual, const char *expected)
{
    char *a, *b;
    size_t a_size, b_size;
    assert_int_equal(al_file_read(&a, &a_size, actual, (size_t)1 << 30, NULL), ALIGN_OK);
    assert_int_equal(al_file_read(&b, &b_size, expected, (size_t)1 << 30, NULL), ALIGN_OK);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    al_free(a);
    al_free(b);
}

static inline void assert_same_tensor(const align_tensor *a, const align_tensor *b)
{
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->rank, b->rank);
    for (int i = 0; i < a->rank; i++)
        assert_int_equal(a->shape[i], b->shape[i]);
    assert_non_null(a->data);
    assert_int_equal((uintptr_t)a->data % align_dtype_size(a->dtype), 0);
    if (align_tensor_elements(a))
        assert_memory_equal(a->data, b->data, (size_t)align_tensor_elements(a) * align_dtype_size(a->dtype));
}

/* Every tensor of a is in b, bit for bit, and there are as many. */
static inline void assert_same_tensors(const align_tensors *a, const align_tensors *b)
{
    assert_int_equal(align_tensors_count(a), align_tensors_count(b));
    for (size_t i = 0; i < align_tensors_count(a); i++)
        assert_same_tensor(align_tensors_at(a, i), align_tensors_get(b, align_tensors_name(a, i)));
}

static inline align_tensors *open_tensors(const char *path)
{
    align_tensors *tensors;
    align_error err = ALIGN_ERROR_INIT;
    if (align_tensors_open(&tensors, path, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return tensors;
}

/* Opening must fail with that status and a message that holds the text. */
static inline void assert_open_fails(const char *path, align_status status, const char *text)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *tensors = (align_tensors *)scratch;
    const align_status found = align_tensors_open(&tensors, path, &err);
    if (found != status || !strstr(err.message, text))
        fail_msg("expected %s with \"%s\", found %s: %s", align_status_name(status), text, align_status_name(found),
                 err.message);
    assert_null(tensors);
    assert_int_equal(err.status, status);
    assert_int_equal(align_tensors_open(&tensors, path, NULL), status);
}
#endif
