/* The kernels of channels.h of the table under test against their formulas in double, over widths, layouts and
 * activations, and over kernels, strides and paddings. */
#include "kernels_test.h"

#include <string.h>

static const al_kernels *kernels;

/* ---- norm and activation ---- */

typedef struct matrices {
    size_t rows, n, stride;
    float *x, *dy, *out, *numbers; /* numbers: seven of [n] */
    al_norm_act p;
} matrices;

static matrices matrices_new(size_t rows, size_t n, size_t stride, align_activation act, bool gated)
{
    matrices m = {.rows = rows, .n = n, .stride = stride};
    m.x = random_floats(rows * stride, 1);
    m.dy = random_floats(rows * stride, 2);
    m.out = random_floats(rows * stride, 3);
    m.numbers = random_floats(7 * n, 4);
    const float *at = m.numbers;
    m.p = (al_norm_act){
        act,        n,          stride,    at, at + n, gated ? at + 2 * n : NULL, gated ? at + 3 * n : NULL,
        at + 4 * n, at + 5 * n, at + 6 * n};
    return m;
}

static void matrices_free(matrices *m)
{
    free(m->x);
    free(m->dy);
    free(m->out);
    free(m->numbers);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double act_of(align_activation act, double z)
{
    return act == ALIGN_ACT_LINEAR ? z : act == ALIGN_ACT_SILU ? z * sigmoid(z) : tanh(z);
}

static double slope_of(align_activation act, double z)
{
    const double s = sigmoid(z), t = tanh(z);
    return act == ALIGN_ACT_LINEAR ? 1.0 : act == ALIGN_ACT_SILU ? s * (1.0 + z * (1.0 - s)) : 1.0 - t * t;
}

static double z_of(const matrices *m, size_t r, size_t c)
{
    return (double)m->p.scale[c] * (double)m->x[r * m->stride + c] + (double)m->p.shift[c];
}

static double dz_of(const matrices *m, size_t r, size_t c)
{
    const double gate = m->p.gate ? (double)m->p.gate[c] : 1.0, extra = m->p.extra ? (double)m->p.extra[c] : 0.0;
    return ((double)m->dy[r * m->stride + c] * gate + extra) * slope_of(m->p.act, z_of(m, r, c));
}

static double u_of(const matrices *m, size_t r, size_t c)
{
    return (double)m->x[r * m->stride + c] - (double)m->p.mean[c];
}

/* Numbers between the columns are left alone. */
static void assert_gaps(const matrices *m)
{
    float *before = random_floats(m->rows * m->stride, 3);
    for (size_t r = 0; r + 1 < m->rows; r++)
        for (size_t c = m->n; c < m->stride; c++)
            assert_true(m->out[r * m->stride + c] == before[r * m->stride + c]);
    free(before);
}

static void check_forward(matrices *m)
{
    float *sums = calloc(m->n, sizeof *sums);
    kernels->channels->norm_act(&m->p, m->rows, m->x, m->out, sums);
    for (size_t c = 0; c < m->n; c++) {
        double sum = 0.0;
        for (size_t r = 0; r < m->rows; r++) {
            const double y = act_of(m->p.act, z_of(m, r, c)) * (m->p.gate ? (double)m->p.gate[c] : 1.0);
            assert_close(m->out[r * m->stride + c], (float)y, 1e-6, "y", r);
            sum += y;
        }
        assert_close(sums[c], (float)sum, 1e-6 * (double)m->rows, "sum", c);
    }
    assert_gaps(m);
    float *x = malloc((m->rows * m->stride + 1) * sizeof *x);
    memcpy(x, m->x, m->rows * m->stride * sizeof *x);
    kernels->channels->norm_act(&m->p, m->rows, x, x, NULL);
    for (size_t r = 0; r < m->rows; r++)
        assert_memory_equal(x + r * m->stride, m->out + r * m->stride, m->n * sizeof *x);
    free(x);
    free(sums);
}

static void check_backward(matrices *m)
{
    float *sums = calloc(2 * m->n, sizeof *sums), *dz = m->out;
    kernels->channels->norm_act_sums(&m->p, m->rows, m->x, m->dy, dz, sums, sums + m->n);
    for (size_t c = 0; c < m->n; c++) {
        double sum = 0.0, u_sum = 0.0;
        for (size_t r = 0; r < m->rows; r++) {
            assert_close(dz[r * m->stride + c], (float)dz_of(m, r, c), 2e-6, "dz", r);
            sum += dz_of(m, r, c);
            u_sum += dz_of(m, r, c) * u_of(m, r, c);
        }
        assert_close(sums[c], (float)sum, 1e-6 * (double)m->rows, "sum of dz", c);
        assert_close(sums[m->n + c], (float)u_sum, 1e-6 * (double)m->rows, "sum of dz u", c);
    }
    assert_gaps(m);
    free(sums);
    kernels->channels->norm_act_backward(&m->p, m->rows, m->x, m->dy, m->out);
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->n; c++) {
            const double dx =
                (double)m->p.scale[c] * dz_of(m, r, c) + (double)m->p.slope[c] * u_of(m, r, c) + (double)m->p.offset[c];
            assert_close(m->out[r * m->stride + c], (float)dx, 2e-6, "dx", r);
        }
    assert_gaps(m);
}

