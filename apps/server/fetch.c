/*
 * fetch.c: a queue, and the threads that empty it.
 */
#include "fetch.h"
#include <pthread.h>
#include <stdlib.h>

struct srv_fetcher {
    srv_fetcher_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    srv_fetch *first, **last;
    size_t waiting;
    bool ending;
    int started;
    pthread_t threads[];
};

/* What a download of one fetch asks. */
typedef struct asked {
    const srv_fetcher_options *options;
    const srv_job *job;
} asked;

static bool goes_on(void *closure)
{
    const asked *a = closure;
    return a->options->is_wanted(a->job);
}

static bool reserve(void *closure, size_t bytes)
{
    const asked *a = closure;
    return a->options->reserve(a->job, bytes);
}

static void get(const srv_fetcher *f, srv_fetch *fetch)
{
    asked a = {&f->options, fetch->job};
    const srv_download_client client = {goes_on, reserve, &a};
    size_t size = 0;
    const char *reason = "nobody waited any more";
    if (goes_on(&a))
        reason = srv_download(fetch->url, &f->options.rules, &client, &fetch->bytes, &size);
    if (reason) {
        fetch->job->outcome = SRV_JOB_BAD;
        fetch->job->reason = reason;
    } else {
        fetch->job->bytes = fetch->bytes;
        fetch->job->size = size;
    }
    srv_count(f->options.metrics, reason ? SRV_NOT_FETCHED : SRV_FETCHED, 1);
    f->options.done(fetch);
}

static void *work(void *argument)
{
    srv_fetcher *f = argument;
    pthread_mutex_lock(&f->lock);
    while (f->first || !f->ending) {
        srv_fetch *fetch = f->first;
        if (!fetch) {
            pthread_cond_wait(&f->changed, &f->lock);
            continue;
        }
        f->first = fetch->next;
        if (!f->first)
            f->last = &f->first;
        f->waiting--;
        pthread_mutex_unlock(&f->lock);
        get(f, fetch);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

srv_fetcher *srv_fetcher_open(const srv_fetcher_options *options)
{
    srv_fetcher *f = calloc(1, sizeof *f + (size_t)options->threads * sizeof *f->threads);
    if (!f)
        return NULL;
    f->options = *options;
    f->last = &f->first;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    while (f->started < options->threads && pthread_create(&f->threads[f->started], NULL, work, f) == 0)
        f->started++;
    if (f->started == options->threads)
        return f;
    srv_fetcher_close(f);
    return NULL;
}

void srv_fetcher_close(srv_fetcher *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->ending = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < f->started; i++)
        pthread_join(f->threads[i], NULL);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

bool srv_fetcher_give(srv_fetcher *f, srv_fetch *fetches, size_t n)
{
    pthread_mutex_lock(&f->lock);
    const bool taken = n <= f->options.max_waiting - f->waiting;
    for (size_t i = 0; i < n && taken; i++) {
        fetches[i].next = NULL;
        *f->last = &fetches[i];
        f->last = &fetches[i].next;
        f->waiting++;
    }
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return taken;
}
