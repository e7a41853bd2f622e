/*
 * text.c: answers as they are written. Floats are most of what a server of embeddings writes, so they do not go through
 * printf.
 */
#include "text.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- room ---- */

/* Where n more bytes may be written, or NULL. */
static char *make_room(srv_text *text, size_t n)
{
    if (text->failed || n > SIZE_MAX / 2 - text->length - 1) {
        text->failed = true;
        return NULL;
    }
    const size_t needed = text->length + n + 1;
    if (needed > text->capacity) {
        size_t capacity = text->capacity ? text->capacity : 256;
        while (capacity < needed)
            capacity *= 2;
        char *bytes = realloc(text->bytes, capacity);
        if (!bytes) {
            text->failed = true;
            return NULL;
        }
        text->bytes = bytes;
        text->capacity = capacity;
    }
    return text->bytes + text->length;
}

static void wrote(srv_text *text, size_t n)
{
    text->length += n;
    text->bytes[text->length] = '\0';
}

void srv_text_add(srv_text *text, const char *bytes, size_t n)
{
    char *to = make_room(text, n);
    if (!to)
        return;
    memcpy(to, bytes, n);
    wrote(text, n);
}

void srv_text_print(srv_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = length < 0 ? NULL : make_room(text, (size_t)length);
    if (!to)
        return;
    va_start(args, format);
    vsnprintf(to, (size_t)length + 1, format, args);
    va_end(args);
    text->length += (size_t)length;
}

void srv_text_done(srv_text *text)
{
    free(text->bytes);
    *text = (srv_text){0};
}

/* ---- strings ---- */

/* Length of the well-formed UTF-8 sequence that begins here, or 0. The zero at the end is no continuation. */
static size_t sequence(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    const size_t length = s[0] >= 0xC2 && s[0] < 0xE0   ? 2
                          : (s[0] & 0xF0) == 0xE0       ? 3
                          : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                                        : 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    const bool overlong = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    const bool no_point = (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF4 && s[1] > 0x8F);
    return overlong || no_point ? 0 : length;
}

void srv_text_string(srv_text *text, const char *string)
{
    const unsigned char *s = (const unsigned char *)string;
    srv_text_add(text, "\"", 1);
    while (*s) {
        const size_t length = sequence(s);
        if (length == 0)
            srv_text_add(text, "\xEF\xBF\xBD", 3);
        else if (*s == '"' || *s == '\\')
            srv_text_print(text, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7F)
            srv_text_print(text, "\\u%04x", (unsigned)*s);
        else
            srv_text_add(text, (const char *)s, length);
        s += length ? length : 1;
    }
    srv_text_add(text, "\"", 1);
}

/* ---- numbers ---- */

#define LONGEST_FLOAT 32

/* Writes n as so many digits, with zeros in front. */
static void write_digits(char *out, uint64_t n, int digits)
{
    while (digits > 0) {
        out[--digits] = (char)('0' + n % 10);
        n /= 10;
    }
}

/* A number of ordinary size: nine digits as a whole number, cut where its point is. */
static size_t write_plain(char *out, double value)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};
    const double size = fabs(value);
    int decimals = 8; /* so many of the nine digits, and zeros before them, are behind the point */
    while (decimals < 13 && size * tens[decimals] < 1e8)
        decimals++;
    while (decimals > 0 && size * tens[decimals] >= 1e9)
        decimals--;
    const uint64_t digits = (uint64_t)(size * tens[decimals] + 0.5), unit = (uint64_t)tens[decimals];
    size_t length = 0;
    if (value < 0)
        out[length++] = '-';
    const uint64_t whole = digits / unit;
    int wide = 1;
    for (uint64_t rest = whole; rest >= 10; rest /= 10)
        wide++;
    write_digits(out + length, whole, wide);
    length += (size_t)wide;
    out[length] = '.';
    write_digits(out + length + 1, digits % unit, decimals);
    length += (size_t)decimals + 1;
    while (out[length - 1] == '0')
        length--;
    return out[length - 1] == '.' ? length - 1 : length;
}

static size_t write_float(char *out, float number)
{
    const double value = (double)number, size = fabs(value);
    if (!isfinite(value))
        return (size_t)snprintf(out, LONGEST_FLOAT, "null");
    if (value == 0)
        return (size_t)snprintf(out, LONGEST_FLOAT, "0");
    if (size >= 1e-5 && size < 1e8)
        return write_plain(out, value);
    return (size_t)snprintf(out, LONGEST_FLOAT, "%.9g", value);
}

void srv_text_float(srv_text *text, float value)
{
    char *to = make_room(text, LONGEST_FLOAT);
    if (to)
        wrote(text, write_float(to, value));
}

void srv_text_floats(srv_text *text, const float *values, size_t n)
{
    srv_text_add(text, "[", 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            srv_text_add(text, ",", 1);
        srv_text_float(text, values[i]);
    }
    srv_text_add(text, "]", 1);
}

/* ---- base64 ---- */

void srv_text_base64(srv_text *text, const void *bytes, size_t n)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    char *to = n > SIZE_MAX / 4 ? NULL : make_room(text, (n + 2) / 3 * 4);
    if (!to) {
        text->failed = true;
        return;
    }
    size_t length = 0;
    for (size_t i = 0; i < n; i += 3) {
        const size_t have = n - i < 3 ? n - i : 3;
        uint32_t group = (uint32_t)from[i] << 16;
        group |= have > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        group |= have > 2 ? (uint32_t)from[i + 2] : 0;
        for (size_t k = 0; k < 4; k++)
            to[length++] = k <= have ? alphabet[group >> (18 - 6 * k) & 63] : '=';
    }
    wrote(text, length);
}

/* What a character of base64 is. */
enum { IS_DIGIT = 128, IS_SPACE = 64, IS_PADDING = 32 };

/* IS_DIGIT and six bits, or one of the others; nothing: no part of base64. */
static const uint8_t meaning[256] = {
    /* clang-format off */
    ['A'] = 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149, 150, 151, 152, 153,
    ['a'] = 154, 155, 156, 157, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179,
    ['0'] = 180, 181, 182, 183, 184, 185, 186, 187, 188, 189,
    ['+'] = 190, ['-'] = 190, ['/'] = 191, ['_'] = 191,
    ['\r'] = IS_SPACE, ['\n'] = IS_SPACE, [' '] = IS_SPACE, ['\t'] = IS_SPACE, ['='] = IS_PADDING,
    /* clang-format on */
};

/* Four digits as three bytes; false where one of them is none. */
static bool decode_four(uint8_t out[3], const unsigned char s[4])
{
    const uint32_t a = meaning[s[0]], b = meaning[s[1]], c = meaning[s[2]], d = meaning[s[3]];
    if (!(a & b & c & d & IS_DIGIT))
        return false;
    const uint32_t bits = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return true;
}

bool srv_base64_decode(uint8_t *out, size_t *n, const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    uint32_t bits = 0, have = 0; /* bits not written yet */
    bool ended = false;
    *n = 0;
    while (s < end) {
        if (have == 0 && !ended && end - s >= 4 && decode_four(out + *n, s)) {
            s += 4;
            *n += 3;
            continue;
        }
        const uint32_t value = meaning[*s++];
        if (value == 0 || (value & IS_DIGIT && ended))
            return false;
        ended = ended || value == IS_PADDING;
        if (!(value & IS_DIGIT))
            continue;
        bits = bits << 6 | (value & 63);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[(*n)++] = (uint8_t)(bits >> have);
        }
    }
    return have < 6; /* a lone digit spells no byte */
}
