#ifndef AL_ATTENTION_H
#define AL_ATTENTION_H
/*
 * attention.h: softmax(Q K^T / sqrt(d) + mask) V, head by head, with BERT's relative positions.
 *
 * B texts, S tokens, A heads, d the head size, N max_position_embeddings. q, k and v are columns of one matrix [B*S,
 * 3*A*d].
 */
#include "layers/run.h"

#include <align/tensor.h>

typedef enum al_positions { AL_POSITIONS_NONE, AL_POSITIONS_KEY, AL_POSITIONS_KEY_QUERY } al_positions;

typedef struct al_attention {
    size_t heads, head_size;
    al_positions positions;
    const float *distance; /* [2N - 1, d]: E; NULL without relative positions */
    size_t max_positions;  /* N */
} al_attention;

typedef struct al_attention_input {
    size_t batch, tokens;
    const float *qkv;       /* [B*S, 3*A*d]: q of every head, then k, then v */
    const float *mask;      /* added to the scores: [B, mask_rows, S]; NULL: nothing */
    size_t mask_rows;       /* 1: the same for every query; S: one row a query */
    const float *head_mask; /* [A]: factors of the probabilities; NULL: ones */
    float *probabilities;   /* [B, A, S, S] after head_mask, if asked for; NULL: not kept */
    float *context;         /* out: [B*S, A*d] */
} al_attention_input;

/* Takes its scratch memory from the arena and gives it back. */
void al_attention_forward(const al_run *run, const al_attention *attention, const al_attention_input *input);
#endif
