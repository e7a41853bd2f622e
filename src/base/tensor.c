/* tensor.c: element types, views and conversions. Bytes from files have no alignment, so elements are copied out. */
#include "base/tensor.h"

#include "base/status.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name, *torch, *alias;
    size_t size;
} dtypes[ALIGN_DTYPE_COUNT] = {
    [ALIGN_F32] = {"F32", "float32", "float", 4}, [ALIGN_F16] = {"F16", "float16", "half", 2},
    [ALIGN_BF16] = {"BF16", "bfloat16", "", 2},   [ALIGN_F64] = {"F64", "float64", "double", 8},
    [ALIGN_I64] = {"I64", "int64", "long", 8},    [ALIGN_I32] = {"I32", "int32", "int", 4},
    [ALIGN_I16] = {"I16", "int16", "short", 2},   [ALIGN_I8] = {"I8", "int8", "", 1},
    [ALIGN_U8] = {"U8", "uint8", "", 1},          [ALIGN_BOOL] = {"BOOL", "bool", "", 1},
};

size_t align_dtype_size(align_dtype dtype)
{
    return dtype < ALIGN_DTYPE_COUNT ? dtypes[dtype].size : 0;
}

const char *align_dtype_name(align_dtype dtype)
{
    return dtype < ALIGN_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

align_status align_dtype_from_name(align_dtype *out, const char *name, align_error *err)
{
    for (int i = 0; name && i < ALIGN_DTYPE_COUNT; i++)
        if (!strcasecmp(name, dtypes[i].name) || !strcasecmp(name, dtypes[i].torch) ||
            (*name && !strcasecmp(name, dtypes[i].alias))) {
            *out = (align_dtype)i;
            return ALIGN_OK;
        }
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "\"%s\" is not a dtype", name ? name : "(null)");
}

bool al_dtype_is_float(align_dtype dtype)
{
    return dtype == ALIGN_F32 || dtype == ALIGN_F16 || dtype == ALIGN_BF16 || dtype == ALIGN_F64;
}

int64_t align_tensor_elements(const align_tensor *tensor)
{
    int64_t n = 1;
    for (int i = 0; i < tensor->rank; i++)
        n *= tensor->shape[i];
    return n;
}

align_tensor align_tensor_view(align_dtype dtype, int rank, const int64_t *shape, const void *data)
{
    align_tensor t = {dtype, rank, {0}, data};
    for (int i = 0; i < rank; i++)
        t.shape[i] = shape[i];
    return t;
}

float *al_tensor_floats(const align_tensor *tensor)
{
    return (float *)(uintptr_t)tensor->data;
}

/* ---- halves ---- */

static float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/*
 * The 15 bits below the sign, moved to where float has them, are the value times 2^-112: one multiplication repairs
 * normal and subnormal numbers alike. Only infinities and NaN need their exponent filled up.
 */
static float float_of_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, magnitude = (uint32_t)(h & 0x7FFFu) << 13;
    if (magnitude >= 0x0F800000u)
        return float_of_bits(sign | 0x7F800000u | magnitude);
    const float value = float_of_bits(magnitude) * 0x1p112f;
    return float_of_bits(sign | bits_of_float(value));
}

static uint16_t f16_of_float(float f)
{
    const uint32_t bits = bits_of_float(f), sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u | (magnitude >> 13 & 0x3FFu));
    if (magnitude >= 0x477FF000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00u);
    if (magnitude < 0x38800000u) /* below 2^-14: adding 1/2 leaves the subnormal's bits at the end of the mantissa */
        return (uint16_t)(sign | (bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3F000000u));
    magnitude += 0xC8000FFFu + (magnitude >> 13 & 1u); /* rebias by -112 and round half to even */
    return (uint16_t)(sign | magnitude >> 13);
}

static uint16_t bf16_of_float(float f)
{
    const uint32_t bits = bits_of_float(f);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40u); /* quiet, with what fits of its payload */
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

void al_f32_to_f16(const float *data, size_t n, uint16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = f16_of_float(data[i]);
}

void al_f32_to_bf16(const float *data, size_t n, uint16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = bf16_of_float(data[i]);
}

/* ---- to float ---- */

#define CONVERT(type, expression)                   \
    for (size_t i = 0; i < n; i++) {                \
        type v;                                     \
        memcpy(&v, bytes + i * sizeof v, sizeof v); \
        out[i] = (expression);                      \
    }                                               \
    break

void al_to_f32(align_dtype dtype, const void *data, size_t n, float *out)
{
    const char *bytes = data;
    switch (dtype) {
    case ALIGN_F32:
        if (n)
            memcpy(out, bytes, n * sizeof *out);
        break;
    case ALIGN_F16:
        CONVERT(uint16_t, float_of_f16(v));
    case ALIGN_BF16:
        CONVERT(uint16_t, float_of_bits((uint32_t)v << 16));
    case ALIGN_F64:
        CONVERT(double, (float)v);
    case ALIGN_I64:
        CONVERT(int64_t, (float)v);
    case ALIGN_I32:
        CONVERT(int32_t, (float)v);
    case ALIGN_I16:
        CONVERT(int16_t, (float)v);
    case ALIGN_I8:
        CONVERT(int8_t, (float)v);
    case ALIGN_U8:
        CONVERT(uint8_t, (float)v);
    case ALIGN_BOOL:
        CONVERT(uint8_t, v ? 1.0f : 0.0f);
    case ALIGN_DTYPE_COUNT:
        break;
    }
}

void align_tensor_to_f32(const align_tensor *tensor, float *out)
{
    al_to_f32(tensor->dtype, tensor->data, (size_t)align_tensor_elements(tensor), out);
}

align_status align_tensor_from_f32(const float *values, size_t n, align_dtype dtype, void *out, align_error *err)
{
    if (dtype == ALIGN_F32)
        memcpy(out, values, n * sizeof *values);
    else if (dtype == ALIGN_F16)
        al_f32_to_f16(values, n, out);
    else if (dtype == ALIGN_BF16)
        al_f32_to_bf16(values, n, out);
    else
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "floats are made F32, F16 or BF16, not %s",
                            align_dtype_name(dtype));
    return ALIGN_OK;
}

#define ELEMENT(type)                                                    \
    do {                                                                 \
        type v;                                                          \
        memcpy(&v, (const char *)tensor->data + i * sizeof v, sizeof v); \
        return (int64_t)v;                                               \
    } while (0)

int64_t al_tensor_integer(const align_tensor *tensor, size_t i)
{
    switch (tensor->dtype) {
    case ALIGN_I64:
        ELEMENT(int64_t);
    case ALIGN_I32:
        ELEMENT(int32_t);
    case ALIGN_I16:
        ELEMENT(int16_t);
    case ALIGN_I8:
        ELEMENT(int8_t);
    case ALIGN_U8:
        ELEMENT(uint8_t);
    case ALIGN_BOOL:
        return ((const uint8_t *)tensor->data)[i] != 0;
    default:
        return 0;
    }
}
