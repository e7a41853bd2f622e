/* The nearest of many vectors against a plain loop over all of them in double. */
#include "base/memory.h"
#include "base/tensor.h"
#include "kernels/kernels.h"
#include "search/scan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SKIPPED 77

static float uniform(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

/* Vectors of unit length, in f16, and queries. */
typedef struct sample {
    al_scan scan;
    uint16_t *vectors;
    uint64_t *chosen;
    int8_t *steps;
    float *step;
    float *queries;
    size_t n;
} sample;

static void unit(size_t width, float *x)
{
    double squares = 0.0;
    for (size_t i = 0; i < width; i++)
        squares += (double)x[i] * (double)x[i];
    for (size_t i = 0; i < width; i++)
        x[i] = (float)((double)x[i] / sqrt(squares));
}

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    assert_non_null(memory);
    return memory;
}

/* Of `count` vectors every seventh is near the first query, so that there are scores of all sizes. */
static sample sample_make(size_t count, size_t width, size_t n, uint32_t seed)
{
    sample s = {.n = n};
    float *x = room(width, sizeof *x);
    s.queries = room(n * width, sizeof *s.queries);
    for (size_t i = 0; i < n * width; i++)
        s.queries[i] = uniform(&seed);
    for (size_t q = 0; q < n; q++)
        unit(width, s.queries + q * width);
    s.vectors = room(count * width, sizeof *s.vectors);
    for (size_t v = 0; v < count; v++) {
        const float near = v % 7 == 3 && n > 0 ? (float)(v % 5) : 0.0f;
        for (size_t i = 0; i < width; i++)
            x[i] = uniform(&seed) + (near > 0.0f ? near * s.queries[i] * sqrtf((float)width) : 0.0f);
        unit(width, x);
        al_f32_to_f16(x, width, s.vectors + v * width);
    }
    free(x);
    s.scan = (al_scan){.vectors = s.vectors, .count = count, .width = width, .top = 10, .threshold = -2.0f};
    return s;
}

static void sample_add_steps(sample *s)
{
    s->steps = room(s->scan.count * s->scan.width, sizeof *s->steps);
    s->step = room(s->scan.count, sizeof *s->step);
    al_quantize(s->scan.count, s->scan.width, s->vectors, s->steps, s->step);
    s->scan.steps = s->steps;
    s->scan.step = s->step;
}

/* A bit for each place for which (place * 2654435761 mod 2^32) is below share. */
static void sample_choose(sample *s, double share)
{
    s->chosen = room(s->scan.count / 64 + 1, sizeof *s->chosen);
    for (size_t i = 0; i < s->scan.count; i++)
        if ((double)(uint32_t)((uint32_t)i * 2654435761u) < share * 4294967296.0)
            s->chosen[i / 64] |= UINT64_C(1) << i % 64;
    s->scan.chosen = s->chosen;
}

static void sample_done(sample *s)
{
    free(s->vectors);
    free(s->chosen);
    free(s->steps);
    free(s->step);
    free(s->queries);
}

