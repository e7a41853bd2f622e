/* isa_avx2.c: the kernels in the words of simd_avx2.h. Only this file is compiled with that instruction set's flags. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
#define ISA "avx2"

#include "kernels/pixels_x86.h"
#include "kernels/simd_avx2.h"

#include "kernels/table.inc.h"

TABLE(avx2, TILE_ROWS, &f32_product, &al_product_avx2_bf16, &al_product_avx2_int8, NULL);
TABLE(avxvnni, TILE_ROWS, &f32_product, &al_product_avx2_bf16, &al_product_avxvnni_int8, NULL);
#endif
