/* test_edit.c: models back into folders; resizing, pruning; parameters and multiply-adds. */
#include "load_test.h"

/* ---- saving ---- */

static void assert_same_file(const char *a, const char *b)
{
    char *x, *y;
    size_t n, m;
    assert_int_equal(al_file_read(&x, &n, a, 1 << 24, NULL), ALIGN_OK);
    assert_int_equal(al_file_read(&y, &m, b, 1 << 24, NULL), ALIGN_OK);
    if (n != m || memcmp(x, y, n) != 0)
        fail_msg("%s is not %s:\n%.2000s", a, b, x);
    al_free(x);
    al_free(y);
}

/* What the reference saved, loaded and saved again, is the same bytes. */
static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        align_tower tower;
    } models[] = {{"tiny", ALIGN_TOWER_BOTH},          {"tiny_text", ALIGN_TOWER_TEXT},
                  {"tiny_vision", ALIGN_TOWER_VISION}, {"decoder_cross", ALIGN_TOWER_BOTH},
                  {"relative_key", ALIGN_TOWER_BOTH},  {"no_text_layers", ALIGN_TOWER_BOTH}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char golden[256], saved[256];
        snprintf(golden, sizeof golden, GOLDEN "%s", models[i].name);
        align_model *model = load(golden, models[i].tower);
        assert_nothing_reported(model);
        assert_int_equal(align_model_save_pretrained(model, folder, NULL, NULL), ALIGN_OK);
        align_model_free(model);
        snprintf(golden, sizeof golden, GOLDEN "%s/config.json", models[i].name);
        snprintf(saved, sizeof saved, "%s/config.json", folder);
        assert_same_file(saved, golden);
        snprintf(golden, sizeof golden, GOLDEN "%s/model.safetensors", models[i].name);
        snprintf(saved, sizeof saved, "%s/model.safetensors", folder);
        assert_same_file(saved, golden);
    }
    empty_folder();
}

static void test_save_cast(void **state)
{
    (void)state;
    align_save_options options = ALIGN_SAVE_OPTIONS_INIT;
    align_model *model = load(GOLDEN "tiny_text", ALIGN_TOWER_TEXT), *again;
    char path[256], *text;
    size_t size;
    options.cast = true;
    options.dtype = ALIGN_F16;
    assert_int_equal(align_model_save_pretrained(model, folder, &options, NULL), ALIGN_OK);
    again = load(folder, ALIGN_TOWER_TEXT);
    assert_int_equal(align_tensors_at(align_model_state(again), 0)->dtype, ALIGN_F16);
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_int_equal(al_file_read(&text, &size, path, 1 << 20, NULL), ALIGN_OK);
    assert_non_null(strstr(text, "\"torch_dtype\": \"float16\""));
    assert_non_null(strstr(text, "\"AlignTextModel\""));
    al_free(text);
    align_model_free(again);
    align_model_free(model);
    empty_folder();
}

/* ---- resizing ---- */

static void check_resized(const align_model *model, const char *name, int64_t rows)
{
    align_model *resized, *again;
    const align_tensor *old = align_tensors_get(align_model_state(model), name), *new;
    assert_int_equal(align_model_resize_token_embeddings(&resized, model, rows, 5, NULL), ALIGN_OK);
    assert_int_equal(align_model_config(resized)->text_config.vocab_size, rows);
    new = align_tensors_get(align_model_state(resized), name);
    assert_int_equal(new->shape[0], rows);
    assert_int_equal(new->dtype, old->dtype);
    const int64_t kept = rows < old->shape[0] ? rows : old->shape[0];
    const size_t row = (size_t)old->shape[1] * align_dtype_size(old->dtype);
    assert_memory_equal(new->data, old->data, (size_t)kept * row);
    if (rows > kept) { /* drawn, not left at zero */
        float *values = malloc((size_t)align_tensor_elements(new) * sizeof *values);
        assert_non_null(values);
        align_tensor_to_f32(new, values);
        const size_t last = (size_t)align_tensor_elements(new) - 1;
        assert_true(values[last] != 0 && fabsf(values[last]) < 0.2f);
        free(values);
    }
    assert_int_equal(align_tensors_count(align_model_state(resized)), align_tensors_count(align_model_state(model)));
    assert_int_equal(align_model_save_pretrained(resized, folder, NULL, NULL), ALIGN_OK);
    again = load(folder, align_model_tower(model));
    assert_same_state(align_model_state(resized), align_model_state(again));
    align_model_free(again);
    align_model_free(resized);
}

