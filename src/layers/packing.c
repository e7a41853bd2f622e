/* packing.c: see packing.h. */
#include "layers/packing.h"

#include "base/status.h"
#include "base/tensor.h"

#include <math.h>
#include <string.h>

bool al_packing_writes(const al_packing *packing)
{
    return packing->arena->base && !packing->filled;
}

align_status al_packing_run(al_packing *p, al_pack_function pack, void *user, align_error *err)
{
    if (!p->kernels->products[p->precision])
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "precision %d: the %s kernels have no product for it",
                            (int)p->precision, p->kernels->isa);
    const al_arena_rehearsal rehearsal = al_arena_rehearse(p->arena);
    pack(user, p);
    const align_status status = al_arena_reserve(p->arena, rehearsal, 0, err);
    if (status == ALIGN_OK)
        pack(user, p);
    return status;
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

/* Rows are converted a stretch at a time, so that halves need no copy of the whole matrix. */
#define STRETCH 1024

typedef struct row_reader {
    const align_tensor *weight;
    size_t row, in;
    float factor;
} row_reader;

/* Elements [begin, begin + n) of the row, n <= STRETCH. */
static void read_stretch(const row_reader *r, size_t begin, size_t n, float *out)
{
    const size_t size = align_dtype_size(r->weight->dtype);
    al_to_f32(r->weight->dtype, (const char *)r->weight->data + (r->row * r->in + begin) * size, n, out);
    for (size_t i = 0; i < n; i++)
        out[i] *= r->factor;
}

/* Where element i of a column lies in a packed matrix, in elements. */
typedef struct column_place {
    size_t base, group, step; /* a group of elements, and from one group to the next */
} column_place;

static size_t place_of(const column_place *c, size_t i)
{
    return c->base + i / c->group * c->step + i % c->group;
}

static void fill_floats(const al_packed *packed, const column_place *place, const row_reader *row)
{
    float stretch[STRETCH];
    uint16_t halves[STRETCH];
    for (size_t begin = 0; begin < row->in; begin += STRETCH) {
        const size_t n = row->in - begin < STRETCH ? row->in - begin : STRETCH;
        read_stretch(row, begin, n, stretch);
        if (packed->product->element == AL_F32) {
            float *to = (float *)(uintptr_t)packed->weight;
            for (size_t i = 0; i < n; i++)
                to[place_of(place, begin + i)] = stretch[i];
            continue;
        }
        uint16_t *to = (uint16_t *)(uintptr_t)packed->weight;
        al_f32_to_bf16(stretch, n, halves);
        for (size_t i = 0; i < n; i++)
            to[place_of(place, begin + i)] = halves[i];
    }
}

/* In steps of the largest magnitude / 127. A row that is not finite gets a step that is not. */
static void fill_steps(const al_packed *packed, const column_place *place, size_t column, const row_reader *row)
{
    float stretch[STRETCH], largest = 0.0f, taint = 0.0f;
    int32_t sum = 0;
    for (size_t begin = 0; begin < row->in; begin += STRETCH) {
        const size_t n = row->in - begin < STRETCH ? row->in - begin : STRETCH;
        read_stretch(row, begin, n, stretch);
        for (size_t i = 0; i < n; i++) {
            largest = fmaxf(largest, fabsf(stretch[i]));
            taint += 0.0f * stretch[i];
        }
    }
    const float inverse = largest > 0.0f && taint == 0.0f ? 127.0f / largest : 0.0f;
    for (size_t begin = 0; begin < row->in; begin += STRETCH) {
        const size_t n = row->in - begin < STRETCH ? row->in - begin : STRETCH;
        read_stretch(row, begin, n, stretch);
        for (size_t i = 0; i < n; i++) {
            const long step = inverse > 0.0f ? lrintf(stretch[i] * inverse) : 0;
            const size_t at = place_of(place, begin + i);
            sum += (int32_t)step;
            if (packed->product->element == AL_S8)
                ((int8_t *)(uintptr_t)packed->weight)[at] = (int8_t)step;
            else
                ((int16_t *)(uintptr_t)packed->weight)[at] = (int16_t)step;
        }
    }
    ((float *)(uintptr_t)packed->scale)[column] = largest / 127.0f + taint;
    ((int32_t *)(uintptr_t)packed->sum)[column] = sum;
}

void al_packed_fill(const al_packed *packed, const al_packing *p, size_t in, size_t first, size_t rows,
                    const align_tensor *weight, const float *scale)
{
    if (!al_packing_writes(p))
        return;
    const size_t nr = p->kernels->nr, group = packed->product->group;
    const size_t depth = round_up(in, packed->product->k_multiple);
    for (size_t r = 0; r < rows; r++) {
        const size_t column = first + r;
        const row_reader row = {weight, r, in, scale ? scale[r] : 1.0f};
        const column_place place = {column / nr * depth * nr + column % nr * group, group, nr * group};
        if (is_integer(packed->product->element))
            fill_steps(packed, &place, column, &row);
        else
            fill_floats(packed, &place, &row);
    }
}

/* ---- for kernels->gemm ---- */

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
    if (!transposed) {
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                packed[(o / nr * in + i) * nr + o % nr] = matrix[o * row_stride + i];
        return;
    }
    for (size_t p = 0; p < panels; p++)
        for (size_t i = 0; i < in; i++) {
            const size_t n = out - p * nr < nr ? out - p * nr : nr;
            memcpy(packed + (p * in + i) * nr, matrix + i * row_stride + p * nr, n * sizeof *packed);
        }
}
