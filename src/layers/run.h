#ifndef AL_RUN_H
#define AL_RUN_H
/*
 * run.h: what every layer is handed besides its weights and its input.
 *
 * A forward pass is run twice (see base/arena.h): first dry, to learn how much workspace it takes. A dry layer returns
 * at once; only takes from the arena count. So whoever writes a tower writes it once, and the plan is the text itself.
 */
#include "base/arena.h"
#include "base/threads.h"
#include "kernels/kernels.h"

typedef struct al_profile al_profile;

typedef struct al_run {
    const al_kernels *kernels;
    al_threads *threads;
    al_arena *arena; /* workspace of this pass */
    bool dry;
    al_profile *profile; /* where the time goes (profile.h); NULL: not kept, as in every dry run */
} al_run;
#endif
