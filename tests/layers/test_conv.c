/* conv.c against the formulas in double: the stem's windows, a block with and without expansion, both ways of
 * gating, pooling, layouts. */
#include "layers/conv.h"
#include "layers_test.h"

typedef struct problem {
    size_t batch, rows, columns, channels, out, squeezed;
    size_t in; /* channels before the expansion; 0: there is none */
    size_t stride;
    ptrdiff_t before; /* padding at the left and top; after: 1 */
    float *x, *y;     /* row-major [B*rows*columns, in or channels], and what comes out */
    double *expanded; /* [B*rows*columns, channels], what should reach the depthwise convolution */
    float *inflate, *depthwise, *scale, *bias, *reduce, *expand, *project, *gates, *residual;
    al_depthwise_conv conv;
    al_squeeze_excite se;
    al_linear expansion, projection;
} problem;

static align_tensor matrix(const float *data, size_t rows, size_t columns)
{
    const int64_t shape[] = {(int64_t)rows, (int64_t)columns};
    return align_tensor_view(ALIGN_F32, 2, shape, data);
}

static void pack_matrix(al_linear *l, const al_packing *packing, const float *data, size_t out, size_t in)
{
    const align_tensor weight = matrix(data, out, in);
    al_linear_init(l, packing, in, out);
    al_linear_pack(l, packing, 0, out, &weight, NULL, NULL);
}

static void pack(void *user, const al_packing *packing)
{
    problem *p = user;
    const int64_t k = 3, shape[] = {(int64_t)p->channels, 1, k, k};
    const align_tensor weight = align_tensor_view(ALIGN_F32, 4, shape, p->depthwise);
    p->conv.stride = p->stride;
    p->conv.before = p->before;
    p->conv.after = 1;
    al_depthwise_conv_init(&p->conv, packing, &weight, p->scale, p->bias);
    if (p->in)
        pack_matrix(&p->expansion, packing, p->inflate, p->channels, p->in);
    pack_matrix(&p->se.reduce, packing, p->reduce, p->squeezed, p->channels);
    pack_matrix(&p->se.expand, packing, p->expand, p->channels, p->squeezed);
    pack_matrix(&p->projection, packing, p->project, p->out, p->channels);
}

/* What an MBConv block does. */
static void block(const al_run *run, void *user)
{
    const problem *p = user;
    const size_t nr = run->kernels->nr, width = (p->channels + nr - 1) / nr * nr, mark = al_arena_mark(run->arena);
    const size_t rows = al_depthwise_conv_size(&p->conv, p->rows);
    const size_t columns = al_depthwise_conv_size(&p->conv, p->columns);
    float *filtered = al_arena_floats(run->arena, p->batch * rows * columns * width);
    float *means = al_arena_floats(run->arena, p->batch * width),
          *gates = al_arena_floats(run->arena, p->batch * width);
    al_expand_depthwise_forward(run, p->in ? &p->expansion : NULL, &p->conv, p->batch, p->rows, p->columns, p->x,
                                ALIGN_ACT_TANH, filtered, means);
    al_squeeze_excite_gates(run, &p->se, p->batch, means, ALIGN_ACT_RELU, gates);
    al_gated_projection(run, &p->projection, p->batch, rows * columns, filtered, gates, p->residual, p->y);
    al_arena_release(run->arena, mark);
}

static double depthwise_at(const problem *p, size_t b, size_t y, size_t x, size_t c)
{
    double sum = (double)p->bias[c];
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            const ptrdiff_t v = (ptrdiff_t)(y * p->stride + i) - p->before;
            const ptrdiff_t u = (ptrdiff_t)(x * p->stride + j) - p->before;
            if (v >= 0 && u >= 0 && (size_t)v < p->rows && (size_t)u < p->columns)
                sum += p->expanded[((b * p->rows + (size_t)v) * p->columns + (size_t)u) * p->channels + c] *
                       (double)p->depthwise[c * 9 + i * 3 + j] * (double)p->scale[c];
        }
    return tanh(sum);
}

static void expand(problem *p)
{
    const size_t n = p->batch * p->rows * p->columns;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < p->channels; c++) {
            double sum = p->in ? 0.0 : (double)p->x[i * p->channels + c];
            for (size_t k = 0; k < p->in; k++)
                sum += (double)p->x[i * p->in + k] * (double)p->inflate[c * p->in + k];
            p->expanded[i * p->channels + c] = p->in ? tanh(sum) : sum;
        }
}

