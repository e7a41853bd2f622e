#ifndef AL_KERNELS_H
#define AL_KERNELS_H
/*
 * kernels.h: the contract between the layers and the machine.
 *
 * ref.c says in plain C what each function means; an ISA file may only be faster (and add in another order). Nothing
 * here allocates, fails or starts a thread. Pointers need no alignment and arrays do not overlap unless it says so.
 *
 * Panels. Matrices that a GEMM reads or writes may be stored in panels of nr columns, nr being the table's:
 *
 *     element (row, column) at  base + (column / nr) * panel + row * row_stride + column % nr
 *
 * A row-major matrix is the case panel = nr, row_stride = columns. A matrix in panels has panel = rows * nr and
 * row_stride = nr; its last panel is padded to nr columns. Expanded pictures live in panels, so that a depthwise
 * convolution reads nr channels of neighbouring pixels side by side.
 */
#include "kernels/channels.h"
#include "kernels/narrow.h"
#include "kernels/pixels.h"

#include <align/config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct al_matrix {
    const float *data;
    size_t row_stride, panel;
} al_matrix;

/* The numbers that packed weights are made of. */
typedef enum al_element { AL_F32, AL_BF16, AL_S16, AL_S8 } al_element;

/*
 * c = act(bias + a b) + residual for m rows, k inner and n outer columns. a and b are in the form that an al_product
 * says: see there.
 */
typedef struct al_gemm {
    size_t m, n, k;
    al_matrix a;           /* [m, k] in place; only where the product prepares nothing */
    const void *operand;   /* [m] prepared rows, operand_row(k) bytes each; otherwise */
    const void *b;         /* packed weights */
    const float *b_scale;  /* int8: [ceil(n / nr) * nr], what a step of each column's weights is worth */
    const int32_t *b_sum;  /* int8: [ceil(n / nr) * nr], the sum of each column's weights in such steps */
    const float *bias;     /* [ceil(n / nr) * nr], or NULL: zero */
    align_activation act;  /* ALIGN_ACT_LINEAR: none */
    const float *residual; /* row-major, added after act; NULL: none. */
    size_t residual_stride;
    float *c;         /* [m, n]; overlaps nothing else */
    uint16_t *c_bf16; /* if not NULL, c is written here instead, row-major and rounded: see al_product.takes_bf16 */
    size_t c_row_stride, c_panel;
    bool c_padded; /* c has room for whole panels: the padding columns of the last one are written too */
    bool add;      /* c += a b instead; only f32 and bf16, and without bias, act, residual and c_bf16 */
} al_gemm;

/* Rows of numbers that become the operand of a product. */
typedef struct al_operand {
    size_t k;
    al_matrix x;          /* [rows, k] */
    bool lies;            /* x is stored as [k, rows]: see al_product.takes_lying */
    const float *gates;   /* [k]: factors of the columns; NULL: ones; not where x lies */
    void *rows;           /* out: operand_row(k) bytes a row, 64-byte aligned; none of them is left unwritten */
    const uint16_t *bf16; /* in place of x.data, if not NULL: see al_product.takes_bf16 */
} al_operand;

/*
 * One way to multiply activations by weights.
 *
 * Weights are packed as [ceil(n / nr)][ceil(k to a multiple of k_multiple) / group][nr][group] elements: the `group`
 * neighbours along k that one lane of a dot instruction adds up lie together. Padding is zero. bf16 weights are rounded
 * to nearest even; int8 weights are symmetric steps -127..127, one step size a column.
 *
 * Activations are either read in place (prepare NULL) or prepared, once for all panels, into rows that only this
 * product understands: rounded to bf16; or, for int8, quantised with a step and a zero of each row's own (u8 steps over
 * the range of the row and 0, as ONNX's DynamicQuantizeLinear does for a whole tensor); or split into parts. What a row
 * becomes does not depend on the other rows. A row with a NaN or an infinity gives rows that are not finite.
 */
