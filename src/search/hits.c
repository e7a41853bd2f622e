/* hits.c: see hits.h. */
#include "search/hits.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>

/* Strings lie in blocks that are never moved, so that items may point into them while there come more. */
#define BLOCK_BYTES ((size_t)64 * 1024)

typedef struct block {
    struct block *next;
    size_t used, size;
    char bytes[];
} block;

align_status al_hits_begin(al_hits_builder *b, size_t queries, align_error *err)
{
    *b = (al_hits_builder){.wanted = queries};
    b->hits.offsets = queries < SIZE_MAX ? al_calloc(queries + 1, sizeof *b->hits.offsets) : NULL;
    return b->hits.offsets ? ALIGN_OK : al_error_no_memory(err, queries);
}

static char *keep(al_hits_builder *b, const char *text)
{
    const size_t size = text ? strlen(text) + 1 : 1;
    block *last = b->hits.memory;
    if (!last || last->size - last->used < size) {
        const size_t room = size < BLOCK_BYTES ? BLOCK_BYTES : size;
        block *fresh = al_alloc(sizeof *fresh + room);
        if (!fresh)
            return NULL;
        *fresh = (block){last, 0, room};
        b->hits.memory = last = fresh;
    }
    char *copy = last->bytes + last->used;
    memcpy(copy, text ? text : "", size);
    last->used += size;
    return copy;
}

static align_status make_room(al_hits_builder *b, align_error *err)
{
    if (b->count < b->capacity)
        return ALIGN_OK;
    size_t for_items = b->capacity, for_scores = b->capacity;
    align_item *items = al_grow(b->hits.items, b->count, &for_items, sizeof *items);
    if (!items)
        return al_error_no_memory(err, b->count * sizeof *items);
    b->hits.items = items;
    float *scores = al_grow(b->hits.scores, b->count, &for_scores, sizeof *scores);
    if (!scores)
        return al_error_no_memory(err, b->count * sizeof *scores);
    b->hits.scores = scores;
    b->capacity = for_scores;
    return ALIGN_OK;
}

align_status al_hits_add(al_hits_builder *b, const align_item *item, float score, align_error *err)
{
    const align_status status = make_room(b, err);
    if (status != ALIGN_OK)
        return status;
    align_item copy = *item;
    copy.path = keep(b, item->path);
    copy.member = keep(b, item->member);
    copy.text = keep(b, item->text);
    if (!copy.path || !copy.member || !copy.text)
        return al_error_no_memory(err, BLOCK_BYTES);
    b->hits.items[b->count] = copy;
    b->hits.scores[b->count++] = score;
    return ALIGN_OK;
}

void al_hits_next(al_hits_builder *b)
{
    b->hits.offsets[++b->hits.queries] = b->count;
}

void al_hits_end(al_hits_builder *b, align_hits *out)
{
    *out = b->hits;
    *b = (al_hits_builder){0};
}

void al_hits_drop(al_hits_builder *b)
{
    align_hits_done(&b->hits);
    *b = (al_hits_builder){0};
}

void align_hits_done(align_hits *hits)
{
    for (block *at = hits->memory, *next; at; at = next) {
        next = at->next;
        al_free(at);
    }
    al_free(hits->offsets);
    al_free(hits->scores);
    al_free(hits->items);
    *hits = (align_hits){0};
}

align_status al_item_hold(char **memory, align_item *item, align_error *err)
{
    const char **const strings[] = {&item->path, &item->member, &item->text};
    size_t sizes[3], total = 0;
    for (int i = 0; i < 3; i++)
        total += sizes[i] = *strings[i] ? strlen(*strings[i]) + 1 : 1;
    char *at = al_realloc(*memory, total);
    if (!at)
        return al_error_no_memory(err, total);
    *memory = at;
    for (int i = 0; i < 3; at += sizes[i++]) {
        memcpy(at, *strings[i] ? *strings[i] : "", sizes[i]);
        *strings[i] = at;
    }
    return ALIGN_OK;
}
