/*
 * mpi.c: what ranks tell each other, over MPI. Errors are MPI's to handle: it ends all processes of the job.
 *
 * Sums have to come out as the same bits on every rank, or else weights would drift apart, and whatever the network's
 * library thinks best may not change them. A sum of doubles, which is small, goes to rank 0 and from there to all. A
 * sum of floats is a bucket of gradients, on its way while the next ones are computed; each rank adds up one piece:
 *
 *     bucket on rank 0    [ a0 | b0 | c0 ]                  a0 a1 a2 -> rank 0: a = a0 + a1 + a2
 *     bucket on rank 1    [ a1 | b1 | c1 ]   -- scatter --  b0 b1 b2 -> rank 1: b       -- gather -- [ a | b | c ]
 *     bucket on rank 2    [ a2 | b2 | c2 ]                  c0 c1 c2 -> rank 2: c
 *
 * in order of rank and in double precision. Every rank sends and receives about twice the bucket, however many there
 * are. A few buckets are on their way at once. The collective calls of one communicator must come in the same order
 * everywhere, while the end of a scatter is a matter of luck; so scatters and gathers have a communicator each, and go
 * in the order of buckets.
 *
 * Waiting is polite: a rank that waits for long (while the first one writes a checkpoint, say) sleeps between looks.
 */
#include "train/mpi.h"

#include "base/memory.h"
#include "base/status.h"

#include <limits.h>
#include <mpi.h>
#include <string.h>
#include <time.h>

#define UNDER_WAY  ((size_t)4)        /* buckets */
#define PIECE      ((size_t)1 << 13)  /* floats: smaller ones cost more for being sent than for their bytes */
#define MOST_LEAST ((size_t)1 << 20)  /* floats in a bucket */
#define MOST_MOST  ((size_t)1 << 24)  /* likewise */
#define DOUBLES    ((size_t)1 << 19)  /* that are added up at once */
#define LOOKS      1000               /* before a rank sleeps */
#define NAP_LEAST  20000L             /* nanoseconds */
#define NAP_MOST   1000000L           /* likewise */
#define PART       ((size_t)64 << 20) /* bytes that are told at once */
#define RUN        ((size_t)256)      /* floats that are added up at once */
#define OWN        ((size_t)64 << 20) /* bytes that MPI takes for itself: its libraries, queues, shared memory */

typedef enum stage { SCATTERING, GATHERING } stage;

typedef struct bucket {
    stage stage;
    MPI_Request request;
    float *x;
    float *received;     /* everyone's part of my piece */
    int *counts, *first; /* [size]: pieces */
    int *mine, *places;  /* [size]: in received */
} bucket;

typedef struct world {
    al_collective collective;
    bool started; /* MPI, by us */
    MPI_Comm all, scatter, gather;
    bucket buckets[UNDER_WAY];
    size_t oldest, begun; /* buckets, counted from the start */
    int *sizes, *places;  /* [size] */
} world;

/* ---- waiting ---- */

typedef struct patience {
    int looks;
    long nap;
} patience;

static void wait_a_little(patience *p)
{
    if (p->looks < LOOKS) {
        p->looks++;
        return;
    }
    p->nap = p->nap == 0 ? NAP_LEAST : p->nap < NAP_MOST ? p->nap * 2 : NAP_MOST;
    nanosleep(&(struct timespec){0, p->nap}, NULL);
}

static void wait_for(MPI_Request *request)
{
    patience p = {0, 0};
    int done = 0;
    for (;;) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done)
            return;
        wait_a_little(&p);
    }
}

/* ---- one after the other ---- */

static void sum(void *user, double *x, size_t n)
{
    const world *w = user;
    MPI_Request request;
    for (size_t done = 0; done < n; done += DOUBLES) {
        const int count = (int)(n - done < DOUBLES ? n - done : DOUBLES);
        double *some = x + done;
        MPI_Ireduce(w->collective.rank == 0 ? MPI_IN_PLACE : some, some, count, MPI_DOUBLE, MPI_SUM, 0, w->all,
                    &request);
        wait_for(&request);
        MPI_Ibcast(some, count, MPI_DOUBLE, 0, w->all, &request);
        wait_for(&request);
    }
}

static void gather(void *user, const void *mine, size_t bytes, void *all)
{
    const world *w = user;
    const int size = (int)bytes;
    MPI_Request request;
    MPI_Iallgather(&size, 1, MPI_INT, w->sizes, 1, MPI_INT, w->all, &request);
    wait_for(&request);
    w->places[0] = 0;
    for (int r = 1; r < w->collective.size; r++)
        w->places[r] = w->places[r - 1] + w->sizes[r - 1];
    MPI_Iallgatherv(mine, size, MPI_BYTE, all, w->sizes, w->places, MPI_BYTE, w->all, &request);
    wait_for(&request);
}

static int least(void *user, int x)
{
    const world *w = user;
    MPI_Request request;
    int found;
    MPI_Iallreduce(&x, &found, 1, MPI_INT, MPI_MIN, w->all, &request);
    wait_for(&request);
    return found;
}

static void tell(void *user, int from, void *bytes, size_t n)
{
    const world *w = user;
    MPI_Request request;
    for (size_t done = 0; done < n; done += PART) {
        MPI_Ibcast((char *)bytes + done, (int)(n - done < PART ? n - done : PART), MPI_BYTE, from, w->all, &request);
        wait_for(&request);
    }
}

/* ---- sums under way ---- */

