/*
 * config.c: the config structs as values: defaults, copies, and the sizes EfficientNet derives from them. JSON is read
 * in config_read.c and written in config_write.c; values are judged in config_validate.c.
 */
#include <align/config.h>

#include "base/memory.h"
#include "base/status.h"
#include "model/argument.h"
#include "model/extra.h"

#include <math.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- activations ---- */

static const struct {
    const char *name;
    align_activation activation;
} activations[] = {
    {"gelu", ALIGN_ACT_GELU},
    {"gelu_10", ALIGN_ACT_GELU_10},
    {"gelu_accurate", ALIGN_ACT_GELU_NEW},
    {"gelu_fast", ALIGN_ACT_GELU_FAST},
    {"gelu_new", ALIGN_ACT_GELU_NEW},
    {"gelu_python", ALIGN_ACT_GELU},
    {"gelu_pytorch_tanh", ALIGN_ACT_GELU_NEW},
    {"laplace", ALIGN_ACT_LAPLACE},
    {"leaky_relu", ALIGN_ACT_LEAKY_RELU},
    {"linear", ALIGN_ACT_LINEAR},
    {"mish", ALIGN_ACT_MISH},
    {"quick_gelu", ALIGN_ACT_QUICK_GELU},
    {"relu", ALIGN_ACT_RELU},
    {"relu2", ALIGN_ACT_RELU2},
    {"relu6", ALIGN_ACT_RELU6},
    {"selu", ALIGN_ACT_SELU},
    {"sigmoid", ALIGN_ACT_SIGMOID},
    {"silu", ALIGN_ACT_SILU},
    {"swish", ALIGN_ACT_SILU},
    {"tanh", ALIGN_ACT_TANH},
};

align_status align_activation_from_name(align_activation *out, const char *name, align_error *err)
{
    const align_status status = al_need(name, "activation", err);
    if (status != ALIGN_OK)
        return status;
    for (size_t i = 0; i < COUNT(activations); i++)
        if (strcmp(activations[i].name, name) == 0) {
            *out = activations[i].activation;
            return ALIGN_OK;
        }
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                        "unknown activation \"%s\" (gelu, gelu_new, relu, silu, ...)", name);
}

static const char *const precisions[ALIGN_PRECISION_COUNT] = {"f32", "bf16", "int8"};

align_status align_precision_from_name(align_precision *out, const char *name, align_error *err)
{
    const align_status status = al_need(name, "precision", err);
    if (status != ALIGN_OK)
        return status;
    for (int i = 0; i < ALIGN_PRECISION_COUNT; i++)
        if (strcmp(precisions[i], name) == 0) {
            *out = (align_precision)i;
            return ALIGN_OK;
        }
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "unknown precision \"%s\" (f32, bf16, int8)", name);
}

const char *align_precision_name(align_precision precision)
{
    if (precision == ALIGN_PRECISION_AUTO)
        return "auto";
    return (unsigned)precision < ALIGN_PRECISION_COUNT ? precisions[precision] : "unknown";
}

/* ---- lists ---- */

align_status align_int_list_set(align_int_list *list, const int64_t *data, size_t count, align_error *err)
{
    int64_t *copy = NULL;
    size_t bytes;
    if (!al_mul(count, sizeof *copy, &bytes))
        return al_error_no_memory(err, SIZE_MAX);
    if (count) {
        copy = al_alloc(bytes);
        if (!copy)
            return al_error_no_memory(err, bytes);
        memcpy(copy, data, bytes);
    }
    al_free(list->data);
    *list = (align_int_list){copy, count};
    return ALIGN_OK;
}

/* ---- defaults ---- */

static const align_text_config text_defaults = {
    .vocab_size = 30522,
    .hidden_size = 768,
    .num_hidden_layers = 12,
    .num_attention_heads = 12,
    .intermediate_size = 3072,
    .hidden_act = "gelu",
    .hidden_dropout_prob = 0.1,
    .attention_probs_dropout_prob = 0.1,
    .max_position_embeddings = 512,
    .type_vocab_size = 2,
    .initializer_range = 0.02,
    .layer_norm_eps = 1e-12,
    .has_pad_token_id = true,
    .position_embedding_type = "absolute",
    .use_cache = true,
};

static const align_vision_config vision_defaults = {
    .num_channels = 3,
    .image_size = 600,
    .width_coefficient = 2.0,
    .depth_coefficient = 3.1,
    .depth_divisor = 8,
    .squeeze_expansion_ratio = 0.25,
    .hidden_act = "swish",
    .hidden_dim = 2560,
    .pooling_type = "mean",
    .initializer_range = 0.02,
    .batch_norm_eps = 0.001,
    .batch_norm_momentum = 0.99,
    .drop_connect_rate = 0.2,
};

/* The lists of a vision config, and EfficientNet's seven stages in them. */
static const struct {
    size_t offset;
    size_t count;
    int64_t values[7];
} vision_lists[] = {
    {offsetof(align_vision_config, kernel_sizes), 7, {3, 3, 5, 3, 5, 5, 3}},
    {offsetof(align_vision_config, in_channels), 7, {32, 16, 24, 40, 80, 112, 192}},
    {offsetof(align_vision_config, out_channels), 7, {16, 24, 40, 80, 112, 192, 320}},
    {offsetof(align_vision_config, depthwise_padding), 0, {0}},
    {offsetof(align_vision_config, strides), 7, {1, 2, 2, 2, 1, 2, 1}},
    {offsetof(align_vision_config, num_block_repeats), 7, {1, 2, 2, 3, 3, 4, 1}},
    {offsetof(align_vision_config, expand_ratios), 7, {1, 6, 6, 6, 6, 6, 6}},
};

