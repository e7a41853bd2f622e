/*
 * Every small file of every form, cut at every length and with every byte changed: opening it may fail or not, but
 * every tensor that comes out can be read to its last byte. Meant to run under the sanitizers as well.
 */
#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

static const char *const files[] = {
    GOLDEN("truth.safetensors"),     GOLDEN("zip.bin"),   GOLDEN("zip_protocol_4.bin"), GOLDEN("legacy.bin"),
    GOLDEN("legacy_protocol_4.bin"), GOLDEN("views.bin"), GOLDEN("views_legacy.bin"),
};

static volatile unsigned sink; /* so that the bytes are really read */

static unsigned sum_of_bytes(const align_tensors *tensors)
{
    unsigned sum = 0;
    for (size_t i = 0; i < align_tensors_count(tensors); i++) {
        const align_tensor *tensor = align_tensors_at(tensors, i);
        const size_t size = (size_t)align_tensor_elements(tensor) * align_dtype_size(tensor->dtype);
        for (size_t b = 0; b < size; b++)
            sum += ((const uint8_t *)tensor->data)[b];
    }
    return sum;
}

/* As align_tensors_open does with a file of these bytes; they lie in memory of exactly this size. */
static void try_bytes(const uint8_t *bytes, size_t size)
{
    align_tensors *tensors;
    align_error err = ALIGN_ERROR_INIT;
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    assert_int_equal(align_tensors_new(&tensors, NULL), ALIGN_OK);
    const align_status status = al_is_torch_file(exact, size)
                                    ? al_torch_read(tensors, exact, size, "mutated", &err)
                                    : al_safetensors_read(tensors, exact, size, "mutated", &err);
    if (status == ALIGN_OK) {
        sink = sum_of_bytes(tensors);
    } else {
        assert_true(status == ALIGN_ERROR_FORMAT || status == ALIGN_ERROR_UNSUPPORTED);
        assert_int_equal(err.status, status);
        assert_non_null(strstr(err.message, "mutated"));
    }
    align_tensors_free(tensors);
    free(exact);
}

static void cut_everywhere(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char *bytes;
        size_t size;
        assert_int_equal(al_file_read(&bytes, &size, files[f], 1000000, NULL), ALIGN_OK);
        for (size_t n = 0; n < size; n++)
            try_bytes((const uint8_t *)bytes, n);
        al_free(bytes);
    }
}

static void every_byte_changed(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0x01, 0x80, 0xFF, 0x20};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char *bytes;
        size_t size;
        assert_int_equal(al_file_read(&bytes, &size, files[f], 1000000, NULL), ALIGN_OK);
        for (size_t i = 0; i < size; i++)
            for (size_t c = 0; c < sizeof changes; c++) {
                bytes[i] = (char)(bytes[i] ^ changes[c]);
                try_bytes((const uint8_t *)bytes, size);
                bytes[i] = (char)(bytes[i] ^ changes[c]);
            }
        al_free(bytes);
    }
}

/* Several bytes at once, and pieces moved within the file, from a fixed sequence of numbers. */
static void scrambled(void **state)
{
    (void)state;
    enum { ROUNDS = 3000 };
    uint64_t random = 1;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char *bytes;
        size_t size;
        assert_int_equal(al_file_read(&bytes, &size, files[f], 1000000, NULL), ALIGN_OK);
        uint8_t *changed = malloc(size);
        for (int round = 0; round < ROUNDS; round++) {
            memcpy(changed, bytes, size);
            for (int n = 0; n < 1 + round % 4; n++) {
                random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                const size_t from = (size_t)(random >> 33) % size, to = (size_t)(random >> 13) % size;
                const size_t length = 1 + (size_t)(random >> 60);
                if (round % 2 && from + length <= size && to + length <= size)
                    memmove(changed + to, changed + from, length);
                else
                    changed[from] = (uint8_t)(random >> 24);
            }
            try_bytes(changed, size);
        }
        free(changed);
        al_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_everywhere),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(scrambled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
