/* ref.c: the kernels in plain C. The definition the ISA files are tested against; also what runs on an unknown CPU. */
#include "kernels/kernels.h"

#include "base/random.h"
#include "base/tensor.h"

#include <math.h>
#include <string.h>

#define NR 16
#define MR 4

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static float gelu(float x)
{
    return 0.5f * x * erfcf(-x * 0.70710678118654752440f);
}

/* x (1 + tanh(u)) / 2, u = scale x (1 + 0.044715 x^2); (1 + tanh(u)) / 2 = sigmoid(2 u) */
static float gelu_tanh(float x, float scale)
{
    return x * sigmoid(2.0f * scale * x * (1.0f + 0.044715f * x * x));
}

/* x tanh(log(1 + e^x)), without the logarithm: with w = e^2x + 2 e^x it is x w / (w + 2). */
static float mish(float x)
{
    if (x > 20.0f)
        return x;
    const float e = expf(x), w = e * (e + 2.0f);
    return x * w / (w + 2.0f);
}

/* fmaxf(NaN, 0) is 0, but the reference hands NaN on. */
static float relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

static float activation(align_activation act, float x)
{
    switch (act) {
    case ALIGN_ACT_GELU:
        return gelu(x);
    case ALIGN_ACT_GELU_10: {
        const float y = gelu(x);
        return y > 10.0f ? 10.0f : y < -10.0f ? -10.0f : y;
    }
    case ALIGN_ACT_GELU_NEW:
        return gelu_tanh(x, 0.79788456080286535588f); /* sqrt(2 / pi) */
    case ALIGN_ACT_GELU_FAST:
        return gelu_tanh(x, 0.7978845608f);
    case ALIGN_ACT_QUICK_GELU:
        return x * sigmoid(1.702f * x);
    case ALIGN_ACT_LAPLACE: /* (1 + erf((x - mu) / (sigma sqrt 2))) / 2, mu = 0.707107, sigma = 0.282095 */
        return 0.5f * erfcf((0.707107f - x) * (float)(1.0 / (0.282095 * 1.41421356237309504880)));
    case ALIGN_ACT_LEAKY_RELU:
        return x < 0.0f ? 0.01f * x : x;
    case ALIGN_ACT_MISH:
        return mish(x);
    case ALIGN_ACT_RELU:
        return relu(x);
    case ALIGN_ACT_RELU2:
        return relu(x) * relu(x);
    case ALIGN_ACT_RELU6:
        return x > 6.0f ? 6.0f : relu(x);
    case ALIGN_ACT_SELU:
        return 1.05070098735548049342f * (x > 0.0f ? x : 1.67326324235437728481f * expm1f(x));
    case ALIGN_ACT_SIGMOID:
        return sigmoid(x);
    case ALIGN_ACT_SILU:
        return x * sigmoid(x);
    case ALIGN_ACT_TANH:
        return tanhf(x);
    case ALIGN_ACT_LINEAR:
    case ALIGN_ACT_COUNT:
        break;
    }
    return x;
}

static void activate(align_activation act, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = activation(act, x[i]);
}

/* d/dx x sigmoid(scale x) */
static float gated_slope(float x, float scale)
{
    const float s = sigmoid(scale * x);
    return s + scale * x * s * (1.0f - s);
}

static float normal_density(float x)
{
    return 0.39894228040143267794f * expf(-0.5f * x * x);
}

static float gelu_slope(float x)
{
    return 0.5f * erfcf(-x * 0.70710678118654752440f) + x * normal_density(x);
}

/* Beyond 10 it is 0 or 1, where the factors would be infinite. */
static float gelu_tanh_slope(float x, float scale)
{
    x = x > 10.0f ? 10.0f : x < -10.0f ? -10.0f : x;
    const float square = 0.044715f * x * x, s = sigmoid(2.0f * scale * x * (1.0f + square));
    return s + 2.0f * scale * x * (1.0f + 3.0f * square) * s * (1.0f - s);
}

