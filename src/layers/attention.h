#ifndef AL_ATTENTION_H
#define AL_ATTENTION_H
/*
 * attention.h: softmax(Q K^T / sqrt(d) + mask) V, head by head, with BERT's relative positions, and its gradients.
 *
 * B texts, S tokens, A heads, d the head size, N max_position_embeddings. q, k and v are columns of one matrix [B*S,
 * 3*A*d], of f32 or, where al_attention_reads_bf16, of numbers rounded to bf16: then the probabilities are rounded
 * before they meet v, too; scores, softmax and sums are f32 in either case.
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

/*
 * Texts of one length lie [B, S]; of many lengths, one after the other without padding. With first_only, only the first
 * token of each text asks (all of them answer), and context has one row a text.
 */
typedef struct al_attention_input {
    size_t batch;
    size_t tokens;         /* S, or the longest text's */
    const size_t *offsets; /* [B + 1]: text b is rows offsets[b] .. offsets[b + 1] - 1, counted from offsets[0]; NULL: S
                              rows each */
    bool first_only;
    const float *qkv;         /* [rows, 3*A*d]: q of every head, then k, then v */
    const uint16_t *qkv_bf16; /* the same in bf16, in place of qkv, if not NULL; only forward */
    const float *mask;        /* added to the scores: [B, mask_rows, S]; NULL: nothing, as it must be with offsets */
    size_t mask_rows;         /* 1: the same for every query; S: one row a query */
    float dropout;            /* rate of probabilities that are dropped (dropout.h), by key */
    uint64_t key;
    const float *head_mask; /* [A]: factors of the probabilities; NULL: ones */
    float *probabilities;   /* [B, A, S, S] after head_mask, if asked for; NULL: not kept */
    float *context;         /* out: [rows, A*d] */
    uint16_t *context_bf16; /* out, in place of context where qkv_bf16 is given: rounded, rows context_stride apart */
    size_t context_stride;
} al_attention_input;

/* Whether qkv_bf16 may be given. */
bool al_attention_reads_bf16(const al_kernels *kernels, const al_attention *attention);

/* Takes its scratch memory from the arena and gives it back. */
void al_attention_forward(const al_run *run, const al_attention *attention, const al_attention_input *input);

/* Gradients, of the loss to what the name says. */
typedef struct al_attention_gradients {
    const float *context; /* [rows, A*d] */
    float *qkv;           /* out: [rows, 3*A*d], whole, with first_only too */
    float *distance;      /* [2N - 1, d], added to; NULL: not wanted */
} al_attention_gradients;

/* From the same input, whose probabilities and context are not read: probabilities are computed again. */
void al_attention_backward(const al_run *run, const al_attention *attention, const al_attention_input *input,
                           const al_attention_gradients *gradients);
#endif
