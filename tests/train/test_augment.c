/* test_augment.c: variants of pictures: colours to Pillow's bits, crops and flips, and how often which of them comes.
 */
#include "train/augment.h"

#include "base/random.h"
#include "processor/picture_test.h"

#include <math.h>

static void test_colours_are_pillows(void **state)
{
    (void)state;
    static const char *const names[] = {"brightness", "contrast", "saturation", "hue"};
    FILE *list = fopen(TEST_DATA "/train/adjust.txt", "r");
    assert_non_null(list);
    char what[32];
    double by;
    long height, width;
    unsigned seed, crc;
    int count = 0;
    for (; fscanf(list, "%31s %lf %ld %ld %u %x", what, &by, &height, &width, &seed, &crc) == 6; count++) {
        align_image image = noise_image(seed, height, width, 3);
        int number = 0;
        while (strcmp(names[number], what) != 0)
            assert_true(++number < AL_ADJUSTMENTS);
        al_image_adjust(&image, (al_adjustment)number, by);
        if (image_crc(&image) != crc)
            fail_msg("%s by %g: other pixels than Pillow's", what, by);
        align_image_done(&image);
    }
    assert_int_equal(count, 48);
    fclose(list);
}

static align_augmentation crops(void)
{
    align_augmentation a = ALIGN_AUGMENTATION_INIT;
    a.crop = true;
    return a;
}

static void test_crops_lie_inside(void **state)
{
    (void)state;
    const align_augmentation a = crops();
    const int64_t sizes[][2] = {{200, 300}, {1, 1}, {1, 400}, {400, 1}, {3, 2}, {1000, 10}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint64_t key = 0; key < 2000; key++) {
            const al_crop c = al_crop_draw(&a, key, sizes[s][0], sizes[s][1]);
            assert_true(c.top >= 0 && c.left >= 0 && c.height >= 1 && c.width >= 1);
            assert_true(c.top + c.height <= sizes[s][0] && c.left + c.width <= sizes[s][1]);
        }
    const al_crop middle = al_crop_draw(&a, 1, 10, 1000); /* no aspect that is allowed fits */
    assert_int_equal(middle.height, 10);
    assert_int_equal(middle.width, 13);
    assert_int_equal(middle.left, 493);
    const al_crop tall = al_crop_draw(&a, 1, 1000, 12);
    assert_int_equal(tall.height, 16);
    assert_int_equal(tall.width, 12);
    assert_int_equal(tall.top, 492);
}

/* Areas and the logarithms of aspects are even in their ranges, where no crop has to be drawn again. */
static void test_crops_are_even(void **state)
{
    (void)state;
    align_augmentation a = crops();
    a.scale_most = 0.5;
    const int64_t side = 1000;
    const size_t n = 40000;
    double area = 0, aspect = 0, top = 0, wide = 0;
    for (uint64_t i = 0; i < n; i++) {
        const al_crop c = al_crop_draw(&a, al_random_key(9, i), side, side);
        const double ratio = (double)c.width / (double)c.height;
        area += (double)(c.width * c.height);
        aspect += log(ratio);
        wide += ratio > 1.1547; /* the upper quarter of the logarithms */
        top += (double)c.top / (double)(side - c.height);
        assert_true(ratio > 0.74 && ratio < 1.35);
    }
    assert_true(fabs(area / (double)n / (double)(side * side) - 0.29) < 0.005);
    assert_true(fabs(aspect / (double)n) < 0.005);
    assert_true(fabs(wide / (double)n - 0.25) < 0.02);
    assert_true(fabs(top / (double)n - 0.5) < 0.01);
}

static void test_whole_crop_is_a_resize(void **state)
{
    (void)state;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    config.size_height = 17;
    config.size_width = 23;
    config.resample = ALIGN_BICUBIC;
    align_image image = noise_image(3, 41, 60, 3), resized, cropped, part = noise_image(0, 20, 31, 3);
    assert_int_equal(align_image_resize(&resized, &image, 17, 23, ALIGN_BICUBIC, false, NULL), ALIGN_OK);
    assert_int_equal(al_crop_resize(&cropped, &image, &(al_crop){0, 0, 41, 60}, &config, NULL), ALIGN_OK);
    assert_memory_equal(cropped.pixels, resized.pixels, 17 * 23 * 3);
    align_image_done(&resized);
    align_image_done(&cropped);
    for (size_t y = 0; y < 20; y++)
        memcpy(part.pixels + y * 31 * 3, image.pixels + ((y + 5) * 60 + 7) * 3, 31 * 3);
    assert_int_equal(align_image_resize(&resized, &part, 17, 23, ALIGN_BICUBIC, false, NULL), ALIGN_OK);
    assert_int_equal(al_crop_resize(&cropped, &image, &(al_crop){5, 7, 20, 31}, &config, NULL), ALIGN_OK);
    assert_memory_equal(cropped.pixels, resized.pixels, 17 * 23 * 3);
    align_image_done(&resized);
    align_image_done(&cropped);
    align_image_done(&image);
    align_image_done(&part);
    config.do_resize = false;
    assert_int_equal(al_crop_resize(&cropped, &image, &(al_crop){0, 0, 1, 1}, &config, NULL),
                     ALIGN_ERROR_INVALID_ARGUMENT);
}

