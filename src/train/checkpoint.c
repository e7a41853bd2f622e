/* checkpoint.c: see checkpoint.h. */
#include "train/checkpoint.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "kernels/kernels.h"
#include "model/config_compare.h"
#include "train/recipe.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX       "checkpoint-"
#define STATE        "trainer_state.safetensors"
#define STATE_JSON   "trainer_state.json"
#define BEST         "best"
#define STATE_FORMAT 1 /* counted up where an older library would misread the state */

/* A path below output; freed with al_free. */
static align_status join(char **out, const char *folder, const char *name, align_error *err)
{
    *out = al_join_path(folder, name);
    return *out ? ALIGN_OK : al_error_no_memory(err, strlen(folder) + strlen(name));
}

/* Where the folder `name` is while it is written. */
static align_status join_hidden(char **out, const char *output, const char *name, align_error *err)
{
    char *hidden = al_format(".%s.tmp", name);
    if (!hidden)
        return al_error_no_memory(err, strlen(name));
    const align_status status = join(out, output, hidden, err);
    al_free(hidden);
    return status;
}

/* ---- the folders in output ---- */

/* The step in the name of a checkpoint, or 0. */
static int64_t step_of(const char *name)
{
    char *end;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    const char *digits = name + strlen(PREFIX);
    const long long step = *digits >= '1' && *digits <= '9' ? strtoll(digits, &end, 10) : 0;
    return step > 0 && *end == '\0' ? (int64_t)step : 0;
}

/* A checkpoint that is being written or removed. */
static bool is_hidden(const char *name)
{
    const size_t n = strlen(name);
    return n > 5 && name[0] == '.' && strcmp(name + n - 4, ".tmp") == 0 &&
           strncmp(name + 1, PREFIX, strlen(PREFIX)) == 0;
}

align_status al_checkpoint_prepare(const char *output, align_error *err)
{
    align_status status = ALIGN_OK;
    al_folder_names names = {0};
    char *path = NULL, *best = NULL;
    al_writer_clean(output);
    TRY(al_folder_names_read(&names, output, err));
    for (size_t i = 0; i < names.count; i++) {
        if (!is_hidden(names.names[i]))
            continue;
        TRY(join(&path, output, names.names[i], err));
        TRY(al_folder_remove(path, err));
        al_free(path);
        path = NULL;
    }
    TRY(join(&best, output, BEST, err));
    TRY(join_hidden(&path, output, BEST, err));
    TRY(al_folder_settle(path, best, err));
done:
    al_free(path);
    al_free(best);
    al_folder_names_done(&names);
    return status;
}

align_status al_checkpoint_last(const char *output, int64_t *step, align_error *err)
{
    al_folder_names names;
    const align_status status = al_folder_names_read(&names, output, err);
    *step = 0;
    for (size_t i = 0; i < names.count; i++)
        if (step_of(names.names[i]) > *step)
            *step = step_of(names.names[i]);
    al_folder_names_done(&names);
    return status;
}

/* Out of its name first, so that half a checkpoint is never taken for one. */
static align_status remove_checkpoint(const char *output, const char *name, align_error *err)
{
    align_status status = ALIGN_OK;
    char *path = NULL, *hidden = NULL;
    TRY(join(&path, output, name, err));
    TRY(join_hidden(&hidden, output, name, err));
    TRY(al_folder_replace(path, hidden, err));
    TRY(al_folder_remove(hidden, err));
done:
    al_free(path);
    al_free(hidden);
    return status;
}

static align_status remove_older(const char *output, int64_t keep, align_error *err)
{
    align_status status = ALIGN_OK;
    al_folder_names names;
    TRY(al_folder_names_read(&names, output, err));
    for (size_t i = 0; i < names.count; i++) {
        const int64_t step = step_of(names.names[i]);
        int64_t newer = 0;
        for (size_t k = 0; k < names.count; k++)
            newer += step_of(names.names[k]) > step;
        if (step > 0 && newer >= keep)
            TRY(remove_checkpoint(output, names.names[i], err));
    }
done:
    al_folder_names_done(&names);
    return status;
}

/* ---- writing ---- */

static align_status save_model(const al_progress *p, const char *folder, align_error *err)
{
    static const align_save_options options = ALIGN_SAVE_OPTIONS_INIT;
    align_status status = ALIGN_OK;
    const al_trainable *t = p->trainable;
    align_tensors *state = NULL;
    TRY(align_tensors_new(&state, err));
    TRY(al_trainable_add_to(t, state, "", t->values, true, err));
    TRY(align_processor_save_pretrained(p->processor, folder, err));
    TRY(al_state_save_pretrained(state, &t->config, t->tower, folder, &options, err));
done:
    align_tensors_free(state);
    return status;
}

