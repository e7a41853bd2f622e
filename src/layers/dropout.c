/* dropout.c: see dropout.h. */
#include "layers/dropout.h"

#include <string.h>

void al_dropout_some(const al_kernels *kernels, float rate, uint64_t key, size_t first, size_t n, const float *x,
                     float *y)
{
    if (rate <= 0.0f) {
        memmove(y, x, n * sizeof *y);
        return;
    }
    if (rate >= 1.0f) {
        memset(y, 0, n * sizeof *y);
        return;
    }
    const al_dropping d = {key, (uint32_t)((double)rate * 0x1p32), 1.0f / (1.0f - rate)};
    kernels->dropout(&d, first, n, x, y);
}

typedef struct dropout_job {
    const al_kernels *kernels;
    float rate;
    uint64_t key;
    const float *x;
    float *y;
} dropout_job;

static void dropout_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const dropout_job *job = user;
    al_dropout_some(job->kernels, job->rate, job->key, begin, end - begin, job->x + begin, job->y + begin);
}

void al_dropout(const al_run *run, float rate, uint64_t key, size_t n, const float *x, float *y)
{
    if (run->dry || (rate <= 0.0f && x == y))
        return;
    dropout_job job = {run->kernels, rate, key, x, y};
    al_threads_run(run->threads, n, 8192, dropout_work, &job);
}
