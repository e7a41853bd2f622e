/* attention.c against the formula in double: masks of both shapes, factors of heads, relative positions, kept
 * probabilities. */
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

static double score(const problem *p, size_t b, size_t a, size_t l, size_t r)
{
    const al_attention_input *in = &p->input;
    const float *q = in->qkv + (b * S + l) * 3 * A * D + a * D, *k = in->qkv + (b * S + r) * 3 * A * D + A * D + a * D;
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

static void check(al_positions positions, size_t mask_rows, int factors, int keep, int threads)
{
    float *qkv = random_floats(B * S * 3 * A * D, 1), *distance = random_floats((2 * N - 1) * D, 2);
    float *mask = random_floats(B * S * S, 3), *factor = random_floats(A, 4);
    float *context = malloc(B * S * A * D * sizeof *context), *kept = malloc(B * A * S * S * sizeof *kept);
    for (size_t i = 0; i < B * S * S; i++)
        mask[i] = mask[i] > 0.3f && i % S ? -FLT_MAX : 0.0f;
    problem p = {{A, D, positions, distance, N},
                 {B, S, qkv, mask_rows ? mask : NULL, mask_rows, factors ? factor : NULL, keep ? kept : NULL, context}};
    run_step(threads, forward, &p);
    for (size_t b = 0; b < B; b++)
        for (size_t a = 0; a < A; a++)
            for (size_t l = 0; l < S; l++) {
                double weight[S], max = -INFINITY, sum = 0.0;
                for (size_t r = 0; r < S; r++)
                    max = fmax(max, weight[r] = score(&p, b, a, l, r));
                for (size_t r = 0; r < S; r++)
                    sum += weight[r] = exp(weight[r] - max);
                for (size_t r = 0; r < S; r++) {
                    weight[r] *= (factors ? (double)factor[a] : 1.0) / sum;
                    if (keep)
                        assert_close(kept[((b * A + a) * S + l) * S + r], (float)weight[r], 2e-6, "probability", r);
                }
                for (size_t d = 0; d < D; d++) {
                    double out = 0.0;
                    for (size_t r = 0; r < S; r++)
                        out += weight[r] * (double)qkv[(b * S + r) * 3 * A * D + 2 * A * D + a * D + d];
                    assert_close(context[(b * S + l) * A * D + a * D + d], (float)out, 3e-6, "context", d);
                }
            }
    free(qkv);
    free(distance);
    free(mask);
    free(factor);
    free(context);
    free(kept);
}

static void all(void **state)
{
    (void)state;
    for (int positions = AL_POSITIONS_NONE; positions <= AL_POSITIONS_KEY_QUERY; positions++)
        for (int options = 0; options < 12; options++)
            check((al_positions)positions, (const size_t[]){0, 1, S}[options % 3], options / 3 % 2, options / 6,
                  1 + options % 2);
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
