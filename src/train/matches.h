#ifndef AL_MATCHES_H
#define AL_MATCHES_H
/*
 * matches.h: which texts of a batch are true of pictures other than their own.
 *
 * A picture's texts are known: where one of them is, word for word, the text that another pair of the batch came with,
 * the two are no wrong pair, and the loss should not push them apart (model/contrast.h).
 */
#include <align/dataset.h>

typedef struct al_matches {
    const align_dataset *dataset;
    uint64_t *texts;             /* bits [pairs, words]: whether text i is true of picture j too */
    uint64_t *images;            /* bits [pairs, words]: whether picture i has text j */
    struct al_match_text *order; /* [pairs]: the batch's texts, sorted */
} al_matches;

/* For batches of at most total pairs. The data set must outlive it. */
align_status al_matches_init(al_matches *matches, const align_dataset *dataset, size_t total, align_error *err);
void al_matches_done(al_matches *matches);

/* Fills the bits for count <= total rows: row i is picture pairs[i] with its text number texts[i]. Rows keep the words
 * that count rows have. */
void al_matches_find(al_matches *matches, size_t count, const size_t *pairs, const size_t *texts);
#endif
