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

#include "base/least.h"
#include "layers/linear.h"

#include <string.h>

/* How large blocks are. */
typedef struct rooms {
    size_t depth;      /* numbers along k of a chunk */
    size_t packed;     /* numbers of a block of b, so that it stays in L2 */
    size_t row_bytes;  /* of a block of a, but for short chunks */
    size_t least_rows; /* no fewer rows than these: all blocks of b are read for each */
} rooms;

static const rooms row_rooms = {1536, (size_t)256 * 1024, (size_t)1024 * 1024, 1024};

/* Where both sides are split and lie in tiles, a block of b leaves room in L2 for a little of a and of c: what is made
 * ready again for each block of b is only read once in between. */
static const rooms tile_rooms = {768, (size_t)216 * 1024, (size_t)300 * 1024, 0};

/* c is small if it has at most so many numbers; k is cut into at most so many parts. */
#define SMALL_C    ((size_t)128 * 1024)
#define MOST_PARTS ((size_t)16)

/* Numbers along k that are packed at a time, a multiple of every k_multiple and every nr: they stay in L1 in between.
 */
#define STRIP ((size_t)96)

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* The size of even pieces of n that are multiples of `multiple` and at most about `most`. */
static size_t even_pieces(size_t n, size_t most, size_t multiple)
{
    const size_t pieces = n <= most ? 1 : (n + most - 1) / most;
    const size_t piece = round_up((n + pieces - 1) / pieces, multiple);
    return piece ? piece : multiple;
}

/* How a product is cut, and what multiplies. */
typedef struct plan {
    al_product product;
    bool packs;                  /* b; or else it is in the panels that the product reads */
    size_t depth, columns, rows; /* of blocks */
    size_t chunks, parts;        /* of k; a part is some chunks */
} plan;

static size_t chunks_of(size_t k, size_t depth)
{
    return k ? (k + depth - 1) / depth : 1;
}

/* Panels, padding and all. */
static bool in_panels(const al_kernels *k, const al_matrix *x)
{
    return x->row_stride == k->nr && x->panel != k->nr;
}

/* The best product for these sizes; or the plain one. */
static al_product product_of(const al_kernels *k, const al_matmul *p)
{
    const bool has_new = p->precision == ALIGN_PRECISION_F32 && k->new_product;
    const al_product *best = has_new ? k->new_product : k->products[p->precision];
    if (!best->pays || best->pays(p->m, p->n, p->k))
        return *best;
    return (al_product){.element = AL_F32, .group = 1, .k_multiple = 1, .gemm = k->gemm};
}

/* Bytes that a number of b is packed in. */
static size_t packed_size(const al_product *product)
{
    return product->pack ? sizeof(uint16_t) * (product->parts ? product->parts : 1) : sizeof(float);
}

static plan plan_of(const al_run *run, const al_matmul *p)
{
    const al_kernels *k = run->kernels;
    plan out = {.product = product_of(k, p)};
    out.packs = out.product.element != AL_F32 || p->b_transposed || !in_panels(k, &p->b);
    size_t step = k->nr; /* whole panels, and what the product takes at once */
    while (step % out.product.k_multiple)
        step += k->nr;
    const rooms *room = out.product.row_group ? &tile_rooms : &row_rooms;
    out.depth = even_pieces(p->k, room->depth, step);
    out.columns = even_pieces(p->n, room->packed / out.depth, 2 * k->nr); /* tiles meet in pairs, across panels too */
    const size_t bytes = out.product.prepare ? out.product.operand_row(out.depth) : out.depth * sizeof(float);
    const size_t fit = room->row_bytes / bytes, rows = fit > room->least_rows ? fit : room->least_rows;
    out.rows = out.product.prepare || p->a_transposed ? even_pieces(p->m, rows, k->nr) : p->m;
    out.chunks = chunks_of(p->k, out.depth);
    out.parts = p->m * p->n <= SMALL_C ? al_least(out.chunks, MOST_PARTS) : 1;
    return out;
}

