/*
 * pretrained.c: the weights of a Hugging Face folder: which file they are in, one file or shards with an index, read
 * and written.
 *
 *     model.safetensors            model.safetensors.index.json    + model-00001-of-00002.safetensors ...
 *     pytorch_model.bin            pytorch_model.bin.index.json    + pytorch_model-00001-of-00002.bin ...
 *
 * With a variant v: model.v.safetensors, model.safetensors.index.v.json, model.v-00001-of-00002.safetensors.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tensors.h"
#include "checkpoint/torch_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The two forms, in the order in which they are looked for. */
static const struct {
    const char *stem, *extension;
} forms[] = {{"model", "safetensors"}, {"pytorch_model", "bin"}};

enum { SAFETENSORS, TORCH, FORM_COUNT };

/* "model[.v].safetensors"; NULL without memory, as the next two. */
static char *file_name(int form, const char *variant)
{
    return al_format("%s%s%s.%s", forms[form].stem, variant ? "." : "", variant ? variant : "", forms[form].extension);
}

static char *index_name(int form, const char *variant)
{
    return al_format("%s.%s.index.%s%sjson", forms[form].stem, forms[form].extension, variant ? variant : "",
                     variant ? "." : "");
}

static char *shard_name(int form, const char *variant, size_t number, size_t count)
{
    return al_format("%s%s%s-%05zu-of-%05zu.%s", forms[form].stem, variant ? "." : "", variant ? variant : "", number,
                     count, forms[form].extension);
}

/* Takes name: "folder/name", both NULL without memory. */
static char *in_folder(const char *folder, char *name)
{
    char *path = name ? al_join_path(folder, name) : NULL;
    al_free(name);
    return path;
}

static align_status check_variant(const char *variant, align_error *err)
{
    if (variant && (!*variant || strchr(variant, '/')))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "variant \"%s\": expected a part of a file name",
                            variant);
    return ALIGN_OK;
}

/* ---- opening ---- */

/* An index may name files of its own folder only. */
static align_status load_shard(align_tensors *tensors, const char *folder, const char *index, const char *shard,
                               align_error *err)
{
    if (!*shard || strchr(shard, '/') || strcmp(shard, ".") == 0 || strcmp(shard, "..") == 0)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: \"%s\" is not the name of a file beside it", index, shard);
    char *path = al_join_path(folder, shard);
    if (!path)
        return al_error_no_memory(err, strlen(folder) + strlen(shard));
    const align_status status = al_is_file(path)
                                    ? al_tensors_load_file(tensors, path, err)
                                    : al_error_set(err, ALIGN_ERROR_NOT_FOUND, "%s: shard %s is missing", index, path);
    al_free(path);
    return status;
}

static align_status load_shards(align_tensors *tensors, const char *folder, const char *index, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *tree = NULL, *loaded = json_object();
    al_json_object root, map = {0};
    TRY(al_json_load(&tree, index, err));
    TRY(al_json_root(&root, tree, index, err));
    TRY(al_json_child(&root, "weight_map", &map, err));
    if (!map.object)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key weight_map is missing", index);
    json_t *entries = json_object_get(tree, "weight_map");
    for (void *i = json_object_iter(entries); i; i = json_object_iter_next(entries, i)) {
        const char *name = json_object_iter_key(i), *shard = NULL;
        TRY(al_json_string(&map, name, &shard, err));
        if (json_object_get(loaded, shard))
            continue;
        TRY(load_shard(tensors, folder, index, shard, err));
        if (json_object_set_new(loaded, shard, json_true()) != 0) {
            status = al_error_no_memory(err, strlen(shard));
            goto done;
        }
    }
    /* What the index promises must be there; what it does not mention may be. */
    for (void *i = json_object_iter(entries); i; i = json_object_iter_next(entries, i))
        if (!align_tensors_get(tensors, json_object_iter_key(i)))
            FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: tensor %s is not in shard %s", index, json_object_iter_key(i),
                 json_string_value(json_object_iter_value(i)));
done:
    json_decref(loaded);
    json_decref(tree);
    return status;
}

/* Loads the form if its file or its index is there; *found says whether. */
static align_status load_form(align_tensors *tensors, const char *folder, int form, const char *variant, bool *found,
                              align_error *err)
{
    align_status status = ALIGN_OK;
    char *single = in_folder(folder, file_name(form, variant)), *index = in_folder(folder, index_name(form, variant));
    if (!single || !index) {
        status = al_error_no_memory(err, strlen(folder));
        goto done;
    }
    *found = true;
    if (al_is_file(single))
        TRY(al_tensors_load_file(tensors, single, err));
    else if (al_is_file(index))
        TRY(load_shards(tensors, folder, index, err));
    else
        *found = false;
done:
    al_free(single);
    al_free(index);
    return status;
}

