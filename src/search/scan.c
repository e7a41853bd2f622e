/*
 * scan.c: see scan.h.
 *
 * Every vector is scored quickly (quick.h), and exactly only where that may matter. A quick score is off by no more
 * than is known, so that a vector cannot be one of the best if even with that much more it falls short of the worst of
 * them. The others are scored again, in double, from the f16 numbers. Hence scores and order are the same on every
 * machine, for any number of threads and of queries at once, with steps or without.
 */
#include "search/scan.h"

#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/best.h"
#include "search/quick.h"

#include <math.h>
#include <stdatomic.h>

/* Queries that go through the vectors together. */
#define GROUP ((size_t)256)

/* Bytes of vectors that a thread takes at a time. */
#define CHUNK_BYTES ((size_t)2 << 20)

/* What each thread has for itself. */
typedef struct worker {
    al_quick_block block;
    size_t *places; /* of what is in the block */
    al_best *best;  /* [n] */
    float *limits;  /* [n]: who may score less is passed over */
} worker;

/* A group of queries on its way. */
typedef struct group {
    const al_scan *scan;
    const float *queries; /* [n, width] */
    size_t n;
    al_quick quick;
    size_t row_bytes;  /* of what is looked at */
    float *half_steps; /* [n]: a score may be higher than the quick one by so many steps of the vector, */
    float *slack;      /* [n]: and by this */
    worker *workers;
    atomic_bool no_memory;
} group;

/* ---- one vector ---- */

/* The same sum on every machine: products of f16 and f32 are exact in double, and the order of additions is this. */
float al_scan_score(const uint16_t *vector, const float *query, size_t width, float *wide)
{
    enum { LANES = 8 };
    const size_t whole = width / LANES * LANES;
    al_from_f16(width, vector, wide);
    double sums[LANES] = {0.0}, rest = 0.0;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            sums[j] += (double)query[i + j] * (double)wide[i + j];
    for (size_t i = whole; i < width; i++)
        rest += (double)query[i] * (double)wide[i];
    for (size_t j = 0; j < LANES; j++)
        rest += sums[j];
    return (float)rest;
}

static float exact_score(const group *g, worker *w, size_t q, size_t place)
{
    const size_t width = g->scan->width;
    return al_scan_score(g->scan->vectors + place * width, g->queries + q * width, width, w->block.wide);
}

static void set_limit(const group *g, worker *w, size_t q)
{
    w->limits[q] = al_best_limit(&w->best[q]) - g->slack[q];
}

static void consider(group *g, worker *w, size_t q, size_t place)
{
    if (!al_best_add(&w->best[q], (al_found){place, exact_score(g, w, q, place)}))
        atomic_store(&g->no_memory, true);
    set_limit(g, w, q);
}

/* ---- a block ---- */

/* Whether any of n scores may reach its limit. Mostly none does: this is the loop to be quick. */
static bool any_reaches(size_t n, const float *scores, float step, const float *half_steps, const float *limits)
{
    int reach = 0;
    for (size_t q = 0; q < n; q++)
        reach |= step * (scores[q] + half_steps[q]) >= limits[q];
    return reach;
}

static void judge_block(group *g, worker *w)
{
    const al_scan *scan = g->scan;
    al_quick_finish(&g->quick, &w->block);
    for (size_t i = 0; i < w->block.filled; i++) {
        const float *scores = w->block.scores + i * g->quick.stride;
        const float step = scan->steps ? scan->step[w->places[i]] : 1.0f;
        if (any_reaches(g->n, scores, step, g->half_steps, w->limits))
            for (size_t q = 0; q < g->n; q++)
                if (step * (scores[q] + g->half_steps[q]) >= w->limits[q])
                    consider(g, w, q, w->places[i]);
    }
    w->block.filled = 0;
}

/* ---- a stretch of vectors ---- */

/* The first place from `at` on, up to end, whose bit is `wanted`. */
static size_t next_place(const uint64_t *bits, size_t at, size_t end, bool wanted)
{
    while (at < end) {
        const uint64_t word = (wanted ? bits[at / 64] : ~bits[at / 64]) >> at % 64;
        if (word) {
            at += (size_t)__builtin_ctzll(word);
            return al_least(at, end);
        }
        at = (at / 64 + 1) * 64;
    }
    return end;
}

static void add_run(group *g, worker *w, size_t begin, size_t end)
{
    const void *all = g->scan->steps ? (const void *)g->scan->steps : g->scan->vectors;
    while (begin < end) {
        const size_t some = al_least(end - begin, g->quick.block - w->block.filled);
        for (size_t i = 0; i < some; i++)
            w->places[w->block.filled + i] = begin + i;
        al_quick_add(&g->quick, &w->block, (const char *)all + begin * g->row_bytes, some);
        if (w->block.filled == g->quick.block)
            judge_block(g, w);
        begin += some;
    }
}

