/* linear.c: see linear.h. */
#include "layers/linear.h"

#include "base/tensor.h"
#include "layers/profile.h"

#include <string.h>

/* ---- packing ---- */

void al_linear_init(al_linear *l, const al_packing *p, size_t in, size_t out)
{
    const size_t columns = (out + p->kernels->nr - 1) / p->kernels->nr * p->kernels->nr;
    const al_packed weight = al_packed_new(p, in, out);
    float *bias = al_arena_floats(p->arena, columns);
    *l = (al_linear){in, out, weight, bias};
    if (al_packing_writes(p))
        memset(bias, 0, columns * sizeof *bias);
}

void al_linear_pack(al_linear *l, const al_packing *p, size_t first, size_t rows, const align_tensor *weight,
                    const align_tensor *bias, const float *scale)
{
    al_packed_fill(&l->weight, p, l->in, first, rows, weight, scale);
    if (bias && al_packing_writes(p))
        align_tensor_to_f32(bias, (float *)(uintptr_t)l->bias + first);
}

void al_linear_init_packed(al_linear *l, const al_packing *p, const align_tensor *weight, const align_tensor *bias)
{
    const size_t out = (size_t)weight->shape[0];
    al_linear_init(l, p, (size_t)weight->shape[1], out);
    al_linear_pack(l, p, 0, out, weight, bias, NULL);
}

/* ---- layouts ---- */

al_matrix al_rows(const al_run *run, const float *data, size_t columns)
{
    return (al_matrix){data, columns, run->kernels->nr};
}

al_linear_output al_rows_out(const al_run *run, float *data, size_t columns, const float *residual)
{
    return (al_linear_output){.data = data, .row_stride = columns, .panel = run->kernels->nr, .residual = residual};
}

al_linear_output al_bf16_out(uint16_t *data, size_t row_stride)
{
    return (al_linear_output){.row_stride = row_stride, .bf16 = data};
}

size_t al_panel_count(const al_kernels *k, size_t columns)
{
    return (columns + k->nr - 1) / k->nr;
}

size_t al_panel_width(const al_kernels *k, size_t columns)
{
    return al_panel_count(k, columns) * k->nr;
}

al_matrix al_panels(const al_run *run, const float *data, size_t rows)
{
    return (al_matrix){data, run->kernels->nr, rows * run->kernels->nr};
}

/* ---- operands ---- */

bool al_linear_prepares(const al_linear *l, size_t rows)
{
    const al_product *product = l->weight.product;
    return product->prepare && (!product->pays || product->pays(rows, l->out, l->in));
}

al_gemm_function *al_linear_kernel(const al_run *run, const al_linear *l, bool prepared)
{
    const al_product *product = l->weight.product;
    return product->prepare && !prepared ? run->kernels->gemm : product->gemm;
}

bool al_linear_takes_bf16(const al_linear *l)
{
    return l->weight.product->takes_bf16;
}

/* Whether rows of bf16 are an operand as they are. */
static bool reads_bf16(const al_linear *l)
{
    return l->weight.product->bf16_rows && l->in % l->weight.product->k_multiple == 0;
}

size_t al_bf16_stride(const al_linear *reader)
{
    return reads_bf16(reader) ? al_linear_operand_row(reader) / sizeof(uint16_t) : reader->in;
}

size_t al_linear_operand_row(const al_linear *l)
{
    return l->weight.product->operand_row(l->in);
}

typedef struct prepare_job {
    const al_product *product;
    const al_operand *operand;
} prepare_job;

static void prepare_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const prepare_job *job = user;
    job->product->prepare(job->operand, begin, end);
}

static void prepare(const al_run *run, const al_linear *l, size_t rows, const al_operand *o)
{
    prepare_job job = {l->weight.product, o};
    const size_t grain = (size_t)16 * 1024 / (l->in + 1) + 1;
    al_threads_run(run->threads, rows, grain, prepare_work, &job);
}

void al_linear_prepare(const al_run *run, const al_linear *l, size_t rows, al_matrix x, const float *gates,
                       void *operand)
{
    const al_operand o = {.k = l->in, .x = x, .gates = gates, .rows = operand};
    if (!run->dry)
        prepare(run, l, rows, &o);
}

