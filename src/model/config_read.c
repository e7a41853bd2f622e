/*
 * config_read.c: config.json to config structs, as PretrainedConfig.from_dict and the three classes' constructors read
 * it.
 *
 * Fields are taken by the tables of config_fields.c; every other key goes to `extra` as it stands, except what the
 * reference itself rewrites: num_labels becomes labels, the numbers of id2label lose their spelling, name_or_path gets
 * its underscore. A whole number written as a real (6.0) is a whole number.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/argument.h"
#include "model/config_fields.h"
#include "model/extra.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LABELS 1000000

/* ---- fields ---- */

static bool whole_number(const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    const double x = json_is_real(value) ? json_real_value(value) : NAN;
    if (!(fabs(x) < 0x1p63) || x != floor(x))
        return false;
    *out = (int64_t)x;
    return true;
}

static align_status read_int(const al_json_object *from, const char *key, int64_t *out, align_error *err)
{
    const json_t *value = json_object_get(from->object, key);
    return whole_number(value, out) ? ALIGN_OK : al_json_wrong_type(from, key, "a whole number", value, err);
}

static align_status read_name(const al_json_object *from, const char *key, char *out, align_error *err)
{
    const char *text = "";
    align_status status = al_json_string(from, key, &text, err);
    if (status != ALIGN_OK)
        return status;
    const size_t size = strlen(text) + 1;
    if (size > ALIGN_NAME_SIZE)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: expected fewer than %d bytes, found %zu",
                            from->file, from->path, key, ALIGN_NAME_SIZE, size - 1);
    memset(out, 0, ALIGN_NAME_SIZE);
    memcpy(out, text, size);
    return ALIGN_OK;
}

static align_status read_int_list(const al_json_object *from, const char *key, align_int_list *out, align_error *err)
{
    align_status status = ALIGN_OK;
    const json_t *array = NULL;
    int64_t *values = NULL;
    TRY(al_json_array(from, key, &array, err));
    const size_t count = json_array_size(array);
    values = al_calloc(count, sizeof *values);
    if (!values) {
        status = al_error_no_memory(err, count * sizeof *values);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        if (!whole_number(value, &values[i])) {
            status = al_json_wrong_type(from, key, "a list of whole numbers", value, err);
            goto done;
        }
    }
    TRY(align_int_list_set(out, values, count, err));
done:
    al_free(values);
    return status;
}

static align_status read_field(const al_json_object *from, const al_field *field, void *config, align_error *err)
{
    void *at = (char *)config + field->offset;
    if (!json_object_get(from->object, field->key))
        return ALIGN_OK;
    switch (field->type) {
    case AL_FIELD_INT:
        return read_int(from, field->key, at, err);
    case AL_FIELD_DOUBLE:
        return al_json_double(from, field->key, at, err);
    case AL_FIELD_BOOL:
        return al_json_bool(from, field->key, at, err);
    case AL_FIELD_NAME:
        return read_name(from, field->key, at, err);
    case AL_FIELD_INT_LIST:
        return read_int_list(from, field->key, at, err);
    case AL_FIELD_INT_OR_NULL: {
        bool *has = (bool *)(void *)((char *)config + field->has_offset);
        *has = !al_json_is_null(from, field->key);
        return *has ? read_int(from, field->key, at, err) : ALIGN_OK;
    }
    }
    return ALIGN_OK;
}

/* ---- other keys ---- */

/* Replaces an object {"03": x} of extra by {"3": x}, as int(key) does. */
static align_status number_keys(const al_json_object *from, const char *key, align_extra *extra, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = json_object_get(extra->object, key), *numbered = NULL;
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return object ? al_json_wrong_type(from, key, "an object", object, err) : ALIGN_OK;
    numbered = json_object();
    json_object_foreach(object, name, value)
    {
        char *end, number[32];
        errno = 0;
        const long long n = strtoll(name, &end, 10);
        if (end == name || *end || errno)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: expected whole numbers as keys, found \"%s\"", from->file,
                 from->path, key, name);
        snprintf(number, sizeof number, "%lld", n);
        if (json_object_set(numbered, number, value) != 0) {
            status = al_extra_no_memory(err);
            goto done;
        }
    }
    TRY(al_extra_set(&extra, key, json_incref(numbered), err));
done:
    json_decref(numbered);
    return status;
}

