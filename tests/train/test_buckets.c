/*
 * test_buckets.c: the buckets that gradients are added up in: all that learns is in one, nothing else is, and none
 * begins before it is whole.
 */
#include "train/buckets.h"

#include "base/memory.h"
#include "model/align_train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST ((size_t)1000)

/* Ranks that only note what they are given; each float of the gradients is counted. */
typedef struct notes {
    al_collective collective;
    const al_trainable *trainable;
    int *begun;
    size_t sums, ended;
} notes;

static void note_sum(void *user, float *x, size_t n)
{
    notes *s = user;
    assert_in_range(n, 1, MOST);
    for (size_t i = 0; i < n; i++)
        s->begun[(size_t)(x - s->trainable->gradient) + i]++;
    s->sums++;
}

static void note_nothing(void *user)
{
    (void)user;
}

static void note_end(void *user)
{
    notes *s = user;
    s->ended++;
}

static al_trainable *open_trainable(void)
{
    align_model *model = NULL;
    al_trainable *t = NULL;
    assert_int_equal(align_model_from_pretrained(&model, TEST_DATA "/hub", NULL, NULL), ALIGN_OK);
    assert_int_equal(al_trainable_new(&t, model, NULL), ALIGN_OK);
    align_model_free(model);
    return t;
}

static void open_notes(notes *s, const al_trainable *t)
{
    *s = (notes){.trainable = t, .begun = calloc(t->size, sizeof(int))};
    assert_non_null(s->begun);
    s->collective = (al_collective){
        .size = 2, .user = s, .most = MOST, .begin_sum = note_sum, .go_on = note_nothing, .end_sums = note_end};
}

/* How often the sums of an entry have begun; -1 where its floats differ in that. */
static int begun(const notes *s, const al_trainable_entry *e)
{
    for (size_t i = 1; i < e->elements; i++)
        if (s->begun[e->offset + i] != s->begun[e->offset])
            return -1;
    return s->begun[e->offset];
}

static void freeze(al_trainable *t, const char *part)
{
    for (size_t i = 0; i < t->n_entries; i++)
        if (strstr(t->entries[i].name, part))
            al_trainable_freeze(t, i, true);
}

static void check_all(const notes *s, int times)
{
    for (size_t i = 0; i < s->trainable->n_entries; i++) {
        const al_trainable_entry *e = &s->trainable->entries[i];
        if (!e->buffer)
            assert_int_equal(begun(s, e), e->frozen ? 0 : times);
    }
}

/* A step tells of layers from the last to the first, of the text tower and then of the vision tower. */
static void test_a_step(void **state)
{
    (void)state;
    al_trainable *t = open_trainable();
    al_buckets buckets;
    notes s;
    open_notes(&s, t);
    freeze(t, "LayerNorm.bias");
    freeze(t, "encoder.blocks.1.");
    assert_int_equal(al_buckets_init(&buckets, t, &s.collective, NULL), ALIGN_OK);
    for (int step = 1; step <= 2; step++) {
        for (size_t tower = 0; tower < 2; tower++) {
            const align_tower owner = tower ? ALIGN_TOWER_VISION : ALIGN_TOWER_TEXT;
            for (size_t i = t->n_entries; i-- > 0;) {
                const al_trainable_entry *e = &t->entries[i];
                if (e->owner != owner || e->buffer)
                    continue;
                buckets.watch.whole(buckets.watch.user, e->gradient);
                for (size_t before = 0; before < i; before++)
                    if (t->entries[before].owner == owner && !t->entries[before].buffer)
                        assert_int_not_equal(begun(&s, &t->entries[before]), step);
            }
        }
        const size_t early = s.sums;
        al_buckets_finish(&buckets);
        check_all(&s, step);
        assert_int_equal(s.ended, step);
        assert_in_range(s.sums - early, 1, 3); /* what no tower owns, at least */
    }
    al_buckets_done(&buckets);
    free(s.begun);
    al_trainable_free(t);
}

/* Whoever is told nothing still adds up everything, at the end. */
static void test_no_word(void **state)
{
    (void)state;
    al_trainable *t = open_trainable();
    al_buckets buckets;
    notes s;
    open_notes(&s, t);
    assert_int_equal(al_buckets_init(&buckets, t, &s.collective, NULL), ALIGN_OK);
    al_buckets_finish(&buckets);
    check_all(&s, 1);
    al_buckets_done(&buckets);
    free(s.begun);
    al_trainable_free(t);
}

static void test_no_memory(void **state)
{
    (void)state;
    al_trainable *t = open_trainable();
    al_buckets buckets;
    notes s;
    align_error err = ALIGN_ERROR_INIT;
    open_notes(&s, t);
    al_memory_fail_at(1);
    assert_int_equal(al_buckets_init(&buckets, t, &s.collective, &err), ALIGN_ERROR_OUT_OF_MEMORY);
    al_memory_fail_at(0);
    al_buckets_done(&buckets);
    free(s.begun);
    al_trainable_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step),
        cmocka_unit_test(test_no_word),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
