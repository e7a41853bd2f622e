/* product_neon_bf16.c: bf16 weights on CPUs that have no bf16 arithmetic. */
#include "kernels/products.h"

#if defined(__aarch64__)
#include "kernels/simd_neon.h"

#define PRODUCT al_product_neon_bf16
#include "kernels/bf16_widened.inc.h"
#endif
