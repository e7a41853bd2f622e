#ifndef AL_PACKING_H
#define AL_PACKING_H
/*
 * packing.h: where a layer's weights go while a model is prepared.
 *
 * A tower takes room from one arena for everything it reads in a forward pass, in the order in which it reads it. It
 * does so twice with the same text: dry, to learn how much (base/arena.h); then to fill it, or, where the arena is what
 * an earlier packing left in a file, only to find everything again.
 */
#include "base/arena.h"
#include "kernels/kernels.h"

#include <align/tensor.h>

typedef struct al_packing {
    const al_kernels *kernels;
    al_arena *arena;           /* set by al_packing_run */
    align_precision precision; /* of matrices; biases, norms and depthwise weights are f32 */
    const align_tensor
        *stored; /* [bytes] U8: what an arena held that was packed before; NULL: there is no such thing */

    /* Hears of every matrix that will not be read again; NULL: nobody listens. */
    void (*release)(const void *user, const align_tensor *weight);
    const void *user;
} al_packing;

/* Whether what was taken from the arena is to be written. */
bool al_packing_writes(const al_packing *packing);

/*
 * Runs pack twice: dry, then over an arena that has what the first run took; arena (empty) becomes that. The kernels
 * must have a product for the precision and those before it in the list, which some layers use instead. Errors:
 * OUT_OF_MEMORY; MISMATCH where too little is stored, FORMAT where it is not aligned.
 */
typedef void (*al_pack_function)(void *user, const al_packing *packing);
align_status al_packing_run(const al_packing *how, al_arena *arena, al_pack_function pack, void *user,
                            align_error *err);

/*
 * What decides how the weights of a model of this precision lie in an arena, in words that are the same for kernels
 * that read the same: the columns of a panel, and of each product that may be used the element, group and multiple of
 * k. Room for 20 digits a number.
 */
#define AL_LAYOUT_SIZE 256
void al_packing_layout(const al_kernels *kernels, align_precision precision, char layout[AL_LAYOUT_SIZE]);

/* A matrix in the form a product reads. */
typedef struct al_packed {
    const al_product *product;
    const void *weight;
    const float *scale; /* int8: see al_gemm; NULL otherwise */
    const int32_t *sum;
} al_packed;

/* Takes room for [out, in] and, where it writes, zeroes what no row will fill. */
al_packed al_packed_new(const al_packing *packing, size_t in, size_t out);

/* Bytes of its weights. */
size_t al_packed_bytes(const al_packed *packed, size_t in, size_t out);

/* Writes weight [rows, in, ...] of any float dtype as output columns first .. first + rows - 1, row r multiplied by
 * scale[r] (NULL: 1). Only where packing writes. */
void al_packed_fill(const al_packed *packed, const al_packing *packing, size_t in, size_t first, size_t rows,
                    const align_tensor *weight, const float *scale);

/* Packs a row-major f32 matrix for kernels->gemm: out rows of in floats, or (transposed) in rows of out, row_stride
 * apart. */
void al_pack(const al_kernels *kernels, const float *matrix, size_t row_stride, size_t in, size_t out, bool transposed,
             float *packed);

/* Floats that it takes. */
size_t al_packed_size(const al_kernels *kernels, size_t in, size_t out);

/* The same for a matrix of bf16 and a product of pairs of bf16. */
void al_pack_bf16(const al_kernels *kernels, const uint16_t *matrix, size_t row_stride, size_t in, size_t out,
                  bool transposed, uint16_t *packed);
size_t al_packed_bf16_size(const al_kernels *kernels, size_t in, size_t out);
#endif
