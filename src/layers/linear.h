#ifndef AL_LINEAR_H
#define AL_LINEAR_H
/*
 * linear.h: y = act(x W^T + b) + residual: the text tower's matrices, and the vision tower's 1x1 convolutions, whose
 * batch norm is folded into W and b. The weights are packed once, into the panels that a product reads in order.
 */
#include "layers/packing.h"
#include "layers/run.h"

#include <align/model.h>

typedef struct al_linear {
    size_t in, out;
    al_packed weight;
    const float *bias; /* [ceil(out / nr) * nr] */
} al_linear;

/*
 * Takes room for `out` rows of weights. Rows are then packed by al_linear_pack, possibly from several tensors: query,
 * key and value become one matrix.
 */
void al_linear_init(al_linear *linear, const al_packing *packing, size_t in, size_t out);

/*
 * Packs weight [rows, in, ...] and bias [rows] as output columns first .. first + rows - 1, row r multiplied by
 * scale[r]. weight and bias may be of any float dtype; bias and scale may be NULL (0 and 1).
 */
void al_linear_pack(al_linear *linear, const al_packing *packing, size_t first, size_t rows, const align_tensor *weight,
                    const align_tensor *bias, const float *scale);

/* Both for a whole layer: weight [out, in, ...], bias [out]. */
void al_linear_init_packed(al_linear *linear, const al_packing *packing, const align_tensor *weight,
                           const align_tensor *bias);

/* Where the result goes and what is added to it. */
typedef struct al_linear_output {
    float *data;
    size_t row_stride;
    size_t panel;          /* kernels->nr for row-major */
    const float *residual; /* row-major [rows, out], or NULL */
    uint16_t *bf16;        /* row-major, rounded, in place of data, if not NULL: see al_linear_takes_bf16 */
} al_linear_output;

/* A row-major matrix of `columns` columns, as input and as output. */
al_matrix al_rows(const al_run *run, const float *data, size_t columns);
al_linear_output al_rows_out(const al_run *run, float *data, size_t columns, const float *residual);

/*
 * Rounded rows, as output and as input of layers that take them: between two such layers they are half as much to write
 * and to read. al_bf16_stride: numbers from one row to the next, chosen so that the reader may have them in place.
 */
bool al_linear_takes_bf16(const al_linear *linear);
size_t al_bf16_stride(const al_linear *reader);
al_linear_output al_bf16_out(uint16_t *data, size_t row_stride);

/* Panels that hold so many columns, and floats of a row in all of them. */
size_t al_panel_count(const al_kernels *kernels, size_t columns);
size_t al_panel_width(const al_kernels *kernels, size_t columns);

/* A matrix of `rows` rows in panels (kernels.h), as input. */
al_matrix al_panels(const al_run *run, const float *data, size_t rows);

/* x [rows, in] -> y [rows, out] = act(x W^T + b) + residual. */
void al_linear_forward(const al_run *run, const al_linear *linear, size_t rows, al_matrix x, align_activation act,
                       al_linear_output y);

/* The same for rows of bf16, al_bf16_stride apart. */
void al_linear_forward_bf16(const al_run *run, const al_linear *linear, size_t rows, const uint16_t *x,
                            align_activation act, al_linear_output y);

/*
 * Two layers, of which nobody else sees what is between: y = (act(x W1^T + b1)) W2^T + b2 + residual. Where the product
 * can, the first hands its result over as the second wants it. The steps are those of the profile.
 */
typedef struct al_linear_pair {
    const al_linear *first, *second;
    align_activation act;
    align_step_kind first_step, second_step;
} al_linear_pair;
void al_linear_forward_pair(const al_run *run, const al_linear_pair *pair, size_t rows, al_matrix x,
                            al_linear_output y);

/* al_linear_forward where every `rows_per_gate` rows of x are multiplied by gates of their own, [in] each, gate_stride
 * floats apart, on their way into the product. Only for rows that are prepared. */
typedef struct al_gates {
    const float *data;
    size_t rows_per_gate, gate_stride;
} al_gates;
void al_linear_forward_gated(const al_run *run, const al_linear *linear, size_t rows, al_matrix x, al_gates gates,
                             al_linear_output y);

/* ---- piece by piece, for a layer that multiplies one operand more than once ---- */

/* Whether so many rows are prepared before they are multiplied; otherwise they are read in place. */
bool al_linear_prepares(const al_linear *linear, size_t rows);

/* What multiplies rows that were prepared, or that are read in place. */
typedef void al_gemm_function(const al_gemm *g, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end);

/* All rows and panels of g, divided among the threads. */
void al_gemm_run(const al_run *run, const al_gemm *g, al_gemm_function *kernel);

al_gemm_function *al_linear_kernel(const al_run *run, const al_linear *linear, bool prepared);

/* Bytes of a prepared row. */
size_t al_linear_operand_row(const al_linear *linear);

/* rows [rows] of x, times gates [in] if not NULL, -> operand. */
void al_linear_prepare(const al_run *run, const al_linear *linear, size_t rows, al_matrix x, const float *gates,
                       void *operand);

/* What a kernel is told about the layer: n, k, b and bias; the caller adds rows, a and c. */
al_gemm al_linear_gemm(const al_linear *linear);
#endif
