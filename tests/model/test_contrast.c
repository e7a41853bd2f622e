/*
 * test_contrast.c: the loss over embeddings and its gradients against the formula computed plainly in double, over
 * sizes around the blocks, alone and shared out among ranks.
 */
#include "model/contrast.h"

#include "base/random.h"
#include "ranks_test.h"

#include <math.h>

typedef struct batch {
    size_t n, width;
    float *texts, *images, temperature;
    const uint64_t *matches; /* [n, words]: whether text i is true of picture j too; NULL: none */
} batch;

typedef struct answer {
    double loss, temperature;
    double *texts, *images; /* gradients [n, width] */
} answer;

static void *get(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    assert_non_null(memory);
    return memory;
}

static float *random_rows(size_t n, size_t width, uint64_t key)
{
    float *x = get(n * width, sizeof *x);
    for (size_t i = 0; i < n * width; i++)
        x[i] = (float)(al_random_unit(key, i) * 2.0 - 1.0);
    align_normalize(x, n, width);
    return x;
}

static batch make_batch(size_t n, size_t width, float temperature)
{
    return (batch){n, width, random_rows(n, width, 1), random_rows(n, width, 2), temperature, NULL};
}

static void free_batch(batch *b)
{
    free(b->texts);
    free(b->images);
}

static void free_answer(answer *a)
{
    free(a->texts);
    free(a->images);
}

/* ---- plainly ---- */

static bool bit(const uint64_t *bits, size_t n, size_t row, size_t column)
{
    return bits[row * al_match_words(n) + column / 64] >> column % 64 & 1;
}

static double *plain_logits(const batch *b)
{
    double *logits = get(b->n * b->n, sizeof *logits);
    for (size_t i = 0; i < b->n; i++)
        for (size_t j = 0; j < b->n; j++) {
            double dot = 0.0;
            for (size_t p = 0; p < b->width; p++)
                dot += (double)b->texts[i * b->width + p] * (double)b->images[j * b->width + p];
            logits[i * b->n + j] = dot / (double)b->temperature;
            if (b->matches && i != j && bit(b->matches, b->n, i, j))
                logits[i * b->n + j] = -INFINITY;
        }
    return logits;
}

/* Along the rows of [n, n] with the given strides: adds the cross entropy to *loss and its slopes to slopes. Logits
 * that do not count are -INFINITY. */
static void plain_direction(const double *logits, size_t n, size_t row, size_t column, double *loss, double *slopes)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0, largest = -INFINITY, count = 0.0;
        for (size_t j = 0; j < n; j++)
            largest = fmax(largest, logits[i * row + j * column]);
        for (size_t j = 0; j < n; j++) {
            sum += exp(logits[i * row + j * column] - largest);
            count += logits[i * row + j * column] > -INFINITY;
        }
        for (size_t j = 0; j < n; j++) {
            if (logits[i * row + j * column] == -INFINITY)
                continue;
            const double target = (i == j ? 0.9 : 0.0) + 0.1 / count;
            const double log_share = logits[i * row + j * column] - largest - log(sum);
            *loss -= target * log_share / (2.0 * (double)n);
            slopes[i * row + j * column] += (exp(log_share) - target) / (2.0 * (double)n);
        }
    }
}

static answer plain(const batch *b)
{
    const size_t n = b->n, w = b->width;
    answer a = {0.0, 0.0, get(n * w, sizeof(double)), get(n * w, sizeof(double))};
    double *logits = plain_logits(b), *slopes = get(n * n, sizeof *slopes);
    plain_direction(logits, n, n, 1, &a.loss, slopes);
    plain_direction(logits, n, 1, n, &a.loss, slopes);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const double slope = slopes[i * n + j] / (double)b->temperature;
            if (slope == 0.0)
                continue;
            a.temperature -= slope * logits[i * n + j];
            for (size_t p = 0; p < w; p++) {
                a.texts[i * w + p] += slope * (double)b->images[j * w + p];
                a.images[j * w + p] += slope * (double)b->texts[i * w + p];
            }
        }
    free(logits);
    free(slopes);
    return a;
}

/* ---- with the library ---- */

/* As a step runs it: rehearsed, then for real in exactly the memory that asked for. */
static size_t run_contrast(al_contrast *c, al_threads *threads)
{
    al_arena arena = {0};
    al_contrast rehearsed = *c;
    const al_run dry = {al_kernels_get(), threads, &arena, true, NULL};
    al_contrast_run(&dry, &rehearsed);
    const size_t bytes = arena.peak;
    const al_arena_rehearsal kept = {NULL, 0};
    assert_int_equal(al_arena_reserve(&arena, kept, 0, NULL), ALIGN_OK);
    const al_run run = {dry.kernels, threads, &arena, false, NULL};
    al_contrast_run(&run, c);
    assert_int_equal(arena.used, 0);
    assert_true(arena.peak <= bytes);
    al_arena_done(&arena);
    return bytes;
}

