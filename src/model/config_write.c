/*
 * config_write.c: config structs to config.json, byte for byte as PretrainedConfig.to_json_string writes it.
 *
 * A config alone writes its own keys and those inherited ones that were changed; a config inside an AlignConfig writes
 * only what differs from its class's defaults, and its model_type. Keys are sorted; where the reference holds numbers
 * as keys (id2label), they sort as numbers.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/argument.h"
#include "model/config_fields.h"
#include "model/extra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRANSFORMERS_VERSION "4.37.2"

/* ---- fields ---- */

static align_status int_list_value(json_t **out, const align_int_list *list, align_error *err)
{
    *out = json_array();
    for (size_t i = 0; i < list->count; i++)
        if (json_array_append_new(*out, json_integer(list->data[i])) != 0) {
            json_decref(*out);
            *out = NULL;
            break;
        }
    return *out ? ALIGN_OK : al_extra_no_memory(err);
}

static align_status field_value(json_t **out, const al_field *field, const void *config, align_error *err)
{
    const void *at = (const char *)config + field->offset;
    switch (field->type) {
    case AL_FIELD_INT:
        *out = json_integer(*(const int64_t *)at);
        break;
    case AL_FIELD_DOUBLE:
        if (!isfinite(*(const double *)at))
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: expected a finite number, found %g", field->key,
                                *(const double *)at);
        *out = json_real(*(const double *)at);
        break;
    case AL_FIELD_BOOL:
        *out = json_boolean(*(const bool *)at);
        break;
    case AL_FIELD_NAME:
        *out = json_string(at);
        break;
    case AL_FIELD_INT_LIST:
        return int_list_value(out, at, err);
    case AL_FIELD_INT_OR_NULL: {
        const bool *has = (const bool *)(const void *)((const char *)config + field->has_offset);
        *out = *has ? json_integer(*(const int64_t *)at) : json_null();
        break;
    }
    }
    if (*out)
        return ALIGN_OK;
    return field->type == AL_FIELD_NAME
               ? al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: expected UTF-8", field->key)
               : al_extra_no_memory(err);
}

/* num_hidden_layers of a vision config: four times the repeats, whatever the depth makes of them. */
static align_status put_layer_count(json_t *object, const align_vision_config *config, align_error *err)
{
    uint64_t sum = 0; /* wraps instead of overflowing: the number means nothing */
    for (size_t i = 0; i < config->num_block_repeats.count; i++)
        sum += (uint64_t)config->num_block_repeats.data[i];
    return json_object_set_new(object, "num_hidden_layers", json_integer((int64_t)(sum * 4))) == 0
               ? ALIGN_OK
               : al_extra_no_memory(err);
}

/* to_dict() without the inherited keys that stand at their defaults. */
static align_status full_object(json_t **out, const al_config_class *class, const void *config,
                                const align_extra *extra, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = json_object();
    *out = NULL;
    if (!object || (extra && json_object_update(object, extra->object) != 0)) {
        status = al_extra_no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < class->n_fields; i++) {
        json_t *value = NULL;
        TRY(field_value(&value, &class->fields[i], config, err));
        if (json_object_set_new(object, class->fields[i].key, value) != 0) {
            status = al_extra_no_memory(err);
            goto done;
        }
    }
    if (class->has_layer_count)
        TRY(put_layer_count(object, config, err));
    *out = object;
    object = NULL;
done:
    json_decref(object);
    return status;
}

/* ---- differences ---- */

static bool python_number(const json_t *value, double *out)
{
    if (json_is_boolean(value))
        *out = json_is_true(value) ? 1 : 0;
    else if (json_is_number(value))
        *out = json_number_value(value);
    else
        return false;
    return true;
}

