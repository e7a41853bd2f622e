/* product_neonbf16_bf16.c: bf16 by bfdot. */
#include "kernels/products.h"

#if defined(__aarch64__)
#include "kernels/simd_neon.h"

#define PRODUCT al_product_neonbf16_bf16
#define NAME    "bf16 by bfdot"

static inline vf v_step(vf x, vf columns, vf sum)
{
    return vbfdotq_f32(sum, vreinterpretq_bf16_f32(x), vreinterpretq_bf16_f32(columns));
}

static inline void v_store_bf16(uint16_t *p, vf x)
{
    vst1_u16(p, vreinterpret_u16_bf16(vcvt_bf16_f32(x)));
}

#include "kernels/bf16_dot.inc.h"
#endif
