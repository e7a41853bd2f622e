#ifndef LIBRARY_H
#define LIBRARY_H
/*
 * library.h: what libraries.c wants of a library: to compute one problem of the model again and again. Each library is
 * one file that defines these five functions, linked into one program.
 */
#include <stdbool.h>
#include <stddef.h>

typedef enum precision { F32, BF16, INT8, PRECISIONS } precision;

/*
 * Either a product c[m, n] = a[m, k] b[n, k]^T, or (kernel > 0) a depthwise convolution of m x m pixels of n channels
 * with a bias and swish: a[in, in, n], b[kernel, kernel, n], c[m, m, n]. The numbers of a product are small integers: a
 * from 0 to 15, b from -7 to 7, so that every precision holds them and every sum exactly.
 */
typedef struct problem {
    const char *group;
    size_t m, k, n;
    size_t count; /* how often it occurs in the model */
    size_t kernel, stride, in;
    const float *a, *b, *bias;
} problem;

/* How many pixels of padding a depthwise convolution has in all, and how many of them above and left. */
static inline size_t padding(const problem *p)
{
    return (p->m - 1) * p->stride + p->kernel - p->in;
}

static inline size_t padding_before(const problem *p)
{
    return padding(p) / 2;
}

const char *library_name(void);

/* Gets ready: packs b, makes room; false: the library has no such thing. What was got ready before is over. */
bool library_prepare(const problem *p, precision how);

/* The computation that is timed. */
void library_run(void);

/* The result of the last run, row-major. */
void library_result(float *c);
#endif
