/* matmul.c against sums in double: operands upright and lying, in rows and in panels, with bias and added to, in each
 * precision, over shapes that are cut along each side; on any number of threads the same bits. */
#include "base/tensor.h"
#include "layers/matmul.h"
#include "layers_test.h"

/* A matrix of numbers [rows, columns] as it is stored: upright or lying, in rows or in panels. */
typedef struct stored {
    float *data;
    al_matrix matrix;
} stored;

static size_t nr;

static size_t whole_panels(size_t columns)
{
    return (columns + nr - 1) / nr * nr;
}

static float *at(const stored *s, size_t row, size_t column)
{
    return s->data + column / nr * s->matrix.panel + row * s->matrix.row_stride + column % nr;
}

/* Rows are a little further apart than they need to be, so that what lies between is seen if it is touched. */
static stored new_stored(size_t rows, size_t columns, bool panels)
{
    const size_t stride = panels ? nr : columns + 3, panel = panels ? rows * nr : nr;
    const size_t size = panels ? rows * whole_panels(columns) : rows * stride;
    stored s = {malloc((size + 1) * sizeof(float)), {NULL, stride, panel}};
    assert_non_null(s.data);
    for (size_t i = 0; i < size; i++)
        s.data[i] = 99.0f;
    s.matrix.data = s.data;
    return s;
}

static stored store(const float *x, size_t rows, size_t columns, bool lying, bool panels)
{
    stored s = lying ? new_stored(columns, rows, panels) : new_stored(rows, columns, panels);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            *(lying ? at(&s, c, r) : at(&s, r, c)) = x[r * columns + c];
    return s;
}

typedef struct problem {
    al_matmul matmul;
    bool a_panels, b_panels, c_panels, bias;
} problem;

static void step(const al_run *run, void *user)
{
    al_matmul_run(run, user);
}

/* As they are multiplied, in double. */
static double *multiplied(const float *x, size_t n, align_precision precision)
{
    double *out = malloc((n + 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        float rounded = x[i];
        if (precision == ALIGN_PRECISION_BF16) {
            al_f32_to_bf16(&x[i], 1, &half);
            al_to_f32(ALIGN_BF16, &half, 1, &rounded);
        }
        out[i] = (double)rounded;
    }
    return out;
}

static void check_numbers(const problem *q, const float *a, const float *b, const float *bias, const stored *c)
{
    const al_matmul *p = &q->matmul;
    /* f32: what a chain of k additions may lose; bf16: some products leave a as it is */
    const double depth = (double)p->k;
    const double tolerance = p->precision == ALIGN_PRECISION_F32 ? 4e-6 + 5e-8 * depth : 3e-3 * (4.0 + sqrt(depth));
    double *left = multiplied(a, p->m * p->k, p->precision), *right = multiplied(b, p->k * p->n, p->precision);
    double *sums = malloc((p->n + 1) * sizeof *sums);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++)
            sums[j] = (p->add ? 1.0 : 0.0) + (bias ? (double)bias[j] : 0.0);
        for (size_t k = 0; k < p->k; k++)
            for (size_t j = 0; j < p->n; j++)
                sums[j] += left[i * p->k + k] * right[k * p->n + j];
        for (size_t j = 0; j < p->n; j++)
            assert_close(*at(c, i, j), (float)sums[j], tolerance, "matmul", i * p->n + j);
    }
    free(left);
    free(right);
    free(sums);
}

/* What lies between the rows of a row-major c stays as it was. */
static void check_gaps(const problem *q, const stored *c)
{
    for (size_t i = 0; i < q->matmul.m && !q->c_panels; i++)
        for (size_t j = q->matmul.n; j < q->matmul.n + 3; j++)
            assert_true(c->data[i * c->matrix.row_stride + j] == 99.0f);
}

static void check(problem q)
{
    al_matmul *p = &q.matmul;
    float *a = random_floats(p->m * p->k, 1), *b = random_floats(p->k * p->n, 2), *bias = random_floats(p->n, 3);
    const stored sa = store(a, p->m, p->k, p->a_transposed, q.a_panels);
    const stored sb = store(b, p->k, p->n, p->b_transposed, q.b_panels);
    stored first = {0};
    p->a = sa.matrix;
    p->b = sb.matrix;
    p->bias = q.bias ? bias : NULL;
    for (int threads = 1; threads <= 3; threads += 2) {
        stored c = new_stored(p->m, p->n, q.c_panels);
        for (size_t i = 0; i < p->m; i++)
            for (size_t j = 0; j < p->n; j++)
                *at(&c, i, j) = p->add ? 1.0f : NAN;
        p->c = c.data;
        p->c_row_stride = c.matrix.row_stride;
        p->c_panel = c.matrix.panel;
        run_step(threads, step, p);
        check_gaps(&q, &c);
        if (threads == 1) {
            check_numbers(&q, a, b, q.bias ? bias : NULL, &c);
            first = c;
            continue;
        }
        for (size_t i = 0; i < p->m; i++)
            for (size_t j = 0; j < p->n; j++)
                assert_memory_equal(at(&c, i, j), at(&first, i, j), sizeof(float));
        free(c.data);
    }
    free(first.data);
    free(sa.data);
    free(sb.data);
    free(a);
    free(b);
    free(bias);
}

/* Every way to store the three, for one shape. */
static void check_layouts(size_t m, size_t n, size_t k)
{
    for (unsigned bits = 0; bits < 128; bits++) {
        const problem q = {.matmul = {.m = m,
                                      .n = n,
                                      .k = k,
                                      .a_transposed = bits & 1,
                                      .b_transposed = bits & 2,
                                      .add = bits & 32,
                                      .precision = bits & 64 ? ALIGN_PRECISION_BF16 : ALIGN_PRECISION_F32},
                           .a_panels = bits & 4,
                           .b_panels = bits & 8,
                           .c_panels = bits & 16,
                           .bias = !(bits & 32)};
        check(q);
    }
}

static void layouts(void **state)
{
    (void)state;
    check_layouts(1, 1, 1);
    check_layouts(7, 50, 45);
    check_layouts(33, 97, 150);
}

/* A product of nothing is its bias, or adds nothing. */
static void empty(void **state)
{
    (void)state;
    check_layouts(3, 5, 0);
    check_layouts(0, 5, 3);
    check_layouts(3, 0, 5);
}

/* Where tiles pay, k is cut into chunks or parts, b into blocks of columns, a into blocks of rows. */
static void large(void **state)
{
    (void)state;
    const size_t shapes[][3] = {{130, 200, 160}, {1100, 196, 131}, {370, 370, 1540}, {9, 20, 3200}, {20, 9, 3200}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (unsigned bits = 0; bits < 4; bits++) {
            const problem q = {.matmul = {.m = shapes[i][0],
                                          .n = shapes[i][1],
                                          .k = shapes[i][2],
                                          .a_transposed = bits != 0,
                                          .b_transposed = bits == 0,
                                          .add = bits >= 2,
                                          .precision = bits == 3 ? ALIGN_PRECISION_BF16 : ALIGN_PRECISION_F32},
                               .a_panels = bits == 2,
                               .b_panels = bits == 2,
                               .c_panels = bits == 1,
                               .bias = bits == 1};
            check(q);
        }
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    nr = al_kernels_get()->nr;
    const struct CMUnitTest tests[] = {cmocka_unit_test(layouts), cmocka_unit_test(empty), cmocka_unit_test(large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