/* ---- forward ---- */

al_gemm al_linear_gemm(const al_linear *l)
{
    return (al_gemm){.n = l->out,
                     .k = l->in,
                     .b = l->weight.weight,
                     .b_scale = l->weight.scale,
                     .b_sum = l->weight.sum,
                     .bias = l->bias};
}

typedef struct gemm_job {
    const al_gemm *gemm;
    al_gemm_function *run;
    size_t row_chunk, panels;
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
        job->run(job->gemm, row, row + (rows < job->row_chunk ? rows : job->row_chunk), panel, panel + panels);
        begin += panels;
    }
}

#define LEAST_ROWS 32

/* A multiple of every al_product.row_group. */
#define ROW_GROUP ((size_t)16)

void al_gemm_run(const al_run *run, const al_gemm *g, al_gemm_function *kernel)
{
    const al_kernels *k = run->kernels;
    const size_t threads = (size_t)al_threads_count(run->threads);
    const size_t panels = (g->n + k->nr - 1) / k->nr;
    if (threads == 1) {
        kernel(g, 0, g->m, 0, panels);
        return;
    }
    /* Some items for each thread, of as many rows as that allows: whatever is made of a panel of weights is made for
     * each. A thread takes neighbours, since it fetches the panel after the one it works on. */
    const size_t wanted = AL_THREADS_CHUNKS * threads, most = (g->m + LEAST_ROWS - 1) / LEAST_ROWS;
    size_t chunks = (wanted + panels - 1) / panels;
    chunks = chunks < most ? chunks : most;
    gemm_job job = {g, kernel, (g->m + chunks - 1) / chunks, panels};
    job.row_chunk = (job.row_chunk + ROW_GROUP - 1) / ROW_GROUP * ROW_GROUP;
    al_threads_run(run->threads, (g->m + job.row_chunk - 1) / job.row_chunk * panels, 0, gemm_work, &job);
}

/* Bytes of prepared rows at a time, so that they are still in L2 when the last panel reads them. */
#define OPERAND_BYTES ((size_t)1024 * 1024)
#define OPERAND_ROWS  ((size_t)192)

/* Prepares rows [begin, end) of all, with the gates that each has, and writes them from all->rows on. */
static void prepare_rows(const al_run *run, const al_linear *l, size_t begin, size_t end, const al_operand *all,
                         const al_gates *gates)
{
    const size_t bytes = al_linear_operand_row(l);
    for (size_t row = begin; row < end;) {
        size_t next = end;
        al_operand some = *all;
        if (gates) {
            const size_t picture = row / gates->rows_per_gate, last = (picture + 1) * gates->rows_per_gate;
            next = last < end ? last : end;
            some.gates = gates->data + picture * gates->gate_stride;
        }
        if (all->bf16)
            some.bf16 += row * all->x.row_stride;
        else
            some.x.data += row * all->x.row_stride;
        some.rows = (char *)all->rows + (row - begin) * bytes;
        prepare(run, l, next - row, &some);
        row = next;
    }
}

/* What `all` says to be prepared, its rows aside, a block at a time. */
static void forward_prepared(const al_run *run, const al_linear *l, const al_operand *all, const al_gates *gates,
                             const al_gemm *g)
{
    const size_t bytes = al_linear_operand_row(l), mark = al_arena_mark(run->arena);
    const size_t fit = OPERAND_BYTES / bytes, most = fit < OPERAND_ROWS ? OPERAND_ROWS : fit;
    const size_t blocks = (g->m + most - 1) / most, block = (g->m + blocks - 1) / blocks;
    al_operand o = *all;
    /* Not `block` of them: that can be less for more rows, while a dry run goes through the most that there may be. */
    o.rows = al_arena_take(run->arena, g->m < most ? g->m : most, bytes);
    for (size_t row = 0; row < g->m && !run->dry; row += block) {
        al_gemm part = *g;
        part.m = g->m - row < block ? g->m - row : block;
        part.operand = o.rows;
        if (g->c_bf16)
            part.c_bf16 += row * g->c_row_stride;
        else
            part.c += row * g->c_row_stride;
        part.residual = g->residual ? g->residual + row * g->residual_stride : NULL;
        prepare_rows(run, l, row, row + part.m, &o, gates);
        al_gemm_run(run, &part, al_linear_kernel(run, l, true));
    }
    al_arena_release(run->arena, mark);
}

