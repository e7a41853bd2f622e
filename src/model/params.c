/* params.c: the walk over every tensor of the model, out of the lists of params.h. */
#include "model/params.h"

#include "base/memory.h"
#include "base/status.h"
#include "model/pruning.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- layout ---- */

static align_status init_text(al_text_params *text, const align_text_config *config, bool has_pooler, align_error *err)
{
    align_status status = ALIGN_OK;
    bool *pruned = NULL;
    const size_t layers = (size_t)config->num_hidden_layers, heads = (size_t)config->num_attention_heads;
    text->has_pooler = has_pooler;
    text->layers = al_calloc(layers, sizeof *text->layers);
    pruned = al_alloc(heads);
    if (!text->layers || !pruned) {
        status = al_error_no_memory(err, layers * sizeof *text->layers);
        goto done;
    }
    text->n_layers = layers;
    for (size_t i = 0; i < layers; i++)
        TRY(al_pruned_heads_get(config, (int64_t)i, pruned, &text->layers[i].heads, err));
done:
    al_free(pruned);
    return status;
}

static size_t count_blocks(const align_vision_config *config)
{
    size_t blocks = 0;
    for (size_t i = 0; i < config->in_channels.count; i++) {
        const int64_t repeats = align_round_repeats(config, config->num_block_repeats.data[i]);
        blocks += repeats > 0 ? (size_t)repeats : 0;
    }
    return blocks;
}

static bool contains(const align_int_list *list, int64_t value)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->data[i] == value)
            return true;
    return false;
}

static void init_block(al_vision_block_params *block, const align_vision_config *config, size_t stage, bool first,
                       size_t number)
{
    const int64_t out = align_round_filters(config, config->out_channels.data[stage]);
    const int64_t ratio = config->expand_ratios.data[stage];
    block->in = first ? align_round_filters(config, config->in_channels.data[stage]) : out;
    block->out = out;
    block->expand = ratio != 1;
    block->expanded = block->in * ratio;
    block->kernel = config->kernel_sizes.data[stage];
    block->stride = first ? config->strides.data[stage] : 1;
    block->squeezed = (int64_t)((double)block->in * config->squeeze_expansion_ratio);
    if (block->squeezed < 1)
        block->squeezed = 1;
    block->residual = !first;
    block->adjust_padding = !contains(&config->depthwise_padding, (int64_t)number);
}

static align_status init_vision(al_vision_params *vision, const align_vision_config *config, align_error *err)
{
    const size_t blocks = count_blocks(config);
    vision->blocks = al_calloc(blocks, sizeof *vision->blocks);
    if (!vision->blocks)
        return al_error_no_memory(err, blocks * sizeof *vision->blocks);
    for (size_t stage = 0; stage < config->in_channels.count; stage++) {
        const int64_t repeats = align_round_repeats(config, config->num_block_repeats.data[stage]);
        for (int64_t j = 0; j < repeats; j++) {
            init_block(&vision->blocks[vision->n_blocks], config, stage, j == 0, vision->n_blocks);
            vision->n_blocks++;
        }
    }
    return ALIGN_OK;
}

align_status al_params_init(al_model_params *params, const align_config *config, align_tower tower, bool no_pooler,
                            align_error *err)
{
    align_status status = ALIGN_OK;
    *params = (al_model_params){.tower = tower};
    if (tower != ALIGN_TOWER_VISION)
        TRY(init_text(&params->text, &config->text_config, !no_pooler, err));
    if (tower != ALIGN_TOWER_TEXT)
        TRY(init_vision(&params->vision, &config->vision_config, err));
done:
    if (status != ALIGN_OK)
        al_params_done(params);
    return status;
}

void al_params_done(al_model_params *params)
{
    al_free(params->text.layers);
    al_free(params->vision.blocks);
    *params = (al_model_params){0};
}

int64_t al_vision_width(const align_vision_config *config)
{
    int64_t channels = AL_STEM_CHANNELS;
    for (size_t i = 0; i < config->in_channels.count; i++)
        if (align_round_repeats(config, config->num_block_repeats.data[i]) > 0)
            channels = config->out_channels.data[i];
    return align_round_filters(config, channels);
}

