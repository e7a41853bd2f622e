#ifndef TEST_FORMULA_H
#define TEST_FORMULA_H
/*
 * formula.h: numbers that need no file: an integer hash of a name and an index, which the scripts in tests/reference
 * compute too, to the bit.
 */
#include <stdint.h>

/* FNV-1a of a name: the seed of its numbers. */
static inline uint32_t formula_seed(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

/* Number i: uniform in [-1, 1), exact in float. */
static inline float formula_uniform(uint32_t seed, uint32_t i)
{
    uint32_t h = i * 0x9E3779B9u + seed;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    h ^= h >> 16;
    return (float)(h >> 8) * 0x1p-23f - 1.0f;
}
#endif
