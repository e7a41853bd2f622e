#ifndef AL_BATCH_NORM_H
#define AL_BATCH_NORM_H
/*
 * batch_norm.h: batch norm in training: y = act((x - mean) / sqrt(var + eps) * weight + bias), where mean and var are
 * those of the batch, or the running ones, which are constants then.
 *
 * Statistics are summed in double: of x and x^2 on the way forward, of dz and dz (x - mean) on the way back, where dz
 * is the gradient of what act is taken of. Such sums are an array [2][width], and after it the number of rows; with
 * ranks that share their statistics it is added up over all of them. Running variances are unbiased, and momentum is
 * the weight of the new: running = (1 - momentum) running + momentum new.
 */
#include "layers/collective.h"
#include "layers/run.h"

#include <stdint.h>

typedef struct al_batch_norm {
    size_t channels;
    double eps, momentum;
    const float *weight, *bias;             /* [channels] */
    float *running_mean, *running_var;      /* [channels] */
    int64_t *batches;                       /* counted up when the running statistics move */
    float *weight_gradient, *bias_gradient; /* [channels], added to; NULL: frozen */
} al_batch_norm;

/* Whose statistics a pass uses. */
typedef struct al_norm_mode {
    bool batch;  /* the batch's, or else the running ones */
    bool update; /* and move the running ones */
    const al_collective *sync;
} al_norm_mode;

/* What a forward pass finds, for the backward pass: [width] each; beyond the channels all are 0. */
typedef struct al_norm_state {
    size_t width;
    float *mean, *inverse; /* 1 / sqrt(var + eps) */
    float *scale, *shift;  /* z = scale x + shift */
} al_norm_state;

al_norm_state al_norm_state_take(al_arena *arena, size_t width);

/* ---- for whoever adds up the statistics itself ---- */

/* Doubles of an array of sums, and its count of rows. */
size_t al_norm_sums_size(size_t width);
double *al_norm_count(double *sums, size_t width);

/* Adds n columns from `first` on of some rows: what al_channel_kernels.moments says of them. */
void al_norm_add_moments(double *sums, size_t width, size_t first, size_t n, size_t rows, const float *mean,
                         const float *squares);

/* The state of channels [begin, end), from the sums or from the running statistics. */
void al_batch_norm_begin(const al_batch_norm *norm, const al_norm_state *state, const double *sums, size_t begin,
                         size_t end);

/* Moves the running statistics. */
void al_batch_norm_update(const al_batch_norm *norm, size_t width, const double *sums);

/* Adds to the gradients of weight and bias: from one's own sums, before ranks share them. */
void al_batch_norm_gradients(const al_batch_norm *norm, const al_norm_state *state, const double *sums, size_t begin,
                             size_t end);

/* slope and offset of al_norm_act, for channels [begin, end). */
void al_batch_norm_slopes(const al_norm_state *state, const double *sums, size_t begin, size_t end, float *slope,
                          float *offset);

/* ---- of row-major matrices [rows, channels] ---- */

/* x -> the state, and y, which may be x. */
void al_batch_norm_forward(const al_run *run, const al_batch_norm *norm, const al_norm_state *state, al_norm_mode mode,
                           align_activation act, size_t rows, const float *x, float *y);

/* dy -> dx, which may be dy, and the gradients. */
void al_batch_norm_backward(const al_run *run, const al_batch_norm *norm, const al_norm_state *state, al_norm_mode mode,
                            align_activation act, size_t rows, const float *x, const float *dy, float *dx);
#endif
