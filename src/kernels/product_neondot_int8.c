/* product_neondot_int8.c: int8 by sdot. */
#include "kernels/products.h"

#if defined(__aarch64__)
#include "kernels/simd_neon.h"

#define PRODUCT al_product_neondot_int8
#define NAME    "int8 by sdot"

static inline vf v_step(vf x, vf columns, vf sum)
{
    return vreinterpretq_f32_s32(
        vdotq_s32(vreinterpretq_s32_f32(sum), vreinterpretq_s8_f32(x), vreinterpretq_s8_f32(columns)));
}

#include "kernels/int8_neon.inc.h"
#endif