static void check_gate_sums(matrices *m)
{
    float *s = calloc(5 * m->n, sizeof *s);
    const al_gate_sums sums = {s, s + m->n, s + 2 * m->n, s + 3 * m->n, s + 4 * m->n};
    kernels->channels->gate_sums(&m->p, m->rows, m->x, m->dy, &sums);
    for (size_t c = 0; c < m->n; c++) {
        double expected[5] = {0.0};
        for (size_t r = 0; r < m->rows; r++) {
            const double z = z_of(m, r, c), u = u_of(m, r, c), dy = (double)m->dy[r * m->stride + c];
            expected[0] += dy * act_of(m->p.act, z);
            expected[1] += dy * slope_of(m->p.act, z);
            expected[2] += slope_of(m->p.act, z);
            expected[3] += dy * slope_of(m->p.act, z) * u;
            expected[4] += slope_of(m->p.act, z) * u;
        }
        for (size_t i = 0; i < 5; i++)
            assert_close(s[i * m->n + c], (float)expected[i], 1e-6 * (double)m->rows, "gate sum", i);
    }
    free(s);
}

static void norms(void **state)
{
    (void)state;
    const size_t nr = kernels->nr, widths[] = {1, 3, nr - 1, nr, nr + 1, 2 * nr + 5}, rows[] = {1, 2, 7, 300};
    const align_activation acts[] = {ALIGN_ACT_LINEAR, ALIGN_ACT_SILU, ALIGN_ACT_TANH};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            for (size_t a = 0; a < 3; a++)
                for (int gated = 0; gated < 2; gated++) {
                    matrices m = matrices_new(rows[i], widths[w], widths[w] + (size_t)gated * 3, acts[a], gated);
                    check_forward(&m);
                    check_backward(&m);
                    check_gate_sums(&m);
                    matrices_free(&m);
                }
}

/* Of numbers that lie close together, far from zero: squares keep their digits. */
static void moments(void **state)
{
    (void)state;
    const size_t n = kernels->nr + 3, stride = n + 2;
    for (size_t rows = 1; rows <= 133; rows += 11) {
        float *x = random_floats(rows * stride, 8), *mean = malloc(2 * n * sizeof *mean), *squares = mean + n;
        for (size_t i = 0; i < rows * stride; i++)
            x[i] = 100.0f + 1e-2f * x[i];
        kernels->channels->moments(rows, n, stride, x, mean, squares);
        for (size_t c = 0; c < n; c++) {
            double m = 0.0, s = 0.0;
            for (size_t r = 0; r < rows; r++)
                m += (double)x[r * stride + c] / (double)rows;
            for (size_t r = 0; r < rows; r++)
                s += ((double)x[r * stride + c] - m) * ((double)x[r * stride + c] - m);
            assert_close(mean[c], (float)m, 1e-6, "mean", c);
            /* about the mean as it was rounded */
            const double off = (double)mean[c] - m;
            if (!(fabs((double)squares[c] - s - (double)rows * off * off) <= 1e-5 * s + 1e-12))
                fail_msg("squares %zu: %.9g, expected %.9g", c, (double)squares[c], s);
        }
        free(x);
        free(mean);
    }
}

