/* dropout.c: see dropout.h. */
#include "layers/dropout.h"

#include "base/random.h"

#include <string.h>

/* Two numbers share 64 random bits, half of them each. */
static uint64_t half_of(uint64_t bits, size_t i)
{
    return i % 2 ? bits >> 32 : bits & UINT32_MAX;
}

void al_dropout_some(float rate, uint64_t key, size_t first, size_t n, const float *x, float *y)
{
    if (rate <= 0.0f) {
        memmove(y, x, n * sizeof *y);
        return;
    }
    if (rate >= 1.0f) {
        memset(y, 0, n * sizeof *y);
        return;
    }
    const uint64_t dropped = (uint64_t)((double)rate * 0x1p32);
    const float scale = 1.0f / (1.0f - rate);
    uint64_t bits = al_random_bits(key, first / 2);
    for (size_t i = 0; i < n; i++) {
        if ((first + i) % 2 == 0)
            bits = al_random_bits(key, (first + i) / 2);
        y[i] = half_of(bits, first + i) < dropped ? 0.0f : x[i] * scale;
    }
}

typedef struct dropout_job {
    float rate;
    uint64_t key;
    const float *x;
    float *y;
} dropout_job;

static void dropout_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const dropout_job *job = user;
    al_dropout_some(job->rate, job->key, begin, end - begin, job->x + begin, job->y + begin);
}

void al_dropout(const al_run *run, float rate, uint64_t key, size_t n, const float *x, float *y)
{
    if (run->dry || (rate <= 0.0f && x == y))
        return;
    dropout_job job = {rate, key, x, y};
    al_threads_run(run->threads, n, 8192, dropout_work, &job);
}
