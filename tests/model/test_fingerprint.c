/* test_fingerprint.c: a model's name says whether it is the same: not where it lies, nor how it is computed with. */
#include "load_test.h"
#include "support/golden.h"

#define TINY GOLDEN "tiny"

static align_model *load_as(const char *path, align_tower tower, align_precision precision)
{
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model;
    options.tower = tower;
    options.precision = precision;
    assert_int_equal(align_model_from_pretrained(&model, path, &options, NULL), ALIGN_OK);
    return model;
}

static void name_of(const align_model *model, char out[ALIGN_FINGERPRINT_SIZE])
{
    align_model_fingerprint(model, out);
    assert_int_equal(strlen(out), ALIGN_FINGERPRINT_SIZE - 1);
    assert_memory_equal(out, "align-", 6);
}

static void name_of_folder(const char *path, align_tower tower, align_precision precision,
                           char out[ALIGN_FINGERPRINT_SIZE])
{
    align_model *model = load_as(path, tower, precision);
    name_of(model, out);
    align_model_free(model);
}

static void test_same_model(void **state)
{
    (void)state;
    char first[ALIGN_FINGERPRINT_SIZE], again[ALIGN_FINGERPRINT_SIZE];
    align_model *model = load_as(TINY, ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32);
    name_of(model, first);
    assert_int_equal(align_model_save_pretrained(model, folder, NULL, NULL), ALIGN_OK);
    align_model_free(model);
    name_of_folder(folder, ALIGN_TOWER_BOTH, ALIGN_PRECISION_INT8, again);
    assert_string_equal(first, again);
    empty_folder();
}

static void test_towers_have_their_own(void **state)
{
    (void)state;
    char names[3][ALIGN_FINGERPRINT_SIZE];
    for (int tower = 0; tower < 3; tower++)
        name_of_folder(TINY, (align_tower)tower, ALIGN_PRECISION_F32, names[tower]);
    assert_string_not_equal(names[0], names[1]);
    assert_string_not_equal(names[0], names[2]);
    assert_string_not_equal(names[1], names[2]);
}

/* The model with one number of one tensor changed by as little as can be, or with another number in its config. */
static void name_of_changed(const char *tensor, int64_t element, double eps, char out[ALIGN_FINGERPRINT_SIZE])
{
    align_model *model = load_as(TINY, ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32), *changed;
    align_config config;
    align_tensors *state;
    assert_int_equal(align_tensors_new(&state, NULL), ALIGN_OK);
    const align_tensors *before = align_model_state(model);
    float *copy = NULL;
    for (size_t i = 0; i < align_tensors_count(before); i++) {
        align_tensor view = *align_tensors_at(before, i);
        const char *name = align_tensors_name(before, i);
        if (tensor && strcmp(name, tensor) == 0) {
            const size_t bytes = (size_t)align_tensor_elements(&view) * sizeof *copy;
            assert_int_equal(view.dtype, ALIGN_F32);
            copy = malloc(bytes);
            memcpy(copy, view.data, bytes);
            const size_t at = element < 0 ? bytes / sizeof *copy - 1 : (size_t)element;
            copy[at] = nextafterf(copy[at], 10);
            view.data = copy;
        }
        assert_int_equal(align_tensors_add_view(state, name, &view, NULL), ALIGN_OK);
    }
    assert_int_equal(align_config_copy(&config, align_model_config(model), NULL), ALIGN_OK);
    if (eps > 0)
        config.vision_config.batch_norm_eps = eps;
    assert_int_equal(align_model_from_tensors(&changed, &config, state, NULL, NULL), ALIGN_OK);
    name_of(changed, out);
    align_model_free(changed);
    align_config_done(&config);
    align_tensors_free(state);
    align_model_free(model);
    free(copy);
}

static void test_any_change_shows(void **state)
{
    (void)state;
    char first[ALIGN_FINGERPRINT_SIZE], other[ALIGN_FINGERPRINT_SIZE];
    name_of_changed(NULL, 0, 0, first);
    name_of_folder(TINY, ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32, other);
    assert_string_equal(first, other);
    static const char *const tensors[] = {"temperature", "text_projection.weight",
                                          "text_model.embeddings.word_embeddings.weight",
                                          "vision_model.embeddings.batchnorm.running_var"};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        for (int end = 0; end < 2; end++) {
            name_of_changed(tensors[i], -end, 0, other);
            assert_string_not_equal(first, other);
        }
    name_of_changed(NULL, 0, 0.5, other);
    assert_string_not_equal(first, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_model),
        cmocka_unit_test(test_towers_have_their_own),
        cmocka_unit_test(test_any_change_shows),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
