/* test_records.c: what a run writes down for people: lines of JSON, TensorBoard's events, the plot; and the recipe that
 * a checkpoint keeps. */
#include "base/file.h"
#include "base/memory.h"
#include "train/events.h"
#include "train/log.h"
#include "train/plot.h"
#include "train/recipe.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/scratch.h"

static char *text_of(const char *path, size_t *size)
{
    char *text;
    assert_int_equal(al_file_read(&text, size, path, 1 << 20, NULL), ALIGN_OK);
    return text;
}

static const align_recall recall = {{0.25, 0.5, 0.75}, {0.125, 0.5, 1.0}};

static align_train_progress progress_at(int64_t step)
{
    return (align_train_progress){.step = step,
                                  .steps = 10,
                                  .epoch = 0.5,
                                  .loss = 2.25,
                                  .rate = 1e-3,
                                  .gradient = 1.5,
                                  .temperature = 0.0625,
                                  .seconds = 0.5,
                                  .pairs = 64,
                                  .skipped = 3,
                                  .validation = step == 2 ? &recall : NULL};
}

/* ---- lines of JSON ---- */

static void write_steps(const char *path, int64_t after, int64_t last)
{
    al_log *log;
    assert_int_equal(al_log_open(&log, path, after, NULL), ALIGN_OK);
    for (int64_t step = after + 1; step <= last; step++) {
        const align_train_progress p = progress_at(step);
        assert_int_equal(al_log_step(log, &p, NULL), ALIGN_OK);
    }
    al_log_free(log);
}

#define REST(step)                                                                                                \
    "{\"step\": " #step ", \"epoch\": 0.5, \"loss\": 2.25, \"rate\": 0.001, \"gradient\": 1.5, \"temperature\": " \
    "0.0625, \"seconds\": 0.5, \"pairs\": 64, \"skipped\": 3"

static void lines(void **state)
{
    (void)state;
    const char *path = in_scratch("log.jsonl");
    size_t size;
    write_steps(path, 0, 3);
    char *text = text_of(path, &size);
    assert_string_equal(text,
                        REST(1) "}\n" REST(2) ", \"text_to_image\": [0.25, 0.5, 0.75], \"image_to_text\": [0.125, "
                                              "0.5, 1]}\n" REST(3) "}\n");
    al_free(text);
}

/* A run that was killed had gone on beyond its checkpoint, and stopped within a line. */
static void lines_of_a_killed_run(void **state)
{
    (void)state;
    const char *path = in_scratch("killed.jsonl");
    size_t size, whole_size;
    write_steps(path, 0, 5);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs("{\"step\": 6, \"epo", file);
    fclose(file);
    write_steps(path, 3, 6);
    char *text = text_of(path, &size);
    write_steps(in_scratch("whole.jsonl"), 0, 6);
    char *whole = text_of(in_scratch("whole.jsonl"), &whole_size);
    assert_string_equal(text, whole);
    al_free(text);
    al_free(whole);
}

static void lines_nobody_can_write(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    al_log *log;
    assert_int_equal(al_log_open(&log, in_scratch("no/such/folder"), 0, &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "no/such/folder"));
    if (!al_is_file("/dev/full") && al_log_open(&log, "/dev/full", 0, NULL) == ALIGN_OK) {
        const align_train_progress p = progress_at(1);
        assert_int_equal(al_log_step(log, &p, &err), ALIGN_ERROR_IO);
        assert_non_null(strstr(err.message, "/dev/full"));
        al_log_free(log);
    }
}

/* ---- TensorBoard ---- */

static uint64_t little_endian(const char *bytes, int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++)
        value |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    return value;
}

static uint32_t masked(const void *bytes, size_t size)
{
    const uint32_t crc = al_crc32c(bytes, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static bool contains(const char *bytes, size_t size, const char *text)
{
    const size_t n = strlen(text);
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(bytes + i, text, n) == 0)
            return true;
    return false;
}

static void events(void **state)
{
    (void)state;
    /* RFC 3720, B.4 */
    const char zeros[32] = {0};
    assert_true(al_crc32c(zeros, sizeof zeros) == 0x8A9136AAu);
    assert_true(al_crc32c("123456789", 9) == 0xE3069283u);

    al_folder_names names;
    al_events *e;
    size_t size, records = 0;
    assert_int_equal(al_make_folder(in_scratch("events"), NULL), ALIGN_OK);
    assert_int_equal(al_events_open(&e, in_scratch("events"), 0, NULL), ALIGN_OK);
    for (int64_t step = 1; step <= 2; step++) {
        const align_train_progress p = progress_at(step);
        assert_int_equal(al_events_step(e, &p, NULL), ALIGN_OK);
    }
    al_events_free(e);
    assert_int_equal(al_folder_names_read(&names, in_scratch("events"), NULL), ALIGN_OK);
    assert_int_equal(names.count, 1);
    assert_true(strncmp(names.names[0], "events.out.tfevents.", 20) == 0);
    char name[300];
    snprintf(name, sizeof name, "events/%s", names.names[0]);
    char *text = text_of(in_scratch(name), &size);
    for (size_t at = 0; at < size; records++) {
        const uint64_t length = little_endian(text + at, 8);
        assert_true(length <= size - at - 16);
        assert_true(little_endian(text + at + 8, 4) == masked(text + at, 8));
        assert_true(little_endian(text + at + 12 + length, 4) == masked(text + at + 12, length));
        if (records == 0)
            assert_true(contains(text + at, length + 16, "brain.Event:2"));
        if (records >= 2)
            assert_true(contains(text + at, length + 16, "train/loss"));
        assert_true(contains(text + at, length + 16, "validation/image_to_text@10") == (records == 3));
        at += length + 16;
    }
    assert_int_equal(records, 4);
    al_free(text);
    al_folder_names_done(&names);
}

/* ---- the plot ---- */

static void plots(void **state)
{
    (void)state;
    static float losses[5000];
    size_t size;
    for (size_t i = 0; i < 5000; i++)
        losses[i] = 1.0f + 4.0f * expf(-(float)i / 900.0f) + 0.3f * sinf((float)i);
    const int64_t lengths[] = {0, 1, 2, 399, 5000};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(al_plot_save(in_scratch("plot.svg"), losses, lengths[i], NULL), ALIGN_OK);
        char *text = text_of(in_scratch("plot.svg"), &size);
        assert_true(strncmp(text, "<svg ", 5) == 0 && strcmp(text + size - 7, "</svg>\n") == 0);
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "inf"));
        assert_true(size < 40000);
        al_free(text);
    }
    for (size_t i = 0; i < 10; i++)
        losses[i] = 2.0f;
    assert_int_equal(al_plot_save(in_scratch("plot.svg"), losses, 10, NULL), ALIGN_OK);
    assert_int_equal(al_plot_save(in_scratch("no/plot.svg"), losses, 10, NULL), ALIGN_ERROR_NOT_FOUND);
}

