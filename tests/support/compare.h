#ifndef TEST_COMPARE_H
#define TEST_COMPARE_H
/*
 * compare.h: tensors against tensors, with a text that says where they part.
 *
 * A tolerance is relative to the largest magnitude in the expected tensor: max |actual - expected| / max |expected|.
 * Not a number equals not a number, an infinity equals itself, nothing else equals either.
 */
#include <align/tensor.h>
#include <stdbool.h>

/* Counts what was compared; where is put before every message. */
typedef struct comparison {
    const char *where;
    size_t compared;
    size_t failed;
} comparison;

/* Any dtypes; false (and a message on stderr) when the shapes differ or a value lies outside the tolerance. An actual
 * tensor that is NULL or absent fails. */
bool compare_tensors(comparison *result, const char *name, const align_tensor *actual, const align_tensor *expected,
                     double tolerance);

/* The same with an allowance on top, in the tensors' own measure. */
bool compare_within(comparison *result, const char *name, const align_tensor *actual, const align_tensor *expected,
                    double tolerance, double allowance);

/* The same bits: dtype, shape and every byte. */
bool compare_bits(comparison *result, const char *name, const align_tensor *actual, const align_tensor *expected);

/* "F32 [2, 3]" into text; returns text. */
const char *describe_tensor(const align_tensor *tensor, char *text, size_t size);
#endif
