/*
 * zip_write.c: writing stored zip entries, payloads aligned to 64 bytes as PyTorch does, so that they can be used where
 * they lie in a mapped file.
 */
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/buffer.h"
#include "checkpoint/zip.h"

#include <string.h>

enum { PAYLOAD_ALIGNMENT = 64, CRC_SLICES = 8, VERSION = 20, VERSION64 = 45, UTF8_NAMES = 0x0800, FIRST_DAY = 0x21 };

struct al_zip_writer {
    al_writer *file;
    uint64_t offset;
    uint64_t count;
    bool always64;
    al_buffer directory;
    uint32_t crc[CRC_SLICES][256]; /* crc[k][b]: what byte b becomes after k more zero bytes */
};

static void make_crc_tables(al_zip_writer *w)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
        w->crc[0][byte] = value;
    }
    for (int slice = 1; slice < CRC_SLICES; slice++)
        for (int byte = 0; byte < 256; byte++) {
            const uint32_t before = w->crc[slice - 1][byte];
            w->crc[slice][byte] = before >> 8 ^ w->crc[0][before & 0xFF];
        }
}

/* Eight bytes at a time: each goes through the table of the zeros that follow it. */
uint32_t al_zip_crc(const al_zip_writer *w, uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        const uint32_t first =
            crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        crc = w->crc[7][first & 0xFF] ^ w->crc[6][first >> 8 & 0xFF] ^ w->crc[5][first >> 16 & 0xFF] ^
              w->crc[4][first >> 24] ^ w->crc[3][p[4]] ^ w->crc[2][p[5]] ^ w->crc[1][p[6]] ^ w->crc[0][p[7]];
    }
    for (; size > 0; size--, p++)
        crc = crc >> 8 ^ w->crc[0][(crc ^ *p) & 0xFF];
    return ~crc;
}

align_status al_zip_writer_open(al_zip_writer **out, const char *path, bool always64, align_error *err)
{
    al_zip_writer *w = al_calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return al_error_no_memory(err, sizeof *w);
    w->always64 = always64;
    make_crc_tables(w);
    const align_status status = al_writer_open(&w->file, path, err);
    if (status != ALIGN_OK)
        al_zip_writer_abort(w);
    else
        *out = w;
    return status;
}

align_status al_zip_writer_write(al_zip_writer *w, const void *bytes, size_t size, align_error *err)
{
    w->offset += size;
    return al_writer_write(w->file, bytes, size, err);
}

/* What the local and the central header share, from the version on; the 32-bit sizes are saturated where wide. */
static void put_common(al_buffer *b, uint32_t crc, uint64_t size, size_t name_size, size_t extra_size, bool wide)
{
    al_buffer_put_le(b, wide ? VERSION64 : VERSION, 2);
    al_buffer_put_le(b, UTF8_NAMES, 2);
    al_buffer_put_le(b, 0, 2);         /* stored */
    al_buffer_put_le(b, 0, 2);         /* midnight of ... */
    al_buffer_put_le(b, FIRST_DAY, 2); /* ... 1 January 1980: the same tensors give the same file */
    al_buffer_put_le(b, crc, 4);
    al_buffer_put_le(b, wide ? UINT32_MAX : size, 4);
    al_buffer_put_le(b, wide ? UINT32_MAX : size, 4);
    al_buffer_put_le(b, name_size, 2);
    al_buffer_put_le(b, extra_size, 2);
}

