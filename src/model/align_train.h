#ifndef AL_ALIGN_TRAIN_H
#define AL_ALIGN_TRAIN_H
/*
 * align_train.h: one training step of AlignModel: the loss of a batch of pairs, and its gradient by every parameter
 * that learns. See align_train.c for how a batch is cut into slices.
 */
#include "base/threads.h"
#include "model/trainable.h"
#include "model/training.h"

/* What steps of one model share: workspace and the trainers of its towers. */
typedef struct al_trainer al_trainer;

/* Where a step leaves what it passed through, for those who look closer; NULL: not wanted. */
typedef struct al_step_outputs {
    float *text_embeds, *image_embeds; /* [B, P], of unit length */
    float *pooler_output;              /* [B, P], of the vision tower */

    /* of the vision tower, as al_vision_pass has them; only of a step in one slice */
    float *last_hidden_state;
    const align_tensor *hidden_states;
} al_step_outputs;

typedef struct al_step_options {
    size_t slice;              /* pairs whose activations exist at a time; 0: all pairs */
    align_precision precision; /* of matrix products: F32 or BF16 */
    bool dropout;              /* with the config's rates */
    uint64_t key;              /* of this step's dropout, on all ranks */
    bool batch_statistics; /* batch norm by each slice's statistics, which move the running ones; or else by those */
    float scale;           /* of the gradients: 1 / k where k batches are averaged */
    size_t memory;         /* bytes of workspace at most: what is left after the least keeps activations, the others
                            * are computed twice; 0: all are kept */
    const al_collective *ranks; /* NULL: alone. Otherwise the loss is that of all ranks' pairs together, and gradients
                                 * are this rank's share: their sum over ranks is the gradient */
    size_t first, total;        /* with ranks: this rank's pairs are first .. of total */

    /* This rank's rows of bits: texts and pictures that are right for each other without being a pair (contrast.h). */
    const uint64_t *text_matches, *image_matches;

    const al_gradient_watch *watch; /* NULL, or told while the gradients of this step, the last one, become whole */
    bool sync_statistics; /* with ranks: batch norm by the statistics of all ranks' slices, which must be as many */
    al_step_outputs outputs;
} al_step_options;

/* clang-format off */
#define AL_STEP_OPTIONS_INIT { 0, ALIGN_PRECISION_F32, false, 0, true, 1.0f, 0, NULL, 0, 0, NULL, NULL, NULL, false, { NULL, NULL, NULL, NULL, NULL } }
/* clang-format on */

/*
 * trainable and threads must outlive the trainer, which uses them from one thread at a time. UNSUPPORTED for a tower
 * alone.
 */
align_status al_trainer_new(al_trainer **out, al_trainable *trainable, al_threads *threads, align_error *err);
void al_trainer_free(al_trainer *trainer); /* NULL is fine */

/*
 * Adds the loss's gradient to the trainable's, and moves the running statistics. Inputs as align_model_forward takes
 * them, one text a picture. Nothing is changed where it fails: INVALID_ARGUMENT for inputs that do not fit (naming
 * them), for statistics over one value a channel; OUT_OF_MEMORY where `memory` is not enough, naming what is needed.
 * Where one rank fails, all do.
 */
align_status al_trainer_step(al_trainer *trainer, const align_inputs *inputs, const al_step_options *options,
                             double *loss, align_error *err);

/* Gives its memory back until the next step. */
void al_trainer_rest(al_trainer *trainer);

/* Bytes that the largest step so far has needed. */
size_t al_trainer_workspace(const al_trainer *trainer);

#endif
