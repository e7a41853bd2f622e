#ifndef AL_CONTEXT_H
#define AL_CONTEXT_H
/*
 * context.h: one caller's threads and memory.
 *
 * A pass has two arenas: the workspace, whose blocks come and go, and the results, which stay until the context's next
 * call. al_context_run runs a pass twice: dry over both arenas to measure them, then for real.
 */
#include "layers/run.h"
#include "model/model.h"

struct align_context {
    const align_model *model;
    al_threads *threads;
    al_arena workspace, results;
    size_t limit;           /* of workspace and results together; 0: none */
    size_t workspace_bytes; /* largest workspace so far */
    al_profile *profile;    /* NULL: not kept */
    /* headers of the lists a forward pass hands out: L + 1, L and blocks + 1 of them; their data are results */
    align_tensor *text_states, *attentions, *vision_states;
};

/* The steps of a pass; everything they keep comes from run->arena (workspace) or results. */
typedef void (*al_pass)(const al_run *run, al_arena *results, void *user);

align_status al_context_run(align_context *context, al_pass pass, void *user, align_error *err);
#endif
