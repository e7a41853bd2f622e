#ifndef AL_NARROW_H
#define AL_NARROW_H
/*
 * narrow.h: vectors that are kept in numbers of two bytes or of one, beside queries in f32: what a search multiplies.
 * Written like the rest of kernels.h: narrow.c says in plain C what each function means.
 *
 * Rows are width numbers each, one row after the other.
 */
#include <stddef.h>
#include <stdint.h>

/* At most so many queries meet a row at once. */
#define AL_NARROW_QUERIES 4

/* The functions of one type of number. */
typedef struct al_narrow_kernels {
    size_t size; /* bytes of a number */

    /* y[i] = x[i], exactly */
    void (*widen)(size_t n, const void *x, float *y);

    /* y[i] = x[i] in bf16, to the nearest, of two equally near ones to either: an operand's row (al_product.bf16_rows).
     * Numbers are finite. */
    void (*to_bf16)(size_t n, const void *x, uint16_t *y);

    /* scores[r * n + q] = sum over i of rows[r, i] queries[q, i], for 1 to AL_NARROW_QUERIES queries. Neither the
     * number of rows nor that of queries changes a score. */
    void (*dots)(size_t count, size_t width, const void *rows, size_t n, const float *queries, float *scores);
} al_narrow_kernels;

extern const al_narrow_kernels al_narrow_f16_ref, al_narrow_s8_ref;
#endif
