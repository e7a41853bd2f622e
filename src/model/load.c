/* load.c: from_pretrained, from_config and from_tensors. Which key is which is load_keys.c. */
#include "model/load.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "checkpoint/buffer.h"
#include "checkpoint/tensors.h"
#include "model/argument.h"
#include "model/init.h"
#include "model/load_keys.h"
#include "model/packed.h"

#include <string.h>

/* ---- tensors ---- */

typedef struct loader {
    align_model *model;
    const al_model_source *source;
    const align_load_options *options;
    al_init init;
    al_key_table table;
    al_name_list missing, unexpected, mismatched;
    al_buffer message; /* one line a tensor that does not fit */
    size_t unsaid;     /* lines that the message has no room for */
} loader;

#define MESSAGE_ROOM (ALIGN_ERROR_MESSAGE_SIZE - 128)

static void put_shape(al_buffer *out, int rank, const int64_t *shape)
{
    al_buffer_puts(out, "torch.Size([");
    for (int i = 0; i < rank; i++)
        al_buffer_format(out, "%s%" PRId64, i ? ", " : "", shape[i]);
    al_buffer_puts(out, "])");
}

static void say_mismatch(loader *l, const char *name, const al_param *param, const align_tensor *found)
{
    al_buffer line = {0};
    al_buffer_format(&line, "\n\tsize mismatch for %s: copying a param with shape ", name);
    put_shape(&line, found->rank, found->shape);
    al_buffer_puts(&line, " from checkpoint, the shape in current model is ");
    put_shape(&line, param->rank, param->shape);
    al_buffer_putc(&line, '.');
    if (line.failed)
        l->message.failed = true;
    else if (l->unsaid == 0 && l->message.size + line.size < MESSAGE_ROOM)
        al_buffer_put(&l->message, line.data, line.size);
    else
        l->unsaid++;
    al_buffer_done(&line);
}

/* One element in one axis is taken for a scalar, as PyTorch does. */
static bool same_shape(const al_param *param, const align_tensor *found)
{
    if (param->rank == 0 && found->rank == 1 && found->shape[0] == 1)
        return true;
    return param->rank == found->rank &&
           memcmp(param->shape, found->shape, (size_t)param->rank * sizeof *param->shape) == 0;
}

static size_t param_elements(const al_param *param)
{
    size_t n = 1;
    for (int i = 0; i < param->rank; i++)
        n *= (size_t)param->shape[i]; /* a validated config: the product fits */
    return n;
}

/* num_batches_tracked in any dtype. */
static int64_t read_count(const align_tensor *found)
{
    float count;
    if (!al_dtype_is_float(found->dtype))
        return al_tensor_integer(found, 0);
    align_tensor_to_f32(found, &count);
    return count >= 0 && count < 0x1p62f ? (int64_t)count : 0;
}

/* A tensor of the model's own: initialised (found NULL), or converted to the dtype that the model keeps. */
static align_status add_owned(loader *l, const al_param *param, const align_tensor *found, align_error *err)
{
    align_status status = ALIGN_OK;
    const bool counts = param->kind == AL_BUFFER_COUNT;
    const size_t bytes = param_elements(param) * (counts ? sizeof(int64_t) : sizeof(float));
    void *data = al_alloc(bytes);
    if (!data)
        return al_error_no_memory(err, bytes);
    if (!found)
        al_init_param(data, param, &l->init);
    else if (counts)
        *(int64_t *)data = read_count(found);
    else
        align_tensor_to_f32(found, data);
    const align_tensor tensor = align_tensor_view(counts ? ALIGN_I64 : ALIGN_F32, param->rank, param->shape, data);
    TRY(align_tensors_add(l->model->state, param->name, &tensor, err));
done:
    al_free(data);
    return status;
}

static align_status add_found(loader *l, const al_param *param, const align_tensor *found, align_error *err)
{
    const bool counts = param->kind == AL_BUFFER_COUNT;
    if (!counts && !al_dtype_is_float(found->dtype))
        return al_error_set(err, ALIGN_ERROR_MISMATCH, "%s: expected F32, F16, BF16 or F64, found %s", param->name,
                            align_dtype_name(found->dtype));
    if (counts ? found->dtype != ALIGN_I64 : found->dtype == ALIGN_F64)
        return add_owned(l, param, found, err);
    const align_tensor tensor = align_tensor_view(found->dtype, param->rank, param->shape, found->data);
    return l->source->copy ? align_tensors_add(l->model->state, param->name, &tensor, err)
                           : align_tensors_add_view(l->model->state, param->name, &tensor, err);
}

