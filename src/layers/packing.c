/* packing.c: see packing.h. */
#include "layers/packing.h"

#include "base/least.h"
#include "base/status.h"
#include "base/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Counts what changes the contents of an arena and is not among the words of al_packing_layout: the order of the
 * layers, say, or what is folded into their weights. Files of another number are not read. */
#define LAYOUT_NUMBER 1

bool al_packing_writes(const al_packing *packing)
{
    return packing->arena->base && !packing->stored;
}

/* The arena was rehearsed: gives it the stored bytes. */
static align_status find_stored(const al_packing *p, align_error *err)
{
    const size_t need = p->arena->peak, size = (size_t)p->stored->shape[0];
    if ((uintptr_t)p->stored->data % AL_ARENA_ALIGNMENT != 0)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "expected packed weights at a multiple of %d bytes",
                            AL_ARENA_ALIGNMENT);
    if (size < need)
        return al_error_set(err, ALIGN_ERROR_MISMATCH, "expected %zu bytes of packed weights, found %zu", need, size);
    *p->arena = al_arena_over(p->stored->data, size);
    return ALIGN_OK;
}

align_status al_packing_run(const al_packing *how, al_arena *arena, al_pack_function pack, void *user, align_error *err)
{
    align_status status = ALIGN_OK;
    al_packing packing = *how;
    packing.arena = arena;
    const al_arena_rehearsal rehearsal = al_arena_rehearse(arena);
    pack(user, &packing);
    TRY(packing.stored ? find_stored(&packing, err) : al_arena_reserve(arena, rehearsal, 0, err));
    pack(user, &packing);
done:
    return status;
}

void al_packing_layout(const al_kernels *kernels, align_precision precision, char layout[AL_LAYOUT_SIZE])
{
    static const char *const elements[] = {[AL_F32] = "f32", [AL_BF16] = "bf16", [AL_S16] = "s16", [AL_S8] = "s8"};
    size_t used = (size_t)snprintf(layout, AL_LAYOUT_SIZE, "%d: panels of %zu", LAYOUT_NUMBER, kernels->nr);
    for (int i = 0; i <= (int)precision; i++) {
        const al_product *p = kernels->products[i];
        used += (size_t)snprintf(layout + used, AL_LAYOUT_SIZE - used, ", %s by %zu in %zu", elements[p->element],
                                 p->group, p->k_multiple);
    }
}

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static size_t element_size(al_element element)
{
    switch (element) {
    case AL_F32:
        return sizeof(float);
    case AL_BF16:
    case AL_S16:
        return sizeof(uint16_t);
    case AL_S8:
        break;
    }
    return 1;
}

static bool is_integer(al_element element)
{
    return element == AL_S16 || element == AL_S8;
}

al_packed al_packed_new(const al_packing *p, size_t in, size_t out)
{
    const al_product *product = p->kernels->products[p->precision];
    const size_t columns = round_up(out, p->kernels->nr), depth = round_up(in, product->k_multiple);
    const size_t size = element_size(product->element);
    char *weight = al_arena_take(p->arena, columns * depth, size);
    float *scale = NULL;
    int32_t *sum = NULL;
    if (is_integer(product->element)) {
        scale = al_arena_floats(p->arena, columns);
        sum = al_arena_take(p->arena, columns, sizeof *sum);
    }
    if (al_packing_writes(p)) {
        /* the last panel is zero beyond the matrix; the others are filled whole, unless k is padded */
        const size_t clean = depth == in ? columns - (columns != out ? p->kernels->nr : 0) : 0;
        memset(weight + clean * depth * size, 0, (columns - clean) * depth * size);
        for (size_t i = out; scale && i < columns; i++) {
            scale[i] = 0.0f;
            sum[i] = 0;
        }
    }
    return (al_packed){product, weight, scale, sum};
}

size_t al_packed_bytes(const al_packed *packed, size_t in, size_t out)
{
    return in * out * element_size(packed->product->element);
}

/* ---- filling ---- */

/*
 * Rows become columns a block at a time: its rows are read and converted one after the other, which is how they lie in
 * the tensor, and written side by side, which is how they lie in the panel.
 */
#define BLOCK_ROWS  16
#define BLOCK_DEPTH 256 /* a multiple of every group */

