/*
 * depthwise.inc.h: the depthwise convolution of one panel of NR channels, in the words of simd_*.h.
 *
 * The kernels of the paper, 3 and 5 with strides 1 and 2, run in blocks: BLOCK neighbouring outputs stay in registers
 * while the columns that they see pass by, each loaded once a kernel row and multiplied into every output it belongs
 * to; silu and the sum over the picture are taken before the outputs are stored. Other kernels go pixel by pixel. Taps
 * are added in the same order everywhere.
 *
 * A vector of channels runs down all rows before the next begins, so that the rows it reads again are still in L1.
 */

/* Outputs of a block: 9 sums, 5 weights and a column fit in 16 registers, and 9 divides the sizes of the paper. */
#define BLOCK 9
/* The largest kernel of a block. */
#define BLOCK_KERNEL 5

#if defined(__clang__)
#define UNROLL_COLUMNS _Pragma("unroll")
#else
#define UNROLL_COLUMNS _Pragma("GCC unroll 32")
#endif

/* What the outputs of one row see, from one vector of channels on. */
typedef struct depthwise_row {
    const float *in;     /* the first input row inside the picture */
    const float *weight; /* the kernel row that meets it */
    size_t taps;         /* how many kernel rows meet one */
    vf bias;
    float *out;
} depthwise_row;

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

static inline depthwise_row row_at(const al_depthwise *d, size_t y, size_t channel)
{
    const ptrdiff_t v = (ptrdiff_t)(y * d->stride) - d->top;
    size_t first, last;
    inside(v, d->kernel, d->in_rows, &first, &last);
    return (depthwise_row){.in = d->in + (v + (ptrdiff_t)first) * (ptrdiff_t)(d->in_columns * d->in_pixel) + channel,
                           .weight = d->weight + first * d->kernel * NR + channel,
                           .taps = last - first,
                           .bias = v_load(d->bias + channel),
                           .out = d->out + y * d->out_columns * NR + channel};
}

/* Stores n <= most outputs, after silu if that is the activation, and returns their sum. */
static inline __attribute__((always_inline)) vf store_outputs(align_activation act, const size_t most, size_t n,
                                                              const vf *value, float *out)
{
    vf total = v_zero();
    UNROLL
    for (size_t t = 0; t < most; t++) {
        if (t >= n)
            continue;
        const vf y = act == ALIGN_ACT_SILU ? v_silu(value[t]) : value[t];
        v_store(out + t * NR, y);
        total = v_add(total, y);
    }
    return total;
}

/*
 * n <= BLOCK outputs from x on. whole: n is BLOCK and every column they see is inside the picture; otherwise columns
 * outside are passed over and outputs beyond n forgotten.
 */
static inline __attribute__((always_inline)) vf depthwise_block(const al_depthwise *d, const size_t pixel,
                                                                const size_t kernel, const size_t stride,
                                                                const bool whole, const depthwise_row *row, size_t x,
                                                                size_t n)
{
    const ptrdiff_t u = (ptrdiff_t)(x * stride) - d->left;
    const size_t in_row = d->in_columns * pixel, columns = (BLOCK - 1) * stride + kernel;
    const float *in = row->in + u * (ptrdiff_t)pixel, *weight = row->weight;
    size_t first, last; /* the columns inside */
    inside(u, columns, d->in_columns, &first, &last);
    vf sum[BLOCK];
    UNROLL
    for (size_t t = 0; t < BLOCK; t++)
        sum[t] = row->bias;
    for (size_t i = 0; i < row->taps; i++, in += in_row, weight += kernel * NR) {
        vf w[BLOCK_KERNEL];
        UNROLL
        for (size_t j = 0; j < kernel; j++)
            w[j] = v_load(weight + j * NR);
        UNROLL_COLUMNS
        for (size_t c = 0; c < columns; c++) {
            if (!whole && (c < first || c >= last))
                continue;
            const vf v = v_load(in + c * pixel);
            UNROLL
            for (size_t j = 0; j < kernel; j++)
                if (c >= j && (c - j) % stride == 0 && (c - j) / stride < BLOCK)
                    sum[(c - j) / stride] = v_fma(v, w[j], sum[(c - j) / stride]);
        }
    }
    return store_outputs(d->act, BLOCK, whole ? BLOCK : n, sum, row->out + x * NR);
}

