/* step_test.h: what the tests of training steps share: a model that learns, pairs for it, gradients compared. */
#ifndef STEP_TEST_H
#define STEP_TEST_H
#include "base/random.h"
#include "load_test.h"
#include "model/align_train.h"

enum { PAIRS = 6, TOKENS = 9, SIDE = 24, CHANNELS = 3, VOCABULARY = 30 };

typedef struct pairs {
    int64_t ids[PAIRS * TOKENS], mask[PAIRS * TOKENS];
    float pixels[PAIRS * CHANNELS * SIDE * SIDE];
} pairs;

/* Texts of several lengths. */
static inline void make_pairs(pairs *p)
{
    for (size_t i = 0; i < PAIRS * TOKENS; i++) {
        p->mask[i] = i % TOKENS < 3 + i / TOKENS;
        p->ids[i] = p->mask[i] ? (int64_t)(4 + al_random_bits(1, i) % (VOCABULARY - 4)) : 0;
    }
    for (size_t i = 0; i < sizeof p->pixels / sizeof *p->pixels; i++)
        p->pixels[i] = (float)(al_random_unit(2, i) * 4.0 - 2.0);
}

/* Pairs first .. first + n - 1. */
static inline align_inputs inputs_of(const pairs *p, size_t first, size_t n)
{
    align_inputs in = ALIGN_INPUTS_INIT;
    const int64_t b = (int64_t)n;
    in.input_ids = align_tensor_view(ALIGN_I64, 2, (int64_t[]){b, TOKENS}, p->ids + first * TOKENS);
    in.attention_mask = align_tensor_view(ALIGN_I64, 2, (int64_t[]){b, TOKENS}, p->mask + first * TOKENS);
    in.pixel_values = align_tensor_view(ALIGN_F32, 4, (int64_t[]){b, CHANNELS, SIDE, SIDE},
                                        p->pixels + first * CHANNELS * SIDE * SIDE);
    return in;
}

/* What a test of a step begins with: a model, and all the pairs as its inputs. */
typedef struct setup {
    pairs pairs;
    align_inputs in; /* views of the pairs */
    al_step_options options;
    align_model *model;
    al_trainable *trainable;
    al_threads *threads;
    al_trainer *trainer;
} setup;

static inline void set_up(setup *s, int threads)
{
    make_pairs(&s->pairs);
    s->in = inputs_of(&s->pairs, 0, PAIRS);
    s->options = (al_step_options)AL_STEP_OPTIONS_INIT;
    s->model = load(GOLDEN "tiny", ALIGN_TOWER_BOTH);
    assert_int_equal(al_trainable_new(&s->trainable, s->model, NULL), ALIGN_OK);
    assert_int_equal(al_threads_new(&s->threads, threads, NULL), ALIGN_OK);
    assert_int_equal(al_trainer_new(&s->trainer, s->trainable, s->threads, NULL), ALIGN_OK);
    al_trainable_clear_gradient(s->trainable);
}

static inline void tear_down(setup *s)
{
    al_trainer_free(s->trainer);
    al_threads_free(s->threads);
    al_trainable_free(s->trainable);
    align_model_free(s->model);
}

static inline double step(const setup *s)
{
    align_error err = ALIGN_ERROR_INIT;
    double loss;
    if (al_trainer_step(s->trainer, &s->in, &s->options, &loss, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return loss;
}

static inline float *copy_floats(const float *from, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, from, n * sizeof *copy);
    return copy;
}

/* The gradient of a step from fresh gradients, to be freed. */
static inline float *gradient_of(const setup *s, double *loss)
{
    al_trainable_clear_gradient(s->trainable);
    *loss = step(s);
    return copy_floats(s->trainable->gradient, s->trainable->size);
}

/* Every tensor within the tolerance of its largest magnitude, or of a hundredth of the largest gradient of all. */
static inline void assert_close(const al_trainable *t, const float *found, const float *expected, double tolerance)
{
    double scale = 0.0;
    for (size_t i = 0; i < t->size; i++)
        scale = fmax(scale, fabs((double)expected[i]));
    for (size_t e = 0; e < t->n_entries; e++) {
        const al_trainable_entry *entry = &t->entries[e];
        double largest = scale * 1e-2, difference = 0.0;
        if (entry->buffer)
            continue;
        for (size_t i = entry->offset; i < entry->offset + entry->elements; i++) {
            largest = fmax(largest, fabs((double)expected[i]));
            difference = fmax(difference, fabs((double)found[i] - (double)expected[i]));
        }
        if (!(difference <= tolerance * largest))
            fail_msg("%s: differs by %g of %g", entry->name, difference, largest);
    }
}
#endif
