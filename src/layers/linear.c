/* linear.c: see linear.h. */
#include "layers/linear.h"

#include "base/tensor.h"

#include <string.h>

/* ---- packing ---- */

size_t al_packed_size(const al_kernels *k, size_t in, size_t out)
{
    return (out + k->nr - 1) / k->nr * k->nr * in;
}

void al_linear_init(al_linear *l, const al_kernels *k, al_arena *arena, size_t in, size_t out)
{
    const size_t columns = (out + k->nr - 1) / k->nr * k->nr;
    float *weight = al_arena_floats(arena, columns * in), *bias = al_arena_floats(arena, columns);
    *l = (al_linear){in, out, weight, bias};
    if (!arena->base)
        return;
    memset(bias, 0, columns * sizeof *bias);
    if (columns != out) /* the last panel is zero beyond the matrix; the others are packed whole */
        memset(weight + (columns - k->nr) * in, 0, k->nr * in * sizeof *weight);
}

/* Rows are converted a stretch at a time, so that halves need no copy of the whole matrix. */
#define STRETCH 1024

void al_linear_pack(al_linear *l, const al_kernels *k, const al_arena *arena, size_t first, size_t rows,
                    const align_tensor *weight, const align_tensor *bias, const float *scale)
{
    if (!arena->base)
        return;
    float *packed = (float *)(uintptr_t)l->weight, *packed_bias = (float *)(uintptr_t)l->bias;
    const size_t size = align_dtype_size(weight->dtype);
    float stretch[STRETCH];
    for (size_t r = 0; r < rows; r++) {
        const char *row = (const char *)weight->data + r * l->in * size;
        for (size_t i = 0; i < l->in; i += STRETCH) {
            const size_t n = l->in - i < STRETCH ? l->in - i : STRETCH;
            al_to_f32(weight->dtype, row + i * size, n, stretch);
            const size_t column = first + r, nr = k->nr;
            float *to = packed + (column / nr * l->in + i) * nr + column % nr;
            for (size_t j = 0; j < n; j++)
                to[j * nr] = scale ? stretch[j] * scale[r] : stretch[j];
        }
    }
    if (bias)
        align_tensor_to_f32(bias, packed_bias + first);
}

void al_linear_init_packed(al_linear *l, const al_kernels *k, al_arena *arena, const align_tensor *weight,
                           const align_tensor *bias)
{
    const size_t out = (size_t)weight->shape[0];
    al_linear_init(l, k, arena, (size_t)weight->shape[1], out);
    al_linear_pack(l, k, arena, 0, out, weight, bias, NULL);
}

void al_pack(const al_kernels *k, const float *matrix, size_t row_stride, size_t in, size_t out, bool transposed,
             float *packed)
{
    const size_t nr = k->nr, panels = (out + nr - 1) / nr;
    if (out % nr)
        memset(packed + (panels - 1) * nr * in, 0, nr * in * sizeof *packed);
    if (!transposed) {
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                packed[(o / nr * in + i) * nr + o % nr] = matrix[o * row_stride + i];
        return;
    }
    for (size_t p = 0; p < panels; p++)
        for (size_t i = 0; i < in; i++) {
            const size_t n = out - p * nr < nr ? out - p * nr : nr;
            memcpy(packed + (p * in + i) * nr, matrix + i * row_stride + p * nr, n * sizeof *packed);
        }
}

/* ---- layouts ---- */

al_matrix al_rows(const al_run *run, const float *data, size_t columns)
{
    return (al_matrix){data, columns, run->kernels->nr};
}

al_linear_output al_rows_out(const al_run *run, float *data, size_t columns, const float *residual)
{
    return (al_linear_output){data, columns, run->kernels->nr, false, residual};
}

al_matrix al_panels(const al_run *run, const float *data, size_t rows)
{
    return (al_matrix){data, run->kernels->nr, rows * run->kernels->nr};
}

al_linear_output al_panels_out(const al_run *run, float *data, size_t rows)
{
    return (al_linear_output){data, run->kernels->nr, rows * run->kernels->nr, true, NULL};
}

/* ---- forward ---- */

typedef struct gemm_job {
    const al_kernels *kernels;
    const al_gemm *gemm;
    size_t row_chunk, row_chunks, panels;
} gemm_job;

/* One item is one chunk of rows of one panel; panels of the same rows follow each other. */
static void gemm_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const gemm_job *job = user;
    while (begin < end) {
        const size_t chunk = begin / job->panels, panel = begin % job->panels;
        const size_t left = job->panels - panel, panels = end - begin < left ? end - begin : left;
        const size_t row = chunk * job->row_chunk, rows = job->gemm->m - row;
        job->kernels->gemm(job->gemm, row, row + (rows < job->row_chunk ? rows : job->row_chunk), panel,
                           panel + panels);
        begin += panels;
    }
}

void al_linear_forward(const al_run *run, const al_linear *l, size_t rows, al_matrix x, align_activation act,
                       al_linear_output y)
{
    if (run->dry || rows == 0)
        return;
    const al_kernels *k = run->kernels;
    const al_gemm gemm = {.m = rows,
                          .n = l->out,
                          .k = l->in,
                          .a = x,
                          .b = l->weight,
                          .bias = l->bias,
                          .act = act,
                          .residual = y.residual,
                          .residual_stride = l->out,
                          .c = y.data,
                          .c_row_stride = y.row_stride,
                          .c_panel = y.panel,
                          .c_padded = y.padded};
    const size_t panels = (l->out + k->nr - 1) / k->nr, threads = (size_t)al_threads_count(run->threads);
    if (threads == 1) {
        k->gemm(&gemm, 0, rows, 0, panels);
        return;
    }
    /* Chunks of rows large enough to use a panel of weights well, small enough that every thread gets some. */
    size_t chunk = (rows / (4 * threads) + k->mr) / k->mr * k->mr;
    if (chunk < 8 * k->mr)
        chunk = 8 * k->mr;
    gemm_job job = {k, &gemm, chunk, (rows + chunk - 1) / chunk, panels};
    const size_t items = job.row_chunks * panels, grain = items / (8 * threads);
    al_threads_run(run->threads, items, grain ? grain : 1, gemm_work, &job);
}
