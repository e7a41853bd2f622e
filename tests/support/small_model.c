/* small_model.c: see small_model.h. */
#include "support/small_model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void must(align_status status, const align_error *err)
{
    if (status != ALIGN_OK) {
        fprintf(stderr, "small model: %s\n", err->message);
        abort();
    }
}

static void set_list(align_int_list *list, int64_t a, int64_t b, int64_t c)
{
    align_error err = ALIGN_ERROR_INIT;
    const int64_t values[] = {a, b, c};
    must(align_int_list_set(list, values, 3, &err), &err);
}

void small_config(align_config *config)
{
    align_error err = ALIGN_ERROR_INIT;
    must(align_config_init(config, &err), &err);
    align_text_config *text = &config->text_config;
    text->vocab_size = SMALL_VOCABULARY;
    text->hidden_size = SMALL_HIDDEN;
    text->num_hidden_layers = SMALL_LAYERS;
    text->num_attention_heads = SMALL_HEADS;
    text->intermediate_size = 50;
    text->max_position_embeddings = SMALL_POSITIONS;
    text->type_vocab_size = SMALL_TYPES;

    align_vision_config *vision = &config->vision_config;
    vision->num_channels = SMALL_CHANNELS;
    vision->width_coefficient = 0.5;
    vision->depth_coefficient = 1.0;
    set_list(&vision->kernel_sizes, 3, 5, 3);
    set_list(&vision->in_channels, 32, 16, 24);
    set_list(&vision->out_channels, 16, 24, 40);
    set_list(&vision->strides, 1, 2, 2);
    set_list(&vision->num_block_repeats, 1, 2, 2);
    set_list(&vision->expand_ratios, 1, 6, 4);
    vision->hidden_dim = 64;
    config->projection_dim = align_round_filters(vision, 40);
}

align_model *small_model_from(const align_config *config, align_tower tower)
{
    align_error err = ALIGN_ERROR_INIT;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    options.tower = tower;
    options.seed = 20;
    align_model *model = NULL;
    must(align_model_from_config(&model, config, &options, &err), &err);
    return model;
}

align_model *small_model(align_tower tower)
{
    align_config config;
    small_config(&config);
    align_model *model = small_model_from(&config, tower);
    align_config_done(&config);
    return model;
}

void small_inputs_init(small_inputs *small)
{
    const size_t n = SMALL_BATCH * SMALL_TOKENS, n_pixels = sizeof small->pixels / sizeof *small->pixels;
    for (size_t i = 0; i < n; i++) {
        small->ids[i] = (int64_t)((i * 7 + 3) % SMALL_VOCABULARY);
        small->mask[i] = i % SMALL_TOKENS < SMALL_TOKENS - i / SMALL_TOKENS;
        small->types[i] = (int64_t)(i % SMALL_TYPES);
    }
    for (size_t i = 0; i < n_pixels; i++)
        small->pixels[i] = sinf((float)i * 0.37f) + 0.25f * sinf((float)i * 5.1f);
    small->inputs = (align_inputs)ALIGN_INPUTS_INIT;
    small->inputs.input_ids = view2(ALIGN_I64, SMALL_BATCH, SMALL_TOKENS, small->ids);
    small->inputs.attention_mask = view2(ALIGN_I64, SMALL_BATCH, SMALL_TOKENS, small->mask);
    small->inputs.token_type_ids = view2(ALIGN_I64, SMALL_BATCH, SMALL_TOKENS, small->types);
    small->inputs.pixel_values =
        view4(ALIGN_F32, SMALL_BATCH, SMALL_CHANNELS, SMALL_HEIGHT, SMALL_WIDTH, small->pixels);
}

align_tensor view1(align_dtype dtype, int64_t a, const void *data)
{
    return align_tensor_view(dtype, 1, &a, data);
}

align_tensor view2(align_dtype dtype, int64_t a, int64_t b, const void *data)
{
    const int64_t shape[] = {a, b};
    return align_tensor_view(dtype, 2, shape, data);
}

align_tensor view3(align_dtype dtype, int64_t a, int64_t b, int64_t c, const void *data)
{
    const int64_t shape[] = {a, b, c};
    return align_tensor_view(dtype, 3, shape, data);
}

align_tensor view4(align_dtype dtype, int64_t a, int64_t b, int64_t c, int64_t d, const void *data)
{
    const int64_t shape[] = {a, b, c, d};
    return align_tensor_view(dtype, 4, shape, data);
}
