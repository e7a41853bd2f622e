/* npy.c: NumPy's .npy format, version 1.0: a text that is a Python dict, padded to 64 bytes, then the elements. */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/buffer.h"
#include "checkpoint/convert.h"

#include <string.h>

static const char *descr(align_dtype dtype)
{
    static const char *const names[ALIGN_DTYPE_COUNT] = {
        [ALIGN_F32] = "<f4", [ALIGN_F16] = "<f2", [ALIGN_BF16] = "<f4", [ALIGN_F64] = "<f8", [ALIGN_I64] = "<i8",
        [ALIGN_I32] = "<i4", [ALIGN_I16] = "<i2", [ALIGN_I8] = "|i1",   [ALIGN_U8] = "|u1",  [ALIGN_BOOL] = "|b1",
    };
    return names[dtype];
}

/* NumPy leaves room for the first axis to grow to 21 digits in place, so that files compare equal we do so too. */
static void put_header(al_buffer *b, const align_tensor *tensor)
{
    enum { PREFIX = 10, ALIGNMENT = 64, GROWTH_DIGITS = 21 };
    al_buffer_format(b, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr(tensor->dtype));
    for (int i = 0; i < tensor->rank; i++)
        al_buffer_format(b, "%s%" PRId64, i ? ", " : "", tensor->shape[i]);
    al_buffer_puts(b, tensor->rank == 1 ? ",), }" : "), }");
    if (tensor->rank > 0) {
        int digits = 1;
        for (int64_t n = tensor->shape[0]; n >= 10; n /= 10)
            digits++;
        al_buffer_format(b, "%*s", GROWTH_DIGITS - digits, "");
    }
    while (!b->failed && (PREFIX + b->size + 1) % ALIGNMENT)
        al_buffer_putc(b, ' ');
    al_buffer_putc(b, '\n');
}

align_status align_tensor_save_npy(const align_tensor *tensor, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer header = {0}, prefix = {0};
    al_writer *writer = NULL;
    if (!path)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "saving a .npy file: no path given");
    TRY(al_tensor_check(tensor, path, err));
    put_header(&header, tensor);
    TRY(al_buffer_check(&header, err));
    al_buffer_put(&prefix, "\x93NUMPY\1\0", 8);
    al_buffer_put_le(&prefix, header.size, 2);
    TRY(al_buffer_check(&prefix, err));
    TRY(al_writer_open(&writer, path, err));
    TRY(al_writer_write(writer, prefix.data, prefix.size, err));
    TRY(al_writer_write(writer, header.data, header.size, err));
    TRY(al_tensor_write(tensor, tensor->dtype == ALIGN_BF16 ? ALIGN_F32 : tensor->dtype, writer, err));
    status = al_writer_commit(writer, err);
    writer = NULL;
done:
    al_writer_abort(writer);
    al_buffer_done(&prefix);
    al_buffer_done(&header);
    return status;
}
