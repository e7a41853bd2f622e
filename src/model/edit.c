/* edit.c: new models out of old ones: another number of word embeddings, fewer attention heads. */
#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "model/argument.h"
#include "model/init.h"
#include "model/load.h"
#include "model/pruning.h"

#include <stdio.h>
#include <string.h>

static const char *text_prefix(const align_model *model)
{
    return model->tower == ALIGN_TOWER_BOTH ? "text_model." : "";
}

/* What both edits ask: a place for the result, and a model with a text tower. */
static align_status start(align_model **out, const align_model *model, const char *what, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_need(out, "model", err));
    *out = NULL;
    TRY(al_need(model, "model", err));
    if (model->tower == ALIGN_TOWER_VISION)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: a vision model has no text tower", what);
    TRY(al_need_state(model, what, err));
done:
    return status;
}

/* Views of all tensors of a model, so that some can be replaced. */
static align_status view_state(align_tensors **out, const align_model *model, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(align_tensors_new(out, err));
    for (size_t i = 0; i < align_tensors_count(model->state); i++)
        TRY(align_tensors_add_view(*out, align_tensors_name(model->state, i), align_tensors_at(model->state, i), err));
done:
    return status;
}

static align_status rebuild(align_model **out, const align_model *model, const align_config *config,
                            const align_tensors *state, align_error *err)
{
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    options.tower = model->tower;
    options.no_pooler = model->tower != ALIGN_TOWER_VISION && !model->params.text.has_pooler;
    return align_model_from_tensors(out, config, state, &options, err);
}

/* ---- word embeddings ---- */

/* In the dtypes that a model keeps. */
static void store_floats(void *out, align_dtype dtype, const float *values, size_t n)
{
    if (dtype == ALIGN_F16)
        al_f32_to_f16(values, n, out);
    else if (dtype == ALIGN_BF16)
        al_f32_to_bf16(values, n, out);
    else
        memcpy(out, values, n * sizeof *values);
}

/* The first rows of the old table, then draws as al_init_normal makes them, all in the old table's dtype. */
static align_status resize_table(align_tensors *state, const char *name, const align_tensor *old, int64_t n,
                                 double range, uint64_t seed, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t width = (size_t)old->shape[1], row = width * align_dtype_size(old->dtype);
    const int64_t kept = n < old->shape[0] ? n : old->shape[0];
    const size_t fresh = (size_t)(n - kept);
    size_t bytes;
    unsigned char *table = NULL;
    float *draws = NULL;
    if (!al_mul((size_t)n, row, &bytes))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "resize_token_embeddings: %" PRId64 " rows are too many", n);
    table = al_alloc(bytes);
    draws = al_calloc(fresh, width * sizeof *draws);
    if (!table || !draws) {
        status = al_error_no_memory(err, bytes);
        goto done;
    }
    memcpy(table, old->data, (size_t)kept * row);
    al_init_normal(draws, fresh * width, range, seed, name);
    store_floats(table + (size_t)kept * row, old->dtype, draws, fresh * width);
    const align_tensor resized = align_tensor_view(old->dtype, 2, (const int64_t[2]){n, old->shape[1]}, table);
    TRY(align_tensors_add(state, name, &resized, err));
done:
    al_free(table);
    al_free(draws);
    return status;
}

align_status align_model_resize_token_embeddings(align_model **out, const align_model *model, int64_t n, uint64_t seed,
                                                 align_error *err)
{
    align_status status = ALIGN_OK;
    align_config config = {0};
    align_tensors *state = NULL;
    char name[64];
    TRY(start(out, model, "resize_token_embeddings", err));
    if (n < 1)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "resize_token_embeddings: expected at least 1 row, found %" PRId64, n);
    TRY(align_config_copy(&config, &model->config, err));
    config.text_config.vocab_size = n;
    TRY(align_text_config_validate(&config.text_config, err));
    TRY(view_state(&state, model, err));
    snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", text_prefix(model));
    TRY(resize_table(state, name, &model->params.text.word_embeddings, n, config.text_config.initializer_range, seed,
                     err));
    TRY(rebuild(out, model, &config, state, err));
done:
    align_tensors_free(state);
    align_config_done(&config);
    return status;
}

/* ---- heads ---- */

/* What pruning removes: of the heads a layer has, in their order, which stay. */
typedef struct head_choice {
    size_t count, kept;
    size_t head_size;
    bool *keep; /* [count] */
} head_choice;