/* Python's ==: true is 1 is 1.0. */
static bool python_equal(const json_t *a, const json_t *b)
{
    double x, y;
    if (!a || !b)
        return false;
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    if (python_number(a, &x) && python_number(b, &y))
        return x == y;
    if (json_is_array(a) && json_is_array(b)) {
        bool equal = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; equal && i < json_array_size(a); i++)
            equal = python_equal(json_array_get(a, i), json_array_get(b, i));
        return equal;
    }
    if (json_is_object(a) && json_is_object(b)) {
        bool equal = json_object_size(a) == json_object_size(b);
        json_t *readable = (json_t *)(uintptr_t)a; /* jansson's iterators change nothing */
        for (void *i = json_object_iter(readable); equal && i; i = json_object_iter_next(readable, i))
            equal = python_equal(json_object_iter_value(i), json_object_get(b, json_object_iter_key(i)));
        return equal;
    }
    return json_equal(a, b);
}

/* defaults: those of the class, without the inherited keys; generic: those of the inherited keys. */
static bool is_default(const char *key, const json_t *value, const json_t *defaults, const json_t *generic, bool nested)
{
    const json_t *of_base = json_object_get(generic, key), *of_class = json_object_get(defaults, key);
    if (nested)
        return python_equal(value, of_class ? of_class : of_base);
    return python_equal(value, of_base) && (!of_class || python_equal(value, of_class));
}

static void drop_defaults(json_t *object, const json_t *defaults, const json_t *generic, bool nested)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value)
    {
        if (is_default(key, value, defaults, generic, nested))
            json_object_del(object, key);
    }
}

static align_status default_object(json_t **out, const al_config_class *class, align_error *err)
{
    align_config config = {0};
    align_status status = align_config_init(&config, err);
    if (status != ALIGN_OK)
        return status;
    const void *part = class == &al_text_config_class     ? (const void *)&config.text_config
                       : class == &al_vision_config_class ? (const void *)&config.vision_config
                                                          : (const void *)&config;
    status = full_object(out, class, part, NULL, err);
    align_config_done(&config);
    return status;
}

/* to_diff_dict() of one class; nested: its place inside an AlignConfig. */
static align_status diff_object(json_t **out, const al_config_class *class, const void *config,
                                const align_extra *extra, bool nested, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = NULL, *defaults = NULL, *generic = NULL;
    *out = NULL;
    TRY(full_object(&object, class, config, extra, err));
    TRY(default_object(&defaults, class, err));
    TRY(al_config_generic_defaults(&generic, err));
    drop_defaults(object, defaults, generic, nested);
    if (json_object_set_new(object, "model_type", json_string(class->model_type)) != 0 ||
        (!nested && json_object_set_new(object, "transformers_version", json_string(TRANSFORMERS_VERSION)) != 0)) {
        status = al_extra_no_memory(err);
        goto done;
    }
    *out = object;
    object = NULL;
done:
    json_decref(object);
    json_decref(defaults);
    json_decref(generic);
    return status;
}

/* ---- order ---- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_numbers(const void *a, const void *b)
{
    const long long x = strtoll(*(const char *const *)a, NULL, 10), y = strtoll(*(const char *const *)b, NULL, 10);
    return (x > y) - (x < y);
}

/* Keys that are numbers in the reference: read_extra made them so. */
static bool has_number_keys(const char *key, bool root)
{
    return strcmp(key, "id2label") == 0 || (root && strcmp(key, "pruned_heads") == 0);
}

static json_t *sorted_copy(const json_t *value, bool by_number, int depth);

static json_t *sorted_array(const json_t *array, int depth)
{
    json_t *copy = json_array();
    for (size_t i = 0; i < json_array_size(array); i++)
        if (json_array_append_new(copy, sorted_copy(json_array_get(array, i), false, depth)) != 0) {
            json_decref(copy);
            return NULL;
        }
    return copy;
}

