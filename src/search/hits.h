#ifndef AL_HITS_H
#define AL_HITS_H
/*
 * hits.h: what a query found, as it is put together hit by hit; and items that outlive the row they were read from.
 */
#include <align/search.h>

/* An align_hits that grows. What it holds is copied into it. */
typedef struct al_hits_builder {
    align_hits hits;
    size_t count, capacity, wanted; /* hits so far; room for them; queries to come in all */
} al_hits_builder;

/* For so many queries. Must be ended or dropped, if it fails, too. */
align_status al_hits_begin(al_hits_builder *builder, size_t queries, align_error *err);

/* A hit of the query whose turn it is. */
align_status al_hits_add(al_hits_builder *builder, const align_item *item, float score, align_error *err);

/* That query has all its hits: it is the next one's turn. */
void al_hits_next(al_hits_builder *builder);

/* All queries have had their turn: hands over what was found. */
void al_hits_end(al_hits_builder *builder, align_hits *out);
void al_hits_drop(al_hits_builder *builder); /* a zeroed or an ended one is fine */

/* Lets an item keep its strings: copies them into *memory, which is made larger as needed and freed with al_free. */
align_status al_item_hold(char **memory, align_item *item, align_error *err);
#endif
