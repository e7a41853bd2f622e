#ifndef AL_VISION_TRAIN_H
#define AL_VISION_TRAIN_H
/* vision_train.h: the vision tower in training. See vision_train.c for what it computes. */
#include "layers/run.h"
#include "model/training.h"
#include "model/vision.h"

/* What one pass keeps for its way back; made once, used by one pass at a time. */
typedef struct al_vision_trainer al_vision_trainer;

/* config must outlive the trainer; of params only the number of blocks is read. */
align_status al_vision_trainer_new(al_vision_trainer **out, const align_config *config, const al_model_params *params,
                                   align_error *err);
void al_vision_trainer_free(al_vision_trainer *trainer); /* NULL is fine */

/*
 * Of the pass, batch, height, width and pixel_values are read, pooler_output [B, C] is written, and the states where
 * they are asked for, as al_vision_forward does. What the way back needs stays in run->arena: the caller marks before
 * and releases after backward.
 */
void al_vision_train_forward(const al_run *run, al_vision_trainer *t, const al_training *how,
                             const al_vision_pass *pass);

/*
 * The gradient of pooler_output, [B, C], goes back as far as some parameter below wants one. What it has no more use
 * for is given back block by block, if the arena stands where forward left it: so what has to be taken before backward
 * (pooled_gradient, say) is better taken before forward.
 */
void al_vision_train_backward(const al_run *run, al_vision_trainer *t, const al_training *how,
                              const al_vision_pass *pass, const float *pooled_gradient);
#endif