static int by_score(const void *a, const void *b)
{
    const al_found *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* All that may be found of a query, in order; the caller frees it. */
static al_found *expected(const sample *s, size_t q, size_t *count)
{
    const size_t width = s->scan.width;
    al_found *all = room(s->scan.count, sizeof *all);
    float *x = room(width, sizeof *x);
    *count = 0;
    for (size_t v = 0; v < s->scan.count; v++) {
        if (s->chosen && !(s->chosen[v / 64] >> v % 64 & 1))
            continue;
        double sum = 0.0;
        al_from_f16(width, s->vectors + v * width, x);
        for (size_t i = 0; i < width; i++)
            sum += (double)x[i] * (double)s->queries[q * width + i];
        if ((float)sum >= s->scan.threshold)
            all[(*count)++] = (al_found){v, (float)sum};
    }
    qsort(all, *count, sizeof *all, by_score);
    if (*count > s->scan.top)
        *count = s->scan.top;
    free(x);
    return all;
}

/* Places may differ where scores do by the last bit: sums in double have another order here. */
static void assert_found(const sample *s, const al_found *found, const size_t *n_found)
{
    for (size_t q = 0; q < s->n; q++) {
        size_t count;
        al_found *wanted = expected(s, q, &count);
        assert_int_equal(n_found[q], count);
        for (size_t i = 0; i < count; i++) {
            const al_found *f = &found[q * s->scan.top + i];
            if (f->place != wanted[i].place)
                assert_true(fabsf(f->score - wanted[i].score) <= 1e-7f);
            if (!(fabsf(f->score - wanted[i].score) <= 1e-7f))
                fail_msg("query %zu, hit %zu: %.9g, expected %.9g", q, i, (double)f->score, (double)wanted[i].score);
            assert_true(i == 0 || by_score(f - 1, f) < 0);
        }
        free(wanted);
    }
}

/* Runs with some teams of threads: all find the same. */
static void check(const sample *s)
{
    const size_t size = s->n * s->scan.top;
    al_found *first = room(size, sizeof *first), *found = room(size, sizeof *found);
    size_t *n_first = room(s->n, sizeof *n_first), *n_found = room(s->n, sizeof *n_found);
    assert_int_equal(al_scan_run(&s->scan, NULL, s->queries, s->n, first, n_first, NULL), ALIGN_OK);
    assert_found(s, first, n_first);
    for (int count = 2; count <= 4; count++) {
        al_threads *threads;
        assert_int_equal(al_threads_new(&threads, count, NULL), ALIGN_OK);
        assert_int_equal(al_scan_run(&s->scan, threads, s->queries, s->n, found, n_found, NULL), ALIGN_OK);
        al_threads_free(threads);
        assert_memory_equal(n_first, n_found, s->n * sizeof *n_first);
        for (size_t q = 0; q < s->n; q++)
            for (size_t i = 0; i < n_first[q]; i++) {
                assert_int_equal(first[q * s->scan.top + i].place, found[q * s->scan.top + i].place);
                assert_true(first[q * s->scan.top + i].score == found[q * s->scan.top + i].score);
            }
    }
    free(first);
    free(found);
    free(n_first);
    free(n_found);
}

static void finds_the_nearest(void **state)
{
    (void)state;
    const size_t widths[] = {1, 5, 16, 33, 64, 100, 640}, queries[] = {1, 2, 3, 4, 5, 17, 48, 50};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t j = 0; j < sizeof queries / sizeof *queries; j++) {
            sample s = sample_make(1500, widths[i], queries[j], (uint32_t)(i * 100 + j));
            check(&s);
            sample_add_steps(&s);
            check(&s);
            sample_done(&s);
        }
}

/* More queries than go through the vectors at once. */
static void many_queries(void **state)
{
    (void)state;
    sample s = sample_make(300, 24, 600, 5);
    check(&s);
    sample_done(&s);
}

static void only_the_chosen(void **state)
{
    (void)state;
    const double shares[] = {0.0, 0.001, 0.02, 0.5, 0.99, 1.0};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        for (size_t n = 1; n <= 9; n += 8) {
            sample s = sample_make(5000, 40, n, (uint32_t)i);
            sample_choose(&s, shares[i]);
            check(&s);
            sample_add_steps(&s);
            check(&s);
            sample_done(&s);
        }
}

static void threshold_and_top(void **state)
{
    (void)state;
    const float thresholds[] = {-INFINITY, 0.0f, 0.3f, 0.99f, 2.0f};
    const size_t tops[] = {1, 7, 1000, 3000};
    for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++)
        for (size_t j = 0; j < sizeof tops / sizeof *tops; j++)
            for (size_t n = 1; n <= 6; n += 5) {
                sample s = sample_make(1000, 64, n, (uint32_t)(10 * i + j));
                s.scan.threshold = thresholds[i];
                s.scan.top = tops[j];
                check(&s);
                sample_done(&s);
            }
}

static void nothing_to_find(void **state)
{
    (void)state;
    sample s = sample_make(0, 8, 3, 1);
    check(&s);
    s.scan.top = 0;
    size_t n_found[3] = {9, 9, 9};
    assert_int_equal(al_scan_run(&s.scan, NULL, s.queries, 3, NULL, n_found, NULL), ALIGN_OK);
    for (size_t q = 0; q < 3; q++)
        assert_int_equal(n_found[q], 0);
    assert_int_equal(al_scan_run(&s.scan, NULL, s.queries, 0, NULL, NULL, NULL), ALIGN_OK);
    sample_done(&s);
}

/* Equal vectors come in the order of their places, whoever finds them. */
static void ties_by_place(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 8; n += 7) {
        sample s = sample_make(9000, 48, n, 3);
        for (size_t v = 1; v < s.scan.count; v++)
            memcpy(s.vectors + v * 48, s.vectors, 48 * sizeof *s.vectors);
        al_found found[8 * 10];
        size_t n_found[8];
        for (int count = 1; count <= 4; count++) {
            al_threads *threads;
            assert_int_equal(al_threads_new(&threads, count, NULL), ALIGN_OK);
            assert_int_equal(al_scan_run(&s.scan, threads, s.queries, n, found, n_found, NULL), ALIGN_OK);
            al_threads_free(threads);
            for (size_t q = 0; q < n; q++)
                for (size_t i = 0; i < 10; i++)
                    assert_int_equal(found[q * 10 + i].place, i);
        }
        sample_done(&s);
    }
}

