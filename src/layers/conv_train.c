/* conv_train.c: see conv_train.h. */
#include "layers/conv_train.h"

#include "base/least.h"
#include "layers/matmul.h"

#include <string.h>

/* ---- matrices ---- */

typedef struct pack_job {
    const al_packing *packing;
    const al_linear *linear;
    const float *weight;
} pack_job;

/* One item is one panel of columns. */
static void pack_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const pack_job *job = user;
    const size_t nr = job->packing->kernels->nr, in = job->linear->in, first = begin * nr;
    const size_t rows = al_least(end * nr, job->linear->out) - first;
    const int64_t shape[2] = {(int64_t)rows, (int64_t)in};
    const align_tensor part = align_tensor_view(ALIGN_F32, 2, shape, job->weight + first * in);
    al_packed_fill(&job->linear->weight, job->packing, in, first, rows, &part, NULL);
}

al_linear al_pack_for_pass(const al_run *run, align_precision precision, size_t in, size_t out, const float *weight)
{
    const al_packing packing = {.kernels = run->kernels, .arena = run->arena, .precision = precision};
    al_linear linear;
    al_linear_init(&linear, &packing, in, out);
    pack_job job = {&packing, &linear, weight};
    if (!run->dry)
        al_threads_run(run->threads, (out + run->kernels->nr - 1) / run->kernels->nr, 1, pack_work, &job);
    return linear;
}

void al_weight_gradient(const al_run *run, align_precision precision, size_t rows, size_t in, size_t out, al_matrix dy,
                        al_matrix x, float *gradient)
{
    const al_matmul product = {.m = out,
                               .n = in,
                               .k = rows,
                               .a = dy,
                               .a_transposed = true,
                               .b = x,
                               .c = gradient,
                               .c_row_stride = in,
                               .c_panel = run->kernels->nr,
                               .add = true,
                               .precision = precision};
    if (gradient)
        al_matmul_run(run, &product);
}

/* ---- squeeze and excite ---- */

void al_squeeze_forward(const al_run *run, const al_squeeze *s, const float *means)
{
    const size_t n = s->batch * s->reduce.out, width = al_panel_width(run->kernels, s->expand.out);
    al_dense_forward(run, &s->reduce, s->batch, means, s->before, s->reduce.out);
    if (!run->dry) {
        memcpy(s->after, s->before, n * sizeof *s->after);
        run->kernels->activate(s->act, n, s->after);
        memset(s->gates, 0, s->batch * width * sizeof *s->gates);
    }
    al_dense_forward(run, &s->expand, s->batch, s->after, s->gates, width);
    for (size_t b = 0; b < s->batch && !run->dry; b++)
        run->kernels->activate(ALIGN_ACT_SIGMOID, s->expand.out, s->gates + b * width);
}

void al_squeeze_backward(const al_run *run, const al_squeeze *s, const float *means, float *dgates, float *dmeans)
{
    const size_t mark = al_arena_mark(run->arena), n = s->batch * s->reduce.out,
                 width = al_panel_width(run->kernels, s->expand.out);
    float *dsqueezed = al_arena_floats(run->arena, n);
    for (size_t i = 0; i < s->batch * width && !run->dry; i++) /* of a sigmoid, from what came out */
        dgates[i] *= s->gates[i] * (1.0f - s->gates[i]);
    al_dense_backward(run, &s->expand, s->batch, s->after, dgates, width, false, dsqueezed);
    if (!run->dry)
        run->kernels->activate_backward(s->act, n, s->before, dsqueezed, dsqueezed);
    al_dense_backward(run, &s->reduce, s->batch, means, dsqueezed, s->reduce.out, false, dmeans);
    al_arena_release(run->arena, mark);
}

/* ---- pooling ---- */

typedef struct pool_job {
    size_t pixels, channels;
    bool max;
    const float *x, *y, *dy;
    float *dx;
} pool_job;

/* The gradient of a maximum belongs to the first pixel that has it. */
static void max_backward(const pool_job *job, size_t b)
{
    const size_t n = job->channels, first = b * job->pixels * n;
    for (size_t c = 0; c < n; c++) {
        bool found = false;
        for (size_t i = first + c; i < first + job->pixels * n; i += n) {
            const bool has_it = !found && job->x[i] == job->y[b * n + c];
            job->dx[i] = has_it ? job->dy[b * n + c] : 0.0f;
            found = found || has_it;
        }
    }
}

static void mean_backward(const pool_job *job, size_t b)
{
    const size_t n = job->channels;
    float *dx = job->dx + b * job->pixels * n;
    for (size_t c = 0; c < n; c++)
        dx[c] = job->dy[b * n + c] / (float)job->pixels;
    for (size_t i = 1; i < job->pixels; i++)
        memcpy(dx + i * n, dx, n * sizeof *dx);
}

/* One item is one picture. */
static void pool_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const pool_job *job = user;
    for (size_t b = begin; b < end; b++)
        if (job->max)
            max_backward(job, b);
        else
            mean_backward(job, b);
}

void al_pool_backward(const al_run *run, size_t batch, size_t pixels, size_t channels, bool max, const float *x,
                      const float *y, const float *dy, float *dx)
{
    if (run->dry)
        return;
    pool_job job = {pixels, channels, max, x, y, dy, dx};
    al_threads_run(run->threads, batch, 1, pool_work, &job);
}
