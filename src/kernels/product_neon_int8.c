/* product_neon_int8.c: int8 by widening multiplications. */
#include "kernels/products.h"

#if defined(__aarch64__)
#include "kernels/simd_neon.h"

#define PRODUCT al_product_neon_int8
#define NAME    "int8 by smull"

/* Two products of at most 128 * 127 fit into 16 bits. */
static inline vf v_step(vf x, vf columns, vf sum)
{
    const int8x16_t a = vreinterpretq_s8_f32(x), b = vreinterpretq_s8_f32(columns);
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vreinterpretq_f32_s32(vpadalq_s16(vreinterpretq_s32_f32(sum), vpaddq_s16(low, high)));
}

#include "kernels/int8_neon.inc.h"
#endif
