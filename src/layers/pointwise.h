#ifndef AL_POINTWISE_H
#define AL_POINTWISE_H
/* pointwise.h: activations and sums of whole arrays, shared out among the threads. */
#include "layers/run.h"

/* y[i] = act(x[i]); y may be x */
void al_activation_forward(const al_run *run, align_activation act, size_t n, const float *x, float *y);

/* dx[i] = dy[i] act'(x[i]), where x is what act was taken of; dx may be dy */
void al_activation_backward(const al_run *run, align_activation act, size_t n, const float *x, const float *dy,
                            float *dx);

/* y[i] += x[i] */
void al_add_to(const al_run *run, size_t n, const float *x, float *y);
#endif
