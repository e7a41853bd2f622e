#ifndef ALIGN_SERVER_VECTORS_H
#define ALIGN_SERVER_VECTORS_H
/*
 * vectors.h: products of embeddings.
 */
#include <stddef.h>

/* a . b; summed in double, so that a logit is as good as its vectors. */
static inline float srv_dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return (float)sum;
}
#endif