/* What blocks are made ready in, by so many threads. */
typedef struct scratch {
    float *strips;  /* [threads, STRIP, nr] of b on their way into panels of another element */
    void *packed;   /* [columns / nr][depth][nr] elements */
    float *upright; /* of an a that lies: [rows, depth], or [threads, nr, depth] on their way into the operand */
    void *operand;  /* [rows] prepared */
} scratch;

static scratch take_scratch(const al_run *run, const al_matmul *p, const plan *how, size_t threads)
{
    const size_t nr = run->kernels->nr, packed = how->packs ? how->columns * how->depth : 0;
    scratch s = {0};
    if (how->product.pack)
        s.strips = al_arena_floats(run->arena, threads * STRIP * nr);
    s.packed = al_arena_take(run->arena, packed, packed_size(&how->product));
    if (p->a_transposed && !how->product.takes_lying)
        s.upright = al_arena_floats(run->arena, (how->product.prepare ? threads * nr : how->rows) * how->depth);
    if (how->product.prepare)
        s.operand = al_arena_take(run->arena, how->rows, how->product.operand_row(how->depth));
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
        k->transpose(rows, al_least(columns - c, k->nr), x.data, x.row_stride, y + c * y_stride, y_stride);
}

/* ---- b ---- */

/* Columns of a panel of the block. */
static range panel_columns(const block *w, size_t panel)
{
    const size_t nr = w->run->kernels->nr, at = panel * nr;
    return (range){w->columns.begin + at, al_least(w->columns.n - at, nr)};
}

/* Numbers [begin, begin + n) along k of a panel of b, zero beyond its columns. begin is a multiple of nr if b lies. */
static void gather(const block *w, size_t panel, size_t begin, size_t n, float *to)
{
    const al_matmul *p = w->p;
    const range columns_of = panel_columns(w, panel);
    const size_t nr = w->run->kernels->nr, first = columns_of.begin, columns = columns_of.n, k = w->depth.begin + begin;
    if (columns < nr)
        memset(to, 0, n * nr * sizeof *to);
    if (p->b_transposed) {
        transpose(w->run->kernels, part_of(p->b, nr, first, k), columns, n, to, nr);
        return;
    }
    const al_matrix b = part_of(p->b, nr, k, first);
    for (size_t l = 0; l < n; l++)
        memcpy(to + l * nr, b.data + l * b.row_stride, columns * sizeof *to);
}

/* A panel as the product reads it: from where it is, if it is there as a whole, or strip by strip. */
static void pack_panel(const block *w, size_t panel, float *strip, char *to)
{
    const al_product *product = &w->how->product;
    const size_t nr = w->run->kernels->nr, depth = w->depth.n, row = nr * packed_size(product);
    const range columns = panel_columns(w, panel);
    if (!w->p->b_transposed && columns.n == nr) {
        const al_matrix b = part_of(w->p->b, nr, w->depth.begin, columns.begin);
        product->pack(depth, b.data, b.row_stride, to);
        return;
    }
    for (size_t k = 0; k < depth; k += STRIP) {
        const size_t n = al_least(depth - k, STRIP);
        gather(w, panel, k, n, strip);
        product->pack(n, strip, nr, to + k * row);
    }
}

static void pack_work(void *user, size_t begin, size_t end, int thread)
{
    const block *w = user;
    const al_product *product = &w->how->product;
    const size_t nr = w->run->kernels->nr, row = nr * packed_size(product), depth = w->depth.n;
    const size_t filled = round_up(depth, product->group), padded = round_up(depth, product->k_multiple);
    for (size_t panel = begin; panel < end; panel++) {
        char *to = (char *)w->scratch->packed + panel * padded * row;
        if (product->pack)
            pack_panel(w, panel, w->scratch->strips + (size_t)thread * STRIP * nr, to);
        else
            gather(w, panel, 0, depth, (float *)(void *)to);
        memset(to + filled * row, 0, (padded - filled) * row);
    }
}

/* ---- a ---- */

/* Rows [begin, end) of an a that lies, all of one panel. */
static void put_upright(const block *w, size_t begin, size_t end, float *to)
{
    const size_t nr = w->run->kernels->nr;
    transpose(w->run->kernels, part_of(w->p->a, nr, w->depth.begin, w->rows.begin + begin), w->depth.n, end - begin, to,
              w->depth.n);
}

