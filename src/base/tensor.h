#ifndef AL_TENSOR_H
#define AL_TENSOR_H
/*
 * tensor.h (inside): element types and their conversions. The public half of it is align/tensor.h: align_dtype_*,
 * align_tensor_elements, align_tensor_view and align_tensor_to_f32 are in tensor.c too, since every room looks at
 * tensors.
 */
#include <align/tensor.h>

/* n elements of any dtype at data (no alignment asked), as f32. */
void al_to_f32(align_dtype dtype, const void *data, size_t n, float *out);

/* n floats to F16 or BF16, rounded to nearest even; NaN stays NaN. */
void al_f32_to_f16(const float *data, size_t n, uint16_t *out);
void al_f32_to_bf16(const float *data, size_t n, uint16_t *out);

/* The i-th element of an I64, I32, I16, I8, U8 or BOOL tensor. */
int64_t al_tensor_integer(const align_tensor *tensor, size_t i);

bool al_dtype_is_float(align_dtype dtype);

/* The elements of an F32 tensor that this library made and is now filling; NULL when absent. */
float *al_tensor_floats(const align_tensor *tensor);
#endif