typedef union block {
    float f32[BLOCK_ROWS][BLOCK_DEPTH];
    uint16_t bf16[BLOCK_ROWS][BLOCK_DEPTH];
    int16_t s16[BLOCK_ROWS][BLOCK_DEPTH];
    int8_t s8[BLOCK_ROWS][BLOCK_DEPTH];
} block;

typedef struct row_reader {
    const align_tensor *weight;
    size_t row, in;
    float factor;
} row_reader;

/* Elements [begin, begin + n) of the row, n <= BLOCK_DEPTH. */
static void read_row(const row_reader *r, size_t begin, size_t n, float *out)
{
    const size_t size = align_dtype_size(r->weight->dtype);
    al_to_f32(r->weight->dtype, (const char *)r->weight->data + (r->row * r->in + begin) * size, n, out);
    if (r->factor != 1.0f)
        for (size_t i = 0; i < n; i++)
            out[i] *= r->factor;
}

/* Sets the column's step, its largest magnitude / 127, and gives the inverse: 0 for a column of zeros, and for one that
 * is not finite, whose step is then not finite either. */
static float choose_step(const row_reader *r, float *scale)
{
    float stretch[BLOCK_DEPTH], largest = 0.0f, taint = 0.0f;
    for (size_t begin = 0; begin < r->in; begin += BLOCK_DEPTH) {
        const size_t n = al_least(r->in - begin, BLOCK_DEPTH);
        read_row(r, begin, n, stretch);
        for (size_t i = 0; i < n; i++) {
            largest = fmaxf(largest, fabsf(stretch[i]));
            taint += 0.0f * stretch[i];
        }
    }
    *scale = largest / 127.0f + taint;
    return largest > 0.0f && taint == 0.0f ? 127.0f / largest : 0.0f;
}

/* n floats -> row r of the block, and zeros up to a whole group. inverse: of the step, for integers, whose sum it
 * gives. */
static int32_t put_row(const al_product *product, const float *x, size_t n, float inverse, size_t r, block *out)
{
    const size_t whole = round_up(n, product->group);
    int32_t sum = 0;
    if (product->element == AL_F32)
        memcpy(out->f32[r], x, n * sizeof *x);
    else if (product->element == AL_BF16)
        al_f32_to_bf16(x, n, out->bf16[r]);
    for (size_t i = 0; i < n && is_integer(product->element); i++) {
        const int32_t step = inverse > 0.0f ? (int32_t)lrintf(x[i] * inverse) : 0;
        sum += step;
        if (product->element == AL_S8)
            out->s8[r][i] = (int8_t)step;
        else
            out->s16[r][i] = (int16_t)step;
    }
    const size_t size = element_size(product->element);
    memset((char *)out + (r * BLOCK_DEPTH + n) * size, 0, (whole - n) * size);
    return sum;
}

/* Unit u of row r of the block goes to `to` + u * step + r * unit. */
static inline void interleave(const block *from, size_t rows, size_t units, size_t unit, size_t row_size, size_t step,
                              char *to)
{
    for (size_t u = 0; u < units; u++)
        for (size_t r = 0; r < rows; r++)
            memcpy(to + u * step + r * unit, (const char *)from + r * row_size + u * unit, unit);
}

/* At most BLOCK_ROWS rows, of one panel, as columns from `column` on. */
static void fill_rows(const al_packed *packed, size_t nr, size_t column, size_t rows, const row_reader *readers)
{
    const al_product *product = packed->product;
    const size_t size = element_size(product->element), unit = product->group * size, step = nr * unit;
    const size_t in = readers->in, depth = round_up(in, product->k_multiple);
    char *to = (char *)(uintptr_t)packed->weight + column / nr * nr * depth * size + column % nr * unit;
    float stretch[BLOCK_DEPTH], inverse[BLOCK_ROWS] = {0};
    int32_t sums[BLOCK_ROWS] = {0};
    block rows_of_block;
    for (size_t r = 0; r < rows && packed->scale; r++)
        inverse[r] = choose_step(&readers[r], (float *)(uintptr_t)packed->scale + column + r);
    for (size_t begin = 0; begin < in; begin += BLOCK_DEPTH, to += BLOCK_DEPTH * size * nr) {
        const size_t n = al_least(in - begin, BLOCK_DEPTH), units = round_up(n, product->group) / product->group;
        for (size_t r = 0; r < rows; r++) {
            read_row(&readers[r], begin, n, stretch);
            sums[r] += put_row(product, stretch, n, inverse[r], r, &rows_of_block);
        }
        if (unit == 4) /* what nearly every product reads: let the compiler know */
            interleave(&rows_of_block, rows, units, 4, BLOCK_DEPTH * size, step, to);
        else
            interleave(&rows_of_block, rows, units, unit, BLOCK_DEPTH * size, step, to);
    }
    for (size_t r = 0; r < rows && packed->sum; r++)
        ((int32_t *)(uintptr_t)packed->sum)[column + r] = sums[r];
}

