/*
 * test_vision_train.c: the vision tower's training pass against the reference's gradients
 * (tests/golden/vision_gradients, made by tests/reference/make_vision_gradients.py), and what must not change them:
 * what is kept, threads, how many ranks a batch is spread over, and what is frozen.
 */
#include "base/arena.h"
#include "load_test.h"
#include "model/trainable.h"
#include "model/vision_train.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define CASES TEST_DATA "/vision_gradients/"
static const char *const names[] = {"paper", "odd", "no_expansion", "wide", "bands"};
enum { N_CASES = sizeof names / sizeof *names, N_BATCHES = N_CASES - 1 }; /* the last is one picture alone */

/* One tower and one file of what the reference made of it. */
typedef struct fixture {
    align_model *model;
    al_trainable *trainable;
    al_vision_trainer *trainer;
    align_tensors *golden;
    al_training how;
    al_vision_pass pass;
    const float *pooled_gradient;
    size_t pooled; /* floats of pooler_output */
} fixture;

static fixture fixture_open(const char *name, bool batch_statistics)
{
    fixture f = {0};
    align_error err = ALIGN_ERROR_INIT;
    char path[256];
    snprintf(path, sizeof path, CASES "%s", name);
    f.model = load(path, ALIGN_TOWER_VISION);
    snprintf(path, sizeof path, CASES "%s/%s.safetensors", name, batch_statistics ? "batch" : "running");
    assert_int_equal(align_tensors_open(&f.golden, path, &err), ALIGN_OK);
    assert_int_equal(al_trainable_new(&f.trainable, f.model, &err), ALIGN_OK);
    assert_int_equal(al_vision_trainer_new(&f.trainer, &f.trainable->config, &f.trainable->weights, &err), ALIGN_OK);
    al_trainable_clear_gradient(f.trainable);
    f.how = (al_training){.config = &f.trainable->config,
                          .weights = &f.trainable->weights,
                          .gradients = &f.trainable->gradients,
                          .precision = ALIGN_PRECISION_F32,
                          .batch_statistics = batch_statistics,
                          .update_statistics = batch_statistics,
                          .keep = SIZE_MAX};
    const align_tensor *pixels = align_tensors_get(f.golden, "pixel_values");
    const align_tensor *pooled = align_tensors_get(f.golden, "pooler_output");
    f.pooled = (size_t)align_tensor_elements(pooled);
    f.pass = (al_vision_pass){.batch = (size_t)pixels->shape[0],
                              .height = (size_t)pixels->shape[2],
                              .width = (size_t)pixels->shape[3],
                              .pixel_values = pixels,
                              .pooler_output = malloc(f.pooled * sizeof(float))};
    f.pooled_gradient = align_tensors_get(f.golden, "pooled_gradient")->data;
    return f;
}

static void fixture_close(fixture *f)
{
    free(f->pass.pooler_output);
    al_vision_trainer_free(f->trainer);
    al_trainable_free(f->trainable);
    align_tensors_free(f->golden);
    align_model_free(f->model);
}

/* Forward and backward, rehearsed first; gives the bytes of the arena. */
static size_t run_pass(fixture *f, int threads)
{
    al_arena arena = {0};
    al_run run = {al_kernels_get(), NULL, &arena, true, NULL};
    assert_int_equal(al_threads_new(&run.threads, threads, NULL), ALIGN_OK);
    const al_arena_rehearsal kept = al_arena_rehearse(&arena);
    for (int real = 0; real < 2; real++) {
        const size_t mark = al_arena_mark(&arena);
        al_vision_train_forward(&run, f->trainer, &f->how, &f->pass);
        al_vision_train_backward(&run, f->trainer, &f->how, &f->pass, f->pooled_gradient);
        al_arena_release(&arena, mark);
        if (!real)
            assert_int_equal(al_arena_reserve(&arena, kept, 0, NULL), ALIGN_OK);
        run.dry = false;
    }
    const size_t size = arena.size;
    assert_true(arena.peak <= size);
    al_threads_free(run.threads);
    al_arena_done(&arena);
    return size;
}

