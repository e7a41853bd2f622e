#ifndef AL_RANKS_H
#define AL_RANKS_H
/* ranks.h: what is behind align_ranks. */
#include "layers/collective.h"

#include <align/train.h>

/* NULL where there is nobody else: without ranks, and for a rank alone. */
const al_collective *al_ranks_collective(const align_ranks *ranks);
#endif
