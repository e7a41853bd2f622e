/* The GEMM of the table under test against sums in double, over sizes around the tile, in both layouts. */
#include "kernels_test.h"

static const al_kernels *kernels;

typedef struct problem {
    size_t m, n, k, panels;
    float *a, *b, *bias, *residual; /* row-major: [m, k], [k, n], [n], [m, n] */
    float *packed, *packed_bias;
} problem;

static problem problem_new(size_t m, size_t n, size_t k)
{
    const size_t nr = kernels->nr, panels = (n + nr - 1) / nr;
    problem p = {m,
                 n,
                 k,
                 panels,
                 random_floats(m * k, 1),
                 random_floats(k * n, 2),
                 random_floats(n, 3),
                 random_floats(m * n, 4),
                 calloc(panels * nr * k + 1, sizeof(float)),
                 calloc(panels * nr + 1, sizeof(float))};
    for (size_t j = 0; j < n; j++) {
        for (size_t l = 0; l < k; l++)
            p.packed[(j / nr * k + l) * nr + j % nr] = p.b[l * n + j];
        p.packed_bias[j] = p.bias[j];
    }
    return p;
}

static void problem_free(problem *p)
{
    free(p->a);
    free(p->b);
    free(p->bias);
    free(p->residual);
    free(p->packed);
    free(p->packed_bias);
}

static float expected(const problem *p, size_t i, size_t j, int bias, int relu, int residual)
{
    double sum = bias ? (double)p->bias[j] : 0.0;
    for (size_t l = 0; l < p->k; l++)
        sum += (double)p->a[i * p->k + l] * (double)p->b[l * p->n + j];
    if (relu && sum < 0.0)
        sum = 0.0;
    return (float)(sum + (residual ? (double)p->residual[i * p->n + j] : 0.0));
}

/* Row-major in and out; cells beyond c's columns must stay as they were. */
static void check_row_major(const problem *p, int bias, int relu, int residual)
{
    const size_t stride = p->n + 3;
    float *c = malloc((p->m * stride + 1) * sizeof *c);
    for (size_t i = 0; i < p->m * stride; i++)
        c[i] = 1234.5f;
    const al_gemm g = {.m = p->m,
                       .n = p->n,
                       .k = p->k,
                       .a = {p->a, p->k, kernels->nr},
                       .b = p->packed,
                       .bias = bias ? p->packed_bias : NULL,
                       .act = relu ? ALIGN_ACT_RELU : ALIGN_ACT_LINEAR,
                       .residual = residual ? p->residual : NULL,
                       .residual_stride = p->n,
                       .c = c,
                       .c_row_stride = stride,
                       .c_panel = kernels->nr};
    kernels->gemm(&g, 0, p->m, 0, p->panels);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < stride; j++)
            assert_close(c[i * stride + j], j < p->n ? expected(p, i, j, bias, relu, residual) : 1234.5f,
                         1e-6 * (4.0 + sqrt((double)p->k)), "row-major", i * stride + j);
    free(c);
}

/* a and c in panels, computed in pieces: every element must have the very bits of the row-major result. */
static void check_panels(const problem *p)
{
    const size_t nr = kernels->nr, k_panels = (p->k + nr - 1) / nr;
    float *a = calloc(k_panels * p->m * nr + 1, sizeof *a), *c = malloc((p->panels * p->m * nr + 1) * sizeof *c);
    float *plain = malloc((p->m * p->n + 1) * sizeof *plain);
    for (size_t i = 0; i < p->m; i++)
        for (size_t l = 0; l < p->k; l++)
            a[(l / nr * p->m + i) * nr + l % nr] = p->a[i * p->k + l];
    al_gemm g = {.m = p->m,
                 .n = p->n,
                 .k = p->k,
                 .a = {p->a, p->k, nr},
                 .b = p->packed,
                 .bias = p->packed_bias,
                 .act = ALIGN_ACT_SILU,
                 .c = plain,
                 .c_row_stride = p->n,
                 .c_panel = nr};
    kernels->gemm(&g, 0, p->m, 0, p->panels);
    g.a = (al_matrix){a, nr, p->m * nr};
    g.c = c;
    g.c_row_stride = nr;
    g.c_panel = p->m * nr;
    g.c_padded = true;
    for (size_t row = 0; row < p->m; row += 5)
        for (size_t panel = 0; panel < p->panels; panel++)
            kernels->gemm(&g, row, row + 5 < p->m ? row + 5 : p->m, panel, panel + 1);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            const float x = c[(j / nr * p->m + i) * nr + j % nr], y = plain[i * p->n + j];
            assert_memory_equal(&x, &y, sizeof x);
        }
    free(a);
    free(c);
    free(plain);
}

static void sizes(void **state)
{
    (void)state;
    const size_t nr = kernels->nr, ms[] = {1, 2, 5, 9, 10, 23};
    const size_t ns[] = {1, 3, nr - 1, nr, nr + 1, 2 * nr + 17}, ks[] = {1, 2, nr - 1, nr, nr + 3, 8 * nr, 8 * nr + 5};
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (size_t l = 0; l < sizeof ks / sizeof *ks; l++) {
                problem p = problem_new(ms[i], ns[j], ks[l]);
                check_row_major(&p, 0, 0, 0);
                check_row_major(&p, 1, 1, 1);
                check_row_major(&p, 1, 0, 1);
                check_panels(&p);
                problem_free(&p);
            }
}

/* More rows than a block, so that the outer loop turns. */
static void tall(void **state)
{
    (void)state;
    problem p = problem_new(151, 5, 8 * kernels->nr * 40 + 1);
    check_row_major(&p, 1, 1, 1);
    problem_free(&p);
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(tall)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
