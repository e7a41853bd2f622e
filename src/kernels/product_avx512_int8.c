/* product_avx512_int8.c: int8 by vpmaddwd: pairs of s16. */
#include "kernels/products.h"

#if defined(__x86_64__)
#include "kernels/simd_avx512.h"

#define PRODUCT al_product_avx512_int8
#define NAME    "int8 as pairs of s16, 512 bits"
#define ELEMENT AL_S16
#define GROUP   2
#define LOWEST  0
typedef int16_t quantised;

static inline vf v_step(vf x, vf columns, vf sum)
{
    const __m512i pairs = _mm512_madd_epi16(_mm512_castps_si512(x), _mm512_castps_si512(columns));
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(sum), pairs));
}

static inline void v_store_quantised(quantised *p, vf x, int32_t zero)
{
    const __m512i steps = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(zero));
    const __m512i held = _mm512_min_epi32(steps, _mm512_set1_epi32(255));
    _mm256_storeu_si256((__m256i_u *)(void *)p, _mm512_cvtepi32_epi16(held));
}

#include "kernels/int8_dot.inc.h"
#endif
