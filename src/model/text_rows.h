#ifndef AL_TEXT_ROWS_H
#define AL_TEXT_ROWS_H
/*
 * text_rows.h: what becomes of a text pass's inputs before the first layer: which tokens are computed, what is looked
 * up for them, what hides them. Shared by the tower of inference (text.c) and that of training (text_train.c).
 */
#include "layers/attention.h"
#include "model/text.h"

/*
 * The tokens that are computed: all B*S of them; or, where only the first tokens' states are asked for, those that are
 * not masked. A masked key weighs exactly nothing, so leaving it out changes no result.
 */
typedef struct al_text_rows {
    size_t n;
    const size_t *offsets; /* [B + 1]: text b is rows offsets[b] .. offsets[b + 1] - 1; NULL: S rows each */
    const size_t *source;  /* [n]: row i is token source[i] of the B*S; NULL: i itself */
} al_text_rows;

/*
 * Only a plain mask of zeros and ones that shows the first token leaves tokens out, and only where they may be: a
 * fraction, a hidden first token (perhaps a whole hidden text: a uniform softmax), a causal mask and relative positions
 * are computed as they stand.
 */
al_text_rows al_text_rows_to_compute(const al_run *run, const al_text_pass *pass, bool may_leave_out);

/* Integers of a tensor that has [B, S], [1, S] or [S] of them, or none: then the column's number times step. */
const int64_t *al_text_integers(const al_run *run, const al_text_pass *pass, const al_text_rows *rows,
                                const align_tensor *tensor, int64_t step);

/* y [n, H] = word (or the pass's own embeddings) + token type + position. */
typedef struct al_text_tables {
    const align_tensor *word, *token_type; /* [V, H], [T, H] */
    const align_tensor *position;          /* [N, H]; NULL: positions are not absolute */
} al_text_tables;
void al_text_embed(const al_run *run, const al_text_tables *tables, const al_text_pass *pass, const al_text_rows *rows,
                   float *y);

/*
 * What is added to the scores: (1 - m) times the lowest float, [B, rows, S] with rows 1, or S where each query has a
 * mask of its own: a 3-D mask, taken as it is, or a decoder's causal one times the 2-D mask. NULL when nothing is
 * masked.
 */
const float *al_text_mask_scores(const al_run *run, const al_text_pass *pass, bool is_decoder, size_t *rows);

/* The head mask as floats, as many as it has; NULL where there is none. */
const float *al_text_head_factors(const al_run *run, const al_text_pass *pass);

/* Of these, those of a layer, which has so many heads. */
const float *al_text_layer_factors(const al_text_pass *pass, const float *factors, size_t layer, size_t heads);

/* The row that is the first of a text. */
size_t al_text_first_row(const al_attention_input *in, size_t text);

/* out [B, H]: those rows of x [n, H]. */
void al_text_first_rows(const al_run *run, const al_attention_input *in, size_t hidden_size, const float *x,
                        float *out);

al_positions al_text_positions(const align_text_config *config);
bool al_text_has_absolute_positions(const align_text_config *config);
#endif