static align_int_list *list_at(align_vision_config *config, size_t i)
{
    return (align_int_list *)(void *)((char *)config + vision_lists[i].offset);
}

align_status align_text_config_init(align_text_config *config, align_error *err)
{
    (void)err;
    *config = text_defaults;
    return ALIGN_OK;
}

align_status align_vision_config_init(align_vision_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    *config = vision_defaults;
    for (size_t i = 0; i < COUNT(vision_lists); i++)
        TRY(align_int_list_set(list_at(config, i), vision_lists[i].values, vision_lists[i].count, err));
done:
    if (status != ALIGN_OK)
        align_vision_config_done(config);
    return status;
}

/* Everything of the top level, the towers zeroed. */
static void init_head(align_config *config)
{
    *config = (align_config){.projection_dim = 640, .temperature_init_value = 1.0, .initializer_range = 0.02};
}

align_status align_config_init(align_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    init_head(config);
    TRY(align_text_config_init(&config->text_config, err));
    TRY(align_vision_config_init(&config->vision_config, err));
done:
    if (status != ALIGN_OK)
        align_config_done(config);
    return status;
}

/* ---- ends and copies ---- */

void align_text_config_done(align_text_config *config)
{
    if (!config)
        return;
    al_extra_free(config->extra);
    *config = (align_text_config){0};
}

void align_vision_config_done(align_vision_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < COUNT(vision_lists); i++)
        al_free(list_at(config, i)->data);
    al_extra_free(config->extra);
    *config = (align_vision_config){0};
}

void align_config_done(align_config *config)
{
    if (!config)
        return;
    align_text_config_done(&config->text_config);
    align_vision_config_done(&config->vision_config);
    al_extra_free(config->extra);
    *config = (align_config){0};
}

align_status align_text_config_copy(align_text_config *out, const align_text_config *config, align_error *err)
{
    *out = *config;
    const align_status status = al_extra_copy(&out->extra, config->extra, err);
    if (status != ALIGN_OK)
        align_text_config_done(out);
    return status;
}

align_status align_vision_config_copy(align_vision_config *out, const align_vision_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    align_vision_config source = *config;
    *out = *config;
    out->extra = NULL;
    for (size_t i = 0; i < COUNT(vision_lists); i++)
        *list_at(out, i) = (align_int_list){NULL, 0};
    for (size_t i = 0; i < COUNT(vision_lists); i++) {
        const align_int_list *list = list_at(&source, i);
        TRY(align_int_list_set(list_at(out, i), list->data, list->count, err));
    }
    TRY(al_extra_copy(&out->extra, config->extra, err));
done:
    if (status != ALIGN_OK)
        align_vision_config_done(out);
    return status;
}

align_status align_config_copy(align_config *out, const align_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    init_head(out);
    out->projection_dim = config->projection_dim;
    out->temperature_init_value = config->temperature_init_value;
    out->initializer_range = config->initializer_range;
    TRY(align_text_config_copy(&out->text_config, &config->text_config, err));
    TRY(align_vision_config_copy(&out->vision_config, &config->vision_config, err));
    TRY(al_extra_copy(&out->extra, config->extra, err));
done:
    if (status != ALIGN_OK)
        align_config_done(out);
    return status;
}

align_status align_config_from_text_vision_configs(align_config *out, const align_text_config *text,
                                                   const align_vision_config *vision, align_error *err)
{
    align_status status = ALIGN_OK;
    init_head(out);
    TRY(align_text_config_copy(&out->text_config, text, err));
    TRY(align_vision_config_copy(&out->vision_config, vision, err));
done:
    if (status != ALIGN_OK)
        align_config_done(out);
    return status;
}

/* ---- derived sizes ---- */

/* A double as an integer, towards zero; what does not fit becomes the nearest that does, NaN becomes 0. */
static int64_t truncate_to_int(double x)
{
    if (x >= 0x1p63)
        return INT64_MAX;
    if (x < -0x1p63)
        return INT64_MIN;
    return x == x ? (int64_t)x : 0;
}

/*
 * In double, as the reference: to the nearest multiple of the divisor, never below one of it, and never more than a
 * tenth below what the coefficient asked for.
 */
int64_t align_round_filters(const align_vision_config *config, int64_t channels)
{
    const double divisor = (double)config->depth_divisor;
    const double wanted = (double)channels * config->width_coefficient;
    double rounded = floor(trunc(wanted + divisor / 2) / divisor) * divisor;
    if (!(rounded > divisor))
        rounded = divisor;
    if (rounded < 0.9 * wanted)
        rounded += divisor;
    return truncate_to_int(rounded);
}

int64_t align_round_repeats(const align_vision_config *config, int64_t repeats)
{
    return truncate_to_int(ceil(config->depth_coefficient * (double)repeats));
}
