/* safetensors: what the reference writes is read, written again byte for byte, and what it refuses is refused. */
#include "checkpoint/safetensors.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

static void read_and_written_again(void **state)
{
    (void)state;
    align_tensors *truth = open_tensors(GOLDEN("truth.safetensors"));
    assert_int_equal(align_tensors_count(truth), 14);
    assert_string_equal(align_tensors_metadata(truth, "format"), "pt");
    assert_null(align_tensors_metadata(truth, "none"));
    const align_tensor *scalar = align_tensors_get(truth, "temperature");
    assert_non_null(scalar);
    assert_int_equal(scalar->rank, 0);
    assert_true(*(const float *)scalar->data == 1.25f);
    assert_string_equal(align_tensors_name(truth, 0), "num_batches_tracked"); /* the file's order: I64 comes first */
    assert_true(*(const int64_t *)align_tensors_at(truth, 0)->data == -(INT64_C(1) << 40));
    assert_int_equal(align_tensors_save(truth, in_scratch("again.safetensors"), NULL), ALIGN_OK);
    assert_same_file(in_scratch("again.safetensors"), GOLDEN("truth.safetensors"));
    align_tensors_free(truth);
}

static void order_of_writing_is_not_of_adding(void **state)
{
    (void)state;
    align_tensors *truth = open_tensors(GOLDEN("truth.safetensors")), *reversed;
    assert_int_equal(align_tensors_new(&reversed, NULL), ALIGN_OK);
    for (size_t i = align_tensors_count(truth); i-- > 0;)
        assert_int_equal(align_tensors_add(reversed, align_tensors_name(truth, i), align_tensors_at(truth, i), NULL),
                         ALIGN_OK);
    assert_int_equal(align_tensors_save(reversed, in_scratch("reversed.safetensors"), NULL), ALIGN_OK);
    assert_same_file(in_scratch("reversed.safetensors"), GOLDEN("truth.safetensors"));
    align_tensors_free(truth);
    align_tensors_free(reversed);
}

static void empty_collection(void **state)
{
    (void)state;
    static const char expected[] = "\x20\0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"}}";
    align_tensors *none;
    assert_int_equal(align_tensors_new(&none, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_save(none, in_scratch("none.safetensors"), NULL), ALIGN_OK);
    write_scratch("expected", expected, sizeof expected - 1);
    assert_same_file(in_scratch("none.safetensors"), in_scratch("expected"));
    align_tensors_free(none);
    none = open_tensors(in_scratch("none.safetensors"));
    assert_int_equal(align_tensors_count(none), 0);
    assert_null(align_tensors_at(none, 0));
    assert_null(align_tensors_name(none, 0));
    assert_null(align_tensors_get(none, "a"));
    align_tensors_free(none);
}

/* A file of a header and a payload of `size` bytes. */
static const char *make(const char *header, size_t size)
{
    char bytes[4096] = {0};
    const size_t length = strlen(header);
    assert_true(8 + length + size <= sizeof bytes);
    bytes[0] = (char)(length & 0xFF);
    bytes[1] = (char)(length >> 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < size; i++)
        bytes[8 + length + i] = (char)i;
    write_scratch("made.safetensors", bytes, 8 + length + size);
    return in_scratch("made.safetensors");
}

#define TENSOR(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* What the reference's crate takes, each tried with version 0.8.0. */
static void accepted(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t size, count;
    } cases[] = {
        {"{}", 0, 0},
        {" {}", 0, 0},
        {"{}\n\t  ", 0, 0},
        {"{\"__metadata__\":null}", 0, 0},
        {"{" TENSOR("a", "F32", "[1]", "[4,8]") "," TENSOR("b", "F32", "[1]", "[0,4]") "}", 8, 2},
        {"{" TENSOR("a", "F32", "[0]", "[0,0]") "," TENSOR("b", "F32", "[]", "[0,4]") "," TENSOR("c", "F32", "[3,0]",
                                                                                                 "[4,4]") "}",
         4, 3},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}", 4, 1},
        {"{" TENSOR("a", "U8", "[1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        align_tensors *tensors = open_tensors(make(cases[i].header, cases[i].size));
        assert_int_equal(align_tensors_count(tensors), cases[i].count);
        align_tensors_free(tensors);
    }
}