al_vision_padding al_vision_block_padding(const al_vision_block_params *block)
{
    const int64_t half = block->kernel / 2, same = (block->kernel - 1) / 2;
    if (block->stride == 2)
        return (al_vision_padding){half - (block->adjust_padding ? 1 : 0), half};
    return (al_vision_padding){same, block->kernel - 1 - same};
}

int64_t al_vision_block_output(const al_vision_block_params *block, int64_t n)
{
    const al_vision_padding padding = al_vision_block_padding(block);
    const int64_t room = n + padding.before + padding.after - block->kernel;
    return room < 0 ? 0 : room / block->stride + 1;
}

al_vision_shape al_vision_shape_after(const al_vision_params *vision, size_t i, size_t height, size_t width)
{
    al_vision_shape s = {(size_t)vision->convolution.shape[0], height / 2, width / 2};
    for (size_t b = 0; b < i; b++) {
        s.rows = s.rows ? (size_t)al_vision_block_output(&vision->blocks[b], (int64_t)s.rows) : 0;
        s.columns = s.columns ? (size_t)al_vision_block_output(&vision->blocks[b], (int64_t)s.columns) : 0;
        s.channels = (size_t)vision->blocks[b].out;
    }
    return s;
}

/* ---- the walk ---- */

typedef struct walk {
    al_param_visitor visitor;
    void *user;
    align_error *err;
    align_tower owner;
    char name[160];
    size_t prefix; /* how much of name every key of the current block shares */
} walk;

/* What the following keys begin with; the longest key after it has fewer than 64 characters. */
__attribute__((format(printf, 2, 3))) static void set_prefix(walk *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(w->name, sizeof w->name, format, arguments);
    va_end(arguments);
    w->prefix = n > 0 ? (size_t)n : 0;
}

static align_status visit(walk *w, const char *key, al_param_kind kind, int rank, const int64_t *shape,
                          align_tensor *slot)
{
    al_param param = {.name = w->name, .kind = kind, .owner = w->owner, .rank = rank, .slot = slot};
    memcpy(param.shape, shape, sizeof param.shape);
    snprintf(w->name + w->prefix, sizeof w->name - w->prefix, "%s", key);
    return w->visitor(w->user, &param, w->err);
}

/* For the lists: p points at the struct that holds the fields. */
#define VISIT(field, key, kind, rank, d0, d1, d2, d3) \
    TRY(visit(w, key, kind, rank, (const int64_t[4]){d0, d1, d2, d3}, &p->field));

static align_status visit_text_embeddings(walk *w, al_text_params *p, const align_text_config *config)
{
    align_status status = ALIGN_OK;
    const int64_t V = config->vocab_size, H = config->hidden_size, N = config->max_position_embeddings,
                  T = config->type_vocab_size;
    AL_TEXT_EMBEDDINGS(VISIT)
done:
    return status;
}

static bool has_distances(const align_text_config *config)
{
    return strcmp(config->position_embedding_type, "relative_key") == 0 ||
           strcmp(config->position_embedding_type, "relative_key_query") == 0;
}

static align_status visit_attention(walk *w, al_text_layer_params *p, const align_text_config *config)
{
    align_status status = ALIGN_OK;
    const int64_t H = config->hidden_size, N = config->max_position_embeddings, D = H / config->num_attention_heads,
                  R = p->heads * D;
    AL_TEXT_ATTENTION_INPUT(VISIT, attention, "attention")
    if (has_distances(config)) {
        AL_TEXT_DISTANCE(VISIT, attention, "attention")
    }
    AL_TEXT_ATTENTION_OUTPUT(VISIT, attention, "attention")
done:
    return status;
}

static align_status visit_cross_attention(walk *w, al_text_layer_params *p, const align_text_config *config)
{
    align_status status = ALIGN_OK;
    const int64_t H = config->hidden_size, R = H; /* never pruned */
    AL_TEXT_ATTENTION_INPUT(VISIT, cross, "crossattention")
    AL_TEXT_ATTENTION_OUTPUT(VISIT, cross, "crossattention")
done:
    return status;
}

