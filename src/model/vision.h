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

/* Channels, rows and columns after the stem (i = 0) and after block i - 1, for pictures of height x width; rows or
 * columns are 0 when the picture is too small. */
typedef struct al_vision_shape {
    size_t channels, rows, columns;
} al_vision_shape;
size_t al_vision_blocks(const al_vision_tower *tower);
al_vision_shape al_vision_shape_after(const al_vision_tower *tower, size_t i, size_t height, size_t width);
#endif
