#ifndef AL_EXPANDED_H
#define AL_EXPANDED_H
/*
 * expanded.h: the expanded half of an EfficientNet block in training, where batch norms use the statistics of the
 * batch.
 *
 *     x -> expand e -> norm, act -> depthwise d -> norm, act h
 *
 * Expanded pictures are large, and to read them again costs more than to compute on them. So e and d, as they are
 * before their norms, are all that there is of them, and norm and activation are computed again wherever they are
 * needed. What fits in a cache goes through all steps panel by panel. Layouts are those of conv.h.
 */
#include "layers/batch_norm.h"

#include <align/model.h>

/* The expanded half of one block during one pass. `width` is the channels in whole panels. */
typedef struct al_expanded {
    size_t batch, in, channels;
    size_t rows, columns, out_rows, out_columns; /* of x and e; of d */
    size_t kernel, stride;
    ptrdiff_t before; /* padding at the top and left; negative: cropping */
    align_activation act;
    align_precision precision;
    al_norm_mode mode;
    const float *x;      /* [B*y*x, in] */
    const float *expand; /* [channels, in]; NULL: none, and e is absent */
    const float *filter; /* [channels, kernel, kernel] */
    al_batch_norm expand_norm, depthwise_norm;
    al_norm_state expand_state, depthwise_state; /* of width */
    float *e, *d;                                /* in panels */
} al_expanded;

/* x -> e, d, the states, and h in panels, which may be d, with its means [B, channels] over pixels. */
void al_expanded_forward(const al_run *run, const al_expanded *c, float *h, float *means);

/* The same with the states as they are: e and d where they were not kept, and h times gates [B, width]. */
void al_expanded_again(const al_run *run, const al_expanded *c, bool kept, const float *gates, float *h);

/* What a block learns from the gradient dh of the gated h, before it knows that of the gates. */
typedef struct al_gated_sums {
    float *data; /* [B][panels][5][nr], see al_gate_sums */
} al_gated_sums;
al_gated_sums al_gated_sums_take(const al_run *run, const al_expanded *c);

/* dh -> sums, and the gradient of the gates [B, width]. */
void al_expanded_gate_sums(const al_run *run, const al_expanded *c, float *dh, al_gated_sums sums, float *dgates);

/* Where gradients go, added to what is there; NULL: frozen. */
typedef struct al_expanded_gradient {
    float *expand, *filter;
} al_expanded_gradient;

/*
 * The rest: dh (overwritten) and what reaches every pixel of h besides, extra [B, width] -> the gradients; and, if dx
 * is not NULL, dx [B*y*x, in], to which residual is added (NULL: nothing). dx may be c->x. e is overwritten.
 */
void al_expanded_backward(const al_run *run, const al_expanded *c, const float *gates, const float *extra,
                          al_gated_sums sums, float *dh, const al_expanded_gradient *gradient, const float *residual,
                          float *dx);
#endif
