#ifndef AL_ZIP_H
#define AL_ZIP_H
/*
 * zip.h: as much of the zip format as PyTorch's files need: entries that are stored, not compressed, and larger than
 * 4 GiB where they must be (zip64).
 *
 * PyTorch writes local headers without sizes (flag bit 3), so sizes come from the central directory; where a payload
 * begins only the local header tells, whose extra field pads it to a multiple of 64 bytes.
 */
#include "base/file.h"

#include <align/error.h>

typedef struct al_zip_entry {
    const char *name; /* not terminated */
    size_t name_size;
    const uint8_t *data;
    size_t size;
} al_zip_entry;

typedef struct al_zip {
    al_zip_entry *entries; /* sorted by name */
    size_t count;
} al_zip;

/* Entries point into data. FORMAT when anything lies outside of it, UNSUPPORTED for compressed or encrypted entries. */
align_status al_zip_open(al_zip *out, const uint8_t *data, size_t size, const char *path, align_error *err);
void al_zip_done(al_zip *zip);

/* NULL when there is none. */
const al_zip_entry *al_zip_find(const al_zip *zip, const char *name, size_t name_size);

/* ---- writing ---- */

typedef struct al_zip_writer al_zip_writer;

/* always64 writes the zip64 forms even where 32 bits would do (so that a small test covers them). */
align_status al_zip_writer_open(al_zip_writer **out, const char *path, bool always64, align_error *err);

/* CRC-32 of bytes behind those that gave crc (0 at first). */
uint32_t al_zip_crc(const al_zip_writer *writer, uint32_t crc, const void *bytes, size_t size);

/* Begins an entry, whose payload of exactly size bytes follows through al_zip_writer_write. */
align_status al_zip_writer_entry(al_zip_writer *writer, const char *name, uint32_t crc, uint64_t size,
                                 align_error *err);
align_status al_zip_writer_write(al_zip_writer *writer, const void *bytes, size_t size, align_error *err);

/* The three above for bytes at hand. */
align_status al_zip_writer_add(al_zip_writer *writer, const char *name, const void *bytes, size_t size,
                               align_error *err);

align_status al_zip_writer_commit(al_zip_writer *writer, align_error *err); /* frees the writer in any case */
void al_zip_writer_abort(al_zip_writer *writer);                            /* NULL is fine */
#endif
