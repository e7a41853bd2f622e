/* The collection, .npy files and sizes in words. */
#include "checkpoint/tensors.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

static align_tensors *new_tensors(void)
{
    align_tensors *tensors;
    assert_int_equal(align_tensors_new(&tensors, NULL), ALIGN_OK);
    return tensors;
}

static void copies_and_views(void **state)
{
    (void)state;
    align_tensors *tensors = new_tensors();
    float values[2] = {1, 2};
    const align_tensor tensor = align_tensor_view(ALIGN_F32, 1, (const int64_t[]){2}, values);
    assert_int_equal(align_tensors_add(tensors, "copy", &tensor, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_add_view(tensors, "view", &tensor, NULL), ALIGN_OK);
    values[0] = 3;
    const align_tensor *copy = align_tensors_get(tensors, "copy"), *view = align_tensors_get(tensors, "view");
    assert_true(((const float *)copy->data)[0] == 1);
    assert_ptr_equal(view->data, values);
    assert_ptr_equal(align_tensors_at(tensors, 0), copy);
    assert_null(align_tensors_get(tensors, "none"));
    assert_null(align_tensors_get(tensors, ""));
    assert_null(align_tensors_get(tensors, NULL));
    align_tensors_free(tensors);
    align_tensors_free(NULL);
}

/* A thousand names: found by name, kept in order, and what was handed out stays where it is. */
static void many(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    align_tensors *tensors = new_tensors();
    const align_tensor *first = NULL;
    for (int32_t i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%d", (int)i);
        const align_tensor tensor = align_tensor_view(ALIGN_I32, 0, NULL, &i);
        assert_int_equal(align_tensors_add(tensors, name, &tensor, NULL), ALIGN_OK);
        if (i == 0)
            first = align_tensors_at(tensors, 0);
    }
    assert_ptr_equal(first, align_tensors_get(tensors, "layer.0"));
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%d", i);
        assert_string_equal(align_tensors_name(tensors, (size_t)i), name);
        assert_int_equal(*(const int32_t *)align_tensors_get(tensors, name)->data, i);
    }
    align_tensors_free(tensors);
}

