/* test_encode.c: pictures written as JPEG files, which come back as they were but for what quality takes away; and
 * small pictures of large ones. */
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

/* The thumbnail of a smooth picture that was written as a JPEG. */
static align_image thumbnail_of(int64_t height, int64_t width, int64_t most)
{
    align_image image = smooth_image(height, width, 3), small;
    uint8_t *bytes;
    size_t size;
    assert_int_equal(align_image_encode_jpeg(&image, 95, &bytes, &size, NULL), ALIGN_OK);
    assert_int_equal(align_image_thumbnail(&small, bytes, size, "large", most, NULL), ALIGN_OK);
    align_free(bytes);
    free(image.pixels);
    return small;
}

static void test_thumbnail(void **state)
{
    static const int64_t cases[][5] = {/* height, width, most, then what comes out */
                                       {300, 400, 100, 75, 100},
                                       {400, 300, 100, 100, 75},
                                       {1000, 200, 100, 100, 20},
                                       {90, 80, 100, 90, 80},
                                       {101, 101, 100, 100, 100}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        align_image small = thumbnail_of(cases[i][0], cases[i][1], cases[i][2]);
        assert_int_equal(small.height, cases[i][3]);
        assert_int_equal(small.width, cases[i][4]);
        align_image same = smooth_image(small.height, small.width, 3);
        for (int64_t k = 0; k < small.height * small.width * 3; k++)
            assert_in_range(abs(small.pixels[k] - same.pixels[k]), 0, 12);
        free(same.pixels);
        align_image_done(&small);
    }
}

/* The reference's pictures, lying on their sides or not: thumbnails stand upright. */
static void check_upright(const expected_picture *e, const char *path)
{
    const file_bytes file = read_file(path);
    align_image small;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_image_thumbnail(&small, file.data, file.size, path, 8, &err), ALIGN_OK);
    const int64_t height = e->upright_height, width = e->upright_width, longer = height > width ? height : width;
    assert_int_equal(small.height, longer <= 8 ? height : height == longer ? 8 : (16 * height + longer) / 2 / longer);
    assert_int_equal(small.width, longer <= 8 ? width : width == longer ? 8 : (16 * width + longer) / 2 / longer);
    align_image_done(&small);
    free(file.data);
}

static void test_thumbnail_upright(void **state)
{
    (void)state;
    for_each_picture(check_upright);
}

static void test_thumbnail_refused(void **state)
{
    (void)state;
    align_image small = {0};
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_image_thumbnail(&small, "no picture", 10, "notes.txt", 8, &err), ALIGN_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "notes.txt"));
    assert_int_equal(align_image_thumbnail(&small, "no picture", 10, "notes.txt", 0, &err),
                     ALIGN_ERROR_INVALID_ARGUMENT);
    assert_null(small.pixels);
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
        cmocka_unit_test(test_comes_back),        cmocka_unit_test(test_quality_costs_bytes),
        cmocka_unit_test(test_refused),           cmocka_unit_test(test_thumbnail),
        cmocka_unit_test(test_thumbnail_upright), cmocka_unit_test(test_thumbnail_refused),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
