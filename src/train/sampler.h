#ifndef AL_SAMPLER_H
#define AL_SAMPLER_H
/*
 * sampler.h: which pairs a step has: epochs, shuffling, texts, ranks. All of it is arithmetic on numbers, so that any
 * step can be asked for at any time.
 */
#include "train/loader.h"

/* An item is a picture with one text: one a picture in an epoch, or one a text. */
typedef struct al_sampler {
    const align_dataset *dataset;
    const al_loader_options *options;
    size_t items;             /* an epoch */
    uint64_t steps_per_epoch; /* at least 1 */
} al_sampler;

/* INVALID_ARGUMENT for options that cannot be. Both are borrowed. */
align_status al_sampler_init(al_sampler *sampler, const align_dataset *dataset, const al_loader_options *options,
                             align_error *err);

/* Rows of a step: of all ranks, and [first, first + count) of this one. */
typedef struct al_sampler_step {
    uint64_t epoch;
    size_t total, first, count;
    size_t position; /* of the step's row 0 in the epoch's order */
} al_sampler_step;
al_sampler_step al_sampler_step_at(const al_sampler *sampler, uint64_t step);

/* One row; key is that of its random numbers. */
typedef struct al_sample_item {
    size_t pair, text;
    uint64_t key;
} al_sample_item;

/*
 * Row `row` (of all ranks) of a step. attempt 0 is the row itself; 1, 2, ... stand in for it where its picture cannot
 * be read. They begin with the row of the same number in the next step: one of the same step would be in it twice, and
 * two equal pairs cannot be told apart. After `items` more attempts every item was tried.
 */
al_sample_item al_sampler_item(const al_sampler *sampler, const al_sampler_step *step, size_t row, size_t attempt);
#endif
