/* vocabulary.c: an open-addressing hash table from text to id, and an array from id to text. */
#include "processor/vocabulary.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#define FIRST_SLOTS 64

static uint64_t hash(const char *text, size_t size)
{
    const uint64_t h = al_hash(AL_HASH_START, text, size);
    return h ^ h >> 32;
}

/* The slot that holds the text, or the empty one where it would go. */
static uint32_t *slot_of(const al_vocabulary *v, const char *text, size_t size)
{
    const size_t mask = v->slot_count - 1;
    for (size_t i = hash(text, size) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = v->slots + i;
        if (*slot == 0)
            return slot;
        const al_token *token = v->tokens + *slot - 1;
        if (token->size == size && memcmp(al_vocabulary_text(v, token), text, size) == 0)
            return slot;
    }
}

/* Room for one more token: at least half of the slots stay empty. */
static align_status grow(al_vocabulary *v, align_error *err)
{
    if (v->count < v->capacity)
        return ALIGN_OK;
    const size_t capacity = v->capacity ? 2 * v->capacity : FIRST_SLOTS / 2;
    al_token *tokens = al_realloc(v->tokens, capacity * sizeof *tokens);
    if (!tokens)
        return al_error_no_memory(err, capacity * sizeof *tokens);
    v->tokens = tokens;
    uint32_t *slots = al_calloc(2 * capacity, sizeof *slots);
    if (!slots)
        return al_error_no_memory(err, 2 * capacity * sizeof *slots);
    al_free(v->slots);
    v->slots = slots;
    v->slot_count = 2 * capacity;
    v->capacity = capacity;
    for (size_t i = 0; i < v->count; i++)
        *slot_of(v, al_vocabulary_text(v, tokens + i), tokens[i].size) = (uint32_t)i + 1;
    return ALIGN_OK;
}

/* Room for an id. */
static align_status grow_ids(al_vocabulary *v, uint32_t id, align_error *err)
{
    if (id < v->id_count)
        return ALIGN_OK;
    if (id >= v->id_capacity) {
        size_t capacity = v->id_capacity ? v->id_capacity : FIRST_SLOTS;
        while (capacity <= id)
            capacity *= 2;
        uint32_t *by_id = al_realloc(v->by_id, capacity * sizeof *by_id);
        if (!by_id)
            return al_error_no_memory(err, capacity * sizeof *by_id);
        memset(by_id + v->id_capacity, 0, (capacity - v->id_capacity) * sizeof *by_id);
        v->by_id = by_id;
        v->id_capacity = capacity;
    }
    v->id_count = (size_t)id + 1;
    return ALIGN_OK;
}

align_status al_vocabulary_add(al_vocabulary *v, const char *text, size_t size, uint32_t id, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(grow(v, err));
    TRY(grow_ids(v, id, err));
    uint32_t *slot = slot_of(v, text, size);
    if (*slot) {
        al_token *token = v->tokens + *slot - 1;
        v->by_id[token->id] = 0;
        token->id = id;
    } else {
        const size_t offset = v->text.size;
        al_buffer_put(&v->text, text, size);
        al_buffer_putc(&v->text, '\0');
        TRY(al_buffer_check(&v->text, err));
        v->tokens[v->count++] = (al_token){offset, size, id};
        *slot = (uint32_t)v->count;
    }
    v->by_id[id] = *slot;
done:
    return status;
}

void al_vocabulary_done(al_vocabulary *v)
{
    al_buffer_done(&v->text);
    al_free(v->tokens);
    al_free(v->slots);
    al_free(v->by_id);
    memset(v, 0, sizeof *v);
}

const al_token *al_vocabulary_find(const al_vocabulary *v, const char *text, size_t size)
{
    if (v->count == 0)
        return NULL;
    const uint32_t slot = *slot_of(v, text, size);
    return slot ? v->tokens + slot - 1 : NULL;
}

const al_token *al_vocabulary_at(const al_vocabulary *v, int64_t id)
{
    if (id < 0 || (uint64_t)id >= v->id_count || v->by_id[id] == 0)
        return NULL;
    return v->tokens + v->by_id[id] - 1;
}
