/* test_recall.c: ranks against a plain count over all scores. */
#include "base/memory.h"
#include "train/validate.h"

#include <align/model.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PICTURES = 150, TEXTS = 700, WIDTH = 24 };

static float texts[TEXTS * WIDTH], pictures[PICTURES * WIDTH];
static size_t picture_of[TEXTS];

static const al_retrieval many = {TEXTS, PICTURES, WIDTH, texts, pictures, picture_of};

static float uniform(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

/* Texts that lie about their picture, so that ranks are spread; the last pictures have none. */
static int set_up(void **state)
{
    uint32_t seed = 1;
    (void)state;
    for (size_t i = 0; i < PICTURES * WIDTH; i++)
        pictures[i] = uniform(&seed);
    for (size_t t = 0; t < TEXTS; t++) {
        picture_of[t] = t * 7 % (PICTURES - 5);
        for (size_t k = 0; k < WIDTH; k++)
            texts[t * WIDTH + k] = pictures[picture_of[t] * WIDTH + k] + 2.5f * uniform(&seed);
    }
    align_normalize(texts, TEXTS, WIDTH);
    align_normalize(pictures, PICTURES, WIDTH);
    return 0;
}

static double score(size_t t, size_t i)
{
    double sum = 0.0;
    for (size_t k = 0; k < WIDTH; k++)
        sum += (double)texts[t * WIDTH + k] * (double)pictures[i * WIDTH + k];
    return sum;
}

static void hit(double out[3], size_t rank, double share)
{
    static const size_t depths[] = {1, 5, 10};
    for (int d = 0; d < 3; d++)
        out[d] += rank < depths[d] ? share : 0.0;
}

static void counts(void **state)
{
    align_recall want = {{0}, {0}}, got;
    (void)state;
    for (size_t t = 0; t < TEXTS; t++) {
        size_t rank = 0;
        for (size_t i = 0; i < PICTURES; i++)
            rank += score(t, i) > score(t, picture_of[t]);
        hit(want.text_to_image, rank, 1.0 / TEXTS);
    }
    for (size_t i = 0; i < PICTURES - 5; i++) {
        double best = -2.0;
        size_t rank = 0;
        for (size_t t = 0; t < TEXTS; t++)
            best = picture_of[t] == i ? fmax(best, score(t, i)) : best;
        for (size_t t = 0; t < TEXTS; t++)
            rank += score(t, i) > best;
        hit(want.image_to_text, rank, 1.0 / (PICTURES - 5));
    }
    for (int team = 1; team <= 3; team++) {
        al_threads *threads;
        assert_int_equal(al_threads_new(&threads, team, NULL), ALIGN_OK);
        assert_int_equal(al_recall(&got, &many, threads, NULL), ALIGN_OK);
        al_threads_free(threads);
        for (int d = 0; d < 3; d++) {
            assert_true(fabs(got.text_to_image[d] - want.text_to_image[d]) < 1e-9);
            assert_true(fabs(got.image_to_text[d] - want.image_to_text[d]) < 1e-9);
        }
    }
    assert_true(want.text_to_image[0] > 0.1 && want.text_to_image[0] < 0.9);
    assert_true(fabs(align_recall_mean(&got) - (want.text_to_image[0] + want.text_to_image[1] + want.text_to_image[2] +
                                                want.image_to_text[0] + want.image_to_text[1] + want.image_to_text[2]) /
                                                   6.0) < 1e-9);
}

/* A model that makes the same of everything finds the first of the data, and nothing more. */
static void all_the_same(void **state)
{
    float same[20 * WIDTH];
    size_t own[20];
    align_recall got;
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        own[i] = i;
        for (size_t k = 0; k < WIDTH; k++)
            same[i * WIDTH + k] = 0.25f;
    }
    const al_retrieval retrieval = {20, 20, WIDTH, same, same, own};
    assert_int_equal(al_recall(&got, &retrieval, NULL, NULL), ALIGN_OK);
    assert_true(got.text_to_image[0] == 0.05 && got.text_to_image[1] == 0.25 && got.text_to_image[2] == 0.5);
    assert_memory_equal(got.text_to_image, got.image_to_text, sizeof got.text_to_image);
    for (size_t i = 0; i < 20 * WIDTH; i++)
        same[i] = NAN; /* and what is not a number is found by nobody */
    assert_int_equal(al_recall(&got, &retrieval, NULL, NULL), ALIGN_OK);
    assert_true(align_recall_mean(&got) == 0.0);
}

static void memory_that_is_missing(void **state)
{
    align_recall got;
    (void)state;
    for (long n = 1; n < 20; n++) {
        al_memory_fail_at(n);
        const align_status status = al_recall(&got, &many, NULL, NULL);
        al_memory_fail_at(0);
        if (status == ALIGN_OK) {
            assert_true(n > 5);
            return;
        }
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(all_the_same),
                                       cmocka_unit_test(memory_that_is_missing)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}
