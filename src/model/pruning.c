/* pruning.c: the key pruned_heads of a text config. */
#include "model/pruning.h"

#include "base/memory.h"
#include "base/status.h"
#include "model/extra.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "pruned_heads"

/* A key of the object as a layer's number, or -1. */
static int64_t layer_number(const char *key)
{
    char *end;
    const long long n = strtoll(key, &end, 10);
    return end != key && *end == '\0' && n >= 0 ? n : -1;
}

static align_status mark_heads(const align_text_config *config, const char *key, const json_t *heads, bool *pruned,
                               align_error *err)
{
    if (!json_is_array(heads))
        return al_error_set(err, ALIGN_ERROR_FORMAT, KEY ": layer %s: expected a list of heads", key);
    for (size_t i = 0; i < json_array_size(heads); i++) {
        const json_t *head = json_array_get(heads, i);
        const int64_t h = json_is_integer(head) ? json_integer_value(head) : -1;
        if (h < 0 || h >= config->num_attention_heads)
            return al_error_set(err, ALIGN_ERROR_FORMAT, KEY ": layer %s: expected heads from 0 to %" PRId64, key,
                                config->num_attention_heads - 1);
        pruned[h] = true;
    }
    return ALIGN_OK;
}

align_status al_pruned_heads_get(const align_text_config *config, int64_t layer, bool *pruned, int64_t *left,
                                 align_error *err)
{
    json_t *object = (json_t *)(uintptr_t)al_extra_get(config->extra, KEY); /* jansson's iterators change nothing */
    const size_t heads = (size_t)config->num_attention_heads;
    const char *key;
    json_t *list;
    memset(pruned, 0, heads);
    if (object && !json_is_object(object))
        return al_error_set(err, ALIGN_ERROR_FORMAT, KEY ": expected an object");
    json_object_foreach(object, key, list)
    {
        if (layer_number(key) != layer)
            continue;
        const align_status status = mark_heads(config, key, list, pruned, err);
        if (status != ALIGN_OK)
            return status;
    }
    *left = 0;
    for (size_t h = 0; h < heads; h++)
        *left += !pruned[h];
    return ALIGN_OK;
}

align_status al_pruned_heads_set(align_text_config *config, int64_t layer, const bool *pruned, align_error *err)
{
    align_status status = ALIGN_OK;
    char key[24];
    json_t *layers = NULL, *heads = json_array();
    const json_t *before = al_extra_get(config->extra, KEY);
    layers = before ? json_deep_copy(before) : json_object();
    if (!heads || !layers) {
        status = al_extra_no_memory(err);
        goto done;
    }
    for (int64_t h = 0; h < config->num_attention_heads; h++)
        if (pruned[h] && json_array_append_new(heads, json_integer(h)) != 0) {
            status = al_extra_no_memory(err);
            goto done;
        }
    snprintf(key, sizeof key, "%" PRId64, layer);
    if (json_object_set(layers, key, heads) != 0) {
        status = al_extra_no_memory(err);
        goto done;
    }
    TRY(al_extra_set(&config->extra, KEY, json_incref(layers), err));
done:
    json_decref(heads);
    json_decref(layers);
    return status;
}

align_status al_pruned_heads_check(const align_text_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = (json_t *)(uintptr_t)al_extra_get(config->extra, KEY);
    const char *key;
    json_t *list;
    bool *pruned = al_alloc((size_t)config->num_attention_heads);
    if (!pruned) {
        status = al_error_no_memory(err, (size_t)config->num_attention_heads);
        goto done;
    }
    json_object_foreach(object, key, list)
    {
        int64_t left;
        const int64_t layer = layer_number(key);
        if (layer < 0 || layer >= config->num_hidden_layers)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, KEY ": expected layers from 0 to %" PRId64 ", found \"%s\"",
                 config->num_hidden_layers - 1, key);
        TRY(al_pruned_heads_get(config, layer, pruned, &left, err));
        if (left == 0)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, KEY ": layer %s keeps no head", key);
    }
done:
    al_free(pruned);
    return status;
}
