/* test_optimizer.c: updates against PyTorch's AdamW and a LAMB in double (tests/reference/make_optimizer.py), on any
 * number of threads; the average; schedules; what is frozen. */
#include "base/memory.h"
#include "support/compare.h"
#include "support/formula.h"
#include "support/small_model.h"
#include "train/freeze.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STEPS  6
#define WARMUP 2
#define CLIP   4.0

/* ---- the gradients of make_optimizer.py ---- */

static void set_gradients(al_trainable *t, int step)
{
    char name[256];
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        if (entry->buffer)
            continue;
        snprintf(name, sizeof name, "%s#%d", entry->name, step);
        const uint32_t seed = formula_seed(name);
        for (size_t k = 0; k < entry->elements; k++)
            t->gradient[entry->offset + k] = 0.25f * formula_uniform(seed, (uint32_t)k);
    }
}

/* ---- runs ---- */

static const align_train_options recipe = {.lr = 3e-3,
                                           .text_lr = 1e-3,
                                           .vision_lr = 0.0,
                                           .warmup = WARMUP,
                                           .beta1 = 0.9,
                                           .beta2 = 0.98,
                                           .epsilon = 1e-6,
                                           .weight_decay = 0.1,
                                           .clip = CLIP,
                                           .temperature_least = 1e-3,
                                           .temperature_most = 100.0};

typedef struct fixture {
    align_tensors *golden;
    align_model *model;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_tensors_open(&f.golden, TEST_DATA "/train/optimizer.safetensors", &err), ALIGN_OK);
    assert_int_equal(align_model_from_pretrained(&f.model, TEST_DATA "/models/tiny", NULL, &err), ALIGN_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    align_tensors_free(f->golden);
    align_model_free(f->model);
    return 0;
}

static al_trainable *trainable_of(const align_model *model)
{
    al_trainable *t;
    assert_int_equal(al_trainable_new(&t, model, NULL), ALIGN_OK);
    return t;
}

/* The whole of make_optimizer.py's loop. */
static void train(al_optimizer *o, double *norms)
{
    const al_schedule schedule = {o->options.schedule, WARMUP, STEPS};
    for (int step = 1; step <= STEPS; step++) {
        set_gradients(o->trainable, step);
        const double norm = al_optimizer_gradient_norm(o);
        if (norms)
            norms[step - 1] = norm;
        al_optimizer_update(o, al_schedule_factor(&schedule, step - 1), CLIP / (norm + 1e-6));
    }
}

/* Against CASE.NAME of the golden; the update from the start is what is held to the tolerance. */
static void compare_updates(const fixture *f, const al_trainable *t, const float *values, const char *name_of_case,
                            double tolerance)
{
    const size_t n = strlen(name_of_case);
    size_t compared = 0;
    for (size_t i = 0; i < align_tensors_count(f->golden); i++) {
        const char *name = align_tensors_name(f->golden, i);
        if (strncmp(name, name_of_case, n) != 0 || name[n] != '.')
            continue;
        const al_trainable_entry *entry = &t->entries[al_trainable_find(t, name + n + 1)];
        const float *want = align_tensors_at(f->golden, i)->data, *got = values + entry->offset;
        const float *start = align_tensors_get(align_model_state(f->model), entry->name)->data;
        double largest = 0.0;
        for (size_t k = 0; k < entry->elements; k++)
            largest = fmax(largest, fabs((double)want[k] - (double)start[k]));
        assert_true(largest > 1e-4);
        for (size_t k = 0; k < entry->elements; k++) {
            /* beside the tolerance, a few roundings of the weight itself */
            const double limit = tolerance * largest + 4e-7 * fabs((double)want[k]);
            if (fabs((double)got[k] - (double)want[k]) > limit)
                fail_msg("%s [%zu]: %.9g, expected %.9g", name, k, (double)got[k], (double)want[k]);
        }
        compared++;
    }
    assert_int_equal(compared, 11);
}

