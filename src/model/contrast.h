#ifndef AL_CONTRAST_H
#define AL_CONTRAST_H
/*
 * contrast.h: the loss of a batch of pairs by their embeddings, and its gradient.
 *
 * n pairs are here, of N on all ranks together; alone, n = N. The N*N logits never exist at once.
 */
#include "layers/run.h"
#include "model/training.h"

typedef struct al_contrast {
    size_t pairs, width;         /* n, P */
    size_t first, total;         /* these pairs are first .. first + n - 1 of N */
    const float *texts, *images; /* [n, P] embeddings */
    float temperature;           /* what logits are divided by */
    double scale;                /* of the gradients */

    /* Bits [n, al_match_words(N)]: in row i, whether text first + i is true of picture j too, and whether picture
     * first + i has text j too. Such a text and picture are neither right nor wrong for each other: they stay out of
     * each other's softmax and mean. What a pair says of itself is not looked at. NULL: there are none. */
    const uint64_t *text_matches, *image_matches;

    const al_collective *ranks; /* NULL: alone */
    float *text_gradient;       /* out [n, P], or NULL: not wanted */
    float *image_gradient;      /* out [n, P], or NULL */
    double loss,
        temperature_gradient; /* out: of the whole batch; this rank's share, of which the sum over ranks is it */
} al_contrast;

/* Words of a row of bits for N pairs. */
size_t al_match_words(size_t total);

/* Fills what is marked out. The gradient of an embedding is that of the loss of all pairs. */
void al_contrast_run(const al_run *run, al_contrast *contrast);

/* All logits, for those who want to see them: per_text [texts, images], and its transpose per_image (align.c). */
void al_similarity_forward(const al_run *run, float temperature, size_t texts, size_t images, size_t width,
                           const float *text_embeds, const float *image_embeds, float *per_text, float *per_image);

/* The share of the target that all answers get alike, in this loss and in align_model_forward's. */
#define AL_LABEL_SMOOTHING 0.1
#endif
