/* compare.c: see compare.h. */
#include "support/compare.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *describe_tensor(const align_tensor *tensor, char *text, size_t size)
{
    if (tensor == NULL || tensor->data == NULL) {
        snprintf(text, size, "absent");
        return text;
    }
    size_t used = (size_t)snprintf(text, size, "%s [", align_dtype_name(tensor->dtype));
    for (int axis = 0; axis < tensor->rank && used < size; axis++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, axis ? ", " : "", tensor->shape[axis]);
    if (used < size)
        snprintf(text + used, size - used, "]");
    return text;
}

static bool same_shape(const align_tensor *a, const align_tensor *b)
{
    if (a == NULL || a->data == NULL || a->rank != b->rank)
        return false;
    for (int axis = 0; axis < a->rank; axis++) {
        if (a->shape[axis] != b->shape[axis])
            return false;
    }
    return true;
}

static bool fail(comparison *result, const char *name, const char *text)
{
    fprintf(stderr, "  %s: %s: %s\n", result->where, name, text);
    result->failed++;
    return false;
}

static bool fail_shape(comparison *result, const char *name, const align_tensor *actual, const align_tensor *expected)
{
    char got[128], wanted[128], text[320];
    describe_tensor(actual, got, sizeof got);
    describe_tensor(expected, wanted, sizeof wanted);
    snprintf(text, sizeof text, "is %s, expected %s", got, wanted);
    return fail(result, name, text);
}

/* How far apart two values are: 0 for the same NaN or infinity, infinite when only one of them is one. */
static double distance(double a, double b)
{
    if ((isnan(a) && isnan(b)) || a == b)
        return 0.0;
    return isfinite(a) && isfinite(b) ? fabs(a - b) : INFINITY;
}

static float *to_floats(const align_tensor *tensor)
{
    size_t n = (size_t)align_tensor_elements(tensor);
    float *values = malloc((n + 1) * sizeof *values);
    if (values == NULL)
        abort();
    align_tensor_to_f32(tensor, values);
    return values;
}

bool compare_tensors(comparison *result, const char *name, const align_tensor *actual, const align_tensor *expected,
                     double tolerance)
{
    return compare_within(result, name, actual, expected, tolerance, 0.0);
}

bool compare_within(comparison *result, const char *name, const align_tensor *actual, const align_tensor *expected,
                    double tolerance, double allowance)
{
    result->compared++;
    if (!same_shape(actual, expected))
        return fail_shape(result, name, actual, expected);

    size_t n = (size_t)align_tensor_elements(expected), worst = 0;
    float *a = to_floats(actual), *b = to_floats(expected);
    double largest = 0.0, difference = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(b[i]))
            largest = fmax(largest, fabs((double)b[i]));
        double d = distance((double)a[i], (double)b[i]);
        if (d > difference) {
            difference = d;
            worst = i;
        }
    }
    bool close = difference <= tolerance * largest + allowance;
    if (!close) {
        char text[256];
        snprintf(text, sizeof text,
                 "differs by %.3g of its largest magnitude %.6g (allowed %.3g): element %zu of %zu is %.9g, "
                 "expected %.9g",
                 difference / largest, largest, tolerance, worst, n, (double)a[worst], (double)b[worst]);
        fail(result, name, text);
    }
    free(a);
    free(b);
    return close;
}

bool compare_bits(comparison *result, const char *name, const align_tensor *actual, const align_tensor *expected)
{
    result->compared++;
    if (!same_shape(actual, expected) || actual->dtype != expected->dtype)
        return fail_shape(result, name, actual, expected);
    size_t size = align_dtype_size(expected->dtype), n = (size_t)align_tensor_elements(expected);
    const unsigned char *a = actual->data, *b = expected->data;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(a + i * size, b + i * size, size) != 0) {
            char text[96];
            snprintf(text, sizeof text, "element %zu of %zu has other bits", i, n);
            return fail(result, name, text);
        }
    }
    return true;
}
