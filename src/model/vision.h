#ifndef AL_VISION_H
#define AL_VISION_H
/* vision.h (inside): the vision tower. See vision.c for what it computes. */
#include "layers/run.h"
#include "model/model.h"

/* One forward pass over B pictures of h rows and w columns; C channels come out of the last block. */
typedef struct al_vision_pass {
    size_t batch, height, width;
    const align_tensor *pixel_values;  /* [B, G, h, w] of any float dtype */
    float *last_hidden_state;          /* out [B, C, h', w'], or NULL (also with hidden_states, whose last it is) */
    float *pooler_output;              /* out [B, C] */
    const align_tensor *hidden_states; /* out, blocks + 1 of [B, channels, rows, columns]; or NULL */
} al_vision_pass;

void al_vision_forward(const al_run *run, const al_vision_tower *tower, const al_vision_pass *pass);

size_t al_vision_blocks(const al_vision_tower *tower);
#endif
