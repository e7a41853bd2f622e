#ifndef AL_PRODUCTS_H
#define AL_PRODUCTS_H
/* products.h: the products that the tables choose from; each has a file of its own, product_<name>.c. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
extern const al_product al_product_avx2_bf16, al_product_avx2_int8;
extern const al_product al_product_avxvnni_int8;
extern const al_product al_product_avx512_bf16, al_product_avx512_int8;
extern const al_product al_product_avx512vnni_int8;
extern const al_product al_product_avx512bf16_bf16;
extern const al_product al_product_amx_f32, al_product_amx_f32_new;
extern const al_product al_product_amx_bf16, al_product_amx_int8;
#elif defined(__aarch64__)
extern const al_product al_product_neon_bf16, al_product_neon_int8;
extern const al_product al_product_neondot_int8;
extern const al_product al_product_neonbf16_bf16;
#endif
#endif
