/* isa_avx512.c: the kernels in the words of simd_avx512.h. Only this file is compiled with that instruction set's
 * flags. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
#define ISA "avx512"

#include "kernels/pixels_x86.h"
#include "kernels/simd_avx512.h"

#include "kernels/table.inc.h"

TABLE(avx512, TILE_ROWS, &f32_product, &al_product_avx512_bf16, &al_product_avx512_int8, NULL);
TABLE(avx512vnni, TILE_ROWS, &f32_product, &al_product_avx512_bf16, &al_product_avx512vnni_int8, NULL);
TABLE(avx512bf16, TILE_ROWS, &f32_product, &al_product_avx512bf16_bf16, &al_product_avx512vnni_int8, NULL);
#if defined(AL_AMX)
TABLE(amx, 32, &al_product_amx_f32, &al_product_amx_bf16, &al_product_amx_int8, &al_product_amx_f32_new);
#endif
#endif
