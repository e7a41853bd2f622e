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

int main(void)
{
    if (strcmp(align_isa(), "none") == 0)
        return 77; /* the CPU lacks what ALIGN_ISA asks for */
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_mask), cmocka_unit_test(other_configs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
