/*
 * table.inc.h: what an isa_*.c ends with: the algorithms, written in the words it has included, and the table of them.
 * ISA is its name.
 */
#define TEXT_OF(name)      #name
#define NAME_OF(isa)       TEXT_OF(isa)
#define JOIN(prefix, name) prefix##name
#define TABLE_OF(isa)      JOIN(al_kernels_, isa)

#include "kernels/math.inc.h"

#include "kernels/finish.inc.h"
#include "kernels/gemm.inc.h"

#include "kernels/depthwise.inc.h"
#include "kernels/vector.inc.h"

const al_kernels TABLE_OF(ISA) = {
    .isa = NAME_OF(ISA),
    .nr = NR,
    .mr = TILE_ROWS,
    .products = {[ALIGN_PRECISION_F32] = &f32_product},
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
