/*
 * matmul.c: see matmul.h.
 *
 *     for chunks of k             (c is added to from the second on)
 *       for blocks of columns     -> packed: b in the panels that the product reads
 *         for blocks of rows      -> rows of a, put upright if they lie, prepared if the product wants it
 *           the product
 *
 * The threads share each of these steps. But where c is small and k is long, as in the gradients of the first layers of
 * a picture, there is too little to share in c: then k is cut into parts, each of which a thread does alone, and the
 * parts are added up in their order.
 */
#include "layers/matmul.h"

#include "base/tensor.h"
#include "layers/linear.h"

#include <string.h>

/* Numbers along k of a chunk, floats of a block of b, rows of a block of a: at most about so many. */
#define CHUNK_DEPTH ((size_t)1536)
#define PACKED_ROOM ((size_t)1 << 20)
#define BLOCK_ROWS  ((size_t)512)

/* c is small if it has at most so many numbers; k is cut into at most so many parts. */
#define SMALL_C    ((size_t)128 * 1024)
#define MOST_PARTS ((size_t)16)

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The largest size of even pieces of n that are multiples of `multiple` and not much more than `most`. */
static size_t even_pieces(size_t n, size_t most, size_t multiple)
{
    const size_t pieces = n <= most ? 1 : (n + most - 1) / most;
    const size_t piece = round_up((n + pieces - 1) / pieces, multiple);
    return piece ? piece : multiple;
}

/* How a product is cut, and what multiplies. */
typedef struct plan {
    const al_product *product;
    al_gemm_function *kernel;
    bool prepares;
    size_t step;                 /* of k: whole panels, and what the product takes at once */
    size_t depth, columns, rows; /* of blocks */
    size_t chunks, parts;        /* of k; a part is some chunks */
} plan;

static plan plan_of(const al_run *run, const al_matmul *p)
{
    const al_product *product = run->kernels->products[p->precision];
    const bool prepares = product->prepare && (!product->pays || product->pays(p->m, p->n, p->k));
    plan out = {.product = product,
                .kernel = product->prepare && !prepares ? run->kernels->gemm : product->gemm,
                .prepares = prepares,
                .step = run->kernels->nr};
    while (out.step % product->k_multiple)
        out.step += run->kernels->nr;
    out.depth = even_pieces(p->k, CHUNK_DEPTH, out.step);
    out.columns = even_pieces(p->n, PACKED_ROOM / out.depth, run->kernels->nr);
    out.rows = prepares || p->a_transposed ? even_pieces(p->m, BLOCK_ROWS, run->kernels->nr) : p->m;
    out.chunks = p->k ? (p->k + out.depth - 1) / out.depth : 1;
    out.parts = p->m * p->n <= SMALL_C ? least(out.chunks, MOST_PARTS) : 1;
    return out;
}

/* What a block is made ready in. */
typedef struct scratch {
    float *panels;  /* [columns / nr][depth][nr] */
    void *packed;   /* the same in the product's element: panels themselves if that is f32 */
    float *upright; /* [rows, depth] of an a that lies */
    void *operand;  /* [rows] prepared */
} scratch;

static scratch take_scratch(const al_run *run, const al_matmul *p, const plan *how)
{
    scratch s = {0};
    const size_t packed = how->columns * how->depth;
    s.panels = al_arena_floats(run->arena, packed);
    s.packed = how->product->element == AL_F32 ? (void *)s.panels : al_arena_take(run->arena, packed, sizeof(uint16_t));
    if (p->a_transposed)
        s.upright = al_arena_floats(run->arena, how->rows * how->depth);
    if (how->prepares)
        s.operand = al_arena_take(run->arena, how->rows, how->product->operand_row(how->depth));
    return s;
}

/* A block of the product: rows and columns of c, and what of k. */
typedef struct range {
    size_t begin, n;
} range;

typedef struct block {
    const al_run *run;
    const al_matmul *p;
    const plan *how;
    const scratch *scratch;
    range rows, columns, depth;
} block;

static al_matrix part_of(al_matrix x, size_t nr, size_t row, size_t column)
{
    return (al_matrix){x.data + column / nr * x.panel + row * x.row_stride + column % nr, x.row_stride, x.panel};
}

/* y [columns, y_stride] = x [rows, columns] the other way round; x begins at a panel, or ends in the one it is in. */
static void transpose(const al_kernels *k, al_matrix x, size_t rows, size_t columns, float *y, size_t y_stride)
{
    if (x.panel == k->nr) {
        k->transpose(rows, columns, x.data, x.row_stride, y, y_stride);
        return;
    }
    for (size_t c = 0; c < columns; c += k->nr, x.data += x.panel)
        k->transpose(rows, least(columns - c, k->nr), x.data, x.row_stride, y + c * y_stride, y_stride);
}

