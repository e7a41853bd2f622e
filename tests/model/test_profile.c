/*
 * test_profile.c: a context's profile counts what align_model_get_stats says, once a pass, for any number of threads,
 * and changes no result. How long the steps took is nobody's business here.
 */
#include "base/memory.h"
#include "support/small_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE = 36, PASSES = 3 };

static align_context *context_with(const align_model *model, int threads)
{
    align_context_options options = ALIGN_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    align_context *context = NULL;
    assert_int_equal(align_context_new(&context, model, &options, NULL), ALIGN_OK);
    return context;
}

/* Texts and square pictures, as the statistics have them. */
static align_inputs whole_inputs(small_inputs *small)
{
    small_inputs_init(small);
    small->inputs.pixel_values = view4(ALIGN_F32, SMALL_BATCH, SMALL_CHANNELS, SIDE, SIDE, small->pixels);
    return small->inputs;
}

static align_profile profile_of(const align_context *context)
{
    align_profile profile = {0};
    assert_int_equal(align_context_profile(context, &profile, NULL), ALIGN_OK);
    return profile;
}

static int64_t macs_of(const align_profile *profile, align_tower tower)
{
    int64_t macs = 0;
    for (size_t i = 0; i < profile->n_steps; i++)
        if (profile->steps[i].tower == tower)
            macs += profile->steps[i].macs;
    return macs;
}

static const align_profile_step *step_of(const align_profile *profile, align_tower tower, int64_t block,
                                         align_step_kind kind)
{
    const align_profile_step *found = NULL;
    for (size_t i = 0; i < profile->n_steps; i++) {
        const align_profile_step *s = &profile->steps[i];
        if (s->tower == tower && s->block == block && s->kind == kind) {
            assert_null(found);
            found = s;
        }
    }
    return found;
}

static void check_whole_passes(const align_model *model, int threads)
{
    small_inputs small;
    const align_inputs inputs = whole_inputs(&small);
    align_context *context = context_with(model, threads), *plain = context_with(model, threads);
    align_output out, expected;
    align_model_stats stats;
    assert_int_equal(align_model_get_stats(model, SIDE, SMALL_TOKENS, &stats, NULL), ALIGN_OK);
    assert_int_equal(align_context_profile_start(context, NULL), ALIGN_OK);
    for (int i = 0; i < PASSES; i++)
        assert_int_equal(align_model_forward(context, &inputs, NULL, &out, NULL), ALIGN_OK);
    assert_int_equal(align_model_forward(plain, &inputs, NULL, &expected, NULL), ALIGN_OK);
    assert_memory_equal(out.logits_per_text.data, expected.logits_per_text.data,
                        SMALL_BATCH * SMALL_BATCH * sizeof(float));

    const align_profile profile = profile_of(context);
    assert_int_equal(macs_of(&profile, ALIGN_TOWER_VISION), PASSES * SMALL_BATCH * stats.image_macs);
    assert_int_equal(macs_of(&profile, ALIGN_TOWER_TEXT), PASSES * SMALL_BATCH * stats.text_macs);
    for (size_t i = 0; i < profile.n_steps; i++) {
        const align_profile_step *s = &profile.steps[i];
        assert_non_null(align_step_name(s->kind));
        const bool twice = s->kind == ALIGN_STEP_NORM && s->block > 0;
        assert_int_equal(s->calls, (twice ? 2 : 1) * PASSES);
        assert_true(s->milliseconds >= 0.0);
        assert_true(s->macs == 0 || s->weight_bytes > 0 || s->activation_bytes > 0);
    }
    align_context_free(plain);
    align_context_free(context);
}

static void counts_what_the_statistics_say(void **state)
{
    (void)state;
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    check_whole_passes(model, 1);
    check_whole_passes(model, 3);
    align_model_free(model);
}

static void relative_positions(void **state)
{
    static const char *const types[] = {"relative_key", "relative_key_query"};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        align_config config;
        small_config(&config);
        strcpy(config.text_config.position_embedding_type, types[i]);
        align_model *model = small_model_from(&config, ALIGN_TOWER_BOTH);
        check_whole_passes(model, 1);
        align_model_free(model);
        align_config_done(&config);
    }
}