/* A header of odd length and narrow tensors before wide ones: elements come out aligned all the same. */
static void misaligned_payload_is_copied(void **state)
{
    (void)state;
    const char *path = make("{" TENSOR("b", "U8", "[1]", "[0,1]") "," TENSOR("a", "F64", "[1]", "[1,9]") "," TENSOR(
                                "h", "F16", "[2]", "[9,13]") "} ",
                            13);
    align_tensors *tensors = open_tensors(path);
    static const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const align_tensor *a = align_tensors_get(tensors, "a"), *h = align_tensors_get(tensors, "h");
    assert_int_equal((uintptr_t)a->data % 8, 0);
    assert_int_equal((uintptr_t)h->data % 2, 0);
    assert_memory_equal(a->data, expected, 8);
    assert_int_equal(((const uint8_t *)h->data)[3], 12);
    align_tensors_free(tensors);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t size;
        align_status status;
        const char *text;
    } cases[] = {
        {"[]", 0, ALIGN_ERROR_FORMAT, "not an object"},
        {"{", 0, ALIGN_ERROR_FORMAT, "line 1"},
        {"{}x", 0, ALIGN_ERROR_FORMAT, "end of file expected"},
        {"{\"\xff\":1}", 0, ALIGN_ERROR_FORMAT, "line 1"},
        {"{\"__metadata__\":{\"a\":1}}", 0, ALIGN_ERROR_FORMAT, "__metadata__.a"},
        {"{\"__metadata__\":[]}", 0, ALIGN_ERROR_FORMAT, "__metadata__"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, ALIGN_ERROR_FORMAT, "duplicate"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("a", "U8", "[1]", "[0,1]") "}", 1, ALIGN_ERROR_FORMAT,
         "duplicate"},
        {"{\"a\":1}", 0, ALIGN_ERROR_FORMAT, "tensor a"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, ALIGN_ERROR_FORMAT, "tensor a: no dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, ALIGN_ERROR_FORMAT, "tensor a: no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, ALIGN_ERROR_FORMAT, "tensor a: data_offsets"},
        {"{" TENSOR("a", "F8_E4M3", "[1]", "[0,1]") "}", 1, ALIGN_ERROR_UNSUPPORTED, "F8_E4M3"},
        {"{" TENSOR("a", "f32", "[1]", "[0,4]") "}", 4, ALIGN_ERROR_UNSUPPORTED, "f32"},
        {"{" TENSOR("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, ALIGN_ERROR_UNSUPPORTED, "rank 9"},
        {"{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, ALIGN_ERROR_FORMAT, "axis 0"},
        {"{" TENSOR("a", "F32", "[1.0]", "[0,4]") "}", 4, ALIGN_ERROR_FORMAT, "axis 0"},
        {"{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4, ALIGN_ERROR_FORMAT, "takes 8 bytes"},
        {"{" TENSOR("a", "F32", "[4611686018427387904,4]", "[0,4]") "}", 4, ALIGN_ERROR_FORMAT, "too large"},
        {"{" TENSOR("a", "F32", "[4611686018427387904,4,0]", "[0,0]") "}", 0, ALIGN_ERROR_FORMAT, "too large"},
        {"{" TENSOR("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4, ALIGN_ERROR_FORMAT, "too big integer"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4,4]") "}", 4, ALIGN_ERROR_FORMAT, "data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[-4,0]") "}", 4, ALIGN_ERROR_FORMAT, "data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4, ALIGN_ERROR_FORMAT, "[4, 0]"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 3, ALIGN_ERROR_FORMAT, "payload of 3 bytes"},
        {"{" TENSOR("a", "F32", "[1]", "[0,9223372036854775807]") "}", 4, ALIGN_ERROR_FORMAT, "payload of 4 bytes"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 5, ALIGN_ERROR_FORMAT, "5 bytes of payload"},
        {"{}", 1, ALIGN_ERROR_FORMAT, "1 bytes of payload"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("b", "U8", "[1]", "[2,3]") "}", 3, ALIGN_ERROR_FORMAT,
         "tensor b: begins at byte 2 of the payload, leaving a hole"},
        {"{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[1,3]") "}", 3, ALIGN_ERROR_FORMAT,
         "tensor b: begins at byte 1 of the payload, overlapping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_open_fails(make(cases[i].header, cases[i].size), cases[i].status, cases[i].text);
}

static void refused_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        {"", 0, "0 bytes"},
        {"1234567", 7, "7 bytes"},
        {"\0\0\0\0\0\0\0\x80{}", 10, "9223372036854775808"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "18446744073709551615"},
        {"\x01\xe1\xf5\x05\0\0\0\0{}", 10, "100000001"},
        {"\x03\0\0\0\0\0\0\0{}", 10, "truncated"},
        {"\0\0\0\0\0\0\0\0", 8, "line 1"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "Git LFS pointer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_scratch("made.safetensors", cases[i].bytes, cases[i].size);
        assert_open_fails(in_scratch("made.safetensors"), ALIGN_ERROR_FORMAT, cases[i].text);
    }
    assert_open_fails(in_scratch("none"), ALIGN_ERROR_NOT_FOUND, "none");
    assert_open_fails(scratch, ALIGN_ERROR_IO, "not a regular file");
    assert_open_fails(NULL, ALIGN_ERROR_INVALID_ARGUMENT, "no path");
}

static void unwritable_destination_is_untouched(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *truth = open_tensors(GOLDEN("truth.safetensors"));
    assert_int_equal(align_tensors_save(truth, in_scratch("none/a.safetensors"), &err), ALIGN_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "none/a.safetensors"));
    write_scratch("kept", "kept", 4);
    const float one = 1;
    const align_tensor tensor = align_tensor_view(ALIGN_F32, 0, NULL, &one);
    assert_int_equal(align_tensors_add(truth, "__metadata__", &tensor, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_save(truth, in_scratch("kept"), &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "__metadata__"));
    char *text;
    size_t size;
    assert_int_equal(al_file_read(&text, &size, in_scratch("kept"), 100, NULL), ALIGN_OK);
    assert_string_equal(text, "kept");
    al_free(text);
    align_tensors_free(truth);
}

static void memory_runs_out(void **state)
{
    (void)state;
    empty_folder(scratch);
    write_scratch("copy", "old", 3);
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    for (long n = 1; status != ALIGN_OK; n++) {
        align_tensors *tensors = NULL;
        al_memory_fail_at(n);
        status = align_tensors_open(&tensors, GOLDEN("truth.safetensors"), NULL);
        if (status == ALIGN_OK)
            status = align_tensors_save(tensors, in_scratch("copy"), NULL);
        al_memory_fail_at(0);
        align_tensors_free(tensors);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        assert_int_equal(count_files(scratch), 1);
    }
    assert_same_file(in_scratch("copy"), GOLDEN("truth.safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_written_again),
        cmocka_unit_test(order_of_writing_is_not_of_adding),
        cmocka_unit_test(empty_collection),
        cmocka_unit_test(accepted),
        cmocka_unit_test(misaligned_payload_is_copied),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_lengths),
        cmocka_unit_test(unwritable_destination_is_untouched),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
