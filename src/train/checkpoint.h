#ifndef AL_CHECKPOINT_H
#define AL_CHECKPOINT_H
/*
 * checkpoint.h: what a run leaves on disk, and going on from it.
 *
 *     OUTPUT/checkpoint-1200/   config.json, model.safetensors, tokenizer and preprocessor files: a model folder
 *                               trainer_state.safetensors: moments, averages, losses so far
 *                               trainer_state.json: the step, the recipe, the best validation
 *     OUTPUT/best/              the model folder of the best validation
 *     OUTPUT/                   the model folder of the last step
 *
 * A folder is written under a name that begins with a dot, and renamed when it is whole and on disk.
 */
#include "train/optimizer.h"

#include <align/processor.h>
#include <jansson.h>

/* Everything that a run is, at the end of a step. */
typedef struct al_progress {
    al_trainable *trainable;
    al_optimizer *optimizer;
    const align_processor *processor;
    const char *output;
    json_t *recipe; /* what a run that goes on must share */
    int64_t step;   /* updates done */
    float *losses;  /* [step], with room for every step of the run */
    align_recall best;
    int64_t best_step; /* 0: there was no validation */
} al_progress;

/* Removes what a run that was killed left half written. */
align_status al_checkpoint_prepare(const char *output, align_error *err);

/* Writes checkpoint-STEP and removes all but the last `keep`. */
align_status al_checkpoint_save(const al_progress *progress, int64_t keep, align_error *err);

/* The step of the last checkpoint; 0: there is none. */
align_status al_checkpoint_last(const char *output, int64_t *step, align_error *err);

/*
 * Fills progress from the checkpoint of that step, but for recipe, which is compared. Errors: MISMATCH (another recipe
 * or config, naming the key), and those of the files.
 */
align_status al_checkpoint_load(al_progress *progress, int64_t step, align_error *err);

/* Writes the model, with averaged weights where there are such, as OUTPUT/best or into OUTPUT itself. */
align_status al_checkpoint_save_best(const al_progress *progress, align_error *err);
align_status al_checkpoint_save_result(const al_progress *progress, align_error *err);
#endif
