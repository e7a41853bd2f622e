/* activate.inc.h: the words of finish.inc.h in a product_*.c of bf16 or int8: the rough one of the table of its vector
 * width, which TABLE_OF_WIDTH names (simd_*.h). */
static void activate(align_activation act, size_t n, float *x)
{
    TABLE_OF_WIDTH.activate_roughly(act, n, x);
}

static inline void activate_tile(align_activation act, size_t n, float *x)
{
    activate(act, n, x);
}
