#ifndef DATA_TEST_H
#define DATA_TEST_H
/* data_test.h: what the tests of data sets share: files to write, tar files to make, what must and must not open. */
#include <align/dataset.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

#define PICTURES TEST_DATA "/processor/pictures/"

/* Writes a text into the scratch folder; returns its path. */
static inline const char *write_text(const char *name, const char *text)
{
    write_scratch(name, text, strlen(text));
    return in_scratch(name);
}

static inline const char *copy_picture(const char *picture, const char *name)
{
    char path[512], *bytes;
    size_t size;
    snprintf(path, sizeof path, PICTURES "%s", picture);
    assert_int_equal(al_file_read(&bytes, &size, path, (size_t)1 << 24, NULL), ALIGN_OK);
    write_scratch(name, bytes, size);
    al_free(bytes);
    return in_scratch(name);
}

static inline align_dataset *open_data(const char *path, const align_dataset_options *options)
{
    align_error err = ALIGN_ERROR_INIT;
    align_dataset *d = NULL;
    if (align_dataset_open(&d, path, options, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return d;
}

/* Opening fails with that status and a message that holds both texts. */
static inline void assert_data_fails(const char *path, const align_dataset_options *options, align_status status,
                                     const char *text, const char *more)
{
    align_error err = ALIGN_ERROR_INIT;
    align_dataset *d = NULL;
    const align_status found = align_dataset_open(&d, path, options, &err);
    assert_null(d);
    if (found != status || !strstr(err.message, text) || !strstr(err.message, more))
        fail_msg("expected %s with \"%s\" and \"%s\", found %s: %s", align_status_name(status), text, more,
                 align_status_name(found), err.message);
}

/* Each allocation in turn fails while a data set is opened, until all succeed. */
static inline void sweep_memory(const char *path, const align_dataset_options *options)
{
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    for (long n = 1; status != ALIGN_OK; n++) {
        align_dataset *d = NULL;
        al_memory_fail_at(n);
        status = align_dataset_open(&d, path, options, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        align_dataset_free(d);
    }
}

/* Picture i has a name that ends so, and these texts, separated by "|". */
static inline void assert_pair(const align_dataset *d, size_t i, const char *picture, const char *texts)
{
    char joined[512] = "";
    assert_true(i < align_dataset_count(d));
    const char *name = align_dataset_picture(d, i);
    if (strlen(name) < strlen(picture) || strcmp(name + strlen(name) - strlen(picture), picture) != 0)
        fail_msg("picture %zu: expected \"%s\" at the end of \"%s\"", i, picture, name);
    for (size_t k = 0; k < align_dataset_texts(d, i); k++) {
        strncat(joined, k ? "|" : "", sizeof joined - strlen(joined) - 1);
        strncat(joined, align_dataset_text(d, i, k), sizeof joined - strlen(joined) - 1);
    }
    assert_string_equal(joined, texts);
}

static inline void assert_skipped(const align_dataset *d, size_t i, const char *where, const char *reason)
{
    const char *found_where = "nothing", *found_reason = "nothing";
    align_dataset_skip_reason(d, i, &found_where, &found_reason);
    if (!strstr(found_where, where) || !strstr(found_reason, reason))
        fail_msg("expected \"%s\": \"%s\", found \"%s\": \"%s\"", where, reason, found_where, found_reason);
}

/* ---- tar files ---- */

typedef struct tar_file {
    uint8_t bytes[1 << 16];
    size_t size;
} tar_file;

/* Sets the checksum of a header. */
static inline void tar_seal(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum & 0777777);
}

/* Appends a member; returns its header. */
static inline uint8_t *tar_add(tar_file *tar, char type, const char *name, const void *data, size_t size)
{
    const size_t padded = (size + 511) / 512 * 512;
    uint8_t *header = tar->bytes + tar->size;
    assert_true(tar->size + 512 + padded <= sizeof tar->bytes);
    memset(header, 0, 512 + padded);
    memcpy(header, name, strlen(name) < 100 ? strlen(name) : 100);
    snprintf((char *)header + 124, 12, "%011o", (unsigned)size);
    header[156] = (uint8_t)type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    tar_seal(header);
    if (size)
        memcpy(header + 512, data, size);
    tar->size += 512 + padded;
    return header;
}

static inline uint8_t *tar_add_text(tar_file *tar, const char *name, const char *text)
{
    return tar_add(tar, '0', name, text, strlen(text));
}

static inline void tar_add_picture(tar_file *tar, const char *name, const char *picture)
{
    char path[512], *bytes;
    size_t size;
    snprintf(path, sizeof path, PICTURES "%s", picture);
    assert_int_equal(al_file_read(&bytes, &size, path, (size_t)1 << 24, NULL), ALIGN_OK);
    tar_add(tar, '0', name, bytes, size);
    al_free(bytes);
}

/* Ends the tar file and writes it; returns its path. */
static inline const char *tar_write(tar_file *tar, const char *name)
{
    assert_true(tar->size + 1024 <= sizeof tar->bytes);
    memset(tar->bytes + tar->size, 0, 1024);
    write_scratch(name, tar->bytes, tar->size + 1024);
    return in_scratch(name);
}
#endif
