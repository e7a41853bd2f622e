/*
 * math.inc.h: exp, the normal distribution, tanh and the activations on vectors, in the words of simd_*.h. Errors are a
 * few ulp; NaN goes through.
 *
 * The polynomial of exp is (e^r - 1) / r, least squares reweighted (Lawson) until the relative errors of 1 + r p(r)
 * level out: of degree 5 on |r| <= ln 2 / 2, at 2e-9, and of degree 2 on |r| <= ln 2 / 16, at 2.6e-8. That of the
 * normal tail is the same fit of erfc(z) e^(z^2) / t on [0, 10.5]; those of e^r - 1 and tanh are Cephes'.
 */

/* e^x as the product of a factor in [0.35, 0.71] and a power, so that who adds to it can fuse. */
typedef struct vf_exp {
    vf factor, power;
} vf_exp;

/* e^(sign r) / 2 for |r| <= ln 2 / (2 POWERS) */
static inline vf v_half_exp(vf r, const float sign)
{
#if POWERS >= 8
    vf p = v_set(sign * 8.33342895e-2f);
    p = v_fma(p, r, v_set(0.250032246f));
    p = v_fma(p, r, v_set(sign * 0.5f));
#else
    vf p = v_set(6.92177991e-4f);
    p = v_fma(p, r, v_set(sign * 4.18711797e-3f));
    p = v_fma(p, r, v_set(2.083400371e-2f));
    p = v_fma(p, r, v_set(sign * 8.333215170e-2f));
    p = v_fma(p, r, v_set(0.24999997085f));
    p = v_fma(p, r, v_set(sign * 0.500000016f));
#endif
    return v_fma(p, r, v_set(0.5f));
}

/*
 * e^(sign x), sign 1 or -1, for |x| <= 88.73: 2^(n / POWERS) e^r with n = round(sign x POWERS / ln 2) and r = sign x -
 * n ln 2 / POWERS; ln 2 as a float is right to 3e-9 of itself, so one step is enough. Adding 1.5 2^23 rounds to a whole
 * number and leaves it in the lowest bits, from where v_power takes it; the 128 added makes that 2^(n / POWERS + 1),
 * whence the factor e^r / 2. The power is 0 from e^-88.7 down and infinite from e^88 up.
 */
static inline vf_exp v_exp_parts(vf x, const float sign)
{
    const vf rounder = v_set(12582912.0f + 128.0f * POWERS), part = v_set(0.693147181f / POWERS);
    const vf shifted = v_fma(x, v_set(sign * 1.44269504f * POWERS), rounder), n = v_sub(shifted, rounder);
    const vf r = sign < 0.0f ? v_fma(n, part, x) : v_fnma(n, part, x); /* sign r */
    return (vf_exp){v_half_exp(r, sign), v_power(shifted)};
}

/* e^x for x up to 87; from -88.7 down it is 0. */
static inline vf v_exp(vf x)
{
    const vf_exp e = v_exp_parts(v_max(v_set(-88.7229f), x), 1.0f);
    return v_mul(e.factor, e.power);
}

/* Where e^-x is infinite below 0, as 1 / (1 + e^-x) is soon subnormal there, and vanishes beside 1 above: 127 ln 2. */
#define SIGMOID_END 88.0297f

/* 1 + e^-x for |x| <= SIGMOID_END */
static inline vf v_one_plus_exp_minus(vf x)
{
    const vf_exp e = v_exp_parts(x, -1.0f);
    return v_fma(e.factor, e.power, v_set(1.0f));
}

/* 1 / (1 + e^-x) */
static inline vf v_sigmoid(vf x)
{
    const vf held = v_max(v_set(-SIGMOID_END), v_min(v_set(SIGMOID_END), x));
    return v_div(v_set(1.0f), v_one_plus_exp_minus(held));
}

/* x / (1 + e^-x), relative error 2.2e-7 (3.5e-7 below -20). A NaN that v_clamp loses comes back with the division. */
static inline vf v_silu(vf x)
{
    return v_div(x, v_one_plus_exp_minus(v_clamp(x, SIGMOID_END)));
}

/* Beyond this the tail of the normal distribution is under 4e-36 and is no longer followed. */
#define NORMAL_END 12.5f

/*
 * erfc(a / sqrt 2) / 2 for 0 <= a <= NORMAL_END: e^(-a^2 / 2) times a polynomial in t = 1 / (1 + 0.4 a / sqrt 2),
 * relative error 1e-7 (times a^2 / 2 ulp).
 */
static inline vf v_normal_tail(vf a)
{
    const vf t = v_div(v_set(1.0f), v_fma(v_set(0.282842712f), a, v_set(1.0f)));
    vf p = v_set(0.0210611541f);
    p = v_fma(p, t, v_set(-0.0722847285f));
    p = v_fma(p, t, v_set(0.0464095734f));
    p = v_fma(p, t, v_set(0.0389023870f));
    p = v_fma(p, t, v_set(0.0434061364f));
    p = v_fma(p, t, v_set(0.0951863675f));
    p = v_fma(p, t, v_set(0.1013318375f));
    p = v_fma(p, t, v_set(0.1131669830f));
    p = v_fma(p, t, v_set(0.1128203275f));
    const vf_exp e = v_exp_parts(v_mul(v_mul(v_set(0.5f), a), a), -1.0f);
    return v_mul(v_mul(p, t), v_mul(e.factor, e.power));
}

