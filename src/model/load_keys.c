/* load_keys.c: matching the keys of a checkpoint, and the lists of those that did not match. */
#include "model/load_keys.h"

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/buffer.h"

#include <stdlib.h>
#include <string.h>

/* ---- keys of the checkpoint ---- */

/* The text with every old replaced; NULL without memory. */
static char *replace_all(const char *text, const char *old, const char *new)
{
    const size_t old_length = strlen(old);
    al_buffer out = {0};
    for (const char *hit; (hit = strstr(text, old)); text = hit + old_length) {
        al_buffer_put(&out, text, (size_t)(hit - text));
        al_buffer_puts(&out, new);
    }
    al_buffer_puts(&out, text);
    if (al_buffer_check(&out, NULL) == ALIGN_OK && out.data)
        return out.data;
    al_buffer_done(&out);
    return NULL;
}

static align_status rename_key(al_file_key *key, const char *name, align_error *err)
{
    key->name = name;
    if (strstr(name, "beta"))
        key->name = key->owned = replace_all(name, "beta", "bias");
    else if (strstr(name, "gamma"))
        key->name = key->owned = replace_all(name, "gamma", "weight");
    return key->name ? ALIGN_OK : al_error_no_memory(err, strlen(name));
}

/* By name; of two with one name the renamed one is first and found, as in the reference. */
static int compare_keys(const void *a, const void *b)
{
    const al_file_key *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (y->owned != NULL) - (x->owned != NULL);
}

/* The first key not below name. */
static size_t lower_bound(const al_key_table *table, const char *name)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(table->keys[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool any_begins_with(const al_key_table *table, const char *prefix)
{
    const size_t i = lower_bound(table, prefix);
    return i < table->count && begins_with(table->keys[i].name, prefix);
}

al_file_key *al_key_table_find(const al_key_table *table, const char *name)
{
    const size_t i = lower_bound(table, name);
    return i < table->count && strcmp(table->keys[i].name, name) == 0 ? &table->keys[i] : NULL;
}

static void choose_prefix(al_key_table *table, align_tower tower)
{
    static const char *const towers[] = {
        [ALIGN_TOWER_BOTH] = "", [ALIGN_TOWER_TEXT] = "text_model.", [ALIGN_TOWER_VISION] = "vision_model."};
    char tower_prefix[sizeof table->prefix];
    strcpy(table->prefix, any_begins_with(table, "align") ? "align." : "");
    strcpy(tower_prefix, table->prefix);
    strcat(tower_prefix, towers[tower]);
    table->tower_found = tower != ALIGN_TOWER_BOTH && any_begins_with(table, tower_prefix);
    if (table->tower_found)
        strcpy(table->prefix, tower_prefix);
}

void al_key_table_done(al_key_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        al_free(table->keys[i].owned);
    al_free(table->keys);
    *table = (al_key_table){0};
}

align_status al_key_table_init(al_key_table *table, const align_tensors *tensors, align_tower tower, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t count = tensors ? align_tensors_count(tensors) : 0;
    *table = (al_key_table){.tensors = tensors};
    table->keys = al_calloc(count, sizeof *table->keys);
    if (!table->keys) {
        status = al_error_no_memory(err, count * sizeof *table->keys);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        table->keys[i].index = i;
        TRY(rename_key(&table->keys[i], align_tensors_name(tensors, i), err));
        table->count++;
    }
    if (count)
        qsort(table->keys, count, sizeof *table->keys, compare_keys);
    choose_prefix(table, tower);
done:
    if (status != ALIGN_OK)
        al_key_table_done(table);
    return status;
}

/* ---- the report ---- */

void al_name_list_free(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        al_free((void *)(uintptr_t)names[i]);
    al_free((void *)(uintptr_t)names);
}

align_status al_name_list_add(al_name_list *list, const char *prefix, const char *name, align_error *err)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? list->capacity * 2 : 16;
        char **names = al_realloc(list->names, capacity * sizeof *names);
        if (!names)
            return al_error_no_memory(err, capacity * sizeof *names);
        list->names = names;
        list->capacity = capacity;
    }
    list->names[list->count] = al_format("%s%s", prefix, name);
    if (!list->names[list->count])
        return al_error_no_memory(err, strlen(name));
    list->count++;
    return ALIGN_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void al_name_list_sort(al_name_list *list)
{
    if (list->count)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
}

/* Buffers that older versions saved and this one makes itself. */
static bool is_old_buffer(const al_key_table *table, const char *name, align_tower tower)
{
    if (!begins_with(name, table->prefix) || tower == ALIGN_TOWER_VISION)
        return false;
    name += strlen(table->prefix);
    if (tower == ALIGN_TOWER_BOTH) {
        if (!begins_with(name, "text_model."))
            return false;
        name += strlen("text_model.");
    }
    return strcmp(name, "embeddings.position_ids") == 0 || strcmp(name, "embeddings.token_type_ids") == 0;
}

align_status al_list_unexpected(al_name_list *list, const al_key_table *table, align_tower tower, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < table->count; i++) {
        const al_file_key *key = &table->keys[i];
        const bool elsewhere = table->tower_found && !begins_with(key->name, table->prefix);
        const bool again = i > 0 && strcmp(key->name, key[-1].name) == 0;
        if (key->fate == AL_FATE_UNUSED && !elsewhere && !again && !is_old_buffer(table, key->name, tower))
            TRY(al_name_list_add(list, "", key->name, err));
    }
done:
    return status;
}

static int compare_indexes(const void *a, const void *b)
{
    const al_file_key *const x = *(const al_file_key *const *)a, *const y = *(const al_file_key *const *)b;
    return (x->index > y->index) - (x->index < y->index);
}

/* In the order of the checkpoint. */
align_status al_list_mismatched(al_name_list *list, const al_key_table *table, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t n = 0;
    const al_file_key **keys = al_calloc(table->count, sizeof *keys);
    if (!keys)
        return al_error_no_memory(err, table->count * sizeof *keys);
    for (size_t i = 0; i < table->count; i++)
        if (table->keys[i].fate == AL_FATE_MISMATCHED)
            keys[n++] = &table->keys[i];
    if (n)
        qsort(keys, n, sizeof *keys, compare_indexes);
    for (size_t i = 0; i < n; i++)
        TRY(al_name_list_add(list, "", keys[i]->name, err));
done:
    al_free(keys);
    return status;
}
