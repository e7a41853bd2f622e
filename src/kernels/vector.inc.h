/* vector.inc.h: loops over rows, in the words of simd_*.h. */

static void axpy(size_t n, float a, const float *x, float *y)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, v_fma(v_set(a), v_load(x + i), v_load(y + i)));
    for (; i < n; i++)
        y[i] += a * x[i];
}

static float dot(size_t n, const float *x, const float *y)
{
    vf sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    size_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (size_t j = 0; j < 4; j++)
            sum[j] = v_fma(v_load(x + i + j * VL), v_load(y + i + j * VL), sum[j]);
    for (; i + VL <= n; i += VL)
        sum[0] = v_fma(v_load(x + i), v_load(y + i), sum[0]);
    float total = v_sum(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
    for (; i < n; i++)
        total += x[i] * y[i];
    return total;
}

static void add(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, v_add(v_load(x + i), v_load(y + i)));
    for (; i < n; i++)
        y[i] += x[i];
}

static void multiply(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, v_mul(v_load(x + i), v_load(y + i)));
    for (; i < n; i++)
        y[i] *= x[i];
}

static void transpose(size_t rows, size_t columns, const float *x, size_t x_stride, float *y, size_t y_stride)
{
    const size_t whole_rows = rows / VL * VL, whole_columns = columns / VL * VL;
    for (size_t r = 0; r < whole_rows; r += VL)
        for (size_t c = 0; c < whole_columns; c += VL) {
            vf block[VL];
            for (size_t i = 0; i < VL; i++)
                block[i] = v_load(x + (r + i) * x_stride + c);
            v_transpose(block);
            for (size_t i = 0; i < VL; i++)
                v_store(y + (c + i) * y_stride + r, block[i]);
        }
    for (size_t c = 0; c < columns; c++)
        for (size_t r = c < whole_columns ? whole_rows : 0; r < rows; r++)
            y[c * y_stride + r] = x[r * x_stride + c];
}

/* y = scale x + addend; gives the largest. */
static inline float scale_scores(size_t n, float scale, const float *addend, float *x)
{
    const float low = -__builtin_inff();
    const size_t whole = n / VL * VL, left = n - whole;
    vf max = v_set(low);
    for (size_t i = 0; i < whole; i += VL) {
        const vf y = v_fma(v_load(x + i), v_set(scale), addend ? v_load(addend + i) : v_zero());
        v_store(x + i, y);
        max = v_max(y, max);
    }
    if (left) {
        const vf added = addend ? load_tail(left, addend + whole, 0.0f) : v_zero();
        store_tail(left, x + whole, v_fma(load_tail(left, x + whole, 0.0f), v_set(scale), added));
        max = v_max(load_tail(left, x + whole, low), max);
    }
    return v_largest(max);
}

static void softmax(size_t n, float scale, const float *addend, float *x)
{
    const size_t whole = n / VL * VL, left = n - whole;
    const vf max = v_set(scale_scores(n, scale, addend, x));
    vf sum = v_zero();
    for (size_t i = 0; i < whole; i += VL) {
        const vf e = v_exp(v_sub(v_load(x + i), max));
        v_store(x + i, e);
        sum = v_add(sum, e);
    }
    if (left) {
        const vf e = v_exp(v_sub(load_tail(left, x + whole, -__builtin_inff()), max));
        store_tail(left, x + whole, e);
        sum = v_add(sum, e);
    }
    const float share = 1.0f / v_sum(sum);
    for (size_t i = 0; i < whole; i += VL)
        v_store(x + i, v_mul(v_load(x + i), v_set(share)));
    for (size_t i = whole; i < n; i++)
        x[i] *= share;
}

static void softmax_backward(size_t n, const float *y, const float *dy, float *dx)
{
    const float sum = dot(n, y, dy);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(dx + i, v_mul(v_load(y + i), v_sub(v_load(dy + i), v_set(sum))));
    for (; i < n; i++)
        dx[i] = y[i] * (dy[i] - sum);
}

/* Of a row: its mean, and 1 / sqrt(var + eps). */
typedef struct row_statistics {
    float mean, scale;
} row_statistics;

