/* pixels_x86.h: the words of pixels.inc.h for AVX2. Wider vectors gain little here: a pixel is made of a few numbers.
 */
#include "kernels/pixels.h"

#include <immintrin.h>
#include <string.h>

#define PAIR_BYTES 16

typedef __m256i pairs, pair_sums;

static inline pair_sums pairs_zero(void)
{
    return _mm256_setzero_si256();
}
static inline pairs pairs_load(const int16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
static inline pairs pairs_set(int16_t first, int16_t next)
{
    return _mm256_set1_epi32((int32_t)((uint16_t)first | (uint32_t)(uint16_t)next << 16));
}
static inline pair_sums pairs_add(pair_sums sums, pairs a, pairs b)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
}
static inline __m256i pairs_round(pair_sums low, pair_sums high)
{
    const __m256i sums = _mm256_add_epi32(low, _mm256_slli_epi32(high, 15));
    return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(1 << (AL_PIXEL_BITS - 1))), AL_PIXEL_BITS);
}

/* Four RGB pixels: the channels of the first two side by side, then of the other two. */
static inline pairs pairs_of_quad(const uint8_t *p)
{
    const __m256i order = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, /* */
                                           6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), order);
}
static inline void pairs_store_pixel(uint8_t *to, pair_sums low, pair_sums high)
{
    const __m256i sums = _mm256_add_epi32(low, _mm256_slli_epi32(high, 15));
    __m128i rgb = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    rgb = _mm_srai_epi32(_mm_add_epi32(rgb, _mm_set1_epi32(1 << (AL_PIXEL_BITS - 1))), AL_PIXEL_BITS);
    rgb = _mm_packs_epi32(rgb, rgb);
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(rgb, rgb));
    memcpy(to, &bytes, 3);
}

/* The bytes of two rows side by side. */
static inline void pairs_of_rows(pairs out[2], const uint8_t *first, const uint8_t *next)
{
    const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)first);
    const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)next);
    out[0] = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
    out[1] = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
}
static inline void pairs_store_bytes(uint8_t *to, const pair_sums low[2], const pair_sums high[2])
{
    const __m256i words = _mm256_packs_epi32(pairs_round(low[0], high[0]), pairs_round(low[1], high[1]));
    const __m256i in_order = _mm256_permute4x64_epi64(words, 0xD8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(in_order), _mm256_extracti128_si256(in_order, 1));
    _mm_storeu_si128((__m128i *)(void *)to, bytes);
}
