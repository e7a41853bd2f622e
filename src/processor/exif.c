/*
 * exif.c: a reader of one EXIF tag. Every offset and count in the block is checked against the block's size; only the
 * first directory (IFD0), where the orientation lives, is visited.
 */
#include "processor/exif.h"

#include <stdbool.h>
#include <string.h>

#define EXIF_MARK      "Exif\0\0"
#define EXIF_MARK_SIZE 6
#define HEADER_SIZE    8
#define ENTRY_SIZE     12

#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT      3
#define TYPE_LONG       4

/* The part of a hex-coded profile that is looked at: IFD0 stands at its start. */
#define RAW_PROFILE_BYTES 4096

typedef struct tiff_block {
    const uint8_t *data;
    size_t size;
    bool big_endian;
} tiff_block;

static uint32_t read_u16(const tiff_block *block, size_t at)
{
    const uint8_t *p = block->data + at;
    return block->big_endian ? (uint32_t)(p[0] << 8 | p[1]) : (uint32_t)(p[1] << 8 | p[0]);
}

static uint32_t read_u32(const tiff_block *block, size_t at)
{
    const uint32_t first = read_u16(block, at), second = read_u16(block, at + 2);
    return block->big_endian ? first << 16 | second : second << 16 | first;
}

int al_exif_orientation(const uint8_t *data, size_t size)
{
    /* Some writers put the mark twice. */
    for (int i = 0; i < 2 && size >= EXIF_MARK_SIZE && memcmp(data, EXIF_MARK, EXIF_MARK_SIZE) == 0; i++) {
        data += EXIF_MARK_SIZE;
        size -= EXIF_MARK_SIZE;
    }
    if (size < HEADER_SIZE)
        return 0;
    const bool little = memcmp(data, "II*\0", 4) == 0;
    if (!little && memcmp(data, "MM\0*", 4) != 0)
        return 0;
    const tiff_block block = {data, size, !little};
    const size_t directory = read_u32(&block, 4);
    if (directory > size - 2)
        return 0;
    const size_t entries = read_u16(&block, directory);
    int orientation = 0;
    size_t at = directory + 2;
    for (size_t i = 0; i < entries && size - at >= ENTRY_SIZE; i++, at += ENTRY_SIZE) {
        if (read_u16(&block, at) != TAG_ORIENTATION)
            continue;
        /* The first value counts, if it stands in the entry itself; as nonsense it means upright. */
        const uint32_t type = read_u16(&block, at + 2), count = read_u32(&block, at + 4);
        uint32_t value = 1;
        if (type == TYPE_SHORT && (count == 1 || count == 2))
            value = read_u16(&block, at + 8);
        else if (type == TYPE_LONG && count == 1)
            value = read_u32(&block, at + 8);
        orientation = value <= 8 ? (int)value : 1;
    }
    return orientation;
}

int al_xmp_orientation(const uint8_t *data, size_t size)
{
    static const char name[] = "tiff:Orientation";
    const size_t length = sizeof name - 1;
    for (size_t i = 0; size - i >= length + 2; i++) {
        if (data[i] != 't' || memcmp(data + i, name, length) != 0)
            continue;
        /* An attribute, tiff:Orientation="6", or an element, <tiff:Orientation>6. */
        const uint8_t *p = data + i + length;
        const bool is_attribute = size - i > length + 2 && p[0] == '=' && p[1] == '"';
        const uint8_t digit = p[0] == '>' ? p[1] : is_attribute ? p[2] : 0;
        if (digit >= '0' && digit <= '9')
            return digit - '0';
    }
    return 0;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int al_raw_profile_orientation(const uint8_t *text, size_t size)
{
    /* "\nexif\n    <length>\n<hex lines>": the digits begin after the third line feed. */
    size_t at = 0;
    for (int lines = 0; lines < 3; lines++) {
        const uint8_t *feed = at < size ? memchr(text + at, '\n', size - at) : NULL;
        if (!feed)
            return 0;
        at = (size_t)(feed - text) + 1;
    }
    uint8_t bytes[RAW_PROFILE_BYTES];
    size_t nibbles = 0;
    for (; at < size && nibbles < 2 * sizeof bytes; at++) {
        if (text[at] == '\n')
            continue;
        const int value = hex_value(text[at]);
        if (value < 0)
            return 0;
        uint8_t *byte = &bytes[nibbles / 2];
        *byte = (uint8_t)(nibbles % 2 ? *byte | value : value << 4);
        nibbles++;
    }
    return al_exif_orientation(bytes, nibbles / 2);
}
