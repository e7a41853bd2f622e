/*
 * image_config.c: EfficientNetImageProcessor's preprocessor_config.json, read in every form that transformers takes and
 * written as its save_pretrained does.
 */
#include "processor/image_config.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"

void align_image_processor_config_init(align_image_processor_config *config)
{
    *config = (align_image_processor_config){
        .do_resize = true,
        .size_height = 346,
        .size_width = 346,
        .resample = ALIGN_NEAREST,
        .crop_height = 289,
        .crop_width = 289,
        .do_rescale = true,
        .rescale_factor = 1.0 / 255.0,
        .do_normalize = true,
        .image_mean = {0.5, 0.5, 0.5},
        .image_std = {0.5, 0.5, 0.5},
        .include_top = true,
    };
}

/* ---- reading ---- */

/* null is Python's None, which is false. */
static align_status read_flag(const al_json_object *o, const char *key, bool *value, align_error *err)
{
    if (al_json_is_null(o, key)) {
        *value = false;
        return ALIGN_OK;
    }
    return al_json_bool(o, key, value, err);
}

static align_status wrong_size(const al_json_object *o, const char *key, const json_t *found, align_error *err)
{
    return al_json_wrong_type(o, key, "a whole number, [height, width] or {\"height\", \"width\"}", found, err);
}

/* 18, [18, 17] or {"height": 18, "width": 17}. */
static align_status read_size(const al_json_object *o, const char *key, int64_t *height, int64_t *width,
                              align_error *err)
{
    if (!al_json_has(o, key))
        return ALIGN_OK;
    const json_t *value = json_object_get(o->object, key), *h = value, *w = value;
    if (json_is_array(value) && json_array_size(value) == 2) {
        h = json_array_get(value, 0);
        w = json_array_get(value, 1);
    } else if (json_is_object(value)) {
        h = json_object_get(value, "height");
        w = json_object_get(value, "width");
        if (!h || !w || json_object_size(value) != 2)
            return al_error_set(err, ALIGN_ERROR_FORMAT,
                                "%s: key %s%s: the dictionary must contain the keys height and width and no others "
                                "(shortest_edge and longest_edge are not for this processor)",
                                o->file, o->path, key);
    }
    if (!json_is_integer(h) || !json_is_integer(w))
        return wrong_size(o, key, value, err);
    *height = json_integer_value(h);
    *width = json_integer_value(w);
    if (*height < 1 || *width < 1 || *height > INT32_MAX || *width > INT32_MAX)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: key %s%s: %" PRId64 " x %" PRId64 ": expected sizes from 1 to %" PRId32, o->file,
                            o->path, key, *height, *width, INT32_MAX);
    return ALIGN_OK;
}

static align_status read_resample(const al_json_object *o, align_resample *resample, align_error *err)
{
    align_status status = ALIGN_OK;
    int64_t value = *resample;
    if (al_json_is_null(o, "resample")) /* the reference refuses it even where nothing is resized */
        return al_json_wrong_type(o, "resample", "a filter from 0 to 5", json_object_get(o->object, "resample"), err);
    TRY(al_json_int64(o, "resample", &value, err));
    if (value < 0 || value > ALIGN_HAMMING)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: key %sresample: filter %" PRId64 ": expected one from 0 to %d", o->file,
             o->path, value, (int)ALIGN_HAMMING);
    *resample = (align_resample)value;
done:
    return status;
}

static align_status read_factor(const al_json_object *o, align_image_processor_config *config, align_error *err)
{
    const json_t *value = json_object_get(o->object, "rescale_factor");
    if (al_json_is_null(o, "rescale_factor") && !config->do_rescale)
        return ALIGN_OK;
    const align_status status = al_json_double(o, "rescale_factor", &config->rescale_factor, err);
    config->rescale_integer =
        json_is_integer(value) && config->rescale_factor >= 0.0 && config->rescale_factor <= 255.0;
    return status;
}

/* A number for all channels, or one a channel. */
static align_status read_triple(const al_json_object *o, const char *key, double triple[3], align_error *err)
{
    if (!al_json_has(o, key))
        return ALIGN_OK;
    const json_t *value = json_object_get(o->object, key);
    const bool is_list = json_is_array(value);
    if (is_list && json_array_size(value) != 3)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: expected a number or 3 numbers, found %zu", o->file,
                            o->path, key, json_array_size(value));
    for (size_t c = 0; c < 3; c++) {
        const json_t *number = is_list ? json_array_get(value, c) : value;
        if (!json_is_number(number))
            return al_json_wrong_type(o, key, "a number or 3 numbers", number, err);
        triple[c] = json_number_value(number);
    }
    return ALIGN_OK;
}

