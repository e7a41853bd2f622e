/*
 * engine.c: two towers, each with a queue of jobs as they came and one of those that are ready; the workers between the
 * two, and the thread that computes.
 *
 * When is a batch begun? At once if it has enough jobs, a quarter of a full one, since more would hardly be faster; or
 * if no more can be expected: nothing of this tower is on its way through the workers, and no more than now were
 * computed together the last time. Otherwise jobs may still come, most often from clients that have just been answered
 * together; they are waited for, max_wait at most. So a lone client waits for nobody, and many clients part into those
 * who are computed and those who meanwhile ask again.
 */
#include "engine.h"
#include "batch.h"
#include "cache.h"
#include "prepare.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Batches' worth of jobs that are made ready ahead: what is ready takes room, a megabyte a picture. */
#define BATCHES_AHEAD 3

/* A batch of one in so many of the jobs that it might have is hardly slower, job by job, than a full one. */
#define ENOUGH 4

typedef struct queue {
    srv_job *first, *last;
    size_t count;
} queue;

typedef struct tower {
    queue waiting, ready;
    size_t preparing;       /* in the hands of workers */
    size_t max_batch, last; /* jobs of the batch before */
    double seconds;         /* a job took lately */
} tower;

struct srv_engine {
    srv_engine_options options;
    srv_preparer preparer;
    srv_batcher batcher;
    srv_cache *cache; /* or NULL */
    srv_job **batch;  /* room for the largest */
    int64_t vocabulary;

    pthread_mutex_t lock;
    pthread_cond_t to_work, to_compute;
    tower towers[SRV_TOWERS];
    srv_task *first_task, **last_task;
    size_t jobs; /* admitted and not done */
    bool ending;

    pthread_t computer, *workers;
    int n_workers, started; /* of the workers; those that run */
    bool computes;
};

/* ---- queues ---- */

static void push(queue *q, srv_job *job)
{
    job->next = NULL;
    *(q->last ? &q->last->next : &q->first) = job;
    q->last = job;
    q->count++;
}

static srv_job *pop(queue *q)
{
    srv_job *job = q->first;
    q->first = job->next;
    if (!q->first)
        q->last = NULL;
    q->count--;
    return job;
}

/* ---- the end of a job ---- */

static const srv_gauge queue_gauge[] = {SRV_QUEUE_TEXTS, SRV_QUEUE_PICTURES};

/* Out of the lock: a job is done, in whatever way. */
static void end_job(srv_engine *e, srv_job *job, srv_outcome outcome)
{
    srv_metrics *metrics = e->options.metrics;
    srv_prepared_done(job);
    job->outcome = outcome;
    srv_gauge_add(metrics, queue_gauge[job->tower], -1);
    if (outcome == SRV_JOB_DONE) {
        srv_count(metrics, job->tower == SRV_TEXT ? SRV_TEXTS : SRV_PICTURES, 1);
        srv_count(metrics, SRV_TOKENS, (uint64_t)job->tokens);
    } else if (outcome == SRV_JOB_SKIPPED) {
        srv_count(metrics, SRV_SKIPPED, 1);
    }
    e->options.done(job); /* which may free it, and bring another task */
    pthread_mutex_lock(&e->lock);
    e->jobs--;
    if (e->ending && e->jobs == 0) {
        pthread_cond_broadcast(&e->to_work);
        pthread_cond_broadcast(&e->to_compute);
    }
    pthread_mutex_unlock(&e->lock);
}

/* ---- workers ---- */

static bool has_room_ahead(const srv_engine *e, const tower *t)
{
    return t->ready.count + t->preparing < BATCHES_AHEAD * t->max_batch &&
           (t != &e->towers[SRV_PICTURE] || t->preparing + 1 < (size_t)e->n_workers); /* one stays free for the rest */
}

/* The tower whose first job came first, of those that may be worked for. */
static tower *tower_to_prepare(srv_engine *e)
{
    tower *chosen = NULL;
    for (tower *t = e->towers; t < e->towers + SRV_TOWERS; t++)
        if (t->waiting.first && has_room_ahead(e, t) &&
            (!chosen || t->waiting.first->admitted < chosen->waiting.first->admitted))
            chosen = t;
    return chosen;
}

/* Out of the lock. */
static srv_outcome prepare(srv_engine *e, srv_job *job)
{
    if (!e->options.is_wanted(job))
        return SRV_JOB_SKIPPED;
    if (e->cache && job->text && !job->whole) { /* what is kept may have been cut */
        const bool hit = srv_cache_get(e->cache, job->text, job->embedding, &job->tokens);
        srv_count(e->options.metrics, hit ? SRV_CACHE_HITS : SRV_CACHE_MISSES, 1);
        if (hit)
            return SRV_JOB_DONE;
    }
    return srv_prepare(&e->preparer, job);
}