/* Every block has its four steps (the first stage of this model expands nothing), every layer its five products. */
static void steps_of_every_block(void **state)
{
    (void)state;
    small_inputs small;
    const align_inputs inputs = whole_inputs(&small);
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    align_context *context = context_with(model, 2);
    align_output out;
    assert_int_equal(align_context_profile_start(context, NULL), ALIGN_OK);
    assert_int_equal(align_model_forward(context, &inputs, NULL, &out, NULL), ALIGN_OK);
    const align_profile profile = profile_of(context);
    for (int64_t block = 1; block <= 5; block++) {
        const align_profile_step *expand = step_of(&profile, ALIGN_TOWER_VISION, block, ALIGN_STEP_EXPAND);
        assert_int_equal(expand != NULL, block > 1);
        assert_non_null(step_of(&profile, ALIGN_TOWER_VISION, block, ALIGN_STEP_DEPTHWISE));
        assert_non_null(step_of(&profile, ALIGN_TOWER_VISION, block, ALIGN_STEP_SQUEEZE_EXCITE));
        assert_non_null(step_of(&profile, ALIGN_TOWER_VISION, block, ALIGN_STEP_PROJECT));
    }
    for (int64_t layer = 1; layer <= SMALL_LAYERS; layer++)
        for (int kind = ALIGN_STEP_NORM; kind <= ALIGN_STEP_OUTPUT; kind++)
            assert_non_null(step_of(&profile, ALIGN_TOWER_TEXT, layer, (align_step_kind)kind));
    assert_non_null(step_of(&profile, ALIGN_TOWER_VISION, 0, ALIGN_STEP_STEM));
    assert_non_null(step_of(&profile, ALIGN_TOWER_TEXT, 0, ALIGN_STEP_EMBEDDINGS));
    assert_non_null(step_of(&profile, ALIGN_TOWER_BOTH, 0, ALIGN_STEP_LOGITS));
    align_context_free(context);
    align_model_free(model);
}

static void starts_again_with_nothing(void **state)
{
    (void)state;
    small_inputs small;
    const align_inputs inputs = whole_inputs(&small);
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    align_context *context = context_with(model, 1);
    align_tensor features;
    assert_int_equal(align_context_profile_start(context, NULL), ALIGN_OK);
    assert_int_equal(align_model_get_text_features(context, &inputs, &features, NULL), ALIGN_OK);
    align_profile profile = profile_of(context);
    assert_true(macs_of(&profile, ALIGN_TOWER_TEXT) > 0);
    assert_int_equal(align_context_profile_start(context, NULL), ALIGN_OK);
    assert_int_equal(profile_of(context).n_steps, 0);
    assert_int_equal(align_model_get_image_features(context, &inputs, &features, NULL), ALIGN_OK);
    profile = profile_of(context);
    assert_int_equal(macs_of(&profile, ALIGN_TOWER_TEXT), 0);
    assert_true(macs_of(&profile, ALIGN_TOWER_VISION) > 0);
    align_context_free(context);
    align_model_free(model);
}

static void errors(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_profile profile;
    align_model *model = small_model(ALIGN_TOWER_TEXT);
    align_context *context = context_with(model, 1);
    assert_int_equal(align_context_profile(context, &profile, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "this context keeps no profile");
    assert_int_equal(align_context_profile(NULL, &profile, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "NULL for the context");
    assert_int_equal(align_context_profile(context, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "NULL for the profile");
    assert_int_equal(align_context_profile_start(NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "NULL for the context");
    assert_null(align_step_name(ALIGN_STEP_COUNT));

    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    long n = 0;
    while (status != ALIGN_OK) {
        al_memory_fail_at(++n);
        status = align_context_profile_start(context, &err);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
    }
    assert_int_equal(n, 4); /* three allocations */
    align_context_free(context);
    align_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_the_statistics_say),
        cmocka_unit_test(relative_positions),
        cmocka_unit_test(steps_of_every_block),
        cmocka_unit_test(starts_again_with_nothing),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
