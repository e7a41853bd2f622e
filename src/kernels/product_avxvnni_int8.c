/* product_avxvnni_int8.c: int8 by 256-bit vpdpbusd. */
#include "kernels/products.h"

#if defined(__x86_64__)
#include "kernels/simd_avx2.h"

#define PRODUCT al_product_avxvnni_int8
#define NAME    "int8 by vpdpbusd, 256 bits"
#define ELEMENT AL_S8
#define GROUP   4
#define LOWEST  0
typedef uint8_t quantised;

static inline vf v_step(vf x, vf columns, vf sum)
{
    return _mm256_castsi256_ps(
        _mm256_dpbusd_avx_epi32(_mm256_castps_si256(sum), _mm256_castps_si256(x), _mm256_castps_si256(columns)));
}

static inline void v_store_quantised(quantised *p, vf x, int32_t zero)
{
    const __m256i steps = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(zero));
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(steps), _mm256_extracti128_si256(steps, 1));
    _mm_storeu_si64(p, _mm_packus_epi16(halves, halves));
}

#include "kernels/int8_dot.inc.h"
#endif