void al_packed_fill(const al_packed *packed, const al_packing *p, size_t in, size_t first, size_t rows,
                    const align_tensor *weight, const float *scale)
{
    if (!al_packing_writes(p))
        return;
    const size_t nr = p->kernels->nr;
    for (size_t row = 0; row < rows;) {
        const size_t column = first + row, panel_left = nr - column % nr;
        const size_t n = al_least(al_least(BLOCK_ROWS, panel_left), rows - row);
        row_reader readers[BLOCK_ROWS];
        for (size_t i = 0; i < n; i++)
            readers[i] = (row_reader){weight, row + i, in, scale ? scale[row + i] : 1.0f};
        fill_rows(packed, nr, column, n, readers);
        row += n;
    }
    if (p->release)
        p->release(p->user, weight);
}

/* ---- matrices that are needed once ---- */

size_t al_packed_size(const al_kernels *k, size_t in, size_t out)
{
    return round_up(out, k->nr) * in;
}

void al_pack(const al_kernels *k, const float *matrix, size_t row_stride, size_t in, size_t out, bool transposed,
             float *packed)
{
    const size_t nr = k->nr, panels = (out + nr - 1) / nr;
    if (out % nr)
        memset(packed + (panels - 1) * nr * in, 0, nr * in * sizeof *packed);
    for (size_t p = 0; p < panels; p++) {
        const size_t n = al_least(out - p * nr, nr);
        if (!transposed)
            k->transpose(n, in, matrix + p * nr * row_stride, row_stride, packed + p * in * nr, nr);
        for (size_t i = 0; transposed && i < in; i++)
            memcpy(packed + (p * in + i) * nr, matrix + i * row_stride + p * nr, n * sizeof *packed);
    }
}

/* A group of two, as memory has it. */
typedef struct pair {
    uint16_t first, second;
} pair;

size_t al_packed_bf16_size(const al_kernels *k, size_t in, size_t out)
{
    return round_up(out, k->nr) * round_up(in, k->products[ALIGN_PRECISION_BF16]->k_multiple);
}

/* One panel of n columns: rows of the matrix become columns. */
static void pack_columns(const uint16_t *matrix, size_t row_stride, size_t in, size_t n, size_t nr, pair *packed)
{
    for (size_t o = 0; o < n; o++, matrix += row_stride) {
        for (size_t i = 0; i < in / 2; i++)
            packed[i * nr + o] = (pair){matrix[2 * i], matrix[2 * i + 1]};
        if (in % 2)
            packed[in / 2 * nr + o] = (pair){matrix[in - 1], 0};
    }
}

/* One panel of n columns, which are columns of the matrix. */
static void pack_rows(const uint16_t *matrix, size_t row_stride, size_t in, size_t n, size_t nr, pair *packed)
{
    for (size_t i = 0; i < in / 2; i++, matrix += 2 * row_stride, packed += nr)
        for (size_t o = 0; o < n; o++)
            packed[o] = (pair){matrix[o], matrix[row_stride + o]};
    for (size_t o = 0; in % 2 && o < n; o++)
        packed[o] = (pair){matrix[o], 0};
}

void al_pack_bf16(const al_kernels *k, const uint16_t *matrix, size_t row_stride, size_t in, size_t out,
                  bool transposed, uint16_t *packed)
{
    const size_t nr = k->nr, depth = round_up(in, k->products[ALIGN_PRECISION_BF16]->k_multiple);
    for (size_t column = 0; column < out; column += nr, packed += nr * depth) {
        const size_t n = al_least(out - column, nr);
        if (n < nr || in < depth)
            memset(packed, 0, nr * depth * sizeof *packed);
        if (transposed)
            pack_rows(matrix + column, row_stride, in, n, nr, (pair *)(void *)packed);
        else
            pack_columns(matrix + column * row_stride, row_stride, in, n, nr, (pair *)(void *)packed);
    }
}
