/* product_amx_bf16.c: bf16 by tdpbf16ps. Subnormal numbers and products become 0. */
#include "kernels/products.h"

#if defined(AL_AMX)
#include "kernels/simd_avx512.h"

#define BF16_ROWS      true
#define PACK           pack_panel
#define PRODUCT        al_product_amx_bf16
#define NAME           "bf16 by tdpbf16ps"
#define ELEMENT        AL_BF16
#define GROUP          2
#define K_STEP         ((size_t)32)
#define TILE_STEP(sum) _tile_dpbf16ps(sum, A_TILE, B_TILE)

static inline void v_store_bf16(uint16_t *p, vf x)
{
    _mm256_storeu_si256((__m256i_u *)(void *)p, (__m256i)_mm512_cvtneps_pbh(x));
}

#include "kernels/activate.inc.h"
#include "kernels/float_sums.inc.h"

#include "kernels/bf16_rows.inc.h"

#include "kernels/bf16_panel.inc.h"

#include "kernels/amx_packed.inc.h"

#include "kernels/amx.inc.h"
#endif
