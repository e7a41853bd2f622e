/* isa_neon.c: the kernels in the words of simd_neon.h. Every 64-bit Arm has it: no flags are needed. */
#include "kernels/kernels.h"

#if defined(__aarch64__)
#define ISA "neon"

#include "kernels/pixels_neon.h"
#include "kernels/simd_neon.h"

#include "kernels/table.inc.h"

TABLE(neon, TILE_ROWS, &f32_product, &al_product_neon_bf16, &al_product_neon_int8, NULL);
TABLE(neondot, TILE_ROWS, &f32_product, &al_product_neon_bf16, &al_product_neondot_int8, NULL);
TABLE(neonbf16, TILE_ROWS, &f32_product, &al_product_neonbf16_bf16, &al_product_neondot_int8, NULL);
#endif
