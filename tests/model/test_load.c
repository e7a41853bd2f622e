/* test_load.c: models out of folders, configs and tensors, and back into folders; resizing and pruning. */
#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/json.h"
#include "model/model.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN TEST_DATA "/models/"

/* ---- helpers ---- */

static char folder[] = "/tmp/align-load-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char *path = al_join_path(folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
        al_free(path);
    }
    closedir(dir);
}

static int remove_folder(void **state)
{
    (void)state;
    empty_folder();
    return rmdir(folder);
}

static align_model *load(const char *path, align_tower tower)
{
    align_error err = ALIGN_ERROR_INIT;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model = NULL;
    options.tower = tower;
    if (align_model_from_pretrained(&model, path, &options, &err) != ALIGN_OK)
        fail_msg("%s: %s", path, err.message);
    return model;
}

/* Same names, dtypes, shapes and bytes, in the same order. */
static void assert_same_state(const align_tensors *a, const align_tensors *b)
{
    assert_int_equal(align_tensors_count(a), align_tensors_count(b));
    for (size_t i = 0; i < align_tensors_count(a); i++) {
        const align_tensor *x = align_tensors_at(a, i), *y = align_tensors_at(b, i);
        assert_string_equal(align_tensors_name(a, i), align_tensors_name(b, i));
        assert_int_equal(x->dtype, y->dtype);
        assert_int_equal(x->rank, y->rank);
        assert_memory_equal(x->shape, y->shape, sizeof x->shape);
        assert_memory_equal(x->data, y->data, (size_t)align_tensor_elements(x) * align_dtype_size(x->dtype));
    }
}

static float *floats_of(const align_model *model, const char *name, size_t count)
{
    const align_tensor *tensor = align_tensors_get(align_model_state(model), name);
    assert_non_null(tensor);
    assert_int_equal(align_tensor_elements(tensor), count);
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    align_tensor_to_f32(tensor, values);
    return values;
}

static void assert_nothing_reported(const align_model *model)
{
    const align_load_report *report = align_model_report(model);
    assert_int_equal(report->n_missing + report->n_unexpected + report->n_mismatched, 0);
}

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
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_save_cast),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_resize),
        cmocka_unit_test(test_prune),          cmocka_unit_test(test_stats),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
