/*
 * test_threads.c: one model, many threads.
 *
 * A forward pass gives the same bits with 1, 2 and 3 threads, and contexts that run at the same time on one model give
 * the same bits as one alone.
 */
#include "support/compare.h"
#include "support/small_model.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 4 };

typedef struct fixture {
    align_model *model;
    small_inputs small;
    align_context *context; /* the one whose results the others must repeat */
    align_output expected;
} fixture;

static const align_forward_options EVERYTHING = {true, true, true};

static align_context *context_with(const align_model *model, int threads)
{
    align_context_options options = ALIGN_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    align_context *context = NULL;
    if (align_context_new(&context, model, &options, NULL) != ALIGN_OK)
        abort();
    return context;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->model = small_model(ALIGN_TOWER_BOTH);
    small_inputs_init(&f->small);
    f->context = context_with(f->model, 1);
    assert_int_equal(align_model_forward(f->context, &f->small.inputs, &EVERYTHING, &f->expected, NULL), ALIGN_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    align_context_free(f->context);
    align_model_free(f->model);
    free(f);
    return 0;
}

static void compare_lists(comparison *result, const char *name, const align_tensor *a, size_t n_a,
                          const align_tensor *b, size_t n_b)
{
    if (n_a != n_b)
        result->failed++;
    for (size_t i = 0; i < n_a && i < n_b; i++)
        compare_bits(result, name, &a[i], &b[i]);
}

static void compare_outputs(comparison *result, const align_output *a, const align_output *b)
{
    const align_text_output *ta = &a->text_model_output, *tb = &b->text_model_output;
    const align_vision_output *va = &a->vision_model_output, *vb = &b->vision_model_output;
    compare_bits(result, "loss", &a->loss, &b->loss);
    compare_bits(result, "logits_per_image", &a->logits_per_image, &b->logits_per_image);
    compare_bits(result, "logits_per_text", &a->logits_per_text, &b->logits_per_text);
    compare_bits(result, "text_embeds", &a->text_embeds, &b->text_embeds);
    compare_bits(result, "image_embeds", &a->image_embeds, &b->image_embeds);
    compare_bits(result, "text pooler_output", &ta->pooler_output, &tb->pooler_output);
    compare_bits(result, "vision pooler_output", &va->pooler_output, &vb->pooler_output);
    compare_lists(result, "text hidden_states", ta->hidden_states, ta->n_hidden_states, tb->hidden_states,
                  tb->n_hidden_states);
    compare_lists(result, "attentions", ta->attentions, ta->n_attentions, tb->attentions, tb->n_attentions);
    compare_lists(result, "vision hidden_states", va->hidden_states, va->n_hidden_states, vb->hidden_states,
                  vb->n_hidden_states);
}

static void test_number_of_threads(void **state)
{
    const fixture *f = *state;
    for (int threads = 1; threads <= 3; threads++) {
        char where[32];
        snprintf(where, sizeof where, "%d threads", threads);
        comparison result = {where, 0, 0};
        align_context *context = context_with(f->model, threads);
        align_output out;
        for (int round = 0; round < 2; round++) {
            assert_int_equal(align_model_forward(context, &f->small.inputs, &EVERYTHING, &out, NULL), ALIGN_OK);
            compare_outputs(&result, &out, &f->expected);
        }
        align_context_free(context);
        assert_int_equal(result.failed, 0);
    }
}

/* So many pictures that threads take whole groups, with some left over, and that groups are of different kinds. */
static void test_many_pictures(void **state)
{
    enum { PICTURES = 14, FLOATS = SMALL_CHANNELS * SMALL_HEIGHT * SMALL_WIDTH };
    const fixture *f = *state;
    float *pixels = malloc(PICTURES * FLOATS * sizeof *pixels);
    assert_non_null(pixels);
    for (size_t i = 0; i < (size_t)PICTURES * FLOATS; i++)
        pixels[i] = f->small.pixels[i % (SMALL_BATCH * FLOATS)] * (1.0f + (float)(i / FLOATS));
    align_inputs in = ALIGN_INPUTS_INIT;
    in.pixel_values = view4(ALIGN_F32, PICTURES, SMALL_CHANNELS, SMALL_HEIGHT, SMALL_WIDTH, pixels);
    align_context *alone = context_with(f->model, 1);
    align_tensor expected, found;
    assert_int_equal(align_model_get_image_features(alone, &in, &expected, NULL), ALIGN_OK);
    for (int threads = 2; threads <= 4; threads++) {
        comparison result = {"many pictures", 0, 0};
        align_context *context = context_with(f->model, threads);
        assert_int_equal(align_model_get_image_features(context, &in, &found, NULL), ALIGN_OK);
        compare_bits(&result, "features", &found, &expected);
        align_context_free(context);
        assert_int_equal(result.failed, 0);
    }
    align_context_free(alone);
    free(pixels);
}

/* Large pictures go through the first blocks one by one: each state of a batch holds what each picture has alone, but
 * for the last bits, since batches may be multiplied by other products. */
static void test_large_pictures(void **state)
{
    enum { HEIGHT = 81, WIDTH = 74, FLOATS = SMALL_CHANNELS * HEIGHT * WIDTH };
    const fixture *f = *state;
    float *pixels = malloc((size_t)SMALL_BATCH * FLOATS * sizeof *pixels);
    assert_non_null(pixels);
    for (size_t i = 0; i < (size_t)SMALL_BATCH * FLOATS; i++)
        pixels[i] = (float)(i * 7919 % 1009) / 504.0f - 1.0f;
    align_inputs in = f->small.inputs;
    in.pixel_values = view4(ALIGN_F32, SMALL_BATCH, SMALL_CHANNELS, HEIGHT, WIDTH, pixels);
    align_context *together = context_with(f->model, 2), *alone = context_with(f->model, 1);
    align_output all, one;
    assert_int_equal(align_model_forward(together, &in, &EVERYTHING, &all, NULL), ALIGN_OK);
    in.input_ids.shape[0] = in.attention_mask.shape[0] = in.token_type_ids.shape[0] = 1; /* a loss wants as many */
    for (size_t b = 0; b < SMALL_BATCH; b++) {
        in.pixel_values = view4(ALIGN_F32, 1, SMALL_CHANNELS, HEIGHT, WIDTH, pixels + b * FLOATS);
        assert_int_equal(align_model_forward(alone, &in, &EVERYTHING, &one, NULL), ALIGN_OK);
        for (size_t i = 0; i < one.vision_model_output.n_hidden_states; i++) {
            const align_tensor *expected = &one.vision_model_output.hidden_states[i];
            const size_t n = (size_t)align_tensor_elements(expected);
            const float *x = expected->data;
            const float *y = (const float *)all.vision_model_output.hidden_states[i].data + b * n;
            for (size_t j = 0; j < n; j++)
                if (!(fabsf(x[j] - y[j]) <= 1e-5f * (1.0f + fabsf(x[j]))))
                    fail_msg("state %zu of picture %zu, [%zu]: %.9g, expected %.9g", i, b, j, (double)y[j],
                             (double)x[j]);
        }
    }
    align_context_free(together);
    align_context_free(alone);
    free(pixels);
}

/* Runs in a thread of its own; cmocka's asserts belong to the main one. */
typedef struct job {
    const fixture *f;
    int threads;
    comparison result;
    bool ran;
} job;

static void *run_job(void *user)
{
    job *j = user;
    align_context *context = context_with(j->f->model, j->threads);
    align_output out;
    j->ran = true;
    for (int round = 0; round < ROUNDS; round++) {
        if (align_model_forward(context, &j->f->small.inputs, &EVERYTHING, &out, NULL) == ALIGN_OK)
            compare_outputs(&j->result, &out, &j->f->expected);
        else
            j->ran = false;
    }
    align_context_free(context);
    return NULL;
}

static void test_contexts_side_by_side(void **state)
{
    const fixture *f = *state;
    job jobs[] = {{f, 1, {"first thread", 0, 0}, false}, {f, 2, {"second thread", 0, 0}, false}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_true(jobs[i].ran);
        assert_int_equal(jobs[i].result.failed, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_of_threads),
        cmocka_unit_test(test_many_pictures),
        cmocka_unit_test(test_large_pictures),
        cmocka_unit_test(test_contexts_side_by_side),
    };
    return cmocka_run_group_tests_name("threads", tests, set_up, tear_down);
}
