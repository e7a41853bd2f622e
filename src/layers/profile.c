/* profile.c: see profile.h. */
#include "layers/profile.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>
#include <time.h>

/* One a thread, alone on its cache lines. */
typedef struct thread_laps {
    _Alignas(64) int64_t since;
    int64_t spent[ALIGN_STEP_COUNT];
} thread_laps;

struct al_profile {
    align_profile_step *steps; /* in order of first appearance */
    size_t n_steps;
    align_profile_step *current; /* NULL: between passes */
    align_tower tower;
    size_t block;
    int64_t since; /* when the current step began, or was last paid for */
    thread_laps *laps;
    size_t threads;
};

const char *align_step_name(align_step_kind kind)
{
    static const char *const names[ALIGN_STEP_COUNT] = {
        [ALIGN_STEP_PLAN] = "plan",
        [ALIGN_STEP_INPUT] = "input",
        [ALIGN_STEP_STEM] = "stem",
        [ALIGN_STEP_EXPAND] = "expand",
        [ALIGN_STEP_DEPTHWISE] = "depthwise",
        [ALIGN_STEP_SQUEEZE_EXCITE] = "squeeze_excite",
        [ALIGN_STEP_PROJECT] = "project",
        [ALIGN_STEP_POOL] = "pool",
        [ALIGN_STEP_EMBEDDINGS] = "embeddings",
        [ALIGN_STEP_NORM] = "norm",
        [ALIGN_STEP_QUERY_KEY_VALUE] = "query_key_value",
        [ALIGN_STEP_ATTENTION] = "attention",
        [ALIGN_STEP_ATTENTION_OUTPUT] = "attention_output",
        [ALIGN_STEP_INTERMEDIATE] = "intermediate",
        [ALIGN_STEP_OUTPUT] = "output",
        [ALIGN_STEP_POOLER] = "pooler",
        [ALIGN_STEP_PROJECTION] = "projection",
        [ALIGN_STEP_LOGITS] = "logits",
        [ALIGN_STEP_STATES] = "states",
    };
    return (unsigned)kind < ALIGN_STEP_COUNT ? names[kind] : NULL;
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

align_status al_profile_new(al_profile **out, size_t blocks, size_t layers, size_t threads, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t places = blocks + layers + 3; /* a tower's steps outside its blocks, and those of neither tower */
    al_profile *p = al_calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return al_error_no_memory(err, sizeof *p);
    p->threads = threads;
    p->steps = al_calloc(places * ALIGN_STEP_COUNT, sizeof *p->steps);
    p->laps = al_alloc_aligned(threads * sizeof *p->laps);
    if (!p->steps || !p->laps) {
        status = al_error_no_memory(err, places * ALIGN_STEP_COUNT * sizeof *p->steps + threads * sizeof *p->laps);
        goto done;
    }
    *out = p;
    p = NULL;
done:
    al_profile_free(p);
    return status;
}

void al_profile_free(al_profile *p)
{
    if (!p)
        return;
    al_free(p->steps);
    al_free_aligned(p->laps);
    al_free(p);
}

void al_profile_reset(al_profile *p)
{
    p->n_steps = 0;
    p->current = NULL;
}

align_profile al_profile_get(const al_profile *p)
{
    return (align_profile){p->n_steps, p->steps};
}

/* ---- steps ---- */

/* The step of this kind of the current block. A pass repeats itself, so the place to look first is behind the last. */
static align_profile_step *find_step(al_profile *p, align_step_kind kind)
{
    const size_t start = p->current ? (size_t)(p->current - p->steps) + 1 : 0;
    for (size_t i = 0; i < p->n_steps; i++) {
        align_profile_step *s = &p->steps[(start + i) % p->n_steps];
        if (s->kind == kind && s->tower == p->tower && s->block == (int64_t)p->block)
            return s;
    }
    align_profile_step *s = &p->steps[p->n_steps++];
    *s = (align_profile_step){.tower = p->tower, .block = (int64_t)p->block, .kind = kind};
    return s;
}

/* The current step pays for the time since it began. Returns what it paid. */
static int64_t pay(al_profile *p)
{
    const int64_t now = nanoseconds(), spent = now - p->since;
    if (p->current)
        p->current->milliseconds += (double)spent * 1e-6;
    p->since = now;
    return spent;
}

void al_profile_block(const al_run *run, align_tower tower, size_t block)
{
    if (!run->profile)
        return;
    run->profile->tower = tower;
    run->profile->block = block;
}

void al_profile_step(const al_run *run, align_step_kind kind)
{
    al_profile *p = run->profile;
    if (!p)
        return;
    pay(p);
    p->current = find_step(p, kind);
    p->current->calls++;
}

void al_profile_end(const al_run *run)
{
    al_profile *p = run->profile;
    if (!p)
        return;
    pay(p);
    p->current = NULL;
}

void al_profile_count(const al_run *run, size_t macs, size_t weight_bytes, size_t activation_bytes)
{
    if (!run->profile || !run->profile->current)
        return;
    align_profile_step *s = run->profile->current;
    s->macs += (int64_t)macs;
    s->weight_bytes += (int64_t)weight_bytes;
    s->activation_bytes += (int64_t)activation_bytes;
}

/* ---- laps ---- */

void al_profile_laps_begin(const al_run *run)
{
    al_profile *p = run->profile;
    if (!p)
        return;
    pay(p);
    memset(p->laps, 0, p->threads * sizeof *p->laps);
}

void al_profile_lap_start(const al_run *run, int thread)
{
    if (run->profile)
        run->profile->laps[thread].since = nanoseconds();
}

void al_profile_lap(const al_run *run, int thread, align_step_kind kind)
{
    if (!run->profile)
        return;
    thread_laps *laps = &run->profile->laps[thread];
    const int64_t now = nanoseconds();
    laps->spent[kind] += now - laps->since;
    laps->since = now;
}

void al_profile_laps_end(const al_run *run)
{
    al_profile *p = run->profile;
    if (!p || !p->current)
        return;
    int64_t spent[ALIGN_STEP_COUNT] = {0}, all = 0;
    for (size_t t = 0; t < p->threads; t++)
        for (size_t kind = 0; kind < ALIGN_STEP_COUNT; kind++) {
            spent[kind] += p->laps[t].spent[kind];
            all += p->laps[t].spent[kind];
        }
    align_profile_step *resumed = p->current;
    const double milliseconds = (double)pay(p) * 1e-6;
    for (size_t kind = 0; kind < ALIGN_STEP_COUNT; kind++) {
        if (spent[kind] == 0)
            continue;
        const double share = milliseconds * (double)spent[kind] / (double)all;
        find_step(p, (align_step_kind)kind)->milliseconds += share;
        resumed->milliseconds -= share;
    }
}

/* ---- the peak ---- */

#define PEAK_ROUNDS ((size_t)10000) /* of an item of work: some tens of microseconds */
#define PEAK_ITEMS  ((size_t)32)    /* for each thread, so that none waits long for the last */
#define PEAK_TRIALS 20

static void peak_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const al_kernels *kernels = user;
    float x[AL_PEAK_LANES] = {0.0f};
    for (size_t i = begin; i < end; i++)
        kernels->peak(PEAK_ROUNDS, 0.5f, 1.0f, x);
}

double al_peak_macs(const al_kernels *kernels, al_threads *threads)
{
    const size_t items = PEAK_ITEMS * (size_t)al_threads_count(threads);
    int64_t least = INT64_MAX;
    for (int trial = 0; trial < PEAK_TRIALS; trial++) {
        const int64_t begin = nanoseconds();
        al_threads_run(threads, items, 1, peak_work, (void *)(uintptr_t)kernels);
        const int64_t spent = nanoseconds() - begin;
        least = spent < least ? spent : least;
    }
    return (double)(items * PEAK_ROUNDS * kernels->peak_lanes) / ((double)least * 1e-9);
}