static void test_flips(void **state)
{
    (void)state;
    for (int64_t width = 1; width <= 5; width++) {
        align_image image = noise_image(4, 3, width, 3), before = noise_image(4, 3, width, 3);
        al_flip_apply(&image);
        for (int64_t y = 0; y < 3; y++)
            for (int64_t x = 0; x < width; x++)
                assert_memory_equal(image.pixels + (y * width + x) * 3, before.pixels + (y * width + width - 1 - x) * 3,
                                    3);
        align_image_done(&image);
        align_image_done(&before);
    }
    align_augmentation a = ALIGN_AUGMENTATION_INIT;
    const double chances[] = {0, 0.3, 1};
    for (int i = 0; i < 3; i++) {
        size_t flips = 0;
        a.flip = chances[i];
        for (uint64_t key = 0; key < 10000; key++)
            flips += al_flip_draw(&a, key);
        assert_true(fabs((double)flips - 10000 * chances[i]) <= 200 * (chances[i] == 0.3));
    }
}

static void test_jitter(void **state)
{
    (void)state;
    align_augmentation a = ALIGN_AUGMENTATION_INIT;
    a.brightness = 0.4;
    a.contrast = 2;
    a.hue = 0.1;
    double least[AL_ADJUSTMENTS] = {9, 9, 9, 9}, most[AL_ADJUSTMENTS] = {-9, -9, -9, -9};
    size_t first[AL_ADJUSTMENTS] = {0};
    for (uint64_t key = 0; key < 4000; key++) {
        const al_jitter j = al_jitter_draw(&a, key);
        unsigned seen = 0;
        for (int i = 0; i < AL_ADJUSTMENTS; i++) {
            least[i] = fmin(least[i], j.by[i]);
            most[i] = fmax(most[i], j.by[i]);
            seen |= 1u << j.order[i];
        }
        assert_int_equal(seen, 15);
        first[j.order[0]]++;
    }
    const double expected[AL_ADJUSTMENTS][2] = {{0.6, 1.4}, {0, 3}, {1, 1}, {-0.1, 0.1}};
    for (int i = 0; i < AL_ADJUSTMENTS; i++) {
        assert_true(least[i] >= expected[i][0] && least[i] < expected[i][0] + 0.01);
        assert_true(most[i] <= expected[i][1] && most[i] > expected[i][1] - 0.01);
        assert_in_range(first[i], 850, 1150);
    }
    align_image image = noise_image(5, 4, 4, 3), before = noise_image(5, 4, 4, 3);
    const al_jitter nothing = al_jitter_draw(&(align_augmentation)ALIGN_AUGMENTATION_INIT, 3);
    al_jitter_apply(&nothing, &image);
    assert_memory_equal(image.pixels, before.pixels, 48);
    const al_jitter dark = {.by = {0, 1, 1, 0}, .order = {3, 2, 1, 0}};
    al_jitter_apply(&dark, &image);
    for (int i = 0; i < 48; i++)
        assert_int_equal(image.pixels[i], 0);
    align_image_done(&image);
    align_image_done(&before);
}

static void refuse(align_augmentation a, const char *text)
{
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_augmentation_check(&a, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, text));
}

static void test_options(void **state)
{
    (void)state;
    align_augmentation a = crops();
    assert_int_equal(al_augmentation_check(&a, NULL), ALIGN_OK);
    a.scale_least = 2;
    refuse(a, "scale_least: expected 1e-06 to 1, found 2");
    a = crops();
    a.scale_most = 0;
    refuse(a, "scale_most");
    a.crop = false; /* then nobody looks at it */
    assert_int_equal(al_augmentation_check(&a, NULL), ALIGN_OK);
    a = crops();
    a.ratio_least = 0;
    refuse(a, "ratio_least");
    a = crops();
    a.ratio_most = (double)NAN;
    refuse(a, "ratio_most");
    a = crops();
    a.flip = 1.5;
    refuse(a, "flip");
    a = crops();
    a.hue = 0.6;
    refuse(a, "hue: expected 0 to 0.5, found 0.6");
    a = crops();
    a.brightness = -1;
    refuse(a, "brightness");
    a = crops();
    a.contrast = -1;
    refuse(a, "contrast");
    a = crops();
    a.saturation = 1e9;
    refuse(a, "saturation");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_colours_are_pillows),
        cmocka_unit_test(test_crops_lie_inside),
        cmocka_unit_test(test_crops_are_even),
        cmocka_unit_test(test_whole_crop_is_a_resize),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
