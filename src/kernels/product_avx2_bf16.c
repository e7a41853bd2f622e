/* product_avx2_bf16.c: bf16 weights on CPUs that have no bf16 arithmetic. */
#include "kernels/products.h"

#if defined(__x86_64__)
#include "kernels/simd_avx2.h"

#define PRODUCT al_product_avx2_bf16
#include "kernels/bf16_widened.inc.h"
#endif
