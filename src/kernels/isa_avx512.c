/* isa_avx512.c: the kernels in the words of simd_avx512.h. Only this file is compiled with that instruction set's
 * flags. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
#define ISA "avx512"

#include "kernels/pixels_x86.h"
#include "kernels/simd_avx512.h"

#include "kernels/table.inc.h"

TABLE(avx512, &f32_product, NULL, NULL);
#endif
