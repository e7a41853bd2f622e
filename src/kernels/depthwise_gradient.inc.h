/*
 * depthwise_gradient.inc.h: the gradients of a depthwise convolution of one panel of NR channels, in the words of
 * simd_*.h and with `inside` of depthwise.inc.h.
 *
 * One vector of channels runs down all rows. Of the weights' gradient, one kernel row at a time is in registers, two
 * sums a tap, while a row of outputs passes by; rows are added up one after the other.
 */

/* dout's row y and the input row that kernel row i meets there. */
typedef struct gradient_row {
    const float *dout, *in; /* in: at the column of output 0's tap 0, which may lie before the row */
    size_t columns;         /* outputs of the row */
} gradient_row;

/* sum[j] += dout[x] in[x stride + j] for x in [begin, end), whose taps are all inside; kernel taps */
static inline __attribute__((always_inline)) void meet_whole(const size_t kernel, const size_t stride,
                                                             const gradient_row *row, size_t begin, size_t end, vf *sum)
{
    vf even[BLOCK_KERNEL], odd[BLOCK_KERNEL];
    UNROLL
    for (size_t j = 0; j < kernel; j++)
        even[j] = odd[j] = v_zero();
    size_t x = begin;
    for (; x + 2 <= end; x += 2) {
        const vf first = v_load(row->dout + x * NR), second = v_load(row->dout + (x + 1) * NR);
        const float *in = row->in + x * stride * NR;
        UNROLL
        for (size_t j = 0; j < kernel; j++) {
            even[j] = v_fma(first, v_load(in + j * NR), even[j]);
            odd[j] = v_fma(second, v_load(in + (j + stride) * NR), odd[j]);
        }
    }
    for (; x < end; x++) {
        const vf first = v_load(row->dout + x * NR);
        UNROLL
        for (size_t j = 0; j < kernel; j++)
            even[j] = v_fma(first, v_load(row->in + (x * stride + j) * NR), even[j]);
    }
    UNROLL
    for (size_t j = 0; j < kernel; j++)
        sum[j] = v_add(sum[j], v_add(even[j], odd[j]));
}

/* The same for any kernel and any columns: taps outside are passed over; the sums are in memory. */
static void meet_any(const al_depthwise_gradient *g, const gradient_row *row, size_t begin, size_t end, float *sum)
{
    for (size_t x = begin; x < end; x++) {
        const ptrdiff_t u = (ptrdiff_t)(x * g->stride) - g->left;
        size_t first, last;
        inside(u, g->kernel, g->in_columns, &first, &last);
        const vf dout = v_load(row->dout + x * NR);
        for (size_t j = first; j < last; j++) {
            const vf in = v_load(row->in + (ptrdiff_t)((x * g->stride + j) * NR));
            v_store(sum + j * NR, v_fma(dout, in, v_load(sum + j * NR)));
        }
    }
}

/* The outputs of a row whose taps are all inside: [*begin, *end). */
static void whole_columns(const al_depthwise_gradient *g, size_t *begin, size_t *end)
{
    const ptrdiff_t stride = (ptrdiff_t)g->stride, columns = (ptrdiff_t)g->out_columns;
    const ptrdiff_t room = (ptrdiff_t)g->in_columns + g->left - (ptrdiff_t)g->kernel; /* the last window's start */
    ptrdiff_t lo = g->left > 0 ? (g->left + stride - 1) / stride : 0, hi = room < 0 ? 0 : room / stride + 1;
    lo = lo < columns ? lo : columns;
    hi = hi < columns ? hi : columns;
    *begin = (size_t)lo;
    *end = (size_t)(hi > lo ? hi : lo);
}

static inline __attribute__((always_inline)) void weight_rows(const al_depthwise_gradient *g, const bool registers,
                                                              const size_t kernel, const size_t stride, size_t channel)
{
    size_t begin = 0, end = 0;
    if (registers)
        whole_columns(g, &begin, &end);
    for (size_t i = 0; i < kernel; i++) {
        float *sum = g->dweight + i * kernel * NR + channel;
        for (size_t y = 0; y < g->out_rows; y++) {
            const ptrdiff_t v = (ptrdiff_t)(y * stride + i) - g->top;
            if (v < 0 || v >= (ptrdiff_t)g->in_rows)
                continue;
            const ptrdiff_t at = (v * (ptrdiff_t)g->in_columns - g->left) * NR + (ptrdiff_t)channel;
            const gradient_row row = {g->dout + y * g->out_columns * NR + channel, g->in + at, g->out_columns};
            meet_any(g, &row, 0, begin, sum);
            if (registers) {
                vf taps[BLOCK_KERNEL];
                UNROLL
                for (size_t j = 0; j < kernel; j++)
                    taps[j] = v_load(sum + j * NR);
                meet_whole(kernel, stride, &row, begin, end, taps);
                UNROLL
                for (size_t j = 0; j < kernel; j++)
                    v_store(sum + j * NR, taps[j]);
            }
            meet_any(g, &row, end, g->out_columns, sum);
        }
    }
}

static void depthwise_weight(const al_depthwise_gradient *g)
{
    for (size_t channel = 0; channel < g->channels; channel += VL)
        if (g->kernel == 3 && g->stride == 1)
            weight_rows(g, true, 3, 1, channel);
        else if (g->kernel == 3 && g->stride == 2)
            weight_rows(g, true, 3, 2, channel);
        else if (g->kernel == 5 && g->stride == 1)
            weight_rows(g, true, 5, 1, channel);
        else if (g->kernel == 5 && g->stride == 2)
            weight_rows(g, true, 5, 2, channel);
        else
            weight_rows(g, false, g->kernel, g->stride, channel);
}

/*
 * The outputs along one axis that see input v: those y with v = y stride + i - before for a tap i, of which the first
 * is `first` with tap `tap`; from one to the next the tap falls by stride.
 */
typedef struct seen_by {
    size_t first, tap, count;
} seen_by;

static seen_by who_sees(size_t v, ptrdiff_t before, size_t kernel, size_t stride, size_t outputs)
{
    const ptrdiff_t at = (ptrdiff_t)v + before, s = (ptrdiff_t)stride, k = (ptrdiff_t)kernel; /* at = y s + i */
    ptrdiff_t y = at < k ? 0 : (at - k) / s + 1, last = at < 0 ? -1 : at / s;
    last = last < (ptrdiff_t)outputs - 1 ? last : (ptrdiff_t)outputs - 1;
    if (last < y)
        return (seen_by){0, 0, 0};
    return (seen_by){(size_t)y, (size_t)(at - y * s), (size_t)(last - y + 1)};
}

static void depthwise_input(const al_depthwise_gradient *g)
{
    for (size_t v = 0; v < g->in_rows; v++) {
        const seen_by rows = who_sees(v, g->top, g->kernel, g->stride, g->out_rows);
        for (size_t u = 0; u < g->in_columns; u++) {
            const seen_by columns = who_sees(u, g->left, g->kernel, g->stride, g->out_columns);
            for (size_t channel = 0; channel < g->channels; channel += VL) {
                vf sum = v_zero();
                for (size_t i = 0; i < rows.count; i++) {
                    const float *dout = g->dout + ((rows.first + i) * g->out_columns + columns.first) * NR + channel;
                    const float *weight = g->weight + (rows.tap - i * g->stride) * g->kernel * NR + channel;
                    for (size_t j = 0; j < columns.count; j++)
                        sum = v_fma(v_load(dout + j * NR), v_load(weight + (columns.tap - j * g->stride) * NR), sum);
                }
                v_store(g->din + (v * g->in_columns + u) * NR + channel, sum);
            }
        }
    }
}
