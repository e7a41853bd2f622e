/*
 * narrow.inc.h: rows of narrow numbers beside queries (narrow.h), in the words of simd_*.h and in
 *
 *     v_load_f16(p), v_load_s8(p)     VL numbers, widened to floats
 *
 * A row is read from memory, a query from L1: a few rows at a time share what is loaded of a query, so that one query
 * takes no longer than the reading of the rows, on any machine.
 */
#include "kernels/narrow.h"
#include "kernels/unroll.h"

#include <string.h>

/* Rows that meet the queries at once: all sums stay in registers. */
#define DOT_ROWS (VL == 8 ? 2 : 4)

typedef enum narrow { NARROW_F16, NARROW_S8 } narrow;

static inline __attribute__((always_inline)) size_t narrow_size(const narrow type)
{
    return type == NARROW_F16 ? sizeof(uint16_t) : sizeof(int8_t);
}

static inline __attribute__((always_inline)) vf v_load_narrow(const narrow type, const void *p)
{
    return type == NARROW_F16 ? v_load_f16(p) : v_load_s8(p);
}

/* n < VL numbers and zeros */
static inline __attribute__((always_inline)) vf narrow_tail(const narrow type, size_t n, const void *p)
{
    char tail[VL * sizeof(uint16_t)] = {0};
    memcpy(tail, p, n * narrow_size(type));
    return v_load_narrow(type, tail);
}

static inline __attribute__((always_inline)) void widen_as(const narrow type, size_t n, const char *x, float *y)
{
    const size_t size = narrow_size(type);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, v_load_narrow(type, x + i * size));
    if (i < n)
        store_tail(n - i, y + i, narrow_tail(type, n - i, x + i * size));
}

/* A tile of `rows` rows and n queries, both constants where this is inlined. */
static inline __attribute__((always_inline)) void dots_tile(const narrow type, const size_t rows, const size_t n,
                                                            size_t width, const char *x, const float *queries,
                                                            float *scores)
{
    const size_t size = narrow_size(type), whole = width / VL * VL;
    vf sum[DOT_ROWS][AL_NARROW_QUERIES];
    UNROLL
    for (size_t r = 0; r < rows; r++)
        UNROLL
    for (size_t q = 0; q < n; q++)
        sum[r][q] = v_zero();
    for (size_t i = 0; i < whole; i += VL) {
        vf row[DOT_ROWS];
        UNROLL
        for (size_t r = 0; r < rows; r++)
            row[r] = v_load_narrow(type, x + (r * width + i) * size);
        UNROLL
        for (size_t q = 0; q < n; q++) {
            const vf query = v_load(queries + q * width + i);
            UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r][q] = v_fma(row[r], query, sum[r][q]);
        }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++)
        UNROLL
    for (size_t q = 0; q < n; q++) {
        if (whole < width) {
            const vf row = narrow_tail(type, width - whole, x + (r * width + whole) * size);
            sum[r][q] = v_fma(row, load_tail(width - whole, queries + q * width + whole, 0.0f), sum[r][q]);
        }
        scores[r * n + q] = v_sum(sum[r][q]);
    }
}

static inline __attribute__((always_inline)) void dots_of(const narrow type, const size_t n, size_t count, size_t width,
                                                          const char *rows, const float *queries, float *scores)
{
    const size_t bytes = width * narrow_size(type);
    size_t r = 0;
    for (; r + DOT_ROWS <= count; r += DOT_ROWS)
        dots_tile(type, DOT_ROWS, n, width, rows + r * bytes, queries, scores + r * n);
    for (; r < count; r++)
        dots_tile(type, 1, n, width, rows + r * bytes, queries, scores + r * n);
}

static inline __attribute__((always_inline)) void
dots_as(const narrow type, size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores)
{
    if (n == 1)
        dots_of(type, 1, count, width, rows, queries, scores);
    else if (n == 2)
        dots_of(type, 2, count, width, rows, queries, scores);
    else if (n == 3)
        dots_of(type, 3, count, width, rows, queries, scores);
    else
        dots_of(type, 4, count, width, rows, queries, scores);
}

static void widen_f16(size_t n, const void *x, float *y)
{
    widen_as(NARROW_F16, n, x, y);
}

static void widen_s8(size_t n, const void *x, float *y)
{
    widen_as(NARROW_S8, n, x, y);
}

static void dots_f16(size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores)
{
    dots_as(NARROW_F16, count, width, rows, n, queries, scores);
}

static void dots_s8(size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores)
{
    dots_as(NARROW_S8, count, width, rows, n, queries, scores);
}

static const al_narrow_kernels narrow_f16 = {sizeof(uint16_t), widen_f16, dots_f16};
static const al_narrow_kernels narrow_s8 = {sizeof(int8_t), widen_s8, dots_s8};