/* num_labels, id2label and label2id: labels given win over a number, a number over names without labels. */
static align_status settle_labels(const al_json_object *from, align_extra *extra, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *id2label = NULL, *label2id = NULL;
    int64_t count = 2;
    const bool has_labels = al_json_has(from, "id2label");
    const json_t *names = json_object_get(from->object, "label2id");
    if (names && !json_is_null(names) && !json_is_object(names))
        return al_json_wrong_type(from, "label2id", "an object", names, err);
    if (has_labels) {
        TRY(number_keys(from, "id2label", extra, err));
        if (!names)
            TRY(al_extra_set(&extra, "label2id", json_null(), err));
    } else {
        if (json_object_get(from->object, "num_labels"))
            TRY(read_int(from, "num_labels", &count, err));
        if (count > MAX_LABELS)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %snum_labels: expected at most %d, found %" PRId64, from->file,
                 from->path, MAX_LABELS, count);
        TRY(al_config_default_labels(&id2label, &label2id, count, err));
        TRY(al_extra_set(&extra, "id2label", json_incref(id2label), err));
        TRY(al_extra_set(&extra, "label2id", json_incref(label2id), err));
    }
done:
    json_decref(id2label);
    json_decref(label2id);
    return status;
}

static align_status check_generic(const al_json_object *from, align_error *err)
{
    static const char *const problems[] = {"regression", "single_label_classification", "multi_label_classification"};
    const json_t *dtype = json_object_get(from->object, "torch_dtype");
    if (dtype && !json_is_null(dtype) && !json_is_string(dtype))
        return al_json_wrong_type(from, "torch_dtype", "a string", dtype, err);
    if (!al_json_has(from, "problem_type"))
        return ALIGN_OK;
    const char *problem = "";
    const align_status status = al_json_string(from, "problem_type", &problem, err);
    if (status != ALIGN_OK)
        return status;
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
        if (strcmp(problem, problems[i]) == 0)
            return ALIGN_OK;
    return al_error_set(err, ALIGN_ERROR_FORMAT,
                        "%s: key %sproblem_type: expected regression, single_label_classification or "
                        "multi_label_classification, found \"%s\"",
                        from->file, from->path, problem);
}

static bool is_extra(const al_config_class *class, const char *key)
{
    if (al_config_find_field(class, key) || al_config_is_transient(key) || strcmp(key, "num_labels") == 0)
        return false;
    if (class->has_layer_count && strcmp(key, "num_hidden_layers") == 0)
        return false;
    return class->nested_key || (strcmp(key, "text_config") != 0 && strcmp(key, "vision_config") != 0);
}

static align_status read_extra(const al_json_object *from, const al_config_class *class, bool root, align_extra **extra,
                               align_error *err)
{
    align_status status = ALIGN_OK;
    const char *key;
    json_t *value;
    json_t *object = (json_t *)(uintptr_t)from->object; /* jansson's iterators change nothing */
    TRY(check_generic(from, err));
    TRY(al_extra_new(extra, json_object(), err));
    json_object_foreach(object, key, value)
    {
        if (!is_extra(class, key))
            continue;
        const char *kept = strcmp(key, "name_or_path") == 0 ? "_name_or_path" : key;
        TRY(al_extra_set(extra, kept, json_deep_copy(value), err));
    }
    TRY(settle_labels(from, *extra, err));
    if (root && al_extra_get(*extra, "pruned_heads"))
        TRY(number_keys(from, "pruned_heads", *extra, err)); /* nested ones keep their spelling in the reference */
done:
    return status;
}

/* ---- the three classes ---- */

/* config holds the class's defaults already. */
static align_status read_class(const al_json_object *from, const al_config_class *class, bool root, void *config,
                               align_extra **extra, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < class->n_fields; i++)
        TRY(read_field(from, &class->fields[i], config, err));
    TRY(read_extra(from, class, root, extra, err));
done:
    return status;
}

/* The object that describes a tower: the nested one where a full AlignConfig has it. False: all defaults. */
static align_status find_tower(al_json_object *tower, bool *found, const al_json_object *root,
                               const al_config_class *class, align_error *err)
{
    const json_t *type = json_object_get(root->object, "model_type");
    *tower = *root;
    *found = true;
    if (!json_is_string(type) || strcmp(json_string_value(type), al_align_config_class.model_type) != 0)
        return ALIGN_OK;
    *found = al_json_has(root, class->nested_key);
    return *found ? al_json_child(root, class->nested_key, tower, err) : ALIGN_OK;
}

