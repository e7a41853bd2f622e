/* isa_neon.c: the kernels in the words of simd_neon.h. Every 64-bit Arm has it: no flags are needed. */
#include "kernels/kernels.h"

#if defined(__aarch64__)
#define ISA "neon"

#include "kernels/pixels_neon.h"
#include "kernels/simd_neon.h"

#include "kernels/table.inc.h"

TABLE(neon, &f32_product, NULL, NULL);
#endif