static al_contrast contrast_of(const batch *b, size_t first, size_t n)
{
    al_contrast c = {.pairs = n, .width = b->width, .first = first, .total = b->n, .scale = 1.0};
    c.texts = b->texts + first * b->width;
    c.images = b->images + first * b->width;
    c.temperature = b->temperature;
    return c;
}

/* Errors of what came out for pairs first .. first + n - 1, relative to the largest expected. */
static double strays(const float *found, const double *expected, size_t first, size_t n, size_t total, size_t width)
{
    double worst = 0.0, largest = 0.0;
    for (size_t i = 0; i < total * width; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < n * width; i++)
        worst = fmax(worst, fabs((double)found[i] - expected[first * width + i]));
    return worst / largest;
}

static void check_alone(size_t n, size_t width, float temperature)
{
    batch b = make_batch(n, width, temperature);
    answer expected = plain(&b);
    al_contrast c = contrast_of(&b, 0, n);
    c.text_gradient = get(n * width, sizeof(float));
    c.image_gradient = get(n * width, sizeof(float));
    run_contrast(&c, NULL);
    /* logits are f32 products: of magnitude 1 / temperature, so that their exponentials stray by that many roundings */
    const double tolerance = 2e-6 + 2e-7 / (double)temperature;
    assert_true(fabs(c.loss - expected.loss) <= tolerance * fmax(1.0, fabs(expected.loss)));
    if (n > 1) {
        assert_true(strays(c.text_gradient, expected.texts, 0, n, n, width) <= tolerance);
        assert_true(strays(c.image_gradient, expected.images, 0, n, n, width) <= tolerance);
        assert_true(fabs(c.temperature_gradient - expected.temperature) <= tolerance * fabs(expected.temperature));
    }
    free(c.text_gradient);
    free(c.image_gradient);
    free_answer(&expected);
    free_batch(&b);
}

static void test_plain_formula(void **state)
{
    (void)state;
    check_alone(1, 5, 1.0f); /* one pair: a loss of zero, and nothing to learn */
    check_alone(2, 3, 0.5f);
    check_alone(3, 7, 1.0f);
    check_alone(40, 19, 0.05f);
    check_alone(511, 4, 0.3f);
    check_alone(513, 33, 0.01f);
}

/* More columns than a block has. */
static void test_many_pairs(void **state)
{
    (void)state;
    check_alone(4097, 2, 1.0f);
}

/* The same bits on any number of threads, and where one of the gradients is not wanted. */
static void test_threads(void **state)
{
    (void)state;
    enum { N = 530, WIDTH = 24 };
    batch b = make_batch(N, WIDTH, 0.1f);
    al_contrast first = contrast_of(&b, 0, N);
    first.text_gradient = get(N * WIDTH, sizeof(float));
    first.image_gradient = get(N * WIDTH, sizeof(float));
    run_contrast(&first, NULL);
    for (int n = 2; n <= 3; n++) {
        al_threads *threads;
        assert_int_equal(al_threads_new(&threads, n, NULL), ALIGN_OK);
        al_contrast c = contrast_of(&b, 0, N);
        c.text_gradient = get(N * WIDTH, sizeof(float));
        run_contrast(&c, threads);
        assert_true(c.loss == first.loss && c.temperature_gradient == first.temperature_gradient);
        assert_memory_equal(c.text_gradient, first.text_gradient, N * WIDTH * sizeof(float));
        free(c.text_gradient);
        al_threads_free(threads);
    }
    free(first.text_gradient);
    free(first.image_gradient);
    free_batch(&b);
}

/* scale is a factor of the gradients and not of the loss. */
static void test_scale(void **state)
{
    (void)state;
    enum { N = 9, WIDTH = 6 };
    float whole[N * WIDTH], half[N * WIDTH];
    batch b = make_batch(N, WIDTH, 0.7f);
    al_contrast c = contrast_of(&b, 0, N), d = c;
    c.text_gradient = whole;
    d.text_gradient = half;
    d.scale = 0.5;
    run_contrast(&c, NULL);
    run_contrast(&d, NULL);
    assert_true(c.loss == d.loss && d.temperature_gradient == 0.5 * c.temperature_gradient);
    for (size_t i = 0; i < N * WIDTH; i++)
        assert_true(half[i] == 0.5f * whole[i]);
    free_batch(&b);
}

