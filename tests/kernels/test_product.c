/*
 * The products of the table under test, of every precision, against sums in double of what the precision means: f32
 * numbers, numbers rounded to bf16, or steps of int8. Over sizes around the tile, in both layouts, with gates.
 */
#include "kernels_test.h"

#include "base/tensor.h"

#include <string.h>

static const al_kernels *kernels;

/* A product of random matrices: what it is given, and what its precision makes of that. */
typedef struct problem {
    const al_product *product;
    align_precision precision;
    size_t m, n, k, panels;
    float *x, *x_panels, *gates, *b, *bias, *residual; /* row-major [m, k], [k, n], [n], [m, n]; x also in panels */
    double *a_meant, *b_meant;                         /* [m, k], [k, n] */
    void *packed, *operand;
    float *packed_bias, *scale;
    int32_t *sum;
} problem;

static void *zeros(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);
    assert_non_null(p);
    return p;
}

static float to_bf16(float x, uint16_t *half)
{
    al_f32_to_bf16(&x, 1, half);
    al_to_f32(ALIGN_BF16, half, 1, &x);
    return x;
}

/* Where weight (l, j) is packed, in elements. */
static size_t packed_at(const problem *p, size_t l, size_t j)
{
    const size_t nr = kernels->nr, group = p->product->group, multiple = p->product->k_multiple;
    const size_t depth = (p->k + multiple - 1) / multiple * multiple;
    return ((j / nr * depth + l / group * group) * nr) + j % nr * group + l % group;
}

/* Packs column j of steps of int8, the largest of them 127. */
static void pack_steps(problem *p, size_t j)
{
    float largest = 0.0f;
    for (size_t l = 0; l < p->k; l++)
        largest = fmaxf(largest, fabsf(p->b[l * p->n + j]));
    p->scale[j] = largest / 127.0f;
    for (size_t l = 0; l < p->k; l++) {
        const long step = largest > 0.0f ? lroundf(p->b[l * p->n + j] / p->scale[j]) : 0;
        if (p->product->element == AL_S8)
            ((int8_t *)p->packed)[packed_at(p, l, j)] = (int8_t)step;
        else
            ((int16_t *)p->packed)[packed_at(p, l, j)] = (int16_t)step;
        p->sum[j] += (int32_t)step;
        p->b_meant[l * p->n + j] = (double)step * (double)p->scale[j];
    }
}

static void pack(problem *p)
{
    const size_t nr = kernels->nr, multiple = p->product->k_multiple, columns = p->panels * nr;
    p->packed = zeros(columns * ((p->k + multiple - 1) / multiple * multiple), sizeof(float));
    p->packed_bias = zeros(columns, sizeof(float));
    p->scale = zeros(columns, sizeof(float));
    p->sum = zeros(columns, sizeof(int32_t));
    p->b_meant = zeros(p->k * p->n, sizeof(double));
    for (size_t j = 0; j < p->n; j++) {
        p->packed_bias[j] = p->bias[j];
        if (p->precision == ALIGN_PRECISION_INT8) {
            pack_steps(p, j);
            continue;
        }
        for (size_t l = 0; l < p->k; l++) {
            float *b = &p->b[l * p->n + j];
            if (p->precision == ALIGN_PRECISION_BF16)
                p->b_meant[l * p->n + j] = (double)to_bf16(*b, (uint16_t *)p->packed + packed_at(p, l, j));
            else
                p->b_meant[l * p->n + j] = (double)(((float *)p->packed)[packed_at(p, l, j)] = *b);
        }
    }
}

/* What a row of numbers means once it is an operand. */
static void mean_row(const problem *p, const float *x, double *meant)
{
    float low = 0.0f, high = 0.0f;
    for (size_t l = 0; l < p->k; l++) {
        low = fminf(low, x[l]);
        high = fmaxf(high, x[l]);
    }
    const float steps_of_one = high > low ? 255.0f / (high - low) : 0.0f, zero = rintf(-low * steps_of_one);
    for (size_t l = 0; l < p->k; l++) {
        uint16_t half;
        meant[l] = (double)x[l];
        if (p->precision == ALIGN_PRECISION_BF16 && p->product->prepare)
            meant[l] = (double)to_bf16(x[l], &half);
        if (p->precision == ALIGN_PRECISION_INT8)
            meant[l] =
                (double)(fminf(rintf(x[l] * steps_of_one) + zero, 255.0f) - zero) * (double)((high - low) / 255.0f);
    }
}

/* Rows of different ranges: around 0, above it, far below it, and of -1 and 1, both ends of which round away from 0, so
 * that the highest step would be the 257th. */
