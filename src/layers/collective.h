#ifndef AL_COLLECTIVE_H
#define AL_COLLECTIVE_H
/*
 * collective.h: the ranks that train one model together. Every rank makes the same calls in the same order. A rank that
 * lost the others does not return from a call: whoever provides them ends the process.
 */
#include <stddef.h>

typedef struct al_collective {
    int rank, size;
    void *user;
    void (*sum)(void *user, double *x, size_t n); /* x = the sum of all ranks' x; the same bits on every rank */
    void (*gather)(void *user, const float *mine, size_t n, float *all); /* all = everyone's mine, in order of rank; n
                                                                          * may differ between ranks */
} al_collective;
#endif