/* A 3x3 kernel; stride 2 pads at the end only, stride 1 on both sides. */
static void check_block(size_t stride, size_t batch, size_t rows, size_t columns, size_t in, size_t channels,
                        size_t out)
{
    const size_t out_columns = columns / stride, n = rows / stride * out_columns, squeezed = 5;
    problem p = {.batch = batch,
                 .rows = rows,
                 .columns = columns,
                 .channels = channels,
                 .out = out,
                 .squeezed = squeezed,
                 .in = in,
                 .stride = stride,
                 .before = stride == 1,
                 .x = random_floats(batch * rows * columns * (in ? in : channels), 1),
                 .expanded = malloc(batch * rows * columns * channels * sizeof(double)),
                 .inflate = random_floats(channels * in, 9),
                 .y = malloc(batch * n * out * sizeof(float)),
                 .depthwise = random_floats(channels * 9, 2),
                 .scale = random_floats(channels, 3),
                 .bias = random_floats(channels, 4),
                 .reduce = random_floats(squeezed * channels, 5),
                 .expand = random_floats(channels * squeezed, 6),
                 .project = random_floats(out * channels, 7),
                 .residual = random_floats(batch * n * out, 8)};
    expand(&p);
    al_arena weights = packed(pack, &p);
    double *filtered = malloc(n * channels * sizeof *filtered), *gate = malloc(channels * sizeof *gate);
    for (int threads = 1; threads <= 2; threads++) {
        run_step(threads, block, &p);
        for (size_t b = 0; b < batch; b++) {
            double hidden[5] = {0};
            for (size_t i = 0; i < n; i++)
                for (size_t c = 0; c < channels; c++) {
                    const double v = depthwise_at(&p, b, i / out_columns, i % out_columns, c);
                    filtered[i * channels + c] = v;
                    for (size_t q = 0; q < squeezed; q++)
                        hidden[q] += v / (double)n * (double)p.reduce[q * channels + c];
                }
            for (size_t c = 0; c < channels; c++) {
                double sum = 0.0;
                for (size_t q = 0; q < squeezed; q++)
                    sum += fmax(hidden[q], 0.0) * (double)p.expand[c * squeezed + q];
                gate[c] = 1.0 / (1.0 + exp(-sum));
            }
            for (size_t i = 0; i < n; i++)
                for (size_t o = 0; o < out; o++) {
                    double sum = (double)p.residual[(b * n + i) * out + o];
                    for (size_t c = 0; c < channels; c++)
                        sum += filtered[i * channels + c] * gate[c] * (double)p.project[o * channels + c];
                    assert_close(p.y[(b * n + i) * out + o], (float)sum, 1e-5, "block", i * out + o);
                }
        }
    }
    al_arena_done(&weights);
    float *const owned[] = {p.x,    p.y,      p.inflate, p.depthwise, p.scale,
                            p.bias, p.reduce, p.expand,  p.project,   p.residual};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    free(p.expanded);
    free(filtered);
    free(gate);
}

static void blocks(void **state)
{
    (void)state;
    check_block(2, 1, 2, 2, 0, 3, 5);     /* one pixel: fewer than columns, the pixels are gated */
    check_block(2, 2, 10, 7, 0, 53, 90);  /* fewer pixels than columns */
    check_block(2, 2, 40, 38, 0, 50, 11); /* more: the weights are gated, picture by picture */
    check_block(2, 2, 10, 7, 5, 53, 90);  /* the same with expansion */
    check_block(2, 3, 24, 22, 51, 100, 7);
    check_block(1, 2, 9, 12, 0, 53, 90);
    /* wide pictures, which do not fit into the window of expanded rows: bands of some rows, at last of one */
    check_block(1, 1, 23, 1500, 0, 3, 2);
    check_block(2, 1, 24, 1500, 2, 3, 2);
    check_block(1, 1, 5, 6000, 2, 3, 2);
    check_block(2, 1, 6, 6000, 0, 3, 2);
}

typedef struct stem {
    float *pixels, *windows, *first, *mean, *max;
} stem;

enum { B = 2, G = 3, H = 9, W = 8 };

static void stem_step(const al_run *run, void *user)
{
    const stem *s = user;
    al_stem_windows(run, B, G, H, W, s->pixels, s->windows);
    al_channels_first(run, B, H, W, s->pixels, s->first); /* reads them as [B*H, W]: any numbers do */
    al_pool(run, B, H, W, false, s->pixels, s->mean);
    al_pool(run, B, H, W, true, s->pixels, s->max);
}

static void stem_and_layout(void **state)
{
    (void)state;
    const size_t n = B * (H / 2) * (W / 2);
    stem s = {random_floats(B * G * H * W, 1), malloc(n * G * 9 * sizeof(float)), malloc(B * H * W * sizeof(float)),
              malloc(B * W * sizeof(float)), malloc(B * W * sizeof(float))};
    run_step(2, stem_step, &s);
    for (size_t i = 0; i < n * G * 9; i++) {
        const size_t tap = i % 9, g = i / 9 % G, x = i / 9 / G % (W / 2), y = i / 9 / G / (W / 2) % (H / 2);
        const size_t b = i / 9 / G / (W / 2) / (H / 2), v = 2 * y + tap / 3, u = 2 * x + tap % 3;
        assert_true(s.windows[i] == (v < H && u < W ? s.pixels[((b * G + g) * H + v) * W + u] : 0.0f));
    }
    for (size_t b = 0; b < B; b++)
        for (size_t c = 0; c < W; c++) {
            double sum = 0.0;
            float max = -2.0f;
            for (size_t i = 0; i < H; i++) {
                const float v = s.pixels[(b * H + i) * W + c];
                assert_true(s.first[(b * W + c) * H + i] == v);
                sum += (double)v / (double)H;
                max = fmaxf(max, v);
            }
            assert_close(s.mean[b * W + c], (float)sum, 1e-6, "mean", c);
            assert_true(s.max[b * W + c] == max);
        }
    free(s.pixels);
    free(s.windows);
    free(s.first);
    free(s.mean);
    free(s.max);
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks), cmocka_unit_test(stem_and_layout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
