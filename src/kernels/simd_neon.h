/*
 * simd_neon.h: the vector words (see simd_avx512.h) for 64-bit Arm: 24 accumulators, 3 for a row of b, 1 for a
 * broadcast: 28 of 32 registers. v_min and v_max give NaN where either operand is NaN.
 */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* the table that every product of this width may use */
#define TABLE_OF_WIDTH al_kernels_neon

#define VL           4
#define TILE_ROWS    8
#define TILE_VECTORS 3
#define NR           (VL * TILE_VECTORS) /* columns of a panel */

#define ASKS_FOR_ROWS true

typedef float32x4_t vf;

static inline vf v_zero(void)
{
    return vdupq_n_f32(0.0f);
}
static inline vf v_set(float a)
{
    return vdupq_n_f32(a);
}
static inline vf v_load(const float *p)
{
    return vld1q_f32(p);
}
static inline void v_store(float *p, vf v)
{
    vst1q_f32(p, v);
}
static inline vf v_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}
static inline vf v_sqrt(vf a)
{
    return vsqrtq_f32(a);
}
static inline vf v_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
static inline vf v_accumulate(vf a, vf b, vf sum)
{
    return v_fma(a, b, sum);
}

static inline vf v_fnma(vf a, vf b, vf c)
{
    return vfmsq_f32(c, a, b);
}
static inline vf v_min(vf a, vf b)
{
    return vminq_f32(a, b);
}
static inline vf v_max(vf a, vf b)
{
    return vmaxq_f32(a, b);
}
static inline vf v_abs(vf a)
{
    return vabsq_f32(a);
}
static inline vf v_clamp(vf a, float bound)
{
    return v_max(v_set(-bound), v_min(v_set(bound), a));
}

static inline vf v_where_less(vf a, vf b, vf x, vf y)
{
    return vbslq_f32(vcltq_f32(a, b), x, y);
}

#define POWERS 1
static inline vf v_power(vf a)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23));
}

static inline float v_sum(vf v)
{
    return vaddvq_f32(v);
}
static inline float v_largest(vf v)
{
    return vmaxvq_f32(v);
}

/* the VL x VL numbers of x change rows with columns */
static inline void v_transpose(vf x[VL])
{
    const float64x2_t low = vreinterpretq_f64_f32(vzip1q_f32(x[0], x[1]));
    const float64x2_t high = vreinterpretq_f64_f32(vzip2q_f32(x[0], x[1]));
    const float64x2_t next_low = vreinterpretq_f64_f32(vzip1q_f32(x[2], x[3]));
    const float64x2_t next_high = vreinterpretq_f64_f32(vzip2q_f32(x[2], x[3]));
    x[0] = vreinterpretq_f32_f64(vzip1q_f64(low, next_low));
    x[1] = vreinterpretq_f32_f64(vzip2q_f64(low, next_low));
    x[2] = vreinterpretq_f32_f64(vzip1q_f64(high, next_high));
    x[3] = vreinterpretq_f32_f64(vzip2q_f64(high, next_high));
}

static inline vf v_load_bf16(const void *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

static inline vf v_load_f16(const void *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

static inline vf v_load_s8(const void *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    const int8x8_t bytes = vcreate_s8(four);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}

static inline void v_store_rounded(uint16_t *p, vf x)
{
    vst1_u16(p, vshrn_n_u32(vaddq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x8000)), 16));
}

static inline vf v_less_zeros(vf sums, int32_t zero, const int32_t *weights)
{
    return vcvtq_f32_s32(vmlsq_n_s32(vreinterpretq_s32_f32(sums), vld1q_s32(weights), zero));
}
