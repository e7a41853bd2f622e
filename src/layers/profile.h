#ifndef AL_PROFILE_H
#define AL_PROFILE_H
/*
 * profile.h: where a pass spends its time.
 *
 * Towers say where a step begins, as headings do; it lasts until the next one, so that the steps add up to the whole
 * pass. Layers say what they multiply and read and write, which counts for the step that they are called in. Nothing
 * here can fail while a pass runs: a profile has room for every step of its model from the beginning.
 *
 * All functions that take a run do nothing where it keeps no profile.
 */
#include "layers/run.h"

#include <align/model.h>

/* A profile of a model with so many blocks and text layers, and a team of so many threads. */
align_status al_profile_new(al_profile **out, size_t blocks, size_t layers, size_t threads, align_error *err);
void al_profile_free(al_profile *profile);
void al_profile_reset(al_profile *profile);
align_profile al_profile_get(const al_profile *profile);

/* The steps that follow are of this tower (BOTH: where they meet) and this block or layer, counted from 1; 0: none. */
void al_profile_block(const al_run *run, align_tower tower, size_t block);

/* A step begins, and the last one ends. */
void al_profile_step(const al_run *run, align_step_kind kind);

/* The pass is over. */
void al_profile_end(const al_run *run);

/* What the step multiplies, the weights it reads, and what else it reads and writes: each byte once. */
void al_profile_count(const al_run *run, size_t macs, size_t weight_bytes, size_t activation_bytes);

/*
 * A loop over threads that goes back and forth between steps of one block: the time from begin to end is shared out as
 * the threads' own times were. A thread starts its clock with al_profile_lap_start and says after each stretch of work
 * which step it was. The step that was going on before is resumed.
 */
void al_profile_laps_begin(const al_run *run);
void al_profile_lap_start(const al_run *run, int thread);
void al_profile_lap(const al_run *run, int thread, align_step_kind kind);
void al_profile_laps_end(const al_run *run);

/* Multiply-adds a second of f32 numbers in registers, all threads together: the best of some short trials. */
double al_peak_macs(const al_kernels *kernels, al_threads *threads);
#endif
