/* test_trainable.c: a model's tensors as arrays that learn: layout, freezing, and back into a model. */
#include "base/memory.h"
#include "load_test.h"
#include "model/trainable.h"
#include "support/small_model.h"

#include <stdint.h>

static al_trainable *trainable_of(const align_model *model)
{
    align_error err = ALIGN_ERROR_INIT;
    al_trainable *t;
    if (al_trainable_new(&t, model, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return t;
}

/* Every tensor is there with its values, aligned, and nothing but zeros lies between. */
static void check_layout(const char *name, align_tower tower)
{
    char path[256];
    snprintf(path, sizeof path, GOLDEN "%s", name);
    align_model *model = load(path, tower);
    al_trainable *t = trainable_of(model);
    const align_tensors *state = align_model_state(model);
    assert_int_equal(t->n_entries, align_tensors_count(state));
    size_t expected = 0, buffers = 0;
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        const align_tensor *from = align_tensors_at(state, i);
        assert_string_equal(entry->name, align_tensors_name(state, i));
        assert_int_equal(al_trainable_find(t, entry->name), i);
        assert_int_equal(entry->elements, align_tensor_elements(from));
        assert_int_equal((uintptr_t)entry->value->data % 64, 0);
        if (entry->buffer) {
            assert_ptr_equal(entry->value->data, t->buffers + entry->offset);
            assert_null(entry->gradient->data);
            buffers++;
        } else {
            assert_int_equal(entry->offset, expected);
            assert_ptr_equal(entry->value->data, t->values + entry->offset);
            assert_ptr_equal(entry->gradient->data, t->gradient + entry->offset);
            expected += (entry->elements + 15) / 16 * 16;
            for (size_t e = entry->offset + entry->elements; e < expected; e++)
                assert_true(t->values[e] == 0.0f);
        }
        if (entry->kind == AL_BUFFER_COUNT) {
            assert_int_equal(*(const int64_t *)entry->value->data, *(const int64_t *)from->data);
            continue;
        }
        float *values = floats_of(model, entry->name, entry->elements);
        assert_memory_equal(entry->value->data, values, entry->elements * sizeof *values);
        free(values);
    }
    assert_int_equal(t->size, expected);
    assert_int_equal(buffers > 0, tower != ALIGN_TOWER_TEXT);
    al_trainable_free(t);
    align_model_free(model);
}

static void test_layout(void **state)
{
    (void)state;
    check_layout("tiny", ALIGN_TOWER_BOTH);
    check_layout("f16", ALIGN_TOWER_BOTH);
    check_layout("decoder_cross", ALIGN_TOWER_BOTH);
    check_layout("tiny_text", ALIGN_TOWER_TEXT);
    check_layout("tiny_vision", ALIGN_TOWER_VISION);
}

static void test_freezing(void **state)
{
    (void)state;
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    al_trainable *t = trainable_of(model);
    assert_true(al_trainable_learns(t, ALIGN_TOWER_TEXT) && al_trainable_learns(t, ALIGN_TOWER_VISION) &&
                al_trainable_learns(t, ALIGN_TOWER_BOTH));
    for (size_t i = 0; i < t->size; i++)
        t->gradient[i] = 1.0f;
    for (size_t i = 0; i < t->n_entries; i++)
        if (t->entries[i].owner == ALIGN_TOWER_TEXT)
            al_trainable_freeze(t, i, true);
    assert_false(al_trainable_learns(t, ALIGN_TOWER_TEXT));
    assert_null(t->gradients.text.word_embeddings.data);
    assert_non_null(t->weights.text.word_embeddings.data);
    al_trainable_clear_gradient(t);
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        if (!entry->buffer)
            assert_true(t->gradient[entry->offset] == (entry->frozen ? 1.0f : 0.0f));
    }
    const size_t words = al_trainable_find(t, "text_model.embeddings.word_embeddings.weight");
    al_trainable_freeze(t, words, false);
    assert_true(al_trainable_learns(t, ALIGN_TOWER_TEXT));
    assert_ptr_equal(t->gradients.text.word_embeddings.data, t->gradient + t->entries[words].offset);
    const size_t mean = al_trainable_find(t, "vision_model.embeddings.batchnorm.running_mean");
    al_trainable_freeze(t, mean, true);
    al_trainable_freeze(t, mean, false);
    assert_null(t->gradients.vision.stem_norm.running_mean.data);
    assert_int_equal(al_trainable_find(t, "no such tensor"), t->n_entries);
    al_trainable_free(t);
    align_model_free(model);
}

