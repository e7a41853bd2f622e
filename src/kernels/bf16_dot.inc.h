/*
 * bf16_dot.inc.h: a product_*.c whose CPU multiplies pairs of bf16, in the words of simd_*.h and in
 *
 *     v_store_bf16(p, x)           see bf16_rows.inc.h
 *     v_step(x, columns, sum)      see gemm.inc.h
 *
 * PRODUCT and NAME are its names.
 */
#include "kernels/activate.inc.h"
#include "kernels/finish.inc.h"

#include "kernels/bf16_rows.inc.h"

#define GROUP 2
#include "kernels/groups.inc.h"

#include "kernels/bf16_panel.inc.h"
#include "kernels/float_sums.inc.h"
#include "kernels/gemm.inc.h"

const al_product PRODUCT = {
    .name = NAME,
    .element = AL_BF16,
    .group = GROUP,
    .k_multiple = GROUP,
    .operand_row = operand_row,
    .prepare = prepare,
    .bf16_rows = true,
    .pack = pack_panel,
    .gemm = gemm,
};
