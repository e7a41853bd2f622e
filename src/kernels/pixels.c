/* pixels.c: what pixels.h means, in plain C. */
#include "kernels/pixels.h"

#define HALF (UINT32_C(1) << (AL_PIXEL_BITS - 1))

static uint8_t clip(uint32_t sum)
{
    const int32_t value = (int32_t)sum >> AL_PIXEL_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void al_pixel_pack_quad(int16_t out[AL_PIXEL_QUAD], const int32_t weights[4])
{
    for (int i = 0; i < AL_PIXEL_QUAD / 2; i++) {
        const int32_t weight = i % 8 < 6 ? weights[i / 8 * 2 + i % 2] : 0;
        out[i] = AL_PIXEL_LOW(weight);
        out[i + AL_PIXEL_QUAD / 2] = AL_PIXEL_HIGH(weight);
    }
}

/* Weight k of a pixel, put together again. */
static uint32_t weight_at(const int16_t *weights, int64_t k)
{
    const int16_t *low = weights + k / 4 * AL_PIXEL_QUAD + k % 4 / 2 * 8 + k % 2;
    return (uint32_t)low[0] + ((uint32_t)low[AL_PIXEL_QUAD / 2] << 15);
}

static void rgb_sums(const al_rgb_sums *s, const uint8_t *row, uint8_t *to)
{
    const int16_t *weights = s->weights;
    for (size_t i = 0; i < s->n; i++, weights += s->stride, to += 3) {
        const uint8_t *pixel = row + 3 * s->starts[i];
        uint32_t sums[3] = {HALF, HALF, HALF};
        for (int64_t k = 0; k < 4 * s->quads[i]; k++, pixel += 3) {
            const uint32_t weight = weight_at(weights, k);
            for (int c = 0; c < 3; c++)
                sums[c] += weight * pixel[c];
        }
        for (int c = 0; c < 3; c++)
            to[c] = clip(sums[c]);
    }
}

static void byte_sums(size_t count, const int32_t *weights, const uint8_t *const *rows, size_t n, uint8_t *to)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t sum = HALF;
        for (size_t k = 0; k < count; k++)
            sum += (uint32_t)weights[k] * rows[k][i];
        to[i] = clip(sum);
    }
}

const al_pixel_kernels al_pixel_kernels_ref = {rgb_sums, byte_sums};
