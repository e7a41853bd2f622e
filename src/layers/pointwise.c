/* pointwise.c: see pointwise.h. */
#include "layers/pointwise.h"

#include <string.h>

/* Numbers a thread takes at a time: what it has copied is still in L1 when it is activated. */
#define GRAIN 4096

typedef struct pointwise_job {
    const al_kernels *kernels;
    align_activation act;
    const float *x, *dy;
    float *y;
} pointwise_job;

static void activate_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const pointwise_job *job = user;
    memmove(job->y + begin, job->x + begin, (end - begin) * sizeof *job->y);
    job->kernels->activate(job->act, end - begin, job->y + begin);
}

void al_activation_forward(const al_run *run, align_activation act, size_t n, const float *x, float *y)
{
    pointwise_job job = {.kernels = run->kernels, .act = act, .x = x, .y = y};
    if (!run->dry)
        al_threads_run(run->threads, n, GRAIN, activate_work, &job);
}

static void slope_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const pointwise_job *job = user;
    job->kernels->activate_backward(job->act, end - begin, job->x + begin, job->dy + begin, job->y + begin);
}

void al_activation_backward(const al_run *run, align_activation act, size_t n, const float *x, const float *dy,
                            float *dx)
{
    pointwise_job job = {.kernels = run->kernels, .act = act, .x = x, .dy = dy, .y = dx};
    if (!run->dry)
        al_threads_run(run->threads, n, GRAIN, slope_work, &job);
}

static void add_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const pointwise_job *job = user;
    job->kernels->add(end - begin, job->x + begin, job->y + begin);
}

void al_add_to(const al_run *run, size_t n, const float *x, float *y)
{
    pointwise_job job = {.kernels = run->kernels, .x = x, .y = y};
    if (!run->dry)
        al_threads_run(run->threads, n, GRAIN, add_work, &job);
}