align_status align_tensors_open_pretrained(align_tensors **out, const char *folder, const char *variant,
                                           align_error *err)
{
    align_status status = ALIGN_OK;
    align_tensors *tensors = NULL;
    bool found = false;
    *out = NULL;
    if (!folder)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "opening weights: no folder given");
    TRY(check_variant(variant, err));
    if (!al_is_folder(folder))
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: no such folder", folder);
    TRY(align_tensors_new(&tensors, err));
    for (int form = 0; form < FORM_COUNT && !found; form++)
        TRY(load_form(tensors, folder, form, variant, &found, err));
    if (!found)
        FAIL(err, ALIGN_ERROR_NOT_FOUND,
             "%s: no weights: expected model.safetensors, model.safetensors.index.json, pytorch_model.bin or "
             "pytorch_model.bin.index.json%s%s",
             folder, variant ? " of variant " : "", variant ? variant : "");
    *out = tensors;
    tensors = NULL;
done:
    align_tensors_free(tensors);
    return status;
}

/* ---- saving ---- */

typedef struct saver {
    const char *folder, *variant;
    int form;
    al_save_item *items;
    size_t count;
    size_t *shard;      /* number of the shard that item i goes into, from 1 on */
    size_t shard_count; /* 1: a single file without an index */
    int64_t total_size;
} saver;

/* Greedy in the collection's order: a shard ends where the next tensor would exceed the limit. */
static align_status plan_shards(saver *s, const align_tensors *tensors, const align_save_options *options,
                                align_error *err)
{
    uint64_t used = 0;
    s->count = align_tensors_count(tensors);
    s->items = al_calloc(s->count, sizeof *s->items);
    s->shard = al_calloc(s->count, sizeof *s->shard);
    if (!s->items || !s->shard)
        return al_error_no_memory(err, s->count * sizeof *s->items);
    s->shard_count = 1;
    for (size_t i = 0; i < s->count; i++) {
        const align_tensor *tensor = align_tensors_at(tensors, i);
        const bool cast = options->cast && al_dtype_is_float(tensor->dtype);
        s->items[i] = (al_save_item){align_tensors_name(tensors, i), tensor, cast ? options->dtype : tensor->dtype};
        const uint64_t size = al_save_item_bytes(&s->items[i]);
        if (i > 0 && used + size > (uint64_t)options->max_shard_size) {
            s->shard_count++;
            used = 0;
        }
        used += size;
        s->shard[i] = s->shard_count;
        s->total_size += (int64_t)size;
    }
    return ALIGN_OK;
}

static char *planned_name(const saver *s, size_t number)
{
    return s->shard_count == 1 ? file_name(s->form, s->variant)
                               : shard_name(s->form, s->variant, number, s->shard_count);
}

/* Items of one shard stand side by side. */
static align_status write_shards(const saver *s, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t start = 0;
    for (size_t number = 1; number <= s->shard_count && status == ALIGN_OK; number++) {
        size_t end = start;
        while (end < s->count && s->shard[end] == number)
            end++;
        char *path = in_folder(s->folder, planned_name(s, number));
        if (!path)
            return al_error_no_memory(err, strlen(s->folder));
        status = s->form == SAFETENSORS ? al_safetensors_write(s->items + start, end - start, path, err)
                                        : al_torch_write(s->items + start, end - start, path, false, err);
        al_free(path);
        start = end;
    }
    return status;
}

/* {"metadata": {"total_size": bytes}, "weight_map": {name: file}}; NULL without memory. */
static json_t *make_index(const saver *s)
{
    json_t *index = json_pack("{s:{s:I},s:{}}", "metadata", "total_size", (json_int_t)s->total_size, "weight_map");
    for (size_t i = 0; index && i < s->count; i++) {
        char *name = planned_name(s, s->shard[i]);
        json_t *map = json_object_get(index, "weight_map");
        if (!name || json_object_set_new(map, s->items[i].name, json_string(name)) != 0) {
            json_decref(index);
            index = NULL;
        }
        al_free(name);
    }
    return index;
}

