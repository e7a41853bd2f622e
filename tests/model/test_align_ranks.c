/* test_align_ranks.c: ranks that train one model together have the loss and the gradients of one process. */
#include "ranks_test.h"
#include "step_test.h"

typedef struct rank_job {
    setup setup;
    size_t ranks;
    double loss;
} rank_job;

static void step_of_rank(const al_collective *ranks, void *user)
{
    rank_job *job = user;
    setup *s = &job->setup;
    const size_t n = PAIRS / job->ranks, first = n * (size_t)ranks->rank;
    s->in = inputs_of(&s->pairs, first, n);
    s->options.ranks = ranks;
    s->options.first = first;
    s->options.total = PAIRS;
    job->loss = step(s);
}

typedef struct team {
    rank_job jobs[MOST_RANKS];
    void *users[MOST_RANKS];
} team;

static void open_team(team *t, int ranks, const al_step_options *options)
{
    for (int r = 0; r < ranks; r++) {
        set_up(&t->jobs[r].setup, 1);
        t->jobs[r].setup.options = *options;
        t->jobs[r].ranks = (size_t)ranks;
        t->users[r] = &t->jobs[r];
    }
}

/* Ranks' gradients added up, to be freed; buffers of rank 0 are copied out where they are asked for. */
static float *gradient_of_ranks(int ranks, const al_step_options *options, double *loss, char *buffers)
{
    team t;
    rank_job *jobs = t.jobs;
    open_team(&t, ranks, options);
    run_ranks(ranks, step_of_rank, t.users);
    const size_t size = jobs[0].setup.trainable->size;
    float *sum = calloc(size, sizeof *sum);
    assert_non_null(sum);
    *loss = jobs[0].loss;
    if (buffers)
        memcpy(buffers, jobs[0].setup.trainable->buffers, jobs[0].setup.trainable->buffer_bytes);
    for (int r = 0; r < ranks; r++) {
        assert_true(jobs[r].loss == *loss);
        for (size_t i = 0; i < size; i++)
            sum[i] += jobs[r].setup.trainable->gradient[i];
        tear_down(&jobs[r].setup);
    }
    return sum;
}

/* A batch in slices on one rank, and a slice each on as many ranks: batch statistics are those of a slice in both. */
static void test_ranks_are_slices(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 1);
    double loss, rank_loss;
    for (int ranks = 2; ranks <= 3; ranks++) {
        s.options.slice = PAIRS / (size_t)ranks;
        float *sliced = gradient_of(&s, &loss);
        s.options.slice = 0;
        float *sum = gradient_of_ranks(ranks, &s.options, &rank_loss, NULL);
        assert_true(fabs(rank_loss - loss) <= 1e-6 * loss);
        assert_close(s.trainable, sum, sliced, 1e-5);
        free(sum);
        free(sliced);
    }
    tear_down(&s);
}

/* With statistics over all ranks' pictures, ranks are one process with all of the batch. */
static void test_synchronised_ranks(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 1);
    char *buffers = malloc(s.trainable->buffer_bytes);
    assert_non_null(buffers);
    double loss, rank_loss;
    float *whole = gradient_of(&s, &loss);
    s.options.sync_statistics = true;
    for (int ranks = 2; ranks <= 3; ranks++) {
        float *sum = gradient_of_ranks(ranks, &s.options, &rank_loss, buffers);
        assert_true(fabs(rank_loss - loss) <= 1e-6 * loss);
        assert_close(s.trainable, sum, whole, 5e-5);
        for (size_t e = 0; e < s.trainable->n_entries; e++) {
            const al_trainable_entry *entry = &s.trainable->entries[e];
            const float *expected = entry->value->data, *found = (const float *)(void *)(buffers + entry->offset);
            for (size_t i = 0; entry->buffer && entry->kind != AL_BUFFER_COUNT && i < entry->elements; i++)
                assert_true(fabsf(found[i] - expected[i]) <= 1e-5f * (1.0f + fabsf(expected[i])));
        }
        free(sum);
    }
    free(buffers);
    free(whole);
    tear_down(&s);
}

static void failing_step_of_rank(const al_collective *ranks, void *user)
{
    rank_job *job = user;
    setup *s = &job->setup;
    align_error err = ALIGN_ERROR_INIT;
    double loss;
    s->in = inputs_of(&s->pairs, 0, 1);
    s->options.ranks = ranks;
    s->options.first = (size_t)ranks->rank;
    s->options.total = job->ranks;
    if (ranks->rank > 0)
        s->options.memory = 1000;
    assert_int_equal(al_trainer_step(s->trainer, &s->in, &s->options, &loss, &err), ALIGN_ERROR_OUT_OF_MEMORY);
    assert_int_equal(err.status, ALIGN_ERROR_OUT_OF_MEMORY);
    assert_non_null(strstr(err.message, "1000"));
}

/* A rank that cannot take a step keeps no other waiting: all fail, with its words. */
static void test_one_cannot(void **state)
{
    (void)state;
    static const al_step_options options = AL_STEP_OPTIONS_INIT;
    team t;
    open_team(&t, 3, &options);
    run_ranks(3, failing_step_of_rank, t.users);
    for (int r = 0; r < 3; r++)
        tear_down(&t.jobs[r].setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_are_slices),
        cmocka_unit_test(test_synchronised_ranks),
        cmocka_unit_test(test_one_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