/* Views of what is in trainer_state.safetensors. */
static align_status list_state(align_tensors **out, const al_progress *p, int64_t step, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tensors *state = NULL;
    const align_tensor losses = align_tensor_view(ALIGN_F32, 1, &step, p->losses);
    TRY(align_tensors_new(&state, err));
    TRY(al_optimizer_add_to(p->optimizer, state, err));
    TRY(align_tensors_add_view(state, "losses", &losses, err));
    *out = state;
    state = NULL;
done:
    align_tensors_free(state);
    return status;
}

static json_t *list_recall(const double recall[3])
{
    return json_pack("[f, f, f]", recall[0], recall[1], recall[2]);
}

static align_status save_json(const al_progress *p, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *best = p->best_step > 0 ? json_pack("{s:I, s:o, s:o}", "step", (json_int_t)p->best_step, "text_to_image",
                                                list_recall(p->best.text_to_image), "image_to_text",
                                                list_recall(p->best.image_to_text))
                                    : json_null();
    json_t *root = json_pack("{s:i, s:I, s:s, s:O, s:o}", "format", STATE_FORMAT, "step", (json_int_t)p->step, "isa",
                             p->optimizer->kernels->isa, "recipe", p->recipe, "best", best);
    if (!root)
        return al_error_no_memory(err, sizeof *p);
    TRY(al_json_save(root, path, AL_JSON_PYTHON, err));
done:
    json_decref(root);
    return status;
}

static align_status save_state(const al_progress *p, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tensors *state = NULL;
    char *tensors = NULL, *json = NULL;
    TRY(join(&tensors, folder, STATE, err));
    TRY(join(&json, folder, STATE_JSON, err));
    TRY(list_state(&state, p, p->step, err));
    TRY(align_tensors_save(state, tensors, err));
    TRY(save_json(p, json, err));
done:
    al_free(tensors);
    al_free(json);
    align_tensors_free(state);
    return status;
}

/* Writes a folder of output whole or not at all. */
static align_status save_folder(const al_progress *p, const char *name, bool with_state, align_error *err)
{
    align_status status = ALIGN_OK;
    char *path = NULL, *hidden = NULL;
    TRY(join(&path, p->output, name, err));
    TRY(join_hidden(&hidden, p->output, name, err));
    TRY(al_folder_remove(hidden, err));
    status = save_model(p, hidden, err);
    if (status == ALIGN_OK && with_state)
        status = save_state(p, hidden, err);
    if (status == ALIGN_OK)
        status = al_folder_replace(hidden, path, err);
    if (status != ALIGN_OK) /* a full disk has room again for what comes next */
        (void)al_folder_remove(hidden, NULL);
done:
    al_free(path);
    al_free(hidden);
    return status;
}

align_status al_checkpoint_save(const al_progress *p, int64_t keep, align_error *err)
{
    align_status status = ALIGN_OK;
    char *name = al_format(PREFIX "%" PRId64, p->step);
    if (!name)
        return al_error_no_memory(err, sizeof PREFIX);
    TRY(save_folder(p, name, true, err));
    TRY(remove_older(p->output, keep, err));
done:
    al_free(name);
    return status;
}

align_status al_checkpoint_save_best(const al_progress *p, align_error *err)
{
    al_optimizer_swap_average(p->optimizer);
    const align_status status = save_folder(p, BEST, false, err);
    al_optimizer_swap_average(p->optimizer);
    return status;
}

align_status al_checkpoint_save_result(const al_progress *p, align_error *err)
{
    al_optimizer_swap_average(p->optimizer);
    const align_status status = save_model(p, p->output, err);
    al_optimizer_swap_average(p->optimizer);
    return status;
}

/* ---- reading ---- */

