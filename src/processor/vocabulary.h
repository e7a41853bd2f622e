#ifndef AL_VOCABULARY_H
#define AL_VOCABULARY_H
/*
 * vocabulary.h: tokens and their ids, both ways.
 *
 * A token is any bytes (a vocab.txt may hold an empty one, or a NUL); it is kept NUL-terminated. Ids need not be
 * consecutive, but each belongs to one token at most.
 */
#include "checkpoint/buffer.h"

#include <align/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Ids lie below this: they index arrays, so a file must not be able to ask for any size. The largest known is 1.2 M. */
#define AL_VOCABULARY_IDS (INT64_C(1) << 24)

typedef struct al_token {
    size_t offset; /* into text */
    size_t size;
    uint32_t id;
} al_token;

typedef struct al_vocabulary {
    al_buffer text;
    al_token *tokens; /* in the order they were added */
    size_t count, capacity;
    uint32_t *slots; /* hash table of token numbers + 1; 0 is empty */
    size_t slot_count;
    uint32_t *by_id;              /* token number + 1; 0: no such id */
    size_t id_count, id_capacity; /* id_count is one more than the largest id ever given */
} al_vocabulary;

/*
 * Gives a token an id. A token that is there already moves to the new id and leaves a hole behind. The id must be below
 * AL_VOCABULARY_IDS and belong to no other token.
 */
align_status al_vocabulary_add(al_vocabulary *vocabulary, const char *text, size_t size, uint32_t id, align_error *err);
void al_vocabulary_done(al_vocabulary *vocabulary); /* zeroed ones are fine */

/* The token with this text or this id, or NULL. Valid until the next token is added. */
const al_token *al_vocabulary_find(const al_vocabulary *vocabulary, const char *text, size_t size);
const al_token *al_vocabulary_at(const al_vocabulary *vocabulary, int64_t id);

static inline const char *al_vocabulary_text(const al_vocabulary *vocabulary, const al_token *token)
{
    return vocabulary->text.data + token->offset;
}
#endif
