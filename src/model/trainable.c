/* trainable.c: see trainable.h. */
#include "model/trainable.h"

#include "base/memory.h"
#include "base/status.h"
#include "model/load.h"

#include <string.h>

#define ALIGNMENT ((size_t)64)

/* ---- laying out ---- */

typedef struct walker {
    al_trainable *trainable;
    size_t next; /* entry */
    size_t parameter_bytes;
} walker;

static align_status count_entry(void *user, const al_param *param, align_error *err)
{
    walker *w = user;
    (void)param;
    (void)err;
    w->next++;
    return ALIGN_OK;
}

static bool is_buffer(al_param_kind kind)
{
    return kind == AL_BUFFER_ZERO || kind == AL_BUFFER_ONE || kind == AL_BUFFER_COUNT;
}

/* Gives a tensor its place behind those before it. The model's shapes are those of tensors in memory, so that nothing
 * here overflows. */
static align_status place_entry(void *user, const al_param *param, align_error *err)
{
    walker *w = user;
    al_trainable *t = w->trainable;
    al_trainable_entry *entry = &t->entries[w->next++];
    const align_dtype dtype = param->kind == AL_BUFFER_COUNT ? ALIGN_I64 : ALIGN_F32;
    *param->slot = align_tensor_view(dtype, param->rank, param->shape, NULL);
    *entry = (al_trainable_entry){.kind = param->kind, .owner = param->owner, .value = param->slot};
    entry->buffer = is_buffer(param->kind);
    entry->elements = (size_t)align_tensor_elements(param->slot);
    size_t *used = entry->buffer ? &t->buffer_bytes : &w->parameter_bytes;
    entry->offset = entry->buffer ? *used : *used / sizeof(float);
    *used += (entry->elements * align_dtype_size(dtype) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    entry->name = al_strdup(param->name);
    return entry->name ? ALIGN_OK : al_error_no_memory(err, strlen(param->name));
}

/* Only parameters have a gradient. */
static align_status place_gradient(void *user, const al_param *param, align_error *err)
{
    walker *w = user;
    al_trainable_entry *entry = &w->trainable->entries[w->next++];
    (void)err;
    entry->gradient = param->slot;
    *param->slot = *entry->value;
    param->slot->data = entry->buffer ? NULL : w->trainable->gradient + entry->offset;
    return ALIGN_OK;
}

static align_status walk(al_trainable *t, al_model_params *params, al_param_visitor visitor, walker *w,
                         align_error *err)
{
    w->trainable = t;
    w->next = 0;
    return al_params_visit(params, &t->config, visitor, w, err);
}

static align_status lay_out(al_trainable *t, align_error *err)
{
    align_status status = ALIGN_OK;
    walker w = {0};
    TRY(walk(t, &t->weights, count_entry, &w, err));
    t->entries = al_calloc(w.next, sizeof *t->entries);
    if (!t->entries) {
        status = al_error_no_memory(err, w.next * sizeof *t->entries);
        goto done;
    }
    t->n_entries = w.next;
    TRY(walk(t, &t->weights, place_entry, &w, err));
    t->size = w.parameter_bytes / sizeof(float);
    t->values = al_alloc_aligned(w.parameter_bytes);
    t->gradient = al_alloc_aligned(w.parameter_bytes);
    t->buffers = al_alloc_aligned(t->buffer_bytes);
    if (!t->values || !t->gradient || !t->buffers) {
        status = al_error_no_memory(err, w.parameter_bytes);
        goto done;
    }
    TRY(walk(t, &t->gradients, place_gradient, &w, err));
done:
    return status;
}

/* ---- values ---- */

/* Copies a tensor to its place and zeroes what lies between it and the next. */
static void fill(al_trainable *t, const al_trainable_entry *entry, const align_tensor *from)
{
    char *to = entry->buffer ? t->buffers + entry->offset : (char *)(t->values + entry->offset);
    const size_t bytes = entry->elements * align_dtype_size(entry->value->dtype);
    memset(to + bytes, 0, (ALIGNMENT - bytes % ALIGNMENT) % ALIGNMENT);
    if (entry->kind == AL_BUFFER_COUNT)
        memcpy(to, from->data, bytes);
    else
        align_tensor_to_f32(from, (float *)(void *)to);
    entry->value->data = to;
}

align_status al_trainable_new(al_trainable **out, const align_model *model, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_trainable *t = al_calloc(1, sizeof *t);
    if (!t)
        return al_error_no_memory(err, sizeof *t);
    TRY(al_need_state(model, "training", err));
    TRY(align_config_copy(&t->config, &model->config, err));
    t->tower = model->tower;
    const bool no_pooler = !model->params.text.has_pooler;
    TRY(al_params_init(&t->weights, &t->config, t->tower, no_pooler, err));
    TRY(al_params_init(&t->gradients, &t->config, t->tower, no_pooler, err));
    TRY(lay_out(t, err));
    for (size_t i = 0; i < t->n_entries; i++) /* state has the same order: the same walk filled it */
        fill(t, &t->entries[i], align_tensors_at(model->state, i));
    *out = t;
    t = NULL;
done:
    al_trainable_free(t);
    return status;
}

void al_trainable_free(al_trainable *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_entries; i++)
        al_free(t->entries[i].name);
    al_free(t->entries);
    al_free_aligned(t->values);
    al_free_aligned(t->gradient);
    al_free_aligned(t->buffers);
    al_params_done(&t->weights);
    al_params_done(&t->gradients);
    align_config_done(&t->config);
    al_free(t);
}

