/* random.c: SplitMix64's finalizer as a hash of key and index, and a Feistel network over it as a shuffle. */
#include "base/random.h"

/* Hashed once more than a number is, lest the stream of a key be a part of its parent's. */
uint64_t al_random_key(uint64_t key, uint64_t site)
{
    return al_random_mix(al_random_bits(key, site) ^ AL_RANDOM_STEP);
}

double al_random_unit(uint64_t key, uint64_t index)
{
    return (double)(al_random_bits(key, index) >> 11) * 0x1p-53;
}

/* ---- shuffling ---- */

#define ROUNDS     8
#define LEAST_HALF 4 /* bits: over a domain of a few numbers a network cannot reach every order */

size_t al_random_shuffled(uint64_t key, size_t n, size_t i)
{
    int half = LEAST_HALF;
    while (half < 32 && (n - 1) >> (2 * half))
        half++;
    const uint64_t mask = (UINT64_C(1) << half) - 1;
    uint64_t x = i;
    /* A permutation of a domain of up to 4 n numbers, walked until it comes back into [0, n): one of those, then. */
    do {
        uint64_t left = x >> half, right = x & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            const uint64_t next = left ^ (al_random_bits(key, right * ROUNDS + round) & mask);
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= n);
    return (size_t)x;
}
