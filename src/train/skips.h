#ifndef AL_SKIPS_H
#define AL_SKIPS_H
/*
 * skips.h: what was left out and why: all of it counted, the first ALIGN_DATASET_REASONS kept with their reasons.
 */
#include <align/dataset.h>

typedef struct al_skip {
    char *where, *reason;
} al_skip;

typedef struct al_skips {
    size_t count, kept, capacity;
    al_skip *items;
} al_skips;

/* Both texts are copied. */
align_status al_skips_add(al_skips *skips, const char *where, const char *reason, align_error *err);
bool al_skips_get(const al_skips *skips, size_t i, const char **where, const char **reason);
void al_skips_done(al_skips *skips);
#endif
