/*
 * torch_objects.c: the names a PyTorch pickle may use, and what they make here: descriptions, never objects.
 *
 *     collections.OrderedDict([items])                                     a dict
 *     torch.FloatStorage, ...                                              an element type
 *     persistent id ("storage", type, key, location, count)                a storage
 *     torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)  a tensor
 *     torch._utils._rebuild_parameter(tensor, requires_grad, hooks)        that tensor
 */
#include "base/status.h"
#include "checkpoint/pickle_stack.h"

#include <string.h>

static const al_torch_global whitelist[] = {
    {"collections", "OrderedDict", AL_TORCH_ORDERED_DICT, ALIGN_F32},
    {"torch._utils", "_rebuild_tensor", AL_TORCH_REBUILD_TENSOR, ALIGN_F32},
    {"torch._utils", "_rebuild_tensor_v2", AL_TORCH_REBUILD_TENSOR, ALIGN_F32},
    {"torch._utils", "_rebuild_parameter", AL_TORCH_REBUILD_PARAMETER, ALIGN_F32},
    {"torch", "FloatStorage", AL_TORCH_STORAGE_TYPE, ALIGN_F32},
    {"torch", "HalfStorage", AL_TORCH_STORAGE_TYPE, ALIGN_F16},
    {"torch", "BFloat16Storage", AL_TORCH_STORAGE_TYPE, ALIGN_BF16},
    {"torch", "DoubleStorage", AL_TORCH_STORAGE_TYPE, ALIGN_F64},
    {"torch", "LongStorage", AL_TORCH_STORAGE_TYPE, ALIGN_I64},
    {"torch", "IntStorage", AL_TORCH_STORAGE_TYPE, ALIGN_I32},
    {"torch", "ShortStorage", AL_TORCH_STORAGE_TYPE, ALIGN_I16},
    {"torch", "CharStorage", AL_TORCH_STORAGE_TYPE, ALIGN_I8},
    {"torch", "ByteStorage", AL_TORCH_STORAGE_TYPE, ALIGN_U8},
    {"torch", "BoolStorage", AL_TORCH_STORAGE_TYPE, ALIGN_BOOL},
};

/* Storage types that exist, but hold elements no align_dtype stands for. */
static const char *const unsupported_storages[] = {"ComplexFloatStorage", "ComplexDoubleStorage", "QUInt8Storage",
                                                   "QInt8Storage",        "QInt32Storage",        "QUInt4x2Storage",
                                                   "QUInt2x4Storage"};

static bool equals(const char *name, size_t size, const char *expected)
{
    return size == strlen(expected) && memcmp(name, expected, size) == 0;
}

align_status al_torch_find_global(al_pickle *p, const char *module, size_t module_size, const char *name,
                                  size_t name_size, al_pickle_value **out, align_error *err)
{
    for (size_t i = 0; i < sizeof whitelist / sizeof *whitelist; i++)
        if (equals(module, module_size, whitelist[i].module) && equals(name, name_size, whitelist[i].name)) {
            const align_status status = al_pickle_new(p, AL_PICKLE_GLOBAL, out, err);
            if (status == ALIGN_OK)
                (*out)->u.global = &whitelist[i];
            return status;
        }
    for (size_t i = 0; i < sizeof unsupported_storages / sizeof *unsupported_storages; i++)
        if (equals(module, module_size, "torch") && equals(name, name_size, unsupported_storages[i]))
            return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "%s: tensors in torch.%s are not supported", p->path,
                                unsupported_storages[i]);
    return al_pickle_error(p, err, "it names %.*s.%.*s, which no file of tensors needs; nothing was executed",
                           (int)(module_size < 100 ? module_size : 100), module,
                           (int)(name_size < 100 ? name_size : 100), name);
}

/* ---- storages ---- */

static align_status remember_storage(al_pickle *p, al_torch_storage *storage, align_error *err)
{
    void *storages = p->storages;
    const align_status status =
        al_pickle_grow(&storages, &p->storage_capacity, p->storage_count + 1, sizeof *p->storages, err);
    p->storages = storages;
    if (status == ALIGN_OK)
        p->storages[p->storage_count++] = storage;
    return status;
}

align_status al_torch_persistent(al_pickle *p, const al_pickle_value *id, al_pickle_value **out, align_error *err)
{
    al_pickle_value *const *field = id->u.list.items;
    const bool is_tuple = id->kind == AL_PICKLE_TUPLE && (id->u.list.count == 5 || id->u.list.count == 6);
    if (!is_tuple || !al_pickle_is_text(field[0], "storage") || field[1]->kind != AL_PICKLE_GLOBAL ||
        field[1]->u.global->function != AL_TORCH_STORAGE_TYPE || field[2]->kind != AL_PICKLE_TEXT ||
        field[4]->kind != AL_PICKLE_INT)
        return al_pickle_error(p, err, "a persistent id is not (\"storage\", type, key, location, count)");
    if (id->u.list.count == 6 && field[5]->kind != AL_PICKLE_NONE)
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED,
                            "%s: views of storages (PyTorch before 0.4) are not supported", p->path);
    const align_dtype dtype = field[1]->u.global->dtype;
    const int64_t count = field[4]->u.integer;
    if (count < 0 || (uint64_t)count > PTRDIFF_MAX / align_dtype_size(dtype))
        return al_pickle_error(p, err, "a storage of %" PRId64 " elements", count);
    al_torch_storage *storage = al_pickle_alloc(p, sizeof *storage);
    if (!storage)
        return al_error_no_memory(err, sizeof *storage);
    *storage = (al_torch_storage){dtype, field[2]->u.text.bytes, field[2]->u.text.size, count, NULL};
    align_status status = remember_storage(p, storage, err);
    if (status == ALIGN_OK)
        status = al_pickle_new(p, AL_PICKLE_STORAGE, out, err);
    if (status == ALIGN_OK)
        (*out)->u.storage = storage;
    return status;
}

