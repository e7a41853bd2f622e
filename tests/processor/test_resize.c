/* test_resize.c: Pillow's resize to the bit, for every filter, pass order, channel count and odd size. */
#include "base/memory.h"
#include "processor/picture_test.h"

static void check_resized(const align_image *image, long height, long width, int filter, bool horizontal_first,
                          unsigned crc)
{
    align_image out;
    align_error err = ALIGN_ERROR_INIT;
    if (align_image_resize(&out, image, height, width, (align_resample)filter, horizontal_first, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(out.height, height);
    assert_int_equal(out.width, width);
    assert_int_equal(out.channels, image->channels);
    if (image_crc(&out) != crc)
        fail_msg("filter %d, %ld x %ld x %ld to %ld x %ld%s: checksum %08x, expected %08x", filter, (long)image->height,
                 (long)image->width, (long)image->channels, height, width, horizontal_first ? ", rows first" : "",
                 image_crc(&out), crc);
    align_image_done(&out);
}

static void test_as_pillow(void **state)
{
    (void)state;
    FILE *list = fopen(PROCESSOR_DATA "resize.txt", "r");
    assert_non_null(list);
    int filter, cases = 0, ordered = 0;
    long height, width, channels, out_height, out_width;
    unsigned seed, crc, horizontal_first_crc;
    while (fscanf(list, "%d %ld %ld %ld %u %ld %ld %x %x", &filter, &height, &width, &channels, &seed, &out_height,
                  &out_width, &crc, &horizontal_first_crc) == 9) {
        align_image image = noise_image(seed, height, width, channels);
        check_resized(&image, out_height, out_width, filter, false, crc);
        check_resized(&image, out_height, out_width, filter, true, horizontal_first_crc);
        ordered += crc != horizontal_first_crc;
        cases++;
        free(image.pixels);
    }
    fclose(list);
    assert_int_equal(cases, 300);
    assert_true(ordered > 20); /* both pass orders are told apart */
}

/* Channels know nothing of each other: 2 and 4 of them come out as each alone. */
static void test_channels_are_independent(void **state)
{
    (void)state;
    enum { HEIGHT = 19, WIDTH = 23, OUT_HEIGHT = 7, OUT_WIDTH = 31 };
    for (int channels = 2; channels <= 4; channels++)
        for (int filter = ALIGN_NEAREST; filter <= ALIGN_HAMMING; filter++) {
            align_image image = noise_image(3, HEIGHT, WIDTH, channels), all;
            assert_int_equal(
                align_image_resize(&all, &image, OUT_HEIGHT, OUT_WIDTH, (align_resample)filter, false, NULL), ALIGN_OK);
            for (int c = 0; c < channels; c++) {
                uint8_t plane[HEIGHT * WIDTH];
                for (int i = 0; i < HEIGHT * WIDTH; i++)
                    plane[i] = image.pixels[i * channels + c];
                const align_image single = {HEIGHT, WIDTH, 1, plane};
                align_image one;
                assert_int_equal(
                    align_image_resize(&one, &single, OUT_HEIGHT, OUT_WIDTH, (align_resample)filter, false, NULL),
                    ALIGN_OK);
                for (int i = 0; i < OUT_HEIGHT * OUT_WIDTH; i++)
                    assert_int_equal(one.pixels[i], all.pixels[i * channels + c]);
                align_image_done(&one);
            }
            align_image_done(&all);
            free(image.pixels);
        }
}

/* A flat picture stays flat under every filter: the weights of a pixel sum to one within rounding. */
static void test_flat_stays_flat(void **state)
{
    (void)state;
    uint8_t pixels[50 * 40];
    memset(pixels, 255, sizeof pixels);
    const align_image image = {50, 40, 1, pixels};
    for (int filter = ALIGN_NEAREST; filter <= ALIGN_HAMMING; filter++)
        for (int64_t size = 1; size < 120; size += 7) {
            align_image out;
            assert_int_equal(align_image_resize(&out, &image, size, 121 - size, (align_resample)filter, false, NULL),
                             ALIGN_OK);
            for (int64_t i = 0; i < out.height * out.width; i++)
                assert_int_equal(out.pixels[i], 255);
            align_image_done(&out);
        }
}

static void test_refusals(void **state)
{
    (void)state;
    uint8_t pixels[4] = {0};
    const align_image good = {2, 2, 1, pixels}, empty = {0, 2, 1, pixels}, wide = {2, 2, 5, pixels},
                      none = {2, 2, 1, NULL};
    const align_image *bad[] = {NULL, &empty, &wide, &none};
    align_image out;
    align_error err = ALIGN_ERROR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(align_image_resize(&out, bad[i], 1, 1, ALIGN_BOX, false, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_image_resize(NULL, &good, 1, 1, ALIGN_BOX, false, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    const int64_t sizes[] = {0, -1, INT64_MIN, INT64_C(1) << 31};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(align_image_resize(&out, &good, sizes[i], 1, ALIGN_BOX, false, &err),
                         ALIGN_ERROR_INVALID_ARGUMENT);
        assert_int_equal(align_image_resize(&out, &good, 1, sizes[i], ALIGN_NEAREST, false, &err),
                         ALIGN_ERROR_INVALID_ARGUMENT);
    }
    assert_int_equal(align_image_resize(&out, &good, 1, 1, (align_resample)6, false, &err),
                     ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "resample 6"));
    assert_null(out.pixels);
}

static void test_without_memory(void **state)
{
    (void)state;
    align_image image = noise_image(1, 20, 30, 3);
    const int64_t sizes[][2] = {{20, 30}, {10, 30}, {20, 7}, {5, 6}, {40, 6}};
    for (int filter = ALIGN_NEAREST; filter <= ALIGN_HAMMING; filter++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (long n = 1;; n++) {
                align_image out;
                align_error err = ALIGN_ERROR_INIT;
                al_memory_fail_at(n);
                const align_status status = align_image_resize(&out, &image, sizes[i][0], sizes[i][1],
                                                               (align_resample)filter, n % 2 == 0, &err);
                al_memory_fail_at(0);
                if (status == ALIGN_OK) {
                    assert_true(n > 1);
                    align_image_done(&out);
                    break;
                }
                assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
                assert_null(out.pixels);
            }
    free(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_pillow),       cmocka_unit_test(test_channels_are_independent),
        cmocka_unit_test(test_flat_stays_flat), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
