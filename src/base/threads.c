/* threads.c: see threads.h. One job at a time; a job is published by raising its number. */
#include "base/threads.h"

#include "base/memory.h"
#include "base/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 1024
#define SPINS       4000 /* about 50 microseconds of pauses */

typedef struct worker {
    al_threads *team;
    int number;
    pthread_t thread;
} worker;

struct al_threads {
    int count; /* the caller included */
    worker *workers;

    /* the job at hand, written by the caller before job_number is raised */
    size_t n, grain;
    al_work work;
    void *user;
    atomic_size_t next; /* first item not yet taken */
    atomic_int busy;    /* workers that have not finished the job */
    atomic_uint job_number;
    atomic_bool stop;

    pthread_mutex_t mutex;
    pthread_cond_t wake; /* job_number or stop changed */
    pthread_cond_t idle; /* busy reached 0 */
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
    for (;;) {
        const size_t begin = atomic_fetch_add(&t->next, t->grain);
        if (begin >= t->n)
            return;
        const size_t left = t->n - begin;
        t->work(t->user, begin, begin + (left < t->grain ? left : t->grain), thread);
    }
}

/* Returns the number of a job that is not `seen`, or `seen` itself when the team stops. */
static unsigned wait_for_job(al_threads *t, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        const unsigned number = atomic_load(&t->job_number);
        if (number != seen || atomic_load(&t->stop))
            return number;
        pause_briefly();
    }
    pthread_mutex_lock(&t->mutex);
    while (atomic_load(&t->job_number) == seen && !atomic_load(&t->stop))
        pthread_cond_wait(&t->wake, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
    return atomic_load(&t->job_number);
}

static void *worker_main(void *argument)
{
    worker *w = argument;
    al_threads *t = w->team;
    unsigned seen = 0;
    for (;;) {
        const unsigned number = wait_for_job(t, seen);
        if (number == seen)
            return NULL;
        seen = number;
        take_chunks(t, w->number);
        if (atomic_fetch_sub(&t->busy, 1) == 1) {
            pthread_mutex_lock(&t->mutex);
            pthread_cond_signal(&t->idle);
            pthread_mutex_unlock(&t->mutex);
        }
    }
}

void al_threads_run(al_threads *t, size_t n, size_t grain, al_work work, void *user)
{
    if (n == 0)
        return;
    if (t->count == 1 || n <= grain) {
        for (size_t begin = 0; begin < n; begin += grain)
            work(user, begin, n - begin < grain ? n : begin + grain, 0);
        return;
    }
    t->n = n;
    t->grain = grain;
    t->work = work;
    t->user = user;
    atomic_store(&t->next, 0);
    atomic_store(&t->busy, t->count - 1);
    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->job_number, 1);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->mutex);

    take_chunks(t, 0);
    for (int i = 0; i < SPINS && atomic_load(&t->busy) > 0; i++)
        pause_briefly();
    pthread_mutex_lock(&t->mutex);
    while (atomic_load(&t->busy) > 0)
        pthread_cond_wait(&t->idle, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

int al_threads_count(const al_threads *t)
{
    return t->count;
}

static int cores(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
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
    pthread_cond_init(&t->idle, NULL);
    t->count = 1;
    t->workers = al_calloc((size_t)n, sizeof *t->workers);
    if (!t->workers) {
        al_threads_free(t);
        return al_error_no_memory(err, (size_t)n * sizeof *t->workers);
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
    pthread_cond_destroy(&t->idle);
    al_free(t->workers);
    al_free(t);
}
