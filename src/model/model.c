/* model.c: what an align_model tells about itself, and saving it. */
#include "model/model.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "model/argument.h"
#include "model/extra.h"
#include "model/packed.h"

#include <string.h>

const align_config *align_model_config(const align_model *model)
{
    return &model->config;
}

align_tower align_model_tower(const align_model *model)
{
    return model->tower;
}

align_precision align_model_precision(const align_model *model)
{
    return model->precision;
}

const align_tensors *align_model_state(const align_model *model)
{
    return model->state;
}

const char *align_model_layout(const align_model *model)
{
    return model->layout;
}

const align_load_report *align_model_report(const align_model *model)
{
    return &model->report;
}

float align_model_temperature(const align_model *model)
{
    return model->temperature;
}

/* ---- saving ---- */

align_status al_need_state(const align_model *model, const char *what, align_error *err)
{
    return model->layout ? al_error_set(err, ALIGN_ERROR_UNSUPPORTED,
                                        "a packed model does not have the tensors it was made from: %s needs the "
                                        "original model",
                                        what)
                         : ALIGN_OK;
}

/* PyTorch's name of the dtype of the first floating tensor as it will be written. */
static const char *torch_dtype(const align_tensors *state, const align_save_options *options)
{
    align_dtype dtype = options->dtype;
    for (size_t i = 0; !options->cast && i < align_tensors_count(state); i++) {
        dtype = align_tensors_at(state, i)->dtype;
        if (dtype == ALIGN_F32 || dtype == ALIGN_F16 || dtype == ALIGN_BF16)
            break;
    }
    return dtype == ALIGN_F16 ? "float16" : dtype == ALIGN_BF16 ? "bfloat16" : "float32";
}

static align_status describe(align_extra **extra, const char *class_name, const char *dtype, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_extra_set(extra, "architectures", json_pack("[s]", class_name), err));
    TRY(al_extra_set(extra, "torch_dtype", json_string(dtype), err));
done:
    return status;
}

static align_status save_config(const align_config *from, align_tower tower, const char *folder, const char *dtype,
                                align_error *err)
{
    align_status status = ALIGN_OK;
    align_config config = {0};
    TRY(align_config_copy(&config, from, err));
    switch (tower) {
    case ALIGN_TOWER_BOTH:
        TRY(describe(&config.extra, "AlignModel", dtype, err));
        TRY(align_config_save_pretrained(&config, folder, err));
        break;
    case ALIGN_TOWER_TEXT:
        TRY(describe(&config.text_config.extra, "AlignTextModel", dtype, err));
        TRY(align_text_config_save_pretrained(&config.text_config, folder, err));
        break;
    case ALIGN_TOWER_VISION:
        TRY(describe(&config.vision_config.extra, "AlignVisionModel", dtype, err));
        TRY(align_vision_config_save_pretrained(&config.vision_config, folder, err));
        break;
    }
done:
    align_config_done(&config);
    return status;
}

align_status al_state_save_pretrained(const align_tensors *state, const align_config *config, align_tower tower,
                                      const char *folder, const align_save_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    /* The weights first: they judge the options, and a folder without a config.json is no model yet. */
    TRY(align_tensors_save_pretrained(state, folder, options, err));
    if (!options->variant)
        TRY(al_packed_remove(folder, err));
    TRY(save_config(config, tower, folder, torch_dtype(state, options), err));
done:
    return status;
}

align_status align_model_save_pretrained(const align_model *model, const char *folder,
                                         const align_save_options *options, align_error *err)
{
    static const align_save_options defaults = ALIGN_SAVE_OPTIONS_INIT;
    align_status status = ALIGN_OK;
    if (!options)
        options = &defaults;
    TRY(al_need(model, "model", err));
    TRY(al_need(folder, "folder", err));
    TRY(al_need_state(model, "saving it in another form", err));
    TRY(al_state_save_pretrained(model->state, &model->config, model->tower, folder, options, err));
done:
    return status;
}

align_status align_model_save_packed(const align_model *model, const char *folder, align_error *err)
{
    static const align_save_options as_stored = ALIGN_SAVE_OPTIONS_INIT;
    align_status status = ALIGN_OK;
    TRY(al_need(model, "model", err));
    TRY(al_need(folder, "folder", err));
    if (!model->text && !model->vision)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "a model that was loaded for its state only is not packed");
    TRY(al_make_folder(folder, err));
    TRY(al_packed_save(model, folder, err));
    TRY(save_config(&model->config, model->tower, folder, torch_dtype(model->state, &as_stored), err));
done:
    return status;
}

/* ---- figures ---- */