static void replaced(void **state)
{
    (void)state;
    align_tensors *tensors = new_tensors();
    const int16_t one = 1, two = 2;
    const align_tensor a = align_tensor_view(ALIGN_I16, 0, NULL, &one);
    const align_tensor b = align_tensor_view(ALIGN_I16, 0, NULL, &two);
    assert_int_equal(align_tensors_add(tensors, "a", &a, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_add(tensors, "b", &a, NULL), ALIGN_OK);
    const align_tensor *first = align_tensors_get(tensors, "a");
    assert_int_equal(align_tensors_add(tensors, "a", &b, NULL), ALIGN_OK);
    assert_ptr_equal(align_tensors_get(tensors, "a"), first);
    assert_int_equal(*(const int16_t *)first->data, 2);
    assert_int_equal(align_tensors_add(tensors, "a", first, NULL), ALIGN_OK); /* by itself */
    assert_int_equal(*(const int16_t *)first->data, 2);
    assert_int_equal(align_tensors_add_view(tensors, "b", &b, NULL), ALIGN_OK);
    assert_ptr_equal(align_tensors_get(tensors, "b")->data, &two);
    assert_int_equal(align_tensors_count(tensors), 2);
    align_tensors_free(tensors);
}

static void wrong_tensors(void **state)
{
    (void)state;
    align_tensors *tensors = new_tensors();
    const float value = 1;
    align_error err = ALIGN_ERROR_INIT;
    const align_tensor good = align_tensor_view(ALIGN_F32, 0, NULL, &value);
    align_tensor dtype = good, rank = good, low_rank = good, negative = good, large = good, absent = good;
    dtype.dtype = (align_dtype)ALIGN_DTYPE_COUNT;
    rank.rank = ALIGN_MAX_RANK + 1;
    low_rank.rank = -1;
    negative.rank = 1;
    negative.shape[0] = -1;
    large.rank = 2;
    large.shape[0] = large.shape[1] = INT64_C(1) << 32;
    absent.data = NULL;
    const align_tensor *const bad[] = {&dtype, &rank, &low_rank, &negative, &large, &absent, NULL};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(align_tensors_add(tensors, "bad", bad[i], &err), ALIGN_ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "tensor bad"));
        assert_int_equal(align_tensors_add_view(tensors, "bad", bad[i], NULL), ALIGN_ERROR_INVALID_ARGUMENT);
        assert_int_equal(align_tensor_save_npy(bad[i], in_scratch("bad.npy"), NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    }
    assert_int_equal(align_tensors_add(tensors, NULL, &good, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensors_add(tensors, "\xff", &good, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensors_add(NULL, "a", &good, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensors_save(tensors, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensors_save(NULL, in_scratch("bad"), NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensor_save_npy(&good, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensor_save_npy(&good, in_scratch("none/a.npy"), NULL), ALIGN_ERROR_NOT_FOUND);
    assert_int_equal(align_tensors_count(tensors), 0);
    assert_int_equal(count_files(scratch), 0);
    align_tensors_free(tensors);
}

static void npy_is_numpys(void **state)
{
    (void)state;
    static const char *const names[] = {"temperature",         "matrix.weight", "kernel.weight", "half", "brain",
                                        "num_batches_tracked", "byte",          "bool",          "empty"};
    align_tensors *truth = open_tensors(GOLDEN("truth.safetensors"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *expected = al_format("%s/checkpoint/%s.npy", TEST_DATA, names[i]);
        assert_int_equal(align_tensor_save_npy(align_tensors_get(truth, names[i]), in_scratch("a.npy"), NULL),
                         ALIGN_OK);
        assert_same_file(in_scratch("a.npy"), expected);
        al_free(expected);
    }
    align_tensors_free(truth);
}

/* An array longer than the pieces in which it is converted. */
static void long_bf16_as_npy(void **state)
{
    (void)state;
    enum { LONG = 10000 };
    static uint16_t values[LONG];
    for (int i = 0; i < LONG; i++)
        values[i] = (uint16_t)(0x3F80 + i);
    const align_tensor tensor = align_tensor_view(ALIGN_BF16, 1, (const int64_t[]){LONG}, values);
    assert_int_equal(align_tensor_save_npy(&tensor, in_scratch("long.npy"), NULL), ALIGN_OK);
    char *bytes;
    size_t size;
    assert_int_equal(al_file_read(&bytes, &size, in_scratch("long.npy"), 1000000, NULL), ALIGN_OK);
    assert_int_equal(size, 128 + 4 * LONG);
    for (int i = 0; i < LONG; i++) {
        uint32_t bits;
        memcpy(&bits, bytes + 128 + 4 * i, sizeof bits);
        assert_int_equal(bits, (uint32_t)values[i] << 16);
    }
    al_free(bytes);
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"250", 250},
        {"0", 0},
        {"100KB", 100000},
        {"5GB", INT64_C(5000000000)},
        {"5gb", INT64_C(5000000000)},
        {"2MB", 2000000},
        {"1TB", INT64_C(1000000000000)},
        {"1KiB", 1024},
        {"1MiB", 1048576},
        {"3gib", INT64_C(3) << 30},
        {"1TiB", INT64_C(1) << 40},
        {" 7 MB ", 7000000},
        {"12B", 12},
        {"1.5GB", 1500000000},
        {"0.1KB", 100},
        {"1.1GB", 1100000000},
        {"2.KB", 2000},
        {"0.00000000000000000001TB", 0},
        {"9223372036854775807", INT64_MAX},
    };
    static const char *const bad[] = {"",
                                      "GB",
                                      "-1",
                                      "-1GB",
                                      "1XB",
                                      "1GBx",
                                      "1e3",
                                      ".5GB",
                                      "1 2",
                                      "1G B",
                                      "0x10",
                                      "1.5.5",
                                      "9223372036854775808",
                                      "9223372036854775.9TB",
                                      "99999999TiB",
                                      "inf",
                                      "nan"};
    align_error err = ALIGN_ERROR_INIT;
    int64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        bytes = -1;
        assert_int_equal(align_parse_size(&bytes, good[i].text, NULL), ALIGN_OK);
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bytes = -1;
        assert_int_equal(align_parse_size(&bytes, bad[i], &err), ALIGN_ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, bad[i]));
        assert_true(bytes == -1);
    }
    assert_int_equal(align_parse_size(&bytes, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
}

static void memory_runs_out(void **state)
{
    (void)state;
    const float value = 1;
    const align_tensor tensor = align_tensor_view(ALIGN_F32, 0, NULL, &value);
    empty_folder(scratch);
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    for (long n = 1; status != ALIGN_OK; n++) {
        align_tensors *tensors = NULL;
        al_memory_fail_at(n);
        status = align_tensors_new(&tensors, NULL);
        for (int i = 0; i < 70 && status == ALIGN_OK; i++) { /* the table grows once */
            char name[16];
            snprintf(name, sizeof name, "%d", i % 66);
            status = align_tensors_add(tensors, name, &tensor, NULL);
        }
        if (status == ALIGN_OK)
            status = align_tensor_save_npy(&tensor, in_scratch("a.npy"), NULL);
        al_memory_fail_at(0);
        align_tensors_free(tensors);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        assert_int_equal(count_files(scratch), status == ALIGN_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_and_views),
        cmocka_unit_test(many),
        cmocka_unit_test(replaced),
        cmocka_unit_test(wrong_tensors),
        cmocka_unit_test(npy_is_numpys),
        cmocka_unit_test(long_bf16_as_npy),
        cmocka_unit_test(sizes),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
