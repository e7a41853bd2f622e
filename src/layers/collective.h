#ifndef AL_COLLECTIVE_H
#define AL_COLLECTIVE_H
/*
 * collective.h: the ranks that train one model together. Every rank makes the same calls in the same order. A rank that
 * lost the others does not return from a call: whoever provides them ends the process.
 */
#include <align/error.h>
#include <stddef.h>

typedef struct al_collective {
    int rank, size;
    void *user;
    void (*sum)(void *user, double *x, size_t n); /* x = the sum of all ranks' x; the same bits on every rank */
    void (*gather)(void *user, const void *mine, size_t bytes, void *all); /* all = everyone's mine, in order of rank;
                                                                            * bytes may differ between ranks */
    int (*least)(void *user, int x);                                       /* of all ranks' x */
    void (*tell)(void *user, int from, void *bytes, size_t n); /* everybody's bytes become those of rank `from` */

    /* Sums that are on their way while something else is computed. Between begin_sum and end_sums x is nobody's; then
     * it is the sum, the same bits on every rank. */
    size_t most;                                       /* floats in such a sum */
    void (*begin_sum)(void *user, float *x, size_t n); /* n <= most */
    void (*go_on)(void *user);                         /* moves on what has begun; called now and then */
    void (*end_sums)(void *user);
    size_t memory; /* bytes that all of this keeps */
} al_collective;

/*
 * Makes the failure of any rank that of all: each gives what it has come to, and all get the status and the message of
 * the first rank that failed, or ALIGN_OK. Without ranks (NULL) it is one's own.
 */
align_status al_agree(const al_collective *ranks, align_status status, align_error *err);

/* Where a rank's share of so many rows begins; it ends where that of rank + 1 does. */
size_t al_share_begin(size_t rows, int rank, int ranks);
#endif