static void test_resize(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model *both = load(GOLDEN "act_relu", ALIGN_TOWER_BOTH), *text = load(GOLDEN "tiny_text", ALIGN_TOWER_TEXT),
                *half = load(GOLDEN "f16", ALIGN_TOWER_BOTH), *vision = load(GOLDEN "tiny_vision", ALIGN_TOWER_VISION),
                *out;
    const int64_t rows[] = {1, 7, 16, 40};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_resized(both, "text_model.embeddings.word_embeddings.weight", rows[i]);
        check_resized(half, "text_model.embeddings.word_embeddings.weight", rows[i]);
        check_resized(text, "embeddings.word_embeddings.weight", rows[i]);
    }
    assert_int_equal(align_model_resize_token_embeddings(&out, both, 0, 0, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_resize_token_embeddings(&out, both, INT64_MAX, 0, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_resize_token_embeddings(&out, vision, 9, 0, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_null(out);
    align_model_free(both);
    align_model_free(text);
    align_model_free(half);
    align_model_free(vision);
    empty_folder();
}

/* ---- pruning ---- */

/* The reference's prune_linear_layer, one element at a time: the columns or rows of the heads that stay. */
static void check_pruned(const align_model *model, const align_model *pruned, const char *key, int axis,
                         const bool *keep, int64_t head_size)
{
    const align_tensor *old = align_tensors_get(align_model_state(model), key),
                       *new = align_tensors_get(align_model_state(pruned), key);
    int64_t next = 0;
    const int64_t columns = old->rank == 2 ? old->shape[1] : 1;
    for (int64_t r = 0; r < old->shape[0]; r++)
        for (int64_t c = 0; c < columns; c++)
            if (keep[(axis == 0 ? r : c) / head_size])
                assert_true(((const float *)new->data)[next++] == ((const float *)old->data)[r * columns + c]);
    assert_int_equal(next, align_tensor_elements(new));
}

#define LAYER "text_model.encoder.layer.1."

static void check_layer(const align_model *model, const align_model *pruned, const bool *keep, int64_t head_size)
{
    static const char *const rows[] = {"query.weight", "query.bias",   "key.weight",
                                       "key.bias",     "value.weight", "value.bias"};
    char key[128];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(key, sizeof key, LAYER "attention.self.%s", rows[i]);
        check_pruned(model, pruned, key, 0, keep, head_size);
    }
    check_pruned(model, pruned, LAYER "attention.output.dense.weight", 1, keep, head_size);
}

static void test_prune(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model *model = load(GOLDEN "tiny", ALIGN_TOWER_BOTH), *once, *twice, *again;
    const align_text_config *config = &align_model_config(model)->text_config;
    assert_int_equal(config->num_attention_heads, 4);
    const int64_t head_size = config->hidden_size / 4, first[] = {1, 1}, second[] = {3, 1}, rest[] = {0, 2},
                  bad[] = {4};
    assert_int_equal(align_model_prune_heads(&once, model, 1, first, 2, &err), ALIGN_OK);
    check_layer(model, once, (const bool[]){true, false, true, true}, head_size);
    assert_int_equal(align_model_prune_heads(&twice, once, 1, second, 2, &err), ALIGN_OK); /* 1 is gone already */
    check_layer(model, twice, (const bool[]){true, false, true, false}, head_size);
    assert_int_equal(align_model_prune_heads(&again, twice, 1, rest, 2, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "no head"));
    assert_int_equal(align_model_prune_heads(&again, twice, 1, bad, 1, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_prune_heads(&again, twice, 9, rest, 1, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_prune_heads(&again, twice, -1, rest, 1, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_prune_heads(&again, twice, 1, NULL, 0, &err), ALIGN_OK);
    assert_same_state(align_model_state(twice), align_model_state(again));
    align_model_free(again);
    assert_int_equal(twice->params.text.layers[0].heads, 4);
    assert_int_equal(twice->params.text.layers[1].heads, 2);
    assert_int_equal(align_model_save_pretrained(twice, folder, NULL, &err), ALIGN_OK);
    again = load(folder, ALIGN_TOWER_BOTH);
    assert_nothing_reported(again);
    assert_same_state(align_model_state(twice), align_model_state(again));
    align_model_free(again);
    align_model *vision = load(GOLDEN "tiny_vision", ALIGN_TOWER_VISION);
    assert_int_equal(align_model_prune_heads(&again, vision, 0, rest, 1, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    align_model_free(vision);
    align_model_free(once);
    align_model_free(twice);
    align_model_free(model);
    empty_folder();
}

/* ---- figures ---- */

static void test_stats(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model_stats stats;
    align_model *model = load(GOLDEN "act_relu", ALIGN_TOWER_BOTH);
    assert_int_equal(align_model_get_stats(model, 24, 5, &stats, &err), ALIGN_OK);
    const align_config *c = align_model_config(model);
    const int64_t H = c->text_config.hidden_size, I = c->text_config.intermediate_size, P = c->projection_dim,
                  L = c->text_config.num_hidden_layers;
    assert_int_equal(stats.parameters, stats.text_parameters + stats.vision_parameters + P * H + P + 1);
    assert_int_equal(stats.text_macs, L * (4 * 5 * H * H + 2 * 25 * H + 2 * 5 * H * I) + H * H + P * H);
    assert_true(stats.stored_bytes > 4 * stats.parameters);
    assert_true(stats.image_macs > 0);
    assert_int_equal(align_model_get_stats(model, 24, 1000, &stats, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_get_stats(model, 24, 0, &stats, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_get_stats(model, 1, 5, &stats, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_get_stats(model, INT64_MAX, 5, &stats, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    align_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_save_cast), cmocka_unit_test(test_resize),
        cmocka_unit_test(test_prune),      cmocka_unit_test(test_stats),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
