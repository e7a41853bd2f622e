/*
 * test_text_train.c: the gradients of the text tower. Against those of the reference (tests/golden/text_gradients, or
 * the folder that ALIGN_TEXT_GRADIENTS names); against differences of losses where numbers are dropped; and what must
 * hold whatever the numbers are: threads, short memory, frozen layers.
 */
#include "base/memory.h"
#include "base/tensor.h"
#include "load_test.h"
#include "model/inputs.h"
#include "model/text_train.h"
#include "model/trainable.h"
#include "support/golden.h"
#include "support/small_model.h"

/* A model that learns, an input, and how it is trained. */
typedef struct problem {
    al_trainable *trainable;
    al_text_trainer *trainer;
    al_training how;
    al_text_pass pass;
    const float *gradient; /* [B, H]: of the loss by the first states */
    float *states;         /* out [B, H] */
    int threads;
} problem;

static void fail_if(align_status status, const align_error *err)
{
    if (status != ALIGN_OK)
        fail_msg("%s", err->message);
}

static problem new_problem(const align_model *model, const align_inputs *inputs)
{
    align_error err = ALIGN_ERROR_INIT;
    problem p = {.threads = 1};
    fail_if(al_trainable_new(&p.trainable, model, &err), &err);
    const al_trainable *t = p.trainable;
    fail_if(al_text_trainer_new(&p.trainer, &t->config.text_config, &t->weights, &err), &err);
    fail_if(al_check_text_inputs(&t->config, &t->weights, inputs, &p.pass, &err), &err);
    p.how = (al_training){.config = &t->config, .weights = &t->weights, .gradients = &t->gradients, .keep = SIZE_MAX};
    p.states = calloc(p.pass.batch * (size_t)t->config.text_config.hidden_size, sizeof *p.states);
    assert_non_null(p.states);
    return p;
}

static void free_problem(problem *p)
{
    al_text_trainer_free(p->trainer);
    al_trainable_free(p->trainable);
    free(p->states);
}

static void pass_once(const al_run *run, const problem *p)
{
    const size_t mark = al_arena_mark(run->arena);
    al_text_train_forward(run, p->trainer, &p->how, &p->pass, p->states);
    if (p->gradient)
        al_text_train_backward(run, p->trainer, &p->how, &p->pass, p->gradient);
    al_arena_release(run->arena, mark);
}

/* Forward and, where there is a gradient, backward; gradients are added to. Bytes of workspace. */
static size_t train(const problem *p)
{
    al_arena arena = {0};
    al_run run = {al_kernels_get(), NULL, &arena, true, NULL};
    align_error err = ALIGN_ERROR_INIT;
    fail_if(al_threads_new(&run.threads, p->threads, &err), &err);
    const al_arena_rehearsal kept = al_arena_rehearse(&arena);
    pass_once(&run, p);
    assert_int_equal(arena.used, 0);
    fail_if(al_arena_reserve(&arena, kept, 0, &err), &err);
    const size_t planned = arena.size;
    run.dry = false;
    pass_once(&run, p);
    assert_int_equal(arena.used, 0);
    assert_true(arena.peak <= planned);
    al_threads_free(run.threads);
    al_arena_done(&arena);
    return planned;
}

/* ---- the reference ---- */

