/* groups.inc.h: the words of gemm.inc.h that all products with prepared operands share: a step is a group of 4 bytes,
 * of a row as of a column. */
#define STEP_BYTES    sizeof(float)
#define STEPS_AT_ONCE 1

static inline vf v_columns(const char *weights)
{
    return v_load((const float *)(const void *)weights);
}

static inline al_matrix steps_of_rows(const al_gemm *g)
{
    return (al_matrix){g->operand, operand_row(g->k) / sizeof(float), NR};
}
