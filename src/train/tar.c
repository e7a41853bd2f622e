/* tar.c: headers of tar files. */
#include "train/tar.h"

#include "base/status.h"

#include <string.h>

#define BLOCK 512

/* Fields of a header. */
enum {
    NAME = 0,
    NAME_SIZE = 100,
    SIZE = 124,
    SIZE_SIZE = 12,
    CHECKSUM = 148,
    CHECKSUM_SIZE = 8,
    TYPE = 156,
    MAGIC = 257,
    PREFIX = 345,
    PREFIX_SIZE = 155
};

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

/* Octal digits between spaces, or, with the first bit set, GNU's big-endian binary. */
static bool read_number(const uint8_t *field, size_t size, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    if (field[0] & 0x80) {
        for (; i < size; i++) {
            if (value >> 55)
                return false;
            value = value << 8 | (i ? field[i] : field[i] & 0x7F);
        }
        *out = value;
        return true;
    }
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    *out = value;
    return i == size || field[i] == ' ' || field[i] == '\0';
}

static bool checksum_is_right(const uint8_t *header)
{
    uint64_t expected, sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM && i < CHECKSUM + CHECKSUM_SIZE ? ' ' : header[i];
    return read_number(header + CHECKSUM, CHECKSUM_SIZE, &expected) && expected == sum;
}

static void put_field(al_buffer *out, const uint8_t *field, size_t size)
{
    const uint8_t *end = memchr(field, '\0', size);
    al_buffer_put(out, field, end ? (size_t)(end - field) : size);
}

/* What a header itself calls its member. */
static void header_name(al_buffer *out, const uint8_t *header)
{
    const bool posix = memcmp(header + MAGIC, "ustar\0", 6) == 0;
    out->size = 0;
    if (posix && header[PREFIX]) {
        put_field(out, header + PREFIX, PREFIX_SIZE);
        al_buffer_putc(out, '/');
    }
    put_field(out, header + NAME, NAME_SIZE);
    al_buffer_putc(out, '\0');
}

/* What headers before that of a member said about it. */
typedef struct extension {
    bool named, sized; /* tar.name has its name already; size its size */
    uint64_t size;
} extension;

/* Records "LENGTH KEY=VALUE\n", LENGTH being that of the whole record. */
static bool read_pax(al_tar *tar, const uint8_t *data, size_t size, extension *ext)
{
    const char *at = (const char *)data, *const end = at + size;
    while (at < end && *at) {
        size_t length = 0, digits = 0;
        for (; at + digits < end && at[digits] >= '0' && at[digits] <= '9' && digits < 10; digits++)
            length = length * 10 + (size_t)(at[digits] - '0');
        if (length > (size_t)(end - at) || length < digits + 3 || at[digits] != ' ' || at[length - 1] != '\n')
            return false;
        const char *key = at + digits + 1, *stop = at + length - 1;
        const char *equals = memchr(key, '=', (size_t)(stop - key));
        if (!equals)
            return false;
        const size_t key_size = (size_t)(equals - key);
        if (key_size == 4 && memcmp(key, "path", 4) == 0) {
            tar->name.size = 0;
            al_buffer_put(&tar->name, equals + 1, (size_t)(stop - equals - 1));
            al_buffer_putc(&tar->name, '\0');
            ext->named = true;
        } else if (key_size == 4 && memcmp(key, "size", 4) == 0) {
            ext->sized = true;
            ext->size = 0;
            for (const char *digit = equals + 1; digit < stop; digit++) {
                if (*digit < '0' || *digit > '9' || ext->size > UINT64_MAX / 16)
                    return false;
                ext->size = ext->size * 10 + (uint64_t)(*digit - '0');
            }
        }
        at += length;
    }
    return true;
}

/* A header and how many bytes follow it, which are there; *header is NULL at the end. */
static align_status read_header(al_tar *tar, const extension *ext, const uint8_t **header, size_t *size,
                                align_error *err)
{
    align_status status = ALIGN_OK;
    uint64_t length;
    *header = NULL;
    const uint8_t *block = tar->data + tar->at;
    const size_t left = tar->size - tar->at;
    if (left == 0 || (left >= BLOCK && is_zero(block)))
        goto done;
    if (left < BLOCK)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: cut off within the header at byte %zu", tar->file, tar->at);
    if (!checksum_is_right(block) || !read_number(block + SIZE, SIZE_SIZE, &length))
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: no tar header at byte %zu", tar->file, tar->at);
    if (ext->sized)
        length = ext->size;
    if (memchr("123456", block[TYPE], 6)) /* links, devices and folders have no bytes, whatever their size says */
        length = 0;
    if (length > left - BLOCK)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: cut off: the member at byte %zu has %" PRIu64 " bytes, %zu are left",
             tar->file, tar->at, length, left - BLOCK);
    *header = block;
    *size = (size_t)length;
done:
    return status;
}

/* Past a header and its bytes, which are padded to whole blocks (but at the end of a file that was not). */
static void advance(al_tar *tar, size_t size)
{
    const size_t padded = size + (BLOCK - size % BLOCK) % BLOCK, left = tar->size - tar->at - BLOCK;
    tar->at += BLOCK + (padded < left ? padded : left);
}

align_status al_tar_next(al_tar *tar, al_tar_member *member, bool *found, align_error *err)
{
    align_status status = ALIGN_OK;
    const uint8_t *header;
    size_t size;
    extension ext = {false, false, 0};
    *found = false;
    for (;;) {
        TRY(read_header(tar, &ext, &header, &size, err));
        if (!header)
            break;
        const size_t offset = tar->at + BLOCK;
        const uint8_t *data = tar->data + offset;
        const uint8_t type = header[TYPE];
        advance(tar, size);
        if (type == 'L') {
            tar->name.size = 0;
            put_field(&tar->name, data, size);
            al_buffer_putc(&tar->name, '\0');
            ext.named = true;
        } else if (type == 'x') {
            if (!read_pax(tar, data, size, &ext))
                FAIL(err, ALIGN_ERROR_FORMAT, "%s: an extended header that is no list of records, at byte %zu",
                     tar->file, offset - BLOCK);
        } else if (type == '0' || type == '\0' || type == '7') {
            if (!ext.named)
                header_name(&tar->name, header);
            TRY(al_buffer_check(&tar->name, err));
            *member = (al_tar_member){tar->name.data, offset, size};
            *found = true;
            break;
        } else if (type != 'K' && type != 'g') {
            ext = (extension){false, false, 0}; /* it was about this one */
        }
    }
done:
    return status;
}

void al_tar_done(al_tar *tar)
{
    al_buffer_done(&tar->name);
}