static float row_number(size_t row, size_t k, float x)
{
    const float of_row[] = {x, fabsf(x), x * 100.0f - 20.0f, k % 2 ? -1.0f : 1.0f};
    return of_row[row % 4];
}

static problem problem_new(const al_product *product, align_precision precision, size_t m, size_t n, size_t k)
{
    const size_t nr = kernels->nr, k_panels = (k + nr - 1) / nr;
    problem p = {.product = product, .precision = precision, .m = m, .n = n, .k = k, .panels = (n + nr - 1) / nr};
    p.x = random_floats(m * k, 1);
    p.b = random_floats(k * n, 2);
    p.bias = random_floats(n, 3);
    p.residual = random_floats(m * n, 4);
    p.gates = random_floats(k, 5);
    p.x_panels = zeros(k_panels * m * nr, sizeof(float));
    p.a_meant = zeros(m * k, sizeof(double));
    for (size_t l = 0; l < k && (l < 2 || !product->prepare); l++) /* the ends of rows of -1 and 1 stay what they are */
        p.gates[l] = 1.0f;
    float *row = zeros(k, sizeof(float));
    for (size_t i = 0; i < m; i++) {
        for (size_t l = 0; l < k; l++) {
            float *x = &p.x[i * k + l];
            *x = row_number(i, l, *x);
            p.x_panels[(l / nr * m + i) * nr + l % nr] = *x;
            row[l] = *x * p.gates[l];
        }
        mean_row(&p, row, p.a_meant + i * k);
    }
    free(row);
    pack(&p);
    if (product->prepare) {
        p.operand = aligned_alloc(64, (m + 1) * product->operand_row(k));
        assert_non_null(p.operand);
    }
    return p;
}

static void problem_free(problem *p)
{
    void *const all[] = {p->x,       p->x_panels, p->gates, p->b,       p->bias,        p->residual, p->a_meant,
                         p->b_meant, p->packed,   p->scale, p->operand, p->packed_bias, p->sum};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* The product's input: x in panels or row-major, prepared `step` rows at a time. */
static al_gemm given(const problem *p, bool in_panels, size_t step)
{
    const size_t nr = kernels->nr;
    const al_matrix x = in_panels ? (al_matrix){p->x_panels, nr, p->m * nr} : (al_matrix){p->x, p->k, kernels->nr};
    if (p->product->prepare) {
        const al_operand o = {.k = p->k, .x = x, .gates = p->gates, .rows = p->operand};
        memset(p->operand, 0x7f, p->m * p->product->operand_row(p->k));
        for (size_t row = 0; row < p->m; row += step)
            p->product->prepare(&o, row, row + step < p->m ? row + step : p->m);
    }
    return (al_gemm){.m = p->m,
                     .n = p->n,
                     .k = p->k,
                     .a = p->product->prepare ? (al_matrix){0} : x,
                     .operand = p->operand,
                     .act = ALIGN_ACT_LINEAR,
                     .b = p->packed,
                     .b_scale = p->precision == ALIGN_PRECISION_INT8 ? p->scale : NULL,
                     .b_sum = p->precision == ALIGN_PRECISION_INT8 ? p->sum : NULL};
}

/*
 * Beyond what the precision means, only the sums are rounded: of floats, at most k times by 2^-24 of the terms added so
 * far, in practice about sqrt(k) times; integers only when they become floats, then three times by their scales and
 * bias.
 */
static void check_row_major(const problem *p, bool bias, bool relu, bool residual)
{
    const size_t stride = p->n + 3;
    float *c = zeros(p->m * stride, sizeof *c);
    for (size_t i = 0; i < p->m * stride; i++)
        c[i] = 1234.5f;
    al_gemm g = given(p, false, p->m);
    g.bias = bias ? p->packed_bias : NULL;
    g.act = relu ? ALIGN_ACT_RELU : ALIGN_ACT_LINEAR;
    g.residual = residual ? p->residual : NULL;
    g.residual_stride = p->n;
    g.c = c;
    g.c_row_stride = stride;
    g.c_panel = kernels->nr;
    p->product->gemm(&g, 0, p->m, 0, p->panels);
    const double rounding = p->precision == ALIGN_PRECISION_INT8 ? 4.0 : 4.0 + sqrt((double)p->k);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < stride; j++) {
            const size_t at = i * p->n + j;
            double sum = 1234.5, terms = 0.0;
            if (j < p->n) {
                sum = bias ? (double)p->bias[j] : 0.0;
                for (size_t l = 0; l < p->k; l++) {
                    const double term = p->a_meant[i * p->k + l] * p->b_meant[l * p->n + j];
                    sum += term;
                    terms += term * term;
                }
                sum = (relu && sum < 0.0 ? 0.0 : sum) + (residual ? (double)p->residual[at] : 0.0);
            }
            assert_close(c[i * stride + j], (float)sum, 1.2e-7 * rounding * (1.0 + sqrt(terms)), p->product->name, at);
        }
    free(c);
}

