#ifndef AL_TRAINING_H
#define AL_TRAINING_H
/*
 * training.h: what a tower's training pass is told besides its input.
 *
 * The gradients of a pass are added to what is there already: whoever wants those of one batch alone clears them first,
 * and gradients accumulate over slices and batches by running passes one after the other.
 */
#include "layers/collective.h"
#include "layers/dense.h"
#include "layers/run.h"
#include "model/params.h"

/* Who is told on the way back how far gradients are: those of this slot, and of all slots of its tower that come after
 * it in a state_dict, will not change any more. */
typedef struct al_gradient_watch {
    void *user;
    void (*whole)(void *user, const align_tensor *from);
} al_gradient_watch;

typedef struct al_training {
    const align_config *config;
    const al_model_params *weights; /* F32, row-major as in a checkpoint; num_batches_tracked I64 */

    /* The same slots. One with data NULL is frozen: its gradient is not computed. Also: where gradients go is written
     * through data, although an align_tensor promises not to. See al_tensor_floats. */
    const al_model_params *gradients;

    align_precision precision; /* of matrix products: F32 or BF16 */
    bool dropout;              /* dropout, attention dropout and drop connect with the config's rates */
    uint64_t key;              /* of the random numbers of this step and slice; each place mixes in its own number */
    bool batch_statistics;  /* batch norm by the batch; or else by the running statistics, which are constants then */
    bool update_statistics; /* move the running statistics; off where a forward pass is repeated */
    size_t keep;            /* bytes of activations a tower may keep for its backward pass; those of layers beyond it
                             * are computed again */
    const al_gradient_watch *watch; /* NULL: nobody, because others will add to the gradients */
    const al_collective *sync;      /* batch statistics are those of all ranks' pictures; NULL: of one's own */
} al_training;

/* Tells the watch, if there is one. */
static inline void al_training_tell(const al_run *run, const al_training *how, const align_tensor *from)
{
    if (how->watch && !run->dry)
        how->watch->whole(how->watch->user, from);
}

/* A layer of weight [out, in, ...] and bias [out] (NULL: none) with where their gradients go. */
al_dense al_training_dense(const align_tensor *weight, const align_tensor *bias, const align_tensor *weight_gradient,
                           const align_tensor *bias_gradient, align_precision precision);
#endif
