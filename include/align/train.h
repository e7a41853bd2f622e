#ifndef ALIGN_TRAIN_H
#define ALIGN_TRAIN_H
/*
 * train.h: making ALIGN models: the contrastive recipe of the paper (section 4), from scratch or from a checkpoint.
 *
 *     align_train_options options = ALIGN_TRAIN_OPTIONS_INIT;
 *     options.epochs = 3;  options.batch = 64;  options.output = "out";
 *     align_dataset_open(&pairs, "pairs.tsv", NULL, &err);
 *     align_train(model, processor, pairs, NULL, &options, NULL, &result, &err);
 *
 * Every step draws `batch` pairs, and the loss compares all its pictures with all its texts. A run leaves in `output` a
 * model folder that from_pretrained reads (this library's and the reference's), `best` beside it where pairs to
 * validate with were given, and `checkpoint-STEP` folders from which the run can go on as if it had never stopped: to
 * the same bits, on any number of threads.
 */
#include <align/dataset.h>
#include <align/error.h>
#include <align/model.h>
#include <align/processor.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- with whom ---- */

/*
 * The processes of an MPI job, started by mpirun or srun, that train one model. Each takes a part of every batch, and
 * the loss compares the pictures of all with the texts of all: that of one process with the whole batch. NULL is a
 * process alone, for every function here.
 */
typedef struct align_ranks align_ranks;

/*
 * Waits for all processes of the job. Once a process; nothing else may be done with ranks meanwhile, and all of it on
 * one thread. Starts MPI if the caller has not. UNSUPPORTED where the library was built without MPI.
 *
 * From then on MPI watches over the processes: where one dies, or its network fails, it ends all of them.
 */
ALIGN_API align_status align_ranks_join(align_ranks **out, align_error *err);

/* All processes leave together; MPI ends if it was started here. */
ALIGN_API void align_ranks_leave(align_ranks *ranks);

ALIGN_API int align_ranks_rank(const align_ranks *ranks); /* 0 .. count - 1 */
ALIGN_API int align_ranks_count(const align_ranks *ranks);

/*
 * Makes one's failure everybody's, so that nobody waits for those who gave up: all processes call it with what they
 * have come to, and all get the status and the message of the first that failed, or ALIGN_OK. err as it was filled.
 */
ALIGN_API align_status align_ranks_agree(const align_ranks *ranks, align_status status, align_error *err);

/* ---- how to learn ---- */

typedef enum align_optimizer {
    ALIGN_OPTIMIZER_ADAMW, /* Loshchilov and Hutter, arXiv 1711.05101: torch.optim.AdamW's numbers */
    ALIGN_OPTIMIZER_LAMB /* You et al., arXiv 1904.00962 (v5), algorithm 2: the paper's. Moments are corrected for their
                          * start at zero; tensors without weight decay take Adam's step, with no trust ratio */
} align_optimizer;

/* How the learning rate goes after the warm-up, until the last step. */
typedef enum align_schedule {
    ALIGN_SCHEDULE_LINEAR, /* down to zero on a line: the paper's */
    ALIGN_SCHEDULE_COSINE, /* down to zero on half a wave */
    ALIGN_SCHEDULE_CONSTANT
} align_schedule;

typedef struct align_train_options {
    /* how long */
    int64_t epochs;     /* passes over the pairs; only counted where steps is 0. Default 1 */
    int64_t steps;      /* updates of the weights; 0: what epochs come to */
    int64_t batch;      /* pairs that the loss compares with each other. Default 64 */
    int64_t slice;      /* pairs whose activations exist at once: memory for a second forward pass; 0: all of a batch */
    int64_t accumulate; /* batches whose gradients are averaged into an update. Default 1 */
    uint64_t seed;      /* of the order of pairs, augmentation and dropout */

    /* the pairs */
    int64_t max_length; /* tokens a text, longer ones are cut; 0: 64, or as many as the model takes */
    bool known_matches; /* a picture and another pair's text that it has too, word for word, are left out of each
                         * other's part of the loss: they are no wrong pair */
    bool all_texts;     /* an epoch has every text once; or else every picture once, with one of its texts */
    bool fast_decode;   /* as align_image_options has it; only without random crops */
    int64_t cache;      /* bytes of decoded pictures to keep in memory; 0: none */
    align_augmentation augmentation;

    /* the update */
    align_optimizer optimizer; /* AdamW */
    double lr;                 /* the learning rate after warm-up. Default 1e-3, the paper's */
    double text_lr, vision_lr; /* that of a tower, instead of lr; 0: lr. Temperature and text_projection: lr */
    align_schedule schedule;   /* linear */
    int64_t warmup;            /* steps in which the rate rises from 0 on a line */
    double beta1, beta2, epsilon;
    double weight_decay; /* decoupled, times the rate. Default 1e-5, the paper's; biases, norms and temperature: none */
    double trust_most;   /* LAMB: the largest trust ratio; 0: no bound */
    double clip;         /* the largest norm of all gradients together: longer ones are scaled to it; 0: no bound */
    double ema;          /* decay of a moving average of the weights, which then are what is validated and left as the
                          * result: 0.999; 0: none */
    double temperature_least, temperature_most; /* the temperature is held between. Defaults 1e-3 and 100 */

    /*
     * What does not learn: parts separated by commas. A part is text, vision, text_projection or temperature;
     * text.embeddings, text.layers.N, text.layers.A-B, text.pooler; vision.stem, vision.blocks.N or
     * vision.blocks.A-B, counted from 0 as in the checkpoint. NULL: everything learns.
     */
    const char *freeze;

    /* the passes */
    align_precision precision; /* of matrix products: f32 (default) or bf16; weights, moments and sums stay f32 */
    bool no_dropout;           /* dropout, attention dropout and drop connect off, whatever the config's rates */
    bool freeze_batch_norm;    /* batch norm by the running statistics, which stay as they are; as it is anyway where
                                * the whole vision tower is frozen */
    align_ranks *ranks;        /* the processes that share every batch; NULL: this one alone */
    bool sync_batch_norm;      /* with ranks: batch norm by the statistics of all ranks' pictures, not of one's own */
    int threads;               /* 0: one a core. The result does not depend on it */
    int loader_threads;        /* that read and prepare pictures ahead; 0: it is done between steps. Nor on this */
    int64_t memory; /* bytes that training may use: the model it begins from (as f32), weights, average, gradients,
                     * moments, pictures read ahead and in the cache, sums on their way between ranks; what is left
                     * keeps activations, and the others are computed twice. A validation has the activations' room for
                     * the model it makes. 0: keep all */

    /* what it leaves */
    const char *output;     /* folder for everything; made if absent */
    const char *log;        /* a JSON object a line, one a step; NULL: none */
    const char *plot;       /* the loss as a curve, an SVG file, drawn anew at every checkpoint; NULL: none */
    bool events;            /* output/events.out.tfevents.*: the same numbers for TensorBoard */
    int64_t save_every;     /* steps between checkpoints; 0: an epoch */
    int64_t validate_every; /* steps between validations; 0: an epoch */
    int64_t keep;           /* checkpoints kept, the last ones. Default 2 */
    bool resume;            /* go on from the last checkpoint in output, if there is one */
} align_train_options;