static row_statistics statistics_of(size_t n, float eps, const float *x)
{
    const size_t whole = n / VL * VL;
    vf sum = v_zero();
    for (size_t i = 0; i < whole; i += VL)
        sum = v_add(sum, v_load(x + i));
    float total = v_sum(sum);
    for (size_t i = whole; i < n; i++)
        total += x[i];
    const float mean = total / (float)n;

    sum = v_zero();
    for (size_t i = 0; i < whole; i += VL) {
        const vf d = v_sub(v_load(x + i), v_set(mean));
        sum = v_fma(d, d, sum);
    }
    float squares = v_sum(sum);
    for (size_t i = whole; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return (row_statistics){mean, 1.0f / __builtin_sqrtf(squares / (float)n + eps)};
}

static void layer_norm(size_t n, float eps, const float *x, const float *weight, const float *bias, float *y)
{
    const size_t whole = n / VL * VL;
    const row_statistics s = statistics_of(n, eps, x);
    for (size_t i = 0; i < whole; i += VL) {
        const vf d = v_mul(v_sub(v_load(x + i), v_set(s.mean)), v_set(s.scale));
        v_store(y + i, v_fma(d, v_load(weight + i), v_load(bias + i)));
    }
    for (size_t i = whole; i < n; i++)
        y[i] = (x[i] - s.mean) * s.scale * weight[i] + bias[i];
}

static void layer_norm_backward(size_t n, float eps, const float *x, const float *weight, const float *dy, float *dx,
                                float *dweight, float *dbias)
{
    const size_t whole = n / VL * VL;
    const row_statistics s = statistics_of(n, eps, x);
    vf sum = v_zero(), product = v_zero();
    for (size_t i = 0; i < whole; i += VL) {
        const vf g = v_mul(v_load(dy + i), v_load(weight + i));
        sum = v_add(sum, g);
        product = v_fma(g, v_mul(v_sub(v_load(x + i), v_set(s.mean)), v_set(s.scale)), product);
    }
    float g = v_sum(sum), gz = v_sum(product); /* the means of g and g z */
    for (size_t i = whole; i < n; i++) {
        g += dy[i] * weight[i];
        gz += dy[i] * weight[i] * (x[i] - s.mean) * s.scale;
    }
    g /= (float)n;
    gz /= (float)n;

    for (size_t i = 0; i < whole; i += VL) {
        const vf z = v_mul(v_sub(v_load(x + i), v_set(s.mean)), v_set(s.scale)), d = v_load(dy + i);
        v_store(dweight + i, v_fma(d, z, v_load(dweight + i)));
        v_store(dbias + i, v_add(d, v_load(dbias + i)));
        const vf centred = v_sub(v_mul(d, v_load(weight + i)), v_set(g));
        v_store(dx + i, v_mul(v_fnma(z, v_set(gz), centred), v_set(s.scale)));
    }
    for (size_t i = whole; i < n; i++) {
        const float z = (x[i] - s.mean) * s.scale, d = dy[i];
        dweight[i] += d * z;
        dbias[i] += d;
        dx[i] = (d * weight[i] - g - z * gz) * s.scale;
    }
}

/* Columns are few and rows many: one vector of columns at a time runs down the rows. */
static void column_sum(size_t rows, size_t n, size_t row_stride, const float *x, float *sum)
{
    size_t c = 0;
    for (; c + VL <= n; c += VL) {
        vf total = v_zero();
        for (size_t r = 0; r < rows; r++)
            total = v_add(total, v_load(x + r * row_stride + c));
        v_store(sum + c, total);
    }
    for (; c < n; c++) {
        float total = 0.0f;
        for (size_t r = 0; r < rows; r++)
            total += x[r * row_stride + c];
        sum[c] = total;
    }
}

static void column_max(size_t rows, size_t n, size_t row_stride, const float *x, float *max)
{
    for (size_t c = 0; c < n; c++)
        max[c] = x[c];
    for (size_t r = 1; r < rows; r++)
        for (size_t c = 0; c < n; c++) {
            const float v = x[r * row_stride + c];
            max[c] = v > max[c] || v != v ? v : max[c];
        }
}
