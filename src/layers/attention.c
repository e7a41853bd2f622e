/*
 * attention.c: see attention.h. One item of work is one head of one text; each thread has scratch memory for packed
 * keys and values and for scores.
 */
#include "layers/attention.h"

#include "base/random.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/profile.h"

#include <math.h>
#include <string.h>

typedef struct head_scratch {
    void *packed;  /* K as the b of scores = Q K^T, then V as that of context = P V, and others like them */
    char *operand; /* bf16 only: Q, then P, as rows for the product */
    float *scores; /* [S, S] */
    float *weights, *gradient, *upright; /* [S, S] each, backward only */
} head_scratch;

typedef struct attention_job {
    const al_run *run;
    const al_attention *attention;
    const al_attention_input *input;
    const al_attention_gradients *gradients; /* backward only */
    size_t first_text;                       /* of those that are worked on */
    head_scratch *scratch;                   /* one a thread */
    float
        *distance_sums; /* [texts, A, 2 S - 1, d]: what each head adds to the gradient of distance; NULL: not wanted */
} attention_job;

/* One head of one text: S tokens, of which the first `queries` ask. */
typedef struct one_text {
    size_t text, head, tokens, queries;
    size_t row, asking_row;       /* of its first token: in qkv, and in context */
    const float *q, *key, *value; /* rows of the head, qkv_stride apart; not where these are bf16 */
    size_t qkv_stride;
} one_text;

static one_text find_text(const al_attention *at, const al_attention_input *in, size_t text, size_t head)
{
    const size_t d = at->head_size, width = at->heads * d;
    const size_t begin = in->offsets ? in->offsets[text] - in->offsets[0] : text * in->tokens;
    const size_t tokens = in->offsets ? in->offsets[text + 1] - in->offsets[text] : in->tokens;
    one_text o = {.text = text,
                  .head = head,
                  .tokens = tokens,
                  .queries = in->first_only ? 1 : tokens,
                  .row = begin,
                  .asking_row = in->first_only ? text : begin,
                  .qkv_stride = 3 * width};
    if (in->qkv) {
        o.q = in->qkv + begin * o.qkv_stride + head * d;
        o.key = o.q + width;
        o.value = o.key + width;
    }
    return o;
}

/* A small product by the thread that wants it: c [m, n] = a b, b packed. */
static void multiply(const al_kernels *k, size_t m, size_t n, size_t depth, al_matrix a, const float *b, float *c,
                     size_t c_stride)
{
    const al_gemm g = {.m = m,
                       .n = n,
                       .k = depth,
                       .a = a,
                       .b = b,
                       .act = ALIGN_ACT_LINEAR,
                       .c = c,
                       .c_row_stride = c_stride,
                       .c_panel = k->nr};
    k->gemm(&g, 0, m, 0, (n + k->nr - 1) / k->nr);
}

static al_matrix rows_of(const al_kernels *k, const float *x, size_t stride)
{
    return (al_matrix){x, stride, k->nr};
}

/* Row of E for query l and key r. */
static size_t distance_row(const al_attention *at, size_t l, size_t r)
{
    return l + at->max_positions - 1 - r;
}

/*
 * Relative positions: row l, column r gets sum_d Q[l,d] E[l - r + N - 1, d], and with key_query also
 * sum_d K[r,d] E[l - r + N - 1, d]; both before the division by sqrt(d).
 */
static void add_relative_positions(const al_kernels *k, const al_attention *at, const one_text *o, float *scores)
{
    const size_t d = at->head_size;
    for (size_t l = 0; l < o->queries; l++)
        for (size_t r = 0; r < o->tokens; r++) {
            const float *e = at->distance + distance_row(at, l, r) * d;
            scores[l * o->tokens + r] += k->dot(d, o->q + l * o->qkv_stride, e);
            if (at->positions == AL_POSITIONS_KEY_QUERY)
                scores[l * o->tokens + r] += k->dot(d, o->key + r * o->qkv_stride, e);
        }
}

/* ---- in bf16 ---- */

/* The product of the kernels that is used. */
static const al_product *bf16_product(const al_kernels *k)
{
    return k->products[ALIGN_PRECISION_BF16];
}

/* Relative positions are products of f32 numbers. */
bool al_attention_reads_bf16(const al_kernels *k, const al_attention *at)
{
    const al_product *product = bf16_product(k);
    return at->positions == AL_POSITIONS_NONE && product && product->bf16_rows && product->takes_bf16;
}

/* Row of a head's queries (part 0), keys (1) or values (2) where these are bf16. */
static const uint16_t *rounded_rows(const attention_job *job, const one_text *o, size_t part)
{
    const al_attention *at = job->attention;
    return job->input->qkv_bf16 + o->row * o->qkv_stride + (part * at->heads + o->head) * at->head_size;
}