/* Memory grows with the embeddings, not with their square. */
static void test_memory(void **state)
{
    (void)state;
    enum { WIDTH = 64 };
    static const size_t pairs[] = {4096, 65536};
    for (size_t i = 0; i < 2; i++) {
        al_arena arena = {0};
        float unread;
        al_contrast c = {.pairs = pairs[i], .width = WIDTH, .total = pairs[i], .texts = &unread, .images = &unread};
        c.text_gradient = c.image_gradient = &unread;
        const al_run dry = {al_kernels_get(), NULL, &arena, true, NULL};
        al_contrast_run(&dry, &c);
        assert_true(arena.peak < ((size_t)48 << 20));
    }
}

/* ---- texts that are true of other pictures too ---- */

/* A tenth of all, some of the diagonal among them, which changes nothing. */
static void draw_matches(size_t n, uint64_t *texts, uint64_t *images)
{
    const size_t words = al_match_words(n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (al_random_unit(9, i * n + j) < 0.1) {
                texts[i * words + j / 64] |= UINT64_C(1) << j % 64;
                images[j * words + i / 64] |= UINT64_C(1) << i % 64;
            }
}

static void test_matches(void **state)
{
    (void)state;
    enum { WIDTH = 11 };
    static const size_t sizes[] = {2, 70, 600, 4200};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s], words = al_match_words(n);
        batch b = make_batch(n, WIDTH, 0.3f);
        uint64_t *texts = get(n * words, sizeof *texts), *images = get(n * words, sizeof *images);
        draw_matches(n, texts, images);
        b.matches = texts;
        answer expected = plain(&b);
        al_contrast c = contrast_of(&b, 0, n);
        c.text_matches = texts;
        c.image_matches = images;
        c.text_gradient = get(n * WIDTH, sizeof(float));
        c.image_gradient = get(n * WIDTH, sizeof(float));
        run_contrast(&c, NULL);
        assert_true(fabs(c.loss - expected.loss) <= 2e-6 * fabs(expected.loss));
        assert_true(strays(c.text_gradient, expected.texts, 0, n, n, WIDTH) <= 3e-6);
        assert_true(strays(c.image_gradient, expected.images, 0, n, n, WIDTH) <= 3e-6);
        assert_true(fabs(c.temperature_gradient - expected.temperature) <= 3e-6 * fabs(expected.temperature));
        free(c.text_gradient);
        free(c.image_gradient);
        free(texts);
        free(images);
        free_answer(&expected);
        free_batch(&b);
    }
}

/* ---- ranks ---- */

enum { RANKS = 3 };

typedef struct share {
    const batch *batch;
    const uint64_t *texts, *images; /* matches */
    al_contrast result;
} share;

static void contrast_of_rank(const al_collective *ranks, void *user)
{
    share *s = user;
    const batch *b = s->batch;
    const size_t rank = (size_t)ranks->rank, first = b->n * rank / RANKS, end = b->n * (rank + 1) / RANKS;
    s->result = contrast_of(b, first, end - first);
    s->result.ranks = ranks;
    s->result.text_matches = s->texts + first * al_match_words(b->n);
    s->result.image_matches = s->images + first * al_match_words(b->n);
    s->result.text_gradient = get((end - first) * b->width, sizeof(float));
    s->result.image_gradient = get((end - first) * b->width, sizeof(float));
    run_contrast(&s->result, NULL);
}

/* Three ranks with unequal shares have the loss and, together, the gradients of one. */
static void test_ranks(void **state)
{
    (void)state;
    batch b = make_batch(1601, 12, 0.2f);
    uint64_t *texts = get(b.n * al_match_words(b.n), sizeof *texts),
             *images = get(b.n * al_match_words(b.n), sizeof *images);
    draw_matches(b.n, texts, images);
    b.matches = texts;
    answer expected = plain(&b);
    const share none = {.batch = &b, .texts = texts, .images = images};
    share shares[RANKS] = {none, none, none};
    run_ranks(RANKS, contrast_of_rank, (void *[]){&shares[0], &shares[1], &shares[2]});
    double temperature = 0.0;
    for (int r = 0; r < RANKS; r++) {
        const al_contrast *c = &shares[r].result;
        assert_true(c->loss == shares[0].result.loss && fabs(c->loss - expected.loss) <= 2e-6 * expected.loss);
        assert_true(strays(c->text_gradient, expected.texts, c->first, c->pairs, b.n, b.width) <= 2e-6);
        assert_true(strays(c->image_gradient, expected.images, c->first, c->pairs, b.n, b.width) <= 2e-6);
        temperature += c->temperature_gradient;
        free(c->text_gradient);
        free(c->image_gradient);
    }
    assert_true(fabs(temperature - expected.temperature) <= 2e-6 * fabs(expected.temperature));
    free(texts);
    free(images);
    free_answer(&expected);
    free_batch(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_formula), cmocka_unit_test(test_many_pairs), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_scale),         cmocka_unit_test(test_memory),     cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