/* A copy whose keys, at every level, were inserted in Python's order. NULL without memory. */
static json_t *sorted_copy(const json_t *value, bool by_number, int depth)
{
    if (json_is_array(value))
        return sorted_array(value, depth + 1);
    if (!json_is_object(value))
        return json_copy((json_t *)(uintptr_t)value);
    json_t *readable = (json_t *)(uintptr_t)value, *copy = json_object();
    size_t n = 0;
    const char **keys = al_calloc(json_object_size(value), sizeof *keys);
    bool whole = copy && keys;
    if (whole) {
        for (void *i = json_object_iter(readable); i; i = json_object_iter_next(readable, i))
            keys[n++] = json_object_iter_key(i);
        if (n)
            qsort(keys, n, sizeof *keys, by_number ? compare_numbers : compare_text);
    }
    for (size_t i = 0; whole && i < n; i++) {
        const bool numbers = depth <= 1 && has_number_keys(keys[i], depth == 0);
        whole =
            json_object_set_new(copy, keys[i], sorted_copy(json_object_get(value, keys[i]), numbers, depth + 1)) == 0;
    }
    al_free(keys);
    if (whole)
        return copy;
    json_decref(copy);
    return NULL;
}

static align_status to_text(char **json, const json_t *object, align_error *err)
{
    json_t *sorted = sorted_copy(object, false, 0);
    if (!sorted)
        return al_extra_no_memory(err);
    const align_status status = al_json_format(json, sorted, AL_JSON_KEEP_ORDER, err);
    json_decref(sorted);
    return status;
}

/* ---- the three classes ---- */

align_status align_text_config_to_json(const align_text_config *config, char **json, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = NULL;
    *json = NULL;
    TRY(diff_object(&object, &al_text_config_class, config, config->extra, false, err));
    TRY(to_text(json, object, err));
done:
    json_decref(object);
    return status;
}

align_status align_vision_config_to_json(const align_vision_config *config, char **json, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = NULL;
    *json = NULL;
    TRY(diff_object(&object, &al_vision_config_class, config, config->extra, false, err));
    TRY(to_text(json, object, err));
done:
    json_decref(object);
    return status;
}

align_status align_config_to_json(const align_config *config, char **json, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = NULL, *text = NULL, *vision = NULL;
    *json = NULL;
    TRY(diff_object(&object, &al_align_config_class, config, config->extra, false, err));
    TRY(diff_object(&text, &al_text_config_class, &config->text_config, config->text_config.extra, true, err));
    TRY(diff_object(&vision, &al_vision_config_class, &config->vision_config, config->vision_config.extra, true, err));
    if (json_object_set(object, "text_config", text) != 0 || json_object_set(object, "vision_config", vision) != 0) {
        status = al_extra_no_memory(err);
        goto done;
    }
    TRY(to_text(json, object, err));
done:
    json_decref(object);
    json_decref(text);
    json_decref(vision);
    return status;
}

/* Takes over json. */
static align_status save_text(char *json, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    char *path = NULL;
    TRY(al_need(folder, "folder", err));
    path = al_join_path(folder, "config.json");
    if (!path) {
        status = al_error_no_memory(err, strlen(folder));
        goto done;
    }
    TRY(al_make_folder(folder, err));
    TRY(al_file_write(path, json, strlen(json), err));
done:
    al_free(path);
    al_free(json);
    return status;
}

align_status align_text_config_save_pretrained(const align_text_config *config, const char *folder, align_error *err)
{
    char *json;
    const align_status status = align_text_config_to_json(config, &json, err);
    return status == ALIGN_OK ? save_text(json, folder, err) : status;
}

align_status align_vision_config_save_pretrained(const align_vision_config *config, const char *folder,
                                                 align_error *err)
{
    char *json;
    const align_status status = align_vision_config_to_json(config, &json, err);
    return status == ALIGN_OK ? save_text(json, folder, err) : status;
}

align_status align_config_save_pretrained(const align_config *config, const char *folder, align_error *err)
{
    char *json;
    const align_status status = align_config_to_json(config, &json, err);
    return status == ALIGN_OK ? save_text(json, folder, err) : status;
}
