#ifndef AL_NORMALIZER_H
#define AL_NORMALIZER_H
/*
 * normalizer.h: BertNormalizer: clean text, spaces around Chinese characters, accents off, lower case.
 *
 * Reference: tokenizers 0.15.2, normalizers.BertNormalizer.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct al_normalizer {
    bool clean_text;           /* drop control characters, make white space spaces */
    bool handle_chinese_chars; /* spaces around every CJK ideograph */
    bool strip_accents;        /* decompose and drop nonspacing marks */
    bool lowercase;            /* each code point for itself */
} al_normalizer;

typedef struct al_mark {
    uint32_t code;
    uint8_t combining;
    bool first; /* the first of its decomposition, or not decomposed */
} al_mark;

/*
 * Normalised text, and for each of its bytes which code point of the original it came from. Reused from text to text;
 * zeroed ones are empty.
 */
typedef struct al_normalized {
    char *text;
    uint32_t *sources;
    size_t size, capacity;
    /* Combining marks that wait for the end of their sequence, to be put in canonical order. */
    al_mark *marks, *sorted;
    uint32_t *mark_sources; /* of those marks that are first */
    size_t mark_count, mark_source_count, mark_capacity;
    uint32_t last_source;
    bool failed; /* memory ran out */
} al_normalized;

/*
 * Replaces what out holds by the normalised text. text is valid UTF-8; first_source is the number of its first code
 * point. Text may be cut before any ASCII character and normalised piece by piece.
 */
align_status al_normalize(const al_normalizer *normalizer, const char *text, size_t size, uint32_t first_source,
                          al_normalized *out, align_error *err);
void al_normalized_done(al_normalized *normalized);
#endif