static double largest_magnitude(const align_tensor *t)
{
    const size_t n = (size_t)align_tensor_elements(t);
    const float *x = t->data;
    float largest = 0.0f;
    for (size_t i = 0; i < n; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    return (double)largest;
}

/* Compares the gradient of one parameter. That of a key's bias is 0 but for rounding, as the reference has it too: it
 * is held to the largest of all. */
static void compare_gradient(comparison *result, const al_trainable_entry *entry, const align_tensors *run, double all,
                             double tolerance)
{
    char name[256];
    snprintf(name, sizeof name, "grad.%s", entry->name);
    const align_tensor *expected = align_tensors_get(run, name);
    const double largest = expected ? largest_magnitude(expected) : 0.0;
    if (largest > 1e-9 * all)
        compare_tensors(result, name, entry->gradient, expected, tolerance);
    else if (!(largest_magnitude(entry->gradient) <= 1e-6 * all))
        fail_msg("%s: expected none, found %g", name, largest_magnitude(entry->gradient));
}

static double largest_gradient(const al_trainable *t)
{
    const int64_t n = (int64_t)t->size;
    const align_tensor whole = align_tensor_view(ALIGN_F32, 1, &n, t->gradient);
    return largest_magnitude(&whole);
}

static void check_run(const char *folder_of_runs, const char *file, double tolerance)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *run = NULL;
    char *path = format_text("%s/%s", folder_of_runs, file);
    fail_if(align_tensors_open(&run, path, &err), &err);
    char *model_path = format_text(TEST_DATA "/models/%s", align_tensors_metadata(run, "model"));
    align_model *model = load(model_path, ALIGN_TOWER_BOTH);
    const align_inputs inputs = golden_inputs(run);
    problem p = new_problem(model, &inputs);
    p.gradient = align_tensors_get(run, "gradient")->data;
    p.threads = 2;
    al_trainable_clear_gradient(p.trainable);
    train(&p);

    comparison result = {path, 0, 0};
    const align_tensor states =
        view2(ALIGN_F32, (int64_t)p.pass.batch, p.trainable->config.text_config.hidden_size, p.states);
    compare_tensors(&result, "first_states", &states, align_tensors_get(run, "first_states"), 1e-5);
    const double all = largest_gradient(p.trainable);
    for (size_t i = 0; i < p.trainable->n_entries; i++)
        if (!p.trainable->entries[i].buffer)
            compare_gradient(&result, &p.trainable->entries[i], run, all, tolerance);
    assert_int_equal(result.failed, 0);
    free_problem(&p);
    align_model_free(model);
    align_tensors_free(run);
    free(model_path);
    free(path);
}

static void reference(void **state)
{
    (void)state;
    const char *chosen = getenv("ALIGN_TEXT_GRADIENTS"), *runs = chosen ? chosen : TEST_DATA "/text_gradients";
    /* in models drawn at random float32 strays further: that of PyTorch up to 3e-5 */
    const double tolerance = chosen ? 1e-4 : 1e-5;
    name_list files = list_folder(runs);
    assert_true(files.count > 0);
    for (size_t i = 0; i < files.count; i++)
        check_run(runs, files.names[i], tolerance);
    free_names(&files);
}

/* ---- whatever the numbers are ---- */

enum { STATES = SMALL_BATCH * SMALL_HIDDEN };

typedef struct small {
    align_model *model;
    small_inputs inputs;
    float gradient[STATES];
    problem p;
} small;

/* A small model with dropout, whose second text is shorter. */
static small *new_small(void)
{
    small *s = calloc(1, sizeof *s);
    align_config config;
    small_config(&config);
    config.text_config.hidden_dropout_prob = 0.2;
    config.text_config.attention_probs_dropout_prob = 0.3;
    s->model = small_model_from(&config, ALIGN_TOWER_BOTH);
    align_config_done(&config);
    small_inputs_init(&s->inputs);
    for (size_t i = SMALL_TOKENS - 3; i < SMALL_TOKENS; i++)
        s->inputs.mask[SMALL_TOKENS + i] = 0;
    for (size_t i = 0; i < STATES; i++)
        s->gradient[i] = (float)sin((double)i);
    s->p = new_problem(s->model, &s->inputs.inputs);
    s->p.gradient = s->gradient;
    s->p.how.dropout = true;
    s->p.how.key = 5;
    al_trainable_clear_gradient(s->p.trainable);
    return s;
}

static void free_small(small *s)
{
    free_problem(&s->p);
    align_model_free(s->model);
    free(s);
}

