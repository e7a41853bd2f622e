/*
 * torch_file.c: from a PyTorch file's bytes to tensors: unpickle the descriptions, find the bytes of each storage in
 * the container, then check every tensor against its storage.
 *
 * The zip container keeps storage K as the entry <root>/data/K. The older one has five pickles (magic number, protocol,
 * facts about the system, the object, the keys in order) and then for each key an i64 count and the raw elements.
 */
#include "checkpoint/torch_file.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"
#include "checkpoint/buffer.h"
#include "checkpoint/convert.h"
#include "checkpoint/pickle.h"
#include "checkpoint/zip.h"

#include <stdlib.h>
#include <string.h>

/* A larger pickle does not describe tensors: a megabyte describes ten thousand. */
#define PICKLE_LIMIT ((size_t)256 << 20)

/* Copies of views may exceed the file a few times, not a thousand times; small files may share a small storage often.
 */
#define COPY_FLOOR ((size_t)64 << 20)
#define COPY_RATIO 4

/* The legacy container's magic number, 0x1950a86a20f9469cfc6c. */
static const uint8_t magic_number[] = {0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};

/* Where tensors without elements point. */
static const _Alignas(64) uint8_t nothing[64];

typedef struct reader {
    align_tensors *tensors;
    const uint8_t *data;
    size_t size;
    const char *path;
    size_t copy_left; /* bytes that copies of views may still take */
} reader;

bool al_is_torch_file(const uint8_t *data, size_t size)
{
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return true;
    /* A pickle begins 0x80, protocol; as the length of a safetensors header that would be beyond the limit. */
    return size > 8 && data[0] == 0x80 && data[1] <= 5 && data[3] != 0 && data[8] != '{';
}

/* ---- tensors ---- */

static int64_t element_count(const al_torch_tensor *t, bool *overflow)
{
    size_t bytes;
    *overflow = !al_shape_bytes(t->storage->dtype, t->rank, t->shape, &bytes);
    return *overflow ? 0 : (int64_t)(bytes / align_dtype_size(t->storage->dtype));
}

static bool is_contiguous(const al_torch_tensor *t)
{
    int64_t expected = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->shape[i];
    }
    return true;
}

/* The last element the strides reach must lie in the storage. */
static bool fits(const al_torch_tensor *t)
{
    size_t last = (size_t)t->offset;
    for (int i = 0; i < t->rank; i++) {
        size_t reach;
        if (!al_mul((size_t)t->shape[i] - 1, (size_t)t->stride[i], &reach) || !al_add(last, reach, &last))
            return false;
    }
    return last < (size_t)t->storage->count;
}

/* Copies the elements in row-major order, stepping an index per axis like an odometer. */
static void gather(const al_torch_tensor *t, int64_t count, uint8_t *out)
{
    const size_t size = align_dtype_size(t->storage->dtype);
    const uint8_t *const base = t->storage->data + (size_t)t->offset * size;
    int64_t index[ALIGN_MAX_RANK] = {0};
    size_t at = 0; /* wraps where the huge stride of an axis of one is added and taken back */
    for (int64_t n = 0; n < count; n++) {
        memcpy(out + (size_t)n * size, base + at * size, size);
        for (int axis = t->rank - 1; axis >= 0; axis--) {
            at += (size_t)t->stride[axis];
            if (++index[axis] < t->shape[axis])
                break;
            at -= (size_t)t->stride[axis] * (size_t)t->shape[axis];
            index[axis] = 0;
        }
    }
}

static align_status add_copy(reader *r, const char *name, const al_torch_tensor *t, int64_t count, align_error *err)
{
    const size_t bytes = (size_t)count * align_dtype_size(t->storage->dtype);
    if (bytes > r->copy_left)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: tensor %s: its views take more memory than such a file should", r->path, name);
    r->copy_left -= bytes;
    void *owned = al_alloc_aligned(bytes);
    if (!owned)
        return al_error_no_memory(err, bytes);
    gather(t, count, owned);
    const align_tensor copy = align_tensor_view(t->storage->dtype, t->rank, t->shape, owned);
    return al_tensors_put(r->tensors, name, &copy, owned, err);
}

static align_status add_tensor(reader *r, const char *name, const al_torch_tensor *t, align_error *err)
{
    bool overflow;
    const int64_t count = element_count(t, &overflow);
    if (overflow || (count > 0 && !fits(t)) || t->offset > t->storage->count)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s reaches beyond its storage of %" PRId64 " elements",
                            r->path, name, t->storage->count);
    const size_t size = align_dtype_size(t->storage->dtype);
    const uint8_t *data = t->storage->data + (size_t)t->offset * size;
    if (count > 0 && (!is_contiguous(t) || (uintptr_t)data % size != 0))
        return add_copy(r, name, t, count, err);
    if (count == 0) /* wherever it would lie, nothing is read */
        data = nothing;
    const align_tensor view = align_tensor_view(t->storage->dtype, t->rank, t->shape, data);
    return al_tensors_put(r->tensors, name, &view, NULL, err);
}

