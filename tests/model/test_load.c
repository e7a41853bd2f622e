/* test_load.c: models out of folders, configs and tensors, and what is said of those that do not fit. */
#include "load_test.h"

#include "checkpoint/json.h"

/* ---- ill-fitting checkpoints, against the reference's lists ---- */

/* A collection under other names: what an edit makes of a checkpoint. */
typedef struct checkpoint {
    size_t count;
    char names[200][100];
    align_tensor tensors[200];
} checkpoint;

static const float zeros[400];

static size_t find(const checkpoint *c, const char *name)
{
    size_t i = 0;
    while (i < c->count && strcmp(c->names[i], name) != 0)
        i++;
    return i;
}

static void set_name(checkpoint *c, size_t i, const char *name)
{
    snprintf(c->names[i], sizeof c->names[i], "%s", name);
}

static void put_zeros(checkpoint *c, const char *name, const json_t *shape)
{
    const size_t i = find(c, name);
    int64_t axes[ALIGN_MAX_RANK] = {0};
    if (i == c->count)
        set_name(c, c->count++, name);
    for (size_t a = 0; a < json_array_size(shape); a++)
        axes[a] = json_integer_value(json_array_get(shape, a));
    c->tensors[i] = align_tensor_view(ALIGN_F32, (int)json_array_size(shape), axes, zeros);
    assert_true(align_tensor_elements(&c->tensors[i]) <= 400);
}

static void edit(checkpoint *c, const json_t *command)
{
    const char *verb = json_string_value(json_array_get(command, 0));
    const char *name = json_string_value(json_array_get(command, 1));
    const size_t i = find(c, name);
    if (strcmp(verb, "drop") == 0) {
        assert_true(i < c->count);
        c->count--;
        memmove(c->names + i, c->names + i + 1, (c->count - i) * sizeof *c->names);
        memmove(c->tensors + i, c->tensors + i + 1, (c->count - i) * sizeof *c->tensors);
    } else if (strcmp(verb, "rename") == 0) {
        assert_true(i < c->count);
        set_name(c, i, json_string_value(json_array_get(command, 2)));
    } else if (strcmp(verb, "prefix") == 0) {
        for (size_t j = 0; j < c->count; j++) {
            char old[100];
            memcpy(old, c->names[j], sizeof old);
            assert_true(snprintf(c->names[j], sizeof c->names[j], "%s%s", name, old) < (int)sizeof c->names[j]);
        }
    } else
        put_zeros(c, name, json_array_get(command, 2));
}

/* Writes golden/models/<model> with the case's edits into the folder. */
static void write_edited(const json_t *entry)
{
    static checkpoint c;
    align_tensors *whole, *edited;
    json_t *command, *config;
    size_t i;
    char path[256];
    const char *model = json_string_value(json_object_get(entry, "model"));
    snprintf(path, sizeof path, GOLDEN "%s", model);
    assert_int_equal(align_tensors_open_pretrained(&whole, path, NULL, NULL), ALIGN_OK);
    c.count = align_tensors_count(whole);
    assert_true(c.count < 190);
    for (size_t j = 0; j < c.count; j++) {
        set_name(&c, j, align_tensors_name(whole, j));
        c.tensors[j] = *align_tensors_at(whole, j);
    }
    json_array_foreach(json_object_get(entry, "edits"), i, command) edit(&c, command);
    assert_int_equal(align_tensors_new(&edited, NULL), ALIGN_OK);
    for (size_t j = 0; j < c.count; j++)
        assert_int_equal(align_tensors_add_view(edited, c.names[j], &c.tensors[j], NULL), ALIGN_OK);
    assert_int_equal(align_tensors_save_pretrained(edited, folder, NULL, NULL), ALIGN_OK);
    align_tensors_free(edited);
    align_tensors_free(whole);
    snprintf(path, sizeof path, GOLDEN "%s/config.json", model);
    assert_int_equal(al_json_load(&config, path, NULL), ALIGN_OK);
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_int_equal(al_json_save(config, path, AL_JSON_PYTHON, NULL), ALIGN_OK);
    json_decref(config);
}

