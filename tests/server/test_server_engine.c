/* test_server_engine.c: jobs from many threads give what the model gives, whatever happens around them. */
#include "house.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WIDTH   256
#define THREADS 4
#define ROUNDS  40

/* The owner of a job here. */
typedef struct waiter {
    sem_t done;
    atomic_bool unwanted;
} waiter;

static bool is_wanted(const srv_job *job)
{
    return !atomic_load(&((waiter *)job->owner)->unwanted);
}

static void done(srv_job *job)
{
    sem_post(&((waiter *)job->owner)->done);
}

static house *open_engine(size_t max_jobs, size_t cache_bytes)
{
    house *h = malloc(sizeof *h);
    assert_non_null(h);
    house_prepare(h);
    h->engine.is_wanted = is_wanted;
    h->engine.done = done;
    h->engine.max_jobs = max_jobs;
    h->engine.cache_bytes = cache_bytes;
    assert_int_equal(srv_engine_open(&h->service.engine, h->model, h->context, h->processor, &h->engine, NULL),
                     ALIGN_OK);
    assert_int_equal(srv_engine_width(h->service.engine), WIDTH);
    return h;
}

static void close_engine(house *h)
{
    srv_engine_close(h->service.engine);
    house_release(h);
    free(h);
}

static void wait_for(waiter *w, size_t n)
{
    while (n-- > 0)
        while (sem_wait(&w->done) != 0)
            continue;
}

static srv_job text_job(waiter *w, const char *text, float *embedding)
{
    return (srv_job){.tower = SRV_TEXT, .text = text, .embedding = embedding, .owner = w};
}

static void expect_near(const float *a, const float *b)
{
    double dot = 0, length = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        dot += (double)a[i] * (double)b[i];
        length += (double)a[i] * (double)a[i];
    }
    assert_true(fabs(length - 1) < 1e-5 && dot > 1 - 1e-5);
}

/* What the model gives for one text alone, by the processor and the padding of the reference. */
static void expected_text(const house *h, const char *text, float *out)
{
    align_context *context;
    align_tensors *batch;
    align_tensor features;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    assert_int_equal(align_context_new(&context, h->model, NULL, NULL), ALIGN_OK);
    assert_int_equal(align_processor_call(h->processor, &text, NULL, 1, NULL, 0, NULL, &batch, NULL), ALIGN_OK);
    inputs.input_ids = *align_tensors_get(batch, "input_ids");
    inputs.attention_mask = *align_tensors_get(batch, "attention_mask");
    assert_int_equal(align_model_get_text_features(context, &inputs, &features, NULL), ALIGN_OK);
    memcpy(out, features.data, WIDTH * sizeof *out);
    align_normalize(out, 1, WIDTH);
    align_tensors_free(batch);
    align_context_free(context);
}

static const char *const texts[] = {"a cat", "two dogs in the snow", "",
                                    "a very old house by the river, with a red roof"};
#define N_TEXTS (sizeof texts / sizeof *texts)

static void test_texts_of_all_lengths(void **state)
{
    (void)state;
    house *h = open_engine(100, 0);
    waiter w = {0};
    float expected[N_TEXTS][WIDTH], found[N_TEXTS][WIDTH];
    srv_job jobs[N_TEXTS];
    sem_init(&w.done, 0, 0);
    for (size_t i = 0; i < N_TEXTS; i++) {
        expected_text(h, texts[i], expected[i]);
        jobs[i] = text_job(&w, texts[i], found[i]);
    }
    assert_true(srv_engine_give(h->service.engine, jobs, N_TEXTS));
    wait_for(&w, N_TEXTS);
    for (size_t i = 0; i < N_TEXTS; i++) {
        assert_int_equal(jobs[i].outcome, SRV_JOB_DONE);
        expect_near(found[i], expected[i]);
    }
    close_engine(h);
}

/* ---- many threads ---- */

typedef struct client {
    pthread_t thread;
    const house *house;
    const char *picture;
    size_t picture_size;
    float (*expected)[WIDTH]; /* of the texts, then of the picture */
    size_t number, failures;
} client;

static bool is_near(const float *a, const float *b)
{
    double dot = 0;
    for (size_t i = 0; i < WIDTH; i++)
        dot += (double)a[i] * (double)b[i];
    return dot > 1 - 1e-5;
}

