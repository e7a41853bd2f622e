/*
 * attention.c: see attention.h. One item of work is one head of one text; each thread has scratch memory for the packed
 * keys and values and for the scores.
 */
#include "layers/attention.h"

#include "layers/linear.h"
#include "layers/profile.h"

#include <math.h>
#include <string.h>

typedef struct head_scratch {
    float *packed_keys;   /* K as the b of scores = Q K^T: [S, d] packed */
    float *packed_values; /* V as the b of context = P V: [d, S] packed */
    float *scores;        /* [S, S] */
} head_scratch;

typedef struct attention_job {
    const al_run *run;
    const al_attention *attention;
    const al_attention_input *input;
    head_scratch *scratch; /* one a thread */
} attention_job;

/* One head of one text: S tokens, of which the first `queries` ask. */
typedef struct one_text {
    size_t text, tokens, queries;
    const float *q, *key, *value; /* rows of the head, qkv_stride apart */
    size_t qkv_stride;
    float *context; /* rows of the head, context_stride apart */
    size_t context_stride;
} one_text;

/*
 * Relative positions: row l, column r gets sum_d Q[l,d] E[l - r + N - 1, d], and with key_query also
 * sum_d K[r,d] E[l - r + N - 1, d]; both before the division by sqrt(d).
 */
static void add_relative_positions(const al_kernels *k, const al_attention *at, const one_text *o, float *scores)
{
    const size_t d = at->head_size;
    for (size_t l = 0; l < o->queries; l++)
        for (size_t r = 0; r < o->tokens; r++) {
            const float *e = at->distance + (l + at->max_positions - 1 - r) * d;
            scores[l * o->tokens + r] += k->dot(d, o->q + l * o->qkv_stride, e);
            if (at->positions == AL_POSITIONS_KEY_QUERY)
                scores[l * o->tokens + r] += k->dot(d, o->key + r * o->qkv_stride, e);
        }
}

/* Divides by sqrt(d), adds the mask and takes the softmax of every row, then the head's factor. */
static void normalise_scores(const al_kernels *k, const al_attention_input *in, const one_text *o, float divisor,
                             const float *factor, float *scores)
{
    for (size_t l = 0; l < o->queries; l++) {
        float *row = scores + l * o->tokens;
        for (size_t r = 0; r < o->tokens; r++)
            row[r] /= divisor;
        if (in->mask)
            k->add(o->tokens, in->mask + (o->text * in->mask_rows + (in->mask_rows == 1 ? 0 : l)) * in->tokens, row);
        k->softmax(o->tokens, row);
        for (size_t r = 0; factor && r < o->tokens; r++)
            row[r] *= *factor;
    }
}

static one_text find_text(const al_attention *at, const al_attention_input *in, size_t text, size_t head)
{
    const size_t d = at->head_size, width = at->heads * d;
    const size_t begin = in->offsets ? in->offsets[text] - in->offsets[0] : text * in->tokens;
    const size_t tokens = in->offsets ? in->offsets[text + 1] - in->offsets[text] : in->tokens;
    const float *q = in->qkv + begin * 3 * width + head * d;
    return (one_text){.text = text,
                      .tokens = tokens,
                      .queries = in->first_only ? 1 : tokens,
                      .q = q,
                      .key = q + width,
                      .value = q + 2 * width,
                      .qkv_stride = 3 * width,
                      .context = in->context + (in->first_only ? text : begin) * width + head * d,
                      .context_stride = width};
}

static void one_head(const attention_job *job, size_t text, size_t head, const head_scratch *scratch)
{
    const al_attention *at = job->attention;
    const al_attention_input *in = job->input;
    const al_kernels *k = job->run->kernels;
    const one_text o = find_text(at, in, text, head);
    const size_t d = at->head_size;
    float *scores =
        in->probabilities ? in->probabilities + (text * at->heads + head) * o.tokens * o.tokens : scratch->scores;

    al_pack(k, o.key, o.qkv_stride, d, o.tokens, false, scratch->packed_keys);
    const al_gemm query_key = {.m = o.queries,
                               .n = o.tokens,
                               .k = d,
                               .a = {o.q, o.qkv_stride, k->nr},
                               .b = scratch->packed_keys,
                               .act = ALIGN_ACT_LINEAR,
                               .c = scores,
                               .c_row_stride = o.tokens,
                               .c_panel = k->nr};
    k->gemm(&query_key, 0, o.queries, 0, (o.tokens + k->nr - 1) / k->nr);
    if (at->positions != AL_POSITIONS_NONE)
        add_relative_positions(k, at, &o, scores);
    normalise_scores(k, in, &o, sqrtf((float)d), in->head_mask ? in->head_mask + head : NULL, scores);

    al_pack(k, o.value, o.qkv_stride, o.tokens, d, true, scratch->packed_values);
    const al_gemm weighted = {.m = o.queries,
                              .n = d,
                              .k = o.tokens,
                              .a = {scores, o.tokens, k->nr},
                              .b = scratch->packed_values,
                              .act = ALIGN_ACT_LINEAR,
                              .c = o.context,
                              .c_row_stride = o.context_stride,
                              .c_panel = k->nr};
    k->gemm(&weighted, 0, o.queries, 0, (d + k->nr - 1) / k->nr);
}

static void attention_work(void *user, size_t begin, size_t end, int thread)
{
    const attention_job *job = user;
    const size_t heads = job->attention->heads;
    for (size_t i = begin; i < end; i++)
        one_head(job, i / heads, i % heads, &job->scratch[thread]);
}

/* In the profile: the scores, the values and the relative positions, and q, k, v and context. */
static void count_attention(const al_run *run, const al_attention *at, const al_attention_input *in)
{
    const size_t width = at->heads * at->head_size;
    const size_t positions = at->positions == AL_POSITIONS_NONE ? 0 : at->positions == AL_POSITIONS_KEY ? 1 : 2;
    size_t rows = 0, asking = 0, pairs = 0;
    for (size_t b = 0; b < in->batch; b++) {
        const size_t tokens = in->offsets ? in->offsets[b + 1] - in->offsets[b] : in->tokens;
        const size_t queries = in->first_only ? 1 : tokens;
        rows += tokens;
        asking += queries;
        pairs += queries * tokens;
    }
    al_profile_count(run, (2 + positions) * pairs * width, 0, (2 * rows + 2 * asking) * width * sizeof(float));
}

void al_attention_forward(const al_run *run, const al_attention *at, const al_attention_input *in)
{
    const al_kernels *k = run->kernels;
    const size_t mark = al_arena_mark(run->arena), tokens = in->tokens, d = at->head_size;
    const size_t threads = (size_t)al_threads_count(run->threads);
    head_scratch *scratch = al_arena_take(run->arena, threads, sizeof *scratch);
    for (size_t t = 0; t < threads; t++) {
        const head_scratch s = {al_arena_floats(run->arena, al_packed_size(k, d, tokens)),
                                al_arena_floats(run->arena, al_packed_size(k, tokens, d)),
                                al_arena_floats(run->arena, tokens * tokens)};
        if (!run->dry)
            scratch[t] = s;
    }
    if (!run->dry) {
        attention_job job = {run, at, in, scratch};
        count_attention(run, at, in);
        al_threads_run(run->threads, in->batch * at->heads, 1, attention_work, &job);
    }
    al_arena_release(run->arena, mark);
}
