/* attention.c against the formula in double: masks of both shapes, factors of heads, relative positions, kept
 * probabilities. */
#include "base/tensor.h"
#include "layers/attention.h"
#include "layers_test.h"

#include <float.h>

enum { B = 2, S = 11, A = 3, D = 7, N = 13 };

typedef struct problem {
    al_attention attention;
    al_attention_input input;
} problem;

static void forward(const al_run *run, void *user)
{
    problem *p = user;
    al_attention_forward(run, &p->attention, &p->input);
}

/* Row of text b's token l in qkv, and the tokens of a text. */
static size_t row_of(const problem *p, size_t b, size_t l)
{
    return (p->input.offsets ? p->input.offsets[b] : b * S) + l;
}

static size_t tokens_of(const problem *p, size_t b)
{
    return p->input.offsets ? p->input.offsets[b + 1] - p->input.offsets[b] : S;
}

static double score(const problem *p, size_t b, size_t a, size_t l, size_t r)
{
    const al_attention_input *in = &p->input;
    const float *q = in->qkv + row_of(p, b, l) * 3 * A * D + a * D;
    const float *k = in->qkv + row_of(p, b, r) * 3 * A * D + A * D + a * D;
    const float *e = p->attention.distance + (l + N - 1 - r) * D;
    double sum = 0.0;
    for (size_t d = 0; d < D; d++) {
        sum += (double)q[d] * (double)k[d];
        if (p->attention.positions != AL_POSITIONS_NONE)
            sum += (double)q[d] * (double)e[d];
        if (p->attention.positions == AL_POSITIONS_KEY_QUERY)
            sum += (double)k[d] * (double)e[d];
    }
    sum /= sqrt((double)D);
    if (in->mask)
        sum += (double)in->mask[(b * in->mask_rows + (in->mask_rows == 1 ? 0 : l)) * S + r];
    return sum;
}

/* One query of one head against the formula. */
static void check_query(const problem *p, size_t b, size_t a, size_t l)
{
    const al_attention_input *in = &p->input;
    const size_t tokens = tokens_of(p, b), row = in->first_only ? b : row_of(p, b, l);
    double weight[S], max = -INFINITY, sum = 0.0;
    for (size_t r = 0; r < tokens; r++)
        max = fmax(max, weight[r] = score(p, b, a, l, r));
    for (size_t r = 0; r < tokens; r++)
        sum += weight[r] = exp(weight[r] - max);
    for (size_t r = 0; r < tokens; r++) {
        weight[r] *= (in->head_mask ? (double)in->head_mask[a] : 1.0) / sum;
        if (in->probabilities)
            assert_close(in->probabilities[((b * A + a) * S + l) * S + r], (float)weight[r], 2e-6, "probability", r);
    }
    for (size_t d = 0; d < D; d++) {
        double out = 0.0;
        for (size_t r = 0; r < tokens; r++)
            out += weight[r] * (double)in->qkv[row_of(p, b, r) * 3 * A * D + 2 * A * D + a * D + d];
        assert_close(in->context[row * A * D + a * D + d], (float)out, 3e-6, "context", d);
    }
}

static void check(const al_attention *attention, const al_attention_input *input, int threads)
{
    problem p = {*attention, *input};
    run_step(threads, forward, &p);
    for (size_t b = 0; b < B; b++)
        for (size_t a = 0; a < A; a++)
            for (size_t l = 0; l < (p.input.first_only ? 1 : tokens_of(&p, b)); l++)
                check_query(&p, b, a, l);
}

