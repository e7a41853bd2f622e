/*
 * pixels.inc.h: sums of pixels (pixels.h) in the words of pixels_x86.h or pixels_neon.h. A word works on pairs: each of
 * its 32-bit lanes sums products of two neighbours, first with the low halves of the weights, then with the high ones.
 */
#include "kernels/pixels.h"

#define PIXEL_HALF (1 << (AL_PIXEL_BITS - 1))

static void rgb_sums(const al_rgb_sums *s, const uint8_t *row, uint8_t *to)
{
    const int16_t *weights = s->weights;
    for (size_t i = 0; i < s->n; i++, weights += s->stride, to += 3) {
        const uint8_t *from = row + 3 * s->starts[i];
        pair_sums low = pairs_zero(), high = pairs_zero();
        for (int64_t q = 0; q < s->quads[i]; q++, from += 12) {
            const pairs pixels = pairs_of_quad(from);
            const int16_t *w = weights + q * AL_PIXEL_QUAD;
            low = pairs_add(low, pixels, pairs_load(w));
            high = pairs_add(high, pixels, pairs_load(w + AL_PIXEL_QUAD / 2));
        }
        pairs_store_pixel(to, low, high);
    }
}

/* PAIR_BYTES columns of rows; of an odd number of rows the last one is its own neighbour, with no weight. */
static void byte_sums_strip(size_t count, const int32_t *weights, const uint8_t *const *rows, size_t at, uint8_t *to)
{
    pair_sums low[2] = {pairs_zero(), pairs_zero()}, high[2] = {pairs_zero(), pairs_zero()};
    for (size_t k = 0; k < count; k += 2) {
        const bool has_next = k + 1 < count;
        const int32_t first = weights[k], next = has_next ? weights[k + 1] : 0;
        const pairs w_low = pairs_set(AL_PIXEL_LOW(first), AL_PIXEL_LOW(next));
        const pairs w_high = pairs_set(AL_PIXEL_HIGH(first), AL_PIXEL_HIGH(next));
        pairs pixels[2];
        pairs_of_rows(pixels, rows[k] + at, rows[k + has_next] + at);
        for (int i = 0; i < 2; i++) {
            low[i] = pairs_add(low[i], pixels[i], w_low);
            high[i] = pairs_add(high[i], pixels[i], w_high);
        }
    }
    pairs_store_bytes(to + at, low, high);
}

static void byte_sums(size_t count, const int32_t *weights, const uint8_t *const *rows, size_t n, uint8_t *to)
{
    for (size_t at = 0; at < n; at += PAIR_BYTES)
        byte_sums_strip(count, weights, rows, at, to);
}

static const al_pixel_kernels pixel_kernels = {rgb_sums, byte_sums};
