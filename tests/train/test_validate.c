/* test_validate.c: a validation shared among ranks finds what one process does, and fails on all of them or on none. */
#include "base/memory.h"
#include "train/validate.h"

#include <stdio.h>

#include "model/ranks_test.h"

#include "checkpoint/scratch.h"

typedef struct fixture {
    align_model *model;
    align_processor *processor;
    align_dataset *pairs;
} fixture;

/* The demo's pictures with their names, and two that are none. */
static int set_up(void **state)
{
    static fixture f;
    char line[512], *tab;
    align_error err = ALIGN_ERROR_INIT;
    if (scratch_open(state) != 0)
        return 1;
    write_scratch("broken.png", "no picture", 10);
    FILE *demo = fopen(MODELS "/demo/pictures.tsv", "r"), *table = fopen(in_scratch("pairs.tsv"), "w");
    assert_true(demo && table && fgets(line, sizeof line, demo));
    fprintf(table, "broken.png\tnothing\n");
    while (fgets(line, sizeof line, demo)) {
        tab = strchr(line, '\t');
        assert_non_null(tab);
        *tab = '\0';
        const int label = (int)strcspn(tab + 1, "\t");
        fprintf(table, "%s/demo/%s\t%.*s\n%s/demo/%s\ta drawing of a %.*s\n", MODELS, line, label, tab + 1, MODELS,
                line, label, tab + 1);
    }
    fprintf(table, "absent.png\tnothing either\n");
    fclose(demo);
    fclose(table);
    if (align_model_from_pretrained(&f.model, MODELS "/emoji", NULL, &err) != ALIGN_OK ||
        align_processor_from_pretrained(&f.processor, MODELS "/emoji", &err) != ALIGN_OK ||
        align_dataset_open(&f.pairs, in_scratch("pairs.tsv"), NULL, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    align_model_free(f->model);
    align_processor_free(f->processor);
    align_dataset_free(f->pairs);
    return scratch_close(state);
}

/* What one rank comes to. */
typedef struct outcome {
    const fixture *f;
    int loader_threads;
    align_status status;
    align_recall recall;
    char message[ALIGN_ERROR_MESSAGE_SIZE];
} outcome;

static void validate(const al_collective *ranks, void *user)
{
    outcome *o = user;
    const al_validator_options options = {16, 1, o->loader_threads, ranks};
    align_error err = ALIGN_ERROR_INIT;
    al_validator *v = NULL;
    o->recall = (align_recall){0};
    o->status = al_agree(ranks, al_validator_new(&v, o->f->pairs, o->f->processor, &options, &err), &err);
    if (o->status == ALIGN_OK)
        o->status = al_agree(ranks, al_validator_run(v, o->f->model, &o->recall, &err), &err);
    al_validator_free(v);
    snprintf(o->message, sizeof o->message, "%s", err.message);
}

static void validate_together(const fixture *f, int ranks, outcome *outcomes)
{
    void *users[MOST_RANKS];
    for (int r = 0; r < ranks; r++) {
        outcomes[r] = (outcome){.f = f, .loader_threads = r % 2};
        users[r] = &outcomes[r];
    }
    run_ranks(ranks, validate, users);
}

static void ranks_find_the_same(void **state)
{
    outcome alone = {.f = *state, .loader_threads = 1}, all[MOST_RANKS];
    validate(NULL, &alone);
    if (alone.status != ALIGN_OK)
        fail_msg("%s", alone.message);
    assert_true(alone.recall.text_to_image[0] > 0.3 && alone.recall.text_to_image[0] < 0.9);
    for (int ranks = 1; ranks <= MOST_RANKS; ranks++) {
        validate_together(*state, ranks, all);
        for (int r = 0; r < ranks; r++)
            assert_int_equal(all[r].status, ALIGN_OK);
        assert_memory_equal(&all[0].recall, &alone.recall, sizeof alone.recall);
    }
}

/* An allocation fails on whichever rank comes to it, and all are told. */
static void memory_that_is_missing(void **state)
{
    outcome all[2];
    long n = 1, step = 1;
    do {
        al_memory_fail_at(n);
        validate_together(*state, 2, all);
        al_memory_fail_at(0);
        assert_int_equal(all[0].status, all[1].status);
        assert_string_equal(all[0].message, all[1].message);
        if (all[0].status != ALIGN_OK)
            assert_int_equal(all[0].status, ALIGN_ERROR_OUT_OF_MEMORY);
        n += step;
        step += n > 40; /* later ones repeat themselves */
    } while (all[0].status != ALIGN_OK);
    assert_true(n > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranks_find_the_same), cmocka_unit_test(memory_that_is_missing)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
