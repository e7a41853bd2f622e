/* norm.c: see norm.h. */
#include "layers/norm.h"

#include "base/tensor.h"
#include "layers/profile.h"

#include <math.h>
#include <string.h>

void al_layer_norm_init(al_layer_norm *norm, const al_packing *packing, float eps, const align_tensor *weight,
                        const align_tensor *bias)
{
    const size_t n = (size_t)weight->shape[0];
    float *w = al_arena_floats(packing->arena, n), *b = al_arena_floats(packing->arena, n);
    *norm = (al_layer_norm){n, eps, w, b};
    if (!al_packing_writes(packing))
        return;
    align_tensor_to_f32(weight, w);
    align_tensor_to_f32(bias, b);
}

typedef struct norm_job {
    const al_run *run;
    const al_layer_norm *norm;
    const float *x;
    float *y;
} norm_job;

static void norm_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const norm_job *job = user;
    const al_layer_norm *norm = job->norm;
    for (size_t r = begin; r < end; r++)
        job->run->kernels->layer_norm(norm->n, norm->eps, job->x + r * norm->n, norm->weight, norm->bias,
                                      job->y + r * norm->n);
}

void al_layer_norm_forward(const al_run *run, const al_layer_norm *norm, size_t rows, const float *x, float *y)
{
    if (run->dry)
        return;
    al_profile_count(run, 0, 2 * norm->n * sizeof *x, 2 * rows * norm->n * sizeof *x);
    norm_job job = {run, norm, x, y};
    al_threads_run(run->threads, rows, 32, norm_work, &job);
}

/* Rows whose gradients of weight and bias are added up together; these sums are then added in order. */
#define BLOCK_ROWS ((size_t)64)

typedef struct backward_job {
    const al_run *run;
    const al_layer_norm *norm;
    size_t rows, blocks;
    const float *x, *dy;
    float *dx, *dweight, *dbias;
    float *sums; /* [blocks, 2, n] */
} backward_job;

static void backward_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const backward_job *job = user;
    const al_layer_norm *norm = job->norm;
    const size_t n = norm->n;
    for (size_t block = begin; block < end; block++) {
        float *sums = job->sums + block * 2 * n;
        memset(sums, 0, 2 * n * sizeof *sums);
        for (size_t r = block * BLOCK_ROWS; r < job->rows && r < (block + 1) * BLOCK_ROWS; r++)
            job->run->kernels->layer_norm_backward(n, norm->eps, job->x + r * n, norm->weight, job->dy + r * n,
                                                   job->dx + r * n, sums, sums + n);
    }
}

/* Columns [begin, end) of the gradients. */
static void add_sums_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const backward_job *job = user;
    const size_t n = job->norm->n;
    for (size_t block = 0; block < job->blocks; block++) {
        const float *sums = job->sums + block * 2 * n + begin;
        if (job->dweight)
            job->run->kernels->add(end - begin, sums, job->dweight + begin);
        if (job->dbias)
            job->run->kernels->add(end - begin, sums + n, job->dbias + begin);
    }
}

void al_layer_norm_backward(const al_run *run, const al_layer_norm *norm, size_t rows, const float *x, const float *dy,
                            float *dx, float *dweight, float *dbias)
{
    const size_t mark = al_arena_mark(run->arena), blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    float *sums = al_arena_floats(run->arena, blocks * 2 * norm->n);
    if (!run->dry) {
        backward_job job = {run, norm, rows, blocks, x, dy, dx, dweight, dbias, sums};
        al_threads_run(run->threads, blocks, 1, backward_work, &job);
        al_threads_run(run->threads, norm->n, 64, add_sums_work, &job);
    }
    al_arena_release(run->arena, mark);
}

static double element(const align_tensor *t, size_t i)
{
    float f;
    al_to_f32(t->dtype, (const char *)t->data + i * align_dtype_size(t->dtype), 1, &f);
    return (double)f;
}

void al_batch_norm_fold(double eps, const align_tensor *weight, const align_tensor *bias, const align_tensor *mean,
                        const align_tensor *var, float *scale, float *shift)
{
    const size_t n = (size_t)weight->shape[0];
    for (size_t c = 0; c < n; c++) {
        const double s = element(weight, c) / sqrt(element(var, c) + eps);
        scale[c] = (float)s;
        shift[c] = (float)(element(bias, c) - element(mean, c) * s);
    }
}