static void adamw_is_torchs(void **state)
{
    const fixture *f = *state;
    const float *want = align_tensors_get(f->golden, "norms")->data;
    static const char *const cases[] = {"adamw", "cosine"};
    for (int i = 0; i < 2; i++) {
        align_train_options options = recipe;
        double norms[STEPS];
        al_trainable *t = trainable_of(f->model);
        al_optimizer *o;
        options.schedule = i ? ALIGN_SCHEDULE_COSINE : ALIGN_SCHEDULE_LINEAR;
        options.ema = i ? 0.0 : 0.9;
        assert_int_equal(al_optimizer_new(&o, t, &options, NULL, NULL), ALIGN_OK);
        train(o, norms);
        for (int k = 0; k < STEPS; k++)
            assert_true(fabs(norms[k] / (double)want[k] - 1.0) < 1e-6);
        compare_updates(f, t, t->values, cases[i], 2e-6);
        if (o->average)
            compare_updates(f, t, o->average, "average", 4e-6);
        al_optimizer_free(o);
        al_trainable_free(t);
    }
}

static void lamb_is_algorithm_2(void **state)
{
    const fixture *f = *state;
    align_train_options options = recipe;
    al_trainable *t = trainable_of(f->model);
    al_optimizer *o;
    options.optimizer = ALIGN_OPTIMIZER_LAMB;
    assert_int_equal(al_optimizer_new(&o, t, &options, NULL, NULL), ALIGN_OK);
    train(o, NULL);
    compare_updates(f, t, t->values, "lamb", 2e-6);
    al_optimizer_free(o);
    al_trainable_free(t);
}

/* A weight's step is at most the bound times the rate times the norm of Adam's direction. */
static void trust_is_bounded(void **state)
{
    const fixture *f = *state;
    al_trainable *t[2];
    for (int i = 0; i < 2; i++) {
        align_train_options options = recipe;
        al_optimizer *o;
        t[i] = trainable_of(f->model);
        options.optimizer = ALIGN_OPTIMIZER_LAMB;
        options.weight_decay = 0.0;
        options.trust_most = i ? 1e-3 : 0.0;
        assert_int_equal(al_optimizer_new(&o, t[i], &options, NULL, NULL), ALIGN_OK);
        set_gradients(t[i], 1);
        al_optimizer_update(o, 1.0, 1.0);
        al_optimizer_free(o);
    }
    const al_trainable_entry *entry = &t[1]->entries[al_trainable_find(t[1], "text_projection.weight")];
    const float *start = align_tensors_get(align_model_state(f->model), entry->name)->data;
    for (size_t k = 0; k < entry->elements; k++) {
        const double bounded = (double)t[1]->values[entry->offset + k] - (double)start[k];
        assert_true(fabs(bounded) <= 1.01 * recipe.lr * 1e-3 && bounded != 0.0);
    }
    assert_memory_not_equal(t[0]->values, t[1]->values, t[0]->size * sizeof(float));
    al_trainable_free(t[0]);
    al_trainable_free(t[1]);
}

/* Tensors of several stretches, on teams of several sizes: the same bits. */
static void threads_change_nothing(void **state)
{
    (void)state;
    align_config config;
    small_config(&config);
    config.text_config.vocab_size = 3000; /* 72,000 weights: five stretches */
    align_model *model = small_model_from(&config, ALIGN_TOWER_BOTH);
    for (int kind = 0; kind < 2; kind++) {
        al_trainable *t[3];
        double norms[3][STEPS];
        for (int team = 0; team < 3; team++) {
            align_train_options options = recipe;
            al_threads *threads;
            al_optimizer *o;
            t[team] = trainable_of(model);
            options.optimizer = kind ? ALIGN_OPTIMIZER_LAMB : ALIGN_OPTIMIZER_ADAMW;
            assert_int_equal(al_threads_new(&threads, team + 1, NULL), ALIGN_OK);
            assert_int_equal(al_optimizer_new(&o, t[team], &options, threads, NULL), ALIGN_OK);
            train(o, norms[team]);
            al_optimizer_free(o);
            al_threads_free(threads);
            assert_memory_equal(t[team]->values, t[0]->values, t[0]->size * sizeof(float));
            assert_memory_equal(norms[team], norms[0], sizeof norms[0]);
        }
        for (int team = 0; team < 3; team++)
            al_trainable_free(t[team]);
    }
    align_model_free(model);
    align_config_done(&config);
}

