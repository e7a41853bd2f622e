/* inputs.c: see inputs.h. */
#include "model/inputs.h"

#include "base/status.h"
#include "base/tensor.h"

#include <stdio.h>
#include <string.h>

#define SHAPE_TEXT 128

/* "[2, 3, 4]" */
static const char *shape_text(char out[SHAPE_TEXT], const align_tensor *t)
{
    size_t used = (size_t)snprintf(out, SHAPE_TEXT, "[");
    for (int i = 0; i < t->rank && used < SHAPE_TEXT; i++)
        used += (size_t)snprintf(out + used, SHAPE_TEXT - used, i ? ", %" PRId64 : "%" PRId64, t->shape[i]);
    if (used < SHAPE_TEXT)
        snprintf(out + used, SHAPE_TEXT - used, "]");
    return out;
}

static bool has_shape(const align_tensor *t, int rank, int64_t a, int64_t b, int64_t c)
{
    const int64_t want[] = {a, b, c};
    if (t->rank != rank)
        return false;
    for (int i = 0; i < rank; i++)
        if (t->shape[i] != want[i])
            return false;
    return true;
}

/* Sizes are not negative and their product fits: the rest of the library multiplies them freely. */
static align_status check_sizes(const char *name, const align_tensor *t, align_error *err)
{
    char text[SHAPE_TEXT];
    if (t->rank < 0 || t->rank > ALIGN_MAX_RANK)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: rank %d is not in 0..%d", name, t->rank,
                            ALIGN_MAX_RANK);
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->shape[i] < 0 || __builtin_mul_overflow(n, t->shape[i], &n) || n > INT64_MAX / 64)
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: shape %s is not possible", name,
                                shape_text(text, t));
    if (t->dtype >= ALIGN_DTYPE_COUNT)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: unknown dtype %d", name, (int)t->dtype);
    return ALIGN_OK;
}

static bool is_index(align_dtype dtype)
{
    return dtype == ALIGN_I64 || dtype == ALIGN_I32;
}

/* Integers in [0, limit). */
static align_status check_indices(const char *name, const align_tensor *t, int64_t limit, const char *what,
                                  align_error *err)
{
    if (!is_index(t->dtype))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: dtype %s, expected I64 or I32", name,
                            align_dtype_name(t->dtype));
    const size_t n = (size_t)align_tensor_elements(t);
    for (size_t i = 0; i < n; i++) {
        const int64_t v = al_tensor_integer(t, i);
        if (v < 0 || v >= limit)
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                                "%s: element %zu is %" PRId64 ", expected 0 .. %" PRId64 " (%s)", name, i, v, limit - 1,
                                what);
    }
    return ALIGN_OK;
}

static align_status wrong_shape(const char *name, const align_tensor *t, const char *expected, align_error *err)
{
    char text[SHAPE_TEXT];
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: shape %s, expected %s", name, shape_text(text, t),
                        expected);
}

/* Whichever of input_ids and inputs_embeds is there decides B and S. */
static align_status check_tokens(const align_text_config *config, const align_inputs *in, al_text_pass *pass,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    const align_tensor *ids = &in->input_ids, *embeds = &in->inputs_embeds;
    if (ids->data && embeds->data)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "You cannot specify both input_ids and inputs_embeds at the same time");
    if (!ids->data && !embeds->data)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "You have to specify either input_ids or inputs_embeds");
    if (ids->data) {
        TRY(check_sizes("input_ids", ids, err));
        if (ids->rank != 2) {
            status = wrong_shape("input_ids", ids, "[batch, tokens]", err);
            goto done;
        }
        TRY(check_indices("input_ids", ids, config->vocab_size, "vocab_size", err));
    } else {
        TRY(check_sizes("inputs_embeds", embeds, err));
        if (embeds->rank != 3 || embeds->shape[2] != config->hidden_size) {
            status = wrong_shape("inputs_embeds", embeds, "[batch, tokens, hidden_size]", err);
            goto done;
        }
        if (!al_dtype_is_float(embeds->dtype))
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "inputs_embeds: dtype %s, expected floats",
                 align_dtype_name(embeds->dtype));
    }
    const align_tensor *given = ids->data ? ids : embeds;
    const char *name = ids->data ? "input_ids" : "inputs_embeds";
    pass->batch = (size_t)given->shape[0];
    pass->tokens = (size_t)given->shape[1];
    if (pass->tokens == 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: no tokens: the first token's state is needed", name);
    if (given->shape[1] > config->max_position_embeddings)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "%s: %" PRId64 " tokens, but max_position_embeddings is %" PRId64 ": truncate the text", name,
             given->shape[1], config->max_position_embeddings);
    if (config->chunk_size_feed_forward > 0 && given->shape[1] % config->chunk_size_feed_forward != 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "%s: %" PRId64 " tokens are not a multiple of chunk_size_feed_forward = %" PRId64, name, given->shape[1],
             config->chunk_size_feed_forward);
done:
    return status;
}

