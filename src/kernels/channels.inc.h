/*
 * channels.inc.h: the kernels of channels.h, in the words of simd_*.h.
 *
 * Rows are taken a stretch at a time that fits in L1: one vector of channels runs down its rows, then the next. Sums
 * begin at zero in each stretch, so that long ones lose no more than short ones. act is a constant in what is compiled
 * for silu, which the paper's towers have, and for none; the others are chosen row by row.
 */

/* Floats of a stretch. */
#define STRETCH ((size_t)2048)

/* Vectors whose channels end inside them are loaded and stored by halves that exist. */
static inline vf load_channels(const size_t lanes, const float *x)
{
    return lanes == VL ? v_load(x) : load_tail(lanes, x, 0.0f);
}

static inline void store_channels(const size_t lanes, float *x, vf v)
{
    if (lanes == VL)
        v_store(x, v);
    else
        store_tail(lanes, x, v);
}

static inline void add_to_channels(const size_t lanes, float *x, vf v)
{
    store_channels(lanes, x, v_add(load_channels(lanes, x), v));
}

static inline size_t stretch_rows(size_t n)
{
    return STRETCH / n > 8 ? STRETCH / n : 8;
}

/* What a vector of channels knows. */
typedef struct norm_vector {
    vf scale, shift, gate, extra, mean, slope, offset;
} norm_vector;

static inline vf load_or(const size_t lanes, const float *x, size_t channel, float other)
{
    return x ? load_channels(lanes, x + channel) : v_set(other);
}

static inline norm_vector norm_at(const al_norm_act *p, const size_t lanes, size_t channel)
{
    return (norm_vector){.scale = load_channels(lanes, p->scale + channel),
                         .shift = load_channels(lanes, p->shift + channel),
                         .gate = load_or(lanes, p->gate, channel, 1.0f),
                         .extra = load_or(lanes, p->extra, channel, 0.0f),
                         .mean = load_or(lanes, p->mean, channel, 0.0f),
                         .slope = load_or(lanes, p->slope, channel, 0.0f),
                         .offset = load_or(lanes, p->offset, channel, 0.0f)};
}

/* act(z) and act'(z), which share what they can. */
typedef struct vf_activated {
    vf value, slope;
} vf_activated;

static inline __attribute__((always_inline)) vf_activated v_activated(const align_activation act, vf z)
{
    if (act != ALIGN_ACT_SILU)
        return (vf_activated){v_activation(act, z), v_slope(act, z)};
    const vf held = v_hold(z);
    const vf_sigmoid s = v_sigmoid_and_rest(held);
    return (vf_activated){v_mul(z, s.value), v_mul(s.value, v_fma(held, s.rest, v_set(1.0f)))};
}

/* ---- moments ---- */

