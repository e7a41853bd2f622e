/* channels.c: the kernels of channels.h in plain C: their definition, and what runs on an unknown CPU. */
#include "kernels/kernels.h"

static float activation(align_activation act, float x)
{
    al_kernels_ref.activate(act, 1, &x);
    return x;
}

static float slope(align_activation act, float x)
{
    float dx = 1.0f;
    al_kernels_ref.activate_backward(act, 1, &x, &dx, &dx);
    return dx;
}

static void moments(size_t rows, size_t n, size_t stride, const float *x, float *mean, float *squares)
{
    for (size_t c = 0; c < n; c++) {
        float sum = 0.0f;
        for (size_t r = 0; r < rows; r++)
            sum += x[r * stride + c];
        mean[c] = sum / (float)rows;
        squares[c] = 0.0f;
        for (size_t r = 0; r < rows; r++) {
            const float u = x[r * stride + c] - mean[c];
            squares[c] += u * u;
        }
    }
}

static float z_of(const al_norm_act *p, size_t c, float x)
{
    return p->scale[c] * x + p->shift[c];
}

static float dz_of(const al_norm_act *p, size_t c, float x, float dy)
{
    const float dh = dy * (p->gate ? p->gate[c] : 1.0f) + (p->extra ? p->extra[c] : 0.0f);
    return dh * slope(p->act, z_of(p, c, x));
}

static void norm_act(const al_norm_act *p, size_t rows, const float *x, float *y, float *sums)
{
    for (size_t c = 0; c < p->n; c++) {
        float sum = 0.0f;
        for (size_t i = c; i < rows * p->stride; i += p->stride) {
            y[i] = activation(p->act, z_of(p, c, x[i])) * (p->gate ? p->gate[c] : 1.0f);
            sum += y[i];
        }
        if (sums)
            sums[c] += sum;
    }
}

static void norm_act_sums(const al_norm_act *p, size_t rows, const float *x, const float *dy, float *dz, float *dz_sum,
                          float *dz_u_sum)
{
    for (size_t c = 0; c < p->n; c++) {
        float sum = 0.0f, u_sum = 0.0f;
        for (size_t i = c; i < rows * p->stride; i += p->stride) {
            dz[i] = dz_of(p, c, x[i], dy[i]);
            sum += dz[i];
            u_sum += dz[i] * (x[i] - p->mean[c]);
        }
        dz_sum[c] += sum;
        dz_u_sum[c] += u_sum;
    }
}

static void gate_sums(const al_norm_act *p, size_t rows, const float *x, const float *dy, const al_gate_sums *sums)
{
    for (size_t c = 0; c < p->n; c++) {
        float sum[5] = {0.0f};
        for (size_t i = c; i < rows * p->stride; i += p->stride) {
            const float z = z_of(p, c, x[i]), u = x[i] - p->mean[c], s = slope(p->act, z);
            sum[0] += dy[i] * activation(p->act, z);
            sum[1] += dy[i] * s;
            sum[2] += s;
            sum[3] += dy[i] * s * u;
            sum[4] += s * u;
        }
        sums->dy_h[c] += sum[0];
        sums->dy_slope[c] += sum[1];
        sums->slope[c] += sum[2];
        sums->dy_slope_u[c] += sum[3];
        sums->slope_u[c] += sum[4];
    }
}

static void norm_act_backward(const al_norm_act *p, size_t rows, const float *x, const float *dy, float *dx)
{
    for (size_t c = 0; c < p->n; c++)
        for (size_t i = c; i < rows * p->stride; i += p->stride) {
            const float dz = dz_of(p, c, x[i], dy[i]);
            dx[i] = p->scale[c] * dz + p->slope[c] * (x[i] - p->mean[c]) + p->offset[c];
        }
}

/* Calls `meet` for every tap of every output that falls inside the picture, rows and columns ascending. */
typedef void (*tap_function)(const al_depthwise_gradient *g, size_t in, size_t tap, size_t out);

static void for_taps(const al_depthwise_gradient *g, tap_function meet)
{
    for (size_t y = 0; y < g->out_rows; y++)
        for (size_t x = 0; x < g->out_columns; x++)
            for (size_t i = 0; i < g->kernel; i++)
                for (size_t j = 0; j < g->kernel; j++) {
                    const ptrdiff_t v = (ptrdiff_t)(y * g->stride + i) - g->top;
                    const ptrdiff_t u = (ptrdiff_t)(x * g->stride + j) - g->left;
                    if (v < 0 || u < 0 || v >= (ptrdiff_t)g->in_rows || u >= (ptrdiff_t)g->in_columns)
                        continue;
                    meet(g, (size_t)v * g->in_columns + (size_t)u, i * g->kernel + j, y * g->out_columns + x);
                }
}

static void weight_tap(const al_depthwise_gradient *g, size_t in, size_t tap, size_t out)
{
    const size_t nr = al_kernels_ref.nr;
    for (size_t c = 0; c < g->channels; c++)
        g->dweight[tap * nr + c] += g->dout[out * nr + c] * g->in[in * nr + c];
}

static void input_tap(const al_depthwise_gradient *g, size_t in, size_t tap, size_t out)
{
    const size_t nr = al_kernels_ref.nr;
    for (size_t c = 0; c < g->channels; c++)
        g->din[in * nr + c] += g->dout[out * nr + c] * g->weight[tap * nr + c];
}

static void depthwise_weight(const al_depthwise_gradient *g)
{
    for_taps(g, weight_tap);
}

static void depthwise_input(const al_depthwise_gradient *g)
{
    for (size_t i = 0; i < g->in_rows * g->in_columns * al_kernels_ref.nr; i++)
        g->din[i] = 0.0f;
    for_taps(g, input_tap);
}

const al_channel_kernels al_channel_kernels_ref = {
    .moments = moments,
    .norm_act = norm_act,
    .norm_act_sums = norm_act_sums,
    .gate_sums = gate_sums,
    .norm_act_backward = norm_act_backward,
    .depthwise_weight = depthwise_weight,
    .depthwise_input = depthwise_input,
};