/* ---- learning ---- */

size_t al_trainable_find(const al_trainable *t, const char *name)
{
    size_t i = 0;
    while (i < t->n_entries && strcmp(t->entries[i].name, name) != 0)
        i++;
    return i;
}

void al_trainable_freeze(al_trainable *t, size_t i, bool frozen)
{
    al_trainable_entry *entry = &t->entries[i];
    if (entry->buffer)
        return;
    entry->frozen = frozen;
    entry->gradient->data = frozen ? NULL : t->gradient + entry->offset;
}

bool al_trainable_learns(const al_trainable *t, align_tower owner)
{
    for (size_t i = 0; i < t->n_entries; i++)
        if (t->entries[i].owner == owner && t->entries[i].gradient->data)
            return true;
    return false;
}

void al_trainable_clear_gradient(al_trainable *t)
{
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        if (entry->gradient->data)
            memset(t->gradient + entry->offset, 0,
                   (entry->elements * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    }
}

/* ---- handing out ---- */

align_status al_trainable_add_to(const al_trainable *t, align_tensors *tensors, const char *prefix, const float *values,
                                 bool buffers, align_error *err)
{
    align_status status = ALIGN_OK;
    char *name = NULL;
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        align_tensor tensor = *entry->value;
        if (entry->buffer ? !buffers : !values)
            continue;
        if (!entry->buffer)
            tensor.data = values + entry->offset;
        name = al_format("%s%s", prefix, entry->name);
        if (!name) {
            status = al_error_no_memory(err, strlen(entry->name));
            goto done;
        }
        TRY(align_tensors_add_view(tensors, name, &tensor, err));
        al_free(name);
        name = NULL;
    }
done:
    al_free(name);
    return status;
}

align_status al_trainable_to_model(align_model **out, const al_trainable *t, const float *values,
                                   align_precision precision, align_error *err)
{
    align_status status = ALIGN_OK;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_tensors *state = NULL;
    *out = NULL;
    options.tower = t->tower;
    options.no_pooler = t->tower != ALIGN_TOWER_VISION && !t->weights.text.has_pooler;
    options.precision = precision;
    TRY(align_tensors_new(&state, err));
    TRY(al_trainable_add_to(t, state, "", values, true, err));
    const al_model_source source = {.config = &t->config, .tensors = state};
    TRY(al_model_new(out, &source, &options, err));
    (*out)->checkpoint = state; /* what the model's state points into */
    state = NULL;
done:
    align_tensors_free(state);
    return status;
}