/* With t = w / (w + 2) = tanh(log(1 + e^x)): t + x sigmoid(x) (1 - t^2). */
static float mish_slope(float x)
{
    if (x > 20.0f)
        return 1.0f;
    const float e = expf(x), w = e * (e + 2.0f), t = w / (w + 2.0f);
    return t + x * sigmoid(x) * (1.0f - t * t);
}

static float slope(align_activation act, float x)
{
    switch (act) {
    case ALIGN_ACT_GELU:
        return gelu_slope(x);
    case ALIGN_ACT_GELU_10: /* above 10 it is cut off, and never below */
        return x > 10.0f ? 0.0f : gelu_slope(x);
    case ALIGN_ACT_GELU_NEW:
        return gelu_tanh_slope(x, 0.79788456080286535588f);
    case ALIGN_ACT_GELU_FAST:
        return gelu_tanh_slope(x, 0.7978845608f);
    case ALIGN_ACT_QUICK_GELU:
        return gated_slope(x, 1.702f);
    case ALIGN_ACT_LAPLACE:
        return normal_density((x - 0.707107f) * (float)(1.0 / 0.282095)) * (float)(1.0 / 0.282095);
    case ALIGN_ACT_LEAKY_RELU:
        return x > 0.0f ? 1.0f : 0.01f;
    case ALIGN_ACT_MISH:
        return mish_slope(x);
    case ALIGN_ACT_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case ALIGN_ACT_RELU2:
        return 2.0f * relu(x);
    case ALIGN_ACT_RELU6:
        return x > 0.0f && x < 6.0f ? 1.0f : 0.0f;
    case ALIGN_ACT_SELU:
        return 1.05070098735548049342f * (x > 0.0f ? 1.0f : 1.67326324235437728481f * expf(x));
    case ALIGN_ACT_SIGMOID:
        return sigmoid(x) * sigmoid(-x);
    case ALIGN_ACT_SILU:
        return gated_slope(x, 1.0f);
    case ALIGN_ACT_TANH:
        return 1.0f - tanhf(x) * tanhf(x);
    case ALIGN_ACT_LINEAR:
    case ALIGN_ACT_COUNT:
        break;
    }
    return 1.0f;
}

static void activate_backward(align_activation act, size_t n, const float *x, const float *dy, float *dx)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * slope(act, x[i]);
}

/* The columns of panel p of row i, from their sums. */
static void finish(const al_gemm *g, size_t i, size_t p, float *sum)
{
    activate(g->act, NR, sum);
    float *c = g->c + p * g->c_panel + i * g->c_row_stride;
    const size_t left = g->n - p * NR, valid = !g->c_padded && left < NR ? left : NR;
    for (size_t j = 0; j < valid; j++)
        c[j] = sum[j] + (g->residual ? g->residual[i * g->residual_stride + p * NR + j] : 0.0f);
}

static float bias(const al_gemm *g, size_t column)
{
    return g->bias ? g->bias[column] : 0.0f;
}

/* What the sum of a column of row i starts from. */
static float first_sum(const al_gemm *g, size_t i, size_t column)
{
    if (!g->add)
        return bias(g, column);
    return column < g->n || g->c_padded ? g->c[column / NR * g->c_panel + i * g->c_row_stride + column % NR] : 0.0f;
}

static void gemm(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end)
{
    for (size_t p = panel_begin; p < panel_end; p++)
        for (size_t i = row_begin; i < row_end; i++) {
            float sum[NR];
            for (size_t j = 0; j < NR; j++)
                sum[j] = first_sum(g, i, p * NR + j);
            for (size_t k = 0; k < g->k; k++) {
                const float a = g->a.data[k / NR * g->a.panel + i * g->a.row_stride + k % NR];
                const float *b = (const float *)g->b + (p * g->k + k) * NR;
                for (size_t j = 0; j < NR; j++)
                    sum[j] += a * b[j];
            }
            finish(g, i, p, sum);
        }
}

/* Number k of a row of an operand. */
static float gated(const al_operand *o, size_t row, size_t k)
{
    const float x = o->x.data[k / NR * o->x.panel + row * o->x.row_stride + k % NR];
    return o->gates ? x * o->gates[k] : x;
}