/* Adds a product of positive sizes; a sum or product beyond 64 bits stays at the largest. */
#define ADD_PRODUCT(sum, ...) \
    add_product(sum, (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void add_product(int64_t *sum, const int64_t *factors, size_t n)
{
    int64_t product = 1;
    for (size_t i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, factors[i], &product)) {
            *sum = INT64_MAX;
            return;
        }
    if (__builtin_add_overflow(*sum, product, sum))
        *sum = INT64_MAX;
}

typedef struct counter {
    const align_model *model;
    align_model_stats *stats;
} counter;

static align_status count_param(void *user, const al_param *param, align_error *err)
{
    const counter *c = user;
    const int64_t elements = align_tensor_elements(param->slot);
    (void)err;
    if (param->kind == AL_BUFFER_ZERO || param->kind == AL_BUFFER_ONE || param->kind == AL_BUFFER_COUNT)
        return ALIGN_OK;
    c->stats->parameters += elements;
    if (param->owner == ALIGN_TOWER_TEXT)
        c->stats->text_parameters += elements;
    if (param->owner == ALIGN_TOWER_VISION)
        c->stats->vision_parameters += elements;
    return ALIGN_OK;
}

/* Dense layers and attention products of one text of S tokens, pooler and projection included. */
static int64_t text_macs(const align_model *model, int64_t S)
{
    const align_text_config *config = &model->config.text_config;
    const int64_t H = config->hidden_size, I = config->intermediate_size, D = H / config->num_attention_heads;
    int64_t macs = 0;
    int64_t products = 2; /* of S x D by D x S matrices a head: the scores, the values, relative positions */
    if (strcmp(config->position_embedding_type, "relative_key") == 0)
        products = 3;
    if (strcmp(config->position_embedding_type, "relative_key_query") == 0)
        products = 4;
    for (size_t i = 0; i < model->params.text.n_layers; i++) {
        const int64_t R = model->params.text.layers[i].heads * D;
        ADD_PRODUCT(&macs, 4, S, H, R);
        ADD_PRODUCT(&macs, products, S, S, R);
        ADD_PRODUCT(&macs, 2, S, H, I);
    }
    if (model->params.text.has_pooler)
        ADD_PRODUCT(&macs, H, H);
    if (model->tower == ALIGN_TOWER_BOTH)
        ADD_PRODUCT(&macs, H, model->config.projection_dim);
    return macs;
}

/* Convolutions of one picture of n rows and columns; -1 where it is too small for the network. */
static int64_t image_macs(const align_model *model, int64_t n)
{
    const al_vision_params *vision = &model->params.vision;
    const int64_t stem = align_round_filters(&model->config.vision_config, AL_STEM_CHANNELS);
    int64_t macs = 0, side = n / 2;
    ADD_PRODUCT(&macs, side, side, stem, model->config.vision_config.num_channels, 9);
    for (size_t i = 0; side > 0 && i < vision->n_blocks; i++) {
        const al_vision_block_params *b = &vision->blocks[i];
        if (b->expand)
            ADD_PRODUCT(&macs, side, side, b->in, b->expanded);
        side = al_vision_block_output(b, side);
        ADD_PRODUCT(&macs, side, side, b->expanded, b->kernel, b->kernel);
        ADD_PRODUCT(&macs, 2, b->expanded, b->squeezed);
        ADD_PRODUCT(&macs, side, side, b->expanded, b->out);
    }
    return side > 0 ? macs : -1;
}

align_status align_model_get_stats(const align_model *model, int64_t image_size, int64_t tokens, align_model_stats *out,
                                   align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_need(model, "model", err));
    TRY(al_need(out, "output", err));
    *out = (align_model_stats){0};
    al_model_params params = model->params; /* the walk hands out slots that may be written; count_param only reads */
    counter c = {model, out};
    for (size_t i = 0; i < align_tensors_count(model->state); i++) {
        const align_tensor *stored = align_tensors_at(model->state, i);
        out->stored_bytes += align_tensor_elements(stored) * (int64_t)align_dtype_size(stored->dtype);
    }
    TRY(al_params_visit(&params, &model->config, count_param, &c, err));
    if (model->tower != ALIGN_TOWER_VISION) {
        if (tokens < 1 || tokens > model->config.text_config.max_position_embeddings)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "tokens: expected a number from 1 to %" PRId64 ", found %" PRId64,
                 model->config.text_config.max_position_embeddings, tokens);
        out->text_macs = text_macs(model, tokens);
    }
    if (model->tower != ALIGN_TOWER_TEXT) {
        if (image_size < 2 || image_size > 1 << 20 || (out->image_macs = image_macs(model, image_size)) < 0)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "image_size: %" PRId64 " is not a size for this network",
                 image_size);
    }
done:
    return status;
}