static align_status check_head_mask(const align_text_config *config, const al_text_params *params,
                                    const align_tensor *mask, align_error *err)
{
    const int64_t layers = config->num_hidden_layers, heads = config->num_attention_heads;
    align_status status = check_sizes("head_mask", mask, err);
    if (status != ALIGN_OK)
        return status;
    const bool per_layer = mask->rank == 2 && mask->shape[0] >= layers && mask->shape[1] == heads;
    if (!has_shape(mask, 1, heads, 0, 0) && !per_layer)
        return wrong_shape("head_mask", mask, "[num_attention_heads] or [num_hidden_layers, num_attention_heads]", err);
    for (size_t i = 0; i < params->n_layers; i++)
        if (params->layers[i].heads != heads)
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                                "head_mask: layer %zu has %" PRId64 " heads left after pruning, the mask has %" PRId64,
                                i, params->layers[i].heads, heads);
    return ALIGN_OK;
}

align_status al_check_text_inputs(const align_config *all, const al_model_params *params, const align_inputs *in,
                                  al_text_pass *pass, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_text_config *config = &all->text_config;
    TRY(check_tokens(config, in, pass, err));
    const int64_t b = (int64_t)pass->batch, s = (int64_t)pass->tokens;
    const align_tensor *mask = &in->attention_mask, *types = &in->token_type_ids, *positions = &in->position_ids;
    if (mask->data) {
        TRY(check_sizes("attention_mask", mask, err));
        if (!has_shape(mask, 2, b, s, 0) && !has_shape(mask, 3, b, s, s)) {
            status =
                wrong_shape("attention_mask", mask, "[batch, tokens] or [batch, tokens, tokens] as input_ids", err);
            goto done;
        }
    }
    if (types->data) {
        TRY(check_sizes("token_type_ids", types, err));
        if (!has_shape(types, 2, b, s, 0)) {
            status = wrong_shape("token_type_ids", types, "[batch, tokens] as input_ids", err);
            goto done;
        }
        TRY(check_indices("token_type_ids", types, config->type_vocab_size, "type_vocab_size", err));
    }
    if (positions->data) {
        TRY(check_sizes("position_ids", positions, err));
        if (!has_shape(positions, 2, b, s, 0) && !has_shape(positions, 2, 1, s, 0) &&
            !has_shape(positions, 1, s, 0, 0)) {
            status = wrong_shape("position_ids", positions, "[batch, tokens], [1, tokens] or [tokens]", err);
            goto done;
        }
        TRY(check_indices("position_ids", positions, config->max_position_embeddings, "max_position_embeddings", err));
    }
    if (in->head_mask.data)
        TRY(check_head_mask(config, &params->text, &in->head_mask, err));
    pass->input_ids = &in->input_ids;
    pass->inputs_embeds = &in->inputs_embeds;
    pass->attention_mask = mask;
    pass->token_type_ids = types;
    pass->position_ids = positions;
    pass->head_mask = &in->head_mask;
done:
    return status;
}

align_status al_check_vision_inputs(const align_config *all, const al_model_params *params, const align_inputs *in,
                                    al_vision_pass *pass, align_error *err)
{
    const align_vision_config *config = &all->vision_config;
    const align_tensor *pixels = &in->pixel_values;
    if (!pixels->data)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "You have to specify pixel_values");
    const align_status status = check_sizes("pixel_values", pixels, err);
    if (status != ALIGN_OK)
        return status;
    if (pixels->rank != 4 || pixels->shape[1] != config->num_channels)
        return wrong_shape("pixel_values", pixels, "[batch, num_channels, height, width]", err);
    if (!al_dtype_is_float(pixels->dtype))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "pixel_values: dtype %s, expected floats",
                            align_dtype_name(pixels->dtype));
    pass->batch = (size_t)pixels->shape[0];
    pass->height = (size_t)pixels->shape[2];
    pass->width = (size_t)pixels->shape[3];
    pass->pixel_values = pixels;
    const al_vision_shape last =
        al_vision_shape_after(&params->vision, params->vision.n_blocks, pass->height, pass->width);
    if (last.rows == 0 || last.columns == 0)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "pixel_values: pictures of %zu x %zu pixels are too small for this network", pass->height,
                            pass->width);
    if (last.rows > (size_t)config->hidden_dim || last.columns > (size_t)config->hidden_dim)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "pixel_values: %zu x %zu features are more than the pooling window hidden_dim = %" PRId64,
                            last.rows, last.columns, config->hidden_dim);
    return ALIGN_OK;
}

align_status al_check_pairs(const align_config *config, const al_model_params *params, const align_inputs *inputs,
                            al_text_pass *texts, al_vision_pass *pictures, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_check_vision_inputs(config, params, inputs, pictures, err));
    TRY(al_check_text_inputs(config, params, inputs, texts, err));
    if (texts->batch != pictures->batch || texts->batch == 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "%zu texts and %zu pictures; every text needs its picture, and at least one pair", texts->batch,
             pictures->batch);
done:
    return status;
}
