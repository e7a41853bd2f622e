#ifndef AL_BUCKETS_H
#define AL_BUCKETS_H
/*
 * buckets.h: adds up the gradients of all ranks, while those of lower layers are still computed.
 *
 * What learns is cut into buckets once, in the order in which a step gets to it: the layers of the text tower from the
 * last to the first, then those of the vision tower. All ranks begin the sums in this order; a bucket that is not whole
 * yet holds back those behind it.
 */
#include "model/trainable.h"
#include "model/training.h"

typedef struct al_bucket {
    align_tower owner;
    size_t offset, count; /* floats of the trainable's gradient */
} al_bucket;

typedef struct al_buckets {
    const al_collective *ranks;
    al_trainable *trainable;
    size_t n, next; /* next: the first that has not begun */
    al_bucket *buckets;
    size_t text_whole, vision_whole; /* gradients of the tower are whole from this offset on */
    al_gradient_watch watch;         /* for the step whose end is that of the gradients */
} al_buckets;

/* Freeze what does not learn first. trainable and ranks must outlive them; so must the address of buckets. */
align_status al_buckets_init(al_buckets *buckets, al_trainable *trainable, const al_collective *ranks,
                             align_error *err);
void al_buckets_done(al_buckets *buckets);

/* After the step: returns when the trainable's gradient is the sum over all ranks. */
void al_buckets_finish(al_buckets *buckets);
#endif
