/* test_init.c: seeded initialisation: the distributions, and the same bits for the same seed. */
#include "base/memory.h"
#include "model/init.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 300, COLUMNS = 400, COUNT = ROWS * COLUMNS };

static al_param matrix(const char *name, al_param_kind kind, align_tower owner)
{
    return (al_param){.name = name, .kind = kind, .owner = owner, .rank = 2, .shape = {ROWS, COLUMNS}};
}

static const al_init rule = {.seed = 7, .text_range = 0.02, .vision_range = 0.5, .temperature = 0.25, .pad_row = 3};

typedef struct moments {
    double mean, deviation, beyond_two; /* share of values outside two deviations */
    double largest;
} moments;

static moments moments_of(const float *x, size_t n)
{
    moments m = {0};
    for (size_t i = 0; i < n; i++)
        m.mean += (double)x[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        m.deviation += ((double)x[i] - m.mean) * ((double)x[i] - m.mean) / (double)n;
        m.largest = fmax(m.largest, fabs((double)x[i]));
    }
    m.deviation = sqrt(m.deviation);
    for (size_t i = 0; i < n; i++)
        m.beyond_two += fabs((double)x[i]) > 2 * m.deviation ? 1.0 / (double)n : 0;
    return m;
}

/* Five standard errors of each figure at COUNT draws: the draws are fixed, so this can only fail when they change. */
static void assert_normal(const float *x, double range)
{
    const moments m = moments_of(x, COUNT);
    const double error = 1 / sqrt(COUNT);
    assert_true(fabs(m.mean) < 5 * range * error);
    assert_true(fabs(m.deviation / range - 1) < 5 * error / sqrt(2));
    assert_true(fabs(m.beyond_two - 0.0455) < 5 * sqrt(0.0455 * 0.9545) * error);
    assert_true(m.largest > 3.5 * range && m.largest < 7 * range);
}

static float values[COUNT], others[COUNT];

static void test_weights(void **state)
{
    (void)state;
    al_param param = matrix("a.weight", AL_PARAM_WEIGHT, ALIGN_TOWER_TEXT);
    al_init_param(values, &param, &rule);
    assert_normal(values, 0.02);
    param.owner = ALIGN_TOWER_VISION;
    al_init_param(values, &param, &rule);
    assert_normal(values, 0.5);
    double correlation = 0; /* of neighbours, which come from one point of the disc */
    for (size_t i = 0; i + 1 < COUNT; i += 2)
        correlation += (double)values[i] * (double)values[i + 1] / (0.25 * COUNT / 2);
    assert_true(fabs(correlation) < 5 / sqrt(COUNT / 2.0));
}

static void test_word_embeddings(void **state)
{
    (void)state;
    const al_param param = matrix("words", AL_PARAM_WORD, ALIGN_TOWER_TEXT);
    al_init without = rule;
    without.pad_row = -1;
    al_init_param(values, &param, &rule);
    al_init_param(others, &param, &without);
    for (size_t i = 0; i < COUNT; i++) {
        if (i / COLUMNS == 3)
            assert_true(values[i] == 0);
        else
            assert_true(values[i] == others[i]);
    }
    assert_normal(others, 0.02);
}

static void test_xavier(void **state)
{
    (void)state;
    const al_param param = matrix("projection", AL_PARAM_XAVIER, ALIGN_TOWER_BOTH);
    const double bound = sqrt(6.0 / (ROWS + COLUMNS));
    al_init_param(values, &param, &rule);
    const moments m = moments_of(values, COUNT);
    assert_true(m.largest <= bound && m.largest > 0.999 * bound);
    assert_true(fabs(m.mean) < 5 * bound / sqrt(3.0 * COUNT));
    assert_true(fabs(m.deviation / (bound / sqrt(3)) - 1) < 0.01);
}

static void test_constants(void **state)
{
    (void)state;
    static const struct {
        al_param_kind kind;
        float value;
    } constant[] = {{AL_PARAM_ZERO, 0}, {AL_BUFFER_ZERO, 0}, {AL_PARAM_ONE, 1}, {AL_BUFFER_ONE, 1}};
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++) {
        const al_param param = matrix("constant", constant[i].kind, ALIGN_TOWER_TEXT);
        al_init_param(values, &param, &rule);
        for (size_t j = 0; j < COUNT; j++)
            assert_true(values[j] == constant[i].value);
    }
    al_param scalar = {.name = "temperature", .kind = AL_PARAM_TEMPERATURE};
    al_init_param(values, &scalar, &rule);
    assert_true(values[0] == 0.25f);
    int64_t count = 99;
    scalar.kind = AL_BUFFER_COUNT;
    al_init_param(&count, &scalar, &rule);
    assert_int_equal(count, 0);
}

/* These bits are a promise: a seed gives the same model on every machine and in every later version. */
static void test_bits(void **state)
{
    (void)state;
    static const float expected[8] = {-0x1.96a59ap+1f, 0x1.7bfbb6p+0f,  0x1.845a88p-4f, -0x1.1cb6e8p-2f,
                                      -0x1.7726bp+0f,  -0x1.f72546p-3f, 0x1.526c0cp+0f, 0x1.4ee8b6p+1f};
    al_init_normal(values, 8, 1, 0, "text_model.pooler.dense.weight");
    for (size_t i = 0; i < 8; i++)
        if (values[i] != expected[i])
            fail_msg("draw %zu is %a, expected %a", i, (double)values[i], (double)expected[i]);
}

static void test_streams(void **state)
{
    (void)state;
    al_init_normal(values, 1000, 1, 5, "a");
    al_init_normal(others, 999, 1, 5, "a");
    assert_memory_equal(values, others, 999 * sizeof *values);
    al_init_normal(others, 1000, 1, 6, "a");
    assert_true(memcmp(values, others, 1000 * sizeof *values) != 0);
    al_init_normal(others, 1000, 1, 5, "b");
    assert_true(memcmp(values, others, 1000 * sizeof *values) != 0);
}

static void test_from_config(void **state)
{
    (void)state;
    align_config config;
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    config.text_config.initializer_range = 0.125;
    config.temperature_init_value = 0.07;
    config.text_config.pad_token_id = -2;
    al_init init = al_init_from_config(&config, 11);
    assert_true(init.seed == 11 && init.text_range == 0.125 && init.vision_range == 0.02 && init.temperature == 0.07);
    assert_int_equal(init.pad_row, 30520);
    config.text_config.has_pad_token_id = false;
    init = al_init_from_config(&config, 11);
    assert_true(init.pad_row < 0);
    align_config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),     cmocka_unit_test(test_word_embeddings),
        cmocka_unit_test(test_xavier),      cmocka_unit_test(test_constants),
        cmocka_unit_test(test_bits),        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_from_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
