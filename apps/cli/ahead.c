/*
 * ahead.c: work that several threads do ahead of the one that wants it, handed out in the order in which it was given.
 *
 * Piece i goes through slot i % n_slots. Of the pieces so far, `given` in all, `taken` have a worker and `released` are
 * the caller's again:
 *
 *     0 ... released | in slots, at most n_slots: ... taken | nobody's yet ... given
 */
#include "cli.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#define WORKER_NICE 10

typedef struct slot {
    bool ready;
    void *piece;
} slot;

struct cli_ahead {
    cli_work *work;
    void *context;
    pthread_t *workers;
    size_t n_workers; /* 0: work is done when it is asked for */
    pthread_mutex_t mutex;
    pthread_cond_t has_piece, is_ready;
    slot *slots;
    size_t n_slots, given, taken, released;
    bool stop;
};

/*
 * Workers fill the gaps that whoever takes their work leaves on the cores. Of equal rank they would hold up one of the
 * threads of a tower at a time, while the others wait for it. Elsewhere than on Linux this would be of the whole
 * process.
 */
static void give_way(void)
{
#ifdef __linux__
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + WORKER_NICE);
#endif
}

static void *run_worker(void *argument)
{
    cli_ahead *ahead = argument;
    give_way();
    pthread_mutex_lock(&ahead->mutex);
    for (;;) {
        while (!ahead->stop && ahead->taken == ahead->given)
            pthread_cond_wait(&ahead->has_piece, &ahead->mutex);
        if (ahead->stop)
            break;
        slot *s = &ahead->slots[ahead->taken++ % ahead->n_slots];
        void *piece = s->piece;
        pthread_mutex_unlock(&ahead->mutex);
        ahead->work(ahead->context, piece);
        pthread_mutex_lock(&ahead->mutex);
        s->ready = true;
        pthread_cond_signal(&ahead->is_ready);
    }
    pthread_mutex_unlock(&ahead->mutex);
    return NULL;
}

cli_ahead *cli_ahead_open(cli_work *work, void *context, size_t workers, size_t slots)
{
    cli_ahead *ahead = cli_alloc(1, sizeof *ahead);
    ahead->work = work;
    ahead->context = context;
    ahead->n_slots = slots;
    ahead->slots = cli_alloc(slots, sizeof *ahead->slots);
    ahead->workers = cli_alloc(workers, sizeof *ahead->workers);
    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_cond_init(&ahead->has_piece, NULL);
    pthread_cond_init(&ahead->is_ready, NULL);
    while (ahead->n_workers < workers &&
           pthread_create(&ahead->workers[ahead->n_workers], NULL, run_worker, ahead) == 0)
        ahead->n_workers++; /* fewer threads than wanted are slower, not wrong */
    return ahead;
}

bool cli_ahead_has_room(const cli_ahead *ahead)
{
    return ahead->given - ahead->released < ahead->n_slots;
}

void cli_ahead_give(cli_ahead *ahead, void *piece)
{
    pthread_mutex_lock(&ahead->mutex);
    ahead->slots[ahead->given++ % ahead->n_slots] = (slot){false, piece};
    pthread_cond_signal(&ahead->has_piece);
    pthread_mutex_unlock(&ahead->mutex);
}

void *cli_ahead_take(cli_ahead *ahead)
{
    if (ahead->released == ahead->given)
        return NULL;
    slot *s = &ahead->slots[ahead->released++ % ahead->n_slots];
    if (ahead->stop)
        return s->piece;
    if (ahead->n_workers == 0) {
        ahead->work(ahead->context, s->piece);
        return s->piece;
    }
    pthread_mutex_lock(&ahead->mutex);
    while (!s->ready)
        pthread_cond_wait(&ahead->is_ready, &ahead->mutex);
    pthread_mutex_unlock(&ahead->mutex);
    return s->piece;
}

void cli_ahead_stop(cli_ahead *ahead)
{
    pthread_mutex_lock(&ahead->mutex);
    ahead->stop = true;
    pthread_cond_broadcast(&ahead->has_piece);
    pthread_mutex_unlock(&ahead->mutex);
    for (size_t i = 0; i < ahead->n_workers; i++)
        pthread_join(ahead->workers[i], NULL);
    ahead->n_workers = 0;
}

void cli_ahead_close(cli_ahead *ahead)
{
    cli_ahead_stop(ahead);
    pthread_cond_destroy(&ahead->is_ready);
    pthread_cond_destroy(&ahead->has_piece);
    pthread_mutex_destroy(&ahead->mutex);
    free(ahead->workers);
    free(ahead->slots);
    free(ahead);
}
