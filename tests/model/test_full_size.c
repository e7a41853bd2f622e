/*
 * test_full_size.c: the default model (172 million parameters, 289 x 289 pixels, 64 tokens) against the reference.
 *
 * A checkpoint of 690 MB cannot be kept in the repository, so its weights are a formula: an integer hash of the
 * tensor's name and the element's index, scaled so that activations neither vanish nor explode.
 * tests/reference/make_full_size.py computes the same weights, to the bit, and what the reference makes of them; only
 * that is kept.
 */
#include "model/params.h"
#include "support/formula.h"

#include <align/align.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- weights ---- */

/* value = uniform * scale + offset */
typedef struct formula {
    float scale, offset;
} formula;

static formula formula_of(const al_param *p)
{
    const bool vision = p->owner == ALIGN_TOWER_VISION;
    double fan_in = 1.0;
    for (int i = 1; i < p->rank; i++)
        fan_in *= (double)p->shape[i];
    switch (p->kind) {
    case AL_PARAM_WEIGHT:
    case AL_PARAM_WORD:
    case AL_PARAM_XAVIER:
        if (strstr(p->name, "embeddings.weight"))
            return (formula){0.7f, 0.0f};
        return (formula){(float)sqrt((vision ? 5.0 : 3.0) / fan_in), 0.0f};
    case AL_PARAM_ZERO:
    case AL_BUFFER_ZERO:
        return (formula){0.1f, 0.0f};
    case AL_PARAM_ONE:
    case AL_BUFFER_ONE:
        return (formula){0.3f, 1.0f};
    case AL_PARAM_TEMPERATURE:
        return (formula){0.0f, 0.05f};
    case AL_BUFFER_COUNT:
        break;
    }
    return (formula){0.0f, 0.0f};
}

static align_status fill(void *user, const al_param *p, align_error *err)
{
    static const int64_t one = 1;
    align_tensors *state = user;
    int64_t n = 1;
    for (int i = 0; i < p->rank; i++)
        n *= p->shape[i];
    if (p->kind == AL_BUFFER_COUNT) {
        const align_tensor count = align_tensor_view(ALIGN_I64, 0, NULL, &one);
        return align_tensors_add(state, p->name, &count, err);
    }
    float *data = malloc((size_t)n * sizeof *data);
    assert_non_null(data);
    const uint32_t seed = formula_seed(p->name);
    const formula f = formula_of(p);
    for (int64_t i = 0; i < n; i++)
        data[i] = formula_uniform(seed, (uint32_t)i) * f.scale + f.offset;
    const align_tensor tensor = align_tensor_view(ALIGN_F32, p->rank, p->shape, data);
    const align_status status = align_tensors_add(state, p->name, &tensor, err);
    free(data);
    return status;
}

static align_model *full_size_model(void)
{
    align_config config;
    al_model_params params;
    align_tensors *state;
    align_model *model;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    config.vision_config.image_size = 289;
    config.vision_config.hidden_dim = 640;
    assert_int_equal(al_params_init(&params, &config, ALIGN_TOWER_BOTH, false, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_new(&state, NULL), ALIGN_OK);
    assert_int_equal(al_params_visit(&params, &config, fill, state, NULL), ALIGN_OK);
    if (align_model_from_tensors(&model, &config, state, NULL, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(align_model_report(model)->n_missing, 0);
    align_tensors_free(state);
    al_params_done(&params);
    align_config_done(&config);
    return model;
}

/* ---- comparing ---- */

/* Cosine over 0.9999995 and no element off by more than 1e-4 of the largest. */
static void compare(const char *name, const align_tensors *expected, const align_tensor *found)
{
    const align_tensor *want = align_tensors_get(expected, name);
    assert_non_null(want);
    assert_int_equal(align_tensor_elements(want), align_tensor_elements(found));
    const float *x = found->data, *y = want->data;
    double xy = 0.0, xx = 0.0, yy = 0.0, largest = 0.0, off = 0.0;
    for (int64_t i = 0; i < align_tensor_elements(want); i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
        largest = fmax(largest, fabs((double)y[i]));
        off = fmax(off, fabs((double)x[i] - (double)y[i]));
    }
    const double cosine = xy / sqrt(xx * yy);
    if (!(off <= 1e-4 * largest) || !(cosine > 0.9999995))
        fail_msg("%s: off by %.3g of %.3g, cosine %.9f", name, off, largest, cosine);
}

static void as_the_reference(void **state)
{
    (void)state;
    enum { TEXTS = 2, TOKENS = 64, PIXELS = 289 };
    align_model *model = full_size_model();
    align_context *context;
    align_tensors *expected;
    align_output out;
    align_error err = ALIGN_ERROR_INIT;
    int64_t ids[TEXTS * TOKENS], mask[TEXTS * TOKENS];
    float *pixels = malloc(3 * PIXELS * PIXELS * sizeof *pixels);
    for (int i = 0; i < TEXTS * TOKENS; i++) {
        ids[i] = (1000 + 7919 * i) % 30522;
        mask[i] = i < TOKENS + 9; /* the second text has 9 tokens */
    }
    for (uint32_t i = 0; i < 3 * PIXELS * PIXELS; i++)
        pixels[i] = formula_uniform(formula_seed("pixel_values"), i);
    align_inputs in = ALIGN_INPUTS_INIT;
    in.input_ids = align_tensor_view(ALIGN_I64, 2, (const int64_t[]){TEXTS, TOKENS}, ids);
    in.attention_mask = align_tensor_view(ALIGN_I64, 2, (const int64_t[]){TEXTS, TOKENS}, mask);
    in.pixel_values = align_tensor_view(ALIGN_F32, 4, (const int64_t[]){1, 3, PIXELS, PIXELS}, pixels);

    assert_int_equal(align_tensors_open(&expected, TEST_DATA "/model/full_size.safetensors", &err), ALIGN_OK);
    assert_int_equal(align_context_new(&context, model, NULL, &err), ALIGN_OK);
    assert_int_equal(align_model_forward(context, &in, NULL, &out, &err), ALIGN_OK);
    compare("logits_per_image", expected, &out.logits_per_image);
    compare("text_embeds", expected, &out.text_embeds);
    compare("image_embeds", expected, &out.image_embeds);
    compare("text_pooler_output", expected, &out.text_model_output.pooler_output);
    compare("image_pooler_output", expected, &out.vision_model_output.pooler_output);
    assert_true(align_context_workspace(context) < 120000000);
    align_context_free(context);
    align_model_free(model);
    align_tensors_free(expected);
    free(pixels);
}

int main(void)
{
    if (strcmp(align_isa(), "none") == 0)
        return 77; /* the CPU lacks what ALIGN_ISA asks for */
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
