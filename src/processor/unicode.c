/* unicode.c: looking up the generated tables, and UTF-8. */
#include "processor/unicode.h"

#include "processor/unicode_tables.h"

#include <string.h>

#define DOTTED_CAPITAL_I   0x130
#define COMBINING_DOT      0x307
#define HANGUL_FIRST       0xAC00u
#define HANGUL_COUNT       11172u
#define HANGUL_L_FIRST     0x1100u
#define HANGUL_V_FIRST     0x1161u
#define HANGUL_T_FIRST     0x11A7u
#define HANGUL_T_COUNT     28u
#define HANGUL_VT_COUNT    588u
#define EIGHT_HIGH_BITS    UINT64_C(0x8080808080808080)
#define SMALLEST_SURROGATE 0xD800u
#define LARGEST_SURROGATE  0xDFFFu
#define LARGEST_CODE_POINT 0x10FFFFu

const al_unicode *al_unicode_of(uint32_t code)
{
    return &al_unicode_records[al_unicode_blocks[al_unicode_pages[code / AL_UNICODE_BLOCK]][code % AL_UNICODE_BLOCK]];
}

static size_t decompose_hangul(uint32_t index, uint32_t out[AL_UNICODE_MOST])
{
    out[0] = HANGUL_L_FIRST + index / HANGUL_VT_COUNT;
    out[1] = HANGUL_V_FIRST + index % HANGUL_VT_COUNT / HANGUL_T_COUNT;
    out[2] = HANGUL_T_FIRST + index % HANGUL_T_COUNT;
    return out[2] == HANGUL_T_FIRST ? 2 : 3;
}

size_t al_unicode_decompose(uint32_t code, uint32_t out[AL_UNICODE_MOST])
{
    out[0] = code;
    if (!(al_unicode_of(code)->flags & AL_UNICODE_DECOMPOSES))
        return 1;
    if (code - HANGUL_FIRST < HANGUL_COUNT)
        return decompose_hangul(code - HANGUL_FIRST, out);
    size_t low = 0, high = al_unicode_decomposition_count;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (al_unicode_decompositions[middle].code <= code)
            low = middle;
        else
            high = middle;
    }
    const size_t first = al_unicode_decompositions[low].first;
    const size_t count = al_unicode_decompositions[low + 1].first - first;
    memcpy(out, al_unicode_pool + first, count * sizeof *out);
    return count;
}

size_t al_unicode_lower(uint32_t code, uint32_t out[2])
{
    if (code == DOTTED_CAPITAL_I) {
        out[0] = 'i';
        out[1] = COMBINING_DOT;
        return 2;
    }
    out[0] = (uint32_t)((int32_t)code + al_unicode_of(code)->lower);
    return 1;
}

/* Bytes of the sequence that starts here, 0 when it is not one. Bytes up to end may be looked at. */
static size_t sequence_length(const unsigned char *s, const unsigned char *end)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t n = s[0] < 0x80 ? 1 : s[0] < 0xC0 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF8 ? 4 : 0;
    if (n < 2)
        return n;
    if ((size_t)(end - s) < n)
        return 0;
    uint32_t code = s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3Fu);
    }
    const bool surrogate = code >= SMALLEST_SURROGATE && code <= LARGEST_SURROGATE;
    return code < smallest[n] || code > LARGEST_CODE_POINT || surrogate ? 0 : n;
}

size_t al_utf8_check(const char *text, size_t size)
{
    const unsigned char *const start = (const unsigned char *)text, *const end = start + size;
    const unsigned char *s = start;
    while (s < end) {
        uint64_t eight;
        if (end - s >= 8 && (memcpy(&eight, s, 8), !(eight & EIGHT_HIGH_BITS))) {
            s += 8;
            continue;
        }
        const size_t n = sequence_length(s, end);
        if (n == 0)
            break;
        s += n;
    }
    return (size_t)(s - start);
}

size_t al_utf8_decode(const char *text, uint32_t *code)
{
    const unsigned char *const s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *code = s[0];
        return 1;
    }
    if (s[0] < 0xE0) {
        *code = (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
        return 2;
    }
    if (s[0] < 0xF0) {
        *code = (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
        return 3;
    }
    *code = (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
    return 4;
}

size_t al_utf8_encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    const size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xFF) | code);
    return n;
}

uint32_t al_utf8_before(const char *end)
{
    uint32_t code;
    do
        end--;
    while (((unsigned char)*end & 0xC0) == 0x80);
    al_utf8_decode(end, &code);
    return code;
}

size_t al_utf8_count(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}
