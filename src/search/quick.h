#ifndef AL_QUICK_H
#define AL_QUICK_H
/*
 * quick.h: the scores of many vectors for some queries, to within an error that is known: what a scan finds its
 * candidates by.
 *
 * A few queries meet the vectors as they lie in memory. More of them are a product of matrices: a block of vectors is
 * widened and multiplied by all queries while it is in the cache; where there are tiles, in bf16.
 */
#include "kernels/kernels.h"

#include <align/error.h>

typedef struct al_quick {
    const al_kernels *kernels;
    const al_narrow_kernels *narrow; /* of the vectors */
    size_t width, n;
    const float *queries; /* [n, width] */

    bool multiplies;           /* or else a few queries meet each row */
    const al_product *product; /* that prepares its operand; NULL: the plain one of f32 */
    void *packed;              /* the queries as weights of it */

    size_t block;  /* rows that are scored together at most */
    size_t stride; /* floats from one row of scores to the next */
    double error;  /* of a score, in lengths of the query times the vector */
} al_quick;

/* Queries must stay where they are. Error: OUT_OF_MEMORY. */
align_status al_quick_init(al_quick *quick, const al_narrow_kernels *narrow, const float *queries, size_t n,
                           size_t width, align_error *err);
void al_quick_done(al_quick *quick);

/* A block of one thread. */
typedef struct al_quick_block {
    float *scores; /* [block, stride] */
    float *wide;   /* at least [width] f32, free after al_quick_finish */
    void *operand;
    size_t filled;
} al_quick_block;

align_status al_quick_block_init(al_quick_block *block, const al_quick *quick, align_error *err);
void al_quick_block_done(al_quick_block *block);

/* Puts count rows, one behind the other, at the end of the block. */
void al_quick_add(const al_quick *quick, al_quick_block *block, const void *rows, size_t count);

/* Then scores are complete; the caller empties the block (filled = 0). */
void al_quick_finish(const al_quick *quick, al_quick_block *block);
#endif
