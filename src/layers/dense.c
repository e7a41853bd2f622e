/* dense.c: see dense.h. */
#include "layers/dense.h"

#include "layers/linear.h"
#include "layers/matmul.h"

void al_dense_forward(const al_run *run, const al_dense *d, size_t rows, const float *x, float *y, size_t y_stride)
{
    const al_matmul product = {.m = rows,
                               .n = d->out,
                               .k = d->in,
                               .a = al_rows(run, x, d->in),
                               .b = al_rows(run, d->weight, d->in),
                               .b_transposed = true,
                               .bias = d->bias,
                               .c = y,
                               .c_row_stride = y_stride,
                               .c_panel = run->kernels->nr,
                               .precision = d->precision};
    al_matmul_run(run, &product);
}

typedef struct sum_job {
    const al_run *run;
    size_t rows, stride;
    const float *dy;
    float *scratch, *gradient; /* [out] */
} sum_job;

static void sum_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const sum_job *job = user;
    const al_kernels *k = job->run->kernels;
    k->column_sum(job->rows, end - begin, job->stride, job->dy + begin, job->scratch + begin);
    k->add(end - begin, job->scratch + begin, job->gradient + begin);
}

/* gradient += the sum of the rows of dy */
static void add_rows(const al_run *run, const al_dense *d, size_t rows, const float *dy, size_t stride)
{
    const size_t mark = al_arena_mark(run->arena);
    sum_job job = {run, rows, stride, dy, al_arena_floats(run->arena, d->out), d->bias_gradient};
    if (!run->dry)
        al_threads_run(run->threads, d->out, 64, sum_work, &job);
    al_arena_release(run->arena, mark);
}

void al_dense_backward(const al_run *run, const al_dense *d, size_t rows, const float *x, const float *dy,
                       size_t dy_stride, bool add, float *dx)
{
    const al_matrix gradient = al_rows(run, dy, dy_stride);
    if (d->weight_gradient) { /* dW += dy^T x */
        const al_matmul product = {.m = d->out,
                                   .n = d->in,
                                   .k = rows,
                                   .a = gradient,
                                   .a_transposed = true,
                                   .b = al_rows(run, x, d->in),
                                   .c = d->weight_gradient,
                                   .c_row_stride = d->in,
                                   .c_panel = run->kernels->nr,
                                   .add = true,
                                   .precision = d->precision};
        al_matmul_run(run, &product);
    }
    if (d->bias_gradient)
        add_rows(run, d, rows, dy, dy_stride);
    if (dx) { /* dx = dy W */
        const al_matmul product = {.m = rows,
                                   .n = d->in,
                                   .k = d->out,
                                   .a = gradient,
                                   .b = al_rows(run, d->weight, d->in),
                                   .c = dx,
                                   .c_row_stride = d->in,
                                   .c_panel = run->kernels->nr,
                                   .add = add,
                                   .precision = d->precision};
        al_matmul_run(run, &product);
    }
}