/* ---- what does not move ---- */

static void temperature_is_held(void **state)
{
    const fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        align_train_options options = recipe;
        al_trainable *t = trainable_of(f->model);
        al_optimizer *o;
        const size_t at = t->entries[al_trainable_find(t, "temperature")].offset;
        options.lr = 10.0;
        options.ema = 0.5;
        options.temperature_least = 0.5;
        options.temperature_most = 2.0;
        assert_int_equal(al_optimizer_new(&o, t, &options, NULL, NULL), ALIGN_OK);
        set_gradients(t, 1);
        t->gradient[at] = i ? 1.0f : -1.0f;
        al_optimizer_update(o, 1.0, 1.0);
        assert_true(t->values[at] == (i ? 0.5f : 2.0f));
        assert_true(o->average[at] >= 0.5f && o->average[at] <= 2.0f);
        al_optimizer_free(o);
        al_trainable_free(t);
    }
}

static void averages_change_places(void **state)
{
    const fixture *f = *state;
    align_train_options options = recipe;
    al_trainable *t = trainable_of(f->model), *start = trainable_of(f->model);
    al_optimizer *o;
    options.ema = 0.999;
    assert_int_equal(al_optimizer_new(&o, t, &options, NULL, NULL), ALIGN_OK);
    float *mean = NULL;
    for (size_t i = 0; i < t->n_entries; i++)
        if (strcmp(t->entries[i].name, "vision_model.embeddings.batchnorm.running_mean") == 0)
            mean = (float *)(void *)(t->buffers + t->entries[i].offset);
    assert_non_null(mean);
    const float before = *mean;
    *mean = before + 11.0f;
    train(o, NULL);
    float *values = test_malloc(t->size * sizeof *values);
    memcpy(values, t->values, t->size * sizeof *values);
    al_optimizer_swap_average(o);
    assert_memory_not_equal(values, t->values, t->size * sizeof *values);
    assert_true(*mean > before && *mean <= before + 11.0f);
    al_optimizer_swap_average(o);
    assert_memory_equal(values, t->values, t->size * sizeof *values);
    assert_true(*mean == before + 11.0f);
    test_free(values);
    al_optimizer_free(o);
    al_trainable_free(t);
    al_trainable_free(start);
}

static void frozen_parts_stay(void **state)
{
    const fixture *f = *state;
    align_train_options options = recipe;
    al_trainable *t = trainable_of(f->model);
    al_optimizer *o;
    assert_int_equal(al_freeze(t, "text.embeddings,text.layers.0-1,vision.blocks.1,temperature", NULL), ALIGN_OK);
    assert_int_equal(al_optimizer_new(&o, t, &options, NULL, NULL), ALIGN_OK);
    train(o, NULL);
    size_t frozen = 0;
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        if (entry->buffer)
            continue;
        const float *start = align_tensors_get(align_model_state(f->model), entry->name)->data;
        const bool stays = memcmp(start, t->values + entry->offset, entry->elements * sizeof *start) == 0;
        const bool should = strstr(entry->name, "text_model.embeddings.") || strstr(entry->name, "encoder.layer.") ||
                            strstr(entry->name, "blocks.1.") || strcmp(entry->name, "temperature") == 0;
        if (stays != should)
            fail_msg("%s: %s", entry->name, stays ? "did not learn" : "learnt");
        frozen += stays;
    }
    assert_true(frozen > 40);
    align_tensors *saved;
    assert_int_equal(align_tensors_new(&saved, NULL), ALIGN_OK);
    assert_int_equal(al_optimizer_add_to(o, saved, NULL), ALIGN_OK);
    assert_null(align_tensors_get(saved, "first.temperature"));
    assert_non_null(align_tensors_get(saved, "second.text_projection.weight"));
    align_tensors_free(saved);
    al_optimizer_free(o);
    al_trainable_free(t);
}

