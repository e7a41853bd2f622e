/* product_avx512vnni_int8.c: int8 by 512-bit vpdpbusd. */
#include "kernels/products.h"

#if defined(__x86_64__)
#include "kernels/simd_avx512.h"

#define PRODUCT al_product_avx512vnni_int8
#define NAME    "int8 by vpdpbusd, 512 bits"
#define ELEMENT AL_S8
#define GROUP   4
#define LOWEST  0
typedef uint8_t quantised;

static inline vf v_step(vf x, vf columns, vf sum)
{
    return _mm512_castsi512_ps(
        _mm512_dpbusd_epi32(_mm512_castps_si512(sum), _mm512_castps_si512(x), _mm512_castps_si512(columns)));
}

static inline void v_store_quantised(quantised *p, vf x, int32_t zero)
{
    const __m512i steps = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(zero));
    _mm_storeu_si128((__m128i_u *)(void *)p, _mm512_cvtusepi32_epi8(steps));
}

#include "kernels/int8_dot.inc.h"
#endif
