/*
 * narrow.inc.h: rows of narrow numbers beside queries (narrow.h), in the words of simd_*.h and in
 *
 *     v_load_f16(p), v_load_s8(p)     VL numbers, widened to floats
 *     v_store_rounded(p, x)           VL finite numbers to bf16, to the nearest
 *
 * A row is read from memory, a query from L1: a few rows at a time share what is loaded of a query, so that one query
 * takes no longer than the reading of the rows, on any machine.
 */
#include "kernels/narrow.h"
#include "kernels/unroll.h"

#include <string.h>

/* Rows that meet the queries at once, so that all sums stay in registers: half of them where these are few. */
#define DOT_ROWS 4

#define LINE_BYTES 64

/* Rows come from memory one after the other. What is asked for so many bytes ahead is there when its turn comes, also
 * behind the end of a page, where what the CPU fetches by itself stops. It may lie outside: that does no harm. */
#define FETCH_AHEAD ((size_t)16 * 1024)

static inline void fetch(const char *p)
{
    __builtin_prefetch((const char *)((uintptr_t)p + FETCH_AHEAD), 0, 2);
}

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
    for (; i + VL <= n; i += VL) {
        fetch(x + i * size);
        v_store(y + i, v_load_narrow(type, x + i * size));
    }
    if (i < n)
        store_tail(n - i, y + i, narrow_tail(type, n - i, x + i * size));
}

static inline __attribute__((always_inline)) void to_bf16_as(const narrow type, size_t n, const char *x, uint16_t *y)
{
    const size_t size = narrow_size(type);
    size_t i = 0;
    for (; i + VL <= n; i += VL) {
        fetch(x + i * size);
        v_store_rounded(y + i, v_load_narrow(type, x + i * size));
    }
    if (i < n) {
        uint16_t tail[VL];
        v_store_rounded(tail, narrow_tail(type, n - i, x + i * size));
        memcpy(y + i, tail, (n - i) * sizeof *y);
    }
}

/* What the sums of a tile gain by `vectors` vectors of each row. */
static inline __attribute__((always_inline)) void dots_step(const narrow type, const size_t rows, const size_t n,
                                                            const size_t vectors, size_t width, const char *x,
                                                            const float *queries, vf sum[DOT_ROWS][AL_NARROW_QUERIES])
{
    const size_t size = narrow_size(type);
    UNROLL
    for (size_t v = 0; v < vectors; v++) {
        vf row[DOT_ROWS];
        UNROLL
        for (size_t r = 0; r < rows; r++)
            row[r] = v_load_narrow(type, x + (r * width + v * VL) * size);
        UNROLL
        for (size_t q = 0; q < n; q++) {
            const vf query = v_load(queries + q * width + v * VL);
            UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r][q] = v_fma(row[r], query, sum[r][q]);
        }
    }
}

/* The same for what is left of the rows, left < VL. */
static inline __attribute__((always_inline)) void dots_last(const narrow type, const size_t rows, const size_t n,
                                                            size_t left, size_t width, const char *x,
                                                            const float *queries, vf sum[DOT_ROWS][AL_NARROW_QUERIES])
{
    UNROLL
    for (size_t q = 0; q < n; q++) {
        const vf query = load_tail(left, queries + q * width, 0.0f);
        UNROLL
        for (size_t r = 0; r < rows; r++)
            sum[r][q] = v_fma(narrow_tail(type, left, x + r * width * narrow_size(type)), query, sum[r][q]);
    }
}

/* A tile of `rows` rows and n queries, both constants where this is inlined. */
static inline __attribute__((always_inline)) void dots_tile(const narrow type, const size_t rows, const size_t n,
                                                            size_t width, const char *x, const float *queries,
                                                            float *scores)
{
    const size_t size = narrow_size(type), line = LINE_BYTES / size;
    vf sum[DOT_ROWS][AL_NARROW_QUERIES];
    UNROLL
    for (size_t i = 0; i < rows * n; i++)
        sum[i / n][i % n] = v_zero();
    size_t i = 0;
    for (; i + line <= width; i += line) {
        UNROLL
        for (size_t r = 0; r < rows; r++)
            fetch(x + (r * width + i) * size);
        dots_step(type, rows, n, line / VL, width, x + i * size, queries + i, sum);
    }
    for (; i + VL <= width; i += VL)
        dots_step(type, rows, n, 1, width, x + i * size, queries + i, sum);
    if (i < width)
        dots_last(type, rows, n, width - i, width, x + i * size, queries + i, sum);
    UNROLL
    for (i = 0; i < rows * n; i++)
        scores[i] = v_sum(sum[i / n][i % n]);
}

static inline __attribute__((always_inline)) void dots_of(const narrow type, const size_t n, size_t count, size_t width,
                                                          const char *rows, const float *queries, float *scores)
{
    const size_t bytes = width * narrow_size(type), together = VL == 8 && n > 2 ? DOT_ROWS / 2 : DOT_ROWS;
    size_t r = 0;
    for (; r + together <= count; r += together)
        dots_tile(type, together, n, width, rows + r * bytes, queries, scores + r * n);
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

static void f16_to_bf16(size_t n, const void *x, uint16_t *y)
{
    to_bf16_as(NARROW_F16, n, x, y);
}

static void s8_to_bf16(size_t n, const void *x, uint16_t *y)
{
    to_bf16_as(NARROW_S8, n, x, y);
}

static void dots_f16(size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores)
{
    dots_as(NARROW_F16, count, width, rows, n, queries, scores);
}

static void dots_s8(size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores)
{
    dots_as(NARROW_S8, count, width, rows, n, queries, scores);
}

static const al_narrow_kernels narrow_f16 = {sizeof(uint16_t), widen_f16, f16_to_bf16, dots_f16};
static const al_narrow_kernels narrow_s8 = {sizeof(int8_t), widen_s8, s8_to_bf16, dots_s8};
