/* safetensors.c: reading and writing the safetensors format. */
#include "checkpoint/safetensors.h"

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/convert.h"
#include "checkpoint/json.h"

#include <stdlib.h>
#include <string.h>

/* The reference's own limit. */
#define HEADER_LIMIT 100000000u
#define LENGTH_SIZE  8u
#define METADATA     "__metadata__"

/* ---- reading ---- */

typedef struct range {
    uint64_t start, end;
    const char *name;
} range;

typedef struct reader {
    align_tensors *tensors;
    const char *path;
    const uint8_t *payload;
    uint64_t payload_size;
    range *ranges;
    size_t range_count;
} reader;

static align_status parse_header(json_t **header, size_t *header_size, const uint8_t *data, size_t size,
                                 const char *path, align_error *err)
{
    uint64_t length = 0;
    if (size < LENGTH_SIZE)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: %zu bytes, too short for a safetensors or PyTorch file", path,
                            size);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | data[i];
    if (length > HEADER_LIMIT)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: neither safetensors nor PyTorch: header length %" PRIu64 ", expected at most %u", path,
                            length, HEADER_LIMIT);
    if (length > size - LENGTH_SIZE)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: truncated: a header of %" PRIu64 " bytes in a file of %zu bytes", path, length, size);
    *header_size = LENGTH_SIZE + (size_t)length;
    const align_status status =
        al_json_parse_strict(header, (const char *)data + LENGTH_SIZE, (size_t)length, path, err);
    if (status != ALIGN_OK)
        al_error_prefix(err, "safetensors header");
    return status;
}

/* A non-negative integer; false for anything else. */
static bool get_size(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = json_integer_value(value);
    return true;
}

static align_status read_metadata(reader *r, const json_t *metadata, align_error *err)
{
    if (json_is_null(metadata))
        return ALIGN_OK;
    if (!json_is_object(metadata))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: __metadata__ is not an object", r->path);
    json_t *readable = (json_t *)(uintptr_t)metadata; /* iterating changes nothing */
    for (void *i = json_object_iter(readable); i; i = json_object_iter_next(readable, i)) {
        const char *key = json_object_iter_key(i), *value = json_string_value(json_object_iter_value(i));
        if (!value)
            return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: __metadata__.%s is not a string", r->path, key);
        const align_status status = al_tensors_set_metadata(r->tensors, key, value, err);
        if (status != ALIGN_OK)
            return status;
    }
    return ALIGN_OK;
}

static align_status read_shape(align_tensor *tensor, const json_t *shape, const reader *r, const char *name,
                               align_error *err)
{
    if (!json_is_array(shape))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s: no shape, or not an array", r->path, name);
    const size_t rank = json_array_size(shape);
    if (rank > ALIGN_MAX_RANK)
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "%s: tensor %s: rank %zu, expected at most %d", r->path, name,
                            rank, ALIGN_MAX_RANK);
    tensor->rank = (int)rank;
    for (size_t i = 0; i < rank; i++)
        if (!get_size(json_array_get(shape, i), &tensor->shape[i]))
            return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s: axis %zu of its shape is not a size", r->path,
                                name, i);
    return ALIGN_OK;
}

static align_status read_tensor(reader *r, const char *name, const json_t *info, align_error *err)
{
    align_tensor tensor = {0};
    int64_t start, end;
    size_t bytes;
    const char *dtype = json_string_value(json_object_get(info, "dtype"));
    const json_t *offsets = json_object_get(info, "data_offsets");
    if (!dtype)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s: no dtype, or not a string", r->path, name);
    if (!al_dtype_from_safetensors(&tensor.dtype, dtype))
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "%s: tensor %s: dtype %s is not supported", r->path, name,
                            dtype);
    const align_status status = read_shape(&tensor, json_object_get(info, "shape"), r, name, err);
    if (status != ALIGN_OK)
        return status;
    if (json_array_size(offsets) != 2 || !get_size(json_array_get(offsets, 0), &start) ||
        !get_size(json_array_get(offsets, 1), &end))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s: data_offsets is not two sizes", r->path, name);
    if (start > end || (uint64_t)end > r->payload_size)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: tensor %s: data_offsets [%" PRId64 ", %" PRId64 "] in a payload of %" PRIu64 " bytes",
                            r->path, name, start, end, r->payload_size);
    if (!al_shape_bytes(tensor.dtype, tensor.rank, tensor.shape, &bytes))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s: its shape is too large", r->path, name);
    if (bytes != (uint64_t)(end - start))
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: tensor %s: its shape takes %zu bytes, its data_offsets span %" PRId64, r->path, name,
                            bytes, end - start);
    r->ranges[r->range_count++] = (range){(uint64_t)start, (uint64_t)end, name};
    tensor.data = r->payload + start;
    return al_tensors_put_mapped(r->tensors, name, &tensor, err);
}

static int compare_ranges(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The payload must be covered once, from its first byte to its last. */
static align_status check_coverage(const reader *r, align_error *err)
{
    uint64_t covered = 0;
    if (r->range_count)
        qsort(r->ranges, r->range_count, sizeof *r->ranges, compare_ranges);
    for (size_t i = 0; i < r->range_count; i++) {
        const range *at = &r->ranges[i];
        if (at->start != covered)
            return al_error_set(
                err, ALIGN_ERROR_FORMAT, "%s: tensor %s: begins at byte %" PRIu64 " of the payload, %s byte %" PRIu64,
                r->path, at->name, at->start,
                at->start < covered ? "overlapping the one that ends at" : "leaving a hole from", covered);
        covered = at->end;
    }
    if (covered != r->payload_size)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "%s: %" PRIu64 " bytes of payload, of which its tensors cover %" PRIu64, r->path,
                            r->payload_size, covered);
    return ALIGN_OK;
}

