/* buckets.c: see buckets.h. */
#include "train/buckets.h"

#include "base/memory.h"
#include "base/status.h"

#define LINE ((size_t)16) /* tensors begin at multiples of it, and what lies between is zero */

/* ---- cutting ---- */

/* Cuts [begin, end) from its end; buckets NULL: only counts. */
static size_t cut(al_bucket *buckets, align_tower owner, size_t begin, size_t end, size_t most)
{
    size_t n = 0;
    for (; end > begin; n++) {
        const size_t count = end - begin < most ? end - begin : most;
        end -= count;
        if (buckets)
            buckets[n] = (al_bucket){owner, end, count};
    }
    return n;
}

static bool learns(const al_trainable_entry *e, align_tower owner)
{
    return e->owner == owner && e->gradient->data != NULL;
}

/* Buckets of an owner, tensors that lie side by side together; buckets NULL: only counts. */
static size_t cut_owner(const al_trainable *t, align_tower owner, size_t most, al_bucket *buckets)
{
    size_t n = 0, begin = 0, end = 0;
    for (size_t i = t->n_entries; i-- > 0;) {
        const al_trainable_entry *e = &t->entries[i];
        if (!learns(e, owner))
            continue;
        const size_t after = e->offset + (e->elements + LINE - 1) / LINE * LINE;
        if (after != begin) {
            n += cut(buckets ? buckets + n : NULL, owner, begin, end, most);
            end = after;
        }
        begin = e->offset;
    }
    return n + cut(buckets ? buckets + n : NULL, owner, begin, end, most);
}

/* ---- beginning ---- */

static bool is_whole(const al_buckets *b, const al_bucket *bucket)
{
    return bucket->offset >= (bucket->owner == ALIGN_TOWER_TEXT ? b->text_whole : b->vision_whole);
}

static void begin_whole(al_buckets *b)
{
    for (; b->next < b->n && is_whole(b, &b->buckets[b->next]); b->next++) {
        const al_bucket *bucket = &b->buckets[b->next];
        b->ranks->begin_sum(b->ranks->user, b->trainable->gradient + bucket->offset, bucket->count);
    }
    b->ranks->go_on(b->ranks->user);
}

static void whole(void *user, const align_tensor *from)
{
    al_buckets *b = user;
    for (size_t i = 0; i < b->trainable->n_entries; i++) {
        const al_trainable_entry *e = &b->trainable->entries[i];
        if (e->gradient == from)
            *(e->owner == ALIGN_TOWER_TEXT ? &b->text_whole : &b->vision_whole) = e->offset;
    }
    begin_whole(b);
}

void al_buckets_finish(al_buckets *b)
{
    b->text_whole = b->vision_whole = 0;
    begin_whole(b);
    b->ranks->end_sums(b->ranks->user);
    b->text_whole = b->vision_whole = SIZE_MAX;
    b->next = 0;
}

align_status al_buckets_init(al_buckets *b, al_trainable *t, const al_collective *ranks, align_error *err)
{
    /* What both towers share comes last: it is small. */
    static const align_tower order[] = {ALIGN_TOWER_TEXT, ALIGN_TOWER_VISION, ALIGN_TOWER_BOTH};
    *b = (al_buckets){.ranks = ranks, .trainable = t, .text_whole = SIZE_MAX, .vision_whole = SIZE_MAX};
    b->watch = (al_gradient_watch){b, whole};
    size_t n = 0;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        n += cut_owner(t, order[i], ranks->most, NULL);
    b->buckets = al_calloc(n, sizeof *b->buckets);
    if (!b->buckets)
        return al_error_no_memory(err, n * sizeof *b->buckets);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        b->n += cut_owner(t, order[i], ranks->most, b->buckets + b->n);
    return ALIGN_OK;
}

void al_buckets_done(al_buckets *b)
{
    al_free(b->buckets);
    *b = (al_buckets){0};
}
