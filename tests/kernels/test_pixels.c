/* test_pixels.c: sums of 8-bit pixels are the same bits with every table, and what their formulas say. */
#include "kernels/kernels_test.h"

#include <string.h>

#define HALF (INT64_C(1) << (AL_PIXEL_BITS - 1))

static const al_pixel_kernels *kernels;

static int get_kernels(void **state)
{
    (void)state;
    kernels = al_kernels_get()->pixels;
    return 0;
}

static uint8_t rounded(int64_t sum)
{
    const int64_t value = (sum + HALF) >> AL_PIXEL_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static uint8_t *random_bytes(size_t n, uint32_t seed)
{
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)((uniform(&seed) + 1.0f) * 127.99f);
    return bytes;
}

/* Of both signs, with a sum near 1.3, -0.2 or 0.5: results are cut off at either end, too, but never out of bounds. */
static void random_weights(int32_t *weights, size_t count, uint32_t seed)
{
    static const float centers[] = {1.3f, -0.2f, 0.5f};
    const float center = centers[seed % 3], scale = (float)(1 << AL_PIXEL_BITS) / (float)count;
    for (size_t k = 0; k < count; k++)
        weights[k] = (int32_t)((0.6f * uniform(&seed) + center) * scale);
}

static void test_pack(void **state)
{
    (void)state;
    const int32_t weights[4] = {1, -1, 1 << AL_PIXEL_BITS, -123456};
    int16_t packed[AL_PIXEL_QUAD];
    al_pixel_pack_quad(packed, weights);
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < 8; i++) {
            const int16_t low = packed[8 * half + i], high = packed[16 + 8 * half + i];
            const int32_t expected = i < 6 ? weights[2 * half + i % 2] : 0;
            assert_true(low >= 0);
            assert_int_equal(high * 32768 + low, expected);
        }
}

/* The row ends where the allocation ends, so that a sanitizer sees reading past the slack. */
static void check_rgb(size_t n, size_t most_quads, size_t pixels, uint32_t seed)
{
    const size_t stride = most_quads * AL_PIXEL_QUAD;
    uint8_t *row = random_bytes(3 * pixels + AL_PIXEL_SLACK, seed), *out = malloc(3 * n);
    int64_t *starts = calloc(n, sizeof *starts), *quads = calloc(n, sizeof *quads);
    int16_t *packed = calloc(n * stride, sizeof *packed);
    int32_t *weights = calloc(n * most_quads, 4 * sizeof *weights);
    assert_true(out && starts && quads && packed && weights);
    for (size_t i = 0; i < n; i++) {
        int32_t *w = weights + i * most_quads * 4;
        quads[i] = (int64_t)(1 + (i + seed) % most_quads);
        starts[i] = (int64_t)(i * (pixels - 4 * (size_t)quads[i]) / (n > 1 ? n - 1 : 1));
        random_weights(w, 4 * (size_t)quads[i], seed + (uint32_t)i);
        for (int64_t q = 0; q < quads[i]; q++)
            al_pixel_pack_quad(packed + i * stride + (size_t)q * AL_PIXEL_QUAD, w + 4 * q);
    }
    kernels->rgb_sums(&(al_rgb_sums){n, starts, quads, packed, stride}, row, out);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) {
            int64_t sum = 0;
            for (size_t k = 0; k < 4 * (size_t)quads[i]; k++)
                sum += (int64_t)weights[i * most_quads * 4 + k] * row[3 * ((size_t)starts[i] + k) + c];
            if (out[3 * i + c] != rounded(sum))
                fail_msg("pixel %zu of %zu, channel %zu: %d, expected %d", i, n, c, out[3 * i + c], rounded(sum));
        }
    free(row);
    free(out);
    free(starts);
    free(quads);
    free(packed);
    free(weights);
}

static void test_rgb_sums(void **state)
{
    (void)state;
    for (size_t n = 1; n < 20; n++)
        for (size_t most_quads = 1; most_quads < 12; most_quads++)
            check_rgb(n, most_quads, 4 * most_quads + 3 * n - 3, (uint32_t)(n * 12 + most_quads));
}

static void check_bytes(size_t count, size_t n, uint32_t seed)
{
    uint8_t *rows = random_bytes(count * n, seed), *out = malloc(n);
    const uint8_t **lines = calloc(count, sizeof *lines);
    int32_t *weights = calloc(count, sizeof *weights);
    assert_true(out && lines && weights);
    random_weights(weights, count, seed);
    for (size_t k = 0; k < count; k++)
        lines[k] = rows + (count - 1 - k) * n; /* anywhere, in any order */
    kernels->byte_sums(count, weights, lines, n, out);
    for (size_t i = 0; i < n; i++) {
        int64_t sum = 0;
        for (size_t k = 0; k < count; k++)
            sum += (int64_t)weights[k] * lines[k][i];
        if (out[i] != rounded(sum))
            fail_msg("byte %zu of %zu, %zu rows: %d, expected %d", i, n, count, out[i], rounded(sum));
    }
    free(rows);
    free(out);
    free(lines);
    free(weights);
}

static void test_byte_sums(void **state)
{
    (void)state;
    for (size_t count = 1; count < 70; count += count < 8 ? 1 : 7)
        for (size_t strips = 1; strips < 4; strips++)
            check_bytes(count, strips * AL_PIXEL_STRIP, (uint32_t)(count * 4 + strips));
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_rgb_sums),
        cmocka_unit_test(test_byte_sums),
    };
    return cmocka_run_group_tests(tests, get_kernels, NULL);
}
