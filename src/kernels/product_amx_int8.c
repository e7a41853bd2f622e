/* product_amx_int8.c: int8 by tdpbusd. */
#include "kernels/products.h"

#if defined(AL_AMX)
#include "kernels/simd_avx512.h"

#define BF16_ROWS      false
#define PACK           NULL
#define PRODUCT        al_product_amx_int8
#define NAME           "int8 by tdpbusd"
#define ELEMENT        AL_S8
#define GROUP          4
#define LOWEST         0
#define K_STEP         ((size_t)64)
#define TILE_STEP(sum) _tile_dpbusd(sum, A_TILE, B_TILE)
typedef uint8_t quantised;

static inline void v_store_quantised(quantised *p, vf x, int32_t zero)
{
    const __m512i steps = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(zero));
    _mm_storeu_si128((__m128i_u *)(void *)p, _mm512_cvtusepi32_epi8(steps));
}

#include "kernels/activate.inc.h"

#include "kernels/int8_rows.inc.h" /* the scale at the end of a row may be multiplied, but only by padding */

#include "kernels/int8_sums.inc.h"

#include "kernels/amx_packed.inc.h"

#include "kernels/amx.inc.h"
#endif
