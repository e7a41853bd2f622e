/*
 * test_features.c: get_text_features leaves masked tokens out and computes the last layer for one token a text; forward
 * computes everything. Both must give the same embeddings, whatever the mask, and whether or not anything may be left
 * out.
 */
#include "support/compare.h"
#include "support/small_model.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { B = SMALL_BATCH, S = SMALL_TOKENS };

/* Masks by name; '#' is 1, '.' is 0, 'h' is 0.5. A row a text. */
static const struct {
    const char *name;
    const char *rows[B];
} masks[] = {
    {"nothing masked", {"#########", "#########", "#########"}},
    {"padded at the end", {"#########", "####.....", "#........"}},
    {"holes", {"#.#.#.#.#", "##.....##", "#.......#"}},
    {"padded at the start", {"#########", "...######", "########."}},
    {"a hidden text", {"#########", ".........", "###......"}},
    {"fractions", {"####hhh..", "#########", "#######.."}},
};

static float mask_of(const char *row, int i)
{
    return row[i] == '#' ? 1.0f : row[i] == 'h' ? 0.5f : 0.0f;
}

static void check(const char *where, align_model *model, align_inputs *in)
{
    align_context *context;
    align_output out;
    align_tensor features;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_context_new(&context, model, NULL, &err), ALIGN_OK);
    if (align_model_forward(context, in, NULL, &out, &err) != ALIGN_OK)
        fail_msg("%s: %s", where, err.message);
    const size_t n = (size_t)align_tensor_elements(&out.text_embeds), width = (size_t)out.text_embeds.shape[1];
    float *expected = malloc(n * sizeof *expected), *found = malloc(n * sizeof *found);
    memcpy(expected, out.text_embeds.data, n * sizeof *expected);
    if (align_model_get_text_features(context, in, &features, &err) != ALIGN_OK)
        fail_msg("%s: %s", where, err.message);
    memcpy(found, features.data, n * sizeof *found);
    align_normalize(found, n / width, width);
    comparison result = {where, 0, 0};
    const align_tensor a = view2(ALIGN_F32, (int64_t)(n / width), (int64_t)width, found);
    const align_tensor b = view2(ALIGN_F32, (int64_t)(n / width), (int64_t)width, expected);
    assert_true(compare_tensors(&result, "features", &a, &b, 2e-6));
    free(expected);
    free(found);
    align_context_free(context);
}

/* All masks, as floats and as integers, with everything else that goes with a text. */
static void check_masks(align_model *model)
{
    small_inputs small;
    float mask[B * S], embeds[B * S * SMALL_HIDDEN], factors[SMALL_LAYERS * SMALL_HEADS];
    int64_t positions[S];
    for (size_t i = 0; i < B * S * SMALL_HIDDEN; i++)
        embeds[i] = sinf((float)i);
    for (int i = 0; i < SMALL_LAYERS * SMALL_HEADS; i++)
        factors[i] = 0.25f * (float)(i % 5);
    for (int i = 0; i < S; i++)
        positions[i] = S - 1 - i;
    for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
        small_inputs_init(&small);
        align_inputs *in = &small.inputs;
        for (int i = 0; i < B * S; i++)
            mask[i] = mask_of(masks[m].rows[i / S], i % S);
        in->attention_mask = view2(ALIGN_F32, B, S, mask);
        check(masks[m].name, model, in);
        in->position_ids = view1(ALIGN_I64, S, positions);
        in->head_mask = view2(ALIGN_F32, SMALL_LAYERS, SMALL_HEADS, factors);
        check(masks[m].name, model, in);
        in->input_ids.data = NULL;
        in->inputs_embeds = view3(ALIGN_F32, B, S, SMALL_HIDDEN, embeds);
        check(masks[m].name, model, in);
    }
    small_inputs_init(&small);
    small.inputs.attention_mask.data = NULL;
    check("no mask", model, &small.inputs);
}

static void every_mask(void **state)
{
    (void)state;
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    check_masks(model);
    align_model_free(model);
}

/* Where nothing may be left out: relative positions, a causal mask; and where there is no layer to leave anything out
 * of. */
static void other_configs(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        align_config config;
        small_config(&config);
        if (kind < 2)
            strcpy(config.text_config.position_embedding_type, kind ? "relative_key_query" : "relative_key");
        config.text_config.is_decoder = kind == 2;
        align_model *model;
        if (kind == 3)
            config.text_config.num_hidden_layers = 0;
        model = small_model_from(&config, ALIGN_TOWER_BOTH);
        if (kind == 3) {
            small_inputs small;
            small_inputs_init(&small);
            check("no layers", model, &small.inputs);
        } else
            check_masks(model);
        align_model_free(model);
        align_config_done(&config);
    }
}

/* So many texts that they attend in several blocks: each must have what it has alone, padded or not. */
static void many_texts(void **state)
{
    enum { TEXTS = 90 };
    (void)state;
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    align_context *context;
    align_tensor features;
    int64_t ids[TEXTS * S], mask[TEXTS * S];
    for (size_t i = 0; i < (size_t)TEXTS * S; i++) {
        ids[i] = (int64_t)(i * 7 % SMALL_VOCABULARY);
        mask[i] = i % S <= i / S % S; /* of 1 to S tokens */
    }
    assert_int_equal(align_context_new(&context, model, NULL, NULL), ALIGN_OK);
    for (int masked = 0; masked <= 1; masked++) {
        align_inputs in = ALIGN_INPUTS_INIT;
        in.input_ids = view2(ALIGN_I64, TEXTS, S, ids);
        if (masked)
            in.attention_mask = view2(ALIGN_I64, TEXTS, S, mask);
        assert_int_equal(align_model_get_text_features(context, &in, &features, NULL), ALIGN_OK);
        const size_t width = (size_t)features.shape[1];
        float *all = malloc(TEXTS * width * sizeof *all);
        memcpy(all, features.data, TEXTS * width * sizeof *all);
        comparison result = {masked ? "masked" : "whole", 0, 0};
        for (size_t t = 0; t < TEXTS; t++) {
            in.input_ids = view2(ALIGN_I64, 1, S, ids + t * S);
            in.attention_mask = masked ? view2(ALIGN_I64, 1, S, mask + t * S) : (align_tensor){.data = NULL};
            assert_int_equal(align_model_get_text_features(context, &in, &features, NULL), ALIGN_OK);
            const align_tensor one = view2(ALIGN_F32, 1, (int64_t)width, all + t * width);
            assert_true(compare_tensors(&result, "features", &one, &features, 2e-6));
        }
        free(all);
    }
    align_context_free(context);
    align_model_free(model);
}

int main(void)
{
    if (strcmp(align_isa(), "none") == 0)
        return 77; /* the CPU lacks what ALIGN_ISA asks for */
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_mask), cmocka_unit_test(other_configs),
                                       cmocka_unit_test(many_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
