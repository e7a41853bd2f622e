#ifndef AL_BEST_H
#define AL_BEST_H
/*
 * best.h: the best of what was found so far, and no more than that: a heap with the worst of them on top.
 *
 * Found things have an order without ties, by score and then by place; so what is left does not depend on the order in
 * which they came.
 */
#include "search/scan.h"

typedef struct al_best {
    al_found *items; /* grows as needed; the caller frees it with al_free */
    size_t count, capacity;
    size_t most;     /* to keep; not 0 */
    float threshold; /* the lowest score to keep */
} al_best;

/* Below this score nothing will be kept. */
float al_best_limit(const al_best *best);

/* Keeps it if it belongs to the best. A score that is NaN never does. False: no memory for it. */
bool al_best_add(al_best *best, al_found found);

/* Takes all out, best first: to[0 .. best->count). */
void al_best_take(al_best *best, al_found *to);
#endif