/* bytes, padded to cache lines */
static size_t padded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static float float_of_bf16(uint16_t half)
{
    float x;
    al_to_f32(ALIGN_BF16, &half, 1, &x);
    return x;
}

/* bf16: a row is [k] numbers rounded to nearest even. */
static size_t bf16_row(size_t k)
{
    return padded(k * sizeof(uint16_t));
}

static void bf16_prepare(const al_operand *o, size_t row_begin, size_t row_end)
{
    const size_t bytes = bf16_row(o->k);
    for (size_t i = row_begin; i < row_end; i++) {
        char *row = (char *)o->rows + i * bytes;
        memset(row, 0, bytes);
        for (size_t k = 0; k < o->k; k++) {
            const float x = gated(o, i, k);
            al_f32_to_bf16(&x, 1, (uint16_t *)(void *)row + k);
        }
    }
}

static void dropout(const al_dropping *d, size_t first, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = al_random_bits(d->key, (first + i) / 2);
        const uint32_t half = (uint32_t)((first + i) % 2 ? bits >> 32 : bits);
        y[i] = half < d->dropped ? 0.0f : x[i] * d->scale;
    }
}

static void bf16_pack(size_t k, const float *x, size_t stride, void *packed)
{
    for (size_t l = 0; l < k; l++)
        al_f32_to_bf16(x + l * stride, NR, (uint16_t *)packed + l * NR);
}

static void bf16_gemm(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end)
{
    for (size_t p = panel_begin; p < panel_end; p++)
        for (size_t i = row_begin; i < row_end; i++) {
            const uint16_t *a = (const void *)((const char *)g->operand + i * bf16_row(g->k));
            const uint16_t *b = (const uint16_t *)g->b + p * g->k * NR;
            float sum[NR];
            for (size_t j = 0; j < NR; j++) {
                sum[j] = first_sum(g, i, p * NR + j);
                for (size_t k = 0; k < g->k; k++)
                    sum[j] += float_of_bf16(a[k]) * float_of_bf16(b[k * NR + j]);
            }
            finish(g, i, p, sum);
        }
}

/* int8: a row is [k] steps, and at its end the row_scale: a number is step_size * (step - zero). */
typedef struct row_scale {
    float step_size;
    int32_t zero;
} row_scale;

static size_t int8_row(size_t k)
{
    return padded(k + sizeof(row_scale));
}

static void int8_prepare(const al_operand *o, size_t row_begin, size_t row_end)
{
    const size_t bytes = int8_row(o->k);
    for (size_t i = row_begin; i < row_end; i++) {
        float low = 0.0f, high = 0.0f, strange = 0.0f; /* NaN if a number is not finite, otherwise 0 */
        for (size_t k = 0; k < o->k; k++) {
            const float x = gated(o, i, k);
            low = x < low ? x : low;
            high = x > high ? x : high;
            strange += x * 0.0f;
        }
        /* too small a range counts as none: its steps would be infinitely many to 1 */
        const float range = high - low, steps_of_one = range > 255e-36f ? 255.0f / range : 0.0f;
        const row_scale scale = {range / 255.0f + strange,
                                 steps_of_one > 0.0f ? (int32_t)rintf(-low * steps_of_one) : 0};
        uint8_t *row = (uint8_t *)o->rows + i * bytes;
        memset(row, 0, bytes);
        memcpy(row + bytes - sizeof scale, &scale, sizeof scale);
        for (size_t k = 0; k < o->k && !isnan(strange); k++) {
            const int32_t step = (int32_t)rintf(gated(o, i, k) * steps_of_one) + scale.zero;
            row[k] = (uint8_t)(step > 255 ? 255 : step);
        }
    }
}

static void int8_gemm(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end)
{
    const size_t bytes = int8_row(g->k);
    for (size_t p = panel_begin; p < panel_end; p++)
        for (size_t i = row_begin; i < row_end; i++) {
            const uint8_t *a = (const uint8_t *)g->operand + i * bytes;
            const int8_t *b = (const int8_t *)g->b + p * g->k * NR;
            row_scale scale;
            memcpy(&scale, a + bytes - sizeof scale, sizeof scale);
            float numbers[NR];
            for (size_t j = 0; j < NR; j++) {
                int32_t sum = 0;
                for (size_t k = 0; k < g->k; k++)
                    sum += a[k] * b[k * NR + j];
                sum -= scale.zero * g->b_sum[p * NR + j];
                numbers[j] = (float)sum * (scale.step_size * g->b_scale[p * NR + j]) + bias(g, p * NR + j);
            }
            finish(g, i, p, numbers);
        }
}

