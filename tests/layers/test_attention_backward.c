/* al_attention_backward against central differences of the formula in double: positions, masks, factors, dropped
 * probabilities, first tokens only, ragged texts; on any number of threads the same bits. */
#include "base/random.h"
#include "layers/attention.h"
#include "layers/dropout.h"
#include "layers_test.h"

#include <float.h>

enum { B = 2, S = 5, A = 2, D = 3, N = 7, WIDTH = A * D, ROWS = B * S, DISTANCES = 2 * N - 1 };

typedef struct problem {
    al_attention attention;
    al_attention_input input;
    al_attention_gradients gradients;
    double qkv[ROWS * 3 * WIDTH], distance[DISTANCES * D]; /* what is differentiated by */
} problem;

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
    const double *q = p->qkv + row_of(p, b, l) * 3 * WIDTH + a * D;
    const double *k = p->qkv + row_of(p, b, r) * 3 * WIDTH + WIDTH + a * D;
    const double *e = p->distance + (l + N - 1 - r) * D;
    double sum = 0.0;
    for (size_t d = 0; d < D; d++) {
        sum += q[d] * k[d];
        if (p->attention.positions != AL_POSITIONS_NONE)
            sum += q[d] * e[d];
        if (p->attention.positions == AL_POSITIONS_KEY_QUERY)
            sum += k[d] * e[d];
    }
    sum /= sqrt((double)D);
    const al_attention_input *in = &p->input;
    if (in->mask)
        sum += (double)in->mask[(b * in->mask_rows + (in->mask_rows == 1 ? 0 : l)) * S + r];
    return sum;
}

/* What a query of a head adds to the loss, which is the sum of context times its gradient. */
static double loss_of_query(const problem *p, size_t b, size_t a, size_t l)
{
    const al_attention_input *in = &p->input;
    const size_t tokens = tokens_of(p, b), row = in->first_only ? b : row_of(p, b, l);
    float ones[S];
    double weight[S], max = -INFINITY, sum = 0.0, loss = 0.0;
    for (size_t r = 0; r < tokens; r++) {
        ones[r] = 1.0f;
        max = fmax(max, weight[r] = score(p, b, a, l, r));
    }
    for (size_t r = 0; r < tokens; r++)
        sum += weight[r] = exp(weight[r] - max);
    al_dropout_some(al_kernels_get(), in->dropout, al_random_key(in->key, b * A + a), l * tokens, tokens, ones, ones);
    for (size_t r = 0; r < tokens; r++)
        for (size_t d = 0; d < D; d++)
            loss += weight[r] / sum * (double)ones[r] * (in->head_mask ? (double)in->head_mask[a] : 1.0) *
                    p->qkv[row_of(p, b, r) * 3 * WIDTH + 2 * WIDTH + a * D + d] *
                    (double)p->gradients.context[row * WIDTH + a * D + d];
    return loss;
}

static double loss(const problem *p)
{
    double sum = 0.0;
    for (size_t b = 0; b < B; b++)
        for (size_t a = 0; a < A; a++)
            for (size_t l = 0; l < (p->input.first_only ? 1 : tokens_of(p, b)); l++)
                sum += loss_of_query(p, b, a, l);
    return sum;
}

static void check_slopes(const problem *p, double *x, size_t n, const float *gradient, float start, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        const double kept = x[i], step = 1e-4;
        x[i] = kept + step;
        const double above = loss(p);
        x[i] = kept - step;
        const double below = loss(p);
        x[i] = kept;
        assert_close(gradient[i] - start, (float)((above - below) / (2.0 * step)), 3e-6, what, i);
    }
}

static void step(const al_run *run, void *user)
{
    problem *p = user;
    al_attention_forward(run, &p->attention, &p->input);
    al_attention_backward(run, &p->attention, &p->input, &p->gradients);
}

static void check(problem *p)
{
    const size_t rows = p->input.offsets ? p->input.offsets[B] : ROWS;
    float qkv[ROWS * 3 * WIDTH], distance[DISTANCES * D], context[ROWS * WIDTH];
    p->input.context = context;
    for (int threads = 1; threads <= 3; threads++) {
        float again[ROWS * 3 * WIDTH], distance_again[DISTANCES * D];
        for (size_t i = 0; i < ROWS * 3 * WIDTH; i++)
            again[i] = NAN;
        for (size_t i = 0; i < DISTANCES * D; i++)
            distance_again[i] = 0.5f;
        p->gradients.qkv = again;
        p->gradients.distance = distance_again;
        run_step(threads, step, p); /* two runs, of which the first is dry */
        if (threads == 1) {
            memcpy(qkv, again, sizeof qkv);
            memcpy(distance, distance_again, sizeof distance);
        }
        assert_memory_equal(qkv, again, rows * 3 * WIDTH * sizeof *qkv);
        assert_memory_equal(distance, distance_again, sizeof distance);
    }
    double forwards = 0.0;
    for (size_t i = 0; i < (p->input.first_only ? B : rows) * WIDTH; i++)
        forwards += (double)context[i] * (double)p->gradients.context[i];
    assert_close((float)forwards, (float)loss(p), 1e-5, "loss", 0);
    check_slopes(p, p->qkv, rows * 3 * WIDTH, qkv, 0.0f, "qkv");
    check_slopes(p, p->distance, DISTANCES * D, distance, 0.5f, "distance");
}

static void all(void **state)
{
    (void)state;
    static const size_t offsets[B + 1] = {0, 2, 2 + S};
    float *qkv = random_floats(ROWS * 3 * WIDTH, 1), *distance = random_floats(DISTANCES * D, 2);
    float *mask = random_floats(B * S * S, 3), *factor = random_floats(A, 4),
          *gradient = random_floats(ROWS * WIDTH, 5);
    for (size_t i = 0; i < B * S * S; i++)
        mask[i] = mask[i] > 0.3f && i % S ? -FLT_MAX : 0.0f;
    problem p = {0};
    for (size_t i = 0; i < ROWS * 3 * WIDTH; i++)
        p.qkv[i] = (double)qkv[i];
    for (size_t i = 0; i < DISTANCES * D; i++)
        p.distance[i] = (double)distance[i];
    p.gradients.context = gradient;
    for (int positions = AL_POSITIONS_NONE; positions <= AL_POSITIONS_KEY_QUERY; positions++)
        for (int options = 0; options < 24; options++) {
            p.attention = (al_attention){A, D, (al_positions)positions, distance, N};
            p.input = (al_attention_input){.batch = B, .tokens = S, .qkv = qkv, .key = 9};
            p.input.mask_rows = (const size_t[]){0, 1, S}[options % 3];
            p.input.mask = p.input.mask_rows ? mask : NULL;
            p.input.head_mask = options / 3 % 2 ? factor : NULL;
            p.input.first_only = options / 6 % 2;
            p.input.dropout = options / 12 ? 0.4f : 0.0f;
            check(&p);
            p.input.mask = NULL;
            p.input.offsets = offsets;
            check(&p);
        }
    free(qkv);
    free(distance);
    free(mask);
    free(factor);
    free(gradient);
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
