/*
 * math.inc.h: exp, erfc, tanh and the activations on vectors, in the words of simd_*.h. Errors are a few ulp; NaN goes
 * through. The polynomial of erfc is a least-squares fit of
 * erfc(z) e^(z^2) / t reweighted to equal relative error on [0, 10.5]; those of exp and tanh are Cephes'.
 */

/* e^r - 1 for |r| <= ln 2 / 2 */
static inline vf v_exp_minus_1_near_0(vf r)
{
    vf p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    return v_fma(p, v_mul(r, r), r);
}

/* e^x for x from -104 on: 2^n e^r with n = round(x / ln 2), r = x - n ln 2 in two steps, of which the first product is
 * exact. */
static inline vf v_exp_bounded(vf x)
{
    const vf n = v_round(v_mul(x, v_set(1.44269504f)));
    const vf r = v_fnma(n, v_set(-2.12194440e-4f), v_fnma(n, v_set(0.693359375f), x));
    return v_scale(v_add(v_exp_minus_1_near_0(r), v_set(1.0f)), n);
}

static inline vf v_exp(vf x)
{
    return v_exp_bounded(v_max(v_set(-104.0f), v_min(v_set(89.0f), x)));
}

/* 1 / (1 + e^-x). Below -87 the denominator is held, so that its reciprocal stays normal: the value is under 1e-37. */
static inline vf v_sigmoid(vf x)
{
    const vf held = v_max(v_set(-104.0f), v_min(v_set(87.0f), v_sub(v_zero(), x)));
    return v_reciprocal(v_add(v_exp_bounded(held), v_set(1.0f)));
}

/* erfc(z) for z >= 0: e^(-z^2) times a polynomial in t = 1 / (1 + 0.4 z), relative error 1e-7 (times z^2 ulp); 0
 * from 11. */
static inline vf v_erfc_positive(vf z)
{
    z = v_min(v_set(11.0f), z);
    const vf t = v_reciprocal(v_fma(v_set(0.4f), z, v_set(1.0f)));
    vf p = v_set(0.0421223082f);
    p = v_fma(p, t, v_set(-0.144569457f));
    p = v_fma(p, t, v_set(0.0928191468f));
    p = v_fma(p, t, v_set(0.0778047740f));
    p = v_fma(p, t, v_set(0.0868122727f));
    p = v_fma(p, t, v_set(0.190372735f));
    p = v_fma(p, t, v_set(0.202663675f));
    p = v_fma(p, t, v_set(0.226333961f));
    p = v_fma(p, t, v_set(0.225640655f));
    return v_mul(v_mul(p, t), v_exp(v_sub(v_zero(), v_mul(z, z))));
}

/* (1 + erf(z)) / 2 = erfc(-z) / 2 */
static inline vf v_normal_cdf(vf z)
{
    const vf tail = v_mul(v_set(0.5f), v_erfc_positive(v_abs(z)));
    return v_where_less(z, v_zero(), tail, v_sub(v_set(1.0f), tail));
}

/* An odd polynomial near 0, where 1 - 2 / (e^2x + 1) would cancel. */
static inline vf v_tanh(vf x)
{
    const vf z = v_mul(x, x);
    vf p = v_set(-5.70498872745e-3f);
    p = v_fma(p, z, v_set(2.06390887954e-2f));
    p = v_fma(p, z, v_set(-5.37397155531e-2f));
    p = v_fma(p, z, v_set(1.33314422036e-1f));
    p = v_fma(p, z, v_set(-3.33332819422e-1f));
    const vf near = v_fma(v_mul(p, z), x, x);
    const vf e = v_exp(v_min(v_set(40.0f), v_add(x, x)));
    const vf far = v_fnma(v_set(2.0f), v_reciprocal(v_add(e, v_set(1.0f))), v_set(1.0f));
    return v_where_less(v_abs(x), v_set(0.625f), near, far);
}

static inline vf v_gelu(vf x)
{
    return v_mul(x, v_normal_cdf(v_mul(x, v_set(0.70710678f))));
}

/* (1 + tanh(u)) / 2 = sigmoid(2 u), which keeps the small values that 1 + tanh(u) would cancel. */
static inline vf v_gelu_tanh(vf x, float scale)
{
    const vf cubic = v_fma(v_mul(v_set(0.044715f), x), x, v_set(1.0f));
    return v_mul(x, v_sigmoid(v_mul(v_mul(v_set(2.0f * scale), x), cubic)));
}