/* Back into a model: the same state; and other values where other values are given. */
static void test_to_model(void **state)
{
    (void)state;
    align_model *model = load(GOLDEN "tiny", ALIGN_TOWER_BOTH), *again;
    al_trainable *t = trainable_of(model);
    assert_int_equal(al_trainable_to_model(&again, t, t->values, ALIGN_PRECISION_F32, NULL), ALIGN_OK);
    assert_same_state(align_model_state(model), align_model_state(again));
    align_model_free(again);
    float *other = calloc(t->size, sizeof *other);
    assert_non_null(other);
    other[0] = 0.25f; /* the temperature comes first */
    assert_int_equal(al_trainable_to_model(&again, t, other, ALIGN_PRECISION_F32, NULL), ALIGN_OK);
    assert_true(align_model_temperature(again) == 0.25f);
    const align_tensor *mean = align_tensors_get(align_model_state(again), "vision_model.embeddings.batchnorm.running_"
                                                                           "mean");
    assert_memory_equal(mean->data, t->weights.vision.stem_norm.running_mean.data, (size_t)mean->shape[0] * 4);
    align_model_free(again);
    free(other);
    al_trainable_free(t);
    align_model_free(model);
}

static void test_gradients_by_name(void **state)
{
    (void)state;
    align_model *model = small_model(ALIGN_TOWER_BOTH);
    al_trainable *t = trainable_of(model);
    align_tensors *tensors;
    assert_int_equal(align_tensors_new(&tensors, NULL), ALIGN_OK);
    assert_int_equal(al_trainable_add_to(t, tensors, "grad.", t->gradient, false, NULL), ALIGN_OK);
    assert_string_equal(align_tensors_name(tensors, 0), "grad.temperature");
    assert_null(align_tensors_get(tensors, "grad.vision_model.embeddings.batchnorm.running_mean"));
    const align_tensor *bias = align_tensors_get(tensors, "grad.text_projection.bias");
    assert_ptr_equal(bias->data, t->gradients.text_projection.bias.data);
    const size_t parameters = align_tensors_count(tensors);
    assert_int_equal(al_trainable_add_to(t, tensors, "buffer.", NULL, true, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_count(tensors), t->n_entries);
    assert_true(align_tensors_count(tensors) > parameters);
    align_tensors_free(tensors);
    al_trainable_free(t);
    align_model_free(model);
}

static void test_packed(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model *model = small_model(ALIGN_TOWER_BOTH), *packed;
    al_trainable *t;
    assert_int_equal(align_model_save_packed(model, folder, &err), ALIGN_OK);
    packed = load(folder, ALIGN_TOWER_BOTH);
    assert_int_equal(al_trainable_new(&t, packed, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_null(t);
    assert_non_null(strstr(err.message, "training"));
    align_model_free(packed);
    align_model_free(model);
    empty_folder();
}

static void test_out_of_memory(void **state)
{
    (void)state;
    align_model *model = small_model(ALIGN_TOWER_BOTH), *again;
    al_trainable *t;
    align_status status;
    long n = 0;
    do {
        al_memory_fail_at(++n);
        status = al_trainable_new(&t, model, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || (status == ALIGN_ERROR_OUT_OF_MEMORY && t == NULL));
    } while (status != ALIGN_OK);
    n = 0;
    do {
        al_memory_fail_at(++n);
        status = al_trainable_to_model(&again, t, t->values, ALIGN_PRECISION_F32, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || (status == ALIGN_ERROR_OUT_OF_MEMORY && again == NULL));
    } while (status != ALIGN_OK);
    align_model_free(again);
    al_trainable_free(t);
    align_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),   cmocka_unit_test(test_freezing),
        cmocka_unit_test(test_to_model), cmocka_unit_test(test_gradients_by_name),
        cmocka_unit_test(test_packed),   cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
