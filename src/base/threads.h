#ifndef AL_THREADS_H
#define AL_THREADS_H
/*
 * threads.h: a team of threads for loops whose iterations are independent.
 *
 * Work is handed out in chunks, to each thread first from its own stretch of the items, then from what others have
 * left; so which thread does what is left to chance. What a chunk computes must not be. A loop divides outputs among
 * threads, never a sum: that is why results do not depend on the team's size. Idle threads spin for some microseconds
 * (the next loop of a forward pass comes soon) and then sleep.
 */
#include <align/error.h>
#include <stddef.h>

typedef struct al_threads al_threads;

/* A team of n, the caller included; n = 0: one a core this process may use. */
align_status al_threads_new(al_threads **out, int n, align_error *err);
void al_threads_free(al_threads *threads);
int al_threads_count(const al_threads *threads); /* NULL, here and below: the caller alone */

/* Work on items [begin, end); thread is 0 .. count-1, for scratch memory of its own. */
typedef void (*al_work)(void *user, size_t begin, size_t end, int thread);

/* Runs work over [0, n) in chunks of at most grain items and returns when all is done. grain 0: some chunks for each
 * thread, for work that wants neighbours. */
#define AL_THREADS_CHUNKS 4
void al_threads_run(al_threads *threads, size_t n, size_t grain, al_work work, void *user);
#endif