/* One item is nr rows. */
static void rows_work(void *user, size_t begin, size_t end, int thread)
{
    const block *w = user;
    const al_matmul *p = w->p;
    const al_product *product = &w->how->product;
    const size_t nr = w->run->kernels->nr, depth = w->depth.n, row_end = al_least(end * nr, w->rows.n);
    al_operand o = {.k = depth, .lies = p->a_transposed, .rows = w->scratch->operand};
    o.x = o.lies ? part_of(p->a, nr, w->depth.begin, w->rows.begin) : part_of(p->a, nr, w->rows.begin, w->depth.begin);
    if (!o.lies || product->takes_lying) {
        product->prepare(&o, begin * nr, row_end);
        return;
    }
    for (size_t row = begin * nr; row < row_end; row += nr) {
        const size_t next = al_least(row_end, row + nr);
        if (!product->prepare) {
            put_upright(w, row, next, w->scratch->upright + row * depth);
            continue;
        }
        float *upright = w->scratch->upright + (size_t)thread * nr * w->how->depth;
        put_upright(w, row, next, upright);
        o.x = (al_matrix){upright, depth, nr};
        o.lies = false;
        o.rows = (char *)w->scratch->operand + row * product->operand_row(depth);
        product->prepare(&o, 0, next - row);
    }
}

/* ---- the product ---- */

static void make_rows_ready(block *w)
{
    const size_t nr = w->run->kernels->nr;
    if (w->p->a_transposed || w->how->product.prepare)
        al_threads_run(w->run->threads, (w->rows.n + nr - 1) / nr, 1, rows_work, w);
}

static void multiply_block(const block *w)
{
    const al_matmul *p = w->p;
    const size_t nr = w->run->kernels->nr;
    const al_matrix upright = {w->scratch->upright, w->depth.n, nr};
    al_gemm g = {.m = w->rows.n,
                 .n = w->columns.n,
                 .k = w->depth.n,
                 .a = p->a_transposed ? upright : part_of(p->a, nr, w->rows.begin, w->depth.begin),
                 .operand = w->scratch->operand,
                 .b = w->scratch->packed,
                 .bias = p->bias && w->depth.begin == 0 ? p->bias + w->columns.begin : NULL,
                 .act = ALIGN_ACT_LINEAR,
                 .c = p->c + w->columns.begin / nr * p->c_panel + w->rows.begin * p->c_row_stride,
                 .c_row_stride = p->c_row_stride,
                 .c_panel = p->c_panel,
                 .add = p->add || w->depth.begin != 0};
    if (w->how->packs) {
        al_gemm_run(w->run, &g, w->how->product.gemm);
        return;
    }
    for (size_t column = 0; column < w->columns.n; column += nr) { /* panels that are further apart than k is long */
        al_gemm panel = g;
        panel.n = al_least(w->columns.n - column, nr);
        panel.b = part_of(p->b, nr, w->depth.begin, w->columns.begin + column).data;
        panel.bias = g.bias ? g.bias + column : NULL;
        panel.c = g.c + column / nr * p->c_panel;
        al_gemm_run(w->run, &panel, w->how->product.gemm);
    }
}

/* All columns of some chunk of k. */
static void multiply_chunk(block *w)
{
    const al_matmul *p = w->p;
    const plan *how = w->how;
    const size_t nr = w->run->kernels->nr;
    const bool once = p->m <= how->rows; /* one block of rows, for all blocks of columns */
    w->rows = (range){0, al_least(p->m, how->rows)};
    if (once)
        make_rows_ready(w);
    for (w->columns.begin = 0; w->columns.begin < p->n; w->columns.begin += how->columns) {
        w->columns.n = al_least(p->n - w->columns.begin, how->columns);
        if (how->packs)
            al_threads_run(w->run->threads, (w->columns.n + nr - 1) / nr, 1, pack_work, w);
        for (w->rows.begin = 0; w->rows.begin < p->m; w->rows.begin += how->rows) {
            w->rows.n = al_least(p->m - w->rows.begin, how->rows);
            if (!once)
                make_rows_ready(w);
            multiply_block(w);
        }
    }
}

