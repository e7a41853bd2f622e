/*
 * adam.inc.h: the optimizer's step, in the words of simd_*.h. Every array is read and written once: memory is what
 * bounds it.
 */

/* One vector of a tensor on its way through a step. */
typedef struct adam_lanes {
    vf first, second, weight, average;
} adam_lanes;

static inline void lanes_moments(const al_adam *a, vf gradient, adam_lanes *x)
{
    const vf g = v_mul(gradient, v_set(a->scale));
    x->first = v_fma(v_set(a->new1), v_sub(g, x->first), x->first);
    x->second = v_fma(v_mul(v_set(a->new2), g), g, v_mul(v_set(a->old2), x->second));
}

static inline vf lanes_direction(const al_adam *a, const adam_lanes *x)
{
    const vf root = v_fma(v_sqrt(x->second), v_set(a->root), v_set(a->epsilon));
    return v_div(v_mul(x->first, v_set(a->correct)), root);
}

static inline void lanes_step(const al_adam *a, adam_lanes *x)
{
    const vf kept = v_mul(x->weight, v_set(a->keep));
    x->weight = v_fnma(v_set(a->rate), lanes_direction(a, x), kept);
    x->average = v_fma(v_set(a->new_average), v_sub(x->weight, x->average), x->average);
}

/* Up to VL elements; where there are fewer, the lanes beyond are zero and stay so. */
static inline vf load_up_to(size_t n, const float *x)
{
    return n >= VL ? v_load(x) : load_tail(n, x, 0.0f);
}

static inline void store_up_to(size_t n, float *x, vf v)
{
    if (n >= VL)
        v_store(x, v);
    else
        store_tail(n, x, v);
}

static inline adam_lanes load_lanes(const al_adam_arrays *x, size_t i, size_t n)
{
    return (adam_lanes){load_up_to(n, x->first + i), load_up_to(n, x->second + i), load_up_to(n, x->weight + i),
                        x->average ? load_up_to(n, x->average + i) : v_zero()};
}

static inline void store_moments(const al_adam_arrays *x, size_t i, size_t n, const adam_lanes *lanes)
{
    store_up_to(n, x->first + i, lanes->first);
    store_up_to(n, x->second + i, lanes->second);
}

static inline void store_weights(const al_adam_arrays *x, size_t i, size_t n, const adam_lanes *lanes)
{
    store_up_to(n, x->weight + i, lanes->weight);
    if (x->average)
        store_up_to(n, x->average + i, lanes->average);
}

static void adam(const al_adam *a, size_t n, const al_adam_arrays *x)
{
    for (size_t i = 0; i < n; i += VL) {
        adam_lanes lanes = load_lanes(x, i, n - i);
        lanes_moments(a, load_up_to(n - i, x->gradient + i), &lanes);
        lanes_step(a, &lanes);
        store_moments(x, i, n - i, &lanes);
        store_weights(x, i, n - i, &lanes);
    }
}

/* Squares are added up in f32 over a stretch short enough for that, and in double from there. */
#define ADAM_STRETCH 1024

static void adam_moments(const al_adam *a, size_t n, const al_adam_arrays *x, double squares[2])
{
    for (size_t begin = 0; begin < n; begin += ADAM_STRETCH) {
        const size_t end = n - begin < ADAM_STRETCH ? n : begin + ADAM_STRETCH;
        vf weights = v_zero(), steps = v_zero();
        for (size_t i = begin; i < end; i += VL) {
            adam_lanes lanes = load_lanes(x, i, end - i);
            lanes_moments(a, load_up_to(end - i, x->gradient + i), &lanes);
            const vf r = v_fma(v_set(a->decay), lanes.weight, lanes_direction(a, &lanes));
            weights = v_fma(lanes.weight, lanes.weight, weights);
            steps = v_fma(r, r, steps);
            store_moments(x, i, end - i, &lanes);
        }
        squares[0] += (double)v_sum(weights);
        squares[1] += (double)v_sum(steps);
    }
}

static void adam_step(const al_adam *a, size_t n, const al_adam_arrays *x)
{
    for (size_t i = 0; i < n; i += VL) {
        adam_lanes lanes = load_lanes(x, i, n - i);
        lanes_step(a, &lanes);
        store_weights(x, i, n - i, &lanes);
    }
}
