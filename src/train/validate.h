#ifndef AL_VALIDATE_H
#define AL_VALIDATE_H
/*
 * validate.h: how well a model finds pictures by their texts and texts by their pictures.
 */
#include "base/threads.h"
#include "layers/collective.h"

#include <align/train.h>

/*
 * Recall at 1, 5 and 10 both ways, of embeddings of unit length: texts [n_texts, width], of which text t belongs to
 * picture picture_of[t], and pictures [n_pictures, width]. Where several are as near as the right one, those that come
 * earlier in the data are nearer. A picture without texts is only there to be confused with.
 */
typedef struct al_retrieval {
    size_t n_texts, n_pictures, width;
    const float *texts, *pictures;
    const size_t *picture_of;
} al_retrieval;
align_status al_recall(align_recall *out, const al_retrieval *retrieval, al_threads *threads, align_error *err);

/* A data set whose embeddings are computed again and again. */
typedef struct al_validator al_validator;

typedef struct al_validator_options {
    int64_t max_length; /* tokens a text */
    int threads, loader_threads;
    const al_collective *ranks; /* that share the work: each embeds its part of the pairs; NULL: alone */
} al_validator_options;

/* dataset and processor must outlive it. */
align_status al_validator_new(al_validator **out, const align_dataset *dataset, const align_processor *processor,
                              const al_validator_options *options, align_error *err);
void al_validator_free(al_validator *validator); /* NULL is fine */

/* Bytes that it keeps between two runs: pictures read ahead. */
size_t al_validator_memory(const al_validator *validator);

/*
 * Pictures that cannot be read are left out, with their texts. All ranks call it, with the same model; only the first
 * one is given the result. What fails while embeddings are made fails on all.
 */
align_status al_validator_run(al_validator *validator, const align_model *model, align_recall *out, align_error *err);
#endif
