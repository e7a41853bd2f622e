#ifndef AL_OPTIMIZER_H
#define AL_OPTIMIZER_H
/*
 * optimizer.h: what an update does to a model's weights: AdamW or LAMB, and a moving average of them.
 *
 * The arrays are laid out as the trainable's. Threads share out stretches of tensors, whose borders follow from the
 * shapes; sums over a tensor add up its stretches in order. So an update is the same for any number of threads.
 */
#include "base/threads.h"
#include "kernels/kernels.h"
#include "model/trainable.h"

#include <align/train.h>

/* A tensor that learns. */
typedef struct al_learner {
    const al_trainable_entry *entry;
    double rate;           /* its learning rate, as a share of options.lr */
    double decay;          /* its weight decay */
    bool adapts;           /* LAMB: has a trust ratio */
    size_t begin, end;     /* its stretches */
    al_adam step;          /* of the present update */
    double weights, steps; /* LAMB: sums of squares */
} al_learner;

typedef struct al_stretch {
    size_t learner, offset, count; /* offset in the arrays */
    double squares[2];
} al_stretch;

typedef struct al_optimizer {
    const al_kernels *kernels;
    al_threads *threads;
    al_trainable *trainable;
    align_train_options options;
    size_t n_learners, n_stretches;
    al_learner *learners;
    al_stretch *stretches;
    float *first, *second; /* moments; those of tensors that do not learn are not there to be read */
    float *average;        /* of all values, and a copy of buffers; NULL: none is kept */
    char *average_buffers;
    int64_t updates;
} al_optimizer;

/*
 * Freeze what does not learn first. trainable, threads (NULL: the caller alone) must outlive the optimizer; of options
 * "the update" is read, which must have been judged.
 */
align_status al_optimizer_new(al_optimizer **out, al_trainable *trainable, const align_train_options *options,
                              al_threads *threads, align_error *err);
void al_optimizer_free(al_optimizer *optimizer); /* NULL is fine */

/* The norm of all gradients together. */
double al_optimizer_gradient_norm(al_optimizer *optimizer);

/* One update with gradients times scale and the learning rate options.lr times factor. The gradients stay. */
void al_optimizer_update(al_optimizer *optimizer, double factor, double scale);

/* Exchanges the trainable's values and buffers for their averages, or back; nothing where no average is kept. */
void al_optimizer_swap_average(al_optimizer *optimizer);

/*
 * Views of everything that the next update depends on besides the trainable and `updates`: "first.NAME", "second.NAME"
 * of every tensor that learns, "average.NAME" of all. They are what is written, and what a resumed run fills again.
 */
align_status al_optimizer_add_to(const al_optimizer *optimizer, align_tensors *tensors, align_error *err);
#endif
