/*
 * torch_write.c: writing what torch.save(dict_of_tensors) writes: a zip container with a pickle of protocol 2 and one
 * storage a tensor.
 *
 * The pickle uses no memo: names are spelled out each time. That costs a few bytes and saves a table.
 */
#include "base/status.h"
#include "checkpoint/buffer.h"
#include "checkpoint/convert.h"
#include "checkpoint/torch_file.h"
#include "checkpoint/zip.h"

#include <stdio.h>
#include <string.h>

#define ROOT "archive/"

static const char *storage_type(align_dtype dtype)
{
    static const char *const names[ALIGN_DTYPE_COUNT] = {
        [ALIGN_F32] = "FloatStorage",  [ALIGN_F16] = "HalfStorage", [ALIGN_BF16] = "BFloat16Storage",
        [ALIGN_F64] = "DoubleStorage", [ALIGN_I64] = "LongStorage", [ALIGN_I32] = "IntStorage",
        [ALIGN_I16] = "ShortStorage",  [ALIGN_I8] = "CharStorage",  [ALIGN_U8] = "ByteStorage",
        [ALIGN_BOOL] = "BoolStorage",
    };
    return names[dtype];
}

static void put_text(al_buffer *b, const char *text)
{
    const size_t size = strlen(text);
    al_buffer_putc(b, 'X');
    al_buffer_put_le(b, size, 4);
    al_buffer_put(b, text, size);
}

/* BININT where 32 bits do, else LONG1. */
static void put_int(al_buffer *b, int64_t value)
{
    if (value <= INT32_MAX) {
        al_buffer_putc(b, 'J');
        al_buffer_put_le(b, (uint64_t)value, 4);
    } else {
        al_buffer_put(b, "\x8A\x08", 2);
        al_buffer_put_le(b, (uint64_t)value, 8);
    }
}

static void put_tensor(al_buffer *b, const al_save_item *item, size_t number)
{
    const align_tensor *tensor = item->tensor;
    const int64_t elements = align_tensor_elements(tensor);
    int64_t stride[ALIGN_MAX_RANK], next = 1;
    char key[24];
    for (int i = tensor->rank - 1; i >= 0; i--) {
        stride[i] = next;
        next *= tensor->shape[i] > 1 ? tensor->shape[i] : 1; /* an empty axis counts as one, as PyTorch has it */
    }
    snprintf(key, sizeof key, "%zu", number);
    al_buffer_puts(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(b, "storage");
    al_buffer_format(b, "ctorch\n%s\n", storage_type(item->dtype));
    put_text(b, key);
    put_text(b, "cpu");
    put_int(b, elements);
    al_buffer_puts(b, "tQ");
    put_int(b, 0);
    al_buffer_putc(b, '(');
    for (int i = 0; i < tensor->rank; i++)
        put_int(b, tensor->shape[i]);
    al_buffer_puts(b, "t(");
    for (int i = 0; i < tensor->rank; i++)
        put_int(b, stride[i]);
    al_buffer_puts(b, "t\x89"
                      "ccollections\nOrderedDict\n)RtR");
}

static void put_pickle(al_buffer *b, const al_save_item *items, size_t count)
{
    al_buffer_puts(b, "\x80\x02}(");
    for (size_t i = 0; i < count; i++) {
        put_text(b, items[i].name);
        put_tensor(b, &items[i], i);
    }
    al_buffer_puts(b, "u.");
}

typedef struct checksum {
    const al_zip_writer *zip;
    uint32_t crc;
} checksum;

static align_status take_checksum(void *context, const void *bytes, size_t size, align_error *err)
{
    checksum *c = context;
    (void)err;
    c->crc = al_zip_crc(c->zip, c->crc, bytes, size);
    return ALIGN_OK;
}

static align_status take_bytes(void *zip, const void *bytes, size_t size, align_error *err)
{
    return al_zip_writer_write(zip, bytes, size, err);
}

/* Goes through the elements twice: a zip entry begins with its checksum. */
static align_status write_storage(al_zip_writer *zip, const al_save_item *item, size_t number, align_error *err)
{
    char name[48];
    checksum sum = {zip, 0};
    snprintf(name, sizeof name, ROOT "data/%zu", number);
    align_status status = al_tensor_stream(item->tensor, item->dtype, take_checksum, &sum, err);
    if (status == ALIGN_OK)
        status = al_zip_writer_entry(zip, name, sum.crc, al_save_item_bytes(item), err);
    return status == ALIGN_OK ? al_tensor_stream(item->tensor, item->dtype, take_bytes, zip, err) : status;
}

align_status al_torch_write(const al_save_item *items, size_t count, const char *path, bool always64, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer pickle = {0};
    al_zip_writer *zip = NULL;
    put_pickle(&pickle, items, count);
    TRY(al_buffer_check(&pickle, err));
    TRY(al_zip_writer_open(&zip, path, always64, err));
    TRY(al_zip_writer_add(zip, ROOT "data.pkl", pickle.data, pickle.size, err));
    TRY(al_zip_writer_add(zip, ROOT "byteorder", "little", 6, err));
    for (size_t i = 0; i < count; i++)
        TRY(write_storage(zip, &items[i], i, err));
    TRY(al_zip_writer_add(zip, ROOT "version", "3\n", 2, err));
    status = al_zip_writer_commit(zip, err);
    zip = NULL;
done:
    al_zip_writer_abort(zip);
    al_buffer_done(&pickle);
    return status;
}
