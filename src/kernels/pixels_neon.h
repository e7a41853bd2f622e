/* pixels_neon.h: the words of pixels.inc.h for 64-bit Arm. A sum of pairs is kept as two vectors of products;
 * neighbours meet when it is stored. */
#include "kernels/pixels.h"

#include <arm_neon.h>
#include <string.h>

#define PAIR_BYTES 16

typedef int16x8x2_t pairs;
typedef struct pair_sums {
    int32x4_t lanes[4];
} pair_sums;

static inline pair_sums pairs_zero(void)
{
    const int32x4_t zero = vdupq_n_s32(0);
    return (pair_sums){{zero, zero, zero, zero}};
}
static inline pairs pairs_load(const int16_t *p)
{
    return (pairs){{vld1q_s16(p), vld1q_s16(p + 8)}};
}
static inline pairs pairs_set(int16_t first, int16_t next)
{
    const int16x8_t both = vzip1q_s16(vdupq_n_s16(first), vdupq_n_s16(next));
    return (pairs){{both, both}};
}
static inline pair_sums pairs_add(pair_sums sums, pairs a, pairs b)
{
    for (int i = 0; i < 2; i++) {
        sums.lanes[2 * i] = vmlal_s16(sums.lanes[2 * i], vget_low_s16(a.val[i]), vget_low_s16(b.val[i]));
        sums.lanes[2 * i + 1] = vmlal_high_s16(sums.lanes[2 * i + 1], a.val[i], b.val[i]);
    }
    return sums;
}

/* Sums of neighbours, half a vector word each. */
static inline int32x4_t pairs_total(const pair_sums *low, const pair_sums *high, int half)
{
    const int32x4_t l = vpaddq_s32(low->lanes[2 * half], low->lanes[2 * half + 1]);
    const int32x4_t h = vpaddq_s32(high->lanes[2 * half], high->lanes[2 * half + 1]);
    return vaddq_s32(l, vshlq_n_s32(h, 15));
}
/* Rounded; the narrowing is done in two steps that both cut off. */
static inline int16x4_t pairs_round(int32x4_t sums)
{
    return vqmovn_s32(vshrq_n_s32(vaddq_s32(sums, vdupq_n_s32(1 << (AL_PIXEL_BITS - 1))), AL_PIXEL_BITS));
}

/* Four RGB pixels: the channels of the first two side by side, then of the other two. */
static inline pairs pairs_of_quad(const uint8_t *p)
{
    static const uint8_t order[2][16] = {
        {0, 255, 3, 255, 1, 255, 4, 255, 2, 255, 5, 255, 255, 255, 255, 255},
        {6, 255, 9, 255, 7, 255, 10, 255, 8, 255, 11, 255, 255, 255, 255, 255},
    };
    const uint8x16_t bytes = vld1q_u8(p);
    return (pairs){{vreinterpretq_s16_u8(vqtbl1q_u8(bytes, vld1q_u8(order[0]))),
                    vreinterpretq_s16_u8(vqtbl1q_u8(bytes, vld1q_u8(order[1])))}};
}
static inline void pairs_store_pixel(uint8_t *to, pair_sums low, pair_sums high)
{
    const int32x4_t sums = vaddq_s32(pairs_total(&low, &high, 0), pairs_total(&low, &high, 1));
    const int16x4_t rgb = pairs_round(sums);
    const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(rgb, rgb))), 0);
    memcpy(to, &bytes, 3);
}

/* The bytes of two rows side by side. */
static inline void pairs_of_rows(pairs out[2], const uint8_t *first, const uint8_t *next)
{
    const uint8x16_t a = vld1q_u8(first), b = vld1q_u8(next);
    const uint8x16_t sides[2] = {vzip1q_u8(a, b), vzip2q_u8(a, b)};
    for (int i = 0; i < 2; i++)
        out[i] = (pairs){
            {vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(sides[i]))), vreinterpretq_s16_u16(vmovl_high_u8(sides[i]))}};
}
static inline void pairs_store_bytes(uint8_t *to, const pair_sums low[2], const pair_sums high[2])
{
    for (int i = 0; i < 2; i++) {
        const int16x8_t words = vcombine_s16(pairs_round(pairs_total(&low[i], &high[i], 0)),
                                             pairs_round(pairs_total(&low[i], &high[i], 1)));
        vst1_u8(to + 8 * i, vqmovun_s16(words));
    }
}