static align_status write_index(const saver *s, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *index = make_index(s);
    char *path = in_folder(s->folder, index_name(s->form, s->variant));
    if (!index || !path)
        status = al_error_no_memory(err, s->count);
    else
        status = al_json_save(index, path, AL_JSON_PYTHON, err);
    al_free(path);
    json_decref(index);
    return status;
}

/* Takes "stem[.variant]-NNNNN-of-NNNNN.extension" apart; false for any other name. */
static bool parse_shard_name(const char *name, int form, const char *variant, size_t *number, size_t *count)
{
    const char *const parts[] = {forms[form].stem, variant ? "." : "", variant ? variant : "", "-"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t n = strlen(parts[i]);
        if (strncmp(name, parts[i], n) != 0)
            return false;
        name += n;
    }
    size_t *value = number;
    *number = *count = 0;
    for (const char *p = "ddddd-of-ddddd."; *p; p++, name++) {
        if (*p == 'd' ? *name < '0' || *name > '9' : *name != *p)
            return false;
        if (*p == 'd')
            *value = *value * 10 + (size_t)(*name - '0');
        else
            value = count;
    }
    return strcmp(name, forms[form].extension) == 0;
}

/* Whether a file of the folder holds weights of this variant that are not of this save: loading might prefer them. */
static align_status is_stale(const saver *s, const char *name, bool *stale, align_error *err)
{
    *stale = false;
    for (int form = 0; form < FORM_COUNT; form++) {
        const bool written = form == s->form, sharded = s->shard_count > 1;
        size_t number, count;
        if (parse_shard_name(name, form, s->variant, &number, &count)) {
            *stale = !(written && sharded && count == s->shard_count && number >= 1 && number <= count);
            return ALIGN_OK;
        }
        char *single = file_name(form, s->variant), *index = index_name(form, s->variant);
        if (single && index)
            *stale = *stale || (strcmp(name, single) == 0 && !(written && !sharded)) ||
                     (strcmp(name, index) == 0 && !(written && sharded));
        const bool failed = !single || !index;
        al_free(single);
        al_free(index);
        if (failed)
            return al_error_no_memory(err, strlen(name));
    }
    return ALIGN_OK;
}

static align_status remove_file(const char *folder, const char *name, align_error *err)
{
    align_status status = ALIGN_OK;
    char *path = al_join_path(folder, name);
    if (!path)
        return al_error_no_memory(err, strlen(folder) + strlen(name));
    if (al_is_file(path) && unlink(path) != 0)
        status =
            al_error_set(err, ALIGN_ERROR_IO, "%s: cannot remove what an earlier save left: %s", path, strerror(errno));
    al_free(path);
    return status;
}

static align_status remove_stale(const saver *s, align_error *err)
{
    align_status status = ALIGN_OK;
    DIR *folder = opendir(s->folder);
    if (!folder)
        return al_error_set(err, ALIGN_ERROR_IO, "%s: cannot list: %s", s->folder, strerror(errno));
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        bool stale;
        TRY(is_stale(s, entry->d_name, &stale, err));
        if (stale)
            TRY(remove_file(s->folder, entry->d_name, err));
    }
done:
    closedir(folder);
    return status;
}

align_status align_tensors_save_pretrained(const align_tensors *tensors, const char *folder,
                                           const align_save_options *options, align_error *err)
{
    static const align_save_options defaults = ALIGN_SAVE_OPTIONS_INIT;
    align_status status = ALIGN_OK;
    const align_save_options *o = options ? options : &defaults;
    saver s = {.folder = folder, .variant = o->variant, .form = o->safe_serialization ? SAFETENSORS : TORCH};
    if (!tensors || !folder)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "saving weights: no %s given", folder ? "tensors" : "folder");
    TRY(check_variant(o->variant, err));
    if (o->max_shard_size <= 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "max_shard_size: expected a positive number of bytes, found %" PRId64,
             o->max_shard_size);
    if (o->cast && o->dtype != ALIGN_F32 && o->dtype != ALIGN_F16 && o->dtype != ALIGN_BF16)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "dtype to save as: expected F32, F16 or BF16, found %s",
             align_dtype_name(o->dtype));
    TRY(plan_shards(&s, tensors, o, err));
    TRY(al_make_folder(folder, err));
    TRY(write_shards(&s, err));
    if (s.shard_count > 1)
        TRY(write_index(&s, err));
    TRY(remove_stale(&s, err));
done:
    al_free(s.items);
    al_free(s.shard);
    return status;
}