/* scores = Q K^T */
static void multiply_rounded_keys(const attention_job *job, const one_text *o, const head_scratch *scratch,
                                  float *scores)
{
    const al_kernels *k = job->run->kernels;
    const size_t d = job->attention->head_size, row_bytes = bf16_product(k)->operand_row(d);
    const uint16_t *q = rounded_rows(job, o, 0);
    al_pack_bf16(k, rounded_rows(job, o, 1), o->qkv_stride, d, o->tokens, false, scratch->packed);
    for (size_t l = 0; l < o->queries; l++) {
        char *row = scratch->operand + l * row_bytes;
        memcpy(row, q + l * o->qkv_stride, d * sizeof *q);
        memset(row + d * sizeof *q, 0, row_bytes - d * sizeof *q);
    }
    const al_gemm g = {.m = o->queries,
                       .n = o->tokens,
                       .k = d,
                       .operand = scratch->operand,
                       .b = scratch->packed,
                       .act = ALIGN_ACT_LINEAR,
                       .c = scores,
                       .c_row_stride = o->tokens,
                       .c_panel = k->nr};
    bf16_product(k)->gemm(&g, 0, g.m, 0, (g.n + k->nr - 1) / k->nr);
}

/* context = P V */
static void multiply_rounded_values(const attention_job *job, const one_text *o, const head_scratch *scratch,
                                    const float *weights)
{
    const al_kernels *k = job->run->kernels;
    const al_attention_input *in = job->input;
    const size_t d = job->attention->head_size;
    const al_operand p = {.k = o->tokens, .x = rows_of(k, weights, o->tokens), .rows = scratch->operand};
    al_pack_bf16(k, rounded_rows(job, o, 2), o->qkv_stride, o->tokens, d, true, scratch->packed);
    bf16_product(k)->prepare(&p, 0, o->queries);
    const al_gemm g = {.m = o->queries,
                       .n = d,
                       .k = o->tokens,
                       .operand = scratch->operand,
                       .b = scratch->packed,
                       .act = ALIGN_ACT_LINEAR,
                       .c_bf16 = in->context_bf16 + o->asking_row * in->context_stride + o->head * d,
                       .c_row_stride = in->context_stride};
    bf16_product(k)->gemm(&g, 0, g.m, 0, (g.n + k->nr - 1) / k->nr);
}

/* ---- forward ---- */

/* scores [queries, tokens] = softmax(Q K^T / sqrt(d) + mask) */
static void find_probabilities(const attention_job *job, const one_text *o, const head_scratch *scratch, float *scores)
{
    const al_attention *at = job->attention;
    const al_attention_input *in = job->input;
    const al_kernels *k = job->run->kernels;
    const size_t d = at->head_size;
    if (in->qkv_bf16) {
        multiply_rounded_keys(job, o, scratch, scores);
    } else {
        al_pack(k, o->key, o->qkv_stride, d, o->tokens, false, scratch->packed);
        multiply(k, o->queries, o->tokens, d, rows_of(k, o->q, o->qkv_stride), scratch->packed, scores, o->tokens);
    }
    if (at->positions != AL_POSITIONS_NONE)
        add_relative_positions(k, at, o, scores);
    for (size_t l = 0; l < o->queries; l++) {
        const size_t mask_row = o->text * in->mask_rows + (in->mask_rows == 1 ? 0 : l);
        const float *mask = in->mask ? in->mask + mask_row * in->tokens : NULL;
        k->softmax(o->tokens, 1.0f / sqrtf((float)d), mask, scores + l * o->tokens);
    }
}

/* Probabilities become the weights of the values, and gradients of weights those of probabilities: some are dropped,
 * and all are multiplied by the head's factor. */
static void weigh(const attention_job *job, const one_text *o, float *x)
{
    const al_attention_input *in = job->input;
    const size_t n = o->queries * o->tokens;
    if (in->dropout > 0.0f)
        al_dropout_some(job->run->kernels, in->dropout,
                        al_random_key(in->key, o->text * job->attention->heads + o->head), 0, n, x, x);
    for (size_t i = 0; in->head_mask && i < n; i++)
        x[i] *= in->head_mask[o->head];
}