static void multiply_chunks(const al_run *run, const al_matmul *p, const plan *how, const scratch *s, size_t chunks)
{
    block w = {.run = run, .p = p, .how = how, .scratch = s};
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        w.depth.begin = chunk * how->depth;
        w.depth.n = al_least(p->k - w.depth.begin, how->depth);
        multiply_chunk(&w);
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
    const size_t nr = job->run->kernels->nr;
    al_run alone = *job->run;
    alone.threads = NULL;
    for (size_t part = begin; part < end; part++) {
        const size_t first = how->chunks * part / how->parts, chunks = how->chunks * (part + 1) / how->parts - first;
        const size_t k = first * how->depth;
        al_matmul p = *job->p;
        p.a = p.a_transposed ? part_of(p.a, nr, k, 0) : part_of(p.a, nr, 0, k);
        p.b = p.b_transposed ? part_of(p.b, nr, 0, k) : part_of(p.b, nr, k, 0);
        p.k = al_least(p.k - k, chunks * how->depth);
        p.bias = part == 0 ? p.bias : NULL;
        p.add = false;
        p.c = job->sums + part * p.m * job->width;
        p.c_row_stride = job->width;
        p.c_panel = nr;
        multiply_chunks(&alone, &p, how, &job->scratch[thread], chunks);
    }
}

/* Rows of the first part become the sums of all. */
static void add_parts_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const parts_job *job = user;
    float *sum = job->sums + begin * job->width;
    const float *other = sum;
    for (size_t part = 1; part < job->how->parts; part++) {
        other += job->p->m * job->width;
        job->run->kernels->add((end - begin) * job->width, other, sum);
    }
}

/* c = (or +=) x [m, n], rows stride apart */
static void put_into_c(const al_kernels *k, const al_matmul *p, const float *x, size_t stride)
{
    for (size_t row = 0; row < p->m; row++)
        for (size_t column = 0; column < p->n; column += k->nr) {
            float *c = p->c + column / k->nr * p->c_panel + row * p->c_row_stride;
            const size_t n = al_least(p->n - column, k->nr);
            if (p->add)
                k->add(n, x + row * stride + column, c);
            else
                memcpy(c, x + row * stride + column, n * sizeof *c);
        }
}

/* a b where a lies and b does not, the other way round: (b^T a^T)^T, if that puts fewer numbers upright. */
static bool turns(const al_matmul *p)
{
    return p->a_transposed && !p->b_transposed && !p->bias && p->n < p->m;
}

static al_matmul turned(const al_matmul *p)
{
    al_matmul out = *p;
    out.m = p->n;
    out.n = p->m;
    out.a = p->b;
    out.b = p->a;
    return out;
}

static void multiply_parts(const al_run *run, const al_matmul *given)
{
    const al_matmul p = turns(given) ? turned(given) : *given;
    const plan how = plan_of(run, &p);
    const size_t threads = (size_t)al_threads_count(run->threads), width = round_up(p.n, run->kernels->nr);
    scratch *each = al_arena_take(run->arena, threads, sizeof *each);
    for (size_t t = 0; t < threads; t++) {
        const scratch s = take_scratch(run, &p, &how, 1);
        if (!run->dry)
            each[t] = s;
    }
    parts_job job = {run, &p, &how, each, al_arena_floats(run->arena, how.parts * p.m * width), width};
    float *upright = al_arena_floats(run->arena, turns(given) ? p.m * p.n : 0);
    if (run->dry)
        return;
    al_threads_run(run->threads, how.parts, 1, parts_work, &job);
    al_threads_run(run->threads, p.m, 32, add_parts_work, &job);
    if (turns(given))
        run->kernels->transpose(p.m, p.n, job.sums, width, upright, p.m);
    put_into_c(run->kernels, given, turns(given) ? upright : job.sums, turns(given) ? p.m : width);
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
    if (how.parts > 1) {
        multiply_parts(run, &p);
    } else {
        const scratch s = take_scratch(run, &p, &how, (size_t)al_threads_count(run->threads));
        if (!run->dry)
            multiply_chunks(run, &p, &how, &s, how.chunks);
    }
    al_arena_release(run->arena, mark);
}
