/*
 * depthwise.inc.h: the depthwise convolution of one panel of NR channels, in the words of simd_*.h.
 *
 * A run of PIXELS neighbouring outputs shares each weight vector. Pixels whose window leaves the picture are computed
 * one at a time with the taps that exist; taps are added in the same order either way.
 */
#define PIXELS 4

/* The taps [first, last) of one axis that fall inside [0, size) for the window that starts at `start`. */
static inline void inside(ptrdiff_t start, size_t kernel, size_t size, size_t *first, size_t *last)
{
    const ptrdiff_t k = (ptrdiff_t)kernel, n = (ptrdiff_t)size;
    ptrdiff_t lo = start < 0 ? -start : 0, hi = n - start < k ? n - start : k;
    if (lo > k)
        lo = k;
    if (hi < lo)
        hi = lo;
    *first = (size_t)lo;
    *last = (size_t)hi;
}

/* `pixels` outputs from (y, x) on, one vector of channels, taps i in [i0, i1) and j in [j0, j1). */
static inline __attribute__((always_inline)) void depthwise_run(const al_depthwise *d, const size_t pixels,
                                                                const size_t kernel, size_t y, size_t x, size_t i0,
                                                                size_t i1, size_t j0, size_t j1, size_t channel)
{
    vf sum[PIXELS];
    for (size_t t = 0; t < pixels; t++)
        sum[t] = v_load(d->bias + channel);
    const ptrdiff_t v = (ptrdiff_t)(y * d->stride) - d->top, u = (ptrdiff_t)(x * d->stride) - d->left;
    for (size_t i = i0; i < i1; i++) {
        const float *in = d->in + ((v + (ptrdiff_t)i) * (ptrdiff_t)d->in_columns + u) * NR + channel;
        const float *weight = d->weight + i * kernel * NR + channel;
        for (size_t j = j0; j < j1; j++) {
            const vf w = v_load(weight + j * NR);
            UNROLL
            for (size_t t = 0; t < pixels; t++)
                sum[t] = v_fma(v_load(in + (j + t * d->stride) * NR), w, sum[t]);
        }
    }
    for (size_t t = 0; t < pixels; t++)
        v_store(d->out + (y * d->out_columns + x + t) * NR + channel, sum[t]);
}

static inline __attribute__((always_inline)) void depthwise_rows(const al_depthwise *d, const size_t kernel,
                                                                 size_t row_begin, size_t row_end)
{
    for (size_t y = row_begin; y < row_end; y++) {
        size_t i0, i1;
        inside((ptrdiff_t)(y * d->stride) - d->top, kernel, d->in_rows, &i0, &i1);
        for (size_t channel = 0; channel < NR; channel += VL)
            for (size_t x = 0; x < d->out_columns;) {
                size_t j0, j1, end0, end1;
                inside((ptrdiff_t)(x * d->stride) - d->left, kernel, d->in_columns, &j0, &j1);
                inside((ptrdiff_t)((x + PIXELS - 1) * d->stride) - d->left, kernel, d->in_columns, &end0, &end1);
                if (x + PIXELS <= d->out_columns && j0 == 0 && j1 == kernel && end0 == 0 && end1 == kernel) {
                    depthwise_run(d, PIXELS, kernel, y, x, i0, i1, 0, kernel, channel);
                    x += PIXELS;
                } else {
                    depthwise_run(d, 1, kernel, y, x, i0, i1, j0, j1, channel);
                    x++;
                }
            }
        activate(d->act, d->out_columns * NR, d->out + y * d->out_columns * NR);
    }
}

static void depthwise(const al_depthwise *d, size_t row_begin, size_t row_end)
{
    switch (d->kernel) {
    case 3:
        depthwise_rows(d, 3, row_begin, row_end);
        break;
    case 5:
        depthwise_rows(d, 5, row_begin, row_end);
        break;
    default:
        depthwise_rows(d, d->kernel, row_begin, row_end);
    }
}