static void one_head(const attention_job *job, size_t text, size_t head, const head_scratch *scratch)
{
    const al_attention *at = job->attention;
    const al_attention_input *in = job->input;
    const al_kernels *k = job->run->kernels;
    const one_text o = find_text(at, in, text, head);
    const size_t d = at->head_size, width = at->heads * d;
    float *scores =
        in->probabilities ? in->probabilities + (text * at->heads + head) * o.tokens * o.tokens : scratch->scores;
    find_probabilities(job, &o, scratch, scores);
    weigh(job, &o, scores);
    if (in->qkv_bf16) {
        multiply_rounded_values(job, &o, scratch, scores);
        return;
    }
    al_pack(k, o.value, o.qkv_stride, o.tokens, d, true, scratch->packed);
    multiply(k, o.queries, d, o.tokens, rows_of(k, scores, o.tokens), scratch->packed,
             in->context + o.asking_row * width + head * d, width);
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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Takes packed and operand, whichever form the numbers have. */
static void take_operands(const al_run *run, const al_attention *at, const al_attention_input *in, head_scratch *s)
{
    const al_kernels *k = run->kernels;
    const size_t d = at->head_size, tokens = in->tokens;
    if (!in->qkv_bf16) {
        s->packed = al_arena_floats(run->arena, larger(al_packed_size(k, d, tokens), al_packed_size(k, tokens, d)));
        return;
    }
    const size_t packed = larger(al_packed_bf16_size(k, d, tokens), al_packed_bf16_size(k, tokens, d));
    const size_t q_row = bf16_product(k)->operand_row(d), p_row = bf16_product(k)->operand_row(tokens);
    s->packed = al_arena_take(run->arena, packed, sizeof(uint16_t));
    s->operand = al_arena_take(run->arena, tokens, larger(q_row, p_row));
}

/* For each thread. */
static head_scratch *take_scratch(const al_run *run, const al_attention *at, const al_attention_input *in,
                                  bool backward)
{
    const size_t threads = (size_t)al_threads_count(run->threads), square = in->tokens * in->tokens;
    head_scratch *scratch = al_arena_take(run->arena, threads, sizeof *scratch);
    for (size_t t = 0; t < threads; t++) {
        head_scratch s = {.scores = al_arena_floats(run->arena, square)};
        take_operands(run, at, in, &s);
        if (backward) {
            s.weights = al_arena_floats(run->arena, square);
            s.gradient = al_arena_floats(run->arena, square);
            s.upright = al_arena_floats(run->arena, square);
        }
        if (!run->dry)
            scratch[t] = s;
    }
    return scratch;
}

void al_attention_forward(const al_run *run, const al_attention *at, const al_attention_input *in)
{
    const size_t mark = al_arena_mark(run->arena);
    attention_job job = {.run = run, .attention = at, .input = in};
    job.scratch = take_scratch(run, at, in, false);
    if (!run->dry) {
        count_attention(run, at, in);
        al_threads_run(run->threads, in->batch * at->heads, 1, attention_work, &job);
    }
    al_arena_release(run->arena, mark);
}

/* ---- backward ---- */

/*
 * With P the probabilities, W the weights made of them and C = W V:
 *
 *     dV = W^T dC,  dW = dC V^T, from which dP by weighing,  dS = P (dP - sum P dP) / sqrt(d)
 *     dQ = dS K,  dK = dS^T Q,  and by relative positions  dQ[l] += sum_r dS[l,r] E[l - r + N - 1], ...
 */

/* From dS [queries, tokens] to dQ and dK, which hold what the products gave, and to the sums of this head. */
static void relative_positions_backward(const attention_job *job, const one_text *o, const float *ds, float *dq)
{
    const al_attention *at = job->attention;
    const al_kernels *k = job->run->kernels;
    const size_t d = at->head_size, longest = job->input->tokens, span = (2 * longest - 1) * d;
    float *dkey = dq + at->heads * d, *sums = NULL;
    if (job->distance_sums) {
        sums = job->distance_sums + ((o->text - job->first_text) * at->heads + o->head) * span;
        memset(sums, 0, span * sizeof *sums);
    }
    for (size_t l = 0; l < o->queries; l++)
        for (size_t r = 0; r < o->tokens; r++) {
            const float slope = ds[l * o->tokens + r], *e = at->distance + distance_row(at, l, r) * d;
            float *sum = sums ? sums + (l + longest - 1 - r) * d : NULL;
            k->axpy(d, slope, e, dq + l * o->qkv_stride);
            if (sum)
                k->axpy(d, slope, o->q + l * o->qkv_stride, sum);
            if (at->positions != AL_POSITIONS_KEY_QUERY)
                continue;
            k->axpy(d, slope, e, dkey + r * o->qkv_stride);
            if (sum)
                k->axpy(d, slope, o->key + r * o->qkv_stride, sum);
        }
}

/* s->gradient = dS, from the probabilities in s->scores */
static void scores_backward(const attention_job *job, const one_text *o, const float *dcontext, const head_scratch *s)
{
    const al_attention *at = job->attention;
    const al_kernels *k = job->run->kernels;
    const size_t d = at->head_size, tokens = o->tokens;
    const float divisor = sqrtf((float)d);
    al_pack(k, o->value, o->qkv_stride, d, tokens, false, s->packed);
    multiply(k, o->queries, tokens, d, rows_of(k, dcontext, at->heads * d), s->packed, s->gradient, tokens);
    weigh(job, o, s->gradient);
    for (size_t l = 0; l < o->queries; l++)
        k->softmax_backward(tokens, s->scores + l * tokens, s->gradient + l * tokens, s->gradient + l * tokens);
    for (size_t i = 0; i < o->queries * tokens; i++)
        s->gradient[i] /= divisor;
}

/* c [tokens, d] = x^T y, where x is [queries, tokens] and y [queries, d] */
static void multiply_lying(const al_kernels *k, const one_text *o, size_t d, const float *x, const float *y,
                           size_t y_stride, const head_scratch *s, float *c)
{
    k->transpose(o->queries, o->tokens, x, o->tokens, s->upright, o->queries);
    al_pack(k, y, y_stride, o->queries, d, true, s->packed);
    multiply(k, o->tokens, d, o->queries, rows_of(k, s->upright, o->queries), s->packed, c, o->qkv_stride);
}

static void one_head_backward(const attention_job *job, size_t text, size_t head, const head_scratch *s)
{
    const al_attention *at = job->attention;
    const al_kernels *k = job->run->kernels;
    const one_text o = find_text(at, job->input, text, head);
    const size_t d = at->head_size, width = at->heads * d;
    const float *dcontext = job->gradients->context + o.asking_row * width + head * d;
    float *dq = job->gradients->qkv + o.row * 3 * width + head * d, *dkey = dq + width, *dvalue = dkey + width;

    find_probabilities(job, &o, s, s->scores);
    memcpy(s->weights, s->scores, o.queries * o.tokens * sizeof *s->weights);
    weigh(job, &o, s->weights);
    multiply_lying(k, &o, d, s->weights, dcontext, width, s, dvalue);
    scores_backward(job, &o, dcontext, s);

    multiply_lying(k, &o, d, s->gradient, o.q, o.qkv_stride, s, dkey);
    al_pack(k, o.key, o.qkv_stride, o.tokens, d, true, s->packed);
    multiply(k, o.queries, d, o.tokens, rows_of(k, s->gradient, o.tokens), s->packed, dq, o.qkv_stride);
    for (size_t l = o.queries; l < o.tokens; l++)
        memset(dq + l * o.qkv_stride, 0, d * sizeof *dq);
    if (at->positions != AL_POSITIONS_NONE)
        relative_positions_backward(job, &o, s->gradient, dq);
}

static void backward_work(void *user, size_t begin, size_t end, int thread)
{
    const attention_job *job = user;
    const size_t heads = job->attention->heads;
    for (size_t i = begin; i < end; i++)
        one_head_backward(job, job->first_text + i / heads, i % heads, &job->scratch[thread]);
}

/* The sums of a number of heads, and where they go. */
typedef struct distance_job {
    const attention_job *attention;
    size_t heads;
} distance_job;

/* Rows [begin, end) of the sums, one for each distance that occurs. */
static void distance_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const distance_job *job = user;
    const al_attention *at = job->attention->attention;
    const size_t d = at->head_size, longest = job->attention->input->tokens;
    for (size_t head = 0; head < job->heads; head++)
        job->attention->run->kernels->add(
            (end - begin) * d, job->attention->distance_sums + (head * (2 * longest - 1) + begin) * d,
            job->attention->gradients->distance + (at->max_positions - longest + begin) * d);
}

