/* tail.inc.h: fewer than VL floats as a vector, in the words of simd_*.h. */

/* x[0..n), padded to a vector. */
static inline vf load_tail(size_t n, const float *x, float padding)
{
    float tail[VL];
    for (size_t i = 0; i < VL; i++)
        tail[i] = i < n ? x[i] : padding;
    return v_load(tail);
}

static inline void store_tail(size_t n, float *x, vf v)
{
    float tail[VL];
    v_store(tail, v);
    for (size_t i = 0; i < n; i++)
        x[i] = tail[i];
}