align_status al_safetensors_read(align_tensors *tensors, const uint8_t *data, size_t size, const char *path,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *header = NULL;
    size_t header_size = 0;
    reader r = {.tensors = tensors, .path = path};
    TRY(parse_header(&header, &header_size, data, size, path, err));
    if (!json_is_object(header))
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: the safetensors header is not an object", path);
    r.payload = data + header_size;
    r.payload_size = size - header_size;
    r.ranges = al_calloc(json_object_size(header), sizeof *r.ranges);
    if (!r.ranges) {
        status = al_error_no_memory(err, json_object_size(header) * sizeof *r.ranges);
        goto done;
    }
    for (void *i = json_object_iter(header); i; i = json_object_iter_next(header, i)) {
        const char *name = json_object_iter_key(i);
        if (strcmp(name, METADATA) == 0)
            TRY(read_metadata(&r, json_object_iter_value(i), err));
        else
            TRY(read_tensor(&r, name, json_object_iter_value(i), err));
    }
    TRY(check_coverage(&r, err));
done:
    al_free(r.ranges);
    json_decref(header);
    return status;
}

/* ---- writing ---- */

/* The order of the crate's dtype enumeration, which is the order of payloads from the last to the first. */
static int payload_rank(align_dtype dtype)
{
    static const align_dtype order[ALIGN_DTYPE_COUNT] = {ALIGN_I64, ALIGN_F64, ALIGN_F32, ALIGN_I32, ALIGN_BF16,
                                                         ALIGN_F16, ALIGN_I16, ALIGN_I8,  ALIGN_U8,  ALIGN_BOOL};
    int i = 0;
    while (order[i] != dtype)
        i++;
    return i;
}

static int compare_items(const void *a, const void *b)
{
    const al_save_item *x = *(const al_save_item *const *)a, *y = *(const al_save_item *const *)b;
    const int difference = payload_rank(x->dtype) - payload_rank(y->dtype);
    return difference ? difference : strcmp(x->name, y->name);
}

typedef struct plan {
    const al_save_item **items; /* in the order of the payload */
    size_t count;
    const char *metadata;
    size_t alignment; /* of the payload */
} plan;

static align_status format_header(al_buffer *header, const plan *p, align_error *err)
{
    const al_save_item *const *items = (const al_save_item *const *)p->items;
    size_t start = 0;
    al_buffer_puts(header, "{\"" METADATA "\":");
    al_buffer_puts(header, p->metadata);
    for (size_t i = 0; i < p->count; i++) {
        const align_tensor *tensor = items[i]->tensor;
        size_t end;
        if (strcmp(items[i]->name, METADATA) == 0)
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no tensor of a safetensors file may be called %s",
                                METADATA);
        if (!al_add(start, al_save_item_bytes(items[i]), &end))
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "tensor %s: too many bytes for one file",
                                items[i]->name);
        al_buffer_putc(header, ',');
        al_json_put_string(header, items[i]->name, AL_JSON_KEEP_UTF8);
        al_buffer_format(header, ":{\"dtype\":\"%s\",\"shape\":[", align_dtype_name(items[i]->dtype));
        for (int axis = 0; axis < tensor->rank; axis++)
            al_buffer_format(header, "%s%" PRId64, axis ? "," : "", tensor->shape[axis]);
        al_buffer_format(header, "],\"data_offsets\":[%zu,%zu]}", start, end);
        start = end;
    }
    al_buffer_putc(header, '}');
    while ((LENGTH_SIZE + header->size) % p->alignment && !header->failed)
        al_buffer_putc(header, ' ');
    return al_buffer_check(header, err);
}

static align_status write_file(const plan *p, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer header = {0}, length = {0};
    al_writer *writer = NULL;
    TRY(format_header(&header, p, err));
    al_buffer_put_le(&length, header.size, (int)LENGTH_SIZE);
    TRY(al_buffer_check(&length, err));
    TRY(al_writer_open(&writer, path, err));
    TRY(al_writer_write(writer, length.data, length.size, err));
    TRY(al_writer_write(writer, header.data, header.size, err));
    for (size_t i = 0; i < p->count; i++)
        TRY(al_tensor_write(p->items[i]->tensor, p->items[i]->dtype, writer, err));
    status = al_writer_commit(writer, err);
    writer = NULL;
done:
    al_writer_abort(writer);
    al_buffer_done(&length);
    al_buffer_done(&header);
    return status;
}

static align_status write_items(const al_save_item *items, size_t count, bool sort, const char *metadata,
                                size_t alignment, const char *path, align_error *err)
{
    plan p = {al_calloc(count, sizeof *p.items), count, metadata, alignment};
    if (!p.items)
        return al_error_no_memory(err, count * sizeof *p.items);
    for (size_t i = 0; i < count; i++)
        p.items[i] = &items[i];
    if (sort && count)
        qsort(p.items, count, sizeof *p.items, compare_items);
    const align_status status = write_file(&p, path, err);
    al_free(p.items);
    return status;
}

align_status al_safetensors_write(const al_save_item *items, size_t count, const char *path, align_error *err)
{
    return write_items(items, count, true, "{\"format\":\"pt\"}", LENGTH_SIZE, path, err);
}

align_status al_safetensors_write_aligned(const al_save_item *items, size_t count, const char *metadata,
                                          size_t alignment, const char *path, align_error *err)
{
    return write_items(items, count, false, metadata, alignment, path, err);
}
