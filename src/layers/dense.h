#ifndef AL_DENSE_H
#define AL_DENSE_H
/*
 * dense.h: y = x W^T + b while W and b are trained: read where the optimizer keeps them, and backwards.
 */
#include "layers/run.h"

#include <align/model.h>

typedef struct al_dense {
    size_t in, out;
    const float *weight, *bias;             /* [out, in], [out] */
    float *weight_gradient, *bias_gradient; /* the same shapes, added to; NULL: not wanted */
    align_precision precision;
} al_dense;

/* x [rows, in] -> y [rows, out], rows of y y_stride apart. */
void al_dense_forward(const al_run *run, const al_dense *dense, size_t rows, const float *x, float *y, size_t y_stride);

/* Adds the gradients of weight and bias, given that of y, rows dy_stride apart; dx [rows, in] = (or, with add, +=) dy
 * W, where it is not NULL. */
void al_dense_backward(const al_run *run, const al_dense *dense, size_t rows, const float *x, const float *dy,
                       size_t dy_stride, bool add, float *dx);
#endif