static align_status add_tensors(reader *r, const al_pickle_value *root, align_error *err)
{
    align_status status = ALIGN_OK;
    char *name = NULL;
    if (root->kind != AL_PICKLE_DICT)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: expected a dict of tensors, found %s", r->path,
             al_pickle_kind_name(root->kind));
    for (size_t i = 0; i < root->u.list.count; i += 2) {
        const al_pickle_value *key = root->u.list.items[i], *value = root->u.list.items[i + 1];
        if (key->kind != AL_PICKLE_TEXT || !al_is_utf8(key->u.text.bytes, key->u.text.size))
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: a key of its dict is not a text", r->path);
        al_free(name);
        name = al_strndup(key->u.text.bytes, key->u.text.size);
        if (!name) {
            status = al_error_no_memory(err, key->u.text.size);
            goto done;
        }
        if (value->kind != AL_PICKLE_TENSOR)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s: expected a tensor, found %s", r->path, name,
                 al_pickle_kind_name(value->kind));
        TRY(add_tensor(r, name, value->u.tensor, err));
    }
done:
    al_free(name);
    return status;
}

/* ---- the zip container ---- */

static bool ends_with(const al_zip_entry *entry, const char *end)
{
    const size_t n = strlen(end);
    return entry->name_size >= n && memcmp(entry->name + entry->name_size - n, end, n) == 0;
}

/* The one data.pkl, whose folder is the archive's root. */
static const al_zip_entry *find_pickle(const al_zip *zip)
{
    for (size_t i = 0; i < zip->count; i++)
        if (ends_with(&zip->entries[i], "/data.pkl"))
            return &zip->entries[i];
    return NULL;
}

static align_status find_in_root(const al_zip *zip, const al_zip_entry *pickle, const char *folder, const char *key,
                                 size_t key_size, const al_zip_entry **out, align_error *err)
{
    al_buffer name = {0};
    al_buffer_put(&name, pickle->name, pickle->name_size - strlen("data.pkl"));
    al_buffer_puts(&name, folder);
    al_buffer_put(&name, key, key_size);
    const align_status status = al_buffer_check(&name, err);
    *out = status == ALIGN_OK ? al_zip_find(zip, name.data, name.size) : NULL;
    al_buffer_done(&name);
    return status;
}

static align_status find_storages(const reader *r, const al_zip *zip, const al_zip_entry *pickle,
                                  const al_pickle *program, align_error *err)
{
    for (size_t i = 0; i < program->storage_count; i++) {
        al_torch_storage *storage = program->storages[i];
        const int shown = (int)(storage->key_size < 100 ? storage->key_size : 100);
        const al_zip_entry *entry;
        const align_status status = find_in_root(zip, pickle, "data/", storage->key, storage->key_size, &entry, err);
        if (status != ALIGN_OK)
            return status;
        if (!entry)
            return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: storage %.*s is missing", r->path, shown, storage->key);
        if (entry->size / align_dtype_size(storage->dtype) < (uint64_t)storage->count)
            return al_error_set(err, ALIGN_ERROR_FORMAT,
                                "%s: storage %.*s: expected %" PRId64 " elements of %s, found %zu bytes", r->path,
                                shown, storage->key, storage->count, align_dtype_name(storage->dtype), entry->size);
        storage->data = entry->data;
    }
    return ALIGN_OK;
}

static align_status read_zip(reader *r, align_error *err)
{
    align_status status = ALIGN_OK;
    al_zip zip = {0};
    al_pickle program = {0};
    al_pickle_value *root;
    const al_zip_entry *order;
    TRY(al_zip_open(&zip, r->data, r->size, r->path, err));
    const al_zip_entry *pickle = find_pickle(&zip);
    if (!pickle)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: a zip file, but not PyTorch's: it holds no data.pkl", r->path);
    if (pickle->size > PICKLE_LIMIT)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: a pickle of %zu bytes, more than the limit of %zu", r->path, pickle->size,
             PICKLE_LIMIT);
    TRY(find_in_root(&zip, pickle, "byteorder", "", 0, &order, err));
    if (order && (order->size < 6 || memcmp(order->data, "little", 6) != 0))
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: its byteorder is not little", r->path);
    al_pickle_init(&program, pickle->data, pickle->size, r->path);
    TRY(al_pickle_load(&program, &root, err));
    TRY(find_storages(r, &zip, pickle, &program, err));
    TRY(add_tensors(r, root, err));
done:
    al_pickle_done(&program);
    al_zip_done(&zip);
    return status;
}

/* ---- the legacy container ---- */

static int compare_storages(const void *a, const void *b)
{
    const al_torch_storage *x = *(al_torch_storage *const *)a, *y = *(al_torch_storage *const *)b;
    return al_bytes_compare(x->key, x->key_size, y->key, y->key_size);
}

