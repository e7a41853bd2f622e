/* steps.c: vectors in the types they are kept in (scan.h). */
#include "search/scan.h"

#include "base/least.h"
#include "kernels/kernels.h"

#include <math.h>

/* Numbers widened at a time. */
#define STRETCH ((size_t)256)

void al_from_f16(size_t n, const uint16_t *x, float *y)
{
    const al_kernels *kernels = al_kernels_get();
    (kernels ? kernels->f16 : &al_narrow_f16_ref)->widen(n, x, y);
}

static float largest_of(size_t width, const uint16_t *vector)
{
    float most = 0.0f, x[STRETCH];
    for (size_t begin = 0; begin < width; begin += STRETCH) {
        const size_t n = al_least(width - begin, STRETCH);
        al_from_f16(n, vector + begin, x);
        for (size_t i = 0; i < n; i++)
            most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    }
    return most;
}

static void to_steps(size_t width, const uint16_t *vector, float per_step, int8_t *steps)
{
    const float rounder = 12582912.0f; /* 1.5 2^23: what it is added to is rounded to a whole number */
    float x[STRETCH];
    for (size_t begin = 0; begin < width; begin += STRETCH) {
        const size_t n = al_least(width - begin, STRETCH);
        al_from_f16(n, vector + begin, x);
        for (size_t i = 0; i < n; i++)
            steps[begin + i] = (int8_t)(x[i] * per_step + rounder - rounder);
    }
}

void al_quantize(size_t count, size_t width, const uint16_t *vectors, int8_t *steps, float *step)
{
    for (size_t v = 0; v < count; v++) {
        const float most = largest_of(width, vectors + v * width);
        step[v] = most / 127.0f;
        to_steps(width, vectors + v * width, most > 0.0f ? 127.0f / most : 0.0f, steps + v * width);
    }
}