/* Every kind of positions, mask, factors, kept probabilities; whole texts and first tokens only; padded and ragged. */
static void all(void **state)
{
    (void)state;
    static const size_t offsets[B + 1] = {0, 4, 4 + S};
    float *qkv = random_floats(B * S * 3 * A * D, 1), *distance = random_floats((2 * N - 1) * D, 2);
    float *mask = random_floats(B * S * S, 3), *factor = random_floats(A, 4);
    float *context = malloc(B * S * A * D * sizeof *context), *kept = malloc(B * A * S * S * sizeof *kept);
    for (size_t i = 0; i < B * S * S; i++)
        mask[i] = mask[i] > 0.3f && i % S ? -FLT_MAX : 0.0f;
    for (int positions = AL_POSITIONS_NONE; positions <= AL_POSITIONS_KEY_QUERY; positions++)
        for (int options = 0; options < 24; options++) {
            const al_attention attention = {A, D, (al_positions)positions, distance, N};
            al_attention_input in = {.batch = B, .tokens = S, .qkv = qkv, .context = context};
            in.mask_rows = (const size_t[]){0, 1, S}[options % 3];
            in.mask = in.mask_rows ? mask : NULL;
            in.head_mask = options / 3 % 2 ? factor : NULL;
            in.first_only = options / 6 % 2;
            in.probabilities = options / 12 && !in.first_only ? kept : NULL;
            check(&attention, &in, 1 + options % 2);
            in.mask = NULL;
            in.probabilities = NULL;
            in.offsets = offsets;
            check(&attention, &in, 1 + options % 2);
        }
    free(qkv);
    free(distance);
    free(mask);
    free(factor);
    free(context);
    free(kept);
}

static void widen(const uint16_t *from, size_t n, float *to)
{
    al_to_f32(ALIGN_BF16, from, n, to);
}

/*
 * Numbers in bf16 give what the same numbers in f32 do, but that probabilities are rounded by at most 2^-9 of
 * themselves before they meet values below 1, and the context is rounded likewise.
 */
static void bf16(void **state)
{
    (void)state;
    enum { N_QKV = B * S * 3 * A * D };
    static const size_t offsets[B + 1] = {0, 4, 4 + S};
    const size_t stride = A * D + 3;
    float *qkv = random_floats(N_QKV, 1), *mask = random_floats(B * S * S, 3), *factor = random_floats(A, 4);
    float *kept = malloc(B * A * S * S * sizeof *kept), *exact = calloc(B * S * A * D, sizeof *exact);
    float *context = calloc(B * S * stride, sizeof *context);
    uint16_t *rounded = malloc(N_QKV * sizeof *rounded), *context_bf16 = calloc(B * S * stride, sizeof *context_bf16);
    al_f32_to_bf16(qkv, N_QKV, rounded);
    widen(rounded, N_QKV, qkv);
    for (size_t i = 0; i < B * S * S; i++)
        mask[i] = mask[i] > 0.3f && i % S ? -FLT_MAX : 0.0f;
    for (int options = 0; options < 24; options++) {
        problem p = {{.heads = A, .head_size = D, .positions = AL_POSITIONS_NONE}, {.batch = B, .tokens = S}};
        p.input.context_stride = stride;
        p.input.mask_rows = (const size_t[]){0, 1, S}[options % 3];
        p.input.mask = p.input.mask_rows ? mask : NULL;
        p.input.offsets = p.input.mask ? NULL : offsets;
        p.input.head_mask = options / 3 % 2 ? factor : NULL;
        p.input.first_only = options / 6 % 2;
        p.input.probabilities = options / 12 && !p.input.first_only && p.input.mask ? kept : NULL;
        p.input.qkv = qkv;
        p.input.context = exact;
        run_step(1, forward, &p);
        if (!al_attention_reads_bf16(al_kernels_get(), &p.attention))
            break;
        p.input.qkv_bf16 = rounded;
        p.input.context_bf16 = context_bf16;
        run_step(1 + options % 2, forward, &p);
        widen(context_bf16, B * S * stride, context);
        for (size_t i = 0; i < B * S * stride; i++) {
            const size_t row = i / stride, column = i % stride;
            const float expected = column < A * D ? exact[row * A * D + column] : 0.0f;
            assert_close(context[i], expected, 4e-3 + 4e-3 * fabs((double)expected), "context of bf16", i);
        }
    }
    free(qkv);
    free(mask);
    free(factor);
    free(kept);
    free(exact);
    free(context);
    free(rounded);
    free(context_bf16);
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(all), cmocka_unit_test(bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
