/*
 * dropout.inc.h: numbers dropped at random, in plain C that compilers make vectors of: 16 at a time, of eight hashes.
 */
#include "base/random.h"

#define DROPOUT_NUMBERS ((size_t)16)

/* From an even place on. Numbers are dropped as bits: a choice between floats would not become vectors. */
static inline void drop_block(const al_dropping *d, size_t place, const float *x, float *y)
{
    uint64_t bits[DROPOUT_NUMBERS / 2];
    uint32_t halves[DROPOUT_NUMBERS], numbers[DROPOUT_NUMBERS]; /* the lower half comes first in memory */
    float scaled[DROPOUT_NUMBERS];
    for (size_t i = 0; i < DROPOUT_NUMBERS / 2; i++)
        bits[i] = al_random_bits(d->key, place / 2 + i);
    for (size_t i = 0; i < DROPOUT_NUMBERS; i++)
        scaled[i] = x[i] * d->scale;
    __builtin_memcpy(halves, bits, sizeof halves);
    __builtin_memcpy(numbers, scaled, sizeof numbers);
    for (size_t i = 0; i < DROPOUT_NUMBERS; i++)
        numbers[i] &= halves[i] < d->dropped ? 0 : UINT32_MAX;
    __builtin_memcpy(y, numbers, sizeof numbers);
}

static void dropout(const al_dropping *d, size_t first, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n;) {
        const size_t place = first + i;
        if (place % 2 == 0 && n - i >= DROPOUT_NUMBERS) {
            drop_block(d, place, x + i, y + i);
            i += DROPOUT_NUMBERS;
            continue;
        }
        const uint32_t half = (uint32_t)(al_random_bits(d->key, place / 2) >> (place % 2 * 32));
        y[i] = half < d->dropped ? 0.0f : x[i] * d->scale;
        i++;
    }
}
