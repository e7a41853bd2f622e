/*
 * The f32 product of the table under test may be made of other numbers than f32: its errors, against sums in double,
 * must be no larger than those of the plain product, a chain of multiply-adds.
 */
#include "kernels_test.h"

#include <string.h>

static const al_kernels *kernels;

/* Two ways to the same c, both for row-major a [m, k] and b [k, n], and the sums in double. */
typedef struct problem {
    size_t m, n, k, panels;
    float *a, *b, *packed, *product, *plain; /* product, plain: [m, n] */
    double *exact;
} problem;

static problem problem_new(size_t m, size_t n, size_t k)
{
    problem p = {.m = m, .n = n, .k = k, .panels = (n + kernels->nr - 1) / kernels->nr};
    p.a = random_floats(m * k, 1);
    p.b = random_floats(k * n, 2);
    p.packed = calloc(p.panels * kernels->nr * k, sizeof *p.packed);
    p.product = calloc(m * n, sizeof *p.product);
    p.plain = calloc(m * n, sizeof *p.plain);
    p.exact = calloc(m * n, sizeof *p.exact);
    assert_true(p.packed && p.product && p.plain && p.exact);
    return p;
}

static void problem_free(problem *p)
{
    free(p->a);
    free(p->b);
    free(p->packed);
    free(p->product);
    free(p->plain);
    free(p->exact);
}

static void multiply(problem *p)
{
    const size_t nr = kernels->nr;
    const al_product *product = kernels->products[ALIGN_PRECISION_F32];
    for (size_t l = 0; l < p->k; l++)
        for (size_t j = 0; j < p->n; j++)
            p->packed[(j / nr * p->k + l) * nr + j % nr] = p->b[l * p->n + j];
    al_gemm g = {.m = p->m,
                 .n = p->n,
                 .k = p->k,
                 .a = {p->a, p->k, nr},
                 .b = p->packed,
                 .act = ALIGN_ACT_LINEAR,
                 .c = p->plain,
                 .c_row_stride = p->n,
                 .c_panel = nr};
    kernels->gemm(&g, 0, p->m, 0, p->panels);
    void *rows = NULL;
    if (product->prepare) {
        rows = aligned_alloc(64, p->m * product->operand_row(p->k));
        assert_non_null(rows);
        product->prepare(&(al_operand){.k = p->k, .x = g.a, .rows = rows}, 0, p->m);
        g.operand = rows;
    }
    g.c = p->product;
    product->gemm(&g, 0, p->m, 0, p->panels);
    free(rows);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++)
            for (size_t l = 0; l < p->k; l++)
                p->exact[i * p->n + j] += (double)p->a[i * p->k + l] * (double)p->b[l * p->n + j];
}

/* The root of the mean square of errors, each in units of what the terms of its sum amount to. */
static double error_of(const problem *p, const float *c)
{
    double squares = 0.0;
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double terms = 0.0;
            for (size_t l = 0; l < p->k; l++)
                terms += fabs((double)p->a[i * p->k + l] * (double)p->b[l * p->n + j]);
            const double e = terms > 0.0 ? ((double)c[i * p->n + j] - p->exact[i * p->n + j]) / terms : 0.0;
            squares += e * e;
        }
    return sqrt(squares / (double)(p->m * p->n));
}

static void check(problem *p)
{
    multiply(p);
    const double product = error_of(p, p->product), plain = error_of(p, p->plain);
    if (!(product <= plain))
        fail_msg("%zu x %zu x %zu: error %.3g, of the plain product %.3g", p->m, p->n, p->k, product, plain);
    problem_free(p);
}

static void ordinary(void **state)
{
    (void)state;
    const size_t ks[] = {33, 64, 100, 320, 768, 3840};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        problem p = problem_new(37, 61, ks[i]);
        check(&p);
    }
}

/* Rows from 1e-20 to 1e20, columns from 1e-8 to 1e8. */
static void badly_scaled(void **state)
{
    (void)state;
    problem p = problem_new(41, 33, 500);
    for (size_t l = 0; l < p.k; l++) {
        for (size_t i = 0; i < p.m; i++)
            p.a[i * p.k + l] *= powf(10.0f, (float)i - 20.0f);
        for (size_t j = 0; j < p.n; j++)
            p.b[l * p.n + j] *= powf(10.0f, (float)j / 2.0f - 8.0f);
    }
    check(&p);
}

/* Every term has a neighbour that takes nearly all of it away. */
static void cancelling(void **state)
{
    (void)state;
    problem p = problem_new(37, 61, 1000);
    for (size_t l = 0; l + 1 < p.k; l += 2) {
        for (size_t i = 0; i < p.m; i++)
            p.a[i * p.k + l + 1] = -p.a[i * p.k + l];
        for (size_t j = 0; j < p.n; j++)
            p.b[(l + 1) * p.n + j] = p.b[l * p.n + j] * (1.0f + 1e-5f * p.b[(l + 1) * p.n + j]);
    }
    check(&p);
}

/* What multiply-adds get exactly, a product gets exactly: whole numbers that fit. */
static void whole_numbers(void **state)
{
    (void)state;
    problem p = problem_new(20, 50, 90);
    for (size_t i = 0; i < p.m * p.k; i++)
        p.a[i] = roundf(p.a[i] * 300.0f);
    for (size_t i = 0; i < p.k * p.n; i++)
        p.b[i] = roundf(p.b[i] * 300.0f);
    multiply(&p);
    for (size_t i = 0; i < p.m * p.n; i++)
        assert_true((double)p.product[i] == p.exact[i]);
    problem_free(&p);
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(ordinary), cmocka_unit_test(badly_scaled),
                                       cmocka_unit_test(cancelling), cmocka_unit_test(whole_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
