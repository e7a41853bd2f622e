#ifndef AL_NORM_H
#define AL_NORM_H
/* norm.h: layer norm over the rows of a matrix, forwards and backwards, and the folding of a batch norm with frozen
 * statistics. */
#include "layers/packing.h"
#include "layers/run.h"

typedef struct al_layer_norm {
    size_t n;
    float eps;
    const float *weight, *bias; /* [n] */
} al_layer_norm;

/* Takes room for weight and bias and copies them there as f32. */
void al_layer_norm_init(al_layer_norm *norm, const al_packing *packing, float eps, const align_tensor *weight,
                        const align_tensor *bias);

/* x [rows, n] -> y [rows, n]; y may be x. */
void al_layer_norm_forward(const al_run *run, const al_layer_norm *norm, size_t rows, const float *x, float *y);

/*
 * Given the gradient of y: dx [rows, n], which may be dy, and the gradients of weight and bias, [n] each, which are
 * added to; NULL: not wanted.
 */
void al_layer_norm_backward(const al_run *run, const al_layer_norm *norm, size_t rows, const float *x, const float *dy,
                            float *dx, float *dweight, float *dbias);

/*
 * (z - mean) / sqrt(var + eps) * weight + bias as z * scale + shift: fills scale and shift, [n] each. Computed in
 * double, rounded once.
 */
void al_batch_norm_fold(double eps, const align_tensor *weight, const align_tensor *bias, const align_tensor *mean,
                        const align_tensor *var, float *scale, float *shift);
#endif
