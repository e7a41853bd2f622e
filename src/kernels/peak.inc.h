/* peak.inc.h: as many multiply-adds as the machine can do, in the words of simd_*.h. */

/* As many numbers as a tile of a product has sums: enough to hide the time that a multiply-add takes, and they all stay
 * in registers. */
#define PEAK_LANES ((size_t)TILE_ROWS * NR)

static float peak(size_t n, float a, float b)
{
    vf x[TILE_ROWS][TILE_VECTORS], total = v_zero();
    const vf factor = v_set(a), term = v_set(b);
    UNROLL
    for (size_t i = 0; i < TILE_ROWS; i++) {
        UNROLL
        for (size_t j = 0; j < TILE_VECTORS; j++)
            x[i][j] = v_zero();
    }
    for (size_t round = 0; round < n; round++) {
        UNROLL
        for (size_t i = 0; i < TILE_ROWS; i++) {
            UNROLL
            for (size_t j = 0; j < TILE_VECTORS; j++)
                x[i][j] = v_fma(x[i][j], factor, term);
        }
    }
    UNROLL
    for (size_t i = 0; i < TILE_ROWS; i++) {
        UNROLL
        for (size_t j = 0; j < TILE_VECTORS; j++)
            total = v_add(total, x[i][j]);
    }
    return v_sum(total);
}
