#ifndef AL_MATMUL_H
#define AL_MATMUL_H
/*
 * matmul.h: products of two matrices that are both new, as training has them: Y = X W^T + b, dX = dY W, dW = dY^T X.
 *
 * Each may be row-major or in panels (kernels.h), and stored as it is or transposed. What the kernels read is made of
 * them block by block, in scratch memory from the arena whose size does not depend on that of the matrices.
 */
#include "layers/run.h"

#include <align/model.h>

typedef struct al_matmul {
    size_t m, n, k;
    al_matrix a;                  /* [m, k] */
    bool a_transposed;            /* a is stored as [k, m] */
    al_matrix b;                  /* [k, n] */
    bool b_transposed;            /* b is stored as [n, k], as the weights of a linear layer are */
    const float *bias;            /* [n], added to every row of c; NULL: nothing, as it must be with add */
    float *c;                     /* [m, n], overlaps nothing else */
    size_t c_row_stride, c_panel; /* see al_gemm */
    bool add;                     /* c += a b instead of c = a b + bias */
    align_precision precision;    /* of a and b as they are multiplied: f32 or bf16; sums are f32 */
} al_matmul;

/* k is summed up in an order that depends on m, n and k alone. */
void al_matmul_run(const al_run *run, const al_matmul *p);
#endif
