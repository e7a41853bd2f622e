/* zip.c: finding the entries of a zip file that lies in memory. */
#include "checkpoint/zip.h"

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/buffer.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_SIZE = 30,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    COMMENT_MAX = 0xFFFF,
    ENCRYPTED = 1, /* flag bit 0 */
    ZIP64_EXTRA = 1
};

typedef struct reader {
    const uint8_t *data;
    size_t size;
    const char *path;
    size_t directory, directory_end; /* the central directory's bytes */
    uint64_t count;
} reader;

static uint64_t get_le(const uint8_t *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

static bool has_signature(const uint8_t *p, const char *last_two)
{
    return p[0] == 'P' && p[1] == 'K' && p[2] == last_two[0] && p[3] == last_two[1];
}

static align_status broken(const reader *r, const char *what, align_error *err)
{
    return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: damaged or truncated zip file: %s", r->path, what);
}

/* The end record is the last thing in the file but for a comment. */
static align_status find_end(const reader *r, size_t *end, align_error *err)
{
    for (size_t comment = 0; comment <= COMMENT_MAX && comment + END_SIZE <= r->size; comment++) {
        const size_t at = r->size - END_SIZE - comment;
        if (has_signature(r->data + at, "\5\6") && get_le(r->data + at + 20, 2) == comment) {
            *end = at;
            return ALIGN_OK;
        }
    }
    return broken(r, "no end-of-directory record", err);
}

static align_status find_directory(reader *r, align_error *err)
{
    size_t end = 0;
    const align_status status = find_end(r, &end, err);
    if (status != ALIGN_OK)
        return status;
    const uint8_t *record = r->data + end;
    uint64_t count = get_le(record + 10, 2), size = get_le(record + 12, 4), start = get_le(record + 16, 4);
    if (count == 0xFFFF || size == UINT32_MAX || start == UINT32_MAX) {
        if (end < LOCATOR_SIZE + END64_SIZE || !has_signature(record - LOCATOR_SIZE, "\6\7"))
            return broken(r, "no zip64 locator", err);
        const uint64_t at = get_le(record - LOCATOR_SIZE + 8, 8);
        if (at > end - LOCATOR_SIZE - END64_SIZE || !has_signature(r->data + at, "\6\6"))
            return broken(r, "no zip64 end-of-directory record", err);
        count = get_le(r->data + at + 32, 8);
        size = get_le(r->data + at + 40, 8);
        start = get_le(r->data + at + 48, 8);
        end = (size_t)at;
    }
    if (start > end || size > end - start)
        return broken(r, "its directory lies outside of it", err);
    if (count > size / CENTRAL_SIZE)
        return broken(r, "more entries than its directory has room for", err);
    r->directory = (size_t)start;
    r->directory_end = (size_t)(start + size);
    r->count = count;
    return ALIGN_OK;
}

/* Replaces saturated 32-bit fields by what the zip64 extra field says; false when it does not say. */
static bool widen(const uint8_t *extra, size_t extra_size, uint64_t *size, uint64_t *stored, uint64_t *local)
{
    uint64_t *const fields[3] = {size, stored, local};
    while (extra_size >= 4) {
        const size_t n = (size_t)get_le(extra + 2, 2);
        if (n > extra_size - 4)
            return false;
        if (get_le(extra, 2) == ZIP64_EXTRA) {
            size_t at = 0;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != UINT32_MAX)
                    continue;
                if (n - at < 8)
                    return false;
                *fields[i] = get_le(extra + 4 + at, 8);
                at += 8;
            }
            return true;
        }
        extra += 4 + n;
        extra_size -= 4 + n;
    }
    return *size != UINT32_MAX && *stored != UINT32_MAX && *local != UINT32_MAX;
}