/* Fills what the views point to with the tensors of the same names. */
static align_status fill_from(const align_tensors *views, const align_tensors *file, align_error *err)
{
    for (size_t i = 0; i < align_tensors_count(views); i++) {
        const char *name = align_tensors_name(views, i);
        const align_tensor *to = align_tensors_at(views, i), *from = align_tensors_get(file, name);
        if (!from)
            return al_error_set(err, ALIGN_ERROR_NOT_FOUND, "no tensor %s", name);
        if (from->dtype != to->dtype || from->rank != to->rank ||
            memcmp(from->shape, to->shape, (size_t)to->rank * sizeof *to->shape) != 0)
            return al_error_set(err, ALIGN_ERROR_MISMATCH, "tensor %s: its type or shape is not this model's", name);
        memcpy((void *)(uintptr_t)to->data, from->data,
               (size_t)align_tensor_elements(to) * align_dtype_size(to->dtype));
    }
    return ALIGN_OK;
}

static align_status load_model(al_progress *p, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_trainable *t = p->trainable;
    char key[AL_CONFIG_KEY_SIZE];
    align_config config = {0};
    align_tensors *views = NULL, *file = NULL;
    TRY(align_config_from_pretrained(&config, folder, err));
    if (al_config_difference(&config, &t->config, key))
        FAIL(err, ALIGN_ERROR_MISMATCH,
             "%s: config.json: key %s: the run began with another model than it is to go on "
             "with",
             folder, key);
    TRY(align_tensors_new(&views, err));
    TRY(al_trainable_add_to(t, views, "", t->values, true, err));
    TRY(align_tensors_open_pretrained(&file, folder, NULL, err));
    status = fill_from(views, file, err);
    if (status != ALIGN_OK)
        al_error_prefix(err, "%s", folder);
done:
    align_config_done(&config);
    align_tensors_free(views);
    align_tensors_free(file);
    return status;
}

static align_status load_state(al_progress *p, const char *folder, int64_t step, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tensors *views = NULL, *file = NULL;
    char *path = NULL;
    TRY(join(&path, folder, STATE, err));
    TRY(list_state(&views, p, step, err));
    TRY(align_tensors_open(&file, path, err));
    status = fill_from(views, file, err);
    if (status != ALIGN_OK)
        al_error_prefix(err, "%s", path);
done:
    al_free(path);
    align_tensors_free(views);
    align_tensors_free(file);
    return status;
}

static align_status read_recall(const al_json_object *object, const char *key, double out[3], align_error *err)
{
    align_status status = ALIGN_OK;
    const json_t *values = NULL;
    TRY(al_json_array(object, key, &values, err));
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(values, i);
        if (!json_is_number(value)) {
            status = al_json_wrong_type(object, key, "3 numbers", values, err);
            goto done;
        }
        out[i] = json_number_value(value);
    }
done:
    return status;
}

static align_status read_best(al_progress *p, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object best;
    p->best_step = 0;
    if (!al_json_has(root, "best"))
        return ALIGN_OK;
    TRY(al_json_child(root, "best", &best, err));
    TRY(al_json_int64(&best, "step", &p->best_step, err));
    TRY(read_recall(&best, "text_to_image", p->best.text_to_image, err));
    TRY(read_recall(&best, "image_to_text", p->best.image_to_text, err));
done:
    return status;
}

static align_status load_json(al_progress *p, const char *path, int64_t step, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *tree = NULL;
    al_json_object root, recipe = {0};
    int64_t format = 0, found = 0;
    TRY(al_json_load(&tree, path, err));
    TRY(al_json_root(&root, tree, path, err));
    TRY(al_json_int64(&root, "format", &format, err));
    if (format != STATE_FORMAT)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: key format: expected %d, found %" PRId64, path, STATE_FORMAT, format);
    TRY(al_json_int64(&root, "step", &found, err));
    if (found != step)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key step: expected %" PRId64 ", found %" PRId64, path, step, found);
    TRY(al_json_child(&root, "recipe", &recipe, err));
    TRY(al_recipe_compare(recipe.object, p->recipe, path, err));
    TRY(read_best(p, &root, err));
done:
    json_decref(tree);
    return status;
}

align_status al_checkpoint_load(al_progress *p, int64_t step, align_error *err)
{
    align_status status = ALIGN_OK;
    char *name = NULL, *folder = NULL, *json = NULL;
    name = al_format(PREFIX "%" PRId64, step);
    if (!name)
        return al_error_no_memory(err, sizeof PREFIX);
    TRY(join(&folder, p->output, name, err));
    TRY(join(&json, folder, STATE_JSON, err));
    TRY(load_json(p, json, step, err));
    TRY(load_model(p, folder, err));
    TRY(load_state(p, folder, step, err));
    p->step = p->optimizer->updates = step;
done:
    al_free(name);
    al_free(folder);
    al_free(json);
    return status;
}