align_status al_zip_writer_entry(al_zip_writer *w, const char *name, uint32_t crc, uint64_t size, align_error *err)
{
    enum { LOCAL_SIZE = 30, WIDE_LOCAL = 4 + 16, WIDE_CENTRAL = 4 + 24, PADDING_HEAD = 4 };
    const bool wide = w->always64 || size >= UINT32_MAX || w->offset >= UINT32_MAX;
    const size_t name_size = strlen(name);
    const uint64_t before = w->offset + LOCAL_SIZE + name_size + (wide ? WIDE_LOCAL : 0) + PADDING_HEAD;
    const size_t padding = (size_t)((PAYLOAD_ALIGNMENT - before % PAYLOAD_ALIGNMENT) % PAYLOAD_ALIGNMENT);
    const size_t extra_size = (size_t)(wide ? WIDE_LOCAL : 0) + PADDING_HEAD + padding;
    al_buffer local = {0}, *central = &w->directory;

    al_buffer_put(central, "PK\1\2", 4);
    al_buffer_put_le(central, wide ? VERSION64 : VERSION, 2);
    put_common(central, crc, size, name_size, wide ? WIDE_CENTRAL : 0, wide);
    al_buffer_put_le(central, 0, 4 + 2); /* no comment, disk 0, no internal ... */
    al_buffer_put_le(central, 0, 4);     /* ... and no external attributes */
    al_buffer_put_le(central, wide ? UINT32_MAX : w->offset, 4);
    al_buffer_puts(central, name);

    al_buffer_put(&local, "PK\3\4", 4);
    put_common(&local, crc, size, name_size, extra_size, wide);
    al_buffer_puts(&local, name);
    if (wide) {
        al_buffer_put_le(central, 1, 2);
        al_buffer_put_le(central, WIDE_CENTRAL - 4, 2);
        al_buffer_put_le(central, size, 8);
        al_buffer_put_le(central, size, 8);
        al_buffer_put_le(central, w->offset, 8);
        al_buffer_put_le(&local, 1, 2);
        al_buffer_put_le(&local, WIDE_LOCAL - 4, 2);
        al_buffer_put_le(&local, size, 8);
        al_buffer_put_le(&local, size, 8);
    }
    al_buffer_put(&local, "FB", 2); /* PyTorch's own mark for the padding */
    al_buffer_put_le(&local, padding, 2);
    for (size_t i = 0; i < padding; i++)
        al_buffer_putc(&local, 'Z');
    align_status status = al_buffer_check(&local, err);
    if (status == ALIGN_OK)
        status = al_zip_writer_write(w, local.data, local.size, err);
    al_buffer_done(&local);
    w->count++;
    return status;
}

align_status al_zip_writer_add(al_zip_writer *w, const char *name, const void *bytes, size_t size, align_error *err)
{
    const align_status status = al_zip_writer_entry(w, name, al_zip_crc(w, 0, bytes, size), size, err);
    return status == ALIGN_OK ? al_zip_writer_write(w, bytes, size, err) : status;
}

/* The records behind the directory. */
static void put_end(al_zip_writer *w, al_buffer *b, uint64_t start, uint64_t size)
{
    const bool wide = w->always64 || w->count >= 0xFFFF || start >= UINT32_MAX || size >= UINT32_MAX;
    if (wide) {
        al_buffer_put(b, "PK\6\6", 4);
        al_buffer_put_le(b, 44, 8); /* what is left of this record */
        al_buffer_put_le(b, VERSION64, 2);
        al_buffer_put_le(b, VERSION64, 2);
        al_buffer_put_le(b, 0, 8); /* disks */
        al_buffer_put_le(b, w->count, 8);
        al_buffer_put_le(b, w->count, 8);
        al_buffer_put_le(b, size, 8);
        al_buffer_put_le(b, start, 8);
        al_buffer_put(b, "PK\6\7", 4);
        al_buffer_put_le(b, 0, 4);
        al_buffer_put_le(b, start + size, 8);
        al_buffer_put_le(b, 1, 4);
    }
    al_buffer_put(b, "PK\5\6", 4);
    al_buffer_put_le(b, 0, 4);
    al_buffer_put_le(b, wide ? 0xFFFF : w->count, 2);
    al_buffer_put_le(b, wide ? 0xFFFF : w->count, 2);
    al_buffer_put_le(b, wide ? UINT32_MAX : size, 4);
    al_buffer_put_le(b, wide ? UINT32_MAX : start, 4);
    al_buffer_put_le(b, 0, 2);
}

align_status al_zip_writer_commit(al_zip_writer *w, align_error *err)
{
    align_status status = ALIGN_OK;
    const uint64_t start = w->offset, size = w->directory.size;
    put_end(w, &w->directory, start, size);
    TRY(al_buffer_check(&w->directory, err));
    TRY(al_writer_write(w->file, w->directory.data, w->directory.size, err));
    status = al_writer_commit(w->file, err);
    w->file = NULL;
done:
    al_zip_writer_abort(w);
    return status;
}

void al_zip_writer_abort(al_zip_writer *w)
{
    if (!w)
        return;
    al_writer_abort(w->file);
    al_buffer_done(&w->directory);
    al_free(w);
}
