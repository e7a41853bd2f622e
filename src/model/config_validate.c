/*
 * config_validate.c: whether a model can be built from a config. The rules are the reference's own (a constructor or
 * the first forward pass that would fail); the limits keep every later product of sizes within 64 bits.
 */
#include <align/config.h>

#include "base/memory.h"
#include "base/status.h"
#include "model/params.h"
#include "model/pruning.h"

#include <math.h>
#include <string.h>

#define MAX_SIZE     INT64_C(2147483647) /* of a tensor's axis */
#define MAX_LAYERS   4096                /* of the text tower; blocks of the vision tower */
#define MAX_HEADS    65536
#define MAX_ELEMENTS ((size_t)1 << 44) /* of a whole model */

#define CHECK_SIZE(config, key, least, most) check_size(#key, (config)->key, least, most, err)
#define CHECK_REAL(config, key, least, most) check_real(#key, (config)->key, least, most, err)

static align_status check_size(const char *key, int64_t value, int64_t least, int64_t most, align_error *err)
{
    if (value >= least && value <= most)
        return ALIGN_OK;
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                        "%s: expected a number from %" PRId64 " to %" PRId64 ", found %" PRId64, key, least, most,
                        value);
}

static align_status check_real(const char *key, double value, double least, double most, align_error *err)
{
    if (value >= least && value <= most && isfinite(value))
        return ALIGN_OK;
    if (isinf(most))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: expected a finite number%s, found %g", key,
                            least == 0 ? " not below 0" : "", value);
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: expected a number from %g to %g, found %g", key, least,
                        most, value);
}

static align_status check_activation(const char *name, align_error *err)
{
    align_activation activation;
    const align_status status = align_activation_from_name(&activation, name, err);
    if (status != ALIGN_OK)
        al_error_prefix(err, "hidden_act");
    return status;
}

/* ---- sizes of the whole ---- */

static align_status add_elements(void *user, const al_param *param, align_error *err)
{
    size_t *total = user, elements = 1;
    bool fits = true;
    for (int i = 0; i < param->rank; i++)
        fits = fits && al_mul(elements, (size_t)param->shape[i], &elements);
    if (fits && al_add(*total, elements, total) && *total <= MAX_ELEMENTS)
        return ALIGN_OK;
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                        "the model would have more than %zu elements (limit passed at %s)", MAX_ELEMENTS, param->name);
}

static align_status check_elements(const align_config *config, align_tower tower, align_error *err)
{
    align_status status = ALIGN_OK;
    al_model_params params = {0};
    size_t total = 0;
    TRY(al_params_init(&params, config, tower, false, err));
    TRY(al_params_visit(&params, config, add_elements, &total, err));
done:
    al_params_done(&params);
    return status;
}

/* ---- text ---- */

static align_status check_text_sizes(const align_text_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(CHECK_SIZE(config, vocab_size, 1, MAX_SIZE));
    TRY(CHECK_SIZE(config, hidden_size, 1, MAX_SIZE));
    TRY(CHECK_SIZE(config, num_hidden_layers, 0, MAX_LAYERS));
    TRY(CHECK_SIZE(config, num_attention_heads, 1, MAX_HEADS));
    TRY(CHECK_SIZE(config, intermediate_size, 1, MAX_SIZE));
    TRY(CHECK_SIZE(config, max_position_embeddings, 1, MAX_SIZE / 2)); /* distance_embedding has twice as many rows */
    TRY(CHECK_SIZE(config, type_vocab_size, 1, MAX_SIZE));
    if (config->hidden_size % config->num_attention_heads != 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "hidden_size: %" PRId64 " is not a multiple of num_attention_heads, %" PRId64, config->hidden_size,
             config->num_attention_heads);
    if (config->has_pad_token_id &&
        (config->pad_token_id >= config->vocab_size || config->pad_token_id < -config->vocab_size))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "pad_token_id: %" PRId64 " is not within vocab_size, %" PRId64,
             config->pad_token_id, config->vocab_size);
done:
    return status;
}

static align_status check_text(const align_text_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(check_text_sizes(config, err));
    TRY(check_activation(config->hidden_act, err));
    TRY(CHECK_REAL(config, hidden_dropout_prob, 0, 1));
    TRY(CHECK_REAL(config, attention_probs_dropout_prob, 0, 1));
    TRY(CHECK_REAL(config, initializer_range, 0, INFINITY));
    TRY(CHECK_REAL(config, layer_norm_eps, 0, INFINITY));
    if (config->add_cross_attention && !config->is_decoder)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "add_cross_attention: true needs is_decoder: true");
    TRY(al_pruned_heads_check(config, err));
done:
    return status;
}

align_status align_text_config_validate(const align_text_config *config, align_error *err)
{
    const align_config whole = {.text_config = *config};
    const align_status status = check_text(config, err);
    return status == ALIGN_OK ? check_elements(&whole, ALIGN_TOWER_TEXT, err) : status;
}

/* ---- vision ---- */

static align_status check_list(const char *key, const align_int_list *list, size_t stages, int64_t least, int64_t most,
                               align_error *err)
{
    if (list->count < stages)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "%s: expected at least %zu numbers, one for each of in_channels, found %zu", key, stages,
                            list->count);
    for (size_t i = 0; i < stages; i++)
        if (list->data[i] < least || list->data[i] > most)
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                                "%s[%zu]: expected a number from %" PRId64 " to %" PRId64 ", found %" PRId64, key, i,
                                least, most, list->data[i]);
    return ALIGN_OK;
}

