/*
 * int8_dot.inc.h: a product_*.c of quantised numbers, summed exactly as integers, in the words of simd_*.h and in
 *
 *     quantised, LOWEST, v_store_quantised(p, x, zero)     see int8_rows.inc.h
 *     ELEMENT, GROUP                                       weights, and how many of them are 4 bytes
 *     v_step(x, columns, sum)                              see gemm.inc.h; the sums are int32, as bits
 *
 * PRODUCT and NAME are its names.
 */
#include "kernels/activate.inc.h"
#include "kernels/finish.inc.h"

#include "kernels/int8_rows.inc.h"

#include "kernels/groups.inc.h"

#include "kernels/int8_sums.inc.h"

#include "kernels/gemm.inc.h"

const al_product PRODUCT = {
    .name = NAME,
    .element = ELEMENT,
    .group = GROUP,
    .k_multiple = GROUP,
    .operand_row = operand_row,
    .prepare = prepare,
    .gemm = gemm,
};
