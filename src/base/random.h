#ifndef AL_RANDOM_H
#define AL_RANDOM_H
/*
 * random.h: random numbers without a state. Number `index` of stream `key` is a function of the two, so that any thread
 * may ask for any of them in any order, and a run that stopped goes on where it was.
 *
 *     key = al_random_key(al_random_key(seed, epoch), pair);
 *     x = al_random_unit(key, 0), y = al_random_unit(key, 1), ...
 */
#include <stddef.h>
#include <stdint.h>

/* The key of one of many streams under a key. */
uint64_t al_random_key(uint64_t key, uint64_t site);

/* SplitMix64's finalizer, which all of this is made of: a permutation that changes about half of the bits where one
 * changes. */
static inline uint64_t al_random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

#define AL_RANDOM_STEP UINT64_C(0x9E3779B97F4A7C15)

/* 64 random bits. Here, so that a loop over indices is made of vectors. */
static inline uint64_t al_random_bits(uint64_t key, uint64_t index)
{
    return al_random_mix(key + (index + 1) * AL_RANDOM_STEP);
}

/* In [0, 1), a multiple of 2^-53. */
double al_random_unit(uint64_t key, uint64_t index);

/*
 * Where item i of [0, n) stands after a shuffle: a permutation of [0, n) for every key, without a table of it.
 */
size_t al_random_shuffled(uint64_t key, size_t n, size_t i);
#endif