static void depthwise(const al_depthwise *d, size_t row_begin, size_t row_end)
{
    const ptrdiff_t rows = (ptrdiff_t)d->in_rows, columns = (ptrdiff_t)d->in_columns;
    for (size_t y = row_begin; y < row_end; y++) {
        float total[NR] = {0.0f};
        for (size_t x = 0; x < d->out_columns; x++) {
            float sum[NR];
            for (size_t c = 0; c < d->channels; c++)
                sum[c] = d->bias[c];
            for (size_t i = 0; i < d->kernel; i++)
                for (size_t j = 0; j < d->kernel; j++) {
                    const ptrdiff_t v = (ptrdiff_t)(y * d->stride + i) - d->top;
                    const ptrdiff_t u = (ptrdiff_t)(x * d->stride + j) - d->left;
                    if (v < 0 || v >= rows || u < 0 || u >= columns)
                        continue;
                    const float *in = d->in + (v * columns + u) * (ptrdiff_t)d->in_pixel;
                    const float *w = d->weight + (i * d->kernel + j) * NR;
                    for (size_t c = 0; c < d->channels; c++)
                        sum[c] += in[c] * w[c];
                }
            activate(d->act, d->channels, sum);
            float *out = d->out + (y * d->out_columns + x) * NR;
            for (size_t c = 0; c < d->channels; c++) {
                out[c] = sum[c];
                total[c] += sum[c];
            }
        }
        for (size_t c = 0; d->sums && c < d->channels; c++)
            d->sums[c] += total[c];
    }
}

static void axpy(size_t n, float a, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static float dot(size_t n, const float *x, const float *y)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void add(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void multiply(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= x[i];
}

static void transpose(size_t rows, size_t columns, const float *x, size_t x_stride, float *y, size_t y_stride)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            y[c * y_stride + r] = x[r * x_stride + c];
}

static void softmax(size_t n, float scale, const float *addend, float *x)
{
    float max = -INFINITY, sum = 0.0f;
    for (size_t i = 0; i < n; i++) {
        x[i] = scale * x[i] + (addend ? addend[i] : 0.0f);
        max = x[i] > max ? x[i] : max;
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - max);
        sum += x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] /= sum;
}

/* The mean, and 1 over the deviation, which layer norm divides by. */
static float mean_and_scale(size_t n, float eps, const float *x, float *scale)
{
    float mean = 0.0f, var = 0.0f;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (float)n;
    for (size_t i = 0; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean);
    *scale = 1.0f / sqrtf(var / (float)n + eps);
    return mean;
}

static void layer_norm(size_t n, float eps, const float *x, const float *weight, const float *bias, float *y)
{
    float scale;
    const float mean = mean_and_scale(n, eps, x, &scale);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

static void softmax_backward(size_t n, const float *y, const float *dy, float *dx)
{
    const float sum = dot(n, y, dy);
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - sum);
}

static void layer_norm_backward(size_t n, float eps, const float *x, const float *weight, const float *dy, float *dx,
                                float *dweight, float *dbias)
{
    float scale, g = 0.0f, gz = 0.0f; /* the means of g and g z */
    const float mean = mean_and_scale(n, eps, x, &scale);
    for (size_t i = 0; i < n; i++) {
        g += dy[i] * weight[i];
        gz += dy[i] * weight[i] * (x[i] - mean) * scale;
    }
    g /= (float)n;
    gz /= (float)n;
    for (size_t i = 0; i < n; i++) {
        const float z = (x[i] - mean) * scale, d = dy[i];
        dweight[i] += d * z;
        dbias[i] += d;
        dx[i] = (d * weight[i] - g - z * gz) * scale;
    }
}

