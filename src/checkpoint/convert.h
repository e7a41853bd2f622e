#ifndef AL_CONVERT_H
#define AL_CONVERT_H
/*
 * convert.h: what files need of element types beyond base/tensor.h: exact names, sizes checked, and a tensor's bytes as
 * another type, piece by piece.
 */
#include "base/file.h"

#include <align/tensor.h>

/* safetensors' spelling only ("F32", not "float32"); false when there is no such dtype here. */
bool al_dtype_from_safetensors(align_dtype *out, const char *name);

/* Product of the axes times the element size; false on overflow or a negative axis. */
bool al_shape_bytes(align_dtype dtype, int rank, const int64_t *shape, size_t *bytes);

/*
 * Whether the tensor can be used at all: a known dtype, a rank within bounds, no negative axis, a size in bytes that
 * fits, data where there are elements. INVALID_ARGUMENT; name is for the text.
 */
align_status al_tensor_check(const align_tensor *tensor, const char *name, align_error *err);

/*
 * The elements of a tensor as bytes of dtype `as` (its own, or F32, F16, BF16 for floating ones), a piece at a time.
 * Stops at the first piece for which take does not return ALIGN_OK.
 */
typedef align_status al_take_bytes(void *context, const void *bytes, size_t size, align_error *err);
align_status al_tensor_stream(const align_tensor *tensor, align_dtype as, al_take_bytes *take, void *context,
                              align_error *err);

/* The same into a file. */
align_status al_tensor_write(const align_tensor *tensor, align_dtype as, al_writer *writer, align_error *err);
#endif
