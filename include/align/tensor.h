#ifndef ALIGN_TENSOR_H
#define ALIGN_TENSOR_H
/*
 * tensor.h: named arrays and the files that hold them.
 *
 * An align_tensor is a view: it never owns its bytes. An align_tensors is an ordered collection of named tensors that
 * owns (or maps) what they point to: a safetensors file, a PyTorch file, a sharded checkpoint, or arrays made by the
 * caller. Elements are row-major ("C order") and contiguous, little-endian.
 *
 * An align_tensor pointer that a collection hands out stays valid until the collection is freed; adding a tensor of the
 * same name changes what it says.
 *
 * A collection may be read by many threads at once; adding to it while another thread uses it is not allowed.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum align_dtype {
    ALIGN_F32 = 0,
    ALIGN_F16,
    ALIGN_BF16,
    ALIGN_F64,
    ALIGN_I64,
    ALIGN_I32,
    ALIGN_I16,
    ALIGN_I8,
    ALIGN_U8,
    ALIGN_BOOL,
    ALIGN_DTYPE_COUNT
} align_dtype;

#define ALIGN_MAX_RANK 8

typedef struct align_tensor {
    align_dtype dtype;
    int rank;                      /* 0 for a scalar */
    int64_t shape[ALIGN_MAX_RANK]; /* outermost axis first; unused entries are 0 */
    const void *data;              /* NULL means "absent" where a tensor is optional */
} align_tensor;

/* Bytes of one element. */
ALIGN_API size_t align_dtype_size(align_dtype dtype);

/* safetensors' name: "F32", "BF16", "I64", ... */
ALIGN_API const char *align_dtype_name(align_dtype dtype);

/* The other way, case-insensitive; also takes PyTorch's words (float32, float16, half, bfloat16, int64, ...). */
ALIGN_API align_status align_dtype_from_name(align_dtype *out, const char *name, align_error *err);

/* Product of the shape; 1 for a scalar. The shapes this library hands out never overflow it. */
ALIGN_API int64_t align_tensor_elements(const align_tensor *tensor);

/* A view with the given dtype and shape over data. rank must be at most ALIGN_MAX_RANK. */
ALIGN_API align_tensor align_tensor_view(align_dtype dtype, int rank, const int64_t *shape, const void *data);

/* Copies n elements of any dtype to f32 (integers and halves are converted; F64 is rounded). */
ALIGN_API void align_tensor_to_f32(const align_tensor *tensor, float *out);

/* The other way: n floats to F32, F16 or BF16, rounded to nearest even. Any other dtype: INVALID_ARGUMENT. */
ALIGN_API align_status align_tensor_from_f32(const float *values, size_t n, align_dtype dtype, void *out,
                                             align_error *err);

/* ---- collections ---- */

typedef struct align_tensors align_tensors;

/* An empty collection. */
ALIGN_API align_status align_tensors_new(align_tensors **out, align_error *err);

/*
 * Opens one file by its content: safetensors, or PyTorch (zip container or the older bare pickle; both read by a
 * whitelist that never executes anything). The file is mapped, not read: pages come in when a tensor is first touched.
 * Errors: IO, FORMAT (header or offsets out of bounds, overlapping, truncated, a pickle that names anything but
 * tensors), UNSUPPORTED (dtype, rank beyond ALIGN_MAX_RANK, a compressed zip).
 */
ALIGN_API align_status align_tensors_open(align_tensors **out, const char *path, align_error *err);

/*
 * Opens the weights of a Hugging Face folder, as from_pretrained resolves them: model.safetensors,
 * model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, in this order; with a variant v:
 * model.v.safetensors, model.safetensors.index.v.json, pytorch_model.v.bin, ... variant may be NULL.
 * Errors: NOT_FOUND (no such file, or a shard that the index names is missing), and those of align_tensors_open.
 */
ALIGN_API align_status align_tensors_open_pretrained(align_tensors **out, const char *folder, const char *variant,
                                                     align_error *err);

ALIGN_API void align_tensors_free(align_tensors *tensors);

ALIGN_API size_t align_tensors_count(const align_tensors *tensors);

/* The i-th name, in the file's order. Owned by the collection. NULL when i is out of range. */
ALIGN_API const char *align_tensors_name(const align_tensors *tensors, size_t i);

/* The i-th tensor, or NULL when i is out of range. */
ALIGN_API const align_tensor *align_tensors_at(const align_tensors *tensors, size_t i);

/* The tensor of that name, or NULL. */
ALIGN_API const align_tensor *align_tensors_get(const align_tensors *tensors, const char *name);

/* Adds (or replaces) a tensor, copying its bytes and its name. */
ALIGN_API align_status align_tensors_add(align_tensors *tensors, const char *name, const align_tensor *tensor,
                                         align_error *err);

/* The same without copying the bytes: they must outlive the collection. */
ALIGN_API align_status align_tensors_add_view(align_tensors *tensors, const char *name, const align_tensor *tensor,
                                              align_error *err);

/* A string of safetensors' "__metadata__", or NULL. */
ALIGN_API const char *align_tensors_metadata(const align_tensors *tensors, const char *key);

/*
 * Writes a safetensors file with metadata {"format":"pt"}, beside the path and renamed into place when whole: a failure
 * leaves what was there untouched. Payload order is the reference's: larger elements first, then by name.
 */
ALIGN_API align_status align_tensors_save(const align_tensors *tensors, const char *path, align_error *err);

typedef struct align_save_options {
    bool safe_serialization; /* true: safetensors; false: PyTorch's zip container */
    int64_t max_shard_size;  /* bytes; a tensor larger than this gets a shard of its own */
    bool cast;               /* true: floating tensors are written as dtype */
    align_dtype dtype;       /* ALIGN_F32, ALIGN_F16 or ALIGN_BF16 */
    const char *variant;     /* NULL: none */
} align_save_options;

/* clang-format off */
#define ALIGN_SAVE_OPTIONS_INIT { true, INT64_C(5000000000), false, ALIGN_F32, NULL }
/* clang-format on */

/*
 * Writes the collection into a folder (made if absent) under the names from_pretrained looks for, in one file or in
 * shards with their index. Every file is written beside and renamed; what earlier saves of this variant left
 * (shards, index, the other form's files) is removed last.
 */
ALIGN_API align_status align_tensors_save_pretrained(const align_tensors *tensors, const char *folder,
                                                     const align_save_options *options, align_error *err);

/* "5GB", "100KB", "1MiB", "250" to bytes, as huggingface_hub reads them (KB = 1000, KiB = 1024). */
ALIGN_API align_status align_parse_size(int64_t *out, const char *text, align_error *err);

/* Writes one tensor as a NumPy .npy file (version 1.0), beside and renamed into place. BF16 is written as F32. */
ALIGN_API align_status align_tensor_save_npy(const align_tensor *tensor, const char *path, align_error *err);

#ifdef __cplusplus
}
#endif
#endif