static align_status load_param(void *user, const al_param *param, align_error *err)
{
    align_status status = ALIGN_OK;
    loader *l = user;
    const align_tensor *found = NULL;
    char *name = al_format("%s%s", l->table.prefix, param->name);
    if (!name)
        return al_error_no_memory(err, strlen(param->name));
    al_file_key *key = al_key_table_find(&l->table, name);
    if (!key) {
        TRY(al_name_list_add(&l->missing, l->table.prefix, param->name, err));
    } else {
        found = align_tensors_at(l->table.tensors, key->index);
        key->fate = AL_FATE_USED;
        if (!same_shape(param, found)) {
            key->fate = AL_FATE_MISMATCHED;
            if (!l->options->ignore_mismatched_sizes)
                say_mismatch(l, name, param, found);
            found = NULL;
        }
    }
    if (found)
        TRY(add_found(l, param, found, err));
    else if (l->message.size == 0) /* otherwise the loading has failed already and only collects */
        TRY(add_owned(l, param, NULL, err));
done:
    al_free(name);
    return status;
}

static const char *class_name(align_tower tower)
{
    static const char *const names[] = {[ALIGN_TOWER_BOTH] = "AlignModel",
                                        [ALIGN_TOWER_TEXT] = "AlignTextModel",
                                        [ALIGN_TOWER_VISION] = "AlignVisionModel"};
    return names[tower];
}

static align_status check_mismatches(const loader *l, align_error *err)
{
    const align_status status = al_buffer_check(&l->message, err);
    if (status != ALIGN_OK || l->message.size == 0)
        return status;
    if (l->unsaid == 0)
        return al_error_set(err, ALIGN_ERROR_MISMATCH, "loading state_dict for %s:%s", class_name(l->model->tower),
                            l->message.data);
    return al_error_set(err, ALIGN_ERROR_MISMATCH, "loading state_dict for %s:%s\n\tand %zu more",
                        class_name(l->model->tower), l->message.data, l->unsaid);
}

static align_status report(loader *l, align_error *err)
{
    align_status status = ALIGN_OK;
    align_load_report *r = &l->model->report;
    if (!l->source->tensors)
        return ALIGN_OK; /* nothing was loaded, so nothing is missing */
    TRY(al_list_unexpected(&l->unexpected, &l->table, l->model->tower, err));
    TRY(al_list_mismatched(&l->mismatched, &l->table, err));
    al_name_list_sort(&l->missing);
    *r = (align_load_report){l->missing.count,
                             l->unexpected.count,
                             l->mismatched.count,
                             (const char *const *)l->missing.names,
                             (const char *const *)l->unexpected.names,
                             (const char *const *)l->mismatched.names};
    l->missing = l->unexpected = l->mismatched = (al_name_list){0};
done:
    return status;
}

static align_status load_state(align_model *model, const al_model_source *source, const align_load_options *options,
                               align_error *err)
{
    align_status status = ALIGN_OK;
    loader l = {.model = model, .source = source, .options = options};
    l.init = al_init_from_config(&model->config, options->seed);
    if (source->one_range && model->tower == ALIGN_TOWER_BOTH)
        l.init.text_range = l.init.vision_range = model->config.initializer_range;
    TRY(al_key_table_init(&l.table, source->tensors, model->tower, err));
    TRY(align_tensors_new(&model->state, err));
    TRY(al_params_visit(&model->params, &model->config, load_param, &l, err));
    TRY(check_mismatches(&l, err));
    TRY(report(&l, err));
done:
    al_key_table_done(&l.table);
    al_name_list_free((const char *const *)l.missing.names, l.missing.count);
    al_name_list_free((const char *const *)l.unexpected.names, l.unexpected.count);
    al_name_list_free((const char *const *)l.mismatched.names, l.mismatched.count);
    al_buffer_done(&l.message);
    return status;
}

/* ---- the model ---- */

