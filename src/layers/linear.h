#ifndef AL_LINEAR_H
#define AL_LINEAR_H
/*
 * linear.h: y = act(x W^T + b) + residual: the text tower's matrices, and the vision tower's 1x1 convolutions, whose
 * batch norm is folded into W and b. The weights are packed once, into the panels that the GEMM kernel reads in order.
 */
#include "layers/run.h"

#include <align/tensor.h>

typedef struct al_linear {
    size_t in, out;
    const float *weight; /* packed [ceil(out / nr)][in][nr] */
    const float *bias;   /* [ceil(out / nr) * nr] */
} al_linear;

/*
 * Takes room for the packed weights of `out` rows from arena and, unless the arena only measures, fills it with zeros
 * where nothing will be packed. Rows are then packed by al_linear_pack, possibly from several tensors: query, key and
 * value become one matrix.
 */
void al_linear_init(al_linear *linear, const al_kernels *kernels, al_arena *arena, size_t in, size_t out);

/*
 * Packs weight [rows, in, ...] and bias [rows] as output columns first .. first + rows - 1, row r multiplied by
 * scale[r]. weight and bias may be of any float dtype; bias and scale may be NULL (0 and 1). Does nothing if the arena
 * only measured.
 */
void al_linear_pack(al_linear *linear, const al_kernels *kernels, const al_arena *arena, size_t first, size_t rows,
                    const align_tensor *weight, const align_tensor *bias, const float *scale);

/* Both for a whole layer: weight [out, in, ...], bias [out]. */
void al_linear_init_packed(al_linear *linear, const al_kernels *kernels, al_arena *arena, const align_tensor *weight,
                           const align_tensor *bias);

/* Packs a row-major f32 matrix with row_stride floats a row: out rows of in floats, or (transposed) in rows of out. */
void al_pack(const al_kernels *kernels, const float *matrix, size_t row_stride, size_t in, size_t out, bool transposed,
             float *packed);

/* Floats that a packed [out, in] matrix takes. */
size_t al_packed_size(const al_kernels *kernels, size_t in, size_t out);

/* Where the result goes and what is added to it. */
typedef struct al_linear_output {
    float *data;
    size_t row_stride;
    size_t panel;          /* kernels->nr for row-major */
    bool padded;           /* whole panels may be written */
    const float *residual; /* row-major [rows, out], or NULL */
} al_linear_output;

/* A row-major matrix of `columns` columns, as input and as output. */
al_matrix al_rows(const al_run *run, const float *data, size_t columns);
al_linear_output al_rows_out(const al_run *run, float *data, size_t columns, const float *residual);

/* A matrix of `rows` rows in panels (kernels.h), as input and as output. */
al_matrix al_panels(const al_run *run, const float *data, size_t rows);
al_linear_output al_panels_out(const al_run *run, float *data, size_t rows);

/* x [rows, in] -> y [rows, out] = act(x W^T + b) + residual. */
void al_linear_forward(const al_run *run, const al_linear *linear, size_t rows, al_matrix x, align_activation act,
                       al_linear_output y);
#endif
