/* simd_avx2.h: the vector words (see simd_avx512.h) for AVX2 with FMA: 12 accumulators, 2 for a row of b, 1 broadcast.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* the table that every product of this width may use */
#define TABLE_OF_WIDTH al_kernels_avx2

#define VL           8
#define TILE_ROWS    6
#define TILE_VECTORS 2
#define NR           (VL * TILE_VECTORS) /* columns of a panel */

#define ASKS_FOR_ROWS false

typedef __m256 vf;

static inline vf v_zero(void)
{
    return _mm256_setzero_ps();
}
static inline vf v_set(float a)
{
    return _mm256_set1_ps(a);
}
static inline vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}
static inline vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf v_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf v_accumulate(vf a, vf b, vf sum)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
}

static inline vf v_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}
static inline vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
static inline vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
static inline vf v_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline vf v_clamp(vf a, float bound)
{
    return v_max(v_set(-bound), v_min(v_set(bound), a));
}

static inline vf v_where_less(vf a, vf b, vf x, vf y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

#define POWERS 8
static inline vf v_power(vf a)
{
    const __m256i n = _mm256_castps_si256(a),
                  mantissas = _mm256_setr_epi32(0, -289342, -509968, -655657, -719629, -694486, -572163, -343865);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(n, 20), _mm256_permutevar8x32_epi32(mantissas, n)));
}

static inline float v_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float v_largest(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* the VL x VL numbers of x change rows with columns */
static inline void v_transpose(vf x[VL])
{
    vf twos[VL], fours[VL];
    for (size_t i = 0; i < VL; i += 2) { /* within lanes of four, pairs of rows, */
        twos[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
        twos[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
    for (size_t i = 0; i < VL; i += 4) /* then fours: lane l of fours[i + j] is column 4 l + j of rows i .. i + 3 */
        for (size_t j = 0; j < 2; j++) {
            const __m256d a = _mm256_castps_pd(twos[i + j]), b = _mm256_castps_pd(twos[i + j + 2]);
            fours[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
            fours[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
        }
    for (size_t j = 0; j < 4; j++) { /* then the lanes */
        x[j] = _mm256_permute2f128_ps(fours[j], fours[j + 4], 0x20);
        x[j + 4] = _mm256_permute2f128_ps(fours[j], fours[j + 4], 0x31);
    }
}

static inline vf v_load_bf16(const void *p)
{
    /* both halves see all numbers; byte -1 is 0: one shuffle, and none of it on the ports of v_fma */
    const __m256i order = _mm256_setr_epi8(-1, -1, 0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1, 6, 7, -1, -1, 8, 9, -1, -1,
                                           10, 11, -1, -1, 12, 13, -1, -1, 14, 15);
    return _mm256_castsi256_ps(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(p)), order));
}

static inline vf v_load_f16(const void *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128(p));
}

static inline vf v_load_s8(const void *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)));
}

static inline void v_store_rounded(uint16_t *p, vf x)
{
    const __m256i rounded = _mm256_add_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(0x8000));
    const __m256i upper = _mm256_srli_epi32(rounded, 16);
    const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
    _mm_storeu_si128((__m128i_u *)(void *)p, halves);
}

static inline vf v_less_zeros(vf sums, int32_t zero, const int32_t *weights)
{
    const __m256i column = _mm256_loadu_si256((const __m256i_u *)(const void *)weights);
    const __m256i zeros = _mm256_mullo_epi32(_mm256_set1_epi32(zero), column);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_castps_si256(sums), zeros));
}