static al_gemm gemm_of(const al_linear *l, size_t rows, al_matrix x, align_activation act, al_linear_output y)
{
    al_gemm g = al_linear_gemm(l);
    g.m = rows;
    g.a = x;
    g.act = act;
    g.residual = y.residual;
    g.residual_stride = l->out;
    g.c = y.data;
    g.c_bf16 = y.bf16;
    g.c_row_stride = y.row_stride;
    g.c_panel = y.panel;
    return g;
}

/* In the profile. */
static void count_product(const al_run *run, const al_linear *l, size_t rows, const float *residual)
{
    const size_t floats = rows * (l->in + (residual ? 2 : 1) * l->out);
    al_profile_count(run, rows * l->in * l->out, al_packed_bytes(&l->weight, l->in, l->out), floats * sizeof(float));
}

void al_linear_forward(const al_run *run, const al_linear *l, size_t rows, al_matrix x, align_activation act,
                       al_linear_output y)
{
    const al_gemm g = gemm_of(l, rows, x, act, y);
    const al_operand o = {.k = l->in, .x = x};
    if (rows == 0)
        return;
    count_product(run, l, rows, y.residual);
    if (al_linear_prepares(l, rows))
        forward_prepared(run, l, &o, NULL, &g);
    else if (!run->dry)
        al_gemm_run(run, &g, al_linear_kernel(run, l, false));
}

void al_linear_forward_bf16(const al_run *run, const al_linear *l, size_t rows, const uint16_t *x, align_activation act,
                            al_linear_output y)
{
    const al_operand o = {.k = l->in, .x = al_rows(run, NULL, al_bf16_stride(l)), .bf16 = x};
    al_gemm g = gemm_of(l, rows, o.x, act, y);
    if (rows == 0)
        return;
    count_product(run, l, rows, y.residual);
    g.operand = x;
    if (!reads_bf16(l))
        forward_prepared(run, l, &o, NULL, &g);
    else if (!run->dry)
        al_gemm_run(run, &g, al_linear_kernel(run, l, true));
}

void al_linear_forward_gated(const al_run *run, const al_linear *l, size_t rows, al_matrix x, al_gates gates,
                             al_linear_output y)
{
    const al_gemm g = gemm_of(l, rows, x, ALIGN_ACT_LINEAR, y);
    const al_operand o = {.k = l->in, .x = x};
    count_product(run, l, rows, y.residual);
    forward_prepared(run, l, &o, &gates, &g);
}

/* ---- two layers ---- */

/* Numbers between rows of what nobody else sees: without them rows of some thousand numbers, as many as a power of two
 * or nearly so, would all compete for the same lines of a cache. */
#define ROW_GAP 16

void al_linear_forward_pair(const al_run *run, const al_linear_pair *pair, size_t rows, al_matrix x, al_linear_output y)
{
    const al_linear *first = pair->first, *second = pair->second;
    const size_t mark = al_arena_mark(run->arena);
    al_profile_step(run, pair->first_step);
    if (al_linear_takes_bf16(first) && al_linear_takes_bf16(second)) {
        const size_t stride = al_bf16_stride(second);
        uint16_t *between = al_arena_take(run->arena, rows, stride * sizeof *between);
        al_linear_forward(run, first, rows, x, pair->act, al_bf16_out(between, stride));
        al_profile_step(run, pair->second_step);
        al_linear_forward_bf16(run, second, rows, between, ALIGN_ACT_LINEAR, y);
    } else {
        const size_t stride = first->out + ROW_GAP;
        float *between = al_arena_floats(run->arena, rows * stride);
        al_linear_forward(run, first, rows, x, pair->act, al_rows_out(run, between, stride, NULL));
        al_profile_step(run, pair->second_step);
        al_linear_forward(run, second, rows, al_rows(run, between, stride), ALIGN_ACT_LINEAR, y);
    }
    al_arena_release(run->arena, mark);
}
