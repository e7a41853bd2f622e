/* Narrow numbers and their dot products in the table under test against plain sums in double, for widths around the
 * vector length, rows around a tile, and any number of queries. */
#include "kernels_test.h"

#include "base/tensor.h"

#include <string.h>

#define MOST_ROWS 11
#define WIDEST    150

static const al_kernels *kernels;

/* A type of narrow numbers, and rows of them with what they are in double. */
typedef struct rows_of {
    const char *name;
    const al_narrow_kernels *narrow;
    uint16_t f16[MOST_ROWS * WIDEST];
    int8_t s8[MOST_ROWS * WIDEST];
    const void *data;
    float values[MOST_ROWS * WIDEST];
} rows_of;

static void make_rows(rows_of rows[2])
{
    uint32_t seed = 3;
    for (size_t i = 0; i < MOST_ROWS * WIDEST; i++) {
        const float x = uniform(&seed);
        al_f32_to_f16(&x, 1, &rows[0].f16[i]);
        al_to_f32(ALIGN_F16, &rows[0].f16[i], 1, &rows[0].values[i]);
        rows[1].s8[i] = (int8_t)(x * 127.9f);
        rows[1].values[i] = (float)rows[1].s8[i];
    }
    rows[0].name = "f16";
    rows[0].narrow = kernels->f16;
    rows[0].data = rows[0].f16;
    rows[1].name = "s8";
    rows[1].narrow = kernels->s8;
    rows[1].data = rows[1].s8;
    assert_int_equal(rows[0].narrow->size, 2);
    assert_int_equal(rows[1].narrow->size, 1);
}

static void check_dots(const rows_of *rows, size_t count, size_t width, size_t n, const float *queries)
{
    float scores[MOST_ROWS * AL_NARROW_QUERIES + 1], alone;
    scores[count * n] = 9.0f;
    rows->narrow->dots(count, width, rows->data, n, queries, scores);
    assert_true(scores[count * n] == 9.0f);
    for (size_t r = 0; r < count; r++)
        for (size_t q = 0; q < n; q++) {
            double sum = 0.0, sizes = 0.0;
            for (size_t i = 0; i < width; i++) {
                const double term = (double)rows->values[r * width + i] * (double)queries[q * width + i];
                sum += term;
                sizes += fabs(term);
            }
            const float score = scores[r * n + q];
            if (!(fabs((double)score - sum) <= 1e-6 * sizes))
                fail_msg("%s: %zu x %zu, row %zu, query %zu: %.9g, expected %.9g", rows->name, count, width, r, q,
                         (double)score, sum);
            rows->narrow->dots(1, width, (const char *)rows->data + r * width * rows->narrow->size, 1,
                               queries + q * width, &alone);
            assert_true(alone == score);
        }
}

static void dot_products(void **state)
{
    (void)state;
    static rows_of rows[2];
    make_rows(rows);
    float *queries = random_floats(AL_NARROW_QUERIES * WIDEST, 9);
    for (size_t type = 0; type < 2; type++)
        for (size_t n = 1; n <= AL_NARROW_QUERIES; n++)
            for (size_t width = 1; width <= WIDEST; width++)
                for (size_t count = 0; count <= MOST_ROWS; count += width % 3 + 1)
                    check_dots(&rows[type], count, width, n, queries);
    free(queries);
}

static void conversions(void **state)
{
    (void)state;
    static rows_of rows[2];
    make_rows(rows);
    for (size_t type = 0; type < 2; type++)
        for (size_t n = 0; n <= WIDEST; n++) {
            float wide[WIDEST + 1], nearest;
            uint16_t rounded[WIDEST + 1];
            wide[n] = 9.0f;
            rounded[n] = 9;
            rows[type].narrow->widen(n, rows[type].data, wide);
            rows[type].narrow->to_bf16(n, rows[type].data, rounded);
            assert_true(wide[n] == 9.0f && rounded[n] == 9);
            for (size_t i = 0; i < n; i++) {
                assert_true(wide[i] == rows[type].values[i]);
                al_to_f32(ALIGN_BF16, &rounded[i], 1, &nearest);
                assert_true(fabsf(nearest - wide[i]) <= 0x1p-8f * fabsf(wide[i]));
            }
        }
}

/* Every f16 number there is; of those that are not finite widening is the exact one, too. */
static void every_half(void **state)
{
    (void)state;
    uint16_t *halves = malloc(65536 * sizeof *halves);
    float *wide = malloc(65536 * sizeof *wide), expected;
    assert_non_null(halves);
    assert_non_null(wide);
    for (uint32_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    kernels->f16->widen(65536, halves, wide);
    for (size_t i = 0; i < 65536; i++) {
        al_to_f32(ALIGN_F16, &halves[i], 1, &expected);
        assert_true(isnan(expected) ? isnan(wide[i]) : wide[i] == expected && !signbit(wide[i]) == !signbit(expected));
    }
    free(halves);
    free(wide);
}

static void every_byte(void **state)
{
    (void)state;
    int8_t bytes[256];
    float wide[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (int8_t)(i - 128);
    kernels->s8->widen(256, bytes, wide);
    for (int i = 0; i < 256; i++)
        assert_true(wide[i] == (float)(i - 128));
}

int main(void)
{
    kernels = al_kernels_get();
    if (!kernels)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(dot_products), cmocka_unit_test(conversions),
                                       cmocka_unit_test(every_half), cmocka_unit_test(every_byte)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