/* ---- b ---- */

/* A panel of b, `depth` of k, zero beyond its columns. */
static void gather_panel(const block *w, size_t panel, float *to)
{
    const al_matmul *p = w->p;
    const size_t nr = w->run->kernels->nr, first = w->columns.begin + panel * nr;
    const size_t columns = least(w->columns.begin + w->columns.n - first, nr);
    if (columns < nr)
        memset(to, 0, w->depth.n * nr * sizeof *to);
    if (p->b_transposed) {
        transpose(w->run->kernels, part_of(p->b, nr, first, w->depth.begin), columns, w->depth.n, to, nr);
        return;
    }
    const al_matrix b = part_of(p->b, nr, w->depth.begin, first);
    for (size_t k = 0; k < w->depth.n; k++)
        memcpy(to + k * nr, b.data + k * b.row_stride, columns * sizeof *to);
}

/* [depth][nr] f32 -> [depth to k_multiple / group][nr][group] bf16 */
static void round_panel(const al_product *product, size_t nr, size_t depth, const float *from, uint16_t *to)
{
    const size_t group = product->group, padded = round_up(depth, product->k_multiple);
    for (size_t k = 0; k < padded; k += group, to += nr * group)
        for (size_t j = 0; j < nr; j++)
            for (size_t g = 0; g < group; g++) {
                const float x = k + g < depth ? from[(k + g) * nr + j] : 0.0f;
                al_f32_to_bf16(&x, 1, &to[j * group + g]);
            }
}

static void pack_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const block *w = user;
    const al_product *product = w->how->product;
    const size_t nr = w->run->kernels->nr;
    for (size_t panel = begin; panel < end; panel++) {
        float *panels = w->scratch->panels + panel * w->depth.n * nr;
        gather_panel(w, panel, panels);
        if (product->element == AL_BF16)
            round_panel(product, nr, w->depth.n, panels,
                        (uint16_t *)w->scratch->packed + panel * round_up(w->depth.n, product->k_multiple) * nr);
    }
}

/* ---- a ---- */

static al_matrix upright(const block *w)
{
    const al_matmul *p = w->p;
    if (p->a_transposed)
        return (al_matrix){w->scratch->upright, w->depth.n, w->run->kernels->nr};
    return part_of(p->a, w->run->kernels->nr, w->rows.begin, w->depth.begin);
}

static void rows_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const block *w = user;
    const al_matmul *p = w->p;
    const size_t nr = w->run->kernels->nr;
    if (p->a_transposed)
        for (size_t row = begin; row < end; row += nr - row % nr)
            transpose(w->run->kernels, part_of(p->a, nr, w->depth.begin, w->rows.begin + row), w->depth.n,
                      least(end - row, nr - row % nr), w->scratch->upright + row * w->depth.n, w->depth.n);
    if (w->how->prepares) {
        const al_operand o = {w->depth.n, upright(w), NULL, w->scratch->operand};
        w->how->product->prepare(&o, begin, end);
    }
}

/* ---- the product ---- */

static void multiply_block(block *w)
{
    const al_matmul *p = w->p;
    const size_t nr = w->run->kernels->nr;
    if (p->a_transposed || w->how->prepares)
        al_threads_run(w->run->threads, w->rows.n, nr, rows_work, w);
    const al_gemm g = {.m = w->rows.n,
                       .n = w->columns.n,
                       .k = w->depth.n,
                       .a = upright(w),
                       .operand = w->scratch->operand,
                       .b = w->scratch->packed,
                       .bias = p->bias && w->depth.begin == 0 ? p->bias + w->columns.begin : NULL,
                       .act = ALIGN_ACT_LINEAR,
                       .c = p->c + w->columns.begin / nr * p->c_panel + w->rows.begin * p->c_row_stride,
                       .c_row_stride = p->c_row_stride,
                       .c_panel = p->c_panel,
                       .add = p->add || w->depth.begin != 0};
    al_gemm_run(w->run, &g, w->how->kernel);
}