/* Cuts a bucket of n floats into a piece for each rank, of which the last ones may be smaller. */
static void cut(const world *w, bucket *b, size_t n)
{
    const size_t ranks = (size_t)w->collective.size, me = (size_t)w->collective.rank, piece = (n + ranks - 1) / ranks;
    for (size_t r = 0; r < ranks; r++) {
        const size_t first = r * piece < n ? r * piece : n, left = n - first;
        b->first[r] = (int)first;
        b->counts[r] = (int)(left < piece ? left : piece);
    }
    for (size_t r = 0; r < ranks; r++) {
        b->mine[r] = b->counts[me];
        b->places[r] = (int)r * b->counts[me];
    }
}

/* My piece = everyone's part of it, added up in order of rank. */
static void add_up(const world *w, const bucket *b)
{
    const size_t n = (size_t)b->counts[w->collective.rank];
    float *piece = b->x + b->first[w->collective.rank];
    double sums[RUN];
    for (size_t first = 0; first < n; first += RUN) {
        const size_t some = n - first < RUN ? n - first : RUN;
        memset(sums, 0, sizeof sums);
        for (int r = 0; r < w->collective.size; r++) {
            const float *part = b->received + b->places[r] + first;
            for (size_t i = 0; i < some; i++)
                sums[i] += (double)part[i];
        }
        for (size_t i = 0; i < some; i++)
            piece[first + i] = (float)sums[i];
    }
}

/* Looks at every bucket under way, oldest first. None begins to gather before those older than it do. */
static void go_on(void *user)
{
    world *w = user;
    for (size_t i = w->oldest; i < w->begun; i++) {
        bucket *b = &w->buckets[i % UNDER_WAY];
        int done;
        MPI_Test(&b->request, &done, MPI_STATUS_IGNORE);
        if (done && b->stage == SCATTERING) {
            add_up(w, b);
            MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_FLOAT, b->x, b->counts, b->first, MPI_FLOAT, w->gather, &b->request);
            b->stage = GATHERING;
        } else if (b->stage == SCATTERING) {
            return;
        } else if (done && i == w->oldest) {
            w->oldest++;
        }
    }
}

/* Until no more than so many are under way. */
static void go_on_until(world *w, size_t left)
{
    patience p = {0, 0};
    for (go_on(w); w->begun - w->oldest > left; go_on(w))
        wait_a_little(&p);
}

static void begin_sum(void *user, float *x, size_t n)
{
    world *w = user;
    go_on_until(w, UNDER_WAY - 1);
    bucket *b = &w->buckets[w->begun % UNDER_WAY];
    b->x = x;
    b->stage = SCATTERING;
    cut(w, b, n);
    MPI_Ialltoallv(x, b->counts, b->first, MPI_FLOAT, b->received, b->mine, b->places, MPI_FLOAT, w->scatter,
                   &b->request);
    w->begun++;
}

static void end_sums(void *user)
{
    go_on_until(user, 0);
}

/* ---- joining and leaving ---- */

static align_status get_memory(world *w, align_error *err)
{
    const size_t ranks = (size_t)w->collective.size;
    w->collective.memory = OWN;
    bool failed = !(w->sizes = al_calloc(ranks, sizeof(int))) || !(w->places = al_calloc(ranks, sizeof(int)));
    for (size_t i = 0; i < UNDER_WAY && !failed; i++) {
        bucket *b = &w->buckets[i];
        b->received = al_alloc_aligned((w->collective.most + ranks) * sizeof(float));
        w->collective.memory += (w->collective.most + ranks) * sizeof(float);
        b->counts = al_calloc(ranks, sizeof(int));
        b->first = al_calloc(ranks, sizeof(int));
        b->mine = al_calloc(ranks, sizeof(int));
        b->places = al_calloc(ranks, sizeof(int));
        failed = !b->received || !b->counts || !b->first || !b->mine || !b->places;
    }
    return failed ? al_error_no_memory(err, w->collective.most * sizeof(float)) : ALIGN_OK;
}

static void release_memory(world *w)
{
    for (size_t i = 0; i < UNDER_WAY; i++) {
        bucket *b = &w->buckets[i];
        al_free_aligned(b->received);
        al_free(b->counts);
        al_free(b->first);
        al_free(b->mine);
        al_free(b->places);
    }
    al_free(w->sizes);
    al_free(w->places);
    al_free(w);
}

/* Floats in a bucket: few while few ranks share it, so that sums begin early, and none too small a piece for many. */
static size_t bucket_for(size_t ranks)
{
    const size_t wanted = ranks * PIECE;
    return wanted < MOST_LEAST ? MOST_LEAST : wanted > MOST_MOST ? MOST_MOST : wanted;
}

align_status al_mpi_join(const al_collective **out, align_error *err)
{
    int running, provided;
    *out = NULL;
    world *w = al_calloc(1, sizeof *w);
    if (!w)
        return al_error_no_memory(err, sizeof *w);
    MPI_Initialized(&running);
    w->started = !running;
    if (w->started)
        MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    w->collective = (al_collective){0, 0, w, sum, gather, least, tell, 0, begin_sum, go_on, end_sums, 0};
    MPI_Comm_rank(MPI_COMM_WORLD, &w->collective.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &w->collective.size);
    w->collective.most = bucket_for((size_t)w->collective.size);
    MPI_Comm_dup(MPI_COMM_WORLD, &w->all);
    MPI_Comm_dup(MPI_COMM_WORLD, &w->scatter);
    MPI_Comm_dup(MPI_COMM_WORLD, &w->gather);
    const align_status status = al_agree(&w->collective, get_memory(w, err), err);
    if (status == ALIGN_OK)
        *out = &w->collective;
    else
        al_mpi_leave(&w->collective);
    return status;
}

void al_mpi_leave(const al_collective *ranks)
{
    world *w = ranks->user;
    const bool started = w->started;
    MPI_Comm_free(&w->all);
    MPI_Comm_free(&w->scatter);
    MPI_Comm_free(&w->gather);
    release_memory(w);
    if (started)
        MPI_Finalize();
}
