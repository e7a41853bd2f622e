/* vectors.c: see vectors.h. */
#include "search/vectors.h"

#include "base/file.h"
#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first page: numbers are little-endian, all that is not named is zero. */
#define HEADER_BYTES  4096
#define MAGIC         "ALGNVECS"
#define VERSION       1
#define AT_VERSION    8
#define AT_ELEMENT    12
#define AT_WIDTH      16
#define AT_GENERATION 24
#define AT_IDENTITY   32
#define AT_READY      48
#define HEADER_USED   (AT_IDENTITY + AL_IDENTITY_SIZE)
#define COPY_BYTES    ((size_t)1 << 20)
#define MAP_LEAST     ((size_t)16 << 20)
#define FILE_MODE     0666

static align_status system_error(align_error *err, const al_vectors *v, const char *what)
{
    const int number = errno;
    return al_error_set(err, number == ENOENT ? ALIGN_ERROR_NOT_FOUND : ALIGN_ERROR_IO, "%s: %s: %s", v->path, what,
                        strerror(number));
}

static size_t row_bytes(const al_vectors *v)
{
    switch (v->key.element) {
    case AL_ELEMENT_STEPS:
        return (size_t)v->key.width;
    case AL_ELEMENT_STEP:
        return sizeof(float);
    default:
        return (size_t)v->key.width * sizeof(uint16_t);
    }
}

/* Where a slot begins: rows know no more slots than a file can hold (al_vectors_check). */
static size_t place_of(const al_vectors *v, int64_t slot)
{
    return HEADER_BYTES + (size_t)slot * row_bytes(v);
}

char *al_vectors_path(const char *index, int64_t generation, al_vectors_element element)
{
    const char *suffix = element == AL_ELEMENT_STEPS ? ".steps" : element == AL_ELEMENT_STEP ? ".step" : "";
    return al_format("%s-vectors-%" PRId64 "%s", index, generation, suffix);
}

/* ---- the header ---- */

static void put(uint8_t *at, int bytes, uint64_t value)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static void make_header(uint8_t header[HEADER_BYTES], const al_vectors_key *key)
{
    memset(header, 0, HEADER_BYTES);
    memcpy(header, MAGIC, AT_VERSION);
    put(header + AT_VERSION, 4, VERSION);
    put(header + AT_ELEMENT, 4, (uint64_t)key->element);
    put(header + AT_WIDTH, 8, (uint64_t)key->width);
    put(header + AT_GENERATION, 8, (uint64_t)key->generation);
    memcpy(header + AT_IDENTITY, key->identity, AL_IDENTITY_SIZE);
}

/* ---- reading and writing ---- */

static align_status write_at(const al_vectors *v, const void *bytes, size_t size, size_t offset, align_error *err)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t n = pwrite(v->fd, (const uint8_t *)bytes + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(err, v, "cannot write");
        done += (size_t)n;
    }
    return ALIGN_OK;
}

static align_status read_at(const al_vectors *v, void *bytes, size_t size, size_t offset, align_error *err)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t n = pread(v->fd, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(err, v, "cannot read");
        if (n == 0)
            return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: ends after %zu bytes, expected at least %zu", v->path,
                                offset + done, offset + size);
        done += (size_t)n;
    }
    return ALIGN_OK;
}

static align_status check_header(const al_vectors *v, align_error *err)
{
    uint8_t found[HEADER_USED], wanted[HEADER_BYTES];
    const align_status status = read_at(v, found, sizeof found, 0, err);
    if (status != ALIGN_OK)
        return status;
    make_header(wanted, &v->key);
    if (memcmp(found, MAGIC, AT_VERSION) != 0)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: not a file of vectors (it does not begin with " MAGIC ")",
                            v->path);
    if (get(found + AT_VERSION, 4) > VERSION)
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED,
                            "%s: written by a newer version: format %" PRIu64 ", up to %d "
                            "is understood",
                            v->path, get(found + AT_VERSION, 4), VERSION);
    if (memcmp(found, wanted, AT_WIDTH) != 0 || get(found + AT_WIDTH, 8) != (uint64_t)v->key.width)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: expected vectors of %" PRId64 " f16 numbers, found %" PRIu64
                            " of element type %" PRIu64,
                            v->path, v->key.width, get(found + AT_WIDTH, 8), get(found + AT_ELEMENT, 4));
    if (memcmp(found, wanted, HEADER_USED) != 0)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: the vectors of another index, not of the rows beside it",
                            v->path);
    return ALIGN_OK;
}

/* ---- open and close ---- */

static align_status start(al_vectors *out, const char *index, const al_vectors_key *key, align_error *err)
{
    *out = AL_VECTORS_CLOSED;
    out->key = *key;
    out->path = al_vectors_path(index, key->generation, (al_vectors_element)key->element);
    return out->path ? ALIGN_OK : al_error_no_memory(err, strlen(index));
}

