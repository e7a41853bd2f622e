#ifndef AL_TOGETHER_H
#define AL_TOGETHER_H
/* together.h: what ranks must have in common, and how they come to it. Without ranks (NULL) there is nothing to do. */
#include "layers/collective.h"
#include "model/align_train.h"
#include "train/checkpoint.h"
#include "train/loader.h"
#include "train/matches.h"

/* Whether a batch can be shared out: INVALID_ARGUMENT if not. */
align_status al_together_check(const al_collective *ranks, const align_train_options *options,
                               const align_config *config, align_error *err);

/*
 * Everyone's progress becomes that of the first rank: weights, running statistics, moments, averages, the losses so
 * far, the best validation. Fails on all ranks: MISMATCH where recipes differ, naming the rank and the key.
 */
align_status al_together_begin(const al_collective *ranks, al_progress *progress, align_error *err);

/* Finds the matches of a batch, of which each rank knows its rows, and gives a step those that it asks for. */
align_status al_together_match(const al_collective *ranks, al_matches *matches, const al_loader_batch *batch,
                               al_step_options *step, align_error *err);

/* Everyone's running statistics, of pictures of its own, become those of the first rank, which the model keeps. */
void al_together_share_statistics(const al_collective *ranks, al_trainable *trainable);

/* Everyone's x added up. */
int64_t al_together_count(const al_collective *ranks, int64_t x);
#endif
