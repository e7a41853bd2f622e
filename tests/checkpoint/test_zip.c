/* Zip containers: what is written is read, in 32 and 64 bits; sizes that lie are caught. */
#include "checkpoint/zip.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

static const char *const names[] = {"a/data.pkl", "a/data/0", "a/data/10", "a/data/1"};
static const char *const contents[] = {"first", "", "second, of more than eight bytes", "x"};
enum { COUNT = sizeof names / sizeof *names };

static void write_sample(bool always64)
{
    al_zip_writer *zip;
    assert_int_equal(al_zip_writer_open(&zip, in_scratch("a.zip"), always64, NULL), ALIGN_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(al_zip_writer_add(zip, names[i], contents[i], strlen(contents[i]), NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_commit(zip, NULL), ALIGN_OK);
}

static void read_sample(const uint8_t *data, size_t size)
{
    al_zip zip;
    assert_int_equal(al_zip_open(&zip, data, size, "a.zip", NULL), ALIGN_OK);
    assert_int_equal(zip.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const al_zip_entry *entry = al_zip_find(&zip, names[i], strlen(names[i]));
        assert_non_null(entry);
        assert_int_equal(entry->size, strlen(contents[i]));
        assert_memory_equal(entry->data, contents[i], entry->size);
        assert_int_equal((entry->data - data) % 64, 0);
    }
    assert_null(al_zip_find(&zip, "a/data/", 7));
    assert_null(al_zip_find(&zip, "a/data/100", 10));
    assert_null(al_zip_find(&zip, "", 0));
    al_zip_done(&zip);
}

static char *load(size_t *size)
{
    char *bytes;
    assert_int_equal(al_file_read(&bytes, size, in_scratch("a.zip"), 1000000, NULL), ALIGN_OK);
    return bytes;
}

static void written_and_read(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        size_t size;
        write_sample(wide);
        char *bytes = load(&size);
        read_sample((const uint8_t *)bytes, size);
        /* A comment behind the end record, one that holds an end record's signature. */
        char *longer = al_calloc(size + 30, 1);
        memcpy(longer, bytes, size);
        memcpy(longer + size, "abcPK\5\6", 7);
        longer[size - 2] = 30;
        read_sample((const uint8_t *)longer, size + 30);
        al_free(longer);
        al_free(bytes);
    }
}

static void checksum(void **state)
{
    (void)state;
    al_zip_writer *zip;
    assert_int_equal(al_zip_writer_open(&zip, in_scratch("b.zip"), false, NULL), ALIGN_OK);
    static const char text[] = "123456789";
    assert_int_equal(al_zip_crc(zip, 0, text, 9), 0xCBF43926); /* the check value of CRC-32 */
    for (size_t i = 0; i <= 9; i++)
        assert_int_equal(al_zip_crc(zip, al_zip_crc(zip, 0, text, i), text + i, 9 - i), 0xCBF43926);
    assert_int_equal(al_zip_crc(zip, 0, "", 0), 0);
    al_zip_writer_abort(zip);
    al_zip_writer_abort(NULL);
    assert_false(al_is_file(in_scratch("b.zip")));
}

/* Where the n-th record with this signature begins. */
static uint8_t *find(char *bytes, size_t size, const char *signature, int n)
{
    for (size_t i = 0; i + 4 <= size; i++)
        if (memcmp(bytes + i, signature, 4) == 0 && n-- == 0)
            return (uint8_t *)bytes + i;
    fail_msg("no such record");
    return NULL;
}

typedef struct lie {
    const char *signature;
    int record, offset, bytes; /* which bytes of which record ... */
    uint64_t value;            /* ... say what instead */
    align_status status;
    const char *text;
} lie;

static void tell(const lie *l, bool wide)
{
    al_zip zip;
    align_error err = ALIGN_ERROR_INIT;
    size_t size;
    write_sample(wide);
    char *bytes = load(&size);
    uint8_t *at = find(bytes, size, l->signature, l->record) + l->offset;
    for (int i = 0; i < l->bytes; i++)
        at[i] = (uint8_t)(l->value >> (8 * i));
    /* A copy of exactly this size, so that a sanitizer sees every byte too far. */
    uint8_t *exact = malloc(size);
    memcpy(exact, bytes, size);
    const align_status status = al_zip_open(&zip, exact, size, "a.zip", &err);
    if (status != l->status || !strstr(err.message, l->text) || !strstr(err.message, "a.zip"))
        fail_msg("expected \"%s\", found %s: %s", l->text, align_status_name(status), err.message);
    assert_null(zip.entries);
    free(exact);
    al_free(bytes);
}

static void lies(void **state)
{
    (void)state;
    static const lie narrow[] = {
        {"PK\5\6", 0, 0, 4, 0, ALIGN_ERROR_FORMAT, "no end-of-directory"},
        {"PK\5\6", 0, 20, 2, 1, ALIGN_ERROR_FORMAT, "no end-of-directory"},
        {"PK\5\6", 0, 10, 2, 5, ALIGN_ERROR_FORMAT, "more entries"},
        {"PK\5\6", 0, 10, 2, 0xFFFE, ALIGN_ERROR_FORMAT, "more entries"},
        {"PK\5\6", 0, 10, 2, 0xFFFF, ALIGN_ERROR_FORMAT, "no zip64 locator"},
        {"PK\5\6", 0, 12, 4, 0x7FFFFFFF, ALIGN_ERROR_FORMAT, "directory lies outside"},
        {"PK\5\6", 0, 16, 4, 0x7FFFFFFF, ALIGN_ERROR_FORMAT, "directory lies outside"},
        {"PK\5\6", 0, 16, 4, 0, ALIGN_ERROR_FORMAT, "ends early"},
        {"PK\1\2", 1, 0, 4, 0, ALIGN_ERROR_FORMAT, "ends early"},
        {"PK\1\2", 0, 8, 2, 1, ALIGN_ERROR_UNSUPPORTED, "encrypted"},
        {"PK\1\2", 0, 10, 2, 8, ALIGN_ERROR_UNSUPPORTED, "compressed"},
        {"PK\1\2", 0, 20, 4, 6, ALIGN_ERROR_FORMAT, "two sizes"},
        {"PK\1\2", 0, 20, 8, 0x7FFFFFFF7FFFFFFF, ALIGN_ERROR_FORMAT, "larger than the file"},
        {"PK\1\2", 0, 20, 4, 0xFFFFFFFF, ALIGN_ERROR_FORMAT, "zip64 field"},
        {"PK\1\2", 3, 28, 2, 0xFFFF, ALIGN_ERROR_FORMAT, "ends early"},
        {"PK\1\2", 3, 30, 2, 0xFFFF, ALIGN_ERROR_FORMAT, "ends early"},
        {"PK\1\2", 3, 32, 2, 0xFFFF, ALIGN_ERROR_FORMAT, "ends early"},
        {"PK\1\2", 0, 42, 4, 1, ALIGN_ERROR_FORMAT, "points to no entry"},
        {"PK\1\2", 0, 42, 4, 0x7FFFFFFF, ALIGN_ERROR_FORMAT, "lies outside"},
        {"PK\1\2", 0, 46, 1, 'b', ALIGN_ERROR_FORMAT, "two names"},
        {"PK\3\4", 0, 26, 2, 9, ALIGN_ERROR_FORMAT, "two names"},
        {"PK\3\4", 3, 28, 2, 0xFFFF, ALIGN_ERROR_FORMAT, "larger than the file"},
    };
    static const lie wide[] = {
        {"PK\6\7", 0, 0, 4, 0, ALIGN_ERROR_FORMAT, "no zip64 locator"},
        {"PK\6\7", 0, 8, 8, UINT64_MAX, ALIGN_ERROR_FORMAT, "no zip64 end"},
        {"PK\6\7", 0, 8, 8, 1, ALIGN_ERROR_FORMAT, "no zip64 end"},
        {"PK\6\6", 0, 32, 8, UINT64_MAX, ALIGN_ERROR_FORMAT, "more entries"},
        {"PK\6\6", 0, 40, 8, UINT64_MAX, ALIGN_ERROR_FORMAT, "directory lies outside"},
        {"PK\6\6", 0, 48, 8, UINT64_MAX, ALIGN_ERROR_FORMAT, "directory lies outside"},
        {"PK\1\2", 0, 56, 2, 2, ALIGN_ERROR_FORMAT, "zip64 field"},      /* another field's number */
        {"PK\1\2", 0, 58, 2, 16, ALIGN_ERROR_FORMAT, "zip64 field"},     /* room for two of the three */
        {"PK\1\2", 0, 58, 2, 0xFFFF, ALIGN_ERROR_FORMAT, "zip64 field"}, /* longer than the record */
        {"PK\1\2", 0, 60, 8, UINT64_MAX, ALIGN_ERROR_FORMAT, "two sizes"},
        {"PK\1\2", 0, 76, 8, UINT64_MAX, ALIGN_ERROR_FORMAT, "lies outside"},
    };
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++)
        tell(&narrow[i], false);
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        tell(&wide[i], true);
}

static void names_must_differ(void **state)
{
    (void)state;
    al_zip_writer *writer;
    al_zip zip;
    align_error err = ALIGN_ERROR_INIT;
    size_t size;
    assert_int_equal(al_zip_writer_open(&writer, in_scratch("a.zip"), false, NULL), ALIGN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(al_zip_writer_add(writer, "twice", "x", 1, NULL), ALIGN_OK);
    assert_int_equal(al_zip_writer_commit(writer, NULL), ALIGN_OK);
    char *bytes = load(&size);
    assert_int_equal(al_zip_open(&zip, (uint8_t *)bytes, size, "a.zip", &err), ALIGN_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "twice"));
    al_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(checksum),
        cmocka_unit_test(lies),
        cmocka_unit_test(names_must_differ),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
