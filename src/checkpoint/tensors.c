/*
 * tensors.c: the ordered collection of named tensors.
 *
 * Each entry is its own allocation, so that pointers handed out stay valid while others are added. The hash table holds
 * entry numbers plus one (0: free), is searched linearly from the hash on and is kept at most half full.
 */
#include "checkpoint/tensors.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"
#include "checkpoint/convert.h"
#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch_file.h"

#include <string.h>

typedef struct entry {
    align_tensor tensor;
    void *owned; /* NULL when the bytes are a map's or the caller's */
    char name[];
} entry;

typedef struct pair {
    char *key, *value;
} pair;

struct align_tensors {
    entry **entries;
    size_t count, capacity;
    size_t *slots; /* slot_count is a power of two */
    size_t slot_count;
    al_map *maps;
    size_t map_count;
    pair *metadata;
    size_t metadata_count;
};

align_status align_tensors_new(align_tensors **out, align_error *err)
{
    *out = al_calloc(1, sizeof **out);
    return *out ? ALIGN_OK : al_error_no_memory(err, sizeof **out);
}

void align_tensors_free(align_tensors *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        al_free_aligned(t->entries[i]->owned);
        al_free(t->entries[i]);
    }
    for (size_t i = 0; i < t->map_count; i++)
        al_map_close(&t->maps[i]);
    for (size_t i = 0; i < t->metadata_count; i++) {
        al_free(t->metadata[i].key);
        al_free(t->metadata[i].value);
    }
    al_free(t->entries);
    al_free(t->slots);
    al_free(t->maps);
    al_free(t->metadata);
    al_free(t);
}

/* ---- looking up ---- */

static uint64_t hash(const char *name)
{
    const uint64_t h = al_hash(AL_HASH_START, name, strlen(name));
    return h ^ h >> 32;
}

/* The slot that holds the name, or the free one where it belongs. There must be a free slot. */
static size_t find_slot(const align_tensors *t, const char *name)
{
    size_t slot = (size_t)hash(name) & (t->slot_count - 1);
    while (t->slots[slot] && strcmp(t->entries[t->slots[slot] - 1]->name, name) != 0)
        slot = (slot + 1) & (t->slot_count - 1);
    return slot;
}

static entry *find(const align_tensors *t, const char *name)
{
    if (t->count == 0)
        return NULL;
    const size_t found = t->slots[find_slot(t, name)];
    return found ? t->entries[found - 1] : NULL;
}

size_t align_tensors_count(const align_tensors *t)
{
    return t->count;
}

const char *align_tensors_name(const align_tensors *t, size_t i)
{
    return i < t->count ? t->entries[i]->name : NULL;
}

const align_tensor *align_tensors_at(const align_tensors *t, size_t i)
{
    return i < t->count ? &t->entries[i]->tensor : NULL;
}

const align_tensor *align_tensors_get(const align_tensors *t, const char *name)
{
    const entry *found = name ? find(t, name) : NULL;
    return found ? &found->tensor : NULL;
}

const char *align_tensors_metadata(const align_tensors *t, const char *key)
{
    for (size_t i = 0; i < t->metadata_count; i++)
        if (strcmp(t->metadata[i].key, key) == 0)
            return t->metadata[i].value;
    return NULL;
}

/* ---- adding ---- */

/* Room for one entry more in the list and in the table. */
static align_status reserve(align_tensors *t, align_error *err)
{
    if (t->count < t->capacity)
        return ALIGN_OK;
    const size_t capacity = t->capacity ? t->capacity * 2 : 64;
    size_t *slots = al_calloc(capacity * 2, sizeof *slots);
    entry **entries = al_realloc(t->entries, capacity * sizeof *entries);
    if (entries)
        t->entries = entries;
    if (!slots || !entries) {
        al_free(slots);
        return al_error_no_memory(err, capacity * sizeof *entries);
    }
    al_free(t->slots);
    t->slots = slots;
    t->slot_count = capacity * 2;
    t->capacity = capacity;
    for (size_t i = 0; i < t->count; i++)
        t->slots[find_slot(t, t->entries[i]->name)] = i + 1;
    return ALIGN_OK;
}

