/*
 * threads.c: see threads.h. One job at a time.
 *
 * state holds everything the threads agree on in one word:
 *
 *     number of the job | OPEN | workers inside
 *
 * The caller writes the job, then opens it. A worker enters by adding one to a state that is still open, and only then
 * reads the job. The caller works too; when no item is left it closes the job and waits for the workers that are
 * inside. One that was asleep, or that the system gave no time, is not waited for: it finds the job closed.
 *
 * Every thread has a share of the items, neighbours that it takes first, so that what it wrote in one job is in its
 * own cache when the next job has it read there. Then it helps with the shares of the others.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/threads.h"

#include "base/memory.h"
#include "base/status.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 1024
#define SPINS       4000 /* some 50 to 100 microseconds of pauses */

#define INSIDE   ((uint64_t)0xFFFF)
#define OPEN     ((uint64_t)1 << 16)
#define NEXT_JOB ((uint64_t)1 << 32)

/* Items of one thread's share; on a cache line of its own. */
typedef struct share {
    _Alignas(64) atomic_size_t next; /* first item not yet taken */
    size_t end;
} share;

typedef struct worker {
    al_threads *team;
    int number;
    pthread_t thread;
} worker;

struct al_threads {
    int count; /* the caller included */
    worker *workers;
    share *shares;

    size_t grain; /* the job: only read by who is inside */
    al_work work;
    void *user;

    _Atomic uint64_t state;
    atomic_bool stop;

    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a job was opened, or stop was set */
    pthread_cond_t left; /* the last worker left a closed job */
    atomic_int sleepers; /* workers that wait for wake */
    atomic_bool caller_sleeps;
};

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_chunks(al_threads *t, int thread)
{
    for (int i = 0; i < t->count; i++) {
        share *s = &t->shares[(thread + i) % t->count];
        for (;;) {
            const size_t begin = atomic_fetch_add(&s->next, t->grain);
            if (begin >= s->end)
                break;
            const size_t left = s->end - begin;
            t->work(t->user, begin, begin + (left < t->grain ? left : t->grain), thread);
        }
    }
}

/* ---- the workers ---- */

static bool nothing_new(al_threads *t, uint64_t seen)
{
    return atomic_load(&t->state) / NEXT_JOB == seen && !atomic_load(&t->stop);
}

/* Until there is another job than number `seen`, or the end. */
static void wait_for_job(al_threads *t, uint64_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (!nothing_new(t, seen))
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->sleepers, 1); /* before looking again: who opens a job looks at sleepers after opening it */
    while (nothing_new(t, seen))
        pthread_cond_wait(&t->wake, &t->mutex);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->mutex);
}

/* Enters the open job, if there is one; *number is the job's in any case. */
static bool enter(al_threads *t, uint64_t *number)
{
    uint64_t state = atomic_load(&t->state);
    while (state & OPEN)
        if (atomic_compare_exchange_weak(&t->state, &state, state + 1))
            break;
    *number = state / NEXT_JOB;
    return (state & OPEN) != 0;
}

static void leave(al_threads *t)
{
    const uint64_t state = atomic_fetch_sub(&t->state, 1) - 1;
    if ((state & (OPEN | INSIDE)) == 0 && atomic_load(&t->caller_sleeps)) {
        pthread_mutex_lock(&t->mutex);
        pthread_cond_signal(&t->left);
        pthread_mutex_unlock(&t->mutex);
    }
}

static void *worker_main(void *argument)
{
    worker *w = argument;
    al_threads *t = w->team;
    uint64_t seen = 0;
    while (!atomic_load(&t->stop)) {
        wait_for_job(t, seen);
        if (enter(t, &seen)) {
            take_chunks(t, w->number);
            leave(t);
        }
    }
    return NULL;
}

/* ---- the caller ---- */

static void open_job(al_threads *t)
{
    atomic_fetch_add(&t->state, NEXT_JOB + OPEN);
    if (atomic_load(&t->sleepers) > 0) {
        pthread_mutex_lock(&t->mutex);
        pthread_cond_broadcast(&t->wake);
        pthread_mutex_unlock(&t->mutex);
    }
}

static void close_job(al_threads *t)
{
    atomic_fetch_sub(&t->state, OPEN);
    for (int i = 0; i < SPINS && (atomic_load(&t->state) & INSIDE); i++)
        pause_briefly();
    if (!(atomic_load(&t->state) & INSIDE))
        return;
    pthread_mutex_lock(&t->mutex);
    atomic_store(&t->caller_sleeps, true);
    while (atomic_load(&t->state) & INSIDE)
        pthread_cond_wait(&t->left, &t->mutex);
    atomic_store(&t->caller_sleeps, false);
    pthread_mutex_unlock(&t->mutex);
}

void al_threads_run(al_threads *t, size_t n, size_t grain, al_work work, void *user)
{
    if (n == 0)
        return;
    if (grain == 0)
        grain = n / (AL_THREADS_CHUNKS * (size_t)al_threads_count(t));
    if (grain == 0)
        grain = 1;
    if (!t || t->count == 1 || n <= grain) {
        for (size_t begin = 0; begin < n; begin += grain)
            work(user, begin, n - begin < grain ? n : begin + grain, 0);
        return;
    }
    t->grain = grain;
    t->work = work;
    t->user = user;
    for (size_t i = 0, count = (size_t)t->count; i < count; i++) {
        atomic_store(&t->shares[i].next, n * i / count);
        t->shares[i].end = n * (i + 1) / count;
    }
    open_job(t);
    take_chunks(t, 0);
    close_job(t);
}

int al_threads_count(const al_threads *t)
{
    return t ? t->count : 1;
}

/* Those that the process may run on: one of many that share a machine may be bound to a few. */
static int cores(void)
{
    cpu_set_t set;
    const long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

align_status al_threads_new(al_threads **out, int n, align_error *err)
{
    *out = NULL;
    if (n < 0 || n > MAX_THREADS)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "threads: %d is not in 0..%d", n, MAX_THREADS);
    if (n == 0)
        n = cores();
    al_threads *t = al_calloc(1, sizeof *t);
    if (!t)
        return al_error_no_memory(err, sizeof *t);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->wake, NULL);
    pthread_cond_init(&t->left, NULL);
    t->count = 1;
    t->workers = al_calloc((size_t)n, sizeof *t->workers);
    t->shares = al_alloc_aligned((size_t)n * sizeof *t->shares);
    if (!t->workers || !t->shares) {
        al_threads_free(t);
        return al_error_no_memory(err, (size_t)n * (sizeof *t->workers + sizeof *t->shares));
    }
    for (; t->count < n; t->count++) {
        worker *w = &t->workers[t->count];
        *w = (worker){.team = t, .number = t->count};
        const int failed = pthread_create(&w->thread, NULL, worker_main, w);
        if (failed) {
            al_threads_free(t);
            return al_error_set(err, ALIGN_ERROR_OUT_OF_MEMORY, "cannot start a thread: %s", strerror(failed));
        }
    }
    *out = t;
    return ALIGN_OK;
}

void al_threads_free(al_threads *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    atomic_store(&t->stop, true);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->mutex);
    for (int i = 1; i < t->count; i++)
        pthread_join(t->workers[i].thread, NULL);
    pthread_mutex_destroy(&t->mutex);
    pthread_cond_destroy(&t->wake);
    pthread_cond_destroy(&t->left);
    al_free_aligned(t->shares);
    al_free(t->workers);
    al_free(t);
}
