/*
 * libraries.c: times one library (library.h) at the products and depthwise convolutions of the full-size model, on the
 * thread it is started on, and prints one JSON object a problem. ../libraries.py builds one such program for each
 * library and makes tables of what they print.
 */
#include "library.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_RUNS = 1000, LEAST_RUNS = 5, CHECKED = 64 };

static const double SECONDS = 0.05;
static const char *const PRECISION_NAMES[PRECISIONS] = {"f32", "bf16", "int8"};

/* EfficientNet-B7 at 289 pixels with its stages as they are, BERT base on 64 tokens. */
static const problem PROBLEMS[] = {
    {"expansions", 20736, 32, 192, 1, 0, 0, 0, 0, 0, 0},  {"expansions", 5184, 48, 288, 7, 0, 0, 0, 0, 0, 0},
    {"expansions", 1296, 80, 480, 7, 0, 0, 0, 0, 0, 0},   {"expansions", 324, 160, 960, 10, 0, 0, 0, 0, 0, 0},
    {"expansions", 324, 224, 1344, 10, 0, 0, 0, 0, 0, 0}, {"expansions", 81, 384, 2304, 13, 0, 0, 0, 0, 0, 0},
    {"expansions", 81, 640, 3840, 3, 0, 0, 0, 0, 0, 0},   {"projections", 20736, 64, 32, 1, 0, 0, 0, 0, 0, 0},
    {"projections", 20736, 32, 32, 3, 0, 0, 0, 0, 0, 0},  {"projections", 5184, 192, 48, 1, 0, 0, 0, 0, 0, 0},
    {"projections", 5184, 288, 48, 6, 0, 0, 0, 0, 0, 0},  {"projections", 1296, 288, 80, 1, 0, 0, 0, 0, 0, 0},
    {"projections", 1296, 480, 80, 6, 0, 0, 0, 0, 0, 0},  {"projections", 324, 480, 160, 1, 0, 0, 0, 0, 0, 0},
    {"projections", 324, 960, 160, 9, 0, 0, 0, 0, 0, 0},  {"projections", 324, 960, 224, 1, 0, 0, 0, 0, 0, 0},
    {"projections", 324, 1344, 224, 9, 0, 0, 0, 0, 0, 0}, {"projections", 81, 1344, 384, 1, 0, 0, 0, 0, 0, 0},
    {"projections", 81, 2304, 384, 12, 0, 0, 0, 0, 0, 0}, {"projections", 81, 2304, 640, 1, 0, 0, 0, 0, 0, 0},
    {"projections", 81, 3840, 640, 3, 0, 0, 0, 0, 0, 0},  {"text", 64, 768, 2304, 12, 0, 0, 0, 0, 0, 0},
    {"text", 64, 768, 768, 12, 0, 0, 0, 0, 0, 0},         {"text", 64, 768, 3072, 12, 0, 0, 0, 0, 0, 0},
    {"text", 64, 3072, 768, 12, 0, 0, 0, 0, 0, 0},        {"texts", 2048, 768, 2304, 12, 0, 0, 0, 0, 0, 0},
    {"texts", 2048, 768, 768, 12, 0, 0, 0, 0, 0, 0},      {"texts", 2048, 768, 3072, 12, 0, 0, 0, 0, 0, 0},
    {"texts", 2048, 3072, 768, 12, 0, 0, 0, 0, 0, 0},     {"depthwise", 144, 0, 64, 1, 3, 1, 144, 0, 0, 0},
    {"depthwise", 144, 0, 32, 3, 3, 1, 144, 0, 0, 0},     {"depthwise", 72, 0, 192, 1, 3, 2, 144, 0, 0, 0},
    {"depthwise", 72, 0, 288, 6, 3, 1, 72, 0, 0, 0},      {"depthwise", 36, 0, 288, 1, 5, 2, 72, 0, 0, 0},
    {"depthwise", 36, 0, 480, 6, 5, 1, 36, 0, 0, 0},      {"depthwise", 18, 0, 480, 1, 3, 2, 36, 0, 0, 0},
    {"depthwise", 18, 0, 960, 9, 3, 1, 18, 0, 0, 0},      {"depthwise", 18, 0, 960, 1, 5, 1, 18, 0, 0, 0},
    {"depthwise", 18, 0, 1344, 9, 5, 1, 18, 0, 0, 0},     {"depthwise", 9, 0, 1344, 1, 5, 2, 18, 0, 0, 0},
    {"depthwise", 9, 0, 2304, 12, 5, 1, 9, 0, 0, 0},      {"depthwise", 9, 0, 2304, 1, 3, 1, 9, 0, 0, 0},
    {"depthwise", 9, 0, 3840, 3, 3, 1, 9, 0, 0, 0},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* n numbers that look random: integers from least to least + range - 1. */
static float *numbers(size_t n, int least, unsigned range)
{
    float *x = malloc(n * sizeof *x);
    if (!x) {
        fprintf(stderr, "libraries: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(least + (int)(((unsigned)i * 2654435761u >> 9) % range));
    return x;
}

/* ---- is it right? ---- */

static double plain_product(const problem *p, size_t row, size_t column)
{
    double sum = 0.0;
    for (size_t i = 0; i < p->k; i++)
        sum += (double)p->a[row * p->k + i] * (double)p->b[column * p->k + i];
    return sum;
}

static double plain_depthwise(const problem *p, size_t pixel, size_t channel)
{
    const size_t top = pixel / p->m * p->stride, left = pixel % p->m * p->stride, before = padding_before(p);
    double sum = (double)p->bias[channel];
    for (size_t i = 0; i < p->kernel; i++)
        for (size_t j = 0; j < p->kernel; j++) {
            const size_t y = top + i - before, x = left + j - before; /* outside wraps around to very large */
            if (y < p->in && x < p->in)
                sum +=
                    (double)p->a[(y * p->in + x) * p->n + channel] * (double)p->b[(i * p->kernel + j) * p->n + channel];
        }
    return sum / (1.0 + exp(-sum));
}

/* Compares some elements with the plain formula. The products are exact but for the scales of quantised ones; a bf16
 * result of a convolution may be rounded to 8 bits. */
static bool right(const problem *p, precision how)
{
    const size_t rows = p->kernel ? p->m * p->m : p->m;
    const double tolerance = !p->kernel ? (how == INT8 ? 1e-5 : 0.0) : (how == F32 ? 1e-4 : 1e-2);
    float *c = numbers(rows * p->n, 0, 1);
    bool good = true;
    library_result(c);
    for (size_t i = 0; i < CHECKED && good; i++) {
        const size_t at = i * (rows * p->n - 1) / (CHECKED - 1);
        const double want =
            p->kernel ? plain_depthwise(p, at / p->n, at % p->n) : plain_product(p, at / p->n, at % p->n);
        good = fabs((double)c[at] - want) <= tolerance * (1.0 + fabs(want));
        if (!good)
            fprintf(stderr, "%s: %s %zu x %zu x %zu: element %zu is %g, expected %g\n", library_name(), p->group, p->m,
                    p->k, p->n, at, (double)c[at], want);
    }
    free(c);
    return good;
}

/* ---- how fast? ---- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_seconds(void)
{
    double times[MOST_RUNS], total = 0.0;
    size_t n = 0;
    while (n < MOST_RUNS && (n < LEAST_RUNS || total < SECONDS)) {
        const double begin = now();
        library_run();
        times[n] = now() - begin;
        total += times[n++];
    }
    qsort(times, n, sizeof *times, by_size);
    return times[n / 2];
}

static bool time_problem(const problem *shape, precision how)
{
    problem p = *shape;
    const size_t rows = p.kernel ? p.in * p.in : p.m, inner = p.kernel ? p.n : p.k;
    float *a = numbers(rows * inner, 0, 16), *bias = numbers(p.n, -7, 15);
    float *b = numbers(p.n * (p.kernel ? p.kernel * p.kernel : p.k), p.kernel ? -7 : -127, p.kernel ? 15 : 255);
    bool good = true;
    for (size_t i = 0; !p.kernel && i < p.m; i++)
        a[i * p.k] = 15.0f;
    for (size_t i = 0; !p.kernel && i < p.n; i++)
        b[i * p.k] = 127.0f;
    p.a = a;
    p.b = b;
    p.bias = bias;
    const bool ready = library_prepare(&p, how);
    if (ready) {
        library_run();
        good = right(&p, how);
    }
    if (ready && good) {
        const double seconds = median_seconds();
        const double macs = p.kernel ? (double)(p.m * p.m * p.n * p.kernel * p.kernel) : (double)(p.m * p.k * p.n);
        printf("{\"library\": \"%s\", \"precision\": \"%s\", \"group\": \"%s\", \"m\": %zu, \"k\": %zu, \"n\": %zu, "
               "\"kernel\": %zu, \"stride\": %zu, \"count\": %zu, \"ms\": %.4f, \"gmacs\": %.1f}\n",
               library_name(), PRECISION_NAMES[how], p.group, p.m, p.k, p.n, p.kernel, p.stride, p.count, seconds * 1e3,
               macs / seconds * 1e-9);
        fflush(stdout);
    }
    free(a);
    free(b);
    free(bias);
    return good;
}

int main(void)
{
    bool good = true;
    for (int how = F32; how < PRECISIONS; how++)
        for (size_t i = 0; i < sizeof PROBLEMS / sizeof *PROBLEMS; i++)
            good = time_problem(&PROBLEMS[i], (precision)how) && good;
    return good ? 0 : 1;
}
