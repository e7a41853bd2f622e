#ifndef AL_CONV_TRAIN_H
#define AL_CONV_TRAIN_H
/*
 * conv_train.h: the smaller parts of an EfficientNet block in training; expanded.h has the large one. Layouts are those
 * of conv.h.
 */
#include "layers/dense.h"
#include "layers/linear.h"

/* ---- squeeze and excite ---- */

typedef struct al_squeeze {
    size_t batch;
    al_dense reduce, expand; /* [squeezed, channels], [channels, squeezed] */
    align_activation act;
    float *before, *after; /* [B, squeezed]: what act was taken of, and what came out */
    float *gates;          /* [B, width], width being the channels in whole panels */
} al_squeeze;

/* means [B, channels] -> before, after, gates = sigmoid(expand(act(reduce(means)))) */
void al_squeeze_forward(const al_run *run, const al_squeeze *s, const float *means);

/* dgates [B, width] (overwritten) -> the gradients, and dmeans [B, channels] */
void al_squeeze_backward(const al_run *run, const al_squeeze *s, const float *means, float *dgates, float *dmeans);

/* ---- the matrices ---- */

/* A layer without a bias whose weight [out, in] is packed for this pass alone, into the arena. */
al_linear al_pack_for_pass(const al_run *run, align_precision precision, size_t in, size_t out, const float *weight);

/* gradient [out, in] += dy^T x, over `rows` rows of dy [rows, out] and x [rows, in]; NULL: frozen */
void al_weight_gradient(const al_run *run, align_precision precision, size_t rows, size_t in, size_t out, al_matrix dy,
                        al_matrix x, float *gradient);

/* ---- pooling ---- */

/* dx [B*pixels, C] from dy [B, C] and, for max, what al_pool saw and gave: the first pixel that is the largest.
 * dx may be x. */
void al_pool_backward(const al_run *run, size_t batch, size_t pixels, size_t channels, bool max, const float *x,
                      const float *y, const float *dy, float *dx);
#endif