/* ---- the recipe ---- */

static void recipe_checks(void **state)
{
    (void)state;
    const struct {
        size_t offset;
        double value;
        const char *says;
    } reals[] = {
        {offsetof(align_train_options, lr), 0.0, "lr: expected more than 0, found 0"},
        {offsetof(align_train_options, lr), NAN, "lr: expected"},
        {offsetof(align_train_options, lr), INFINITY, "lr: expected at most"},
        {offsetof(align_train_options, text_lr), -1.0, "text_lr: expected at least 0, found -1"},
        {offsetof(align_train_options, beta2), 1.0, "beta2: expected less than 1, found 1"},
        {offsetof(align_train_options, epsilon), 0.0, "epsilon"},
        {offsetof(align_train_options, ema), 1.5, "ema"},
        {offsetof(align_train_options, temperature_least), 200.0, "temperature_least: expected at most the largest"},
        {offsetof(align_train_options, augmentation.flip), 2.0, "augmentation.flip"},
    };
    align_error err = ALIGN_ERROR_INIT;
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        align_train_options options = ALIGN_TRAIN_OPTIONS_INIT;
        assert_int_equal(al_recipe_check(&options, NULL), ALIGN_OK);
        *(double *)(void *)((char *)&options + reals[i].offset) = reals[i].value;
        assert_int_equal(al_recipe_check(&options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
        if (!strstr(err.message, reals[i].says))
            fail_msg("'%s' does not say '%s'", err.message, reals[i].says);
    }
    align_train_options options = ALIGN_TRAIN_OPTIONS_INIT;
    options.batch = 1;
    assert_int_equal(al_recipe_check(&options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "batch: expected at least 2, found 1");
    options.batch = 2;
    options.precision = ALIGN_PRECISION_INT8;
    assert_int_equal(al_recipe_check(&options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "precision: 2 is none");
    options.precision = ALIGN_PRECISION_BF16;
    options.steps = 5;
    options.warmup = 6;
    assert_int_equal(al_recipe_check(&options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "warmup: expected at most all steps, 5, found 6");
}

static json_t *recipe_of(const align_train_options *options)
{
    json_t *recipe;
    assert_int_equal(al_recipe_to_json(&recipe, options, NULL), ALIGN_OK);
    return recipe;
}

static void recipe_compares(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_train_options options = ALIGN_TRAIN_OPTIONS_INIT;
    options.lr = 1.0 / 3.0;
    json_t *then = recipe_of(&options);
    options.threads = 7; /* what does not decide the result may change */
    options.log = "elsewhere";
    options.keep = 5;
    json_t *now = recipe_of(&options);
    assert_int_equal(al_recipe_compare(then, now, "state", &err), ALIGN_OK);
    json_decref(now);
    options.lr = 0.25;
    now = recipe_of(&options);
    assert_int_equal(al_recipe_compare(then, now, "state", &err), ALIGN_ERROR_MISMATCH);
    assert_string_equal(err.message, "state: key lr: the run began with 0.3333333333333333 and cannot go on with 0.25");
    json_decref(now);
    options.lr = 1.0 / 3.0;
    options.freeze = "text";
    now = recipe_of(&options);
    assert_int_equal(al_recipe_compare(then, now, "state", &err), ALIGN_ERROR_MISMATCH);
    assert_string_equal(err.message, "state: key freeze: the run began with null and cannot go on with \"text\"");
    json_object_del(then, "seed");
    assert_int_equal(al_recipe_compare(then, now, "state", &err), ALIGN_ERROR_MISMATCH);
    assert_string_equal(err.message, "state: key seed: the run began with nothing and cannot go on with 0");
    json_decref(now);
    json_decref(then);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines),
                                       cmocka_unit_test(lines_of_a_killed_run),
                                       cmocka_unit_test(lines_nobody_can_write),
                                       cmocka_unit_test(events),
                                       cmocka_unit_test(plots),
                                       cmocka_unit_test(recipe_checks),
                                       cmocka_unit_test(recipe_compares)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
