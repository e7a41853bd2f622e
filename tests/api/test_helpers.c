/*
 * test_helpers.c: the small public functions beside the model: version, instruction set, defaults, normalising,
 * softmax.
 */
#include "support/golden.h"
#include <align/align.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_version(void **state)
{
    char text[32];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", ALIGN_VERSION_MAJOR, ALIGN_VERSION_MINOR, ALIGN_VERSION_PATCH);
    assert_string_equal(text, ALIGN_VERSION);
    assert_string_equal(align_version(), ALIGN_VERSION);
}

static void test_isa_can_be_forced(void **state)
{
    (void)state;
    static const char *const tables[] = {"amx",  "avx512bf16", "avx512vnni", "avx512", "avxvnni",
                                         "avx2", "neonbf16",   "neondot",    "neon",   "ref"};
    const char *forced = getenv("ALIGN_ISA"), *isa = align_isa();
    bool known = false;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        known = known || strcmp(isa, tables[i]) == 0;
    assert_true(known);
    if (forced != NULL)
        assert_string_equal(isa, forced);
}

static void test_defaults(void **state)
{
    align_text_config text;
    align_vision_config vision;
    (void)state;
    assert_int_equal(align_text_config_init(&text, NULL), ALIGN_OK);
    assert_int_equal(text.vocab_size, 30522);
    assert_int_equal(text.hidden_size, 768);
    assert_string_equal(text.hidden_act, "gelu");
    assert_int_equal(align_text_config_validate(&text, NULL), ALIGN_OK);
    align_text_config_done(&text);

    assert_int_equal(align_vision_config_init(&vision, NULL), ALIGN_OK);
    assert_int_equal(vision.strides.count, 7);
    assert_int_equal(vision.hidden_dim, 2560);
    assert_string_equal(vision.pooling_type, "mean");
    assert_int_equal(align_vision_config_validate(&vision, NULL), ALIGN_OK);
    align_vision_config_done(&vision);
}

static void test_normalize(void **state)
{
    float rows[] = {3.0f, 4.0f, 0.0f, -2.0f, 0.0f, 0.0f};
    (void)state;
    align_normalize(rows, 2, 3);
    const float expected[] = {0.6f, 0.8f, 0.0f, -1.0f, 0.0f, 0.0f};
    for (size_t i = 0; i < 6; i++)
        assert_true(fabsf(rows[i] - expected[i]) <= 1e-7f);

    float nothing[] = {0.0f, 0.0f}; /* no epsilon: as the reference */
    align_normalize(nothing, 1, 2);
    assert_true(isnan(nothing[0]) && isnan(nothing[1]));
}

static void test_softmax(void **state)
{
    float rows[] = {1000.0f, 1000.0f, 0.0f, logf(2.0f)};
    (void)state;
    align_softmax(rows, 2, 2);
    const float expected[] = {0.5f, 0.5f, 1.0f / 3.0f, 2.0f / 3.0f};
    for (size_t i = 0; i < 4; i++)
        assert_true(fabsf(rows[i] - expected[i]) <= 1e-7f);
    float one = -50.0f;
    align_softmax(&one, 1, 1);
    assert_true(one == 1.0f);
}

/* What a caller does who keeps features: normalise, multiply, divide by the temperature; the logits of forward. */
static void test_logits_from_features(void **state)
{
    align_error err = ALIGN_ERROR_INIT;
    align_model *model = NULL;
    align_context *context = NULL;
    align_tensors *run = NULL;
    align_tensor text, image;
    (void)state;
    assert_int_equal(align_tensors_open(&run, TEST_DATA "/models/tiny/runs/forward.safetensors", &err), ALIGN_OK);
    assert_int_equal(align_model_from_pretrained(&model, TEST_DATA "/models/tiny", NULL, &err), ALIGN_OK);
    assert_int_equal(align_context_new(&context, model, NULL, &err), ALIGN_OK);
    const align_inputs inputs = golden_inputs(run);

    float kept[2][64];
    assert_int_equal(align_model_get_text_features(context, &inputs, &text, &err), ALIGN_OK);
    const size_t rows = (size_t)text.shape[0], width = (size_t)text.shape[1];
    assert_true(rows * width <= 64);
    memcpy(kept[0], text.data, rows * width * sizeof(float));
    assert_int_equal(align_model_get_image_features(context, &inputs, &image, &err), ALIGN_OK);
    memcpy(kept[1], image.data, rows * width * sizeof(float));
    align_normalize(kept[0], rows, width);
    align_normalize(kept[1], rows, width);

    float logits[16];
    for (size_t t = 0; t < rows; t++) {
        for (size_t i = 0; i < rows; i++) {
            double sum = 0.0;
            for (size_t k = 0; k < width; k++)
                sum += (double)kept[0][t * width + k] * (double)kept[1][i * width + k];
            logits[t * rows + i] = (float)(sum / (double)align_model_temperature(model));
        }
    }
    const int64_t shape[] = {text.shape[0], text.shape[0]};
    const align_tensor made = align_tensor_view(ALIGN_F32, 2, shape, logits);
    comparison result = {"logits from features", 0, 0};
    assert_true(compare_tensors(&result, "logits_per_text", &made, align_tensors_get(run, "logits_per_text"), 1e-5));

    align_context_free(context);
    align_model_free(model);
    align_tensors_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),  cmocka_unit_test(test_isa_can_be_forced),
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_normalize),
        cmocka_unit_test(test_softmax),  cmocka_unit_test(test_logits_from_features),
    };
    return cmocka_run_group_tests_name("helpers", tests, NULL, NULL);
}
