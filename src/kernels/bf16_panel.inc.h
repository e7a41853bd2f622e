/*
 * bf16_panel.inc.h: al_product.pack for bf16 weights of GROUP 1 or 2, in plain C that a compiler makes vectors of.
 */
#include <string.h>

/* To the nearest, even where two are as near; NaN stays NaN. */
static inline uint32_t bf16_bits(uint32_t x)
{
    const uint32_t rounded = (x + 0x7fff + (x >> 16 & 1)) >> 16;
    return (x & 0x7fffffff) > 0x7f800000 ? x >> 16 | 0x40 : rounded;
}

static void pack_panel(size_t k, const float *x, size_t stride, void *packed)
{
    for (size_t l = 0; l < k; l += GROUP, x += GROUP * stride) {
        uint32_t rows[2][NR] = {{0}};
        for (size_t i = 0; i < GROUP && l + i < k; i++)
            memcpy(rows[i], x + i * stride, sizeof *rows);
        char *to = (char *)packed + l * NR * sizeof(uint16_t);
#if GROUP == 2
        uint32_t pairs[NR];
        for (size_t j = 0; j < NR; j++)
            pairs[j] = bf16_bits(rows[0][j]) | bf16_bits(rows[1][j]) << 16;
        memcpy(to, pairs, sizeof pairs);
#else
        uint16_t halves[NR];
        for (size_t j = 0; j < NR; j++)
            halves[j] = (uint16_t)bf16_bits(rows[0][j]);
        memcpy(to, halves, sizeof halves);
#endif
    }
}