static void scan_stretch(void *user, size_t begin, size_t end, int thread)
{
    group *g = user;
    worker *w = &g->workers[thread];
    if (atomic_load(&g->no_memory))
        return;
    const uint64_t *chosen = g->scan->chosen;
    while (begin < end) {
        const size_t first = chosen ? next_place(chosen, begin, end, true) : begin;
        begin = chosen ? next_place(chosen, first, end, false) : end;
        add_run(g, w, first, begin);
    }
    judge_block(g, w);
}

/* ---- a group of queries ---- */

static align_status worker_init(worker *w, const group *g, align_error *err)
{
    align_status status = ALIGN_OK;
    w->places = al_calloc(g->quick.block, sizeof *w->places);
    w->best = al_calloc(g->n, sizeof *w->best);
    w->limits = al_calloc(g->n, sizeof *w->limits);
    if (!w->places || !w->best || !w->limits)
        FAIL(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for the best of %zu queries", g->n);
    TRY(al_quick_block_init(&w->block, &g->quick, err));
    for (size_t q = 0; q < g->n; q++) {
        w->best[q] = (al_best){.most = g->scan->top, .threshold = g->scan->threshold};
        set_limit(g, w, q);
    }
done:
    return status;
}

static void worker_done(worker *w, size_t n)
{
    for (size_t q = 0; w->best && q < n; q++)
        al_free(w->best[q].items);
    al_free(w->best);
    al_free(w->limits);
    al_free(w->places);
    al_quick_block_done(&w->block);
}

/* A vector differs from its steps by half a step in each number at most; the rest is rounding. */
static void set_bounds(group *g)
{
    for (size_t q = 0; q < g->n; q++) {
        double squares = 0.0, sum = 0.0;
        for (size_t i = 0; i < g->scan->width; i++) {
            const double x = (double)g->queries[q * g->scan->width + i];
            squares += x * x;
            sum += fabs(x);
        }
        g->half_steps[q] = g->scan->steps ? (float)(0.5 * 1.001 * sum) : 0.0f;
        g->slack[q] = (float)(1.01 * (g->quick.error + 1e-6) * sqrt(squares));
    }
}

static align_status group_init(group *g, size_t threads, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_kernels *kernels = al_kernels_get();
    const al_narrow_kernels *narrow = g->scan->steps ? kernels->s8 : kernels->f16;
    g->row_bytes = g->scan->width * narrow->size;
    g->workers = al_calloc(threads, sizeof *g->workers);
    g->half_steps = al_calloc(g->n, sizeof *g->half_steps);
    g->slack = al_calloc(g->n, sizeof *g->slack);
    if (!g->workers || !g->half_steps || !g->slack)
        FAIL(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for %zu queries", g->n);
    TRY(al_quick_init(&g->quick, narrow, g->queries, g->n, g->scan->width, err));
    set_bounds(g);
    for (size_t i = 0; i < threads; i++)
        TRY(worker_init(&g->workers[i], g, err));
done:
    return status;
}

static void group_done(group *g, size_t threads)
{
    for (size_t i = 0; g->workers && i < threads; i++)
        worker_done(&g->workers[i], g->n);
    al_free(g->workers);
    al_free(g->half_steps);
    al_free(g->slack);
    al_quick_done(&g->quick);
}

/* The best of what each thread has found. */
static align_status merge(group *g, size_t threads, al_found *found, size_t *n_found, align_error *err)
{
    bool fits = !atomic_load(&g->no_memory);
    for (size_t q = 0; q < g->n && fits; q++) {
        al_best *best = &g->workers[0].best[q];
        for (size_t i = 1; i < threads; i++)
            for (size_t j = 0; j < g->workers[i].best[q].count && fits; j++)
                fits = al_best_add(best, g->workers[i].best[q].items[j]);
        n_found[q] = best->count;
        al_best_take(best, found + q * g->scan->top);
    }
    return fits ? ALIGN_OK : al_error_set(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for what was found");
}

static align_status run_group(const al_scan *scan, al_threads *threads, const float *queries, size_t n, al_found *found,
                              size_t *n_found, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t team = (size_t)al_threads_count(threads);
    group g = {.scan = scan, .queries = queries, .n = n};
    TRY(group_init(&g, team, err));
    const size_t fit = CHUNK_BYTES / g.row_bytes, chunk = g.quick.multiplies || fit == 0 ? g.quick.block : fit;
    al_threads_run(threads, scan->count, chunk, scan_stretch, &g);
    TRY(merge(&g, team, found, n_found, err));
done:
    group_done(&g, team);
    return status;
}

align_status al_scan_run(const al_scan *scan, al_threads *threads, const float *queries, size_t n, al_found *found,
                         size_t *n_found, align_error *err)
{
    align_status status = ALIGN_OK;
    if (!al_kernels_get())
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "ALIGN_ISA: this machine has no such instruction set");
    if (scan->top == 0)
        for (size_t q = 0; q < n; q++)
            n_found[q] = 0;
    for (size_t q = 0; q < n && scan->top > 0; q += GROUP)
        TRY(run_group(scan, threads, queries + q * scan->width, al_least(n - q, GROUP), found + q * scan->top,
                      n_found + q, err));
done:
    return status;
}