static align_status validate(const align_config *config, align_tower tower, align_error *err)
{
    switch (tower) {
    case ALIGN_TOWER_BOTH:
        return align_config_validate(config, err);
    case ALIGN_TOWER_TEXT:
        return align_text_config_validate(&config->text_config, err);
    case ALIGN_TOWER_VISION:
        return align_vision_config_validate(&config->vision_config, err);
    }
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "tower: expected both, text or vision, found %d",
                        (int)tower);
}

typedef struct slot_filler {
    const align_tensors *state;
    size_t next;
} slot_filler;

static align_status fill_slot(void *user, const al_param *param, align_error *err)
{
    slot_filler *filler = user;
    (void)err;
    *param->slot = *align_tensors_at(filler->state, filler->next++); /* state was filled by the same walk */
    return ALIGN_OK;
}

align_status al_check_products(const al_kernels *kernels, align_precision precision, align_error *err)
{
    for (int i = 0; i <= (int)precision; i++)
        if (!kernels->products[i])
            return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "precision %s: the %s kernels have no product of %s",
                                align_precision_name(precision), kernels->isa,
                                align_precision_name((align_precision)i));
    return ALIGN_OK;
}

/* Everything of the model but its towers. */
static align_status load_params(align_model *model, const al_model_source *source, const align_load_options *options,
                                const al_kernels *kernels, align_error *err)
{
    align_status status = ALIGN_OK;
    slot_filler filler = {0};
    if (source->packed)
        return al_packed_load(model, source->tensors, kernels, options->precision, err);
    model->precision = options->precision == ALIGN_PRECISION_AUTO ? ALIGN_PRECISION_F32 : options->precision;
    TRY(al_check_products(kernels, model->precision, err));
    TRY(load_state(model, source, options, err));
    filler.state = model->state;
    TRY(al_params_visit(&model->params, &model->config, fill_slot, &filler, err));
done:
    return status;
}

/* What was packed need not stay in memory twice. */
static void release_weight(const void *user, const align_tensor *weight)
{
    al_tensors_release(user, weight);
}

static align_status make_tower(align_model *model, align_tower tower, const al_model_source *source,
                               const al_kernels *kernels, align_error *err)
{
    al_packing packing = {.kernels = kernels, .precision = model->precision};
    if (source->packed) {
        packing.stored = al_packed_weights(source->tensors, tower);
    } else if (source->tensors) {
        packing.release = release_weight;
        packing.user = source->tensors;
    }
    const align_config *config = &model->config;
    const al_model_params *params = &model->params;
    const align_status status =
        tower == ALIGN_TOWER_TEXT
            ? al_text_tower_new(&model->text, &config->text_config, params, &packing, err)
            : al_vision_tower_new(&model->vision, &config->vision_config, &params->vision, &packing, err);
    if (status != ALIGN_OK && source->packed)
        al_error_prefix(err, "%s: tensor %s", AL_PACKED_FILE, al_packed_name(tower));
    return status;
}

static align_status make_towers(align_model *model, const al_model_source *source, const al_kernels *kernels,
                                align_error *err)
{
    align_status status = ALIGN_OK;
    if (model->tower != ALIGN_TOWER_VISION)
        TRY(make_tower(model, ALIGN_TOWER_TEXT, source, kernels, err));
    if (model->tower != ALIGN_TOWER_TEXT)
        TRY(make_tower(model, ALIGN_TOWER_VISION, source, kernels, err));
done:
    return status;
}

align_status al_model_new(align_model **out, const al_model_source *source, const align_load_options *options,
                          align_error *err)
{
    align_status status = ALIGN_OK;
    const al_kernels *kernels = al_kernels_get();
    align_model *model = NULL;
    TRY(al_need(out, "model", err));
    *out = NULL;
    TRY(al_need(source->config, "config", err));
    model = al_calloc(1, sizeof *model);
    if (!model) {
        status = al_error_no_memory(err, sizeof *model);
        goto done;
    }
    model->tower = options->tower;
    model->temperature = 1.0f;
    if (!kernels)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "ALIGN_ISA: this machine has no such instruction set");
    if (options->precision < ALIGN_PRECISION_AUTO || options->precision >= ALIGN_PRECISION_COUNT)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "precision: %d is none", (int)options->precision);
    TRY(validate(source->config, options->tower, err));
    TRY(align_config_copy(&model->config, source->config, err));
    TRY(al_params_init(&model->params, &model->config, model->tower, options->no_pooler, err));
    TRY(load_params(model, source, options, kernels, err));
    if (model->tower == ALIGN_TOWER_BOTH)
        align_tensor_to_f32(&model->params.temperature, &model->temperature);
    if (!options->state_only)
        TRY(make_towers(model, source, kernels, err));
    *out = model;
    model = NULL;
