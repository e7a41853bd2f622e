/*
 * The f32 products of the table under test may be made of other numbers than f32: their errors, against sums in double,
 * must be no larger than those of the plain product, a chain of multiply-adds.
 */
#include "kernels_test.h"

#include <string.h>

static const al_kernels *kernels;
static const al_product *product; /* under test: that of weights, or that of new matrices */

/* Two ways to the same c, both for row-major a [m, k] and b [k, n], and the sums in double. */
typedef struct problem {
    size_t m, n, k, panels;
    float *a, *b, *packed, *sums, *plain; /* sums, plain: [m, n] */
    double *exact;
} problem;

static problem problem_new(size_t m, size_t n, size_t k)
{
    problem p = {.m = m, .n = n, .k = k, .panels = (n + kernels->nr - 1) / kernels->nr};
    p.a = random_floats(m * k, 1);
    p.b = random_floats(k * n, 2);
    p.packed = calloc(p.panels * kernels->nr * k, sizeof *p.packed);
    p.sums = calloc(m * n, sizeof *p.sums);
    p.plain = calloc(m * n, sizeof *p.plain);
    p.exact = calloc(m * n, sizeof *p.exact);
    assert_true(p.packed && p.sums && p.plain && p.exact);
    return p;
}

static void problem_free(problem *p)
{
    free(p->a);
    free(p->b);
    free(p->packed);
    free(p->sums);
    free(p->plain);
    free(p->exact);
}

static size_t round_up(size_t n, size_t multiple)
{
    return multiple > 1 ? (n + multiple - 1) / multiple * multiple : n;
}

static void multiply(problem *p)
{
    const size_t nr = kernels->nr;
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
    void *rows = NULL, *packed = NULL;
    if (product->prepare) {
        rows = aligned_alloc(64, round_up(p->m, product->row_group) * product->operand_row(p->k));
        assert_non_null(rows);
        product->prepare(&(al_operand){.k = p->k, .x = g.a, .rows = rows}, 0, p->m);
        g.operand = rows;
    }
    if (product->pack) {
        const size_t panel = round_up(p->k, product->k_multiple) * nr * product->parts * sizeof(uint16_t);
        packed = aligned_alloc(64, p->panels * panel);
        assert_non_null(packed);
        for (size_t i = 0; i < p->panels; i++)
            product->pack(p->k, p->packed + i * p->k * nr, nr, (char *)packed + i * panel);
        g.b = packed;
    }
    g.c = p->sums;
    product->gemm(&g, 0, p->m, 0, p->panels);
    free(packed);
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
    const double error = error_of(p, p->sums), plain = error_of(p, p->plain);
    if (!(error <= plain))
        fail_msg("%zu x %zu x %zu: error %.3g, of the plain product %.3g", p->m, p->n, p->k, error, plain);
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
        assert_true((double)p.sums[i] == p.exact[i]);
    problem_free(&p);
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(ordinary), cmocka_unit_test(badly_scaled),
                                       cmocka_unit_test(cancelling), cmocka_unit_test(whole_numbers)};
    product = kernels->products[ALIGN_PRECISION_F32];
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    product = kernels->new_product;
    return failed || !product ? failed : cmocka_run_group_tests(tests, NULL, NULL);
}