/* As depthwise_block, for any kernel, stride and n. */
static vf depthwise_pixels(const al_depthwise *d, const depthwise_row *row, size_t x, size_t n)
{
    vf total = v_zero();
    for (size_t t = x; t < x + n; t++) {
        const ptrdiff_t u = (ptrdiff_t)(t * d->stride) - d->left;
        size_t first, last;
        inside(u, d->kernel, d->in_columns, &first, &last);
        const float *in = row->in + u * (ptrdiff_t)d->in_pixel, *weight = row->weight;
        vf sum = row->bias;
        for (size_t i = 0; i < row->taps; i++, in += d->in_columns * d->in_pixel, weight += d->kernel * NR)
            for (size_t j = first; j < last; j++)
                sum = v_fma(v_load(in + j * d->in_pixel), v_load(weight + j * NR), sum);
        total = v_add(total, store_outputs(d->act, 1, 1, &sum, row->out + t * NR));
    }
    return total;
}

/* Rows of one vector of channels. kernel and stride are constants where blocks are used. */
static inline __attribute__((always_inline)) void depthwise_rows(const al_depthwise *d, const size_t pixel,
                                                                 const bool blocks, const size_t kernel,
                                                                 const size_t stride, size_t row_begin, size_t row_end,
                                                                 size_t channel)
{
    vf total = d->sums ? v_load(d->sums + channel) : v_zero();
    for (size_t y = row_begin; y < row_end; y++) {
        const depthwise_row row = row_at(d, y, channel);
        for (size_t x = 0; x < d->out_columns; x += BLOCK) {
            const size_t n = d->out_columns - x < BLOCK ? d->out_columns - x : BLOCK;
            const ptrdiff_t u = (ptrdiff_t)(x * stride) - d->left, end = u + (ptrdiff_t)((BLOCK - 1) * stride + kernel);
            const bool whole = n == BLOCK && u >= 0 && end <= (ptrdiff_t)d->in_columns;
            total = v_add(total, !blocks ? depthwise_pixels(d, &row, x, n)
                                 : whole ? depthwise_block(d, pixel, kernel, stride, true, &row, x, n)
                                         : depthwise_block(d, pixel, kernel, stride, false, &row, x, n));
        }
    }
    if (d->sums && d->act == ALIGN_ACT_SILU)
        v_store(d->sums + channel, total);
}

/* Activations other than silu are taken of the stored rows. */
static void finish_rows(const al_depthwise *d, size_t row_begin, size_t row_end)
{
    const size_t row = d->out_columns * NR;
    activate(d->act, (row_end - row_begin) * row, d->out + row_begin * row);
    for (size_t channel = 0; d->sums && channel < d->channels; channel += VL)
        for (size_t y = row_begin; y < row_end; y++) {
            vf total = v_zero();
            for (size_t i = channel; i < row; i += NR)
                total = v_add(total, v_load(d->out + y * row + i));
            v_store(d->sums + channel, v_add(v_load(d->sums + channel), total));
        }
}

/* All vectors of channels, `pixel` floats from one pixel of in to the next: a constant where that is the usual. */
static inline __attribute__((always_inline)) void depthwise_channels(const al_depthwise *d, const size_t pixel,
                                                                     size_t row_begin, size_t row_end)
{
    for (size_t channel = 0; channel < d->channels; channel += VL)
        if (d->kernel == 3 && d->stride == 1)
            depthwise_rows(d, pixel, true, 3, 1, row_begin, row_end, channel);
        else if (d->kernel == 3 && d->stride == 2)
            depthwise_rows(d, pixel, true, 3, 2, row_begin, row_end, channel);
        else if (d->kernel == 5 && d->stride == 1)
            depthwise_rows(d, pixel, true, 5, 1, row_begin, row_end, channel);
        else if (d->kernel == 5 && d->stride == 2)
            depthwise_rows(d, pixel, true, 5, 2, row_begin, row_end, channel);
        else
            depthwise_rows(d, pixel, false, d->kernel, d->stride, row_begin, row_end, channel);
}

static void depthwise(const al_depthwise *d, size_t row_begin, size_t row_end)
{
    if (d->in_pixel == NR)
        depthwise_channels(d, NR, row_begin, row_end);
    else
        depthwise_channels(d, d->in_pixel, row_begin, row_end);
    if (d->act != ALIGN_ACT_SILU)
        finish_rows(d, row_begin, row_end);
}