/* x and c in panels, computed in pieces: every element must have the very bits of the row-major result. */
static void check_panels(const problem *p)
{
    const size_t nr = kernels->nr;
    float *c = zeros(p->panels * p->m * nr, sizeof *c), *plain = zeros(p->m * p->n, sizeof *plain);
    al_gemm g = given(p, false, p->m);
    g.bias = p->packed_bias;
    g.act = ALIGN_ACT_SILU;
    g.c = plain;
    g.c_row_stride = p->n;
    g.c_panel = nr;
    p->product->gemm(&g, 0, p->m, 0, p->panels);
    g = given(p, true, 7);
    g.bias = p->packed_bias;
    g.act = ALIGN_ACT_SILU;
    g.c = c;
    g.c_row_stride = nr;
    g.c_panel = p->m * nr;
    g.c_padded = true;
    for (size_t row = 0; row < p->m; row += 5)
        for (size_t panel = 0; panel < p->panels; panel++)
            p->product->gemm(&g, row, row + 5 < p->m ? row + 5 : p->m, panel, panel + 1);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++)
            assert_memory_equal(&c[(j / nr * p->m + i) * nr + j % nr], &plain[i * p->n + j], sizeof *c);
    free(c);
    free(plain);
}

/* c written in bf16 is c rounded, and nothing beside it is touched. */
static void check_takes_bf16(const problem *p)
{
    const al_product *product = p->product;
    if (!product->takes_bf16)
        return;
    const size_t stride = p->n + 5;
    float *c = zeros(p->m * p->n, sizeof *c);
    uint16_t *found = zeros(p->m * stride, sizeof *found), *expected = zeros(p->m * stride, sizeof *found);
    al_gemm g = given(p, false, p->m);
    g.bias = p->packed_bias;
    g.act = ALIGN_ACT_GELU;
    g.c = c;
    g.c_row_stride = p->n;
    g.c_panel = kernels->nr;
    product->gemm(&g, 0, p->m, 0, p->panels);
    for (size_t i = 0; i < p->m; i++)
        al_f32_to_bf16(c + i * p->n, p->n, expected + i * stride);
    g.c = NULL;
    g.c_bf16 = found;
    g.c_row_stride = stride;
    for (size_t panel = 0; panel < p->panels; panel++)
        product->gemm(&g, 0, p->m, panel, panel + 1);
    assert_memory_equal(expected, found, p->m * stride * sizeof *found);
    free(c);
    free(expected);
    free(found);
}

/* Rows prepared from bf16 are those of the same numbers in f32. */
static void check_reads_bf16(problem *p)
{
    const al_product *product = p->product;
    if (!product->takes_bf16)
        return;
    const size_t n = p->m * p->k, bytes = p->m * product->operand_row(p->k);
    uint16_t *rounded = zeros(n, sizeof *rounded);
    float *exact = zeros(n, sizeof *exact);
    char *expected = zeros(bytes, 1);
    memcpy(exact, p->x, n * sizeof *exact);
    al_f32_to_bf16(p->x, n, rounded);
    al_to_f32(ALIGN_BF16, rounded, n, p->x);
    (void)given(p, false, p->m);
    memcpy(expected, p->operand, bytes);
    memset(p->operand, 0x7f, bytes);
    const al_operand o = {
        .k = p->k, .x = {NULL, p->k, kernels->nr}, .gates = p->gates, .rows = p->operand, .bf16 = rounded};
    product->prepare(&o, 0, p->m);
    assert_memory_equal(p->operand, expected, bytes);
    memcpy(p->x, exact, n * sizeof *exact);
    free(rounded);
    free(exact);
    free(expected);
}

/* Rows that are said to be numbers in bf16 are that, and zeros up to where they are read. */
static void check_bf16_rows(const problem *p)
{
    const al_product *product = p->product;
    const size_t multiple = product->k_multiple, read = (p->k + multiple - 1) / multiple * multiple;
    if (!product->bf16_rows)
        return;
    (void)given(p, false, p->m);
    for (size_t i = 0; i < p->m; i++) {
        const uint16_t *row = (const uint16_t *)(const void *)((char *)p->operand + i * product->operand_row(p->k));
        for (size_t l = 0; l < read; l++) {
            float number;
            al_to_f32(ALIGN_BF16, &row[l], 1, &number);
            assert_true(number == (l < p->k ? (float)p->a_meant[i * p->k + l] : 0.0f));
        }
    }
}