typedef struct al_product {
    const char *name; /* for people */
    al_element element;
    size_t group, k_multiple;
    size_t parts;                    /* elements that a number is packed in, if not one */
    size_t row_group;                /* rows of an operand that lie together: ranges begin at its multiples; 0: any */
    bool takes_lying;                /* prepare takes matrices that lie, too */
    size_t (*operand_row)(size_t k); /* bytes, a multiple of 64 */
    void (*prepare)(const al_operand *o, size_t row_begin, size_t row_end);

    /* Whether m rows by n columns of weights are worth preparing; if not, kernels->gemm is to take them, of which the
     * weights are packed too. NULL: always. */
    bool (*pays)(size_t m, size_t n, size_t k);

    /* Whether a prepared row is its numbers rounded to bf16, then zeros up to a multiple of k_multiple; what follows is
     * not read. */
    bool bf16_rows;

    /* Whether matrices may be bf16: prepare reads such rows, and gemm writes c rounded, where there is no residual.
     * Such a product always prepares. */
    bool takes_bf16;

    /* k rows of nr f32 numbers each, stride apart -> the form of weights, zeros up to a whole group; k in all or a
     * multiple of k_multiple. NULL: rows that follow each other are that form already, or (int8) there is no such way.
     */
    void (*pack)(size_t k, const float *x, size_t stride, void *packed);

    /* Rows [row_begin, row_end) of panels [panel_begin, panel_end) of c. The order in which an element is summed over k
     * does not depend on the ranges. */
    void (*gemm)(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end);
} al_product;

/*
 * A depthwise convolution of one panel of nr channels, its bias (from a folded batch norm) and activation:
 *     out[y, x, c] = act(bias[c] + sum over i, j of in[y s + i - top, x s + j - left, c] * weight[i, j, c])
 * where in is zero outside. Rows and columns of pixels are contiguous. What comes out is added up on
 * the way, row by row: the sums do not depend on how the rows are divided over calls, as long as these come in order.
 */
typedef struct al_depthwise {
    size_t in_rows, in_columns, out_rows, out_columns;
    size_t channels; /* to compute: a multiple of vl, at most nr; what is in the others of out is undefined */
    size_t in_pixel; /* floats from one pixel of in to the next */
    size_t kernel, stride;
    ptrdiff_t top, left; /* padding; negative: cropping */
    align_activation act;
    const float *in;     /* [in_rows, in_columns, in_pixel], of which channels are read */
    const float *weight; /* [kernel, kernel, nr] */
    const float *bias;   /* [nr] */
    float *out;          /* [out_rows, out_columns, nr] */
    float *sums;         /* [nr]: the rows computed are added to it; NULL: not wanted */
} al_depthwise;

/*
 * What a step of Adam is made of, for one tensor. With g the gradient times scale, per weight:
 *     m = m + new1 (g - m),  v = old2 v + new2 g g                     the moments
 *     r = correct m / (root sqrt(v) + epsilon)                         Adam's direction
 *     w = keep w - rate r                                              the step; keep < 1 is decoupled weight decay
 *     average = average + new_average (w - average)                    the moving average, where there is one
 */
typedef struct al_adam {
    float scale, new1, old2, new2;
    float correct, root, epsilon; /* 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
    float decay;                  /* weight decay, for the norms of LAMB alone */
    float keep, rate, new_average;
} al_adam;

/* The arrays of one tensor, or of a stretch of it; average NULL: none. */
typedef struct al_adam_arrays {
    const float *gradient;
    float *first, *second, *weight, *average;
} al_adam_arrays;

/*
 * Dropout: number i of a stream under key is half i % 2 of al_random_bits(key, i / 2), low half first, and one that is
 * below `dropped` drops what stands at place i; the others are scaled.
 */
typedef struct al_dropping {
    uint64_t key;
    uint32_t dropped;
    float scale;
} al_dropping;

#define AL_PEAK_LANES 512