/* A query finds the same alone, among others and with steps, to the last bit. */
static void same_in_company(void **state)
{
    (void)state;
    enum { N = 40 };
    sample s = sample_make(3000, 200, N, 8);
    al_found alone[10], together[N * 10], by_steps[N * 10];
    size_t n_alone, n_together[N], n_by_steps[N];
    assert_int_equal(al_scan_run(&s.scan, NULL, s.queries, N, together, n_together, NULL), ALIGN_OK);
    for (size_t q = 0; q < N; q++) {
        assert_int_equal(al_scan_run(&s.scan, NULL, s.queries + q * 200, 1, alone, &n_alone, NULL), ALIGN_OK);
        for (size_t i = 0; i < 10; i++) {
            assert_int_equal(alone[i].place, together[q * 10 + i].place);
            assert_true(alone[i].score == together[q * 10 + i].score);
        }
    }
    sample_add_steps(&s);
    assert_int_equal(al_scan_run(&s.scan, NULL, s.queries, N, by_steps, n_by_steps, NULL), ALIGN_OK);
    for (size_t i = 0; i < N * 10; i++) {
        assert_int_equal(by_steps[i].place, together[i].place);
        assert_true(by_steps[i].score == together[i].score);
    }
    sample_done(&s);
}

/* A vector that is no number is passed over and spoils nothing. */
static void not_a_number(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 8; n += 7) {
        sample s = sample_make(200, 30, n, 4);
        for (size_t v = 0; v < 200; v += 3)
            s.vectors[v * 30 + v % 30] = 0x7e00;
        s.scan.top = 200;
        al_found *found = room(n * 200, sizeof *found);
        size_t n_found[8];
        assert_int_equal(al_scan_run(&s.scan, NULL, s.queries, n, found, n_found, NULL), ALIGN_OK);
        for (size_t q = 0; q < n; q++) {
            assert_int_equal(n_found[q], 133);
            for (size_t i = 0; i < 133; i++)
                assert_true(found[q * 200 + i].place % 3 != 0);
        }
        free(found);
        sample_done(&s);
    }
}

static void halves(void **state)
{
    (void)state;
    uint16_t h[0x7c01], back;
    float x;
    for (uint32_t i = 0; i <= 0x7c00; i++)
        h[i] = (uint16_t)i;
    for (uint32_t i = 0; i <= 0x7c00; i++) {
        al_from_f16(1, &h[i], &x);
        al_f32_to_f16(&x, 1, &back);
        assert_int_equal(back, i);
    }
}

static void steps_are_near(void **state)
{
    (void)state;
    enum { WIDTH = 700 };
    sample s = sample_make(50, WIDTH, 1, 6);
    memset(s.vectors + 9 * WIDTH, 0, WIDTH * sizeof *s.vectors);
    sample_add_steps(&s);
    for (size_t v = 0; v < 50; v++) {
        float x[WIDTH];
        int largest = 0;
        al_from_f16(WIDTH, s.vectors + v * WIDTH, x);
        for (size_t i = 0; i < WIDTH; i++) {
            const int step = s.steps[v * WIDTH + i];
            assert_true(fabsf(x[i] - (float)step * s.step[v]) <= 0.5001f * s.step[v]);
            largest = abs(step) > largest ? abs(step) : largest;
        }
        assert_int_equal(largest, v == 9 ? 0 : 127);
    }
    sample_done(&s);
}

static void memory_runs_out(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 8; n += 7) {
        sample s = sample_make(700, 48, n, 2);
        s.scan.top = 100;
        al_found *found = room(n * 100, sizeof *found);
        size_t n_found[8];
        align_error err;
        align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
        long failures = 0;
        al_threads *threads;
        assert_int_equal(al_threads_new(&threads, 2, NULL), ALIGN_OK);
        for (; status != ALIGN_OK; failures++) {
            al_memory_fail_at(failures + 1);
            status = al_scan_run(&s.scan, threads, s.queries, n, found, n_found, &err);
            al_memory_fail_at(0);
            assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        }
        assert_true(failures > 5);
        assert_found(&s, found, n_found);
        al_threads_free(threads);
        free(found);
        sample_done(&s);
    }
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_nearest), cmocka_unit_test(many_queries),    cmocka_unit_test(only_the_chosen),
        cmocka_unit_test(threshold_and_top), cmocka_unit_test(nothing_to_find), cmocka_unit_test(ties_by_place),
        cmocka_unit_test(same_in_company),   cmocka_unit_test(not_a_number),    cmocka_unit_test(halves),
        cmocka_unit_test(steps_are_near),    cmocka_unit_test(memory_runs_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
