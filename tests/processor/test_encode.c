/* test_encode.c: pictures written as JPEG files: they come back as they were, but for what quality takes away. */
#include "base/memory.h"
#include "processor/picture_test.h"

/* Slow waves of colour, which every quality keeps. */
static align_image smooth_image(int64_t height, int64_t width, int64_t channels)
{
    align_image image = {height, width, channels, malloc((size_t)(height * width * channels))};
    assert_non_null(image.pixels);
    for (int64_t i = 0; i < height * width * channels; i++) {
        const int64_t c = i % channels, x = i / channels % width, y = i / channels / width;
        image.pixels[i] = (uint8_t)(40 + 60 * c + 50 * x / width + 30 * y / height);
    }
    return image;
}

/* The largest difference of a picture to what it is after writing and reading; *size of the file. */
static int largest_difference(const align_image *image, int quality, size_t *size)
{
    uint8_t *bytes = NULL;
    align_image back;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_image_encode_jpeg(image, quality, &bytes, size, &err), ALIGN_OK);
    assert_int_equal(align_image_decode(&back, bytes, *size, "back", NULL, &err), ALIGN_OK);
    assert_int_equal(back.height, image->height);
    assert_int_equal(back.width, image->width);
    int largest = 0;
    for (int64_t i = 0; i < back.height * back.width * 3; i++) {
        const int64_t at = i / 3 * image->channels + (image->channels == 1 ? 0 : i % 3);
        const int difference = abs(back.pixels[i] - image->pixels[at]);
        largest = difference > largest ? difference : largest;
    }
    align_image_done(&back);
    align_free(bytes);
    return largest;
}

static void test_comes_back(void **state)
{
    static const int64_t sizes[][2] = {{1, 1}, {8, 8}, {17, 33}, {200, 301}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t channels = 1; channels <= 3; channels += 2) {
            align_image image = smooth_image(sizes[i][0], sizes[i][1], channels);
            size_t size;
            assert_in_range(largest_difference(&image, 95, &size), 0, 8);
            free(image.pixels);
        }
}

static void test_quality_costs_bytes(void **state)
{
    (void)state;
    align_image image = noise_image(7, 200, 200, 3); /* larger than the first buffer */
    size_t low, high;
    largest_difference(&image, 10, &low);
    largest_difference(&image, 100, &high);
    assert_true(low * 4 < high);
    assert_true(high > 32 << 10);
    free(image.pixels);
}

static void test_refused(void **state)
{
    (void)state;
    uint8_t pixels[16] = {0}, *bytes = NULL;
    size_t size;
    const struct {
        align_image image;
        int quality;
        const char *message;
    } cases[] = {
        {{2, 2, 3, NULL}, 80, "no picture"},      {{2, 2, 2, pixels}, 80, "2 channels"},
        {{2, 2, 4, pixels}, 80, "4 channels"},    {{0, 2, 3, pixels}, 80, "0 x 2"},
        {{70000, 1, 1, pixels}, 80, "70000 x 1"}, {{1, 70000, 1, pixels}, 80, "1 x 70000"},
        {{2, 2, 3, pixels}, 0, "quality 0"},      {{2, 2, 3, pixels}, 101, "quality 101"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        align_error err = ALIGN_ERROR_INIT;
        assert_int_equal(align_image_encode_jpeg(&cases[i].image, cases[i].quality, &bytes, &size, &err),
                         ALIGN_ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_null(bytes);
    }
    const align_image image = {2, 2, 3, pixels};
    assert_int_equal(align_image_encode_jpeg(&image, 80, NULL, &size, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_image_encode_jpeg(NULL, 80, &bytes, &size, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
}

static void test_no_memory(void **state)
{
    (void)state;
    align_image image = noise_image(3, 100, 100, 3);
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    for (long n = 1; status != ALIGN_OK; n++) {
        uint8_t *bytes = NULL;
        size_t size;
        al_memory_fail_at(n);
        status = align_image_encode_jpeg(&image, 90, &bytes, &size, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        assert_int_equal(bytes != NULL, status == ALIGN_OK);
        align_free(bytes);
    }
    free(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_quality_costs_bytes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
