#ifndef AL_EMBEDDING_H
#define AL_EMBEDDING_H
/* embedding.h: rows of a table, read in place: the table stays in the mapped checkpoint, in the dtype it is stored in.
 */
#include "layers/run.h"

#include <align/tensor.h>

/* y[i] = (or, with add, +=) table[ids[i]] for n ids; table [rows, columns], ids checked by the caller. */
void al_embedding_forward(const al_run *run, const align_tensor *table, size_t n, const int64_t *ids, bool add,
                          float *y);

/*
 * gradient[ids[i]] += dy[i] for n ids, in their order; gradient [rows, columns] f32, dy [n, columns]. The row `padding`
 * (-1: none) gets nothing.
 */
void al_embedding_backward(const al_run *run, size_t columns, size_t n, const int64_t *ids, int64_t padding,
                           const float *dy, float *gradient);
#endif
