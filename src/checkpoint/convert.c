/* convert.c: checking tensors that come from outside, and streaming their elements as another type. */
#include "checkpoint/convert.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"

#include <string.h>

bool al_dtype_from_safetensors(align_dtype *out, const char *name)
{
    for (int i = 0; i < ALIGN_DTYPE_COUNT; i++)
        if (strcmp(name, align_dtype_name((align_dtype)i)) == 0) {
            *out = (align_dtype)i;
            return true;
        }
    return false;
}

bool al_shape_bytes(align_dtype dtype, int rank, const int64_t *shape, size_t *bytes)
{
    size_t n = align_dtype_size(dtype);
    for (int i = 0; i < rank; i++)
        if (shape[i] < 0 || !al_mul(n, (size_t)shape[i], &n))
            return false;
    *bytes = n;
    return n <= PTRDIFF_MAX;
}

align_status al_tensor_check(const align_tensor *tensor, const char *name, align_error *err)
{
    size_t size;
    if (!tensor)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "tensor %s: none given", name);
    if ((unsigned)tensor->dtype >= ALIGN_DTYPE_COUNT)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "tensor %s: no dtype has number %d", name,
                            (int)tensor->dtype);
    if (tensor->rank < 0 || tensor->rank > ALIGN_MAX_RANK)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "tensor %s: expected a rank of 0 to %d, found %d", name,
                            ALIGN_MAX_RANK, tensor->rank);
    if (!al_shape_bytes(tensor->dtype, tensor->rank, tensor->shape, &size))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "tensor %s: an axis is negative or the size too large",
                            name);
    if (size && !tensor->data)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "tensor %s: no data for %zu bytes", name, size);
    return ALIGN_OK;
}

align_status al_tensor_stream(const align_tensor *tensor, align_dtype as, al_take_bytes *take, void *context,
                              align_error *err)
{
    enum { PIECE = 4096 };
    const size_t size = align_dtype_size(tensor->dtype), n = (size_t)align_tensor_elements(tensor);
    if (as == tensor->dtype)
        return take(context, tensor->data, n * size, err);
    const uint8_t *data = tensor->data;
    float wide[PIECE];
    uint16_t narrow[PIECE];
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t m = n - i < PIECE ? n - i : PIECE;
        const void *piece = as == ALIGN_F32 ? (const void *)wide : narrow;
        al_to_f32(tensor->dtype, data + i * size, m, wide);
        if (as == ALIGN_F16)
            al_f32_to_f16(wide, m, narrow);
        else if (as == ALIGN_BF16)
            al_f32_to_bf16(wide, m, narrow);
        const align_status status = take(context, piece, m * align_dtype_size(as), err);
        if (status != ALIGN_OK)
            return status;
    }
    return ALIGN_OK;
}

static align_status take_into_file(void *writer, const void *bytes, size_t size, align_error *err)
{
    return al_writer_write(writer, bytes, size, err);
}

align_status al_tensor_write(const align_tensor *tensor, align_dtype as, al_writer *writer, align_error *err)
{
    return al_tensor_stream(tensor, as, take_into_file, writer, err);
}