/* Finds the payload through the local header, which must name the same entry. */
static align_status find_payload(const reader *r, al_zip_entry *entry, uint64_t local, uint64_t size, align_error *err)
{
    if (local > r->directory || r->directory - local < LOCAL_SIZE)
        return broken(r, "an entry lies outside of it", err);
    const uint8_t *header = r->data + local;
    if (!has_signature(header, "\3\4"))
        return broken(r, "the directory points to no entry", err);
    const size_t name_size = (size_t)get_le(header + 26, 2), extra_size = (size_t)get_le(header + 28, 2);
    const uint64_t room = r->directory - local - LOCAL_SIZE;
    if (name_size + extra_size > room || size > room - name_size - extra_size)
        return broken(r, "an entry is larger than the file", err);
    if (name_size != entry->name_size || memcmp(header + LOCAL_SIZE, entry->name, name_size) != 0)
        return broken(r, "an entry has two names", err);
    entry->data = header + LOCAL_SIZE + name_size + extra_size;
    entry->size = (size_t)size;
    return ALIGN_OK;
}

/* Reads one record of the directory at *at and moves on. */
static align_status read_entry(const reader *r, size_t *at, al_zip_entry *entry, align_error *err)
{
    const size_t room = r->directory_end - *at;
    const uint8_t *record = r->data + *at;
    if (room < CENTRAL_SIZE || !has_signature(record, "\1\2"))
        return broken(r, "its directory ends early", err);
    const size_t name_size = (size_t)get_le(record + 28, 2), extra_size = (size_t)get_le(record + 30, 2);
    const size_t all = CENTRAL_SIZE + name_size + extra_size + (size_t)get_le(record + 32, 2);
    if (all > room)
        return broken(r, "its directory ends early", err);
    *entry = (al_zip_entry){.name = (const char *)record + CENTRAL_SIZE, .name_size = name_size};
    if ((get_le(record + 8, 2) & ENCRYPTED) || get_le(record + 10, 2) != 0)
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "%s: entry %.*s is compressed or encrypted", r->path,
                            (int)name_size, entry->name);
    uint64_t stored = get_le(record + 20, 4), size = get_le(record + 24, 4), local = get_le(record + 42, 4);
    if (!widen(record + CENTRAL_SIZE + name_size, extra_size, &size, &stored, &local))
        return broken(r, "a zip64 field is missing", err);
    if (stored != size)
        return broken(r, "an entry that is not compressed has two sizes", err);
    *at += all;
    return find_payload(r, entry, local, size, err);
}

static int compare_entries(const void *a, const void *b)
{
    const al_zip_entry *x = a, *y = b;
    return al_bytes_compare(x->name, x->name_size, y->name, y->name_size);
}

align_status al_zip_open(al_zip *out, const uint8_t *data, size_t size, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    reader r = {.data = data, .size = size, .path = path};
    *out = (al_zip){NULL, 0};
    TRY(find_directory(&r, err));
    out->entries = al_calloc((size_t)r.count, sizeof *out->entries);
    if (!out->entries) {
        status = al_error_no_memory(err, (size_t)r.count * sizeof *out->entries);
        goto done;
    }
    out->count = (size_t)r.count;
    size_t at = r.directory;
    for (size_t i = 0; i < out->count; i++)
        TRY(read_entry(&r, &at, &out->entries[i], err));
    if (out->count)
        qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
    for (size_t i = 1; i < out->count; i++)
        if (compare_entries(&out->entries[i - 1], &out->entries[i]) == 0)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: two entries are called %.*s", path, (int)out->entries[i].name_size,
                 out->entries[i].name);
done:
    if (status != ALIGN_OK)
        al_zip_done(out);
    return status;
}

void al_zip_done(al_zip *zip)
{
    al_free(zip->entries);
    *zip = (al_zip){NULL, 0};
}

const al_zip_entry *al_zip_find(const al_zip *zip, const char *name, size_t name_size)
{
    size_t low = 0, high = zip->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const al_zip_entry *at = &zip->entries[middle];
        const int order = al_bytes_compare(name, name_size, at->name, at->name_size);
        if (order == 0)
            return at;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
