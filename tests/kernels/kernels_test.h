/* kernels_test.h: what the kernel tests share. The table under test is ALIGN_ISA's; exit 77 when the CPU lacks it. */
#ifndef KERNELS_TEST_H
#define KERNELS_TEST_H
#include "kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SKIPPED 77

/* A small generator: uniform in [-1, 1), the same everywhere. */
static inline float uniform(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

static inline float *random_floats(size_t n, uint32_t seed)
{
    float *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = uniform(&seed);
    return x;
}

/* |a - b| <= tolerance * max(1, |b|), or both NaN, or the same infinity. */
static inline void assert_close(float a, float b, double tolerance, const char *what, size_t at)
{
    if (isnan(a) && isnan(b))
        return;
    if (a == b)
        return;
    const double limit = tolerance * fmax(1.0, fabs((double)b));
    if (!(fabs((double)a - (double)b) <= limit))
        fail_msg("%s [%zu]: %.9g, expected %.9g", what, at, (double)a, (double)b);
}
#endif