static align_status read_text(align_text_config *out, const al_json_object *from, bool root, align_error *err)
{
    return read_class(from, &al_text_config_class, root, out, &out->extra, err);
}

static align_status read_vision(align_vision_config *out, const al_json_object *from, bool root, align_error *err)
{
    return read_class(from, &al_vision_config_class, root, out, &out->extra, err);
}

static align_status read_text_root(void *config, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    align_text_config *out = config;
    al_json_object tower;
    bool found;
    TRY(find_tower(&tower, &found, root, &al_text_config_class, err));
    TRY(align_text_config_init(out, err));
    if (found)
        TRY(read_text(out, &tower, true, err));
done:
    if (status != ALIGN_OK)
        align_text_config_done(out);
    return status;
}

static align_status read_vision_root(void *config, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    align_vision_config *out = config;
    al_json_object tower;
    bool found;
    TRY(find_tower(&tower, &found, root, &al_vision_config_class, err));
    TRY(align_vision_config_init(out, err));
    if (found)
        TRY(read_vision(out, &tower, true, err));
done:
    if (status != ALIGN_OK)
        align_vision_config_done(out);
    return status;
}

static align_status read_align_root(void *config, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    align_config *out = config;
    al_json_object tower;
    TRY(align_config_init(out, err));
    TRY(read_class(root, &al_align_config_class, true, out, &out->extra, err));
    if (al_json_has(root, "text_config")) {
        TRY(al_json_child(root, "text_config", &tower, err));
        TRY(read_text(&out->text_config, &tower, false, err));
    }
    if (al_json_has(root, "vision_config")) {
        TRY(al_json_child(root, "vision_config", &tower, err));
        TRY(read_vision(&out->vision_config, &tower, false, err));
    }
done:
    if (status != ALIGN_OK)
        align_config_done(out);
    return status;
}

/* ---- from text and files ---- */

typedef align_status (*root_reader)(void *config, const al_json_object *root, align_error *err);

static align_status read_json(void *config, root_reader reader, const char *json, size_t length, align_error *err)
{
    static const char source[] = "config";
    align_status status = ALIGN_OK;
    json_t *tree = NULL;
    al_json_object root;
    TRY(al_need(json, "JSON text", err));
    TRY(al_json_parse(&tree, json, length, source, err));
    TRY(al_json_root(&root, tree, source, err));
    TRY(reader(config, &root, err));
done:
    json_decref(tree);
    return status;
}

static align_status read_file(void *config, root_reader reader, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *tree = NULL;
    al_json_object root;
    char *file = NULL;
    TRY(al_need(path, "path", err));
    file = al_is_folder(path) ? al_join_path(path, "config.json") : al_strdup(path);
    if (!file) {
        status = al_error_no_memory(err, strlen(path));
        goto done;
    }
    TRY(al_json_load(&tree, file, err));
    TRY(al_json_root(&root, tree, file, err));
    TRY(reader(config, &root, err));
done:
    json_decref(tree);
    al_free(file);
    return status;
}

align_status align_text_config_from_pretrained(align_text_config *out, const char *path, align_error *err)
{
    *out = (align_text_config){0};
    return read_file(out, read_text_root, path, err);
}

align_status align_vision_config_from_pretrained(align_vision_config *out, const char *path, align_error *err)
{
    *out = (align_vision_config){0};
    return read_file(out, read_vision_root, path, err);
}

align_status align_config_from_pretrained(align_config *out, const char *path, align_error *err)
{
    *out = (align_config){0};
    return read_file(out, read_align_root, path, err);
}

align_status align_text_config_from_json(align_text_config *out, const char *json, size_t length, align_error *err)
{
    *out = (align_text_config){0};
    return read_json(out, read_text_root, json, length, err);
}

align_status align_vision_config_from_json(align_vision_config *out, const char *json, size_t length, align_error *err)
{
    *out = (align_vision_config){0};
    return read_json(out, read_vision_root, json, length, err);
}

align_status align_config_from_json(align_config *out, const char *json, size_t length, align_error *err)
{
    *out = (align_config){0};
    return read_json(out, read_align_root, json, length, err);
}