static void assert_list(const json_t *entry, const char *key, const char *const *names, size_t count)
{
    const json_t *expected = json_object_get(entry, key);
    const char *name = json_string_value(json_object_get(entry, "name"));
    for (size_t i = 0; i < count || i < json_array_size(expected); i++) {
        const char *wanted = json_string_value(json_array_get(expected, i));
        if (i >= count || !wanted || strcmp(names[i], wanted) != 0)
            fail_msg("%s: %s[%zu] is %s, expected %s", name, key, i, i < count ? names[i] : "absent",
                     wanted ? wanted : "nothing");
    }
}

static align_tower tower_of(const json_t *entry)
{
    const char class = json_string_value(json_object_get(entry, "class"))[0];
    return class == 't' ? ALIGN_TOWER_TEXT : class == 'v' ? ALIGN_TOWER_VISION : ALIGN_TOWER_BOTH;
}

static void test_reports(void **state)
{
    (void)state;
    json_t *cases, *entry, *line;
    size_t i, j;
    assert_int_equal(al_json_load(&cases, TEST_DATA "/model/load_reports.json", NULL), ALIGN_OK);
    assert_true(json_array_size(cases) > 10);
    json_array_foreach(cases, i, entry)
    {
        align_error err = ALIGN_ERROR_INIT;
        align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
        align_model *model;
        const char *name = json_string_value(json_object_get(entry, "name"));
        const json_t *message = json_object_get(entry, "message");
        options.tower = tower_of(entry);
        options.ignore_mismatched_sizes = json_is_true(json_object_get(entry, "ignore"));
        write_edited(entry);
        const align_status status = align_model_from_pretrained(&model, folder, &options, &err);
        if (json_array_size(message)) {
            assert_int_equal(status, ALIGN_ERROR_MISMATCH);
            assert_null(model);
            json_array_foreach(message, j, line) if (!strstr(err.message, json_string_value(line)))
                fail_msg("%s: %s\nlacks %s", name, err.message, json_string_value(line));
            continue;
        }
        if (status != ALIGN_OK)
            fail_msg("%s: %s", name, err.message);
        const align_load_report *report = align_model_report(model);
        assert_list(entry, "missing", report->missing, report->n_missing);
        assert_list(entry, "unexpected", report->unexpected, report->n_unexpected);
        assert_list(entry, "mismatched", report->mismatched, report->n_mismatched);
        align_model_free(model);
    }
    json_decref(cases);
    empty_folder();
}

/* An error has room for a kilobyte: what does not fit is counted. */
static void test_many_mismatches(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model *model = load(GOLDEN "act_relu", ALIGN_TOWER_BOTH), *other;
    align_config config;
    assert_int_equal(align_config_copy(&config, align_model_config(model), NULL), ALIGN_OK);
    config.text_config.hidden_size *= 2;
    assert_int_equal(align_model_from_tensors(&other, &config, align_model_state(model), NULL, &err),
                     ALIGN_ERROR_MISMATCH);
    assert_null(other);
    assert_non_null(strstr(err.message, "size mismatch for text_model.embeddings.word_embeddings.weight"));
    const char *more = strstr(err.message, "\n\tand ");
    assert_non_null(more);
    assert_true(atoi(more + 6) > 10);
    align_config_done(&config);
    align_model_free(model);
}

/* ---- what is made of missing tensors ---- */