done:
    align_model_free(model);
    return status;
}

void align_model_free(align_model *model)
{
    if (!model)
        return;
    const align_load_report *r = &model->report;
    al_name_list_free(r->missing, r->n_missing);
    al_name_list_free(r->unexpected, r->n_unexpected);
    al_name_list_free(r->mismatched, r->n_mismatched);
    al_text_tower_free(model->text);
    al_vision_tower_free(model->vision);
    al_params_done(&model->params);
    align_tensors_free(model->state);
    align_tensors_free(model->checkpoint);
    al_free(model->layout);
    align_config_done(&model->config);
    al_free(model);
}

static const align_load_options default_options = ALIGN_LOAD_OPTIONS_INIT;

align_status align_model_from_config(align_model **out, const align_config *config, const align_load_options *options,
                                     align_error *err)
{
    const al_model_source source = {.config = config};
    return al_model_new(out, &source, options ? options : &default_options, err);
}

align_status align_model_from_tensors(align_model **out, const align_config *config, const align_tensors *state,
                                      const align_load_options *options, align_error *err)
{
    const al_model_source source = {.config = config, .tensors = state, .copy = true};
    const align_status status = al_need(state, "state", err);
    return status != ALIGN_OK ? status : al_model_new(out, &source, options ? options : &default_options, err);
}

/* The config of a tower alone goes into a full one whose other half is at its defaults. */
static align_status read_config(align_config *out, const char *folder, align_tower tower, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = (align_config){0};
    if (tower != ALIGN_TOWER_TEXT && tower != ALIGN_TOWER_VISION)
        return align_config_from_pretrained(out, folder, err);
    TRY(align_config_init(out, err));
    if (tower == ALIGN_TOWER_TEXT) {
        align_text_config_done(&out->text_config);
        TRY(align_text_config_from_pretrained(&out->text_config, folder, err));
    } else {
        align_vision_config_done(&out->vision_config);
        TRY(align_vision_config_from_pretrained(&out->vision_config, folder, err));
    }
done:
    if (status != ALIGN_OK)
        align_config_done(out);
    return status;
}

/* A model.align goes before the checkpoint, or, where it is the state that is wanted, stands in for one. */
static align_status open_checkpoint(align_tensors **out, bool *packed, const char *folder,
                                    const align_load_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    if (!options->variant && !options->state_only)
        TRY(al_packed_open(out, folder, err));
    *packed = *out != NULL;
    if (*packed)
        return ALIGN_OK;
    status = align_tensors_open_pretrained(out, folder, options->variant, err);
    if (status == ALIGN_ERROR_NOT_FOUND && !options->variant && options->state_only) {
        *packed = al_packed_open(out, folder, NULL) == ALIGN_OK && *out;
        if (*packed)
            return ALIGN_OK;
    }
done:
    return status;
}

align_status align_model_from_pretrained(align_model **out, const char *folder, const align_load_options *options,
                                         align_error *err)
{
    align_status status = ALIGN_OK;
    align_config config = {0};
    align_tensors *checkpoint = NULL;
    TRY(al_need(out, "model", err));
    *out = NULL;
    TRY(al_need(folder, "folder", err));
    if (!options)
        options = &default_options;
    TRY(read_config(&config, folder, options->tower, err));
    bool packed;
    TRY(open_checkpoint(&checkpoint, &packed, folder, options, err));
    const al_model_source source = {.config = &config, .tensors = checkpoint, .one_range = true, .packed = packed};
    status = al_model_new(out, &source, options, err);
    if (status != ALIGN_OK) {
        al_error_prefix(err, "%s", folder);
        goto done;
    }
    (*out)->checkpoint = checkpoint;
    checkpoint = NULL;
done:
    align_tensors_free(checkpoint);
    align_config_done(&config);
    return status;
}
