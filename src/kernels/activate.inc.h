/* activate.inc.h: the word `activate` in a product_*.c of bf16 or int8: the rough one of the table of its vector width,
 * which TABLE_OF_WIDTH names (simd_*.h). */
static void activate(align_activation act, size_t n, float *x)
{
    TABLE_OF_WIDTH.activate_roughly(act, n, x);
}
