/* layers_test.h: what the layer tests share: the kernels of ALIGN_ISA, a team of threads, an arena, numbers. */
#ifndef LAYERS_TEST_H
#define LAYERS_TEST_H
#include "kernels/kernels_test.h"
#include "layers/packing.h"
#include "layers/run.h"

#include <string.h>

/* A run whose arena is ready for `step`: rehearsed, reserved, then run for real; what a tower does, in small. */
typedef void (*step_function)(const al_run *run, void *user);

static inline void run_step(int threads, step_function step, void *user)
{
    al_arena arena = {0};
    al_run run = {al_kernels_get(), NULL, &arena, true, NULL};
    assert_int_equal(al_threads_new(&run.threads, threads, NULL), ALIGN_OK);
    const al_arena_rehearsal kept = al_arena_rehearse(&arena);
    step(&run, user);
    assert_int_equal(arena.used, 0); /* a layer gives back what it takes */
    assert_int_equal(al_arena_reserve(&arena, kept, 0, NULL), ALIGN_OK);
    const size_t planned = arena.size;
    run.dry = false;
    step(&run, user);
    assert_int_equal(arena.used, 0);
    assert_true(arena.peak <= planned);
    al_threads_free(run.threads);
    al_arena_done(&arena);
}

/* Packs by `pack` into an arena of its own: the caller frees it with al_arena_done. */
static inline al_arena packed(al_pack_function pack, void *user)
{
    al_arena arena = {0};
    const al_packing how = {.kernels = al_kernels_get(), .precision = ALIGN_PRECISION_F32};
    assert_int_equal(al_packing_run(&how, &arena, pack, user, NULL), ALIGN_OK);
    return arena;
}
#endif