static void *ask_again_and_again(void *argument)
{
    client *c = argument;
    waiter w = {0};
    sem_init(&w.done, 0, 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        srv_job jobs[3];
        float found[3][WIDTH];
        const size_t a = (round + c->number) % N_TEXTS, b = (round * 7 + 1) % N_TEXTS;
        jobs[0] = text_job(&w, texts[a], found[0]);
        jobs[1] = (srv_job){
            .tower = SRV_PICTURE, .bytes = c->picture, .size = c->picture_size, .embedding = found[1], .owner = &w};
        jobs[2] = text_job(&w, texts[b], found[2]);
        if (!srv_engine_give(c->house->service.engine, jobs, 3)) {
            c->failures++;
            continue;
        }
        wait_for(&w, 3);
        const bool ok = is_near(found[0], c->expected[a]) && is_near(found[1], c->expected[N_TEXTS]) &&
                        is_near(found[2], c->expected[b]);
        c->failures += ok ? 0 : 1;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    house *h = open_engine(100, 1 << 20);
    static float expected[N_TEXTS + 1][WIDTH];
    client clients[THREADS];
    size_t size;
    char *picture = demo_file("cat.png", &size);
    waiter w = {0};
    sem_init(&w.done, 0, 0);
    srv_job alone = {.tower = SRV_PICTURE, .bytes = picture, .size = size, .embedding = expected[N_TEXTS], .owner = &w};
    assert_true(srv_engine_give(h->service.engine, &alone, 1));
    wait_for(&w, 1);
    for (size_t i = 0; i < N_TEXTS; i++)
        expected_text(h, texts[i], expected[i]);
    for (size_t i = 0; i < THREADS; i++) {
        clients[i] = (client){.house = h, .picture = picture, .picture_size = size, .expected = expected, .number = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, ask_again_and_again, &clients[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].failures, 0);
    }
    assert_int_equal(atomic_load(&h->metrics.counters[SRV_PICTURES]), THREADS * ROUNDS + 1);
    assert_int_equal(atomic_load(&h->metrics.gauges[SRV_QUEUE_TEXTS]), 0);
    assert_true(atomic_load(&h->metrics.counters[SRV_CACHE_HITS]) >= THREADS * ROUNDS);
    free(picture);
    close_engine(h);
}

/* ---- what goes wrong ---- */

static void test_bad_inputs(void **state)
{
    (void)state;
    house *h = open_engine(100, 0);
    waiter w = {0};
    float out[WIDTH];
    srv_job jobs[] = {
        {.tower = SRV_TEXT, .text = "\xFF"},
        {.tower = SRV_TEXT, .ids = (const int64_t[]){1}, .n_ids = 0},
        {.tower = SRV_PICTURE, .bytes = "hello", .size = 5},
        {.tower = SRV_PICTURE, .bytes = "", .size = 0},
        {.tower = SRV_PICTURE, .bytes = "?", .size = 1, .is_base64 = true},
        {.tower = SRV_TEXT,
         .whole = true,
         .text = "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
                 "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a"},
    };
    const size_t n = sizeof jobs / sizeof *jobs;
    sem_init(&w.done, 0, 0);
    for (size_t i = 0; i < n; i++) {
        jobs[i].owner = &w;
        jobs[i].embedding = out;
    }
    assert_true(srv_engine_give(h->service.engine, jobs, n));
    wait_for(&w, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(jobs[i].outcome, SRV_JOB_BAD);
        assert_non_null(jobs[i].reason);
    }
    close_engine(h);
}

/* A picture of more pixels than allowed is refused by what its header says. */
static void test_too_many_pixels(void **state)
{
    (void)state;
    house *h = malloc(sizeof *h);
    house_prepare(h);
    h->engine.is_wanted = is_wanted;
    h->engine.done = done;
    h->engine.max_pixels = 100;
    assert_int_equal(srv_engine_open(&h->service.engine, h->model, h->context, h->processor, &h->engine, NULL),
                     ALIGN_OK);
    waiter w = {0};
    float out[WIDTH];
    size_t size;
    char *picture = demo_file("cat.png", &size);
    srv_job job = {.tower = SRV_PICTURE, .bytes = picture, .size = size, .embedding = out, .owner = &w};
    sem_init(&w.done, 0, 0);
    assert_true(srv_engine_give(h->service.engine, &job, 1));
    wait_for(&w, 1);
    assert_int_equal(job.outcome, SRV_JOB_BAD);
    assert_non_null(strstr(job.reason, "pixels"));
    free(picture);
    close_engine(h);
}

/* All or none are admitted; those whose owner has lost interest are not computed; the rest is, though the engine
 * closes. */
static void test_full_unwanted_and_closing(void **state)
{
    (void)state;
    house *h = open_engine(4, 0);
    srv_engine *engine = h->service.engine;
    obstacle obstacles[3];
    waiter w = {0}, lost = {0};
    float out[4][WIDTH], others[WIDTH];
    srv_job jobs[4], more[2];
    sem_init(&w.done, 0, 0);
    sem_init(&lost.done, 0, 0);
    block_workers(engine, obstacles, 3);
    for (size_t i = 0; i < 4; i++)
        jobs[i] = text_job(i < 2 ? &lost : &w, texts[i], out[i]);
    more[0] = more[1] = text_job(&w, "more", others);
    assert_false(srv_engine_is_full(engine));
    assert_true(srv_engine_give(engine, jobs, 3));
    assert_false(srv_engine_give(engine, more, 2));
    assert_true(srv_engine_give(engine, jobs + 3, 1));
    assert_true(srv_engine_is_full(engine));
    assert_in_range(srv_engine_retry_after(engine), 1, 60);
    atomic_store(&lost.unwanted, true);
    unblock_workers(obstacles, 3);
    srv_engine_close(engine);
    wait_for(&w, 2);
    wait_for(&lost, 2);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(jobs[i].outcome, i < 2 ? SRV_JOB_SKIPPED : SRV_JOB_DONE);
    assert_int_equal(atomic_load(&h->metrics.counters[SRV_SKIPPED]), 2);
    house_release(h);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_of_all_lengths),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_bad_inputs),
        cmocka_unit_test(test_too_many_pixels),
        cmocka_unit_test(test_full_unwanted_and_closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
