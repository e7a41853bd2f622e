#ifndef AL_TEXT_TRAIN_H
#define AL_TEXT_TRAIN_H
/*
 * text_train.h: the text tower while it is trained: forward, keeping what the gradients need, and backward. See
 * text_train.c.
 *
 *     mark = al_arena_mark(run->arena);
 *     al_text_train_forward(run, trainer, how, pass, states);
 *     ... the loss, and its gradient by states ...
 *     al_text_train_backward(run, trainer, how, pass, gradient);
 *     al_arena_release(run->arena, mark);
 */
#include "model/text.h"
#include "model/training.h"

typedef struct al_text_trainer al_text_trainer;

/* Config and shapes are taken from these; the numbers of a pass are those that it is given. */
align_status al_text_trainer_new(al_text_trainer **out, const align_text_config *config, const al_model_params *params,
                                 align_error *err);
void al_text_trainer_free(al_text_trainer *trainer); /* NULL is fine */

/*
 * first_states [B, H]: the first tokens' last states. The pass's outputs are not looked at. What is kept for backward
 * is taken from the arena and left there; below the lowest layer that learns nothing is kept.
 */
void al_text_train_forward(const al_run *run, al_text_trainer *trainer, const al_training *how,
                           const al_text_pass *pass, float *first_states);

/* Adds the gradients of the tower's parameters. how and pass are those of the last forward pass; gradient is that of
 * first_states. */
void al_text_train_backward(const al_run *run, al_text_trainer *trainer, const al_training *how,
                            const al_text_pass *pass, const float *gradient);
#endif