static void column_sum(size_t rows, size_t n, size_t row_stride, const float *x, float *sum)
{
    for (size_t c = 0; c < n; c++)
        sum[c] = 0.0f;
    for (size_t r = 0; r < rows; r++)
        add(n, x + r * row_stride, sum);
}

static void column_max(size_t rows, size_t n, size_t row_stride, const float *x, float *max)
{
    for (size_t c = 0; c < n; c++)
        max[c] = x[c];
    for (size_t r = 1; r < rows; r++)
        for (size_t c = 0; c < n; c++) {
            const float v = x[r * row_stride + c];
            max[c] = v > max[c] || isnan(v) ? v : max[c];
        }
}

static void adam_moments_of(const al_adam *a, const al_adam_arrays *x, size_t i)
{
    const float g = a->scale * x->gradient[i];
    x->first[i] += a->new1 * (g - x->first[i]);
    x->second[i] = a->old2 * x->second[i] + a->new2 * g * g;
}

static float adam_direction(const al_adam *a, const al_adam_arrays *x, size_t i)
{
    return a->correct * x->first[i] / (a->root * sqrtf(x->second[i]) + a->epsilon);
}

static void adam_moments(const al_adam *a, size_t n, const al_adam_arrays *x, double squares[2])
{
    for (size_t i = 0; i < n; i++) {
        adam_moments_of(a, x, i);
        const double w = (double)x->weight[i], r = (double)adam_direction(a, x, i) + (double)a->decay * w;
        squares[0] += w * w;
        squares[1] += r * r;
    }
}

static void adam_step(const al_adam *a, size_t n, const al_adam_arrays *x)
{
    for (size_t i = 0; i < n; i++) {
        x->weight[i] = a->keep * x->weight[i] - a->rate * adam_direction(a, x, i);
        if (x->average)
            x->average[i] += a->new_average * (x->weight[i] - x->average[i]);
    }
}

static void adam(const al_adam *a, size_t n, const al_adam_arrays *x)
{
    for (size_t i = 0; i < n; i++)
        adam_moments_of(a, x, i);
    adam_step(a, n, x);
}

static void peak(size_t n, float a, float b, float *x)
{
    for (size_t round = 0; round < n; round++)
        for (size_t i = 0; i < NR; i++)
            x[i] = x[i] * a + b;
}

static const al_product f32_product = {
    .name = "f32 ref",
    .element = AL_F32,
    .group = 1,
    .k_multiple = 1,
    .gemm = gemm,
};

static const al_product bf16_product = {
    .name = "bf16 ref",
    .element = AL_BF16,
    .group = 1,
    .k_multiple = 1,
    .operand_row = bf16_row,
    .prepare = bf16_prepare,
    .pack = bf16_pack,
    .gemm = bf16_gemm,
};

static const al_product int8_product = {
    .name = "int8 ref",
    .element = AL_S8,
    .group = 1,
    .k_multiple = 1,
    .operand_row = int8_row,
    .prepare = int8_prepare,
    .gemm = int8_gemm,
};

const al_kernels al_kernels_ref = {
    .isa = "ref",
    .nr = NR,
    .vl = 1,
    .mr = MR,
    .products = {[ALIGN_PRECISION_F32] = &f32_product,
                 [ALIGN_PRECISION_BF16] = &bf16_product,
                 [ALIGN_PRECISION_INT8] = &int8_product},
    .gemm = gemm,
    .depthwise = depthwise,
    .activate = activate,
    .activate_roughly = activate,
    .activate_backward = activate_backward,
    .axpy = axpy,
    .dot = dot,
    .add = add,
    .multiply = multiply,
    .dropout = dropout,
    .transpose = transpose,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .column_sum = column_sum,
    .column_max = column_max,
    .adam = adam,
    .adam_moments = adam_moments,
    .adam_step = adam_step,
    .pixels = &al_pixel_kernels_ref,
    .channels = &al_channel_kernels_ref,
    .f16 = &al_narrow_f16_ref,
    .s8 = &al_narrow_s8_ref,
    .peak = peak,
    .peak_lanes = NR,
};