align_status al_tensors_put(align_tensors *t, const char *name, const align_tensor *tensor, void *owned,
                            align_error *err)
{
    align_status status = ALIGN_OK;
    entry *e = find(t, name);
    if (e) {
        al_free_aligned(e->owned);
        e->tensor = *tensor;
        e->owned = owned;
        return ALIGN_OK;
    }
    const size_t length = strlen(name);
    TRY(reserve(t, err));
    e = al_alloc(sizeof *e + length + 1);
    if (!e) {
        status = al_error_no_memory(err, sizeof *e + length + 1);
        goto done;
    }
    memcpy(e->name, name, length + 1);
    e->tensor = *tensor;
    e->owned = owned;
    owned = NULL;
    t->slots[find_slot(t, name)] = t->count + 1;
    t->entries[t->count++] = e;
done:
    al_free_aligned(owned);
    return status;
}

align_status al_tensor_copy(void **owned, align_tensor *tensor, align_error *err)
{
    const size_t bytes = (size_t)align_tensor_elements(tensor) * align_dtype_size(tensor->dtype);
    *owned = al_alloc_aligned(bytes);
    if (!*owned)
        return al_error_no_memory(err, bytes);
    if (bytes)
        memcpy(*owned, tensor->data, bytes);
    tensor->data = *owned;
    return ALIGN_OK;
}

align_status al_tensors_put_mapped(align_tensors *t, const char *name, const align_tensor *tensor, align_error *err)
{
    if ((uintptr_t)tensor->data % align_dtype_size(tensor->dtype) == 0)
        return al_tensors_put(t, name, tensor, NULL, err);
    align_tensor copy = *tensor;
    void *owned;
    const align_status status = al_tensor_copy(&owned, &copy, err);
    return status == ALIGN_OK ? al_tensors_put(t, name, &copy, owned, err) : status;
}

static align_status check_new(const align_tensors *t, const char *name, const align_tensor *tensor, align_error *err)
{
    if (!t || !name)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "adding a tensor: no %s given",
                            t ? "name" : "collection");
    if (!al_is_utf8(name, strlen(name)))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "adding a tensor: its name is not UTF-8");
    return al_tensor_check(tensor, name, err);
}

align_status align_tensors_add(align_tensors *t, const char *name, const align_tensor *tensor, align_error *err)
{
    align_status status = check_new(t, name, tensor, err);
    if (status != ALIGN_OK)
        return status;
    align_tensor copy = *tensor;
    void *owned;
    status = al_tensor_copy(&owned, &copy, err);
    return status == ALIGN_OK ? al_tensors_put(t, name, &copy, owned, err) : status;
}

align_status align_tensors_add_view(align_tensors *t, const char *name, const align_tensor *tensor, align_error *err)
{
    const align_status status = check_new(t, name, tensor, err);
    return status == ALIGN_OK ? al_tensors_put(t, name, tensor, NULL, err) : status;
}

align_status al_tensors_adopt_map(align_tensors *t, al_map *map, align_error *err)
{
    al_map *maps = al_realloc(t->maps, (t->map_count + 1) * sizeof *maps);
    if (!maps) {
        al_map_close(map);
        return al_error_no_memory(err, (t->map_count + 1) * sizeof *maps);
    }
    t->maps = maps;
    t->maps[t->map_count++] = *map;
    *map = (al_map){NULL, 0};
    return ALIGN_OK;
}

void al_tensors_release(const align_tensors *t, const align_tensor *tensor)
{
    const uintptr_t at = (uintptr_t)tensor->data;
    for (size_t i = 0; i < t->map_count; i++) {
        const uintptr_t begin = (uintptr_t)t->maps[i].data;
        if (at >= begin && at - begin < t->maps[i].size)
            al_map_release(&t->maps[i], at - begin,
                           (size_t)align_tensor_elements(tensor) * align_dtype_size(tensor->dtype));
    }
}

