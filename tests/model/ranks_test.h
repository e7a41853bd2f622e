/* ranks_test.h: ranks for tests: threads of one process that meet at a barrier. */
#ifndef RANKS_TEST_H
#define RANKS_TEST_H
#include "layers/collective.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST_RANKS 4

typedef struct world {
    int size;
    pthread_barrier_t barrier;
    const void *given[MOST_RANKS];
    size_t counts[MOST_RANKS];
} world;

typedef struct member {
    world *world;
    al_collective collective; /* whose user this is */
    void (*work)(const al_collective *ranks, void *user);
    void *user;
} member;

static inline const member *meet(void *user, const void *mine, size_t n)
{
    const member *m = user;
    m->world->given[m->collective.rank] = mine;
    m->world->counts[m->collective.rank] = n;
    pthread_barrier_wait(&m->world->barrier);
    return m;
}

static inline void world_sum(void *user, double *x, size_t n)
{
    double *sum = calloc(n, sizeof *sum);
    const member *m = meet(user, x, n);
    for (int r = 0; r < m->world->size; r++)
        for (size_t i = 0; i < n; i++)
            sum[i] += ((const double *)m->world->given[r])[i];
    pthread_barrier_wait(&m->world->barrier);
    memcpy(x, sum, n * sizeof *x);
    free(sum);
}

static inline void world_gather(void *user, const void *mine, size_t bytes, void *all)
{
    const member *m = meet(user, mine, bytes);
    char *to = all;
    for (int r = 0; r < m->world->size; r++) {
        memcpy(to, m->world->given[r], m->world->counts[r]);
        to += m->world->counts[r];
    }
    pthread_barrier_wait(&m->world->barrier);
}

static inline int world_least(void *user, int x)
{
    const member *m = meet(user, &x, 1);
    int least = x;
    for (int r = 0; r < m->world->size; r++) {
        const int other = *(const int *)m->world->given[r];
        least = other < least ? other : least;
    }
    pthread_barrier_wait(&m->world->barrier);
    return least;
}

static inline void world_tell(void *user, int from, void *bytes, size_t n)
{
    const member *m = meet(user, bytes, n);
    if (m->collective.rank != from)
        memcpy(bytes, m->world->given[from], n);
    pthread_barrier_wait(&m->world->barrier);
}

static inline void *member_main(void *user)
{
    member *m = user;
    m->work(&m->collective, m->user);
    return NULL;
}

/* Runs work on every rank, each with its own user. */
static inline void run_ranks(int size, void (*work)(const al_collective *ranks, void *user), void *const *users)
{
    world w = {.size = size};
    pthread_t threads[MOST_RANKS];
    member members[MOST_RANKS];
    assert_true(size <= MOST_RANKS);
    assert_int_equal(pthread_barrier_init(&w.barrier, NULL, (unsigned)size), 0);
    for (int r = 0; r < size; r++) {
        members[r] = (member){.world = &w, .work = work, .user = users[r]};
        members[r].collective = (al_collective){.rank = r,
                                                .size = size,
                                                .user = &members[r],
                                                .sum = world_sum,
                                                .gather = world_gather,
                                                .least = world_least,
                                                .tell = world_tell};
        assert_int_equal(pthread_create(&threads[r], NULL, member_main, &members[r]), 0);
    }
    for (int r = 0; r < size; r++)
        assert_int_equal(pthread_join(threads[r], NULL), 0);
    pthread_barrier_destroy(&w.barrier);
}
#endif