static inline vf v_normal_cdf(vf x)
{
    const vf tail = v_normal_tail(v_min(v_set(NORMAL_END), v_abs(x)));
    return v_where_less(x, v_zero(), tail, v_sub(v_set(1.0f), tail));
}

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
    const vf far = v_sub(v_set(1.0f), v_div(v_set(2.0f), v_add(e, v_set(1.0f))));
    return v_where_less(v_abs(x), v_set(0.625f), near, far);
}

static inline vf v_relu(vf x)
{
    return v_max(v_zero(), x);
}

/* x cdf(x), which is x - x tail(x) above 0 and -|x| tail(|x|) below. */
static inline vf v_gelu(vf x)
{
    const vf a = v_min(v_set(NORMAL_END), v_abs(x));
    return v_fnma(a, v_normal_tail(a), v_relu(x));
}

/*
 * The same for results that are then rounded more coarsely: x (1 / 2 + x p(x^2)), where x is held to +-4.4 and what is
 * in brackets ends in 0 and 1. A Lawson fit again; errors are below 5e-5, and below 5e-5 of what comes out above 0,
 * where bf16 keeps 2e-3 of it.
 */
static inline vf v_gelu_roughly(vf x)
{
    const float end = 4.4f;
    const vf above = v_max(v_set(-end), x), held = v_min(v_set(end), above), z = v_mul(held, held);
    vf p = v_set(3.734123774e-11f);
    p = v_fma(p, z, v_set(-3.902602241e-9f));
    p = v_fma(p, z, v_set(1.796955189e-7f));
    p = v_fma(p, z, v_set(-4.839869689e-6f));
    p = v_fma(p, z, v_set(8.567798068e-5f));
    p = v_fma(p, z, v_set(-1.064892509e-3f));
    p = v_fma(p, z, v_set(9.683284909e-3f));
    p = v_fma(p, z, v_set(-6.615928560e-2f));
    p = v_fma(p, z, v_set(0.398824960f));
    return v_mul(above, v_fma(p, held, v_set(0.5f)));
}

/* (1 + tanh(u)) / 2 = sigmoid(2 u), which keeps the small values that 1 + tanh(u) would cancel. */
static inline vf v_gelu_tanh(vf x, float scale)
{
    const vf cubic = v_fma(v_mul(v_set(0.044715f), x), x, v_set(1.0f));
    return v_mul(x, v_sigmoid(v_mul(v_mul(v_set(2.0f * scale), x), cubic)));
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
        return v_normal_cdf(v_mul(v_sub(x, v_set(0.707107f)), v_set((float)(1.0 / 0.282095))));
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

/* The same, roughly where that is enough and quicker. */
static inline __attribute__((always_inline)) vf v_activation_as(const align_activation act, const bool roughly, vf x)
{
    return roughly && act == ALIGN_ACT_GELU ? v_gelu_roughly(x) : v_activation(act, x);
}

/* n floats, padded to whole vectors on the stack at the end so that every element is computed alike. */
static inline __attribute__((always_inline)) void activate_as(const align_activation act, const bool roughly, size_t n,
                                                              float *x)
{
    size_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) { /* two at a time, so that one waits while the other is computed */
        const vf first = v_activation_as(act, roughly, v_load(x + i)),
                 second = v_activation_as(act, roughly, v_load(x + i + VL));
        v_store(x + i, first);
        v_store(x + i + VL, second);
    }
    for (; i + VL <= n; i += VL)
        v_store(x + i, v_activation_as(act, roughly, v_load(x + i)));
    if (i < n)
        store_tail(n - i, x + i, v_activation_as(act, roughly, load_tail(n - i, x + i, 0.0f)));
}

/* All activations that do something. */
/* clang-format off */
#define FOR_ACTIVATIONS(DO)                                                                    \
    DO(ALIGN_ACT_GELU) DO(ALIGN_ACT_GELU_10) DO(ALIGN_ACT_GELU_NEW) DO(ALIGN_ACT_GELU_FAST)    \
    DO(ALIGN_ACT_QUICK_GELU) DO(ALIGN_ACT_LAPLACE) DO(ALIGN_ACT_LEAKY_RELU) DO(ALIGN_ACT_MISH) \
    DO(ALIGN_ACT_RELU) DO(ALIGN_ACT_RELU2) DO(ALIGN_ACT_RELU6) DO(ALIGN_ACT_SELU)              \
    DO(ALIGN_ACT_SIGMOID) DO(ALIGN_ACT_SILU) DO(ALIGN_ACT_TANH)
/* clang-format on */

static void activate(align_activation act, size_t n, float *x)
{
    switch (act) {
#define CASE(name)                      \
    case name:                          \
        activate_as(name, false, n, x); \
        break;
        FOR_ACTIVATIONS(CASE)
#undef CASE
    case ALIGN_ACT_LINEAR:
    case ALIGN_ACT_COUNT:
        break;
    }
}

static void activate_roughly(align_activation act, size_t n, float *x)
{
    if (act == ALIGN_ACT_GELU)
        activate_as(ALIGN_ACT_GELU, true, n, x);
    else
        activate(act, n, x);
}
