/* isa_neon.c: the templates in the words of simd_neon.h. Only this file is compiled with that instruction set's flags.
 */
#include "kernels/kernels.h"

#if defined(__aarch64__)
#include "kernels/simd_neon.h"

/* After the words, what is written in them. */
#include "kernels/math.inc.h"

#include "kernels/gemm.inc.h"

#include "kernels/depthwise.inc.h"
#include "kernels/vector.inc.h"

const al_kernels al_kernels_neon = {
    .isa = "neon",
    .nr = NR,
    .mr = TILE_ROWS,
    .gemm = gemm,
    .depthwise = depthwise,
    .activate = activate,
    .axpy = axpy,
    .dot = dot,
    .add = add,
    .multiply = multiply,
    .softmax = softmax,
    .layer_norm = layer_norm,
    .column_sum = column_sum,
    .column_max = column_max,
};
#endif
