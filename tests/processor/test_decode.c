/* test_decode.c: every kind of picture comes out as Pillow decodes it, with and without its orientation. */
#include "processor/picture_test.h"

static void check_decoded(const expected_picture *e, const char *path, bool ignore_orientation)
{
    align_image image;
    align_error err = ALIGN_ERROR_INIT;
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    options.ignore_orientation = ignore_orientation;
    if (align_image_open(&image, path, &options, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    const long height = ignore_orientation ? e->stored_height : e->upright_height;
    const long width = ignore_orientation ? e->stored_width : e->upright_width;
    const unsigned crc = ignore_orientation ? e->stored_crc : e->upright_crc;
    if (image.height != height || image.width != width || image.channels != 3 || image_crc(&image) != crc)
        fail_msg("%s: %ld x %ld with checksum %08x, expected %ld x %ld with %08x", e->name, (long)image.height,
                 (long)image.width, image_crc(&image), height, width, crc);
    align_image_done(&image);
    assert_null(image.pixels);
}

static void check_both(const expected_picture *e, const char *path)
{
    check_decoded(e, path, false);
    check_decoded(e, path, true);
}

static void test_pictures(void **state)
{
    (void)state;
    for_each_picture(check_both);
}

/* Resized on the way and resized afterwards are the same picture, however it is stored. */
static void check_resized(const expected_picture *e, const char *path, bool ignore_orientation)
{
    static const int64_t sizes[][2] = {{4, 5}, {5, 40}, {11, 17}, {17, 11}, {3, 16}};
    align_image_options plain = ALIGN_IMAGE_OPTIONS_INIT, resized = ALIGN_IMAGE_OPTIONS_INIT;
    plain.ignore_orientation = resized.ignore_orientation = ignore_orientation;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    resized.resize_for = &config;
    align_image whole, expected, got;
    assert_int_equal(align_image_open(&whole, path, &plain, NULL), ALIGN_OK);
    for (int filter = ALIGN_NEAREST; filter <= ALIGN_HAMMING; filter++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            config.resample = (align_resample)filter;
            config.size_height = sizes[i][0];
            config.size_width = sizes[i][1];
            config.horizontal_first = i % 2;
            assert_int_equal(align_image_resize(&expected, &whole, sizes[i][0], sizes[i][1], config.resample,
                                                config.horizontal_first, NULL),
                             ALIGN_OK);
            assert_int_equal(align_image_open(&got, path, &resized, NULL), ALIGN_OK);
            if (got.height != sizes[i][0] || got.width != sizes[i][1] || image_crc(&got) != image_crc(&expected))
                fail_msg("%s to %d x %d by filter %d: other pixels on the way", e->name, (int)sizes[i][0],
                         (int)sizes[i][1], filter);
            align_image_done(&expected);
            align_image_done(&got);
        }
    align_image_done(&whole);
}

static void check_both_resized(const expected_picture *e, const char *path)
{
    check_resized(e, path, false);
    check_resized(e, path, true);
}

static void test_resized_on_the_way(void **state)
{
    (void)state;
    for_each_picture(check_both_resized);
}

static align_image open_resized(const char *path, int64_t size, bool fast_decode)
{
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    config.size_height = config.size_width = size;
    config.resample = ALIGN_BILINEAR;
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    options.resize_for = &config;
    options.fast_decode = fast_decode;
    align_image image;
    align_error err = ALIGN_ERROR_INIT;
    if (align_image_open(&image, path, &options, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return image;
}

/* The largest and, in *mean, the mean difference that decoding at a fraction of the size makes. */
static int fast_difference(const char *path, int64_t size, double *mean)
{
    align_image exact = open_resized(path, size, false), fast = open_resized(path, size, true);
    const size_t bytes = (size_t)(size * size * 3);
    int most = 0, sum = 0;
    for (size_t i = 0; i < bytes; i++) {
        const int difference = abs(exact.pixels[i] - fast.pixels[i]);
        most = difference > most ? difference : most;
        sum += difference;
    }
    *mean = (double)sum / (double)bytes;
    align_image_done(&exact);
    align_image_done(&fast);
    return most;
}

/* 128 x 128 pixels are decoded at 1/2 and at 1/4 for these sizes. */
static void test_fast_decode(void **state)
{
    (void)state;
    static const char *const photos[] = {MODELS "/demo/pizza.jpg", MODELS "/demo/racing_car.jpg"};
    double mean;
    for (size_t i = 0; i < sizeof photos / sizeof *photos; i++)
        for (int64_t size = 16; size <= 32; size += 16) {
            assert_in_range(fast_difference(photos[i], size, &mean), 1, 12);
            assert_true(mean > 0.0 && mean < 2.0);
        }
}

/* Sizes that 8 does not divide end in a part of a pixel, at whichever end the orientation puts it. */
static void test_fast_decode_parts(void **state)
{
    (void)state;
    double mean;
    assert_in_range(fast_difference(TEST_DATA "/hub/wide.jpg", 7, &mean), 1, 9);
    assert_true(mean < 2.0);
    for (int orientation = 1; orientation <= 8; orientation++) {
        char path[512];
        snprintf(path, sizeof path, PROCESSOR_DATA "pictures/exif%d.jpg", orientation);
        assert_in_range(fast_difference(path, 2, &mean), 1, 9);
    }
}

/* Nothing changes where the picture would become less than twice the size wanted, nor for other formats. */
static void test_fast_decode_changes_nothing(void **state)
{
    (void)state;
    double mean;
    assert_int_equal(fast_difference(MODELS "/demo/pizza.jpg", 33, &mean), 0);
    assert_int_equal(fast_difference(MODELS "/demo/octopus.png", 8, &mean), 0);
    assert_int_equal(fast_difference(MODELS "/demo/whale.webp", 8, &mean), 0);
    assert_int_equal(fast_difference(MODELS "/demo/butterfly.gif", 8, &mean), 0);
}

/* Without resize_for the whole picture is asked for. */
static void test_fast_decode_alone(void **state)
{
    (void)state;
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    options.fast_decode = true;
    align_image image;
    assert_int_equal(align_image_open(&image, MODELS "/demo/pizza.jpg", &options, NULL), ALIGN_OK);
    assert_true(image.height == 128 && image.width == 128);
    align_image_done(&image);
}

/* What a processor that does not resize wants is the picture as it is. */
static void test_resize_for_nothing(void **state)
{
    (void)state;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    options.resize_for = &config;
    options.fast_decode = true;
    align_image image;
    align_error err = ALIGN_ERROR_INIT;
    config.do_resize = false;
    assert_int_equal(align_image_open(&image, PROCESSOR_DATA "pictures/420.jpg", &options, &err), ALIGN_OK);
    assert_int_equal(image.height, 11);
    align_image_done(&image);
    config.do_resize = true;
    config.size_width = 0;
    assert_int_equal(align_image_open(&image, PROCESSOR_DATA "pictures/420.jpg", &options, &err),
                     ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "346 x 0"));
    assert_null(image.pixels);
}

static void test_defaults(void **state)
{
    (void)state;
    const file_bytes file = read_file(PROCESSOR_DATA "pictures/exif6.jpg");
    align_image image;
    assert_int_equal(align_image_decode(&image, file.data, file.size, NULL, NULL, NULL), ALIGN_OK);
    assert_int_equal(image.height, 17); /* stored as 11 x 17, upright by default */
    assert_int_equal(image.width, 11);
    align_image_done(&image);
    align_image_done(&image);
    align_image_done(NULL);
    free(file.data);
}

static void test_files_that_are_not_there(void **state)
{
    (void)state;
    align_image image;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_image_open(&image, PROCESSOR_DATA "nothing.jpg", NULL, &err), ALIGN_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "nothing.jpg"));
    assert_null(image.pixels);
    assert_int_equal(align_image_open(&image, PROCESSOR_DATA "pictures", NULL, &err), ALIGN_ERROR_IO);
    assert_int_equal(align_image_open(&image, NULL, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_image_open(NULL, "x", NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_image_decode(&image, NULL, 1, "x", NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_resized_on_the_way),
        cmocka_unit_test(test_resize_for_nothing),
        cmocka_unit_test(test_fast_decode),
        cmocka_unit_test(test_fast_decode_parts),
        cmocka_unit_test(test_fast_decode_changes_nothing),
        cmocka_unit_test(test_fast_decode_alone),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_files_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
