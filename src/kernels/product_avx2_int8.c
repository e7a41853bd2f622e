/* product_avx2_int8.c: int8 by vpmaddwd: pairs of s16, for vpmaddubsw would saturate. */
#include "kernels/products.h"

#if defined(__x86_64__)
#include "kernels/simd_avx2.h"

#define PRODUCT al_product_avx2_int8
#define NAME    "int8 as pairs of s16"
#define ELEMENT AL_S16
#define GROUP   2
#define LOWEST  0
typedef int16_t quantised;

static inline vf v_step(vf x, vf columns, vf sum)
{
    const __m256i pairs = _mm256_madd_epi16(_mm256_castps_si256(x), _mm256_castps_si256(columns));
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), pairs));
}

static inline void v_store_quantised(quantised *p, vf x, int32_t zero)
{
    const __m256i steps = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(zero));
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(steps), _mm256_extracti128_si256(steps, 1));
    _mm_storeu_si128((__m128i_u *)(void *)p, _mm_min_epi16(halves, _mm_set1_epi16(255)));
}

#include "kernels/int8_dot.inc.h"
#endif
