/*
 * table.inc.h: what an isa_*.c is made of: the algorithms, written in the words it has included, and the tables of
 * them. ISA is its name.
 */
#include "kernels/products.h"

#include "kernels/tail.inc.h"

#include "kernels/math.inc.h"

/* silu, the activation of most tiles that are one run of floats, without a call */
static inline __attribute__((always_inline)) void activate_tile(align_activation act, size_t n, float *x)
{
    if (act == ALIGN_ACT_SILU)
        activate_as(ALIGN_ACT_SILU, false, n, x);
    else
        activate(act, n, x);
}

#include "kernels/finish.inc.h"

#define STEP_BYTES sizeof(float)

static inline vf v_columns(const char *weights)
{
    return v_load((const float *)(const void *)weights);
}

#include "kernels/f32.inc.h"

static const al_product f32_product = {
    .name = "f32 " ISA,
    .element = AL_F32,
    .group = GROUP,
    .k_multiple = GROUP,
    .gemm = gemm,
};

#include "kernels/depthwise.inc.h"
#include "kernels/peak.inc.h"
#include "kernels/pixels.inc.h"

#include "kernels/adam.inc.h"
#include "kernels/depthwise_gradient.inc.h"
#include "kernels/dropout.inc.h"
#include "kernels/slopes.inc.h"
#include "kernels/vector.inc.h"

#include "kernels/channels.inc.h"
#include "kernels/narrow.inc.h"

/* A table called name: everything above with the products that its CPUs are best at, whose tiles have `rows` rows;
 * fresh: that of new matrices, or NULL. */
#define TABLE(name, rows, f32, bf16, int8, fresh)                                                                \
    const al_kernels al_kernels_##name = {                                                                       \
        .isa = #name,                                                                                            \
        .nr = NR,                                                                                                \
        .vl = VL,                                                                                                \
        .mr = rows,                                                                                              \
        .products = {[ALIGN_PRECISION_F32] = f32, [ALIGN_PRECISION_BF16] = bf16, [ALIGN_PRECISION_INT8] = int8}, \
        .new_product = fresh,                                                                                    \
        .gemm = gemm,                                                                                            \
        .depthwise = depthwise,                                                                                  \
        .activate = activate,                                                                                    \
        .activate_backward = activate_backward,                                                                  \
        .activate_roughly = activate_roughly,                                                                    \
        .axpy = axpy,                                                                                            \
        .dot = dot,                                                                                              \
        .add = add,                                                                                              \
        .multiply = multiply,                                                                                    \
        .dropout = dropout,                                                                                      \
        .transpose = transpose,                                                                                  \
        .softmax = softmax,                                                                                      \
        .softmax_backward = softmax_backward,                                                                    \
        .layer_norm = layer_norm,                                                                                \
        .layer_norm_backward = layer_norm_backward,                                                              \
        .column_sum = column_sum,                                                                                \
        .column_max = column_max,                                                                                \
        .adam = adam,                                                                                            \
        .adam_moments = adam_moments,                                                                            \
        .adam_step = adam_step,                                                                                  \
        .pixels = &pixel_kernels,                                                                                \
        .channels = &channel_kernels,                                                                            \
        .f16 = &narrow_f16,                                                                                      \
        .s8 = &narrow_s8,                                                                                        \
        .peak = peak,                                                                                            \
        .peak_lanes = PEAK_VECTORS * VL,                                                                         \
    }
