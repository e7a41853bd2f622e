#ifndef AL_CHANNELS_H
#define AL_CHANNELS_H
/*
 * channels.h: what the training of a convolutional tower does channel by channel: batch norms with the activation after
 * them, and the gradients of depthwise convolutions. Written like the rest of kernels.h: channels.c says in plain C
 * what each function means.
 *
 * A matrix of channels is `rows` pixels of n numbers, stride floats apart: a panel (n = stride = nr) or row-major. All
 * matrices of a call have the same n and stride. Sums are added up in stretches of rows that depend on n and rows
 * alone.
 */
#include <align/config.h>
#include <stddef.h>

/*
 * y = act(z) gate, z = scale x + shift, and back. With dz = (dy gate + extra) act'(z), dy being the gradient of y:
 *     dx = scale dz + slope (x - mean) + offset,
 * which is a batch norm's backward pass when slope and offset come from the sums of dz and dz (x - mean). All are [n].
 */
typedef struct al_norm_act {
    align_activation act;
    size_t n, stride;
    const float *scale, *shift;
    const float *gate;  /* NULL: 1 */
    const float *extra; /* NULL: 0 */
    const float *mean, *slope, *offset;
} al_norm_act;

/* The sums over pixels from which those of dz and dz (x - mean) follow for any gate and extra, [n] each; in terms of
 * dy, h = act(z), h' = act'(z) and u = x - mean. They are added to. */
typedef struct al_gate_sums {
    float *dy_h, *dy_slope, *slope, *dy_slope_u, *slope_u;
} al_gate_sums;

/* The gradients of a depthwise convolution of one panel: see al_depthwise, of which in_pixel is nr here. */
typedef struct al_depthwise_gradient {
    size_t in_rows, in_columns, out_rows, out_columns;
    size_t channels; /* a multiple of vl, at most nr; what is in the others is undefined */
    size_t kernel, stride;
    ptrdiff_t top, left;
    const float *in;     /* [in_rows, in_columns, nr] */
    const float *weight; /* [kernel, kernel, nr] */
    const float *dout;   /* the gradient of out */
    float *din;          /* of in: written */
    float *dweight;      /* of weight: added to */
} al_depthwise_gradient;

typedef struct al_channel_kernels {
    /* mean[c] of the rows, and squares[c], the sum of (x - mean)^2; rows >= 1 */
    void (*moments)(size_t rows, size_t n, size_t stride, const float *x, float *mean, float *squares);

    /* y from x, which it may be; sums[c] += y where sums is not NULL */
    void (*norm_act)(const al_norm_act *p, size_t rows, const float *x, float *y, float *sums);

    /* dz from x and dy, which it may be; dz_sum += dz, dz_u_sum += dz (x - mean) */
    void (*norm_act_sums)(const al_norm_act *p, size_t rows, const float *x, const float *dy, float *dz, float *dz_sum,
                          float *dz_u_sum);

    /* The five sums. */
    void (*gate_sums)(const al_norm_act *p, size_t rows, const float *x, const float *dy, const al_gate_sums *sums);

    /* dx from x and dy, either of which it may be */
    void (*norm_act_backward)(const al_norm_act *p, size_t rows, const float *x, const float *dy, float *dx);

    void (*depthwise_weight)(const al_depthwise_gradient *g); /* dweight */
    void (*depthwise_input)(const al_depthwise_gradient *g);  /* din; for stride 1 a convolution of dout is faster */
} al_channel_kernels;

extern const al_channel_kernels al_channel_kernels_ref;

#endif