/* In the lock, which is released in between. */
static void prepare_next(srv_engine *e, tower *t)
{
    srv_job *job = pop(&t->waiting);
    t->preparing++;
    pthread_mutex_unlock(&e->lock);
    const srv_outcome outcome = prepare(e, job);
    if (outcome != SRV_JOB_PENDING)
        end_job(e, job, outcome);
    pthread_mutex_lock(&e->lock);
    t->preparing--;
    if (outcome == SRV_JOB_PENDING) {
        job->ready = srv_now();
        push(&t->ready, job);
    }
    pthread_cond_signal(&e->to_compute); /* also where none came: it may have been waited for */
    if (t == &e->towers[SRV_PICTURE])
        pthread_cond_signal(&e->to_work);
}

static void run_task(srv_engine *e)
{
    srv_task *task = e->first_task;
    e->first_task = task->next;
    if (!e->first_task)
        e->last_task = &e->first_task;
    pthread_mutex_unlock(&e->lock);
    task->run(task);
    pthread_mutex_lock(&e->lock);
}

static void *work(void *argument)
{
    srv_engine *e = argument;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        tower *t;
        if (e->first_task)
            run_task(e);
        else if ((t = tower_to_prepare(e)) != NULL)
            prepare_next(e, t);
        else if (e->ending && e->jobs == 0)
            break;
        else
            pthread_cond_wait(&e->to_work, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* ---- the thread that computes ---- */

static tower *tower_to_compute(srv_engine *e)
{
    tower *chosen = NULL;
    for (tower *t = e->towers; t < e->towers + SRV_TOWERS; t++)
        if (t->ready.first && (!chosen || t->ready.first->admitted < chosen->ready.first->admitted))
            chosen = t;
    return chosen;
}

/* Until when others should be waited for; 0: not at all. */
static double wait_until(const srv_engine *e, const tower *t)
{
    const size_t coming = t->ready.count + t->preparing + t->waiting.count;
    const size_t enough = (t->max_batch + ENOUGH - 1) / ENOUGH;
    size_t expected = t->last > coming ? t->last : coming;
    expected = expected < enough ? expected : enough;
    const double until = t->ready.first->ready + e->options.max_wait;
    return t->ready.count < expected && srv_now() < until ? until : 0;
}

static void sleep_until(srv_engine *e, double until)
{
    const struct timespec time = {(time_t)until, (long)((until - (double)(time_t)until) * 1e9)};
    pthread_cond_timedwait(&e->to_compute, &e->lock, &time);
}

/* Takes the batch's jobs from the queue; those that nobody waits for are ended at once, out of the lock. */
static size_t gather(srv_engine *e, tower *t)
{
    size_t n = 0;
    while (t->ready.first && n < t->max_batch && (n == 0 || srv_batch_fits(e->batch[0], t->ready.first))) {
        srv_job *job = pop(&t->ready);
        if (e->options.is_wanted(job)) {
            e->batch[n++] = job;
            continue;
        }
        pthread_mutex_unlock(&e->lock);
        end_job(e, job, SRV_JOB_SKIPPED);
        pthread_mutex_lock(&e->lock);
    }
    return n;
}

static void hand_out(srv_engine *e, size_t n, bool ok)
{
    for (size_t i = 0; i < n; i++) {
        srv_job *job = e->batch[i];
        if (ok && e->cache && job->text)
            srv_cache_put(e->cache, job->text, job->embedding, job->tokens);
        if (!ok)
            job->reason = "the model could not compute this";
        end_job(e, job, ok ? SRV_JOB_DONE : SRV_JOB_FAILED);
    }
}

/* In the lock, which is released in between. */
static void compute_batch(srv_engine *e, tower *t)
{
    srv_metrics *metrics = e->options.metrics;
    const size_t n = gather(e, t);
    const bool is_text = t == &e->towers[SRV_TEXT];
    if (n == 0)
        return;
    t->last = n;
    pthread_cond_broadcast(&e->to_work); /* there is room for more */
    pthread_mutex_unlock(&e->lock);
    const double start = srv_now();
    for (size_t i = 0; i < n; i++)
        srv_observe(metrics, SRV_QUEUE_SECONDS, start - e->batch[i]->admitted);
    const bool ok = srv_batch_run(&e->batcher, e->batch, n);
    const double seconds = srv_now() - start;
    srv_observe(metrics, is_text ? SRV_BATCH_TEXTS : SRV_BATCH_PICTURES, (double)n);
    srv_observe(metrics, is_text ? SRV_COMPUTE_TEXTS : SRV_COMPUTE_PICTURES, seconds);
    hand_out(e, n, ok);
    pthread_mutex_lock(&e->lock);
    t->seconds += (seconds / (double)n - t->seconds) / 4;
}

static void *compute(void *argument)
{
    srv_engine *e = argument;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        tower *t = tower_to_compute(e);
        const double until = t ? wait_until(e, t) : 0;
        if (until > 0)
            sleep_until(e, until);
        else if (t)
            compute_batch(e, t);
        else if (e->ending && e->jobs == 0)
            break;
        else
            pthread_cond_wait(&e->to_compute, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* ---- opening and closing ---- */

static align_status fail(align_error *err, align_status status, const char *message)
{
    if (err) {
        err->status = status;
        snprintf(err->message, sizeof err->message, "%s", message);
    }
    return status;
}

static bool start_threads(srv_engine *e)
{
    e->computes = pthread_create(&e->computer, NULL, compute, e) == 0;
    while (e->computes && e->started < e->n_workers && pthread_create(&e->workers[e->started], NULL, work, e) == 0)
        e->started++;
    return e->started == e->n_workers;
}

static bool set_up(srv_engine *e, const srv_engine_options *options)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    e->n_workers = options->workers > 0 ? options->workers : cores > 2 ? (int)cores + 1 : 3;
    e->workers = calloc((size_t)e->n_workers, sizeof *e->workers);
    size_t largest = 0;
    for (int i = 0; i < SRV_TOWERS; i++) {
        e->towers[i].max_batch = options->max_batch[i];
        largest = options->max_batch[i] > largest ? options->max_batch[i] : largest;
    }
    e->batch = calloc(largest, sizeof *e->batch);
    if (options->cache_bytes > 0)
        e->cache = srv_cache_new((size_t)srv_engine_width(e), options->cache_bytes);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->to_work, NULL);
    pthread_cond_init(&e->to_compute, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return e->workers && e->batch && (e->cache || options->cache_bytes == 0);
}

align_status srv_engine_open(srv_engine **out, const align_model *model, align_context *context,
                             const align_processor *processor, const srv_engine_options *options, align_error *err)
{
    *out = NULL;
    srv_engine *e = calloc(1, sizeof *e);
    if (!e)
        return fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for the engine");
    e->options = *options;
    e->last_task = &e->first_task;
    e->vocabulary = align_model_config(model)->text_config.vocab_size;
    srv_batcher_init(&e->batcher, model, context);
    align_status status = srv_preparer_init(&e->preparer, model, processor, options->max_pixels, err);
    if (!set_up(e, options) && status == ALIGN_OK)
        status = fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for the engine's queues");
    if (status == ALIGN_OK && !start_threads(e))
        status = fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no thread could be started");
    if (status != ALIGN_OK) {
        srv_engine_close(e);
        return status;
    }
    *out = e;
    return ALIGN_OK;
}

void srv_engine_close(srv_engine *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->ending = true;
    pthread_cond_broadcast(&e->to_work);
    pthread_cond_broadcast(&e->to_compute);
    pthread_mutex_unlock(&e->lock);
    if (e->computes) {
        pthread_join(e->computer, NULL);
        for (int i = 0; i < e->started; i++)
            pthread_join(e->workers[i], NULL);
    }
    pthread_cond_destroy(&e->to_work);
    pthread_cond_destroy(&e->to_compute);
    pthread_mutex_destroy(&e->lock);
    srv_batcher_done(&e->batcher);
    srv_cache_free(e->cache);
    free(e->batch);
    free(e->workers);
    free(e);
}

/* ---- what callers ask ---- */

int64_t srv_engine_width(const srv_engine *e)
{
    return (int64_t)e->batcher.width;
}

int64_t srv_engine_vocabulary(const srv_engine *e)
{
    return e->vocabulary;
}

int64_t srv_engine_text_limit(const srv_engine *e)
{
    return e->preparer.text_limit;
}

bool srv_engine_give(srv_engine *e, srv_job *jobs, size_t n)
{
    const double now = srv_now();
    pthread_mutex_lock(&e->lock);
    const bool admitted = n <= e->options.max_jobs - e->jobs;
    for (size_t i = 0; i < n && admitted; i++) {
        srv_job *job = &jobs[i];
        job->outcome = SRV_JOB_PENDING;
        job->admitted = now;
        srv_gauge_add(e->options.metrics, queue_gauge[job->tower], 1);
        push(&e->towers[job->tower].waiting, job);
    }
    e->jobs += admitted ? n : 0;
    if (n == 1)
        pthread_cond_signal(&e->to_work);
    else
        pthread_cond_broadcast(&e->to_work);
    pthread_mutex_unlock(&e->lock);
    return admitted;
}

bool srv_engine_is_full(srv_engine *e)
{
    pthread_mutex_lock(&e->lock);
    const bool full = e->jobs >= e->options.max_jobs;
    pthread_mutex_unlock(&e->lock);
    return full;
}

unsigned srv_engine_retry_after(srv_engine *e)
{
    double seconds = 0;
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < SRV_TOWERS; i++) {
        const tower *t = &e->towers[i];
        seconds += t->seconds * (double)(t->waiting.count + t->preparing + t->ready.count);
    }
    pthread_mutex_unlock(&e->lock);
    return seconds < 1 ? 1 : seconds > 60 ? 60 : (unsigned)(seconds + 0.5);
}

void srv_engine_run(srv_engine *e, srv_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&e->lock);
    *e->last_task = task;
    e->last_task = &task->next;
    pthread_cond_signal(&e->to_work);
    pthread_mutex_unlock(&e->lock);
}