static double largest_of(const align_tensor *t)
{
    double largest = 0.0;
    const float *x = t->data;
    for (int64_t i = 0; i < align_tensor_elements(t); i++)
        largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

/*
 * max |actual - expected| <= tolerance max |expected|. A gradient that is zero in exact arithmetic (a bias before a
 * norm over the batch) is compared with the largest of all instead: what is left of it is rounding.
 */
static double check_tensor(const char *name, const float *actual, const align_tensor *expected, double all,
                           double tolerance)
{
    const float *x = expected->data;
    double largest = largest_of(expected), worst = 0.0;
    if (largest < 1e-9 * all)
        largest = all;
    for (int64_t i = 0; i < align_tensor_elements(expected); i++)
        worst = fmax(worst, isnan(actual[i]) ? INFINITY : fabs((double)actual[i] - (double)x[i]));
    if (!(worst <= tolerance * largest))
        fail_msg("%s: off by %.3g of %.3g", name, worst, largest);
    return largest > 0.0 ? worst / largest : 0.0;
}

/* Before a norm over the batch, the gradients of squeeze-excite are small differences of what nearly cancels: float32
 * strays by up to 1e-5 in the reference (which the goldens were chosen for), and by some such amount here. */
#define TOLERANCE 5e-5

/* Every gradient, every running statistic and the output. */
static void check_golden(const fixture *f)
{
    double all = 0.0, worst = 0.0;
    for (size_t i = 0; i < f->trainable->n_entries; i++) {
        const al_trainable_entry *e = &f->trainable->entries[i];
        char name[256];
        snprintf(name, sizeof name, "grad.%s", e->name);
        if (!e->buffer)
            all = fmax(all, largest_of(align_tensors_get(f->golden, name)));
    }
    check_tensor("pooler_output", f->pass.pooler_output, align_tensors_get(f->golden, "pooler_output"), 0.0, TOLERANCE);
    for (size_t i = 0; i < f->trainable->n_entries; i++) {
        const al_trainable_entry *e = &f->trainable->entries[i];
        char name[256];
        snprintf(name, sizeof name, "%s.%s", e->buffer ? "buffer" : "grad", e->name);
        const align_tensor *expected = align_tensors_get(f->golden, name);
        if (e->buffer && !f->how.update_statistics)
            assert_null(expected);
        else if (e->kind == AL_BUFFER_COUNT)
            assert_int_equal(*(const int64_t *)e->value->data, *(const int64_t *)expected->data);
        else
            worst = fmax(worst,
                         check_tensor(name, e->buffer ? e->value->data : e->gradient->data, expected, all, TOLERANCE));
    }
    print_message("largest error: %.2e\n", worst);
}

static void like_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++)
        for (int batch = 0; batch < 2; batch++) {
            fixture f = fixture_open(names[i], batch);
            print_message("%s, %s\n", names[i], batch ? "batch" : "running");
            run_pass(&f, 1);
            check_golden(&f);
            fixture_close(&f);
        }
}

/* ---- what must not matter ---- */

static void assert_same_pass(const fixture *a, const fixture *b)
{
    assert_memory_equal(a->pass.pooler_output, b->pass.pooler_output, a->pooled * sizeof(float));
    assert_memory_equal(a->trainable->gradient, b->trainable->gradient, a->trainable->size * sizeof(float));
    assert_memory_equal(a->trainable->buffers, b->trainable->buffers, a->trainable->buffer_bytes);
}

/* Drop connect of what has no rate in its config. */
static void drop(fixture *f)
{
    f->trainable->config.vision_config.drop_connect_rate = 0.4;
    f->how.dropout = true;
    f->how.key = 17;
}

/* Blocks computed twice, all or some, and threads: the same bits. */
static void kept_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++)
        for (int dropped = 0; dropped < 2; dropped++) {
            fixture all = fixture_open(names[i], true);
            if (dropped)
                drop(&all);
            const size_t most = run_pass(&all, 1);
            for (int variant = 0; variant < 4; variant++) {
                fixture f = fixture_open(names[i], true);
                if (dropped)
                    drop(&f);
                f.how.keep = variant == 0 ? SIZE_MAX : variant == 1 ? 30000 : 0;
                const size_t bytes = run_pass(&f, variant == 3 ? 1 : 3);
                assert_same_pass(&all, &f);
                if (variant == 3)
                    assert_true(bytes <= most);
                fixture_close(&f);
            }
            fixture_close(&all);
        }
}

/* Numbers are dropped: the output moves with the key and only with it; where there is no residual nothing is. */
static void drop_connect(void **state)
{
    (void)state;
    fixture plain = fixture_open("paper", true), one = fixture_open("paper", true), other = fixture_open("paper", true);
    drop(&one);
    drop(&other);
    other.how.key = 18;
    run_pass(&plain, 1);
    run_pass(&one, 1);
    run_pass(&other, 1);
    assert_memory_not_equal(plain.pass.pooler_output, one.pass.pooler_output, plain.pooled * sizeof(float));
    assert_memory_not_equal(other.pass.pooler_output, one.pass.pooler_output, plain.pooled * sizeof(float));
    fixture_close(&plain);
    fixture_close(&one);
    fixture_close(&other);
}

/* Gradients are added to what is there. */
static void accumulation(void **state)
{
    (void)state;
    fixture once = fixture_open("odd", false), twice = fixture_open("odd", false);
    run_pass(&once, 1);
    run_pass(&twice, 1);
    run_pass(&twice, 1);
    for (size_t i = 0; i < once.trainable->size; i++) {
        const double one = (double)once.trainable->gradient[i], two = (double)twice.trainable->gradient[i];
        assert_true(fabs(two - 2.0 * one) <= 1e-5 * fabs(one) + 1e-5);
    }
    fixture_close(&once);
    fixture_close(&twice);
}

/* A pass that is repeated leaves the running statistics alone. */
static void repeated(void **state)
{
    (void)state;
    fixture f = fixture_open("paper", true), before = fixture_open("paper", true);
    f.how.update_statistics = false;
    run_pass(&f, 1);
    assert_memory_equal(f.trainable->buffers, before.trainable->buffers, f.trainable->buffer_bytes);
    fixture_close(&f);
    fixture_close(&before);
}