static double dot(const float *x, const float *y, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

/* The loss after a step along the gradient. */
static double loss_at(small *s, const float *values, double step)
{
    al_trainable *t = s->p.trainable;
    for (size_t i = 0; i < t->size; i++)
        t->values[i] = (float)((double)values[i] + step * (double)t->gradient[i]);
    problem forward = s->p;
    forward.gradient = NULL;
    train(&forward);
    return dot(s->p.states, s->gradient, STATES);
}

/* A small step along the gradient changes the loss as it says, with the same numbers dropped; they are dropped. */
static void dropped_numbers(void **state)
{
    (void)state;
    small *s = new_small();
    al_trainable *t = s->p.trainable;
    float *values = malloc(t->size * sizeof *values);
    memcpy(values, t->values, t->size * sizeof *values);
    train(&s->p);
    const double square = dot(t->gradient, t->gradient, t->size), step = 0.002 / sqrt(square);
    const double slope = (loss_at(s, values, step) - loss_at(s, values, -step)) / (2.0 * step);
    if (!(fabs(slope - square) <= 1e-3 * square))
        fail_msg("the loss changes by %g, expected %g", slope, square);
    const double before = loss_at(s, values, 0.0);
    assert_true(before == loss_at(s, values, 0.0));
    s->p.how.key = 6;
    assert_true(fabs(before - loss_at(s, values, 0.0)) > 1e-3);
    free(values);
    free_small(s);
}

/* The gradient by another way: the same bits. */
static void assert_same_gradient(small *s, const float *gradient)
{
    al_trainable *t = s->p.trainable;
    al_trainable_clear_gradient(t);
    train(&s->p);
    assert_memory_equal(t->gradient, gradient, t->size * sizeof *gradient);
}

static void threads_and_memory(void **state)
{
    (void)state;
    small *s = new_small();
    const size_t whole = train(&s->p), size = s->p.trainable->size;
    float *gradient = malloc(size * sizeof *gradient);
    memcpy(gradient, s->p.trainable->gradient, size * sizeof *gradient);
    for (s->p.threads = 2; s->p.threads <= 3; s->p.threads++)
        assert_same_gradient(s, gradient);
    s->p.threads = 1;
    s->p.how.keep = 0; /* both layers are computed again */
    assert_same_gradient(s, gradient);
    assert_true(train(&s->p) < whole);
    s->p.how.keep = 20000; /* the last one is kept */
    assert_same_gradient(s, gradient);
    free(gradient);
    free_small(s);
}

static void freeze_prefix(al_trainable *t, const char *prefix)
{
    for (size_t i = 0; i < t->n_entries; i++)
        if (!t->entries[i].buffer && !strncmp(t->entries[i].name, prefix, strlen(prefix)))
            al_trainable_freeze(t, i, true);
}

/* Whoever still learns gets the same gradient, and the others none, whichever layers are frozen. */
static void frozen_layers(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"text_model.embeddings.", "text_model.encoder.layer.0.",
                                           "text_model.encoder.layer.1.attention.", "text_model."};
    small *s = new_small();
    al_trainable *t = s->p.trainable;
    train(&s->p);
    float *gradient = malloc(t->size * sizeof *gradient);
    memcpy(gradient, t->gradient, t->size * sizeof *gradient);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        freeze_prefix(t, prefixes[i]);
        memset(t->gradient, 0, t->size * sizeof *t->gradient);
        train(&s->p);
        for (size_t e = 0; e < t->n_entries; e++) {
            const al_trainable_entry *entry = &t->entries[e];
            for (size_t k = 0; !entry->buffer && k < entry->elements; k++)
                assert_true(t->gradient[entry->offset + k] == (entry->frozen ? 0.0f : gradient[entry->offset + k]));
        }
    }
    free(gradient);
    free_small(s);
}

static void no_memory(void **state)
{
    (void)state;
    small *s = new_small();
    al_text_trainer *trainer = NULL;
    align_error err = ALIGN_ERROR_INIT;
    long n = 0;
    align_status status;
    do {
        al_memory_fail_at(++n);
        status = al_text_trainer_new(&trainer, &s->p.trainable->config.text_config, &s->p.trainable->weights, &err);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || (status == ALIGN_ERROR_OUT_OF_MEMORY && !trainer));
    } while (status != ALIGN_OK);
    assert_true(n > 1);
    al_text_trainer_free(trainer);
    al_text_trainer_free(NULL);
    free_small(s);
}

int main(void)
{
    if (!al_kernels_get())
        return 77;
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference), cmocka_unit_test(dropped_numbers),
                                       cmocka_unit_test(threads_and_memory), cmocka_unit_test(frozen_layers),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
