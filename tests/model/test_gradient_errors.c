/* test_gradient_errors.c: align_model_gradients where it cannot give any, and where memory is short or the batch small.
 */
#include "base/memory.h"
#include "load_test.h"
#include "support/small_model.h"

static void expect(const align_model *model, const align_inputs *in, const align_gradient_options *options,
                   align_status expected, const char *words)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *out = (align_tensors *)(uintptr_t)1;
    assert_int_equal(align_model_gradients(&out, model, in, options, &err), expected);
    assert_null(out);
    if (!strstr(err.message, words))
        fail_msg("%s: expected %s", err.message, words);
}

static void test_arguments(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    small_inputs small;
    small_inputs_init(&small);
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    align_gradient_options options = ALIGN_GRADIENT_OPTIONS_INIT;
    assert_int_equal(align_model_gradients(NULL, model, &small.inputs, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    expect(NULL, &small.inputs, NULL, ALIGN_ERROR_INVALID_ARGUMENT, "NULL for the model");
    expect(model, NULL, NULL, ALIGN_ERROR_INVALID_ARGUMENT, "NULL for the inputs");
    options.slice = -1;
    expect(model, &small.inputs, &options, ALIGN_ERROR_INVALID_ARGUMENT, "slice: -1 is negative");
    options.slice = 0;
    options.max_bytes = -2;
    expect(model, &small.inputs, &options, ALIGN_ERROR_INVALID_ARGUMENT, "max_bytes: -2 is negative");
    options.max_bytes = 1000;
    expect(model, &small.inputs, &options, ALIGN_ERROR_OUT_OF_MEMORY, "the limit is 1000");
    small.inputs.pixel_values.shape[0] = SMALL_BATCH - 1;
    expect(model, &small.inputs, NULL, ALIGN_ERROR_INVALID_ARGUMENT, "3 texts and 2 pictures");
    small.inputs.pixel_values.data = NULL;
    expect(model, &small.inputs, NULL, ALIGN_ERROR_INVALID_ARGUMENT, "You have to specify pixel_values");
    align_model_free(model);
}

static void test_models(void **state)
{
    (void)state;
    small_inputs small;
    small_inputs_init(&small);
    align_model *text = small_model(ALIGN_TOWER_TEXT), *both = small_model(ALIGN_TOWER_BOTH), *packed, *int8;
    expect(text, &small.inputs, NULL, ALIGN_ERROR_UNSUPPORTED, "both towers");
    assert_int_equal(align_model_save_packed(both, folder, NULL), ALIGN_OK);
    packed = load(folder, ALIGN_TOWER_BOTH);
    expect(packed, &small.inputs, NULL, ALIGN_ERROR_UNSUPPORTED, "a packed model");
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    options.precision = ALIGN_PRECISION_INT8;
    assert_int_equal(align_model_from_config(&int8, align_model_config(both), &options, NULL), ALIGN_OK);
    expect(int8, &small.inputs, NULL, ALIGN_ERROR_UNSUPPORTED, "not in int8");
    align_model_free(int8);
    align_model_free(packed);
    align_model_free(both);
    align_model_free(text);
    empty_folder();
}

/* 8 x 8 pixels of one picture come down to one at the third stage's depthwise convolution: that norm speaks, in
 * PyTorch's words. By running statistics there is nothing wrong. */
static void test_one_value(void **state)
{
    (void)state;
    small_inputs small;
    small_inputs_init(&small);
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    align_gradient_options options = ALIGN_GRADIENT_OPTIONS_INIT;
    align_inputs in = small.inputs;
    in.input_ids.shape[0] = in.attention_mask.shape[0] = in.token_type_ids.shape[0] = in.pixel_values.shape[0] = 1;
    in.pixel_values.shape[2] = in.pixel_values.shape[3] = 8;
    expect(model, &in, NULL, ALIGN_ERROR_INVALID_ARGUMENT,
           "Expected more than 1 value per channel when training, got input size torch.Size([1, 64, 1, 1])");
    options.batch_statistics = false;
    align_tensors *out;
    assert_int_equal(align_model_gradients(&out, model, &in, &options, NULL), ALIGN_OK);
    align_tensors_free(out);
    align_model_free(model);
}

/* One pair agrees with itself: a loss of nearly nothing, and so nothing to learn. */
static void test_one_pair(void **state)
{
    (void)state;
    small_inputs small;
    small_inputs_init(&small);
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    align_inputs in = small.inputs;
    in.input_ids.shape[0] = in.attention_mask.shape[0] = in.token_type_ids.shape[0] = in.pixel_values.shape[0] = 1;
    align_tensors *out;
    assert_int_equal(align_model_gradients(&out, model, &in, NULL, NULL), ALIGN_OK);
    for (size_t i = 0; i < align_tensors_count(out); i++) {
        const align_tensor *tensor = align_tensors_at(out, i);
        const float *values = tensor->data;
        if (strncmp(align_tensors_name(out, i), "grad.", 5) == 0 || strcmp(align_tensors_name(out, i), "loss") == 0)
            for (int64_t e = 0; e < align_tensor_elements(tensor); e++)
                assert_true(fabsf(values[e]) < 1e-6f);
    }
    align_tensors_free(out);
    align_model_free(model);
}

/* In slices, and in the precision of the model; the model stays as it is. */
static void test_options(void **state)
{
    (void)state;
    small_inputs small;
    small_inputs_init(&small);
    align_model *model = load(GOLDEN "tiny", ALIGN_TOWER_BOTH), *again = load(GOLDEN "tiny", ALIGN_TOWER_BOTH);
    for (size_t i = 0; i < SMALL_BATCH * SMALL_TOKENS; i++)
        small.ids[i] %= 30;
    align_gradient_options options = ALIGN_GRADIENT_OPTIONS_INIT;
    options.batch_statistics = false;
    align_tensors *whole, *sliced;
    assert_int_equal(align_model_gradients(&whole, model, &small.inputs, &options, NULL), ALIGN_OK);
    options.slice = 2;
    options.output_hidden_states = true; /* of a whole batch only */
    assert_int_equal(align_model_gradients(&sliced, model, &small.inputs, &options, NULL), ALIGN_OK);
    assert_null(align_tensors_get(sliced, "vision_model_output.hidden_states.0"));
    assert_null(align_tensors_get(sliced, "buffer.vision_model.embeddings.batchnorm.running_mean"));
    const float *a = align_tensors_get(whole, "grad.text_projection.weight")->data,
                *b = align_tensors_get(sliced, "grad.text_projection.weight")->data;
    for (size_t i = 0; i < 12 * 16; i++)
        assert_true(fabsf(a[i] - b[i]) <= 1e-5f);
    assert_same_state(align_model_state(model), align_model_state(again));
    align_tensors_free(whole);
    align_tensors_free(sliced);
    align_model_free(again);
    align_model_free(model);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    small_inputs small;
    small_inputs_init(&small);
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    align_gradient_options options = ALIGN_GRADIENT_OPTIONS_INIT;
    options.threads = 2;
    options.output_hidden_states = true;
    align_tensors *out = NULL;
    align_status status;
    long n = 0;
    do {
        al_memory_fail_at(++n);
        status = align_model_gradients(&out, model, &small.inputs, &options, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || (status == ALIGN_ERROR_OUT_OF_MEMORY && out == NULL));
    } while (status != ALIGN_OK);
    assert_true(n > 100);
    align_tensors_free(out);
    align_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments), cmocka_unit_test(test_models),  cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_one_pair),  cmocka_unit_test(test_options), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