/* Any one tensor frozen, and all but one: the others' gradients are what they were. */
static void frozen(void **state)
{
    (void)state;
    fixture all = fixture_open("paper", true);
    run_pass(&all, 1);
    for (size_t i = 0; i < all.trainable->n_entries; i++)
        for (int alone = 0; alone < 2; alone++) {
            fixture f = fixture_open("paper", true);
            for (size_t e = 0; e < f.trainable->n_entries; e++)
                if (!f.trainable->entries[e].buffer)
                    al_trainable_freeze(f.trainable, e, (e == i) != alone);
            run_pass(&f, 1);
            for (size_t e = 0; e < f.trainable->n_entries; e++) {
                const al_trainable_entry *here = &f.trainable->entries[e], *there = &all.trainable->entries[e];
                if (!here->buffer && here->gradient->data)
                    assert_memory_equal(here->gradient->data, there->gradient->data, here->elements * sizeof(float));
            }
            fixture_close(&f);
        }
    fixture_close(&all);
}

/* ---- ranks ---- */

/* Two ranks, threads here, add up their numbers. */
typedef struct meeting {
    pthread_barrier_t barrier;
    double *mine[2];
} meeting;

typedef struct rank_of_two {
    al_collective collective;
    meeting *meeting;
    fixture f;
} rank_of_two;

static void sum_of_two(void *user, double *x, size_t n)
{
    rank_of_two *r = user;
    meeting *m = r->meeting;
    m->mine[r->collective.rank] = x;
    pthread_barrier_wait(&m->barrier);
    double *sum = malloc(n * sizeof *sum);
    for (size_t i = 0; i < n; i++)
        sum[i] = m->mine[0][i] + m->mine[1][i];
    pthread_barrier_wait(&m->barrier);
    memcpy(x, sum, n * sizeof *sum);
    free(sum);
}

static void *run_rank(void *user)
{
    rank_of_two *r = user;
    run_pass(&r->f, 1);
    return NULL;
}

/* Picture 0 on one rank and the others on the other, with common statistics: the gradients add up to the golden ones.
 */
static void ranks(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_BATCHES; i++) {
        meeting m;
        pthread_barrier_init(&m.barrier, NULL, 2);
        rank_of_two both[2];
        align_tensor pixels[2];
        for (int r = 0; r < 2; r++) {
            both[r] = (rank_of_two){
                {.rank = r, .size = 2, .user = &both[r], .sum = sum_of_two}, &m, fixture_open(names[i], true)};
            fixture *f = &both[r].f;
            const size_t all = f->pass.batch, channels = f->pooled / all;
            pixels[r] = *f->pass.pixel_values;
            pixels[r].shape[0] = r ? (int64_t)all - 1 : 1;
            if (r) {
                pixels[r].data = (const float *)pixels[r].data + align_tensor_elements(&pixels[r]) / ((int64_t)all - 1);
                f->pooled_gradient += channels;
            }
            f->pass.batch = (size_t)pixels[r].shape[0];
            f->pass.pixel_values = &pixels[r];
            f->how.sync = &both[r].collective;
        }
        pthread_t other;
        assert_int_equal(pthread_create(&other, NULL, run_rank, &both[1]), 0);
        run_rank(&both[0]);
        pthread_join(other, NULL);
        fixture *f = &both[0].f;
        const size_t first = f->pooled / (f->pass.batch + both[1].f.pass.batch);
        memcpy(f->pass.pooler_output + first, both[1].f.pass.pooler_output, (f->pooled - first) * sizeof(float));
        for (size_t e = 0; e < f->trainable->size; e++)
            f->trainable->gradient[e] += both[1].f.trainable->gradient[e];
        assert_memory_equal(f->trainable->buffers, both[1].f.trainable->buffers, f->trainable->buffer_bytes);
        check_golden(f);
        fixture_close(&both[0].f);
        fixture_close(&both[1].f);
        pthread_barrier_destroy(&m.barrier);
    }
}

/* ---- errors ---- */

static void no_memory(void **state)
{
    (void)state;
    fixture f = fixture_open("paper", true);
    al_vision_trainer *t = NULL;
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    for (long n = 1; status != ALIGN_OK; n++) {
        al_memory_fail_at(n);
        status = al_vision_trainer_new(&t, &f.trainable->config, &f.trainable->weights, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || (status == ALIGN_ERROR_OUT_OF_MEMORY && !t));
    }
    al_vision_trainer_free(t);
    al_vision_trainer_free(NULL);
    fixture_close(&f);
}

int main(void)
{
    if (!al_kernels_get())
        return 77;
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_the_reference),
                                       cmocka_unit_test(kept_or_not),
                                       cmocka_unit_test(drop_connect),
                                       cmocka_unit_test(accumulation),
                                       cmocka_unit_test(repeated),
                                       cmocka_unit_test(frozen),
                                       cmocka_unit_test(ranks),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