static void test_missing_values(void **state)
{
    (void)state;
    align_model *from = load(GOLDEN "act_relu", ALIGN_TOWER_BOTH), *model;
    align_config config;
    align_tensors *empty;
    const size_t n = 48;
    assert_int_equal(align_config_copy(&config, align_model_config(from), NULL), ALIGN_OK);
    config.initializer_range = 100;
    config.temperature_init_value = 0.5;
    assert_int_equal(align_tensors_new(&empty, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_save_pretrained(empty, folder, NULL, NULL), ALIGN_OK);
    assert_int_equal(align_config_save_pretrained(&config, folder, NULL), ALIGN_OK);
    model = load(folder, ALIGN_TOWER_BOTH);
    assert_int_equal(align_model_report(model)->n_missing, align_tensors_count(align_model_state(from)));
    assert_true(align_model_temperature(model) == 0.5f);
    /* the reference draws what a full checkpoint lacks with the top level's range, whichever tower it is in */
    const align_tensor *words =
        align_tensors_get(align_model_state(model), "text_model.embeddings.word_embeddings.weight");
    assert_non_null(words);
    assert_true(fabsf(((const float *)words->data)[n]) > 1);
    align_model_free(model);
    /* a constructor draws with each tower's own */
    assert_int_equal(align_model_from_tensors(&model, &config, empty, NULL, NULL), ALIGN_OK);
    words = align_tensors_get(align_model_state(model), "text_model.embeddings.word_embeddings.weight");
    assert_true(fabsf(((const float *)words->data)[n]) < 1);
    align_model_free(model);
    align_tensors_free(empty);
    align_config_done(&config);
    align_model_free(from);
    empty_folder();
}

static void test_from_config(void **state)
{
    (void)state;
    align_model *golden = load(GOLDEN "act_relu", ALIGN_TOWER_BOTH), *a, *b, *c;
    const align_config *config = align_model_config(golden);
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    assert_int_equal(align_model_from_config(&a, config, NULL, NULL), ALIGN_OK);
    assert_int_equal(align_model_from_config(&b, config, &options, NULL), ALIGN_OK);
    options.seed = 1;
    assert_int_equal(align_model_from_config(&c, config, &options, NULL), ALIGN_OK);
    assert_same_state(align_model_state(a), align_model_state(b));
    float *x = floats_of(a, "text_projection.bias", 8), *y = floats_of(c, "text_projection.bias", 8);
    assert_memory_equal(x, y, 8 * sizeof *x); /* both zero */
    free(x);
    free(y);
    x = floats_of(a, "text_projection.weight", 64);
    y = floats_of(c, "text_projection.weight", 64);
    assert_memory_not_equal(x, y, 64 * sizeof *x);
    free(x);
    free(y);
    assert_nothing_reported(a);
    assert_int_equal(align_tensors_count(align_model_state(a)), align_tensors_count(align_model_state(golden)));
    align_model_free(a);
    align_model_free(b);
    align_model_free(c);
    align_model_free(golden);
    align_model_free(NULL);
}

/* ---- towers ---- */

static void test_towers(void **state)
{
    (void)state;
    static const align_tower towers[] = {ALIGN_TOWER_TEXT, ALIGN_TOWER_VISION};
    align_model *whole = load(GOLDEN "tiny", ALIGN_TOWER_BOTH);
    for (size_t i = 0; i < 2; i++) {
        align_model *tower = load(GOLDEN "tiny", towers[i]);
        const char *prefix = towers[i] == ALIGN_TOWER_TEXT ? "text_model." : "vision_model.";
        const align_tensors *all = align_model_state(whole), *part = align_model_state(tower);
        size_t found = 0;
        assert_nothing_reported(tower);
        assert_int_equal(align_model_tower(tower), towers[i]);
        for (size_t j = 0; j < align_tensors_count(all); j++) {
            const char *name = align_tensors_name(all, j);
            if (strncmp(name, prefix, strlen(prefix)) != 0)
                continue;
            assert_string_equal(align_tensors_name(part, found), name + strlen(prefix));
            const align_tensor *x = align_tensors_at(all, j), *y = align_tensors_at(part, found++);
            assert_memory_equal(x->data, y->data, (size_t)align_tensor_elements(x) * align_dtype_size(x->dtype));
        }
        assert_int_equal(found, align_tensors_count(part));
        align_model_free(tower);
    }
    align_model_free(whole);
}

static void test_no_pooler(void **state)
{
    (void)state;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model;
    options.tower = ALIGN_TOWER_TEXT;
    options.no_pooler = true;
    assert_int_equal(align_model_from_pretrained(&model, GOLDEN "tiny_text", &options, NULL), ALIGN_OK);
    const align_load_report *report = align_model_report(model);
    assert_int_equal(report->n_missing, 0);
    assert_int_equal(report->n_unexpected, 2);
    assert_string_equal(report->unexpected[0], "pooler.dense.bias");
    assert_null(align_tensors_get(align_model_state(model), "pooler.dense.bias"));
    align_model_free(model);
}

/* ---- dtypes ---- */

static align_status load_with(align_model **out, const align_model *from, const char *name, const align_tensor *tensor,
                              align_error *err)
{
    align_tensors *state;
    assert_int_equal(align_tensors_new(&state, NULL), ALIGN_OK);
    for (size_t i = 0; i < align_tensors_count(align_model_state(from)); i++)
        assert_int_equal(align_tensors_add_view(state, align_tensors_name(align_model_state(from), i),
                                                align_tensors_at(align_model_state(from), i), NULL),
                         ALIGN_OK);
    assert_int_equal(align_tensors_add_view(state, name, tensor, NULL), ALIGN_OK);
    const align_status status = align_model_from_tensors(out, align_model_config(from), state, NULL, err);
    align_tensors_free(state);
    return status;
}

static void test_dtypes(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model *from = load(GOLDEN "act_relu", ALIGN_TOWER_BOTH), *model;
    const int64_t whole[8] = {1, 2, 3, 4, 5, 6, 7, 8}, eight[1] = {8};
    const double doubles[8] = {1, 2, 3, 4, 5, 6, 7, 8.5};
    const int32_t count = 77;
    const float count_f32 = 78, bad_count = NAN;
    align_tensor bias = align_tensor_view(ALIGN_I64, 1, eight, whole);
    assert_int_equal(load_with(&model, from, "text_projection.bias", &bias, &err), ALIGN_ERROR_MISMATCH);
    assert_non_null(strstr(err.message, "text_projection.bias"));
    assert_non_null(strstr(err.message, "I64"));
    bias = align_tensor_view(ALIGN_F64, 1, eight, doubles);
    assert_int_equal(load_with(&model, from, "text_projection.bias", &bias, &err), ALIGN_OK);
    const align_tensor *kept = align_tensors_get(align_model_state(model), "text_projection.bias");
    assert_int_equal(kept->dtype, ALIGN_F32);
    assert_true(((const float *)kept->data)[7] == 8.5f);
    align_model_free(model);
    static const char batches[] = "vision_model.embeddings.batchnorm.num_batches_tracked";
    const struct {
        align_tensor tensor;
        int64_t value;
    } counts[] = {{align_tensor_view(ALIGN_I32, 0, NULL, &count), 77},
                  {align_tensor_view(ALIGN_F32, 0, NULL, &count_f32), 78},
                  {align_tensor_view(ALIGN_F32, 0, NULL, &bad_count), 0},
                  {align_tensor_view(ALIGN_I64, 0, NULL, &whole[4]), 5}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_int_equal(load_with(&model, from, batches, &counts[i].tensor, &err), ALIGN_OK);
        kept = align_tensors_get(align_model_state(model), batches);
        assert_int_equal(kept->dtype, ALIGN_I64);
        assert_int_equal(*(const int64_t *)kept->data, counts[i].value);
        align_model_free(model);
    }
    align_model_free(from);
}

/* f16 and bf16 stay what they are, in the state and in what is saved. */
static void test_halves_stay(void **state)
{
    (void)state;
    static const struct {
        const char *name, *dtype;
        align_dtype as;
    } halves[] = {{"f16", "\"float16\"", ALIGN_F16}, {"bf16", "\"bfloat16\"", ALIGN_BF16}};
    for (size_t i = 0; i < 2; i++) {
        char path[256], *text;
        size_t size;
        snprintf(path, sizeof path, GOLDEN "%s", halves[i].name);
        align_model *model = load(path, ALIGN_TOWER_BOTH), *again;
        const align_tensor *words = align_tensors_get(align_model_state(model), "text_projection.weight");
        assert_int_equal(words->dtype, halves[i].as);
        assert_int_equal(align_model_save_pretrained(model, folder, NULL, NULL), ALIGN_OK);
        again = load(folder, ALIGN_TOWER_BOTH);
        assert_same_state(align_model_state(model), align_model_state(again));
        align_model_free(again);
        snprintf(path, sizeof path, "%s/config.json", folder);
        assert_int_equal(al_file_read(&text, &size, path, 1 << 20, NULL), ALIGN_OK);
        assert_non_null(strstr(text, halves[i].dtype));
        al_free(text);
        align_model_free(model);
    }
    empty_folder();
}

/* ---- errors ---- */

static void test_errors(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model;
    align_config config;
    assert_int_equal(align_model_from_pretrained(&model, "/nonexistent", NULL, &err), ALIGN_ERROR_NOT_FOUND);
    assert_null(model);
    options.variant = "absent";
    assert_int_equal(align_model_from_pretrained(&model, GOLDEN "tiny", &options, &err), ALIGN_ERROR_NOT_FOUND);
    options.variant = NULL;
    options.tower = (align_tower)9;
    assert_int_equal(align_model_from_pretrained(&model, GOLDEN "tiny", &options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_from_pretrained(&model, NULL, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(align_model_from_pretrained(NULL, folder, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_from_config(&model, NULL, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_save_pretrained(NULL, folder, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_resize_token_embeddings(&model, NULL, 1, 0, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_model_prune_heads(&model, NULL, 0, NULL, 0, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    assert_int_equal(align_model_from_tensors(&model, &config, NULL, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    config.projection_dim = 3;
    assert_int_equal(align_model_from_config(&model, &config, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "projection_dim"));
    align_config_done(&config);
    model = load(GOLDEN "tiny_text", ALIGN_TOWER_TEXT);
    assert_int_equal(align_model_save_pretrained(model, NULL, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_not_equal(align_model_save_pretrained(model, "/proc/nonexistent/x", NULL, &err), ALIGN_OK);
    align_model_free(model);
}

/* ---- memory ---- */

static align_status load_edit_save(void)
{
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model = NULL, *resized = NULL, *pruned = NULL;
    const int64_t head = 0;
    options.ignore_mismatched_sizes = true;
    align_status status = align_model_from_pretrained(&model, folder, &options, NULL);
    if (status == ALIGN_OK)
        status = align_model_resize_token_embeddings(&resized, model, 20, 0, NULL);
    if (status == ALIGN_OK)
        status = align_model_prune_heads(&pruned, resized, 0, &head, 1, NULL);
    if (status == ALIGN_OK)
        status = align_model_save_pretrained(pruned, folder, NULL, NULL);
    align_model_free(model);
    align_model_free(resized);
    align_model_free(pruned);
    return status;
}

/* A checkpoint that lacks, renames and adds tensors, so that every list of the report is made. */
/* All but the towers: what is saved is the same, and nothing can be computed. */
static void test_state_only(void **state)
{
    (void)state;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *whole, *model;
    align_context *context;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_tensor features;
    align_error err = ALIGN_ERROR_INIT;
    options.state_only = true;
    assert_int_equal(align_model_from_pretrained(&whole, GOLDEN "tiny", NULL, NULL), ALIGN_OK);
    assert_int_equal(align_model_from_pretrained(&model, GOLDEN "tiny", &options, NULL), ALIGN_OK);
    const align_tensors *state_dict = align_model_state(model);
    assert_int_equal(align_tensors_count(state_dict), align_tensors_count(align_model_state(whole)));
    for (size_t i = 0; i < align_tensors_count(state_dict); i++) {
        const align_tensor *a = align_tensors_at(state_dict, i), *b = align_tensors_at(align_model_state(whole), i);
        assert_memory_equal(a->data, b->data, (size_t)align_tensor_elements(a) * align_dtype_size(a->dtype));
    }
    assert_true(align_model_temperature(model) == align_model_temperature(whole));
    assert_int_equal(align_context_new(&context, model, NULL, NULL), ALIGN_OK);
    assert_int_equal(align_model_get_text_features(context, &inputs, &features, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "for its state only"));
    assert_int_equal(align_model_save_packed(model, folder, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_int_equal(align_model_save_pretrained(model, folder, NULL, NULL), ALIGN_OK);
    empty_folder();
    align_context_free(context);
    align_model_free(model);
    align_model_free(whole);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    json_error_t error;
    align_status status;
    long n = 0;
    json_t *entry =
        json_loads("{\"model\": \"act_relu\", \"edits\": [[\"drop\", \"temperature\"], [\"add\", \"z\", [1]],"
                   " [\"reshape\", \"text_projection.bias\", [3]],"
                   " [\"rename\", \"text_model.embeddings.LayerNorm.weight\","
                   " \"text_model.embeddings.LayerNorm.gamma\"]]}",
                   0, &error);
    assert_non_null(entry);
    write_edited(entry);
    do {
        al_memory_fail_at(++n);
        status = load_edit_save();
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
    } while (status != ALIGN_OK);
    assert_true(n > 500);
    json_decref(entry);
    empty_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),        cmocka_unit_test(test_many_mismatches),
        cmocka_unit_test(test_missing_values), cmocka_unit_test(test_from_config),
        cmocka_unit_test(test_towers),         cmocka_unit_test(test_no_pooler),
        cmocka_unit_test(test_dtypes),         cmocka_unit_test(test_halves_stay),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_state_only),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
