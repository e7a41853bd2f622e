/*
 * test_input_types.c: the same numbers in every dtype that an input may have give the same bits.
 */
#include "support/compare.h"
#include "support/small_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_TOKENS = SMALL_BATCH * SMALL_TOKENS };

typedef struct fixture {
    align_model *model;
    align_context *expected_context, *context;
    small_inputs small;
    align_output expected;
} fixture;

/* Pictures whose values bf16 and f16 hold exactly: quarters between -2 and 2. */
static void round_pixels(small_inputs *small)
{
    const size_t n = sizeof small->pixels / sizeof *small->pixels;
    for (size_t i = 0; i < n; i++)
        small->pixels[i] = (float)((int)(i % 17) - 8) * 0.25f;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->model = small_model(ALIGN_TOWER_BOTH);
    small_inputs_init(&f->small);
    round_pixels(&f->small);
    assert_int_equal(align_context_new(&f->expected_context, f->model, NULL, NULL), ALIGN_OK);
    assert_int_equal(align_context_new(&f->context, f->model, NULL, NULL), ALIGN_OK);
    assert_int_equal(align_model_forward(f->expected_context, &f->small.inputs, NULL, &f->expected, NULL), ALIGN_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    align_context_free(f->context);
    align_context_free(f->expected_context);
    align_model_free(f->model);
    free(f);
    return 0;
}

static void expect_same(fixture *f, const char *where, const align_inputs *inputs)
{
    align_error err = ALIGN_ERROR_INIT;
    align_output out;
    comparison result = {where, 0, 0};
    if (align_model_forward(f->context, inputs, NULL, &out, &err) != ALIGN_OK)
        fail_msg("%s: %s", where, err.message);
    compare_bits(&result, "logits_per_image", &out.logits_per_image, &f->expected.logits_per_image);
    compare_bits(&result, "last_hidden_state", &out.text_model_output.last_hidden_state,
                 &f->expected.text_model_output.last_hidden_state);
    assert_int_equal(result.failed, 0);
}

static void test_32_bit_integers(void **state)
{
    fixture *f = *state;
    int32_t ids[N_TOKENS], mask[N_TOKENS], types[N_TOKENS];
    for (size_t i = 0; i < N_TOKENS; i++) {
        ids[i] = (int32_t)f->small.ids[i];
        mask[i] = (int32_t)f->small.mask[i];
        types[i] = (int32_t)f->small.types[i];
    }
    align_inputs inputs = f->small.inputs;
    inputs.input_ids = view2(ALIGN_I32, SMALL_BATCH, SMALL_TOKENS, ids);
    inputs.attention_mask = view2(ALIGN_I32, SMALL_BATCH, SMALL_TOKENS, mask);
    inputs.token_type_ids = view2(ALIGN_I32, SMALL_BATCH, SMALL_TOKENS, types);
    expect_same(f, "I32", &inputs);
}

static void test_mask_types(void **state)
{
    fixture *f = *state;
    uint8_t flags[N_TOKENS];
    float floats[N_TOKENS];
    for (size_t i = 0; i < N_TOKENS; i++) {
        flags[i] = (uint8_t)f->small.mask[i];
        floats[i] = (float)f->small.mask[i];
    }
    align_inputs inputs = f->small.inputs;
    inputs.attention_mask = view2(ALIGN_BOOL, SMALL_BATCH, SMALL_TOKENS, flags);
    expect_same(f, "a mask of booleans", &inputs);
    inputs.attention_mask = view2(ALIGN_F32, SMALL_BATCH, SMALL_TOKENS, floats);
    expect_same(f, "a mask of floats", &inputs);
}

/* A quarter between -2 and 2 as bf16 is the upper half of the float. */
static void test_bf16_pixels(void **state)
{
    fixture *f = *state;
    const size_t n = sizeof f->small.pixels / sizeof *f->small.pixels;
    uint16_t *halves = malloc(n * sizeof *halves);
    assert_non_null(halves);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &f->small.pixels[i], sizeof bits);
        halves[i] = (uint16_t)(bits >> 16);
    }
    align_inputs inputs = f->small.inputs;
    inputs.pixel_values.dtype = ALIGN_BF16;
    inputs.pixel_values.data = halves;
    expect_same(f, "BF16 pictures", &inputs);
    free(halves);
}

/* An all-ones mask, types of zero and positions 0 .. S-1 are what absent ones mean. */
static void test_absent_inputs(void **state)
{
    fixture *f = *state;
    int64_t ones[N_TOKENS], zeros[N_TOKENS] = {0}, positions[SMALL_TOKENS];
    for (size_t i = 0; i < N_TOKENS; i++)
        ones[i] = 1;
    for (size_t i = 0; i < SMALL_TOKENS; i++)
        positions[i] = (int64_t)i;
    align_inputs inputs = f->small.inputs;
    inputs.attention_mask = view2(ALIGN_I64, SMALL_BATCH, SMALL_TOKENS, ones);
    inputs.token_type_ids = view2(ALIGN_I64, SMALL_BATCH, SMALL_TOKENS, zeros);
    inputs.position_ids = view1(ALIGN_I64, SMALL_TOKENS, positions);
    align_output expected;
    assert_int_equal(align_model_forward(f->expected_context, &inputs, NULL, &expected, NULL), ALIGN_OK);
    f->expected = expected;

    const align_tensor absent = {ALIGN_F32, 0, {0}, NULL};
    inputs.attention_mask = inputs.token_type_ids = inputs.position_ids = absent;
    expect_same(f, "absent inputs", &inputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_32_bit_integers),
        cmocka_unit_test(test_mask_types),
        cmocka_unit_test(test_bf16_pixels),
        cmocka_unit_test(test_absent_inputs),
    };
    return cmocka_run_group_tests_name("input types", tests, set_up, tear_down);
}
