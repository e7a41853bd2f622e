/*
 * f32.inc.h: products of f32 activations, read where they are, and of weights that v_columns makes f32, in the words of
 * simd_*.h.
 */
#include "kernels/unroll.h"

#define GROUP         1
#define STEPS_AT_ONCE 4

static inline vf v_step(vf x, vf columns, vf sum)
{
    return v_accumulate(x, columns, sum);
}

static inline al_matrix steps_of_rows(const al_gemm *g)
{
    return g->a;
}

#include "kernels/float_sums.inc.h"
#include "kernels/gemm.inc.h"
