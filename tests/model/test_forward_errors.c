/*
 * test_forward_errors.c: what a forward pass refuses, and that refusing harms nothing.
 *
 * Each case spoils one thing of inputs that work. The call must answer INVALID_ARGUMENT, name the tensor in its message
 * and leave the context usable. Then the same for lack of memory at every allocation.
 */
#include "base/memory.h"
#include "support/compare.h"
#include "support/small_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    align_model *model;
    align_context *context;
    small_inputs small;
} fixture;

static align_context *context_of(const align_model *model)
{
    align_error err = ALIGN_ERROR_INIT;
    align_context_options options = ALIGN_CONTEXT_OPTIONS_INIT;
    options.threads = 2;
    align_context *context = NULL;
    if (align_context_new(&context, model, &options, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return context;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->model = small_model(ALIGN_TOWER_BOTH);
    f->context = context_of(f->model);
    small_inputs_init(&f->small);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    align_context_free(f->context);
    align_model_free(f->model);
    free(f);
    return 0;
}

static void expect_refusal(align_status status, const align_error *err, const char *what, const char *word)
{
    if (status != ALIGN_ERROR_INVALID_ARGUMENT || err->status != status)
        fail_msg("%s: answered \"%s\" (%s)", what, align_status_name(status), err->message);
    if (strstr(err->message, word) == NULL)
        fail_msg("%s: the message does not name %s: \"%s\"", what, word, err->message);
}

/* ---- one thing wrong ---- */

static float zeros[SMALL_BATCH * SMALL_POSITIONS * SMALL_POSITIONS * SMALL_HIDDEN];
static int64_t no_ids[SMALL_BATCH * SMALL_POSITIONS * 4];
static const int64_t too_large[SMALL_BATCH * SMALL_TOKENS] = {[20] = 1000000};
static const int64_t just_too_large[SMALL_BATCH * SMALL_TOKENS] = {[3] = SMALL_VOCABULARY};
static const int64_t negative[SMALL_BATCH * SMALL_TOKENS] = {[26] = -1};
static const int32_t negative_32[SMALL_BATCH * SMALL_TOKENS] = {[26] = -1};

typedef struct spoilt {
    const char *what;
    const char *word; /* must be in the message */
    size_t slot;      /* the member of align_inputs to replace */
    align_tensor (*replacement)(void);
} spoilt;

#define SLOT(member) offsetof(align_inputs, member)
#define REPLACE(name, ...)         \
    static align_tensor name(void) \
    {                              \
        return __VA_ARGS__;        \
    }

enum { B = SMALL_BATCH, S = SMALL_TOKENS, H = SMALL_HIDDEN, A = SMALL_HEADS, L = SMALL_LAYERS, C = SMALL_CHANNELS };

REPLACE(absent, (align_tensor){ALIGN_F32, 0, {0}, NULL})
REPLACE(ids_huge, view2(ALIGN_I64, B, S, too_large))
REPLACE(ids_one_over, view2(ALIGN_I64, B, S, just_too_large))
REPLACE(ids_negative, view2(ALIGN_I64, B, S, negative))
REPLACE(ids_negative_32, view2(ALIGN_I32, B, S, negative_32))
REPLACE(ids_rank_1, view1(ALIGN_I64, S, no_ids))
REPLACE(ids_rank_3, view3(ALIGN_I64, B, S, 1, no_ids))
REPLACE(ids_floats, view2(ALIGN_F32, B, S, zeros))
REPLACE(ids_none, view2(ALIGN_I64, B, 0, no_ids))
REPLACE(ids_negative_shape, view2(ALIGN_I64, -B, -S, no_ids))
REPLACE(mask_rank_1, view1(ALIGN_I64, S, no_ids))
REPLACE(mask_rank_4, view4(ALIGN_F32, B, 1, S, S, zeros))
REPLACE(mask_short, view2(ALIGN_I64, B, S - 1, no_ids))
REPLACE(mask_few, view2(ALIGN_I64, B - 1, S, no_ids))
REPLACE(mask_not_square, view3(ALIGN_F32, B, S, S + 1, zeros))
REPLACE(types_floats, view2(ALIGN_F32, B, S, zeros))
REPLACE(types_short, view2(ALIGN_I64, B, S - 1, no_ids))
REPLACE(positions_rank_3, view3(ALIGN_I64, 1, B, S, no_ids))
REPLACE(positions_few, view2(ALIGN_I64, B - 1, S, no_ids))
REPLACE(positions_short, view1(ALIGN_I64, S - 1, no_ids))
REPLACE(positions_floats, view1(ALIGN_F32, S, zeros))
REPLACE(head_mask_short, view1(ALIGN_F32, A - 1, zeros))
REPLACE(head_mask_few, view2(ALIGN_F32, L - 1, A, zeros))
REPLACE(head_mask_rank_3, view3(ALIGN_F32, L, A, 1, zeros))
REPLACE(embeds_too, view3(ALIGN_F32, B, S, H, zeros))
REPLACE(pixels_rank_3, view3(ALIGN_F32, C, 30, 30, zeros))
REPLACE(pixels_channels, view4(ALIGN_F32, B, C + 1, 20, 20, zeros))
REPLACE(pixels_integers, view4(ALIGN_I64, 1, C, 4, 4, no_ids))
REPLACE(pixels_tiny, view4(ALIGN_F32, B, C, 1, 1, zeros))
REPLACE(pixels_flat, view4(ALIGN_F32, B, C, 40, 1, zeros))
REPLACE(pixels_no_rows, view4(ALIGN_F32, B, C, 0, 40, zeros))

static const spoilt SPOILT[] = {
    {"no pictures", "pixel_values", SLOT(pixel_values), absent},
    {"neither ids nor embeds", "input_ids", SLOT(input_ids), absent},
    {"both ids and embeds", "inputs_embeds", SLOT(inputs_embeds), embeds_too},
    {"a huge id", "input_ids", SLOT(input_ids), ids_huge},
    {"id vocab_size", "input_ids", SLOT(input_ids), ids_one_over},
    {"a negative id", "input_ids", SLOT(input_ids), ids_negative},
    {"a negative 32-bit id", "input_ids", SLOT(input_ids), ids_negative_32},
    {"ids of rank 1", "input_ids", SLOT(input_ids), ids_rank_1},
    {"ids of rank 3", "input_ids", SLOT(input_ids), ids_rank_3},
    {"ids that are floats", "input_ids", SLOT(input_ids), ids_floats},
    {"no tokens", "input_ids", SLOT(input_ids), ids_none},
    {"a negative shape", "input_ids", SLOT(input_ids), ids_negative_shape},
    {"a mask of rank 1", "attention_mask", SLOT(attention_mask), mask_rank_1},
    {"a mask of rank 4", "attention_mask", SLOT(attention_mask), mask_rank_4},
    {"a mask too short", "attention_mask", SLOT(attention_mask), mask_short},
    {"a mask of fewer rows", "attention_mask", SLOT(attention_mask), mask_few},
    {"a mask that is not square", "attention_mask", SLOT(attention_mask), mask_not_square},
    {"a huge type", "token_type_ids", SLOT(token_type_ids), ids_huge},
    {"a negative type", "token_type_ids", SLOT(token_type_ids), ids_negative},
    {"types that are floats", "token_type_ids", SLOT(token_type_ids), types_floats},
    {"types too short", "token_type_ids", SLOT(token_type_ids), types_short},
    {"a huge position", "position_ids", SLOT(position_ids), ids_huge},
    {"a negative position", "position_ids", SLOT(position_ids), ids_negative},
    {"positions of rank 3", "position_ids", SLOT(position_ids), positions_rank_3},
    {"positions of fewer rows", "position_ids", SLOT(position_ids), positions_few},
    {"positions too short", "position_ids", SLOT(position_ids), positions_short},
    {"positions that are floats", "position_ids", SLOT(position_ids), positions_floats},
    {"a head mask too short", "head_mask", SLOT(head_mask), head_mask_short},
    {"a head mask of fewer layers", "head_mask", SLOT(head_mask), head_mask_few},
    {"a head mask of rank 3", "head_mask", SLOT(head_mask), head_mask_rank_3},
    {"pictures of rank 3", "pixel_values", SLOT(pixel_values), pixels_rank_3},
    {"pictures of other channels", "pixel_values", SLOT(pixel_values), pixels_channels},
    {"pictures of integers", "pixel_values", SLOT(pixel_values), pixels_integers},
    {"a picture of one pixel", "pixel_values", SLOT(pixel_values), pixels_tiny},
    {"a picture of one column", "pixel_values", SLOT(pixel_values), pixels_flat},
    {"a picture without rows", "pixel_values", SLOT(pixel_values), pixels_no_rows},
};

static void test_spoilt_inputs(void **state)
{
    fixture *f = *state;
    align_output out;
    assert_int_equal(align_model_forward(f->context, &f->small.inputs, NULL, &out, NULL), ALIGN_OK);
    float before = ((const float *)out.logits_per_image.data)[SMALL_BATCH + 1];

    for (size_t i = 0; i < sizeof SPOILT / sizeof *SPOILT; i++) {
        align_error err = ALIGN_ERROR_INIT;
        align_inputs inputs = f->small.inputs;
        align_tensor replacement = SPOILT[i].replacement();
        memcpy((char *)&inputs + SPOILT[i].slot, &replacement, sizeof replacement);
        align_status status = align_model_forward(f->context, &inputs, NULL, &out, &err);
        expect_refusal(status, &err, SPOILT[i].what, SPOILT[i].word);
        assert_int_equal(align_model_forward(f->context, &inputs, NULL, &out, NULL), status);
    }

    assert_int_equal(align_model_forward(f->context, &f->small.inputs, NULL, &out, NULL), ALIGN_OK);
    assert_memory_equal(&before, (const float *)out.logits_per_image.data + SMALL_BATCH + 1, sizeof before);
}

static void test_spoilt_embeds(void **state)
{
    fixture *f = *state;
    const align_tensor wrong[] = {
        view3(ALIGN_F32, SMALL_BATCH, SMALL_TOKENS, SMALL_HIDDEN + 1, zeros),
        view2(ALIGN_F32, SMALL_BATCH, SMALL_HIDDEN, zeros),
        view3(ALIGN_I64, SMALL_BATCH, 2, SMALL_HIDDEN, zeros),
        view3(ALIGN_F32, SMALL_BATCH, 0, SMALL_HIDDEN, zeros),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        align_error err = ALIGN_ERROR_INIT;
        align_inputs inputs = ALIGN_INPUTS_INIT;
        align_text_output out;
        inputs.inputs_embeds = wrong[i];
        align_status status = align_text_model_forward(f->context, &inputs, NULL, &out, &err);
        expect_refusal(status, &err, "embeds", "inputs_embeds");
    }
}

static void test_too_many_tokens(void **state)
{
    fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_text_output out;
    inputs.input_ids = view2(ALIGN_I64, 1, SMALL_POSITIONS, no_ids);
    assert_int_equal(align_text_model_forward(f->context, &inputs, NULL, &out, &err), ALIGN_OK);
    inputs.input_ids = view2(ALIGN_I64, 1, SMALL_POSITIONS + 1, no_ids);
    align_status status = align_text_model_forward(f->context, &inputs, NULL, &out, &err);
    expect_refusal(status, &err, "17 tokens", "max_position_embeddings");
}

static void test_loss_wants_pairs(void **state)
{
    fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    align_inputs inputs = f->small.inputs;
    align_forward_options options = ALIGN_FORWARD_OPTIONS_INIT;
    align_output out;
    inputs.pixel_values.shape[0] = SMALL_BATCH - 1;
    assert_int_equal(align_model_forward(f->context, &inputs, &options, &out, &err), ALIGN_OK);
    assert_int_equal(out.logits_per_image.shape[0], SMALL_BATCH - 1);
    assert_int_equal(out.logits_per_text.shape[0], SMALL_BATCH);
    options.return_loss = true;
    expect_refusal(align_model_forward(f->context, &inputs, &options, &out, &err), &err, "unequal batches", "loss");
}

static void test_nulls(void **state)
{
    fixture *f = *state;
    align_output out;
    align_text_output text;
    align_vision_output vision;
    align_tensor features;
    const align_inputs *in = &f->small.inputs;
    const align_status bad = ALIGN_ERROR_INVALID_ARGUMENT;
    assert_int_equal(align_model_forward(NULL, in, NULL, &out, NULL), bad);
    assert_int_equal(align_model_forward(f->context, NULL, NULL, &out, NULL), bad);
    assert_int_equal(align_model_forward(f->context, in, NULL, NULL, NULL), bad);
    assert_int_equal(align_text_model_forward(NULL, in, NULL, &text, NULL), bad);
    assert_int_equal(align_text_model_forward(f->context, NULL, NULL, &text, NULL), bad);
    assert_int_equal(align_text_model_forward(f->context, in, NULL, NULL, NULL), bad);
    assert_int_equal(align_vision_model_forward(NULL, in, NULL, &vision, NULL), bad);
    assert_int_equal(align_vision_model_forward(f->context, NULL, NULL, &vision, NULL), bad);
    assert_int_equal(align_vision_model_forward(f->context, in, NULL, NULL, NULL), bad);
    assert_int_equal(align_model_get_text_features(NULL, in, &features, NULL), bad);
    assert_int_equal(align_model_get_text_features(f->context, in, NULL, NULL), bad);
    assert_int_equal(align_model_get_image_features(f->context, NULL, &features, NULL), bad);
    align_context *context = NULL;
    assert_int_equal(align_context_new(&context, NULL, NULL, NULL), bad);
    align_context_free(NULL);
    align_model_free(NULL);
}

/* ---- the wrong model ---- */

static void test_towers_alone(void **state)
{
    fixture *f = *state;
    align_output out;
    align_text_output text;
    align_vision_output vision;
    align_tensor features;
    const align_inputs *in = &f->small.inputs;

    align_model *text_model = small_model(ALIGN_TOWER_TEXT);
    align_context *context = context_of(text_model);
    assert_int_equal(align_text_model_forward(context, in, NULL, &text, NULL), ALIGN_OK);
    assert_int_not_equal(align_vision_model_forward(context, in, NULL, &vision, NULL), ALIGN_OK);
    assert_int_not_equal(align_model_forward(context, in, NULL, &out, NULL), ALIGN_OK);
    assert_int_not_equal(align_model_get_text_features(context, in, &features, NULL), ALIGN_OK);
    align_context_free(context);
    align_model_free(text_model);

    align_model *vision_model = small_model(ALIGN_TOWER_VISION);
    context = context_of(vision_model);
    assert_int_equal(align_vision_model_forward(context, in, NULL, &vision, NULL), ALIGN_OK);
    assert_int_not_equal(align_text_model_forward(context, in, NULL, &text, NULL), ALIGN_OK);
    assert_int_not_equal(align_model_forward(context, in, NULL, &out, NULL), ALIGN_OK);
    align_context_free(context);
    align_model_free(vision_model);
}

static void test_chunks_and_pooling(void **state)
{
    fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    align_text_output text;
    align_vision_output vision;
    align_config config;
    small_config(&config);
    config.text_config.chunk_size_feed_forward = 4;
    config.vision_config.hidden_dim = 4; /* the last map has 37 / 8 = 4 rows and 41 / 8 = 5 columns */
    align_model *model = small_model_from(&config, ALIGN_TOWER_BOTH);
    align_context *context = context_of(model);

    align_status status = align_text_model_forward(context, &f->small.inputs, NULL, &text, &err);
    expect_refusal(status, &err, "9 tokens in chunks of 4", "chunk_size_feed_forward");
    status = align_vision_model_forward(context, &f->small.inputs, NULL, &vision, &err);
    expect_refusal(status, &err, "a map larger than the pool", "hidden_dim");

    align_context_free(context);
    align_model_free(model);
    align_config_done(&config);
}

/* ---- memory ---- */

static void test_workspace_limit(void **state)
{
    fixture *f = *state;
    align_error err = ALIGN_ERROR_INIT;
    align_output out;
    assert_int_equal(align_model_forward(f->context, &f->small.inputs, NULL, &out, NULL), ALIGN_OK);
    size_t needed = align_context_workspace(f->context);
    assert_true(needed > 0);

    align_context_options options = {1, 1000};
    align_context *context = NULL;
    assert_int_equal(align_context_new(&context, f->model, &options, &err), ALIGN_OK);
    assert_int_not_equal(align_model_forward(context, &f->small.inputs, NULL, &out, &err), ALIGN_OK);
    assert_true(strlen(err.message) > 0);
    align_context_free(context);
}

static void test_every_allocation_may_fail(void **state)
{
    fixture *f = *state;
    const align_forward_options all = {true, true, true};
    align_context_options options = ALIGN_CONTEXT_OPTIONS_INIT;
    options.threads = 2;
    bool done = false;
    for (long n = 1; !done; n++) {
        assert_true(n < 1000);
        align_error err = ALIGN_ERROR_INIT;
        align_context *context = NULL;
        align_output out;
        al_memory_fail_at(n);
        align_status status = align_context_new(&context, f->model, &options, &err);
        if (status == ALIGN_OK)
            status = align_model_forward(context, &f->small.inputs, &all, &out, &err);
        al_memory_fail_at(0);
        done = status == ALIGN_OK;
        if (!done)
            assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
        if (!done && context != NULL)
            assert_int_equal(align_model_forward(context, &f->small.inputs, &all, &out, &err), ALIGN_OK);
        align_context_free(context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spoilt_inputs),
        cmocka_unit_test(test_spoilt_embeds),
        cmocka_unit_test(test_too_many_tokens),
        cmocka_unit_test(test_loss_wants_pairs),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_towers_alone),
        cmocka_unit_test(test_chunks_and_pooling),
        cmocka_unit_test(test_workspace_limit),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("forward errors", tests, set_up, tear_down);
}
