/*
 * normalizer.c: one pass over the text; each code point runs through all steps before the next one starts.
 *
 *     clean -> Chinese -> decompose, order -> drop marks, lower case -> append
 *
 * Only ordering needs to wait: marks after a starter are sorted by combining class when the next starter comes. The
 * reference moves the marks but not their alignments: of the sorted marks, those that are the first of their
 * decomposition take the original positions in the original order, the others the position last taken. A decomposition
 * is itself in canonical order, so its first mark always comes before its others and some position has been taken.
 */
#include "processor/normalizer.h"

#include "base/memory.h"
#include "base/status.h"
#include "processor/unicode.h"

#include <string.h>

/* What one code point can become: a space, 4 decomposed ones in lower case, a space. */
#define MOST_BYTES 32

static bool is_chinese(uint32_t c)
{
    if (c < 0x3400)
        return false;
    /* 2B820 to 2B91F are ideographs too, but the reference has a typo here: 2B920 for 2B820. */
    return (c >= 0x4E00 && c <= 0x9FFF) || c <= 0x4DBF || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

/* Room for this many bytes in all. */
static bool reserve(al_normalized *out, size_t size)
{
    if (out->failed || size <= out->capacity)
        return !out->failed;
    const size_t capacity = size + size / 2;
    char *text = al_realloc(out->text, capacity);
    if (text)
        out->text = text;
    uint32_t *sources = text ? al_realloc(out->sources, capacity * sizeof *sources) : NULL;
    if (sources)
        out->sources = sources;
    out->failed = !sources;
    if (sources)
        out->capacity = capacity;
    return !out->failed;
}

/* The last steps: drop marks, lower case, append. There is room. */
static void append(const al_normalizer *n, al_normalized *out, uint32_t code, uint32_t source)
{
    uint32_t codes[2] = {code};
    size_t count = 1;
    if (n->strip_accents && al_unicode_of(code)->flags & AL_UNICODE_MARK)
        return;
    if (n->lowercase)
        count = al_unicode_lower(code, codes);
    for (size_t i = 0; i < count; i++)
        for (size_t bytes = al_utf8_encode(codes[i], out->text + out->size); bytes > 0; bytes--)
            out->sources[out->size++] = source;
}

/* Stable counting sort by combining class: linear, however many marks somebody piles up. */
static const al_mark *sort_marks(al_normalized *out)
{
    size_t starts[256] = {0};
    bool in_order = true;
    for (size_t i = 0; i < out->mark_count; i++) {
        starts[out->marks[i].combining]++;
        in_order = in_order && (i == 0 || out->marks[i - 1].combining <= out->marks[i].combining);
    }
    if (in_order)
        return out->marks;
    for (size_t class = 0, total = 0; class < 256; class ++) {
        const size_t count = starts[class];
        starts[class] = total;
        total += count;
    }
    for (size_t i = 0; i < out->mark_count; i++)
        out->sorted[starts[out->marks[i].combining]++] = out->marks[i];
    return out->sorted;
}

/* Ends a combining sequence. */
static void flush_marks(const al_normalizer *n, al_normalized *out, size_t more)
{
    if (out->mark_count == 0)
        return;
    const al_mark *marks = sort_marks(out);
    const uint32_t *source = out->mark_sources;
    if (reserve(out, out->size + out->mark_count * 4 + more))
        for (size_t i = 0; i < out->mark_count; i++) {
            if (marks[i].first)
                out->last_source = *source++;
            append(n, out, marks[i].code, out->last_source);
        }
    out->mark_count = out->mark_source_count = 0;
}

static bool reserve_mark(al_normalized *out)
{
    if (out->failed || out->mark_count < out->mark_capacity)
        return !out->failed;
    const size_t capacity = out->mark_capacity ? 2 * out->mark_capacity : 32;
    al_mark *marks = al_realloc(out->marks, capacity * sizeof *marks);
    if (marks)
        out->marks = marks;
    al_mark *sorted = marks ? al_realloc(out->sorted, capacity * sizeof *sorted) : NULL;
    if (sorted)
        out->sorted = sorted;
    uint32_t *sources = sorted ? al_realloc(out->mark_sources, capacity * sizeof *sources) : NULL;
    if (sources) {
        out->mark_sources = sources;
        out->mark_capacity = capacity;
    }
    out->failed = !sources;
    return !out->failed;
}

/* Decomposes and orders. more: what else must find room afterwards. */
static void decompose(const al_normalizer *n, al_normalized *out, uint32_t code, uint32_t source, size_t more)
{
    uint32_t parts[AL_UNICODE_MOST];
    const size_t count = al_unicode_decompose(code, parts);
    for (size_t i = 0; i < count; i++) {
        const uint8_t combining = al_unicode_of(parts[i])->combining;
        if (combining == 0) {
            flush_marks(n, out, more);
            out->last_source = source;
            if (out->failed)
                return;
            append(n, out, parts[i], source);
        } else if (reserve_mark(out)) {
            out->marks[out->mark_count++] = (al_mark){parts[i], combining, i == 0};
            if (i == 0)
                out->mark_sources[out->mark_source_count++] = source;
        }
    }
}

/* From the Chinese step on. */
static void spread(const al_normalizer *n, al_normalized *out, uint32_t code, uint32_t source, size_t more)
{
    const bool chinese = n->handle_chinese_chars && is_chinese(code);
    if (!n->strip_accents) {
        if (chinese)
            append(n, out, ' ', source);
        append(n, out, code, source);
        if (chinese)
            append(n, out, ' ', source);
        return;
    }
    if (chinese)
        decompose(n, out, ' ', source, more);
    decompose(n, out, code, source, more);
    if (chinese)
        decompose(n, out, ' ', source, more);
}

/* What an ASCII character becomes; 0: nothing. */
static unsigned char map_ascii(const al_normalizer *n, unsigned char c)
{
    if (n->clean_text && (c < 0x20 || c == 0x7F))
        return c == '\t' || c == '\n' || c == '\r' ? ' ' : 0;
    return n->lowercase && c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
}

align_status al_normalize(const al_normalizer *n, const char *text, size_t size, uint32_t first_source,
                          al_normalized *out, align_error *err)
{
    const char *const end = text + size;
    uint32_t source = first_source;
    unsigned char ascii[128];
    for (unsigned char c = 0; c < 128; c++)
        ascii[c] = map_ascii(n, c);
    out->size = out->mark_count = out->mark_source_count = 0;
    out->failed = false;
    /* At any time there is room for what is left if it were ASCII, and for one code point more. */
    reserve(out, size + MOST_BYTES);
    for (; text < end && !out->failed; source++) {
        const size_t more = (size_t)(end - text) + MOST_BYTES;
        if ((unsigned char)*text < 0x80) {
            const unsigned char c = ascii[(unsigned char)*text++];
            if (out->mark_count > 0 && c)
                flush_marks(n, out, more);
            if (c && !out->failed) {
                out->text[out->size] = (char)c;
                out->sources[out->size++] = source;
                out->last_source = source;
            }
            continue;
        }
        uint32_t code;
        text += al_utf8_decode(text, &code);
        const uint8_t flags = al_unicode_of(code)->flags;
        if (n->clean_text && flags & AL_UNICODE_DROP)
            continue;
        if (n->clean_text && flags & AL_UNICODE_SPACE)
            code = ' ';
        if (reserve(out, out->size + more))
            spread(n, out, code, source, more);
    }
    flush_marks(n, out, 0);
    return out->failed ? al_error_no_memory(err, out->capacity) : ALIGN_OK;
}

void al_normalized_done(al_normalized *normalized)
{
    al_free(normalized->text);
    al_free(normalized->sources);
    al_free(normalized->marks);
    al_free(normalized->sorted);
    al_free(normalized->mark_sources);
    memset(normalized, 0, sizeof *normalized);
}