/* Floats of distance_sums, about. */
#define DISTANCE_ROOM ((size_t)1 << 20)

void al_attention_backward(const al_run *run, const al_attention *at, const al_attention_input *in,
                           const al_attention_gradients *gradients)
{
    const size_t mark = al_arena_mark(run->arena);
    attention_job job = {.run = run, .attention = at, .input = in, .gradients = gradients};
    size_t texts = in->batch; /* at a time */
    job.scratch = take_scratch(run, at, in, true);
    if (at->positions != AL_POSITIONS_NONE && gradients->distance) {
        const size_t floats = at->heads * (2 * in->tokens - 1) * at->head_size, room = DISTANCE_ROOM / floats;
        texts = room < 1 ? 1 : room < texts ? room : texts;
        job.distance_sums = al_arena_floats(run->arena, texts * floats);
    }
    for (; job.first_text < in->batch && !run->dry; job.first_text += texts) {
        const size_t left = in->batch - job.first_text, heads = (left < texts ? left : texts) * at->heads;
        al_threads_run(run->threads, heads, 1, backward_work, &job);
        distance_job sum = {&job, heads};
        if (job.distance_sums)
            al_threads_run(run->threads, 2 * in->tokens - 1, 8, distance_work, &sum);
    }
    al_arena_release(run->arena, mark);
}