/* ---- calls ---- */

/* A tuple of sizes (or a torch.Size, pickled as one). */
static align_status read_sizes(const al_pickle *p, const al_pickle_value *value, const char *what,
                               int64_t sizes[ALIGN_MAX_RANK], int *rank, align_error *err)
{
    if (value->kind != AL_PICKLE_TUPLE)
        return al_pickle_error(p, err, "a tensor's %s: expected a tuple, found %s", what,
                               al_pickle_kind_name(value->kind));
    if (value->u.list.count > ALIGN_MAX_RANK)
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "%s: a tensor of rank %zu, expected at most %d", p->path,
                            value->u.list.count, ALIGN_MAX_RANK);
    *rank = (int)value->u.list.count;
    for (int i = 0; i < *rank; i++) {
        const al_pickle_value *size = value->u.list.items[i];
        if (size->kind != AL_PICKLE_INT || size->u.integer < 0)
            return al_pickle_error(p, err, "a tensor's %s: entry %d is not a size", what, i);
        sizes[i] = size->u.integer;
    }
    return ALIGN_OK;
}

static align_status rebuild_tensor(al_pickle *p, const al_pickle_value *arguments, al_pickle_value **out,
                                   align_error *err)
{
    al_pickle_value *const *argument = arguments->u.list.items;
    const size_t count = arguments->u.list.count;
    int stride_rank;
    if (count < 4 || count > 7 || argument[0]->kind != AL_PICKLE_STORAGE || argument[1]->kind != AL_PICKLE_INT ||
        argument[1]->u.integer < 0)
        return al_pickle_error(p, err, "a tensor is not made of (storage, offset, size, stride, ...)");
    al_torch_tensor *tensor = al_pickle_alloc(p, sizeof *tensor);
    if (!tensor)
        return al_error_no_memory(err, sizeof *tensor);
    tensor->storage = argument[0]->u.storage;
    tensor->offset = argument[1]->u.integer;
    align_status status = read_sizes(p, argument[2], "size", tensor->shape, &tensor->rank, err);
    if (status == ALIGN_OK)
        status = read_sizes(p, argument[3], "stride", tensor->stride, &stride_rank, err);
    if (status == ALIGN_OK && stride_rank != tensor->rank)
        status = al_pickle_error(p, err, "a tensor with %d sizes and %d strides", tensor->rank, stride_rank);
    if (status == ALIGN_OK)
        status = al_pickle_new(p, AL_PICKLE_TENSOR, out, err);
    if (status == ALIGN_OK)
        (*out)->u.tensor = tensor;
    return status;
}

/* OrderedDict() and OrderedDict([(key, value), ...]). */
static align_status ordered_dict(al_pickle *p, const al_pickle_value *arguments, al_pickle_value **out,
                                 align_error *err)
{
    const align_status status = al_pickle_new(p, AL_PICKLE_DICT, out, err);
    if (status != ALIGN_OK || arguments->u.list.count == 0)
        return status;
    const al_pickle_value *pairs = arguments->u.list.items[0];
    if (arguments->u.list.count != 1 || (pairs->kind != AL_PICKLE_LIST && pairs->kind != AL_PICKLE_TUPLE))
        return al_pickle_error(p, err, "an OrderedDict is not made of a list of pairs");
    const size_t count = pairs->u.list.count;
    al_pickle_value **items = al_pickle_alloc(p, 2 * count * sizeof *items);
    if (!items)
        return al_error_no_memory(err, 2 * count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const al_pickle_value *pair = pairs->u.list.items[i];
        if ((pair->kind != AL_PICKLE_LIST && pair->kind != AL_PICKLE_TUPLE) || pair->u.list.count != 2)
            return al_pickle_error(p, err, "an OrderedDict is not made of a list of pairs");
        items[2 * i] = pair->u.list.items[0];
        items[2 * i + 1] = pair->u.list.items[1];
    }
    (*out)->u.list.items = items;
    (*out)->u.list.count = (*out)->u.list.capacity = 2 * count;
    return ALIGN_OK;
}

align_status al_torch_call(al_pickle *p, const al_pickle_value *function, const al_pickle_value *arguments,
                           al_pickle_value **out, align_error *err)
{
    if (function->kind != AL_PICKLE_GLOBAL || arguments->kind != AL_PICKLE_TUPLE)
        return al_pickle_error(p, err, "expected a name called with a tuple, found %s called with %s",
                               al_pickle_kind_name(function->kind), al_pickle_kind_name(arguments->kind));
    switch (function->u.global->function) {
    case AL_TORCH_ORDERED_DICT:
        return ordered_dict(p, arguments, out, err);
    case AL_TORCH_REBUILD_TENSOR:
        return rebuild_tensor(p, arguments, out, err);
    case AL_TORCH_REBUILD_PARAMETER:
        if (arguments->u.list.count != 3 || arguments->u.list.items[0]->kind != AL_PICKLE_TENSOR)
            return al_pickle_error(p, err, "a parameter is not made of (tensor, requires_grad, hooks)");
        *out = arguments->u.list.items[0];
        return ALIGN_OK;
    case AL_TORCH_STORAGE_TYPE:
        break;
    }
    return al_pickle_error(p, err, "%s.%s is not to be called", function->u.global->module, function->u.global->name);
}