align_status al_vectors_create(al_vectors *out, const char *index, const al_vectors_key *key, align_error *err)
{
    align_status status = ALIGN_OK;
    uint8_t header[HEADER_BYTES];
    TRY(start(out, index, key, err));
    out->writable = true;
    /* Somebody may have an old file of that name mapped: it is left to him, not cut. */
    if (unlink(out->path) != 0 && errno != ENOENT) {
        status = system_error(err, out, "cannot remove");
        goto done;
    }
    out->fd = open(out->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (out->fd < 0) {
        status = system_error(err, out, "cannot make");
        goto done;
    }
    make_header(header, key);
    TRY(write_at(out, header, sizeof header, 0, err));
    TRY(al_vectors_sync(out, err));
    al_sync_folder_of(out->path);
done:
    if (status != ALIGN_OK) {
        if (out->fd >= 0)
            (void)unlink(out->path);
        al_vectors_close(out);
    }
    return status;
}

align_status al_vectors_open(al_vectors *out, const char *index, const al_vectors_key *key, bool writable,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(start(out, index, key, err));
    out->writable = writable;
    out->fd = open(out->path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (out->fd < 0) {
        status = system_error(err, out, "cannot open");
        goto done;
    }
    TRY(check_header(out, err));
done:
    if (status != ALIGN_OK)
        al_vectors_close(out);
    return status;
}

void al_vectors_close(al_vectors *v)
{
    if (v->map)
        munmap((void *)(uintptr_t)v->map, v->mapped);
    if (v->fd >= 0)
        close(v->fd);
    al_free(v->path);
    *v = AL_VECTORS_CLOSED;
}

align_status al_vectors_count(const al_vectors *v, int64_t *slots, align_error *err)
{
    struct stat st;
    if (fstat(v->fd, &st) != 0)
        return system_error(err, v, "cannot stat");
    *slots = st.st_size < HEADER_BYTES ? 0 : (int64_t)(((size_t)st.st_size - HEADER_BYTES) / row_bytes(v));
    return ALIGN_OK;
}

align_status al_vectors_check(const al_vectors *v, int64_t slots, align_error *err)
{
    int64_t found;
    const align_status status = al_vectors_count(v, &found, err);
    if (status != ALIGN_OK || (slots >= 0 && slots <= found))
        return status;
    return al_error_set(err, ALIGN_ERROR_FORMAT,
                        "%s: too short: it holds %" PRId64 " vectors, and the rows beside it tell of %" PRId64, v->path,
                        found, slots);
}

/* ---- slots ---- */

align_status al_vectors_write(al_vectors *v, int64_t slot, const void *rows, size_t count, align_error *err)
{
    return write_at(v, rows, count * row_bytes(v), place_of(v, slot), err);
}

align_status al_vectors_sync(al_vectors *v, align_error *err)
{
    return fdatasync(v->fd) == 0 ? ALIGN_OK : system_error(err, v, "cannot write");
}

align_status al_vectors_get_ready(const al_vectors *v, int64_t *slots, align_error *err)
{
    uint8_t bytes[8];
    const align_status status = read_at(v, bytes, sizeof bytes, AT_READY, err);
    *slots = status == ALIGN_OK ? (int64_t)get(bytes, sizeof bytes) : 0;
    return status == ALIGN_OK ? al_vectors_check(v, *slots, err) : status;
}

align_status al_vectors_set_ready(al_vectors *v, int64_t slots, align_error *err)
{
    uint8_t bytes[8];
    put(bytes, sizeof bytes, (uint64_t)slots);
    const align_status status = write_at(v, bytes, sizeof bytes, AT_READY, err);
    return status == ALIGN_OK ? al_vectors_sync(v, err) : status;
}

void al_vectors_cut(al_vectors *v, int64_t slots)
{
    /* What is left instead is overwritten by whoever adds next. */
    if (ftruncate(v->fd, (off_t)place_of(v, slots)) != 0)
        return;
}

align_status al_vectors_copy(al_vectors *to, int64_t to_slot, const al_vectors *from, int64_t slot, int64_t count,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t total = (size_t)count * row_bytes(from);
    uint8_t *buffer = al_alloc(COPY_BYTES);
    if (!buffer)
        return al_error_no_memory(err, COPY_BYTES);
    for (size_t done = 0; done < total; done += COPY_BYTES) {
        const size_t n = al_least(total - done, COPY_BYTES);
        TRY(read_at(from, buffer, n, place_of(from, slot) + done, err));
        TRY(write_at(to, buffer, n, place_of(to, to_slot) + done, err));
    }
done:
    al_free(buffer);
    return status;
}

align_status al_vectors_view(al_vectors *v, int64_t slots, const void **out, align_error *err)
{
    const align_status status = al_vectors_check(v, slots, err);
    if (status != ALIGN_OK)
        return status;
    const size_t needed = place_of(v, slots);
    if (needed > v->mapped) {
        if (v->map)
            munmap((void *)(uintptr_t)v->map, v->mapped);
        v->map = NULL;
        v->mapped = 0;
        /* Room beyond the end, which is never read, for vectors to come: a map made anew would lose its pages. */
        const size_t size = needed / 2 < MAP_LEAST ? needed + MAP_LEAST : needed + needed / 2;
        void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, v->fd, 0);
        if (map == MAP_FAILED)
            return system_error(err, v, "cannot map");
        v->map = map;
        v->mapped = size;
    }
    *out = v->map + HEADER_BYTES;
    return ALIGN_OK;
}