align_status al_image_config_read(align_image_processor_config *out, const json_t *root, const char *file,
                                  align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object o;
    align_image_processor_config config;
    align_image_processor_config_init(&config);
    TRY(al_json_root(&o, root, file, err));
    TRY(read_flag(&o, "do_resize", &config.do_resize, err));
    TRY(read_size(&o, "size", &config.size_height, &config.size_width, err));
    TRY(read_resample(&o, &config.resample, err));
    TRY(read_flag(&o, "do_center_crop", &config.do_center_crop, err));
    TRY(read_size(&o, "crop_size", &config.crop_height, &config.crop_width, err));
    TRY(read_flag(&o, "do_rescale", &config.do_rescale, err));
    TRY(read_factor(&o, &config, err));
    TRY(read_flag(&o, "rescale_offset", &config.rescale_offset, err));
    TRY(read_flag(&o, "do_normalize", &config.do_normalize, err));
    TRY(read_triple(&o, "image_mean", config.image_mean, err));
    TRY(read_triple(&o, "image_std", config.image_std, err));
    TRY(read_flag(&o, "include_top", &config.include_top, err));
    for (int c = 0; c < 3; c++)
        if (config.image_std[c] == 0.0 && (config.do_normalize || config.include_top))
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key image_std: 0 for channel %d: pictures would be divided by it", file,
                 c);
    *out = config;
done:
    return status;
}

align_status align_image_processor_config_from_pretrained(align_image_processor_config *out, const char *path,
                                                          align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *root = NULL;
    char *file = NULL;
    if (!out || !path)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "no path, or nowhere to put the config");
    file = al_is_folder(path) ? al_join_path(path, AL_IMAGE_CONFIG_FILE) : al_strdup(path);
    if (!file) {
        status = al_error_no_memory(err, 0);
        goto done;
    }
    TRY(al_json_load(&root, file, err));
    TRY(al_image_config_read(out, root, file, err));
done:
    json_decref(root);
    al_free(file);
    return status;
}

/* ---- writing ---- */

/*
 * The setters leave the value that is there when it says the same. They report success the way jansson does, as 0, so
 * that the caller can add the results up.
 */
static int set_flag(json_t *o, const char *key, bool value)
{
    if (!value && json_is_null(json_object_get(o, key)))
        return 0;
    return json_object_set_new(o, key, json_boolean(value));
}

static int set_size(json_t *o, const char *key, int64_t height, int64_t width)
{
    return json_object_set_new(o, key,
                               json_pack("{s:I,s:I}", "height", (json_int_t)height, "width", (json_int_t)width));
}

static int set_factor(json_t *o, const align_image_processor_config *config)
{
    const json_t *old = json_object_get(o, "rescale_factor");
    const double factor = config->rescale_factor;
    if (json_is_null(old) || (json_is_number(old) && json_number_value(old) == factor))
        return 0;
    return json_object_set_new(o, "rescale_factor",
                               config->rescale_integer ? json_integer((json_int_t)factor) : json_real(factor));
}

static bool says_triple(const json_t *value, const double triple[3])
{
    for (size_t c = 0; c < 3; c++) {
        const json_t *number = json_is_array(value) ? json_array_get(value, c) : value;
        if (!json_is_number(number) || json_number_value(number) != triple[c])
            return false;
    }
    return true;
}

static int set_triple(json_t *o, const char *key, const double triple[3])
{
    if (says_triple(json_object_get(o, key), triple))
        return 0;
    return json_object_set_new(o, key, json_pack("[f,f,f]", triple[0], triple[1], triple[2]));
}

static int set_all(json_t *o, const align_image_processor_config *config, const char *processor_class)
{
    int failed = set_flag(o, "do_resize", config->do_resize);
    failed |= set_size(o, "size", config->size_height, config->size_width);
    failed |= json_object_set_new(o, "resample", json_integer(config->resample));
    failed |= set_flag(o, "do_center_crop", config->do_center_crop);
    failed |= set_size(o, "crop_size", config->crop_height, config->crop_width);
    failed |= set_flag(o, "do_rescale", config->do_rescale);
    failed |= set_factor(o, config);
    failed |= set_flag(o, "rescale_offset", config->rescale_offset);
    failed |= set_flag(o, "do_normalize", config->do_normalize);
    failed |= set_triple(o, "image_mean", config->image_mean);
    failed |= set_triple(o, "image_std", config->image_std);
    failed |= set_flag(o, "include_top", config->include_top);
    failed |= json_object_set_new(o, "image_processor_type", json_string("EfficientNetImageProcessor"));
    if (processor_class)
        failed |= json_object_set_new(o, "processor_class", json_string(processor_class));
    return failed;
}

align_status al_image_config_write(const align_image_processor_config *config, const json_t *original,
                                   const char *processor_class, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *root = original ? json_deep_copy(original) : json_object();
    char *path = al_join_path(folder, AL_IMAGE_CONFIG_FILE);
    if (!root || !path || set_all(root, config, processor_class) != 0) {
        status = al_error_no_memory(err, 0);
        goto done;
    }
    TRY(al_make_folder(folder, err));
    TRY(al_json_save(root, path, AL_JSON_PYTHON, err));
done:
    json_decref(root);
    al_free(path);
    return status;
}

align_status align_image_processor_config_save_pretrained(const align_image_processor_config *config,
                                                          const char *folder, align_error *err)
{
    if (!config || !folder)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no config to save, or no folder to save it in");
    return al_image_config_write(config, NULL, NULL, folder, err);
}
