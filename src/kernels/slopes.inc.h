/*
 * slopes.inc.h: the derivatives of the activations on vectors, in the words of simd_*.h and math.inc.h. Errors are a
 * few ulp of the largest slope, which is about 1.
 */

/* x held to [-87, 87], where e^x is neither 0 nor infinite; NaN stays NaN. */
static inline vf v_hold(vf x)
{
    return v_max(v_set(-87.0f), v_min(v_set(87.0f), x));
}

/* sigmoid(x) and 1 - sigmoid(x), neither of which cancels, of an x that is held. */
typedef struct vf_sigmoid {
    vf value, rest;
} vf_sigmoid;

static inline vf_sigmoid v_sigmoid_and_rest(vf x)
{
    const vf_exp e = v_exp_parts(x, -1.0f);
    const vf minus = v_mul(e.factor, e.power), value = v_div(v_set(1.0f), v_add(v_set(1.0f), minus));
    return (vf_sigmoid){value, v_mul(minus, value)};
}

/* d/dx x sigmoid(u(x)) = s + x s (1 - s) u'(x), given u and x u' */
static inline vf v_gated_slope(vf u, vf x_times_slope)
{
    const vf_sigmoid s = v_sigmoid_and_rest(u);
    return v_mul(s.value, v_fma(x_times_slope, s.rest, v_set(1.0f)));
}

/* e^(-x^2 / 2) / sqrt(2 pi) */
static inline vf v_normal_density(vf x)
{
    const vf a = v_min(v_set(NORMAL_END), v_abs(x));
    const vf_exp e = v_exp_parts(v_mul(v_mul(v_set(0.5f), a), a), -1.0f);
    return v_mul(v_mul(v_set(0.398942280f), e.factor), e.power);
}

static inline vf v_gelu_slope(vf x)
{
    const vf near = v_max(v_set(-NORMAL_END), v_min(v_set(NORMAL_END), x));
    return v_fma(near, v_normal_density(near), v_normal_cdf(near));
}

/* From about 9.9 on it is 0 or 1, and the arguments stay within 87. */
static inline vf v_gelu_tanh_slope(vf x, float scale)
{
    const vf near = v_max(v_set(-9.9f), v_min(v_set(9.9f), x)), twice = v_mul(v_set(2.0f * scale), near);
    const vf square = v_mul(v_mul(v_set(0.044715f), near), near);
    return v_gated_slope(v_mul(twice, v_add(v_set(1.0f), square)),
                         v_mul(twice, v_fma(v_set(3.0f), square, v_set(1.0f))));
}

/* See ref.c. 1 - t^2 is 4 (w + 1) / (w + 2)^2. */
static inline vf v_mish_slope(vf x)
{
    const vf e = v_exp(v_min(v_set(20.0f), x)), w = v_mul(e, v_add(e, v_set(2.0f)));
    const vf share = v_div(v_set(1.0f), v_add(w, v_set(2.0f)));
    const vf rest = v_mul(v_mul(v_set(4.0f), v_add(w, v_set(1.0f))), v_mul(share, share));
    const vf slope = v_fma(v_silu(x), rest, v_mul(w, share));
    return v_where_less(v_set(20.0f), x, v_set(1.0f), slope);
}

/* act'(x) of one vector; act is a constant at each place this is inlined into. */
static inline __attribute__((always_inline)) vf v_slope(const align_activation act, vf x)
{
    const vf zero = v_zero(), one = v_set(1.0f);
    switch (act) {
    case ALIGN_ACT_GELU:
        return v_gelu_slope(x);
    case ALIGN_ACT_GELU_10:
        return v_where_less(v_set(10.0f), x, zero, v_gelu_slope(x));
    case ALIGN_ACT_GELU_NEW:
        return v_gelu_tanh_slope(x, 0.79788456f);
    case ALIGN_ACT_GELU_FAST:
        return v_gelu_tanh_slope(x, 0.7978845608f);
    case ALIGN_ACT_QUICK_GELU: {
        const vf u = v_hold(v_mul(v_set(1.702f), x));
        return v_gated_slope(u, u);
    }
    case ALIGN_ACT_LAPLACE: {
        const float steepness = (float)(1.0 / 0.282095);
        return v_mul(v_set(steepness), v_normal_density(v_mul(v_sub(x, v_set(0.707107f)), v_set(steepness))));
    }
    case ALIGN_ACT_LEAKY_RELU:
        return v_where_less(zero, x, one, v_set(0.01f));
    case ALIGN_ACT_MISH:
        return v_mish_slope(x);
    case ALIGN_ACT_RELU:
        return v_where_less(zero, x, one, zero);
    case ALIGN_ACT_RELU2:
        return v_mul(v_set(2.0f), v_relu(x));
    case ALIGN_ACT_RELU6:
        return v_where_less(zero, x, v_where_less(x, v_set(6.0f), one, zero), zero);
    case ALIGN_ACT_SELU:
        return v_mul(v_set(1.05070099f), v_where_less(zero, x, one, v_mul(v_set(1.67326324f), v_exp(v_min(zero, x)))));
    case ALIGN_ACT_SIGMOID: {
        const vf_sigmoid s = v_sigmoid_and_rest(v_hold(x));
        return v_mul(s.value, s.rest);
    }
    case ALIGN_ACT_SILU: {
        const vf u = v_hold(x);
        return v_gated_slope(u, u);
    }
    case ALIGN_ACT_TANH: {
        const vf t = v_tanh(x);
        return v_fnma(t, t, one);
    }
    case ALIGN_ACT_LINEAR:
    case ALIGN_ACT_COUNT:
        break;
    }
    return one;
}

static inline __attribute__((always_inline)) void slopes_of(const align_activation act, size_t n, const float *x,
                                                            const float *dy, float *dx)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(dx + i, v_mul(v_load(dy + i), v_slope(act, v_load(x + i))));
    if (i < n)
        store_tail(n - i, dx + i, v_mul(load_tail(n - i, dy + i, 0.0f), v_slope(act, load_tail(n - i, x + i, 0.0f))));
}

static void activate_backward(align_activation act, size_t n, const float *x, const float *dy, float *dx)
{
    switch (act) {
#define CASE(name)                     \
    case name:                         \
        slopes_of(name, n, x, dy, dx); \
        break;
        CASE(ALIGN_ACT_LINEAR)
        FOR_ACTIVATIONS(CASE)
#undef CASE
    case ALIGN_ACT_COUNT:
        break;
    }
}
