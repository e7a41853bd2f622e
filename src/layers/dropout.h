#ifndef AL_DROPOUT_H
#define AL_DROPOUT_H
/*
 * dropout.h: numbers dropped at random, each with probability rate, the others made larger by 1 / (1 - rate). Which
 * ones are dropped is a function of key and of their place, so that nothing need be kept: the same call takes the
 * gradient of y to that of x.
 */
#include "layers/run.h"

/* y[i] = x[i] keep(i) / (1 - rate) for n numbers; y may be x. A rate of 0 or less keeps all, 1 or more none. */
void al_dropout(const al_run *run, float rate, uint64_t key, size_t n, const float *x, float *y);

/* The same for numbers first .. first + n - 1, by the calling thread alone; x and y begin there. */
void al_dropout_some(const al_kernels *kernels, float rate, uint64_t key, size_t first, size_t n, const float *x,
                     float *y);
#endif