static align_status check_width(const align_vision_config *config, const char *key, int64_t channels, align_error *err)
{
    const int64_t width = align_round_filters(config, channels);
    if (width >= 1 && width <= MAX_SIZE)
        return ALIGN_OK;
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                        "%s: %" PRId64 " channels become %" PRId64 " by width_coefficient %g, expected 1 to %" PRId64,
                        key, channels, width, config->width_coefficient, MAX_SIZE);
}

/* Every stage takes what the one before gives; one without blocks passes it on. */
static align_status check_stages(const align_vision_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    int64_t blocks = 0;
    TRY(check_width(config, "the stem", AL_STEM_CHANNELS, err));
    int64_t width = align_round_filters(config, AL_STEM_CHANNELS);
    for (size_t i = 0; i < config->in_channels.count; i++) {
        const int64_t repeats = align_round_repeats(config, config->num_block_repeats.data[i]);
        TRY(check_width(config, "in_channels", config->in_channels.data[i], err));
        TRY(check_width(config, "out_channels", config->out_channels.data[i], err));
        if (repeats <= 0)
            continue;
        const int64_t in = align_round_filters(config, config->in_channels.data[i]);
        if (in != width)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
                 "in_channels[%zu]: %" PRId64 " becomes %" PRId64 " channels, but %s gives %" PRId64, i,
                 config->in_channels.data[i], in, i ? "the stage before" : "the stem", width);
        width = align_round_filters(config, config->out_channels.data[i]);
        if (repeats > MAX_LAYERS || (blocks += repeats) > MAX_LAYERS)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "num_block_repeats: more than %d blocks by depth_coefficient %g",
                 MAX_LAYERS, config->depth_coefficient);
        const int64_t widest = in > width ? in : width;
        if (widest * config->expand_ratios.data[i] > MAX_SIZE)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
                 "expand_ratios[%zu]: %" PRId64 " times %" PRId64 " channels, more than %" PRId64, i,
                 config->expand_ratios.data[i], widest, MAX_SIZE);
    }
done:
    return status;
}

static align_status check_vision(const align_vision_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t stages = config->in_channels.count;
    TRY(CHECK_SIZE(config, num_channels, 1, MAX_SIZE));
    TRY(CHECK_SIZE(config, depth_divisor, 1, MAX_SIZE));
    TRY(CHECK_SIZE(config, hidden_dim, 1, MAX_SIZE));
    TRY(CHECK_REAL(config, width_coefficient, -INFINITY, INFINITY));
    TRY(CHECK_REAL(config, depth_coefficient, -INFINITY, INFINITY));
    TRY(check_real("squeeze_expansion_ratio", config->squeeze_expansion_ratio, -1e9, 1e9, err));
    TRY(check_list("in_channels", &config->in_channels, stages, 1, MAX_SIZE, err));
    TRY(check_list("out_channels", &config->out_channels, stages, 1, MAX_SIZE, err));
    TRY(check_list("kernel_sizes", &config->kernel_sizes, stages, 1, 32768, err));
    TRY(check_list("strides", &config->strides, stages, 1, 2, err));
    TRY(check_list("num_block_repeats", &config->num_block_repeats, stages, 0, MAX_SIZE, err));
    TRY(check_list("expand_ratios", &config->expand_ratios, stages, 1, MAX_SIZE, err));
    TRY(check_stages(config, err));
    TRY(check_activation(config->hidden_act, err));
    if (strcmp(config->pooling_type, "mean") != 0 && strcmp(config->pooling_type, "max") != 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "pooling_type: expected \"mean\" or \"max\", found \"%s\"",
             config->pooling_type);
    TRY(CHECK_REAL(config, initializer_range, 0, INFINITY));
    TRY(CHECK_REAL(config, batch_norm_eps, 0, INFINITY));
    TRY(CHECK_REAL(config, batch_norm_momentum, -INFINITY, INFINITY));
    TRY(CHECK_REAL(config, drop_connect_rate, 0, 1));
done:
    return status;
}

align_status align_vision_config_validate(const align_vision_config *config, align_error *err)
{
    const align_config whole = {.vision_config = *config};
    const align_status status = check_vision(config, err);
    return status == ALIGN_OK ? check_elements(&whole, ALIGN_TOWER_VISION, err) : status;
}

/* ---- both ---- */

align_status align_config_validate(const align_config *config, align_error *err)
{
    align_status status = check_text(&config->text_config, err);
    if (status != ALIGN_OK) {
        al_error_prefix(err, "text_config");
        return status;
    }
    status = check_vision(&config->vision_config, err);
    if (status != ALIGN_OK) {
        al_error_prefix(err, "vision_config");
        return status;
    }
    TRY(CHECK_SIZE(config, projection_dim, 1, MAX_SIZE));
    TRY(CHECK_REAL(config, temperature_init_value, -INFINITY, INFINITY));
    TRY(CHECK_REAL(config, initializer_range, 0, INFINITY));
    const int64_t width = al_vision_width(&config->vision_config);
    if (config->projection_dim != width)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "projection_dim: expected %" PRId64 ", the vision tower's width, found %" PRId64, width,
             config->projection_dim);
    TRY(check_elements(config, ALIGN_TOWER_BOTH, err));
done:
    return status;
}
