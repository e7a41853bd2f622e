/* peak.inc.h: as many multiply-adds as the machine can do, in the words of simd_*.h. */

/* As many numbers as a tile of a product has sums: enough to hide the time that a multiply-add takes, and they all stay
 * in registers. */
#define PEAK_VECTORS (TILE_ROWS * TILE_VECTORS)

_Static_assert(VL *PEAK_VECTORS <= AL_PEAK_LANES, "callers have no room for so many");

#if defined(__clang__)
#define UNROLL_PEAK _Pragma("unroll")
#else
#define UNROLL_PEAK _Pragma("GCC unroll 32")
#endif

static void peak(size_t n, float a, float b, float *x)
{
    vf value[PEAK_VECTORS];
    const vf factor = v_set(a), term = v_set(b);
    UNROLL_PEAK
    for (size_t i = 0; i < PEAK_VECTORS; i++)
        value[i] = v_load(x + i * VL);
    for (size_t round = 0; round < n; round++) {
        UNROLL_PEAK
        for (size_t i = 0; i < PEAK_VECTORS; i++)
            value[i] = v_fma(value[i], factor, term);
    }
    UNROLL_PEAK
    for (size_t i = 0; i < PEAK_VECTORS; i++)
        v_store(x + i * VL, value[i]);
}