/* ---- depthwise ---- */

/* Both gradients in double: [in_rows, in_columns, nr] and [kernel, kernel, nr]. */
static void expected_gradients(const al_depthwise_gradient *g, double *din, double *dweight)
{
    const size_t nr = kernels->nr;
    for (size_t y = 0; y < g->out_rows; y++)
        for (size_t x = 0; x < g->out_columns; x++)
            for (size_t i = 0; i < g->kernel; i++)
                for (size_t j = 0; j < g->kernel; j++) {
                    const ptrdiff_t v = (ptrdiff_t)(y * g->stride + i) - g->top;
                    const ptrdiff_t u = (ptrdiff_t)(x * g->stride + j) - g->left;
                    if (v < 0 || u < 0 || v >= (ptrdiff_t)g->in_rows || u >= (ptrdiff_t)g->in_columns)
                        continue;
                    const size_t in = ((size_t)v * g->in_columns + (size_t)u) * nr, tap = (i * g->kernel + j) * nr;
                    for (size_t c = 0; c < g->channels; c++) {
                        const double dout = (double)g->dout[(y * g->out_columns + x) * nr + c];
                        din[in + c] += dout * (double)g->weight[tap + c];
                        dweight[tap + c] += dout * (double)g->in[in + c];
                    }
                }
}

static void check_depthwise(size_t channels, size_t kernel, size_t stride, ptrdiff_t top, ptrdiff_t left, size_t rows,
                            size_t columns)
{
    const size_t nr = kernels->nr, out_rows = (rows + stride - 1) / stride,
                 out_columns = (columns + stride - 1) / stride;
    const size_t ins = rows * columns * nr, outs = out_rows * out_columns * nr, taps = kernel * kernel * nr;
    float *in = random_floats(ins, 1), *weight = random_floats(taps, 2), *dout = random_floats(outs, 3);
    float *din = random_floats(ins, 4), *dweight = random_floats(taps, 5);
    double *din_expected = calloc(ins, sizeof(double)), *dweight_expected = calloc(taps, sizeof(double));
    const al_depthwise_gradient g = {rows, columns, out_rows, out_columns, channels, kernel, stride,
                                     top,  left,    in,       weight,      dout,     din,    dweight};
    for (size_t i = 0; i < taps; i++)
        dweight_expected[i] = (double)dweight[i];
    expected_gradients(&g, din_expected, dweight_expected);
    kernels->channels->depthwise_weight(&g);
    kernels->channels->depthwise_input(&g);
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = c; i < ins; i += nr)
            assert_close(din[i], (float)din_expected[i], 4e-6, "din", i);
        for (size_t i = c; i < taps; i += nr)
            assert_close(dweight[i], (float)dweight_expected[i], 4e-6 * sqrt((double)(outs / nr)), "dweight", i);
    }
    free(in);
    free(weight);
    free(dout);
    free(din);
    free(dweight);
    free(din_expected);
    free(dweight_expected);
}

static void depthwise_shapes(void **state)
{
    (void)state;
    for (size_t kernel = 1; kernel <= 7; kernel++)
        for (size_t stride = 1; stride <= 3; stride++)
            for (size_t size = 1; size <= 13; size += 2) {
                const ptrdiff_t same = (ptrdiff_t)((kernel - 1) / 2);
                check_depthwise(kernels->nr, kernel, stride, same, (ptrdiff_t)(kernel / 2), size, size + 2);
                check_depthwise(kernels->vl, kernel, stride, same, same, size + 21, size);
            }
}

static void depthwise_paddings(void **state)
{
    (void)state;
    for (size_t kernel = 1; kernel <= 5; kernel++)
        for (size_t stride = 1; stride <= 2; stride++)
            for (ptrdiff_t before = -12; before <= 12; before++)
                check_depthwise(kernels->vl, kernel, stride, before, -before / 2, 11, 11);
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(norms), cmocka_unit_test(moments),
                                       cmocka_unit_test(depthwise_shapes), cmocka_unit_test(depthwise_paddings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
