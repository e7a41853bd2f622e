/*
 * exif.c: a reader of a few EXIF tags. Every offset and count in the block is checked against the block's size; only
 * the first directory (IFD0), where the orientation lives, and the directory of the exposure are visited.
 */
#include "processor/exif.h"

#include <string.h>

#define EXIF_MARK      "Exif\0\0"
#define EXIF_MARK_SIZE 6
#define HEADER_SIZE    8
#define ENTRY_SIZE     12

#define TAG_ORIENTATION       0x0112
#define TAG_EXPOSURE          0x8769 /* where the directory of the exposure is */
#define TAG_TIME_ORIGINAL     0x9003
#define TAG_TIME_DIGITIZED    0x9004
#define TAG_ZONE              0x9010
#define TAG_ZONE_OF_ORIGINAL  0x9011
#define TAG_ZONE_OF_DIGITIZED 0x9012
#define TYPE_ASCII            2
#define TYPE_SHORT            3
#define TYPE_LONG             4

/* The part of a hex-coded profile that is looked at: the directories stand at its start. */
#define RAW_PROFILE_BYTES 4096

/* ---- the block ---- */

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

typedef struct entry {
    uint32_t tag, type, count;
    size_t value; /* where its value stands, or the offset of one that does not fit into four bytes */
} entry;

/* Entry i of a directory; false behind the last one that is there. */
static bool next_entry(const tiff_block *block, size_t directory, size_t i, entry *out)
{
    if (directory > block->size - 2 || i >= read_u16(block, directory))
        return false;
    const size_t at = directory + 2 + i * ENTRY_SIZE;
    if (block->size < ENTRY_SIZE || at > block->size - ENTRY_SIZE)
        return false;
    *out = (entry){read_u16(block, at), read_u16(block, at + 2), read_u32(block, at + 4), at + 8};
    return true;
}

/* ---- which way is up ---- */

/* The first value counts, if it stands in the entry itself; as nonsense it means upright. */
static int orientation_of(const tiff_block *block, const entry *e)
{
    uint32_t value = 1;
    if (e->type == TYPE_SHORT && (e->count == 1 || e->count == 2))
        value = read_u16(block, e->value);
    else if (e->type == TYPE_LONG && e->count == 1)
        value = read_u32(block, e->value);
    return value <= 8 ? (int)value : 1;
}

/* ---- when it was taken ---- */

/* The bytes of a text of at least so many bytes, more than fit into the entry itself; or NULL. */
static const char *text_of(const tiff_block *block, const entry *e, size_t least)
{
    if (e->type != TYPE_ASCII || e->count < least)
        return NULL;
    const size_t at = read_u32(block, e->value);
    return at <= block->size && block->size - at >= least ? (const char *)block->data + at : NULL;
}

/* Two digits, or -1. */
static int two_digits(const char *text)
{
    const bool digits = text[0] >= '0' && text[0] <= '9' && text[1] >= '0' && text[1] <= '9';
    return digits ? (text[0] - '0') * 10 + text[1] - '0' : -1;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar, whose years are taken to begin in March. */
static int64_t days_since_1970(int64_t year, int month, int day)
{
    const int64_t y = month > 2 ? year : year - 1;
    const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

/* "2024:02:29 23:59:59"; INT64_MIN for anything else, as for the zeros and blanks of cameras without a clock. */
static int64_t read_time(const char *text)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int century = two_digits(text), years = two_digits(text + 2), month = two_digits(text + 5);
    const int day = two_digits(text + 8), hour = two_digits(text + 11), minute = two_digits(text + 14);
    const int second = two_digits(text + 17);
    if (century < 0 || years < 0 || century * 100 + years < 1 || month < 1 || month > 12 || day < 1 ||
        day > days[month - 1] || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return INT64_MIN;
    return ((days_since_1970(century * 100 + years, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

/* "+05:30"; false for anything else. */
static bool read_zone(const char *text, int64_t *east)
{
    const int hours = two_digits(text + 1), minutes = two_digits(text + 4);
    if ((text[0] != '+' && text[0] != '-') || hours < 0 || hours > 15 || minutes < 0 || minutes > 59 || text[3] != ':')
        return false;
    *east = (text[0] == '-' ? -60 : 60) * (hours * 60 + minutes);
    return true;
}

/* The times of the exposure's directory: when the picture was taken, or else when it was scanned. */
static void read_exposure(al_exif *out, const tiff_block *block, size_t directory)
{
    enum { TIME_SIZE = 19, ZONE_SIZE = 6 };
    int64_t digitized = INT64_MIN;
    const char *zone = NULL, *zone_of_original = NULL, *zone_of_digitized = NULL;
    entry e;
    for (size_t i = 0; next_entry(block, directory, i, &e); i++) {
        const char *time = text_of(block, &e, TIME_SIZE), *east = text_of(block, &e, ZONE_SIZE);
        if (e.tag == TAG_TIME_ORIGINAL && time)
            out->taken = read_time(time);
        else if (e.tag == TAG_TIME_DIGITIZED && time)
            digitized = read_time(time);
        else if (e.tag == TAG_ZONE)
            zone = east;
        else if (e.tag == TAG_ZONE_OF_ORIGINAL)
            zone_of_original = east;
        else if (e.tag == TAG_ZONE_OF_DIGITIZED)
            zone_of_digitized = east;
    }
    const char *stated = out->taken != INT64_MIN ? zone_of_original : zone_of_digitized;
    if (out->taken == INT64_MIN)
        out->taken = digitized;
    if (!stated)
        stated = zone;
    out->zone_known = out->taken != INT64_MIN && stated && read_zone(stated, &out->zone_east);
}

void al_exif_read(al_exif *out, const uint8_t *data, size_t size)
{
    /* Some writers put the mark twice. */
    for (int i = 0; i < 2 && size >= EXIF_MARK_SIZE && memcmp(data, EXIF_MARK, EXIF_MARK_SIZE) == 0; i++) {
        data += EXIF_MARK_SIZE;
        size -= EXIF_MARK_SIZE;
    }
    if (size < HEADER_SIZE)
        return;
    const bool little = memcmp(data, "II*\0", 4) == 0;
    if (!little && memcmp(data, "MM\0*", 4) != 0)
        return;
    const tiff_block block = {data, size, !little};
    const size_t directory = read_u32(&block, 4);
    entry e;
    for (size_t i = 0; next_entry(&block, directory, i, &e); i++)
        if (e.tag == TAG_ORIENTATION)
            out->orientation = orientation_of(&block, &e);
        else if (e.tag == TAG_EXPOSURE && e.type == TYPE_LONG && e.count == 1)
            read_exposure(out, &block, read_u32(&block, e.value));
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

void al_raw_profile_read(al_exif *out, const uint8_t *text, size_t size)
{
    /* "\nexif\n    <length>\n<hex lines>": the digits begin after the third line feed. */
    size_t at = 0;
    for (int lines = 0; lines < 3; lines++) {
        const uint8_t *feed = at < size ? memchr(text + at, '\n', size - at) : NULL;
        if (!feed)
            return;
        at = (size_t)(feed - text) + 1;
    }
    uint8_t bytes[RAW_PROFILE_BYTES];
    size_t nibbles = 0;
    for (; at < size && nibbles < 2 * sizeof bytes; at++) {
        if (text[at] == '\n')
            continue;
        const int value = hex_value(text[at]);
        if (value < 0)
            return;
        uint8_t *byte = &bytes[nibbles / 2];
        *byte = (uint8_t)(nibbles % 2 ? *byte | value : value << 4);
        nibbles++;
    }
    al_exif_read(out, bytes, nibbles / 2);
}