static inline vf v_silu(vf x)
{
    return v_mul(x, v_sigmoid(x));
}

static inline vf v_relu(vf x)
{
    return v_max(v_zero(), x);
}

/* See ref.c; above 20 it is x. */
static inline vf v_mish(vf x)
{
    const vf e = v_exp(v_min(v_set(20.0f), x)), w = v_mul(e, v_add(e, v_set(2.0f)));
    return v_where_less(v_set(20.0f), x, x, v_mul(x, v_div(w, v_add(w, v_set(2.0f)))));
}

static inline vf v_selu(vf x)
{
    const vf far = v_sub(v_exp(v_min(v_zero(), x)), v_set(1.0f));
    const vf low = v_where_less(v_set(-0.3f), x, v_exp_minus_1_near_0(x), far);
    return v_mul(v_set(1.05070099f), v_where_less(v_zero(), x, x, v_mul(v_set(1.67326324f), low)));
}

/* One vector of any activation; act is a constant at each place this is inlined into. */
static inline __attribute__((always_inline)) vf v_activation(const align_activation act, vf x)
{
    switch (act) {
    case ALIGN_ACT_GELU:
        return v_gelu(x);
    case ALIGN_ACT_GELU_10:
        return v_max(v_set(-10.0f), v_min(v_set(10.0f), v_gelu(x)));
    case ALIGN_ACT_GELU_NEW:
        return v_gelu_tanh(x, 0.79788456f);
    case ALIGN_ACT_GELU_FAST:
        return v_gelu_tanh(x, 0.7978845608f);
    case ALIGN_ACT_QUICK_GELU:
        return v_mul(x, v_sigmoid(v_mul(v_set(1.702f), x)));
    case ALIGN_ACT_LAPLACE:
        return v_normal_cdf(
            v_mul(v_sub(x, v_set(0.707107f)), v_set((float)(1.0 / (0.282095 * 1.41421356237309504880)))));
    case ALIGN_ACT_LEAKY_RELU:
        return v_where_less(x, v_zero(), v_mul(v_set(0.01f), x), x);
    case ALIGN_ACT_MISH:
        return v_mish(x);
    case ALIGN_ACT_RELU:
        return v_relu(x);
    case ALIGN_ACT_RELU2:
        return v_mul(v_relu(x), v_relu(x));
    case ALIGN_ACT_RELU6:
        return v_min(v_set(6.0f), v_relu(x));
    case ALIGN_ACT_SELU:
        return v_selu(x);
    case ALIGN_ACT_SIGMOID:
        return v_sigmoid(x);
    case ALIGN_ACT_SILU:
        return v_silu(x);
    case ALIGN_ACT_TANH:
        return v_tanh(x);
    case ALIGN_ACT_LINEAR:
    case ALIGN_ACT_COUNT:
        break;
    }
    return x;
}

/* n floats, padded to whole vectors on the stack at the end so that every element is computed alike. */
static inline __attribute__((always_inline)) void activate_as(const align_activation act, size_t n, float *x)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(x + i, v_activation(act, v_load(x + i)));
    if (i == n)
        return;
    float tail[VL] = {0};
    for (size_t j = i; j < n; j++)
        tail[j - i] = x[j];
    v_store(tail, v_activation(act, v_load(tail)));
    for (size_t j = i; j < n; j++)
        x[j] = tail[j - i];
}

static void activate(align_activation act, size_t n, float *x)
{
    switch (act) {
#define CASE(name)               \
    case name:                   \
        activate_as(name, n, x); \
        break;
        CASE(ALIGN_ACT_GELU)
        CASE(ALIGN_ACT_GELU_10)
        CASE(ALIGN_ACT_GELU_NEW)
        CASE(ALIGN_ACT_GELU_FAST)
        CASE(ALIGN_ACT_QUICK_GELU)
        CASE(ALIGN_ACT_LAPLACE)
        CASE(ALIGN_ACT_LEAKY_RELU)
        CASE(ALIGN_ACT_MISH)
        CASE(ALIGN_ACT_RELU)
        CASE(ALIGN_ACT_RELU2)
        CASE(ALIGN_ACT_RELU6)
        CASE(ALIGN_ACT_SELU)
        CASE(ALIGN_ACT_SIGMOID)
        CASE(ALIGN_ACT_SILU)
        CASE(ALIGN_ACT_TANH)
#undef CASE
    case ALIGN_ACT_LINEAR:
    case ALIGN_ACT_COUNT:
        break;
    }
}