/* A row with a number that is not finite gives nothing finite; the others do not notice. */
static void check_not_finite(const problem *p)
{
    const float strange[] = {NAN, INFINITY, -INFINITY};
    float *c = zeros(p->m * p->n, sizeof *c), *plain = zeros(p->m * p->n, sizeof *plain);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        const size_t row = p->m / 2, at = row * p->k + (p->k - 1) * i / 2;
        al_gemm g = given(p, false, p->m);
        g.c_row_stride = p->n;
        g.c_panel = kernels->nr;
        g.c = plain;
        p->product->gemm(&g, 0, p->m, 0, p->panels);
        const float before = p->x[at];
        p->x[at] = strange[i];
        (void)given(p, false, p->m);
        g.c = c;
        p->product->gemm(&g, 0, p->m, 0, p->panels);
        p->x[at] = before;
        for (size_t j = 0; j < p->m * p->n; j++)
            if (j / p->n == row)
                assert_true(isnan(c[j]) || isinf(c[j]));
            else
                assert_memory_equal(&c[j], &plain[j], sizeof *c);
    }
    free(c);
    free(plain);
}

/* Rows of zeros, and of numbers so small that their steps would be subnormal, are next to nothing, not NaN. */
static void check_nothing(problem *p)
{
    float *c = zeros(p->m * p->n, sizeof *c);
    for (size_t l = 0; l < p->k; l++)
        for (size_t i = 0; i < p->m; i++)
            p->x[i * p->k + l] = i % 2 ? 0.0f : l % 2 ? 1e-39f : -1e-40f;
    al_gemm g = given(p, false, p->m);
    g.bias = p->packed_bias;
    g.c = c;
    g.c_row_stride = p->n;
    g.c_panel = kernels->nr;
    p->product->gemm(&g, 0, p->m, 0, p->panels);
    for (size_t i = 0; i < p->m * p->n; i++)
        assert_close(c[i], p->bias[i % p->n], 1e-30, p->product->name, i);
    free(c);
}

static void check(align_precision precision, size_t m, size_t n, size_t k)
{
    const al_product *product = kernels->products[precision];
    if (!product)
        return;
    problem p = problem_new(product, precision, m, n, k);
    check_row_major(&p, false, false, false);
    check_row_major(&p, true, true, true);
    check_row_major(&p, true, false, true);
    check_panels(&p);
    check_takes_bf16(&p);
    check_reads_bf16(&p);
    check_bf16_rows(&p);
    check_not_finite(&p);
    check_nothing(&p);
    problem_free(&p);
}

/* Sizes around tiles, groups and slices of k. */
static void check_sizes(align_precision precision)
{
    const size_t nr = kernels->nr, ms[] = {1, 2, 5, 9, 10, 23};
    const size_t ns[] = {1, 3, nr - 1, nr, nr + 1, 2 * nr + 17};
    const size_t ks[] = {1, 2, 3, nr - 1, nr, nr + 3, 8 * nr, 8 * nr + 5, 16 * nr + 6};
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (size_t l = 0; l < sizeof ks / sizeof *ks; l++)
                check(precision, ms[i], ns[j], ks[l]);
}

static void f32(void **state)
{
    (void)state;
    check_sizes(ALIGN_PRECISION_F32);
}

static void bf16(void **state)
{
    (void)state;
    check_sizes(ALIGN_PRECISION_BF16);
}

static void int8(void **state)
{
    (void)state;
    check_sizes(ALIGN_PRECISION_INT8);
}

/* Several slices of k, and more rows than a block. */
static void large(void **state)
{
    (void)state;
    check(ALIGN_PRECISION_BF16, 70, 96, 2000); /* more of k than waits in one place */
    for (int precision = 0; precision < ALIGN_PRECISION_COUNT; precision++) {
        check((align_precision)precision, 7, 5, 8 * kernels->nr * 20 + 1);
        check((align_precision)precision, 1500, 3, 700);
        check((align_precision)precision, 101, 2 * kernels->nr + 17, 330); /* bands and panels of all kinds */
    }
}

/* A row of prepared numbers fills whole cache lines, an allocation of which may hold a table's rows. */
static void rows(void **state)
{
    (void)state;
    for (int precision = 0; precision < ALIGN_PRECISION_COUNT; precision++) {
        const al_product *product = kernels->products[precision];
        for (size_t k = 0; product && product->prepare && k < 300; k++)
            assert_int_equal(product->operand_row(k) % 64, 0);
    }
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(f32), cmocka_unit_test(bf16), cmocka_unit_test(int8),
                                       cmocka_unit_test(large), cmocka_unit_test(rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
