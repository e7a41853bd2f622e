#ifndef AL_CONV_H
#define AL_CONV_H
/*
 * conv.h: the parts of an EfficientNet block, with batch norms folded (their statistics are frozen).
 *
 * B pictures of y rows and x columns. The stream between blocks is row-major [B*y*x, C], a pixel a row; expanded
 * pictures are in panels of channels (kernels.h), with all B*y*x pixels in each panel.
 */
#include "layers/linear.h"

/* ---- full 3x3 convolution of the stem ---- */

/*
 * The windows of a 3x3 convolution with stride 2 over pictures padded with one zero row and column at the right and
 * bottom (the reference's stem): pixels [B, G, h, w] channels first -> rows [B*(h/2)*(w/2), G*9], in the order of a
 * weight [S, G, 3, 3].
 */
void al_stem_windows(const al_run *run, size_t batch, size_t channels, size_t height, size_t width, const float *pixels,
                     float *windows);

/* ---- depthwise convolution ---- */

typedef struct al_depthwise_conv {
    size_t channels, kernel, stride;
    ptrdiff_t before, after; /* zero padding on the left and top, and on the right and bottom; negative: cropping */
    const float *weight;     /* [panels][kernel][kernel][nr] */
    const float *bias;       /* [panels * nr] */
} al_depthwise_conv;

/* Packs weight [channels, 1, kernel, kernel], channel c multiplied by scale[c], and bias; see al_linear_init. */
void al_depthwise_conv_init(al_depthwise_conv *conv, const al_packing *packing, const align_tensor *weight,
                            const float *scale, const float *bias);

/* Rows (or columns) that come out of n; 0 when the window does not fit. */
size_t al_depthwise_conv_size(const al_depthwise_conv *conv, size_t n);

/*
 * The first half of a block: x [B*y*x, C] row-major -> expand [E], act -> depthwise, act -> y [B*y'*x', E] in panels,
 * and means [B, panels * nr] over the pixels of each picture of y. expand NULL: none, E = C.
 *
 * One panel of one picture goes through all of it at once: the expanded picture exists only a band of rows of one panel
 * at a time, in a cache, and the thread that filtered them adds them up. In a profile they are two steps nevertheless,
 * EXPAND and DEPTHWISE, which begin here.
 */
void al_expand_depthwise_forward(const al_run *run, const al_linear *expand, const al_depthwise_conv *conv,
                                 size_t batch, size_t rows, size_t columns, const float *x, align_activation act,
                                 float *y, float *means);

/* ---- squeeze and excite, pooling, layout ---- */

typedef struct al_squeeze_excite {
    al_linear reduce, expand; /* [squeezed, C], [C, squeezed] */
} al_squeeze_excite;

/* The gates: means [B, panels * nr] -> gates [B, panels * nr] = sigmoid(expand(act(reduce(means)))). */
void al_squeeze_excite_gates(const al_run *run, const al_squeeze_excite *se, size_t batch, const float *means,
                             align_activation act, float *gates);

/*
 * The projection of gated pixels: y [B*pixels, out] = (x * gates) W^T + b + residual. Where a picture has more pixels
 * than the projection has columns, the gates scale a copy of the weights instead of the pixels; x is overwritten
 * otherwise.
 */
void al_gated_projection(const al_run *run, const al_linear *projection, size_t batch, size_t pixels, float *x,
                         const float *gates, const float *residual, float *y);

/* y [B, C] = mean (or largest) over the pixels of x [B*pixels, C], row-major. */
void al_pool(const al_run *run, size_t batch, size_t pixels, size_t channels, bool max, const float *x, float *y);

/* x [B*pixels, C] row-major -> y [B, C, pixels]: channels first, as the reference hands pictures out. */
void al_channels_first(const al_run *run, size_t batch, size_t pixels, size_t channels, const float *x, float *y);
#endif
