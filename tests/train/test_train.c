/* test_train.c: align_train from outside: threads, callbacks, stopping and going on, arguments, memory that is missing.
 * What a killed process leaves is tested with the command (tests/cli/train). */
#include "base/file.h"
#include "base/memory.h"

#include <align/train.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/scratch.h"

typedef struct fixture {
    align_model *model;
    align_processor *processor;
    align_dataset *pairs;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    static const char *const pictures[] = {"apple", "cat", "dog", "bus", "bird", "car", "drum", "fish", "frog"};
    align_error err = ALIGN_ERROR_INIT;
    if (scratch_open(state) != 0)
        return 1;
    FILE *table = fopen(in_scratch("pairs.tsv"), "w");
    assert_non_null(table);
    for (size_t i = 0; i < 9; i++)
        fprintf(table, "%s/demo/%s.png\ta %s\n", MODELS, pictures[i], pictures[i]);
    fclose(table);
    if (align_model_from_pretrained(&f.model, TEST_DATA "/hub", NULL, &err) != ALIGN_OK ||
        align_processor_from_pretrained(&f.processor, TEST_DATA "/hub", &err) != ALIGN_OK ||
        align_dataset_open(&f.pairs, in_scratch("pairs.tsv"), NULL, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    align_model_free(f->model);
    align_processor_free(f->processor);
    align_dataset_free(f->pairs);
    return scratch_close(state);
}

/* A short run in a folder of its own. */
static align_train_options short_run(const char *output)
{
    align_train_options options = ALIGN_TRAIN_OPTIONS_INIT;
    options.output = in_scratch(output);
    options.batch = 4;
    options.steps = 6;
    options.threads = 1;
    options.ema = 0.9;
    options.save_every = 2;
    options.augmentation.flip = 0.5;
    return options;
}

static align_status train(const fixture *f, const align_train_options *options, align_error *err)
{
    return align_train(f->model, f->processor, f->pairs, NULL, options, NULL, NULL, err);
}

static void assert_trains(const fixture *f, const align_train_options *options)
{
    align_error err = ALIGN_ERROR_INIT;
    if (train(f, options, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
}

static void same_file(const char *a, const char *b)
{
    al_map x, y;
    assert_int_equal(al_map_open(&x, in_scratch(a), NULL), ALIGN_OK);
    assert_int_equal(al_map_open(&y, in_scratch(b), NULL), ALIGN_OK);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    al_map_close(&x);
    al_map_close(&y);
}

/* ---- what decides the result, and what does not ---- */

static void threads_change_nothing(void **state)
{
    const fixture *f = *state;
    for (int team = 1; team <= 3; team++) {
        char output[16];
        snprintf(output, sizeof output, "team%d", team);
        align_train_options options = short_run(output);
        options.threads = team;
        options.loader_threads = team - 1;
        options.slice = 2;
        assert_trains(f, &options);
    }
    same_file("team1/model.safetensors", "team2/model.safetensors");
    same_file("team1/model.safetensors", "team3/model.safetensors");
    same_file("team1/checkpoint-6/trainer_state.safetensors", "team3/checkpoint-6/trainer_state.safetensors");
}

/* As long as only what learns is held in memory, and what does not fit is computed twice. */
static void short_memory_changes_nothing(void **state)
{
    const fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    align_train_options options = short_run("memory");
    options.memory = 1000;
    assert_int_equal(train(f, &options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "memory: weights, gradients, moments and pictures read ahead take "));
    options.output = in_scratch("all");
    options.memory = 0;
    assert_trains(f, &options);
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    for (options.memory = 200000; status != ALIGN_OK && options.memory < 100000000; options.memory += 50000) {
        options.output = in_scratch("little");
        status = train(f, &options, &err);
    }
    assert_int_equal(status, ALIGN_OK);
    same_file("all/model.safetensors", "little/model.safetensors");
}

/* ---- callbacks ---- */

typedef struct watcher {
    int64_t seen, stop_at;
    size_t validations;
    align_train_progress last;
} watcher;

static bool watch(void *user, const align_train_progress *progress)
{
    watcher *w = user;
    w->seen++;
    w->validations += progress->validation != NULL;
    w->last = *progress;
    return progress->step != w->stop_at;
}

/* ---- precision ---- */

#define CURVE 20

typedef struct curve {
    double losses[CURVE], gradients[CURVE];
} curve;

static bool draw(void *user, const align_train_progress *progress)
{
    curve *c = user;
    c->losses[progress->step - 1] = progress->loss;
    c->gradients[progress->step - 1] = progress->gradient;
    return true;
}

static curve curve_of(const fixture *f, const char *output, align_precision precision)
{
    curve c = {{0.0}, {0.0}};
    const align_train_callbacks callbacks = {&c, draw, NULL};
    align_error err = ALIGN_ERROR_INIT;
    align_train_options options = short_run(output);
    options.steps = options.save_every = CURVE;
    options.precision = precision;
    options.no_dropout = true;
    if (align_train(f->model, f->processor, f->pairs, NULL, &options, &callbacks, NULL, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return c;
}

/* What is multiplied is rounded to 8 bits, 0.2% of a number at most; sums, norms and weights are not. So losses stay
 * near those of f32 for the first steps, gradients a little less, and both are others. */
static void bf16_follows_f32(void **state)
{
    const fixture *f = *state;
    const curve exact = curve_of(f, "f32", ALIGN_PRECISION_F32), rounded = curve_of(f, "bf16", ALIGN_PRECISION_BF16);
    size_t same = 0;
    for (size_t i = 0; i < CURVE; i++) {
        same += exact.losses[i] == rounded.losses[i];
        if (!(fabs(rounded.losses[i] - exact.losses[i]) <= 0.01 * exact.losses[i]))
            fail_msg("step %zu: loss %g, in f32 %g", i + 1, rounded.losses[i], exact.losses[i]);
        if (!(fabs(rounded.gradients[i] - exact.gradients[i]) <= 0.05 * exact.gradients[i]))
            fail_msg("step %zu: norm of the gradient %g, in f32 %g", i + 1, rounded.gradients[i], exact.gradients[i]);
    }
    assert_true(same < CURVE / 2);
}

static void stops_and_goes_on(void **state)
{
    const fixture *f = *state;
    watcher w = {.stop_at = 3};
    const align_train_callbacks callbacks = {&w, watch, NULL};
    align_train_result result;
    align_train_options options = short_run("whole");
    assert_trains(f, &options);

    options = short_run("parts");
    options.save_every = 100;
    options.resume = true; /* of nothing: it begins */
    assert_int_equal(align_train(f->model, f->processor, f->pairs, f->pairs, &options, &callbacks, &result, NULL),
                     ALIGN_OK);
    assert_true(result.stopped && result.step == 3 && result.steps == 6);
    assert_int_equal(w.seen, 3);
    assert_int_equal(w.validations, 1); /* an epoch is two steps */
    assert_true(w.last.loss > 0.0 && w.last.gradient > 0.0 && w.last.pairs == 4 && w.last.seconds >= 0.0);
    assert_true(w.last.epoch == 1.5 && fabs(w.last.rate - options.lr * 4.0 / 6.0) < 1e-12 && w.last.skipped == 0);
    assert_false(al_is_file(in_scratch("parts/model.safetensors")));

    assert_int_equal(align_train(f->model, f->processor, f->pairs, f->pairs, &options, &callbacks, &result, NULL),
                     ALIGN_OK);
    assert_true(!result.stopped && result.step == 6 && result.validated);
    assert_true(result.best_step >= 2 && result.best_step <= 6);
    assert_int_equal(w.seen, 6);
    assert_int_equal(w.validations, 3);
    same_file("whole/model.safetensors", "parts/model.safetensors");

    /* and once more: nothing is left to do, and the same comes out */
    assert_int_equal(align_train(f->model, f->processor, f->pairs, f->pairs, &options, &callbacks, &result, NULL),
                     ALIGN_OK);
    assert_int_equal(w.seen, 6);
    same_file("whole/model.safetensors", "parts/model.safetensors");
}

/* A whole tower that is frozen keeps its weights and its running statistics. */
static void frozen_tower(void **state)
{
    const fixture *f = *state;
    align_train_options options = short_run("frozen");
    align_tensors *tensors;
    options.freeze = "vision";
    options.ema = 0.0;
    assert_trains(f, &options);
    assert_int_equal(align_tensors_open(&tensors, in_scratch("frozen/model.safetensors"), NULL), ALIGN_OK);
    size_t moved = 0;
    for (size_t i = 0; i < align_tensors_count(tensors); i++) {
        const char *name = align_tensors_name(tensors, i);
        const align_tensor *after = align_tensors_at(tensors, i),
                           *before = align_tensors_get(align_model_state(f->model), name);
        const size_t bytes = (size_t)align_tensor_elements(after) * align_dtype_size(after->dtype);
        const bool same = memcmp(before->data, after->data, bytes) == 0;
        if (strncmp(name, "vision_model.", 13) == 0 && !same)
            fail_msg("%s moved", name);
        moved += !same;
    }
    assert_true(moved > 20);
    align_tensors_free(tensors);
}

/* ---- what cannot be ---- */

static void arguments(void **state)
{
    const fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    const align_train_options options = short_run("never");
    const align_status wrong = ALIGN_ERROR_INVALID_ARGUMENT;
    assert_int_equal(align_train(NULL, f->processor, f->pairs, NULL, &options, NULL, NULL, &err), wrong);
    assert_int_equal(align_train(f->model, NULL, f->pairs, NULL, &options, NULL, NULL, &err), wrong);
    assert_int_equal(align_train(f->model, f->processor, NULL, NULL, &options, NULL, NULL, &err), wrong);
    assert_int_equal(align_train(f->model, f->processor, f->pairs, NULL, NULL, NULL, NULL, &err), wrong);
    align_train_options none = options;
    none.output = NULL;
    assert_int_equal(train(f, &none, &err), wrong);
    assert_string_equal(err.message, "NULL for the output");
    align_train_options large = options;
    large.batch = 10;
    assert_int_equal(train(f, &large, &err), wrong);
    assert_non_null(strstr(err.message, "batch: 10 pairs are more than the 9 of the data"));
    align_train_options warm = options;
    warm.steps = 0;
    warm.warmup = 50;
    assert_int_equal(train(f, &warm, &err), wrong);
    assert_string_equal(err.message, "warmup: expected at most all steps, 2, found 50");

    align_load_options load = ALIGN_LOAD_OPTIONS_INIT;
    align_model *text;
    load.tower = ALIGN_TOWER_TEXT;
    assert_int_equal(align_model_from_pretrained(&text, TEST_DATA "/hub", &load, NULL), ALIGN_OK);
    assert_int_equal(align_train(text, f->processor, f->pairs, NULL, &options, NULL, NULL, &err), wrong);
    assert_string_equal(err.message, "model: expected both towers");
    align_model_free(text);
    assert_false(al_is_folder(options.output));
}

/* A model of the same shapes that computes something else: the key that differs is named. */
static void another_model(void **state)
{
    const fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    align_train_options options = short_run("another");
    assert_trains(f, &options);
    for (int i = 0; i < 4; i++) {
        static const char *const keys[] = {"text_config.layer_norm_eps", "text_config.hidden_act",
                                           "vision_config.drop_connect_rate", "temperature_init_value"};
        align_config config;
        align_model *model;
        assert_int_equal(align_config_copy(&config, align_model_config(f->model), NULL), ALIGN_OK);
        if (i == 0)
            config.text_config.layer_norm_eps *= 2.0;
        else if (i == 1)
            strcpy(config.text_config.hidden_act, "relu");
        else if (i == 2)
            config.vision_config.drop_connect_rate = 0.5;
        else
            config.temperature_init_value = 7.0;
        assert_int_equal(align_model_from_tensors(&model, &config, align_model_state(f->model), NULL, NULL), ALIGN_OK);
        options.resume = true;
        assert_int_equal(align_train(model, f->processor, f->pairs, NULL, &options, NULL, NULL, &err),
                         ALIGN_ERROR_MISMATCH);
        if (!strstr(err.message, keys[i]) || !strstr(err.message, "checkpoint-6"))
            fail_msg("'%s' does not name %s", err.message, keys[i]);
        align_model_free(model);
        align_config_done(&config);
    }
}

/* The n-th allocation fails, for n of every size: a message, and nothing that keeps the next run from beginning. */
static void memory_that_is_missing(void **state)
{
    const fixture *f = *state;
    align_train_options options = short_run("swept");
    options.steps = 1;
    options.loader_threads = 0;
    for (long n = 1;; n += 1 + n / 16) {
        align_error err = ALIGN_ERROR_INIT;
        al_memory_fail_at(n);
        const align_status status = align_train(f->model, f->processor, f->pairs, f->pairs, &options, NULL, NULL, &err);
        al_memory_fail_at(0);
        assert_int_equal(al_folder_remove(options.output, NULL), ALIGN_OK);
        if (status == ALIGN_OK) {
            assert_true(n > 500);
            return;
        }
        assert_int_equal(err.status, status);
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_nothing), cmocka_unit_test(short_memory_changes_nothing),
        cmocka_unit_test(bf16_follows_f32),       cmocka_unit_test(stops_and_goes_on),
        cmocka_unit_test(frozen_tower),           cmocka_unit_test(arguments),
        cmocka_unit_test(another_model),          cmocka_unit_test(memory_that_is_missing)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
