#ifndef AL_PIXELS_H
#define AL_PIXELS_H
/*
 * pixels.h: weighted sums of 8-bit pixels, for resizing pictures. Weights are integers with AL_PIXEL_BITS fractional
 * bits, so every table gives the same bits:
 *
 *     round(sum) = (sum + 2^(AL_PIXEL_BITS - 1)) >> AL_PIXEL_BITS, cut off at 0 and 255
 *
 * Sums are modulo 2^32; the caller sees to it that the true ones fit in 31 bits.
 */
#include <stddef.h>
#include <stdint.h>

#define AL_PIXEL_BITS 22

/* Weights are read in two signed halves, because products of 16-bit numbers are what every vector unit has. */
#define AL_PIXEL_LOW(weight)  ((int16_t)((weight)&0x7fff))
#define AL_PIXEL_HIGH(weight) ((int16_t)((weight) >> 15))

/*
 * Sums along a row of RGB pixels. Output pixel i is made of quads[i] times four neighbours, from pixel starts[i] on.
 * Four weights are stored as they meet the channels of two neighbours side by side,
 *     w0 w1 w0 w1 w0 w1 0 0 w2 w3 w2 w3 w2 w3 0 0
 * first the low halves, then the high ones (al_pixel_pack_quad); the next pixel's begin `stride` numbers on.
 */
typedef struct al_rgb_sums {
    size_t n;
    const int64_t *starts, *quads;
    const int16_t *weights;
    size_t stride;
} al_rgb_sums;

#define AL_PIXEL_QUAD 32 /* numbers */
void al_pixel_pack_quad(int16_t out[AL_PIXEL_QUAD], const int32_t weights[4]);

/* Bytes behind a row that rgb_sums may read. */
#define AL_PIXEL_SLACK 16

/* byte_sums works on whole strips. */
#define AL_PIXEL_STRIP 64

typedef struct al_pixel_kernels {
    /* to[3 i + c] = round(sum over k < 4 quads[i] of weight[i, k] * row[3 (starts[i] + k) + c]) */
    void (*rgb_sums)(const al_rgb_sums *s, const uint8_t *row, uint8_t *to);

    /* to[i] = round(sum over k < count of weights[k] * rows[k][i]) for n bytes, n a multiple of AL_PIXEL_STRIP */
    void (*byte_sums)(size_t count, const int32_t *weights, const uint8_t *const *rows, size_t n, uint8_t *to);
} al_pixel_kernels;

extern const al_pixel_kernels al_pixel_kernels_ref;
#endif