/* The first storage of that key among sorted ones, or their count. */
static size_t first_of_key(const al_pickle *p, const char *key, size_t key_size)
{
    size_t low = 0, high = p->storage_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (al_bytes_compare(p->storages[middle]->key, p->storages[middle]->key_size, key, key_size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Reads the payload of one key at *at: an i64 count, then the elements; gives it to all storages of that key. */
static align_status read_payload(const reader *r, al_pickle *p, const al_pickle_value *key, size_t *at,
                                 align_error *err)
{
    int64_t count = 0;
    if (key->kind != AL_PICKLE_TEXT)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: a storage's key is not a text", r->path);
    const int shown = (int)(key->u.text.size < 100 ? key->u.text.size : 100);
    const char *text = key->u.text.bytes;
    size_t i = first_of_key(p, text, key->u.text.size);
    if (i == p->storage_count ||
        al_bytes_compare(p->storages[i]->key, p->storages[i]->key_size, text, key->u.text.size))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: no tensor uses storage %.*s", r->path, shown, text);
    if (r->size - *at < sizeof count)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: truncated at storage %.*s", r->path, shown, text);
    memcpy(&count, r->data + *at, sizeof count);
    *at += sizeof count;
    const al_torch_storage first = *p->storages[i];
    const size_t size = align_dtype_size(first.dtype);
    if (count < 0 || (uint64_t)count > (r->size - *at) / size)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: truncated: storage %.*s has %" PRId64 " elements of %s",
                            r->path, shown, text, count, align_dtype_name(first.dtype));
    for (; i < p->storage_count; i++) {
        al_torch_storage *storage = p->storages[i];
        if (al_bytes_compare(storage->key, storage->key_size, text, key->u.text.size) != 0)
            break;
        if (storage->dtype != first.dtype || storage->count > count)
            return al_error_set(err, ALIGN_ERROR_FORMAT,
                                "%s: storage %.*s: expected %" PRId64 " elements of %s, found %" PRId64 " of %s",
                                r->path, shown, text, storage->count, align_dtype_name(storage->dtype), count,
                                align_dtype_name(first.dtype));
        storage->data = r->data + *at;
    }
    *at += (size_t)count * size;
    return ALIGN_OK;
}

static align_status read_storages(const reader *r, al_pickle *p, align_error *err)
{
    al_pickle_value *keys;
    const align_status loaded = al_pickle_load(p, &keys, err);
    if (loaded != ALIGN_OK)
        return loaded;
    if (keys->kind != AL_PICKLE_LIST)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: expected a list of storage keys, found %s", r->path,
                            al_pickle_kind_name(keys->kind));
    if (p->storage_count)
        qsort(p->storages, p->storage_count, sizeof *p->storages, compare_storages);
    size_t at = p->at;
    for (size_t i = 0; i < keys->u.list.count; i++) {
        const align_status status = read_payload(r, p, keys->u.list.items[i], &at, err);
        if (status != ALIGN_OK)
            return status;
    }
    for (size_t i = 0; i < p->storage_count; i++)
        if (!p->storages[i]->data)
            return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: storage %.*s is missing", r->path,
                                (int)(p->storages[i]->key_size < 100 ? p->storages[i]->key_size : 100),
                                p->storages[i]->key);
    return ALIGN_OK;
}

/* sys_info: {"protocol_version": 1001, "little_endian": True, "type_sizes": {...}}. */
static bool is_little_endian(const al_pickle_value *facts)
{
    for (size_t i = 0; facts->kind == AL_PICKLE_DICT && i < facts->u.list.count; i += 2)
        if (al_pickle_is_text(facts->u.list.items[i], "little_endian")) {
            const al_pickle_value *value = facts->u.list.items[i + 1];
            return value->kind == AL_PICKLE_BOOL && value->u.truth;
        }
    return false;
}

static align_status read_legacy(reader *r, align_error *err)
{
    enum { PROTOCOL = 1001 };
    align_status status = ALIGN_OK;
    al_pickle program;
    al_pickle_value *magic, *protocol, *facts, *root;
    al_pickle_init(&program, r->data, r->size, r->path);
    TRY(al_pickle_load(&program, &magic, err));
    if (magic->kind != AL_PICKLE_BIG || magic->u.text.size != sizeof magic_number ||
        memcmp(magic->u.text.bytes, magic_number, sizeof magic_number) != 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: a pickle, but not PyTorch's: its magic number is missing", r->path);
    TRY(al_pickle_load(&program, &protocol, err));
    if (protocol->kind != AL_PICKLE_INT || protocol->u.integer != PROTOCOL)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: not PyTorch's protocol %d", r->path, PROTOCOL);
    TRY(al_pickle_load(&program, &facts, err));
    if (!is_little_endian(facts))
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: not written by a little-endian machine", r->path);
    TRY(al_pickle_load(&program, &root, err));
    TRY(read_storages(r, &program, err));
    TRY(add_tensors(r, root, err));
done:
    al_pickle_done(&program);
    return status;
}

align_status al_torch_read(align_tensors *tensors, const uint8_t *data, size_t size, const char *path, align_error *err)
{
    reader r = {.tensors = tensors, .data = data, .size = size, .path = path};
    r.copy_left = size > (SIZE_MAX - COPY_FLOOR) / COPY_RATIO ? SIZE_MAX : size * COPY_RATIO + COPY_FLOOR;
    return data[0] == 'P' ? read_zip(&r, err) : read_legacy(&r, err);
}
