/* Element types: names, and every half converted both ways. */
#include "base/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* IEEE 754 binary16, word for word: sign, 5 bits of exponent, 10 of fraction. */
static double half_value(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    double value = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    if (exponent == 31)
        value = fraction ? NAN : INFINITY;
    return half & 0x8000 ? -value : value;
}

static void every_half_as_float(void **state)
{
    (void)state;
    static uint16_t halves[65536];
    static float floats[65536];
    for (unsigned i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    al_to_f32(ALIGN_F16, halves, 65536, floats);
    for (unsigned i = 0; i < 65536; i++) {
        const double expected = half_value((uint16_t)i);
        if (isnan(expected))
            assert_true(isnan(floats[i]));
        else
            assert_true(floats[i] == expected && !!signbit(floats[i]) == !!(i & 0x8000));
    }
    al_to_f32(ALIGN_BF16, halves, 65536, floats);
    for (unsigned i = 0; i < 65536; i++)
        assert_int_equal(bits_of(floats[i]), i << 16);
}

/* Each half comes back; what lies between two goes to the nearer, from the middle to the even one. */
static void rounding_to_half(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x7C00; i++) {
        /* 65536 takes the place of infinity in deciding what rounds to it */
        const double low = half_value((uint16_t)i), high = i == 0x7BFF ? 65536 : half_value((uint16_t)(i + 1));
        const float middle = (float)((low + high) / 2);
        const float inputs[] = {(float)low, nextafterf(middle, 0), middle, nextafterf(middle, INFINITY)};
        const unsigned expected[] = {i, i, i % 2 ? i + 1 : i, i + 1};
        uint16_t found[4];
        al_f32_to_f16(inputs, 4, found);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(found[k], expected[k]);
            const float negative = -inputs[k];
            uint16_t mirrored;
            al_f32_to_f16(&negative, 1, &mirrored);
            assert_int_equal(mirrored, expected[k] | 0x8000);
        }
    }
    const float extremes[] = {INFINITY, -INFINITY, 3e38f, NAN, -NAN, 1e-45f};
    uint16_t found[6];
    al_f32_to_f16(extremes, 6, found);
    assert_int_equal(found[0], 0x7C00);
    assert_int_equal(found[1], 0xFC00);
    assert_int_equal(found[2], 0x7C00);
    assert_true((found[3] & 0x7FFF) > 0x7C00 && (found[4] & 0x7FFF) > 0x7C00);
    assert_int_equal(found[5], 0);
}

static void rounding_to_brain(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x7F80; i++) {
        const uint32_t inputs[] = {i << 16, (i << 16) + 0x7FFF, (i << 16) + 0x8000, (i << 16) + 0x8001};
        const uint32_t expected[] = {i, i, i % 2 ? i + 1 : i, i + 1};
        for (int k = 0; k < 4; k++) {
            float x;
            uint16_t found;
            memcpy(&x, &inputs[k], sizeof x);
            al_f32_to_bf16(&x, 1, &found);
            assert_int_equal(found, expected[k]);
        }
    }
    const float extremes[] = {INFINITY, -INFINITY, NAN};
    uint16_t found[3];
    al_f32_to_bf16(extremes, 3, found);
    assert_int_equal(found[0], 0x7F80);
    assert_int_equal(found[1], 0xFF80);
    assert_true((found[2] & 0x7FFF) > 0x7F80);
}

static void whole_numbers(void **state)
{
    (void)state;
    const int64_t i64[] = {INT64_MIN, -1, 16777217};
    const int32_t i32[] = {INT32_MIN, 0, INT32_MAX};
    const int16_t i16[] = {INT16_MIN, -1, INT16_MAX};
    const int8_t i8[] = {INT8_MIN, -1, INT8_MAX};
    const uint8_t u8[] = {0, 1, 255};
    const double f64[] = {1.0 / 3.0, 1e300, -0.0};
    const struct {
        align_dtype dtype;
        const void *data;
        float expected[3];
    } cases[] = {
        {ALIGN_I64, i64, {-9223372036854775808.0f, -1, 16777216}},
        {ALIGN_I32, i32, {-2147483648.0f, 0, 2147483648.0f}},
        {ALIGN_I16, i16, {-32768, -1, 32767}},
        {ALIGN_I8, i8, {-128, -1, 127}},
        {ALIGN_U8, u8, {0, 1, 255}},
        {ALIGN_BOOL, u8, {0, 1, 1}},
        {ALIGN_F64, f64, {1.0f / 3.0f, INFINITY, -0.0f}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const align_tensor tensor = align_tensor_view(cases[i].dtype, 1, (const int64_t[]){3}, cases[i].data);
        float found[3];
        align_tensor_to_f32(&tensor, found);
        for (int k = 0; k < 3; k++)
            assert_int_equal(bits_of(found[k]), bits_of(cases[i].expected[k]));
    }
}

static void from_floats(void **state)
{
    (void)state;
    const float values[] = {1, -0.333333f, 65504};
    const uint16_t f16[] = {0x3C00, 0xB555, 0x7BFF}, bf16[] = {0x3F80, 0xBEAB, 0x4780};
    float same[3];
    uint16_t halves[3];
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_tensor_from_f32(values, 3, ALIGN_F32, same, NULL), ALIGN_OK);
    assert_memory_equal(same, values, sizeof values);
    assert_int_equal(align_tensor_from_f32(values, 3, ALIGN_F16, halves, NULL), ALIGN_OK);
    assert_memory_equal(halves, f16, sizeof f16);
    assert_int_equal(align_tensor_from_f32(values, 3, ALIGN_BF16, halves, NULL), ALIGN_OK);
    assert_memory_equal(halves, bf16, sizeof bf16);
    assert_int_equal(align_tensor_from_f32(values, 3, ALIGN_I8, halves, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "not I8"));
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        align_dtype dtype;
        size_t size;
    } good[] = {
        {"F32", ALIGN_F32, 4},   {"float32", ALIGN_F32, 4},   {"float", ALIGN_F32, 4}, {"f16", ALIGN_F16, 2},
        {"Half", ALIGN_F16, 2},  {"bfloat16", ALIGN_BF16, 2}, {"bf16", ALIGN_BF16, 2}, {"DOUBLE", ALIGN_F64, 8},
        {"int64", ALIGN_I64, 8}, {"I32", ALIGN_I32, 4},       {"short", ALIGN_I16, 2}, {"int8", ALIGN_I8, 1},
        {"uint8", ALIGN_U8, 1},  {"bool", ALIGN_BOOL, 1},
    };
    static const char *const bad[] = {"", "F8", "float33", " F32", "complex64"};
    align_error err = ALIGN_ERROR_INIT;
    align_dtype dtype;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(align_dtype_from_name(&dtype, good[i].name, NULL), ALIGN_OK);
        assert_int_equal(dtype, good[i].dtype);
        assert_int_equal(align_dtype_size(dtype), good[i].size);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(align_dtype_from_name(&dtype, bad[i], &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "complex64"));
    for (int i = 0; i < ALIGN_DTYPE_COUNT; i++) {
        assert_int_equal(align_dtype_from_name(&dtype, align_dtype_name((align_dtype)i), NULL), ALIGN_OK);
        assert_int_equal(dtype, i);
    }
    assert_int_equal(align_dtype_size((align_dtype)ALIGN_DTYPE_COUNT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_as_float), cmocka_unit_test(rounding_to_half), cmocka_unit_test(rounding_to_brain),
        cmocka_unit_test(whole_numbers),       cmocka_unit_test(from_floats),      cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
