#ifndef AL_UNICODE_TABLES_H
#define AL_UNICODE_TABLES_H
/*
 * unicode_tables.h: the shape of the generated tables; only unicode.c reads them.
 */
#include "processor/unicode.h"

#define AL_UNICODE_BLOCK 128

/* A code point's decomposition starts at pool[first] and ends where the next entry's starts. Sorted by code point. */
typedef struct al_unicode_decomposition {
    uint32_t code;
    uint16_t first;
} al_unicode_decomposition;

extern const al_unicode al_unicode_records[];
extern const uint8_t al_unicode_pages[];                    /* code point / AL_UNICODE_BLOCK to a block */
extern const uint8_t al_unicode_blocks[][AL_UNICODE_BLOCK]; /* to a record */
extern const uint16_t al_unicode_decomposition_count;
extern const al_unicode_decomposition al_unicode_decompositions[]; /* one more, as an end */
extern const uint32_t al_unicode_pool[];
#endif