align_status al_tensors_set_metadata(align_tensors *t, const char *key, const char *value, align_error *err)
{
    pair *pairs = al_realloc(t->metadata, (t->metadata_count + 1) * sizeof *pairs);
    if (!pairs)
        return al_error_no_memory(err, (t->metadata_count + 1) * sizeof *pairs);
    t->metadata = pairs;
    const pair copy = {al_strdup(key), al_strdup(value)};
    if (!copy.key || !copy.value) {
        al_free(copy.key);
        al_free(copy.value);
        return al_error_no_memory(err, strlen(key) + strlen(value));
    }
    t->metadata[t->metadata_count++] = copy;
    return ALIGN_OK;
}

/* ---- opening one file ---- */

align_status al_tensors_load_file(align_tensors *t, const char *path, align_error *err)
{
    static const char pointer[] = "version https://git-lfs";
    al_map map;
    align_status status = al_map_open(&map, path, err);
    if (status != ALIGN_OK)
        return status;
    const uint8_t *data = map.data;
    const size_t size = map.size;
    status = al_tensors_adopt_map(t, &map, err); /* first: tensors will point into it */
    if (status != ALIGN_OK)
        return status;
    if (size >= sizeof pointer - 1 && memcmp(data, pointer, sizeof pointer - 1) == 0)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: a Git LFS pointer, not the file it stands for (fetch it with git lfs pull)", path);
    if (al_is_torch_file(data, size))
        return al_torch_read(t, data, size, path, err);
    return al_safetensors_read(t, data, size, path, err);
}

align_status align_tensors_open(align_tensors **out, const char *path, align_error *err)
{
    align_tensors *t = NULL;
    align_status status = ALIGN_OK;
    *out = NULL;
    if (!path)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "opening tensors: no path given");
    TRY(align_tensors_new(&t, err));
    TRY(al_tensors_load_file(t, path, err));
    *out = t;
    t = NULL;
done:
    align_tensors_free(t);
    return status;
}

/* ---- saving one file ---- */

size_t al_save_item_bytes(const al_save_item *item)
{
    return (size_t)align_tensor_elements(item->tensor) * align_dtype_size(item->dtype);
}

/* The collection as items, freed with al_free; NULL without memory. */
static al_save_item *list_items(const align_tensors *t)
{
    al_save_item *items = al_calloc(t->count, sizeof *items);
    for (size_t i = 0; items && i < t->count; i++)
        items[i] = (al_save_item){t->entries[i]->name, &t->entries[i]->tensor, t->entries[i]->tensor.dtype};
    return items;
}

align_status align_tensors_save(const align_tensors *t, const char *path, align_error *err)
{
    if (!t || !path)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "saving tensors: no %s given",
                            t ? "path" : "collection");
    al_save_item *items = list_items(t);
    if (!items)
        return al_error_no_memory(err, t->count * sizeof *items);
    const align_status status = al_safetensors_write(items, t->count, path, err);
    al_free(items);
    return status;
}

/* {"key":"value",...} */
static align_status format_metadata(al_buffer *out, const align_tensors *t, align_error *err)
{
    al_buffer_putc(out, '{');
    for (size_t i = 0; i < t->metadata_count; i++) {
        al_buffer_puts(out, i ? "," : "");
        al_json_put_string(out, t->metadata[i].key, AL_JSON_KEEP_UTF8);
        al_buffer_putc(out, ':');
        al_json_put_string(out, t->metadata[i].value, AL_JSON_KEEP_UTF8);
    }
    al_buffer_putc(out, '}');
    return al_buffer_check(out, err);
}

align_status al_tensors_save_aligned(const align_tensors *t, size_t alignment, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer metadata = {0};
    al_save_item *items = list_items(t);
    if (!items) {
        status = al_error_no_memory(err, t->count * sizeof *items);
        goto done;
    }
    TRY(format_metadata(&metadata, t, err));
    TRY(al_safetensors_write_aligned(items, t->count, metadata.data, alignment, path, err));
done:
    al_buffer_done(&metadata);
    al_free(items);
    return status;
}