/* Four sums at a time: one alone would wait for itself. */
static inline __attribute__((always_inline)) void moments_of(const size_t lanes, size_t rows, size_t stride,
                                                             const float *x, float *mean, float *squares)
{
    vf sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        for (size_t i = 0; i < 4; i++)
            sum[i] = v_add(sum[i], load_channels(lanes, x + (r + i) * stride));
    for (; r < rows; r++)
        sum[0] = v_add(sum[0], load_channels(lanes, x + r * stride));
    const vf total = v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3]));
    const vf m = v_mul(total, v_set(1.0f / (float)rows));
    for (size_t i = 0; i < 4; i++)
        sum[i] = v_zero();
    for (r = 0; r + 4 <= rows; r += 4)
        for (size_t i = 0; i < 4; i++) {
            const vf u = v_sub(load_channels(lanes, x + (r + i) * stride), m);
            sum[i] = v_fma(u, u, sum[i]);
        }
    for (; r < rows; r++) {
        const vf u = v_sub(load_channels(lanes, x + r * stride), m);
        sum[0] = v_fma(u, u, sum[0]);
    }
    store_channels(lanes, mean, m);
    store_channels(lanes, squares, v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

static void moments(size_t rows, size_t n, size_t stride, const float *x, float *mean, float *squares)
{
    size_t c = 0;
    for (; c + VL <= n; c += VL)
        moments_of(VL, rows, stride, x + c, mean + c, squares + c);
    if (c < n)
        moments_of(n - c, rows, stride, x + c, mean + c, squares + c);
}

/* ---- norm and activation ---- */

/* What a function of this file does to one vector of channels of `rows` rows that begin at x, y and z. */
typedef struct channel_rows {
    const al_norm_act *p;
    size_t rows;
    const float *x, *dy;
    float *out;
    float *sums[5];
} channel_rows;

static inline __attribute__((always_inline)) void forward_rows(const align_activation act, const size_t lanes,
                                                               const channel_rows *w, size_t c)
{
    const norm_vector v = norm_at(w->p, lanes, c);
    vf sum = v_zero();
    for (size_t i = c; i < w->rows * w->p->stride; i += w->p->stride) {
        vf y = v_activation(act, v_fma(v.scale, load_channels(lanes, w->x + i), v.shift));
        y = v_mul(y, v.gate);
        store_channels(lanes, w->out + i, y);
        sum = v_add(sum, y);
    }
    if (w->sums[0])
        add_to_channels(lanes, w->sums[0] + c, sum);
}

static inline __attribute__((always_inline)) vf v_dz(const align_activation act, const norm_vector *v, vf x, vf dy)
{
    return v_mul(v_fma(dy, v->gate, v->extra), v_slope(act, v_fma(v->scale, x, v->shift)));
}

static inline __attribute__((always_inline)) void sums_rows(const align_activation act, const size_t lanes,
                                                            const channel_rows *w, size_t c)
{
    const norm_vector v = norm_at(w->p, lanes, c);
    vf sum = v_zero(), u_sum = v_zero();
    for (size_t i = c; i < w->rows * w->p->stride; i += w->p->stride) {
        const vf x = load_channels(lanes, w->x + i), dz = v_dz(act, &v, x, load_channels(lanes, w->dy + i));
        store_channels(lanes, w->out + i, dz);
        sum = v_add(sum, dz);
        u_sum = v_fma(dz, v_sub(x, v.mean), u_sum);
    }
    add_to_channels(lanes, w->sums[0] + c, sum);
    add_to_channels(lanes, w->sums[1] + c, u_sum);
}

static inline __attribute__((always_inline)) void gate_sums_rows(const align_activation act, const size_t lanes,
                                                                 const channel_rows *w, size_t c)
{
    const norm_vector v = norm_at(w->p, lanes, c);
    vf sum[5] = {v_zero(), v_zero(), v_zero(), v_zero(), v_zero()};
    for (size_t i = c; i < w->rows * w->p->stride; i += w->p->stride) {
        const vf x = load_channels(lanes, w->x + i), dy = load_channels(lanes, w->dy + i), u = v_sub(x, v.mean);
        const vf_activated h = v_activated(act, v_fma(v.scale, x, v.shift));
        const vf dy_slope = v_mul(dy, h.slope);
        sum[0] = v_fma(dy, h.value, sum[0]);
        sum[1] = v_add(sum[1], dy_slope);
        sum[2] = v_add(sum[2], h.slope);
        sum[3] = v_fma(dy_slope, u, sum[3]);
        sum[4] = v_fma(h.slope, u, sum[4]);
    }
    for (size_t i = 0; i < 5; i++)
        add_to_channels(lanes, w->sums[i] + c, sum[i]);
}

static inline __attribute__((always_inline)) void backward_rows(const align_activation act, const size_t lanes,
                                                                const channel_rows *w, size_t c)
{
    const norm_vector v = norm_at(w->p, lanes, c);
    for (size_t i = c; i < w->rows * w->p->stride; i += w->p->stride) {
        const vf x = load_channels(lanes, w->x + i), dz = v_dz(act, &v, x, load_channels(lanes, w->dy + i));
        const vf rest = v_fma(v.slope, v_sub(x, v.mean), v.offset);
        store_channels(lanes, w->out + i, v_fma(v.scale, dz, rest));
    }
}

typedef void (*rows_function)(const channel_rows *w);

/* All channels of some rows, for one activation. */
#define ROWS_AS(name, body, act)            \
    static void name(const channel_rows *w) \
    {                                       \
        size_t c = 0;                       \
        for (; c + VL <= w->p->n; c += VL)  \
            body(act, VL, w, c);            \
        if (c < w->p->n)                    \
            body(act, w->p->n - c, w, c);   \
    }
/* clang-format off */
#define ROWS(body)                                                 \
    ROWS_AS(body##_none, body, ALIGN_ACT_LINEAR)                   \
    ROWS_AS(body##_silu, body, ALIGN_ACT_SILU)                     \
    ROWS_AS(body##_any, body, w->p->act)
ROWS(forward_rows)
ROWS(sums_rows)
ROWS(gate_sums_rows)
ROWS(backward_rows)
#define FUNCTION_FOR(body, act)                                    \
    ((act) == ALIGN_ACT_LINEAR ? body##_none : (act) == ALIGN_ACT_SILU ? body##_silu : body##_any)
/* clang-format on */

/* Stretch by stretch. */
static void for_stretches(rows_function function, channel_rows w)
{
    const size_t stretch = stretch_rows(w.p->n), rows = w.rows, stride = w.p->stride;
    for (size_t row = 0; row < rows; row += stretch) {
        channel_rows part = w;
        part.rows = rows - row < stretch ? rows - row : stretch;
        part.x += row * stride;
        part.dy = w.dy ? w.dy + row * stride : NULL;
        part.out = w.out ? w.out + row * stride : NULL;
        function(&part);
    }
}

static void norm_act(const al_norm_act *p, size_t rows, const float *x, float *y, float *sums)
{
    for_stretches(FUNCTION_FOR(forward_rows, p->act), (channel_rows){p, rows, x, NULL, y, {sums}});
}

static void norm_act_sums(const al_norm_act *p, size_t rows, const float *x, const float *dy, float *dz, float *dz_sum,
                          float *dz_u_sum)
{
    for_stretches(FUNCTION_FOR(sums_rows, p->act), (channel_rows){p, rows, x, dy, dz, {dz_sum, dz_u_sum}});
}

static void gate_sums(const al_norm_act *p, size_t rows, const float *x, const float *dy, const al_gate_sums *s)
{
    for_stretches(FUNCTION_FOR(gate_sums_rows, p->act),
                  (channel_rows){p, rows, x, dy, NULL, {s->dy_h, s->dy_slope, s->slope, s->dy_slope_u, s->slope_u}});
}

static void norm_act_backward(const al_norm_act *p, size_t rows, const float *x, const float *dy, float *dx)
{
    for_stretches(FUNCTION_FOR(backward_rows, p->act), (channel_rows){p, rows, x, dy, dx, {NULL}});
}

static const al_channel_kernels channel_kernels = {
    .moments = moments,
    .norm_act = norm_act,
    .norm_act_sums = norm_act_sums,
    .gate_sums = gate_sums,
    .norm_act_backward = norm_act_backward,
    .depthwise_weight = depthwise_weight,
    .depthwise_input = depthwise_input,
};
