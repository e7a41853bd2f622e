#ifndef AL_SCHEDULE_H
#define AL_SCHEDULE_H
/*
 * schedule.h: the learning rate of each step.
 *
 *     1 |      /\                 linear: down on a line      cosine: (1 + cos pi t) / 2
 *       |    /    \  .
 *       |  /         \     .
 *     0 |/__warm-up_____\______.   step
 */
#include <align/train.h>

typedef struct al_schedule {
    align_schedule kind;
    int64_t warmup, steps;
} al_schedule;

/* What the learning rate is multiplied by for step `step`, counted from 0: the numbers of the reference's
 * get_linear_schedule_with_warmup and its siblings. */
double al_schedule_factor(const al_schedule *schedule, int64_t step);
#endif
