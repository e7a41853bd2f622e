/* test_image_processor.c: preprocessor_config.json in every form, and pixel_values equal to the reference's to the bit.
 */
#include "base/memory.h"
#include "processor/image_config.h"
#include "processor/picture_test.h"

#include <math.h>
#include <unistd.h>

static char folder[] = "/tmp/align-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static char *config_path(void)
{
    static char path[sizeof folder + sizeof AL_IMAGE_CONFIG_FILE];
    snprintf(path, sizeof path, "%s/%s", folder, AL_IMAGE_CONFIG_FILE);
    return path;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(config_path());
    return rmdir(folder);
}

static void write_config(const char *text)
{
    FILE *out = fopen(config_path(), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static align_status read_config(align_image_processor_config *config, const char *text, align_error *err)
{
    write_config(text);
    return align_image_processor_config_from_pretrained(config, folder, err);
}

/* ---- against the reference ---- */

static float *input_floats(const align_image *image, const char *kind)
{
    const size_t count = (size_t)(image->height * image->width * image->channels);
    float *floats = malloc(count * sizeof *floats);
    assert_non_null(floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = strcmp(kind, "unit") == 0    ? image->pixels[i] * (1.0f / 256)
                    : strcmp(kind, "whole") == 0 ? image->pixels[i]
                                                 : (float)(image->pixels[i] & 1);
    return floats;
}

static void check_run(const align_image_processor_config *config, const json_t *run, size_t number)
{
    const char *kind, *crc;
    json_int_t height, width, channels, seed, out_channels, out_height, out_width;
    assert_int_equal(json_unpack((json_t *)(uintptr_t)run, "{s:s,s:[I,I,I],s:I,s:[I,I,I],s:s}", "input", &kind, "shape",
                                 &height, &width, &channels, "seed", &seed, "output", &out_channels, &out_height,
                                 &out_width, "crc32", &crc),
                     0);
    int64_t got_height, got_width;
    align_image_processor_output_size(config, height, width, &got_height, &got_width);
    assert_int_equal(got_height, out_height);
    assert_int_equal(got_width, out_width);
    align_image image = noise_image((unsigned)seed, height, width, channels);
    const size_t bytes = (size_t)(channels * got_height * got_width) * sizeof(float);
    float *out = malloc(bytes), *floats = NULL;
    assert_non_null(out);
    align_error err = ALIGN_ERROR_INIT;
    align_status status;
    if (strcmp(kind, "bytes") == 0) {
        status = align_image_processor_run(config, &image, out, &err);
    } else {
        floats = input_floats(&image, kind);
        status = align_image_processor_run_f32(config, floats, height, width, channels, out, &err);
    }
    if (status != ALIGN_OK || crc32_of(out, bytes) != strtoul(crc, NULL, 16))
        fail_msg("config %zu, %s of %d x %d: %s", number, kind, (int)height, (int)width,
                 status == ALIGN_OK ? "other values than the reference's" : err.message);
    free(floats);
    free(out);
    free(image.pixels);
}

static void check_saved(const align_image_processor_config *config, const json_t *original, const char *expected)
{
    assert_int_equal(al_image_config_write(config, original, NULL, folder, NULL), ALIGN_OK);
    const file_bytes file = read_file(config_path());
    if (file.size != strlen(expected) || memcmp(file.data, expected, file.size) != 0)
        fail_msg("wrote\n%.*s\nexpected\n%s", (int)file.size, (const char *)file.data, expected);
    free(file.data);
}

static void test_as_reference(void **state)
{
    (void)state;
    json_t *cases = json_load_file(PROCESSOR_DATA "image_processor.json", 0, NULL);
    assert_true(json_array_size(cases) > 40);
    size_t number, i;
    json_t *entry, *run;
    json_array_foreach(cases, number, entry)
    {
        const json_t *original = json_object_get(entry, "config");
        const char *saved = json_string_value(json_object_get(entry, "saved"));
        align_image_processor_config config;
        align_error err = ALIGN_ERROR_INIT;
        char *text = json_dumps(original, 0);
        if (read_config(&config, text, &err) != ALIGN_OK)
            fail_msg("%s", err.message);
        free(text);
        check_saved(&config, original, saved);
        /* What was saved reads as the same config. */
        align_image_processor_config again;
        assert_int_equal(align_image_processor_config_from_pretrained(&again, config_path(), NULL), ALIGN_OK);
        assert_true(again.size_width == config.size_width && again.crop_height == config.crop_height);
        json_array_foreach(json_object_get(entry, "runs"), i, run)
        {
            check_run(&config, run, number);
            check_run(&again, run, number);
        }
    }
    json_decref(cases);
}

static void test_saves_alone(void **state)
{
    (void)state;
    json_t *cases = json_load_file(PROCESSOR_DATA "image_processor.json", 0, NULL);
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    assert_int_equal(align_image_processor_config_save_pretrained(&config, folder, NULL), ALIGN_OK);
    check_saved(&config, NULL, json_string_value(json_object_get(json_array_get(cases, 0), "saved")));
    json_decref(cases);
    assert_int_equal(align_image_processor_config_save_pretrained(NULL, folder, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_image_processor_config_save_pretrained(&config, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_image_processor_config_save_pretrained(&config, config_path(), NULL), ALIGN_ERROR_IO);
}

/* ---- reading ---- */

static void test_forms(void **state)
{
    (void)state;
    align_image_processor_config c;
    assert_int_equal(read_config(&c,
                                 "{\"size\": 20, \"crop_size\": [5, 6], \"image_mean\": 0.25, \"image_std\": [1, 2, 3],"
                                 "\"size_divisor\": {}, \"do_resize\": null, \"rescale_factor\": 3}",
                                 NULL),
                     ALIGN_OK);
    assert_true(c.size_height == 20 && c.size_width == 20 && c.crop_height == 5 && c.crop_width == 6);
    assert_true(c.image_mean[2] == 0.25 && c.image_std[0] == 1 && c.image_std[2] == 3);
    assert_true(!c.do_resize && c.do_rescale && c.rescale_factor == 3 && c.rescale_integer);
    assert_int_equal(
        read_config(&c, "{\"size\": null, \"image_mean\": null, \"resample\": 5, \"rescale_factor\": 300}", NULL),
        ALIGN_OK);
    assert_true(c.size_height == 346 && c.image_mean[0] == 0.5 && c.resample == ALIGN_HAMMING && !c.rescale_integer);
    assert_int_equal(read_config(&c, "{\"rescale_factor\": null, \"do_rescale\": false}", NULL), ALIGN_OK);
}

static void test_config_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
        align_status status;
    } cases[] = {
        {"", AL_IMAGE_CONFIG_FILE, ALIGN_ERROR_FORMAT},
        {"[]", AL_IMAGE_CONFIG_FILE, ALIGN_ERROR_FORMAT},
        {"{\"size\": {\"shortest_edge\": 20}}", "height and width", ALIGN_ERROR_FORMAT},
        {"{\"size\": {\"height\": 20}}", "height and width", ALIGN_ERROR_FORMAT},
        {"{\"crop_size\": {\"height\": 1, \"width\": 2, \"depth\": 3}}", "crop_size", ALIGN_ERROR_FORMAT},
        {"{\"size\": {\"height\": 20, \"width\": null}}", "size", ALIGN_ERROR_FORMAT},
        {"{\"size\": [1]}", "size", ALIGN_ERROR_FORMAT},
        {"{\"size\": [1, 2, 3]}", "size", ALIGN_ERROR_FORMAT},
        {"{\"size\": 20.5}", "size", ALIGN_ERROR_FORMAT},
        {"{\"size\": \"20\"}", "size", ALIGN_ERROR_FORMAT},
        {"{\"size\": true}", "size", ALIGN_ERROR_FORMAT},
        {"{\"size\": 0}", "0 x 0", ALIGN_ERROR_FORMAT},
        {"{\"crop_size\": [3, -4]}", "3 x -4", ALIGN_ERROR_FORMAT},
        {"{\"size\": 3000000000}", "sizes from 1", ALIGN_ERROR_FORMAT},
        {"{\"resample\": null}", "resample", ALIGN_ERROR_FORMAT},
        {"{\"resample\": 1.5}", "resample", ALIGN_ERROR_FORMAT},
        {"{\"resample\": 6}", "filter 6", ALIGN_ERROR_UNSUPPORTED},
        {"{\"resample\": -1}", "filter -1", ALIGN_ERROR_UNSUPPORTED},
        {"{\"rescale_factor\": null}", "rescale_factor", ALIGN_ERROR_FORMAT},
        {"{\"rescale_factor\": \"1/255\"}", "rescale_factor", ALIGN_ERROR_FORMAT},
        {"{\"do_resize\": 1}", "do_resize", ALIGN_ERROR_FORMAT},
        {"{\"include_top\": \"no\"}", "include_top", ALIGN_ERROR_FORMAT},
        {"{\"image_mean\": [0.5]}", "found 1", ALIGN_ERROR_FORMAT},
        {"{\"image_mean\": [0.5, 0.5, \"x\"]}", "image_mean", ALIGN_ERROR_FORMAT},
        {"{\"image_std\": {}}", "image_std", ALIGN_ERROR_FORMAT},
        {"{\"image_std\": [1, 0, 1]}", "channel 1", ALIGN_ERROR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        align_image_processor_config config = {.size_height = 77};
        align_error err = ALIGN_ERROR_INIT;
        const align_status status = read_config(&config, cases[i].text, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].words) ||
            !strstr(err.message, AL_IMAGE_CONFIG_FILE))
            fail_msg("%s: status %d (%s)", cases[i].text, (int)status, err.message);
        assert_int_equal(config.size_height, 77); /* untouched */
    }
    align_image_processor_config config;
    unlink(config_path());
    assert_int_equal(align_image_processor_config_from_pretrained(&config, folder, NULL), ALIGN_ERROR_NOT_FOUND);
    assert_int_equal(align_image_processor_config_from_pretrained(&config, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
}

/* ---- running ---- */

static void test_crop_sizes(void **state)
{
    (void)state;
    /* input, crop, result: one short where the difference is odd, as in the reference. */
    static const int64_t cases[][3] = {{24, 24, 24}, {24, 23, 23}, {24, 25, 24},
                                       {24, 26, 26}, {1, 2, 1},    {1, 300, 299}};
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    config.do_resize = false;
    config.do_center_crop = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t height, width;
        config.crop_height = config.crop_width = cases[i][1];
        align_image_processor_output_size(&config, cases[i][0], cases[i][0], &height, &width);
        assert_int_equal(height, cases[i][2]);
        assert_int_equal(width, cases[i][2]);
    }
}

static void test_other_channel_counts(void **state)
{
    (void)state;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    config.do_resize = false;
    uint8_t pixels[] = {0, 255, 51, 102};
    float out[4];
    for (int64_t channels = 1; channels <= 4; channels++) {
        const align_image image = {1, 1, channels, pixels};
        assert_int_equal(align_image_processor_run(&config, &image, out, NULL), ALIGN_OK);
        for (int64_t c = 0; c < channels; c++) {
            const float unit = (float)(pixels[c] * (1.0 / 255.0));
            assert_true(out[c] == (unit - 0.5f) / 0.5f / 0.5f);
        }
    }
    config.image_mean[1] = 0.25; /* constants for three channels fit no other number */
    const align_image grey = {1, 1, 1, pixels};
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_image_processor_run(&config, &grey, out, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "image_mean"));
    config.do_normalize = false; /* then the mean is not used */
    assert_int_equal(align_image_processor_run(&config, &grey, out, NULL), ALIGN_OK);
}

static void test_float_ranges(void **state)
{
    (void)state;
    static const struct {
        float values[3];
        const char *words;
    } bad[] = {
        {{0, 1, 256}, "[0, 255]"},    {{-1, 0, 1}, "[0, 255]"},       {{0.5f, 0, 1.5f}, "[0, 1]"},
        {{0.5f, -0.5f, 0}, "[0, 1]"}, {{0.5f, 0, (float)NAN}, "NaN"}, {{0, 1, (float)INFINITY}, "[0, 1]"},
    };
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    config.size_height = config.size_width = 2;
    float out[12];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        align_error err = ALIGN_ERROR_INIT;
        assert_int_equal(align_image_processor_run_f32(&config, bad[i].values, 1, 1, 3, out, &err),
                         ALIGN_ERROR_INVALID_ARGUMENT);
        if (!strstr(err.message, bad[i].words))
            fail_msg("%zu: %s", i, err.message);
    }
    config.do_resize = false; /* without a resize any float goes */
    assert_int_equal(align_image_processor_run_f32(&config, bad[0].values, 1, 1, 3, out, NULL), ALIGN_OK);
}

static void test_refusals(void **state)
{
    (void)state;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    uint8_t pixels[3] = {0};
    float floats[3] = {0}, out[3];
    const align_image image = {1, 1, 3, pixels}, none = {1, 1, 3, NULL};
    const align_status wrong = ALIGN_ERROR_INVALID_ARGUMENT;
    assert_int_equal(align_image_processor_run(NULL, &image, out, NULL), wrong);
    assert_int_equal(align_image_processor_run(&config, NULL, out, NULL), wrong);
    assert_int_equal(align_image_processor_run(&config, &none, out, NULL), wrong);
    assert_int_equal(align_image_processor_run(&config, &image, NULL, NULL), wrong);
    assert_int_equal(align_image_processor_run_f32(&config, NULL, 1, 1, 3, out, NULL), wrong);
    assert_int_equal(align_image_processor_run_f32(&config, floats, 0, 1, 3, out, NULL), wrong);
    assert_int_equal(align_image_processor_run_f32(&config, floats, 1, 1, 5, out, NULL), wrong);
    config.size_height = 0;
    assert_int_equal(align_image_processor_run(&config, &image, out, NULL), wrong);
    config.do_resize = false;
    config.do_center_crop = true;
    config.crop_width = 0;
    assert_int_equal(align_image_processor_run(&config, &image, out, NULL), wrong);
}

static void test_without_memory(void **state)
{
    (void)state;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    config.size_height = config.size_width = 5;
    config.resample = ALIGN_BICUBIC;
    align_image image = noise_image(1, 9, 8, 3);
    float *floats = input_floats(&image, "unit"), out[75];
    for (int kind = 0; kind < 2; kind++)
        for (long n = 1;; n++) {
            al_memory_fail_at(n);
            const align_status status = kind == 0 ? align_image_processor_run(&config, &image, out, NULL)
                                                  : align_image_processor_run_f32(&config, floats, 9, 8, 3, out, NULL);
            al_memory_fail_at(0);
            if (status == ALIGN_OK)
                break;
            assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
        }
    for (long n = 1;; n++) {
        al_memory_fail_at(n);
        const align_status status = align_image_processor_config_save_pretrained(&config, folder, NULL);
        al_memory_fail_at(0);
        if (status == ALIGN_OK)
            break;
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
    for (long n = 1;; n++) {
        al_memory_fail_at(n);
        const align_status status = align_image_processor_config_from_pretrained(&config, folder, NULL);
        al_memory_fail_at(0);
        if (status == ALIGN_OK)
            break;
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
    free(floats);
    free(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_reference),   cmocka_unit_test(test_saves_alone),
        cmocka_unit_test(test_forms),          cmocka_unit_test(test_config_errors),
        cmocka_unit_test(test_crop_sizes),     cmocka_unit_test(test_other_channel_counts),
        cmocka_unit_test(test_float_ranges),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