/* Replaces a tensor seen as [outer, heads, inner] by one without the pruned heads along axis. */
static align_status prune_tensor(align_tensors *state, const char *layer, const char *key, const align_tensor *old,
                                 int axis, const head_choice *choice, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t element = align_dtype_size(old->dtype), total = (size_t)align_tensor_elements(old) * element;
    const size_t outer = axis == 0 ? 1 : (size_t)old->shape[0];
    const size_t piece = total / outer / choice->count;
    const unsigned char *from = old->data;
    unsigned char *data = al_alloc(total), *to = data;
    char *name = al_format("%s%s", layer, key);
    if (!data || !name) {
        status = al_error_no_memory(err, total);
        goto done;
    }
    for (size_t i = 0; i < outer; i++)
        for (size_t h = 0; h < choice->count; h++, from += piece)
            if (choice->keep[h]) {
                memcpy(to, from, piece);
                to += piece;
            }
    align_tensor pruned = align_tensor_view(old->dtype, old->rank, old->shape, data);
    pruned.shape[axis] = (int64_t)(choice->kept * choice->head_size);
    TRY(align_tensors_add(state, name, &pruned, err));
done:
    al_free(data);
    al_free(name);
    return status;
}

static align_status prune_layer(align_tensors *state, const align_model *model, int64_t layer,
                                const head_choice *choice, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_attention_params *a = &model->params.text.layers[layer].attention;
    char prefix[80];
    snprintf(prefix, sizeof prefix, "%sencoder.layer.%" PRId64 ".attention.", text_prefix(model), layer);
    TRY(prune_tensor(state, prefix, "self.query.weight", &a->query.weight, 0, choice, err));
    TRY(prune_tensor(state, prefix, "self.query.bias", &a->query.bias, 0, choice, err));
    TRY(prune_tensor(state, prefix, "self.key.weight", &a->key.weight, 0, choice, err));
    TRY(prune_tensor(state, prefix, "self.key.bias", &a->key.bias, 0, choice, err));
    TRY(prune_tensor(state, prefix, "self.value.weight", &a->value.weight, 0, choice, err));
    TRY(prune_tensor(state, prefix, "self.value.bias", &a->value.bias, 0, choice, err));
    TRY(prune_tensor(state, prefix, "output.dense.weight", &a->output.weight, 1, choice, err));
done:
    return status;
}

/* Marks heads (numbers as before any pruning) in pruned[A], and which of those still there stay. */
static align_status choose_heads(head_choice *choice, bool *pruned, const align_model *model, int64_t layer,
                                 const int64_t *heads, size_t n_heads, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_text_config *config = &model->config.text_config;
    const int64_t all = config->num_attention_heads;
    int64_t left;
    bool *gone = al_calloc((size_t)all, sizeof *gone); /* asked for now */
    if (!gone)
        return al_error_no_memory(err, (size_t)all);
    for (size_t i = 0; i < n_heads; i++) {
        if (heads[i] < 0 || heads[i] >= all)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "prune_heads: expected heads from 0 to %" PRId64 ", found %" PRId64,
                 all - 1, heads[i]);
        gone[heads[i]] = true;
    }
    TRY(al_pruned_heads_get(config, layer, pruned, &left, err));
    for (int64_t h = 0; h < all; h++) {
        if (pruned[h])
            continue;
        choice->keep[choice->count++] = !gone[h];
        choice->kept += !gone[h];
        pruned[h] = gone[h];
    }
    if (choice->kept == 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "prune_heads: layer %" PRId64 " would keep no head", layer);
done:
    al_free(gone);
    return status;
}

align_status align_model_prune_heads(align_model **out, const align_model *model, int64_t layer, const int64_t *heads,
                                     size_t n_heads, align_error *err)
{
    align_status status = ALIGN_OK;
    align_config config = {0};
    align_tensors *state = NULL;
    head_choice choice = {0};
    bool *pruned = NULL;
    TRY(start(out, model, "prune_heads", err));
    const align_text_config *text = &model->config.text_config;
    if (layer < 0 || layer >= text->num_hidden_layers)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "prune_heads: expected a layer from 0 to %" PRId64 ", found %" PRId64,
             text->num_hidden_layers - 1, layer);
    const size_t all = (size_t)text->num_attention_heads;
    pruned = al_calloc(all, sizeof *pruned);
    choice.keep = al_calloc(all, sizeof *choice.keep);
    choice.head_size = (size_t)text->hidden_size / all;
    if (!pruned || !choice.keep) {
        status = al_error_no_memory(err, all);
        goto done;
    }
    TRY(choose_heads(&choice, pruned, model, layer, heads, n_heads, err));
    TRY(align_config_copy(&config, &model->config, err));
    if (choice.kept < choice.count)
        TRY(al_pruned_heads_set(&config.text_config, layer, pruned, err));
    TRY(view_state(&state, model, err));
    TRY(prune_layer(state, model, layer, &choice, err));
    TRY(rebuild(out, model, &config, state, err));
done:
    al_free(pruned);
    al_free(choice.keep);
    align_tensors_free(state);
    align_config_done(&config);
    return status;
}
