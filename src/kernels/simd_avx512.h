/*
 * simd_avx512.h: the vector words every template (*.inc.h) is written in, for AVX-512. VL floats a vector; a tile of a
 * GEMM is at most TILE_ROWS x TILE_VECTORS vectors (27 accumulators, 3 for a row of b, 1 for a broadcast: 31 of 32
 * registers).
 *
 * v_min and v_max hand on the second operand where either is NaN.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* the table that every product of this width may use */
#define TABLE_OF_WIDTH al_kernels_avx512

#define VL           16
#define TILE_ROWS    9
#define TILE_VECTORS 3
#define NR           (VL * TILE_VECTORS) /* columns of a panel */

/* Whether it pays to ask for rows in panels before the tile that reads them: it takes loads. */
#define ASKS_FOR_ROWS true

typedef __m512 vf;

static inline vf v_zero(void)
{
    return _mm512_setzero_ps();
}
static inline vf v_set(float a)
{
    return _mm512_set1_ps(a);
}
static inline vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}
static inline vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
static inline vf v_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
} /* a b + c */
/* The same, where the sum stays in its register: gcc would change registers from step to step of a tile, and have to
 * save some. */
static inline vf v_accumulate(vf a, vf b, vf sum)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

static inline vf v_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
} /* c - a b */
static inline vf v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
static inline vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
static inline vf v_abs(vf a)
{
    return _mm512_abs_ps(a);
}

/* Without optimisation this is a macro of gcc's, whose mask of all ones is of the wrong sign. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
/* a held to [-bound, bound]; of NaN one of the bounds, or NaN */
static inline vf v_clamp(vf a, float bound)
{
    return _mm512_range_ps(a, v_set(bound), 2); /* the smaller magnitude, the sign of a */
}
#pragma GCC diagnostic pop

/* a < b ? x : y */
static inline vf v_where_less(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

/* 2^(n / POWERS - 127) of the whole number n that the lowest bits of a are: a power of two times one of POWERS roots,
 * by what the mantissa of each has more than its number there */
#define POWERS 16
static inline vf v_power(vf a)
{
    const __m512i mantissas = _mm512_setr_epi32(0, -152893, -289342, -408621, -509968, -592590, -655657, -698305,
                                                -719629, -718684, -694486, -646004, -572163, -471841, -343865, -187011);
    const __m512i n = _mm512_castps_si512(a);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_slli_epi32(n, 19), _mm512_permutexvar_epi32(n, mantissas)));
}

static inline float v_sum(vf v)
{
    return _mm512_reduce_add_ps(v);
}
static inline float v_largest(vf v)
{
    return _mm512_reduce_max_ps(v);
}

/* the VL x VL numbers of x change rows with columns */
static inline void v_transpose(vf x[VL])
{
    vf twos[VL], fours[VL];
    for (size_t i = 0; i < VL; i += 2) { /* within lanes of four, pairs of rows, */
        twos[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
        twos[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
    for (size_t i = 0; i < VL; i += 4) /* then fours: lane l of fours[i + j] is column 4 l + j of rows i .. i + 3 */
        for (size_t j = 0; j < 2; j++) {
            const __m512d a = _mm512_castps_pd(twos[i + j]), b = _mm512_castps_pd(twos[i + j + 2]);
            fours[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            fours[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    for (size_t j = 0; j < 4; j++) { /* then the lanes */
        const vf low = _mm512_shuffle_f32x4(fours[j], fours[j + 4], 0x44);
        const vf high = _mm512_shuffle_f32x4(fours[j], fours[j + 4], 0xee);
        const vf next_low = _mm512_shuffle_f32x4(fours[j + 8], fours[j + 12], 0x44);
        const vf next_high = _mm512_shuffle_f32x4(fours[j + 8], fours[j + 12], 0xee);
        x[j] = _mm512_shuffle_f32x4(low, next_low, 0x88);
        x[j + 4] = _mm512_shuffle_f32x4(low, next_low, 0xdd);
        x[j + 8] = _mm512_shuffle_f32x4(high, next_high, 0x88);
        x[j + 12] = _mm512_shuffle_f32x4(high, next_high, 0xdd);
    }
}

/* VL bf16 numbers */
static inline vf v_load_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}

/* VL f16 numbers, VL signed bytes */
static inline vf v_load_f16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}
static inline vf v_load_s8(const void *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p)));
}

/* VL finite numbers to bf16, to the nearest, of two equally near ones to the larger */
static inline void v_store_rounded(uint16_t *p, vf x)
{
    const __m512i rounded = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    _mm256_storeu_si256((__m256i_u *)(void *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}

/* the int32 lanes of sums less zero times those of weights, as floats */
static inline vf v_less_zeros(vf sums, int32_t zero, const int32_t *weights)
{
    const __m512i zeros = _mm512_mullo_epi32(_mm512_set1_epi32(zero), _mm512_loadu_si512(weights));
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_castps_si512(sums), zeros));
}