typedef struct al_kernels {
    const char *isa;
    size_t nr; /* columns of a panel */
    size_t vl; /* floats of a vector; a panel is a few of them */
    size_t mr; /* rows of a tile: hand out rows in multiples of this */

    const al_product *products[ALIGN_PRECISION_COUNT]; /* the best of each precision */

    /* The best product of two f32 matrices that are both new, where it pays; NULL: products[ALIGN_PRECISION_F32]. It
     * multiplies, with bias or add, and nothing else. */
    const al_product *new_product;

    /* The plain f32 product: element AL_F32, group 1, k_multiple 1, a in place. Every element is summed over k in
     * ascending order. Matrices that are needed once are not worth preparing for another. */
    void (*gemm)(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end);

    /* Rows [row_begin, row_end) of out. */
    void (*depthwise)(const al_depthwise *d, size_t row_begin, size_t row_end);

    /* x[i] = act(x[i]) */
    void (*activate)(align_activation act, size_t n, float *x);

    /* The same to within 5e-5, and 5e-5 of what comes out where x > 0: for numbers that come from rounded ones and will
     * be rounded again, as those of bf16 and int8 products are. */
    void (*activate_roughly)(align_activation act, size_t n, float *x);

    /* dx[i] = dy[i] act'(x[i]), where x is what act was taken of; dx may be dy. In a corner of act the slope is that of
     * the reference. */
    void (*activate_backward)(align_activation act, size_t n, const float *x, const float *dy, float *dx);

    /* y[i] += a x[i] */
    void (*axpy)(size_t n, float a, const float *x, float *y);

    /* sum x[i] y[i] */
    float (*dot)(size_t n, const float *x, const float *y);

    /* y[i] += x[i];  y[i] *= x[i] */
    void (*add)(size_t n, const float *x, float *y);
    void (*multiply)(size_t n, const float *x, float *y);

    /* y[i] = 0 or x[i] scale, x[0] being at place `first`; y may be x */
    void (*dropout)(const al_dropping *d, size_t first, size_t n, const float *x, float *y);

    /* y[c, r] = x[r, c]: rows by columns of x, x_stride apart, become columns by rows of y, y_stride apart */
    void (*transpose)(size_t rows, size_t columns, const float *x, size_t x_stride, float *y, size_t y_stride);

    /* x = exp(y - max) / sum of y[i] = scale x[i] + addend[i] (NULL: zeros), max and sum over the row; a row with an
     * infinity or NaN becomes NaN */
    void (*softmax)(size_t n, float scale, const float *addend, float *x);

    /* dx = y (dy - sum over the row of y dy), where y is what softmax has made; dx may be dy */
    void (*softmax_backward)(size_t n, const float *y, const float *dy, float *dx);

    /* y = (x - mean) / sqrt(var + eps) * weight + bias over the row, var biased; y may be x */
    void (*layer_norm)(size_t n, float eps, const float *x, const float *weight, const float *bias, float *y);

    /* With z = (x - mean) / sqrt(var + eps) and g = dy weight:
     *     dx = (g - mean(g) - z mean(g z)) / sqrt(var + eps),  dweight += dy z,  dbias += dy;  dx may be dy */
    void (*layer_norm_backward)(size_t n, float eps, const float *x, const float *weight, const float *dy, float *dx,
                                float *dweight, float *dbias);

    /* sum[c] = sum over rows of x[row, c], max[c] = the largest; n columns, rows row_stride apart, rows >= 1 */
    void (*column_sum)(size_t rows, size_t n, size_t row_stride, const float *x, float *sum);
    void (*column_max)(size_t rows, size_t n, size_t row_stride, const float *x, float *max);

    /* A step of Adam for n weights; the same in two parts: the moments, and the step by moments that are there. Between
     * the two LAMB wants norms: the first part adds up the squares of w, and of r + decay w. */
    void (*adam)(const al_adam *a, size_t n, const al_adam_arrays *x);
    void (*adam_moments)(const al_adam *a, size_t n, const al_adam_arrays *x, double squares[2]);
    void (*adam_step)(const al_adam *a, size_t n, const al_adam_arrays *x);

    const al_pixel_kernels *pixels;
    const al_channel_kernels *channels;
    const al_narrow_kernels *f16, *s8;

    /* x[i] = a x[i] + b for peak_lanes numbers, n times over, in registers. No layer needs it: it shows how many
     * multiply-adds the machine can do at most. */
    void (*peak)(size_t n, float a, float b, float *x);
    size_t peak_lanes; /* at most AL_PEAK_LANES */
} al_kernels;

/*
 * The best table this machine can run, or the one that ALIGN_ISA in the environment names; NULL if the machine cannot
 * run that one. The first answer stands for the life of the process.
 */
const al_kernels *al_kernels_get(void);

extern const al_kernels al_kernels_ref;
#if defined(__x86_64__)
extern const al_kernels al_kernels_avx2, al_kernels_avxvnni;
extern const al_kernels al_kernels_avx512, al_kernels_avx512vnni, al_kernels_avx512bf16;
extern const al_kernels al_kernels_amx; /* defined with AL_AMX: not every compiler knows tiles */
#elif defined(__aarch64__)
extern const al_kernels al_kernels_neon, al_kernels_neondot, al_kernels_neonbf16;
#endif
#endif