/* clang-format off */
#define ALIGN_TRAIN_OPTIONS_INIT { 1, 0, 64, 0, 1, 0, \
    0, false, false, false, 0, ALIGN_AUGMENTATION_INIT, \
    ALIGN_OPTIMIZER_ADAMW, 1e-3, 0.0, 0.0, ALIGN_SCHEDULE_LINEAR, 0, 0.9, 0.999, 1e-8, 1e-5, 0.0, 0.0, 0.0, 1e-3, 100.0, \
    NULL, \
    ALIGN_PRECISION_F32, false, false, NULL, false, 0, 1, 0, \
    NULL, NULL, NULL, false, 0, 0, 2, false }
/* clang-format on */

/* Whether every option is in its range: INVALID_ARGUMENT with a message that begins with the field's name and a colon.
 * align_train asks it first. */
ALIGN_API align_status align_train_options_check(const align_train_options *options, align_error *err);

/* ---- watching it ---- */

/* Of the validation pairs: the share of texts whose picture, and of pictures one of whose texts, is among the nearest
 * 1, 5 and 10. */
typedef struct align_recall {
    double text_to_image[3], image_to_text[3];
} align_recall;

/* The mean of the six: what the best checkpoint is chosen by. */
ALIGN_API double align_recall_mean(const align_recall *recall);

/* After a step. */
typedef struct align_train_progress {
    int64_t step, steps; /* steps done, of all */
    double epoch;        /* passes over the pairs, and the part of the next */
    double loss;         /* of this step's batches */
    double rate;         /* the learning rate it was taken with */
    double gradient;     /* norm of all gradients together, before it was clipped */
    double temperature;
    double seconds;                 /* this step took, reading and checkpoints included */
    int64_t pairs;                  /* in this step */
    int64_t skipped;                /* pictures that could not be read, so far */
    const align_recall *validation; /* NULL where there was none after this step */
} align_train_progress;

typedef struct align_train_callbacks {
    void *user;
    /* After every step, on the thread that called align_train. False: write a checkpoint and stop. */
    bool (*step)(void *user, const align_train_progress *progress);
    /* Something that the run survives, in words. */
    void (*warning)(void *user, const char *message);
} align_train_callbacks;

typedef struct align_train_result {
    int64_t step, steps;
    bool stopped; /* by a callback, before the last step: output has a checkpoint and no model yet */
    double loss;  /* of the last step */
    bool validated;
    align_recall best; /* where validated */
    int64_t best_step;
} align_train_result;

/*
 * Trains a copy of the model, which stays as it is. The processor has both halves, and its files are written beside the
 * weights. validation, callbacks and result may be NULL.
 *
 * Errors: INVALID_ARGUMENT for an option out of range (naming it), for fewer than two pairs in a batch and a part of
 * `freeze` that the model lacks; MISMATCH for a resume whose options, model or pairs are not those of the checkpoint
 * (naming the key), or an output that holds checkpoints where none is to be resumed; DIVERGED for a loss or gradient
 * that is not finite (naming the step), which leaves the last checkpoint; IO where the disk is full: what was there
 * before stays whole.
 *
 * With ranks all of them call it with the same arguments and get the same status; where the options differ: MISMATCH.
 * The first one alone reads and writes output, log, plot and events; each needs the pairs, and those of the validation,
 * which is shared out. Weights begin as the first one's. A batch has at least one pair a rank; with sync_batch_norm all
 * ranks have as many slices. The number of ranks may change when a run resumes.
 */
ALIGN_API align_status align_train(const align_model *model, const align_processor *processor,
                                   const align_dataset *pairs, const align_dataset *validation,
                                   const align_train_options *options, const align_train_callbacks *callbacks,
                                   align_train_result *result, align_error *err);

#ifdef __cplusplus
}
#endif
#endif