static align_status visit_feed_forward(walk *w, al_text_layer_params *p, const align_text_config *config)
{
    align_status status = ALIGN_OK;
    const int64_t H = config->hidden_size, I = config->intermediate_size;
    AL_TEXT_FEED_FORWARD(VISIT)
done:
    return status;
}

static align_status visit_pooler(walk *w, al_text_params *p, const align_text_config *config)
{
    align_status status = ALIGN_OK;
    const int64_t H = config->hidden_size;
    AL_TEXT_POOLER(VISIT)
done:
    return status;
}

static align_status visit_text(walk *w, al_text_params *p, const align_text_config *config, const char *prefix)
{
    align_status status = ALIGN_OK;
    set_prefix(w, "%s", prefix);
    TRY(visit_text_embeddings(w, p, config));
    for (size_t i = 0; i < p->n_layers; i++) {
        set_prefix(w, "%sencoder.layer.%zu.", prefix, i);
        TRY(visit_attention(w, &p->layers[i], config));
        if (config->is_decoder && config->add_cross_attention)
            TRY(visit_cross_attention(w, &p->layers[i], config));
        TRY(visit_feed_forward(w, &p->layers[i], config));
    }
    set_prefix(w, "%s", prefix);
    if (p->has_pooler)
        TRY(visit_pooler(w, p, config));
done:
    return status;
}

static align_status visit_stem(walk *w, al_vision_params *p, const align_vision_config *config)
{
    align_status status = ALIGN_OK;
    const int64_t G = config->num_channels, S = align_round_filters(config, AL_STEM_CHANNELS);
    AL_VISION_STEM(VISIT)
done:
    return status;
}

static align_status visit_expansion(walk *w, al_vision_block_params *p)
{
    align_status status = ALIGN_OK;
    const int64_t C = p->in, E = p->expanded;
    AL_VISION_EXPANSION(VISIT)
done:
    return status;
}

static align_status visit_block(walk *w, al_vision_block_params *p)
{
    align_status status = ALIGN_OK;
    const int64_t E = p->expanded, K = p->kernel, Q = p->squeezed, O = p->out;
    AL_VISION_BLOCK(VISIT)
done:
    return status;
}

static align_status visit_vision(walk *w, al_vision_params *p, const align_vision_config *config, const char *prefix)
{
    align_status status = ALIGN_OK;
    set_prefix(w, "%s", prefix);
    TRY(visit_stem(w, p, config));
    for (size_t i = 0; i < p->n_blocks; i++) {
        set_prefix(w, "%sencoder.blocks.%zu.", prefix, i);
        if (p->blocks[i].expand)
            TRY(visit_expansion(w, &p->blocks[i]));
        TRY(visit_block(w, &p->blocks[i]));
    }
done:
    return status;
}

static align_status visit_temperature(walk *w, al_model_params *p)
{
    align_status status = ALIGN_OK;
    set_prefix(w, "%s", "");
    AL_TEMPERATURE(VISIT)
done:
    return status;
}

static align_status visit_projection(walk *w, al_model_params *p, const align_config *config)
{
    align_status status = ALIGN_OK;
    const int64_t P = config->projection_dim, H = config->text_config.hidden_size;
    set_prefix(w, "%s", "");
    AL_TEXT_PROJECTION(VISIT)
done:
    return status;
}

align_status al_params_visit(al_model_params *params, const align_config *config, al_param_visitor visitor, void *user,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    walk w = {.visitor = visitor, .user = user, .err = err, .owner = ALIGN_TOWER_BOTH};
    const bool both = params->tower == ALIGN_TOWER_BOTH;
    if (both)
        TRY(visit_temperature(&w, params));
    w.owner = ALIGN_TOWER_TEXT;
    if (params->tower != ALIGN_TOWER_VISION)
        TRY(visit_text(&w, &params->text, &config->text_config, both ? "text_model." : ""));
    w.owner = ALIGN_TOWER_VISION;
    if (params->tower != ALIGN_TOWER_TEXT)
        TRY(visit_vision(&w, &params->vision, &config->vision_config, both ? "vision_model." : ""));
    w.owner = ALIGN_TOWER_BOTH;
    if (both)
        TRY(visit_projection(&w, params, config));
done:
    return status;
}
