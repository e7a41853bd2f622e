#ifndef AL_SCAN_H
#define AL_SCAN_H
/*
 * scan.h: the nearest of many vectors, by looking at every one of them.
 *
 * The vectors lie in memory (a mapped file, mostly) one after the other in f16. Reading them takes longer than anything
 * that is done with them, so that a query costs what memory costs, and several queries at once little more than one.
 */
#include "base/threads.h"

#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct al_scan {
    const uint16_t *vectors; /* [count, width] f16, of unit length */
    size_t count, width;
    const uint64_t *chosen; /* a bit for each vector, bit i % 64 of word i / 64: those to look at; NULL: all */
    const int8_t *steps;    /* [count, width], the vectors in steps of their own (al_quantize); NULL: there are none */
    const float *step;      /* [count]: what a step of each vector is worth */
    size_t top;             /* at most so many of each query */
    float threshold;        /* no lower score */
} al_scan;

typedef struct al_found {
    size_t place; /* of the vector */
    float score;
} al_found;

/*
 * found [queries, scan->top], best first, equal scores in the order of their places; n_found [queries]: how many of a
 * row are there. queries [n, width] f32. With steps these are looked at, and the f16 vectors only of what may be among
 * the best. Scores are those of the f16 vectors, summed in double: the result is the same to the last bit on every
 * machine, with any number of threads, with steps and without. Errors: OUT_OF_MEMORY, UNSUPPORTED.
 */
align_status al_scan_run(const al_scan *scan, al_threads *threads, const float *queries, size_t n, al_found *found,
                         size_t *n_found, align_error *err);

/* The score of one vector, as al_scan_run gives it; wide [width] is room for it. */
float al_scan_score(const uint16_t *vector, const float *query, size_t width, float *wide);

/* n numbers from f16; al_f32_to_f16 (base/tensor.h) is the way there. */
void al_from_f16(size_t n, const uint16_t *x, float *y);

/* count vectors of width f16 numbers in steps -127..127, one size of step a vector. */
void al_quantize(size_t count, size_t width, const uint16_t *vectors, int8_t *steps, float *step);
#endif
