#ifndef AL_LEAST_H
#define AL_LEAST_H
/* least.h: the smaller of two sizes. */
#include <stddef.h>

static inline size_t al_least(size_t a, size_t b)
{
    return a < b ? a : b;
}
#endif