/* Chunks [begin, end) of k. */
static void multiply_chunks(const al_run *run, const al_matmul *p, const plan *how, const scratch *s, size_t begin,
                            size_t end)
{
    const size_t nr = run->kernels->nr;
    block w = {.run = run, .p = p, .how = how, .scratch = s};
    for (size_t chunk = begin; chunk < end; chunk++) {
        w.depth.begin = chunk * how->depth;
        w.depth.n = least(p->k - w.depth.begin, how->depth);
        for (w.columns.begin = 0; w.columns.begin < p->n; w.columns.begin += how->columns) {
            w.columns.n = least(p->n - w.columns.begin, how->columns);
            al_threads_run(run->threads, (w.columns.n + nr - 1) / nr, 1, pack_work, &w);
            for (w.rows.begin = 0; w.rows.begin < p->m; w.rows.begin += how->rows) {
                w.rows.n = least(p->m - w.rows.begin, how->rows);
                multiply_block(&w);
            }
        }
    }
}

/* ---- parts of k ---- */

typedef struct parts_job {
    const al_run *run;
    const al_matmul *p;
    const plan *how;
    const scratch *scratch; /* one a thread */
    float *sums;            /* [parts, m, width] */
    size_t width;           /* n, padded to whole panels */
} parts_job;

static void parts_work(void *user, size_t begin, size_t end, int thread)
{
    const parts_job *job = user;
    const plan *how = job->how;
    al_run alone = *job->run;
    alone.threads = NULL;
    for (size_t part = begin; part < end; part++) {
        const size_t first = how->chunks * part / how->parts, last = how->chunks * (part + 1) / how->parts;
        al_matmul p = *job->p;
        p.a = p.a_transposed ? part_of(p.a, alone.kernels->nr, first * how->depth, 0)
                             : part_of(p.a, alone.kernels->nr, 0, first * how->depth);
        p.b = p.b_transposed ? part_of(p.b, alone.kernels->nr, 0, first * how->depth)
                             : part_of(p.b, alone.kernels->nr, first * how->depth, 0);
        p.k = least(p.k - first * how->depth, (last - first) * how->depth);
        p.bias = part == 0 ? p.bias : NULL;
        p.add = false;
        p.c = job->sums + part * p.m * job->width;
        p.c_row_stride = job->width;
        p.c_panel = alone.kernels->nr;
        multiply_chunks(&alone, &p, how, &job->scratch[thread], 0, last - first);
    }
}

/* Rows of c from those of the parts. */
static void add_parts_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const parts_job *job = user;
    const al_matmul *p = job->p;
    const al_kernels *k = job->run->kernels;
    for (size_t row = begin; row < end; row++)
        for (size_t column = 0; column < p->n; column += k->nr) {
            const size_t n = least(p->n - column, k->nr);
            float *c = p->c + column / k->nr * p->c_panel + row * p->c_row_stride;
            const float *sum = job->sums + row * job->width + column;
            for (size_t part = 0; part < job->how->parts; part++, sum += p->m * job->width) {
                if (part == 0 && !p->add)
                    memcpy(c, sum, n * sizeof *c);
                else
                    k->add(n, sum, c);
            }
        }
}

static void multiply_parts(const al_run *run, const al_matmul *p, const plan *how, const scratch *first)
{
    const size_t threads = (size_t)al_threads_count(run->threads), width = round_up(p->n, run->kernels->nr);
    scratch *each = al_arena_take(run->arena, threads, sizeof *each);
    for (size_t t = 0; t < threads; t++) {
        const scratch s = t == 0 ? *first : take_scratch(run, p, how);
        if (!run->dry)
            each[t] = s;
    }
    parts_job job = {run, p, how, each, al_arena_floats(run->arena, how->parts * p->m * width), width};
    if (run->dry)
        return;
    al_threads_run(run->threads, how->parts, 1, parts_work, &job);
    al_threads_run(run->threads, p->m, 32, add_parts_work, &job);
}

/* The bias with zeros up to whole panels, as the kernels read it. */
static const float *padded_bias(const al_run *run, const al_matmul *p)
{
    const size_t padded = round_up(p->n, run->kernels->nr);
    float *bias = al_arena_floats(run->arena, padded);
    if (!run->dry) {
        memcpy(bias, p->bias, p->n * sizeof *bias);
        memset(bias + p->n, 0, (padded - p->n) * sizeof *bias);
    }
    return bias;
}

void al_matmul_run(const al_run *run, const al_matmul *given)
{
    al_matmul p = *given;
    const plan how = plan_of(run, &p);
    const size_t mark = al_arena_mark(run->arena);
    if (p.bias)
        p.bias = padded_bias(run, &p);
    const scratch s = take_scratch(run, &p, &how);
    if (how.parts > 1)
        multiply_parts(run, &p, &how, &s);
    else if (!run->dry)
        multiply_chunks(run, &p, &how, &s, 0, how.chunks);
    al_arena_release(run->arena, mark);
}
