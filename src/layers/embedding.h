#ifndef AL_EMBEDDING_H
#define AL_EMBEDDING_H
/* embedding.h: rows of a table, read in place: the table stays in the mapped checkpoint, in the dtype it is stored in.
 */
#include "layers/run.h"

#include <align/tensor.h>

/* y[i] = (or, with add, +=) table[ids[i]] for n ids; table [rows, columns], ids checked by the caller. */
void al_embedding_forward(const al_run *run, const align_tensor *table, size_t n, const int64_t *ids, bool add,
                          float *y);
#endif
