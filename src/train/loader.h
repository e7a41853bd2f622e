#ifndef AL_LOADER_H
#define AL_LOADER_H
/*
 * loader.h: batches of a data set in the order of training, decoded, varied and tokenised ahead of their use.
 *
 *     al_loader_new(&l, dataset, processor, &options, err);
 *     al_loader_seek(l, step);                    // where a run goes on
 *     while (al_loader_next(l, &batch, err) == ALIGN_OK) ...
 *
 * What a batch holds is a function of the data, the options' seed and the number of the step, whatever the number of
 * threads: pairs are shuffled anew each epoch, and what is random about a pair comes from (seed, epoch, pair).
 *
 * Ranks: the batch of a step is one and the same for any number of ranks; each prepares its own stretch of rows.
 *
 * A picture that cannot be read is replaced by one from the next batch, and remembered (al_loader_skipped).
 */
#include <align/dataset.h>

typedef struct al_loader_options {
    size_t batch; /* pairs a step, of all ranks together */
    uint64_t seed;
    bool shuffle;   /* false: the order of the data */
    bool all_texts; /* an epoch has each text once, rather than each picture once with one of its texts */
    bool drop_last; /* leave out the last batch of an epoch where it is smaller */
    int rank, ranks;
    int threads;        /* that prepare ahead; 0: batches are prepared when they are asked for */
    size_t ahead;       /* batches prepared while one is used; 0: as many as a fixed amount of memory allows */
    size_t cache;       /* bytes of decoded pictures to keep in memory; 0: none */
    int64_t max_length; /* tokens a text, [CLS] and [SEP] included; longer ones are cut */
    bool fast_decode;   /* as align_image_options has it; only without random crops */
    align_augmentation augmentation;
} al_loader_options;

/* clang-format off */
#define AL_LOADER_OPTIONS_INIT \
    { 0, 0, true, false, true, 0, 1, 0, 0, 0, 64, false, ALIGN_AUGMENTATION_INIT }
/* clang-format on */

/* This rank's rows of a step. It lives until the next call of the loader. */
typedef struct al_loader_batch {
    uint64_t step, epoch; /* numbers of both, from 0 */
    size_t total;         /* rows of all ranks */
    size_t first, count;  /* this rank's: [first, first + count) */
    int64_t height, width, length;
    const float *pixel_values;     /* [count, 3, height, width] */
    const int64_t *input_ids;      /* [count, length] */
    const int64_t *attention_mask; /* [count, length] */
    const size_t *pairs, *texts;   /* [count]: pictures of the data set, and which of its texts each came with */
} al_loader_batch;

typedef struct al_loader al_loader;

/*
 * dataset and processor must outlive the loader. Errors: INVALID_ARGUMENT (options; a batch larger than the data, with
 * drop_last; a processor that gives pictures no common size), NOT_FOUND (a half of the processor is absent).
 */
align_status al_loader_new(al_loader **out, const align_dataset *dataset, const align_processor *processor,
                           const al_loader_options *options, align_error *err);
void al_loader_free(al_loader *loader);

uint64_t al_loader_steps_per_epoch(const al_loader *loader);

/* The next batch is that of this step. */
void al_loader_seek(al_loader *loader, uint64_t step);

/* Prepares nothing more until the next seek, which has to come before the next batch. */
void al_loader_pause(al_loader *loader);

/* Bytes of all batches that are prepared ahead, and of the cache when it is full. */
size_t al_loader_memory(const al_loader *loader);

/* Blocks until the batch is ready. Fails where no picture can be read at all, or memory is out. */
align_status al_loader_next(al_loader *loader, al_loader_batch *batch, align_error *err);

/* The pictures that could not be read so far, each once. To be looked at between calls; grows meanwhile. */
size_t al_loader_skipped(al_loader *loader);

/* Reason i of the first ALIGN_DATASET_REASONS; false: there is no such. */
bool al_loader_skip_reason(al_loader *loader, size_t i, const char **where, const char **reason);
#endif
