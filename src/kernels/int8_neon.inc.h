/* int8_neon.inc.h: an int8 product_*.c of 64-bit Arm, but for NAME and v_step: both of them read signed numbers. */
#define ELEMENT AL_S8
#define GROUP   4
#define LOWEST  (-128)
typedef int8_t quantised;

static inline void v_store_quantised(quantised *p, vf x, int32_t zero)
{
    const int16x4_t steps = vqmovn_s32(vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(zero + LOWEST)));
    const int8x8_t narrow = vqmovn_s16(vcombine_s16(steps, steps));
    vst1_lane_s32((int32_t *)(void *)p, vreinterpret_s32_s8(narrow), 0);
}

#include "kernels/int8_dot.inc.h"
