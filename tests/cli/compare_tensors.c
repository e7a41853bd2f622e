/*
 * compare_tensors.c: for the tests of the command: EXPECTED ACTUAL TOLERANCE [NAME=OTHER]...: whether every tensor of
 * ACTUAL is in EXPECTED with the same shape and values, within the tolerance of the tensor's largest magnitude, and
 * prints the names of ACTUAL. NAME=OTHER compares ACTUAL's NAME with EXPECTED's OTHER.
 */
#include <align/align.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *expected_name(const char *name, int argc, char **argv)
{
    size_t length = strlen(name);
    for (int i = 4; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            return argv[i] + length + 1;
    return name;
}

static float *floats_of(const align_tensor *tensor, size_t n)
{
    float *values = malloc((n ? n : 1) * sizeof *values);
    if (!values)
        abort();
    align_tensor_to_f32(tensor, values);
    return values;
}

static int compare(const char *name, const align_tensor *expected, const align_tensor *actual, double tolerance)
{
    if (!expected) {
        printf("%s: not expected\n", name);
        return 1;
    }
    if (expected->rank != actual->rank || memcmp(expected->shape, actual->shape, sizeof expected->shape) != 0) {
        printf("%s: another shape\n", name);
        return 1;
    }
    size_t n = (size_t)align_tensor_elements(expected);
    float *a = floats_of(expected, n), *b = floats_of(actual, n);
    double largest = 0, difference = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        largest = fmax(largest, fabs((double)a[i]));
        difference = d > difference || isnan(d) ? d : difference; /* a NaN stays: it is not <= anything */
    }
    free(a);
    free(b);
    if (difference <= tolerance * largest)
        return 0;
    printf("%s: differs by %g of at most %g\n", name, difference, largest);
    return 1;
}

int main(int argc, char **argv)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *expected = NULL, *actual = NULL;
    if (argc < 4) {
        fputs("usage: compare_tensors EXPECTED ACTUAL TOLERANCE [NAME=OTHER]...\n", stderr);
        return 2;
    }
    if (align_tensors_open(&expected, argv[1], &err) != ALIGN_OK ||
        align_tensors_open(&actual, argv[2], &err) != ALIGN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    int wrong = 0;
    for (size_t i = 0; i < align_tensors_count(actual); i++) {
        const char *name = align_tensors_name(actual, i);
        const align_tensor *tensor = align_tensors_at(actual, i);
        printf("%s %s\n", name, align_dtype_name(tensor->dtype));
        wrong |=
            compare(name, align_tensors_get(expected, expected_name(name, argc, argv)), tensor, strtod(argv[3], NULL));
    }
    align_tensors_free(actual);
    align_tensors_free(expected);
    return wrong;
}
