/* quick.c: see quick.h. */
#include "search/quick.h"

#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"

#include <string.h>

/* Bytes that the multiplied form of a block may have, so that it stays in L2; and rows, whatever their width. */
#define BLOCK_BYTES ((size_t)512 * 1024)
#define BLOCK_LEAST ((size_t)32)
#define BLOCK_MOST  ((size_t)512)

/* Half the distance from 1 to the next number. */
#define F32_ROUNDING  0x1p-24
#define BF16_ROUNDING 0x1p-8

static void choose_product(al_quick *quick)
{
    const al_product *bf16 = quick->kernels->products[ALIGN_PRECISION_BF16];
    quick->multiplies = quick->n > AL_NARROW_QUERIES;
    quick->product = quick->multiplies && bf16->bf16_rows ? bf16 : NULL;

    /* width additions, each of which rounds; before that the factors, unless they are bytes, which bf16 holds. */
    quick->error = 1.01 * (double)(quick->width + 8) * F32_ROUNDING;
    if (quick->product)
        quick->error += 1.01 * BF16_ROUNDING * (quick->narrow->size == 1 ? 1.0 : 2.0);
}

static void choose_block(al_quick *quick)
{
    const size_t nr = quick->kernels->nr;
    quick->stride = quick->multiplies ? (quick->n + nr - 1) / nr * nr : quick->n;
    const size_t bytes = quick->product ? quick->product->operand_row(quick->width) : quick->width * sizeof(float);
    const size_t fit = quick->multiplies ? BLOCK_BYTES / bytes : BLOCK_MOST;
    quick->block = fit < BLOCK_LEAST ? BLOCK_LEAST : fit > BLOCK_MOST ? BLOCK_MOST : fit;
}

/* The queries as weights: panels of nr queries, side by side. */
static align_status pack(al_quick *quick, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_product *product = quick->product;
    const size_t nr = quick->kernels->nr, multiple = product ? product->k_multiple : 1;
    const size_t rows = (quick->width + multiple - 1) / multiple * multiple, strip_bytes = rows * nr * sizeof(float);
    const size_t panel = rows * nr * (product ? sizeof(uint16_t) : sizeof(float));
    float *strip = product ? al_alloc_aligned(strip_bytes) : NULL;
    quick->packed = al_alloc_aligned(quick->stride / nr * panel);
    if (!quick->packed || (product && !strip))
        FAIL(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for %zu queries of %zu numbers", quick->n, quick->width);
    for (size_t first = 0; first < quick->n; first += nr) {
        const size_t some = al_least(quick->n - first, nr);
        void *to = (char *)quick->packed + first / nr * panel;
        float *columns = product ? strip : to;
        memset(columns, 0, strip_bytes);
        quick->kernels->transpose(some, quick->width, quick->queries + first * quick->width, quick->width, columns, nr);
        if (product)
            product->pack(rows, strip, nr, to);
    }
done:
    al_free_aligned(strip);
    return status;
}

align_status al_quick_init(al_quick *quick, const al_narrow_kernels *narrow, const float *queries, size_t n,
                           size_t width, align_error *err)
{
    *quick = (al_quick){.kernels = al_kernels_get(), .narrow = narrow, .width = width, .n = n, .queries = queries};
    choose_product(quick);
    choose_block(quick);
    return quick->multiplies ? pack(quick, err) : ALIGN_OK;
}

void al_quick_done(al_quick *quick)
{
    al_free_aligned(quick->packed);
}

align_status al_quick_block_init(al_quick_block *block, const al_quick *quick, align_error *err)
{
    const size_t wide_rows = quick->multiplies && !quick->product ? quick->block : 1;
    const size_t operand_bytes = quick->product ? quick->block * quick->product->operand_row(quick->width) : 0;
    *block = (al_quick_block){
        .scores = al_alloc_aligned(quick->block * quick->stride * sizeof(float)),
        .wide = al_alloc_aligned(wide_rows * quick->width * sizeof(float)),
        .operand = al_alloc_aligned(operand_bytes),
    };
    if (!block->scores || !block->wide || !block->operand)
        return al_error_set(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for scores of %zu vectors", quick->block);
    memset(block->operand, 0, operand_bytes); /* the padding of its rows, which stays */
    return ALIGN_OK;
}

void al_quick_block_done(al_quick_block *block)
{
    al_free_aligned(block->scores);
    al_free_aligned(block->wide);
    al_free_aligned(block->operand);
}

static al_matrix rows_of(const al_quick *quick, const float *data)
{
    return (al_matrix){data, quick->width, quick->kernels->nr};
}

/* Rows of bf16, which the product reads as they are. */
static void round_rows(const al_quick *quick, al_quick_block *block, const char *rows, size_t count)
{
    const size_t bytes = quick->product->operand_row(quick->width), row_bytes = quick->width * quick->narrow->size;
    for (size_t r = 0; r < count; r++) {
        void *to = (char *)block->operand + (block->filled + r) * bytes;
        quick->narrow->to_bf16(quick->width, rows + r * row_bytes, to);
    }
}

void al_quick_add(const al_quick *quick, al_quick_block *block, const void *rows, size_t count)
{
    if (!quick->multiplies)
        quick->narrow->dots(count, quick->width, rows, quick->n, quick->queries,
                            block->scores + block->filled * quick->stride);
    else if (quick->product)
        round_rows(quick, block, rows, count);
    else
        quick->narrow->widen(count * quick->width, rows, block->wide + block->filled * quick->width);
    block->filled += count;
}

void al_quick_finish(const al_quick *quick, al_quick_block *block)
{
    if (!quick->multiplies || block->filled == 0)
        return;
    const al_gemm g = {.m = block->filled,
                       .n = quick->n,
                       .k = quick->width,
                       .a = rows_of(quick, block->wide),
                       .operand = block->operand,
                       .b = quick->packed,
                       .act = ALIGN_ACT_LINEAR,
                       .c = block->scores,
                       .c_row_stride = quick->stride,
                       .c_panel = quick->kernels->nr,
                       .c_padded = true};
    (quick->product ? quick->product->gemm : quick->kernels->gemm)(&g, 0, g.m, 0, quick->stride / quick->kernels->nr);
}
