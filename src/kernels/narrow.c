/* narrow.c: the kernels of narrow.h in plain C: their definition, and what runs on an unknown CPU. */
#include "kernels/narrow.h"

#include "base/least.h"
#include "base/tensor.h"

#define STRETCH ((size_t)64)

static void widen_f16(size_t n, const void *x, float *y)
{
    al_to_f32(ALIGN_F16, x, n, y);
}

static void widen_s8(size_t n, const void *x, float *y)
{
    al_to_f32(ALIGN_I8, x, n, y);
}

static void to_bf16(align_dtype type, size_t n, const void *x, uint16_t *y)
{
    const size_t size = align_dtype_size(type);
    for (size_t i = 0; i < n; i++) {
        float wide;
        al_to_f32(type, (const char *)x + i * size, 1, &wide);
        al_f32_to_bf16(&wide, 1, &y[i]);
    }
}

static void f16_to_bf16(size_t n, const void *x, uint16_t *y)
{
    to_bf16(ALIGN_F16, n, x, y);
}

static void s8_to_bf16(size_t n, const void *x, uint16_t *y)
{
    to_bf16(ALIGN_I8, n, x, y);
}

static void dots(align_dtype type, size_t count, size_t width, const void *rows, size_t n, const float *queries,
                 float *scores)
{
    const size_t size = align_dtype_size(type);
    for (size_t r = 0; r < count; r++, scores += n) {
        for (size_t q = 0; q < n; q++)
            scores[q] = 0.0f;
        for (size_t begin = 0; begin < width; begin += STRETCH) {
            const size_t some = al_least(width - begin, STRETCH);
            float x[STRETCH];
            al_to_f32(type, (const char *)rows + (r * width + begin) * size, some, x);
            for (size_t q = 0; q < n; q++)
                for (size_t i = 0; i < some; i++)
                    scores[q] += x[i] * queries[q * width + begin + i];
        }
    }
}

static void dots_f16(size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores)
{
    dots(ALIGN_F16, count, width, rows, n, queries, scores);
}

static void dots_s8(size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores)
{
    dots(ALIGN_I8, count, width, rows, n, queries, scores);
}

const al_narrow_kernels al_narrow_f16_ref = {sizeof(uint16_t), widen_f16, f16_to_bf16, dots_f16};
const al_narrow_kernels al_narrow_s8_ref = {sizeof(int8_t), widen_s8, s8_to_bf16, dots_s8};