static void parts_that_are_not_there(void **state)
{
    const fixture *f = *state;
    static const char *const wrong[][2] = {
        {"txt", "found 'txt'"},
        {"text.layers", "found 'text.layers'"},
        {"text.layers.", "found 'text.layers.'"},
        {"text.layers.3-1", "found 'text.layers.3-1'"},
        {"text.layers.0-x", "found 'text.layers.0-x'"},
        {"text,", "found ''"},
        {"vision.blocks.99", "this model has no vision.blocks.99"},
        {"text,vision,text_projection,temperature", "nothing is left to learn"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        align_error err = ALIGN_ERROR_INIT;
        al_trainable *t = trainable_of(f->model);
        assert_int_equal(al_freeze(t, wrong[i][0], &err), ALIGN_ERROR_INVALID_ARGUMENT);
        if (!strstr(err.message, wrong[i][1]))
            fail_msg("'%s' does not say '%s'", err.message, wrong[i][1]);
        al_trainable_free(t);
    }
}

/* ---- schedules ---- */

static void schedules(void **state)
{
    (void)state;
    const al_schedule linear = {ALIGN_SCHEDULE_LINEAR, 10, 110}, cosine = {ALIGN_SCHEDULE_COSINE, 10, 110},
                      constant = {ALIGN_SCHEDULE_CONSTANT, 10, 110}, none = {ALIGN_SCHEDULE_LINEAR, 0, 4};
    assert_true(al_schedule_factor(&linear, 0) == 0.0 && al_schedule_factor(&linear, 5) == 0.5);
    assert_true(al_schedule_factor(&linear, 10) == 1.0 && al_schedule_factor(&linear, 60) == 0.5);
    assert_true(al_schedule_factor(&linear, 110) == 0.0 && al_schedule_factor(&linear, 200) == 0.0);
    assert_true(fabs(al_schedule_factor(&cosine, 35) - 0.5 * (1.0 + sqrt(0.5))) < 1e-12);
    assert_true(al_schedule_factor(&cosine, 10) == 1.0 && fabs(al_schedule_factor(&cosine, 110)) < 1e-12);
    assert_true(al_schedule_factor(&constant, 9) == 0.9 && al_schedule_factor(&constant, 1000) == 1.0);
    assert_true(al_schedule_factor(&none, 0) == 1.0 && al_schedule_factor(&none, 3) == 0.25);
}

static void memory_that_is_missing(void **state)
{
    const fixture *f = *state;
    align_train_options options = recipe;
    al_trainable *t = trainable_of(f->model);
    options.ema = 0.9;
    for (long n = 1;; n++) {
        align_error err = ALIGN_ERROR_INIT;
        al_optimizer *o;
        al_memory_fail_at(n);
        const align_status status = al_optimizer_new(&o, t, &options, NULL, &err);
        al_memory_fail_at(0);
        al_optimizer_free(o);
        if (status == ALIGN_OK) {
            assert_true(n > 5);
            break;
        }
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
        assert_int_equal(err.status, status);
    }
    al_trainable_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_is_torchs),     cmocka_unit_test(lamb_is_algorithm_2),
        cmocka_unit_test(trust_is_bounded),    cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(temperature_is_held), cmocka_unit_test(averages_change_places),
        cmocka_unit_test(frozen_parts_stay),   cmocka_unit_test(parts_that_are_not_there),
        cmocka_unit_test(schedules),           cmocka_unit_test(memory_that_is_missing),
    };
    return al_kernels_get() ? cmocka_run_group_tests(tests, set_up, tear_down) : 77;
}
