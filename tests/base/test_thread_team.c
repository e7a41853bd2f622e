/* The team runs every item once, for any number of items, grain and threads; jobs follow each other; errors are
 * refused. */
#include "base/threads.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ITEMS 1000

typedef struct job {
    atomic_int done[ITEMS];
    atomic_int wrong; /* chunks too large, or a thread's number out of range */
    size_t grain;
    int threads;
} job;

static void count(void *user, size_t begin, size_t end, int thread)
{
    job *j = user;
    if (end <= begin || end - begin > j->grain || thread < 0 || thread >= j->threads)
        atomic_fetch_add(&j->wrong, 1);
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&j->done[i], 1);
}

static void every_item_once(void **state)
{
    (void)state;
    static job j;
    for (int n = 1; n <= 5; n++) {
        al_threads *team;
        assert_int_equal(al_threads_new(&team, n, NULL), ALIGN_OK);
        assert_int_equal(al_threads_count(team), n);
        const size_t items[] = {0, 1, 2, 7, ITEMS}, grains[] = {1, 3, ITEMS};
        for (size_t a = 0; a < 5; a++)
            for (size_t b = 0; b < 3; b++) {
                memset(&j, 0, sizeof j);
                j.grain = grains[b];
                j.threads = n;
                al_threads_run(team, items[a], grains[b], count, &j);
                for (size_t i = 0; i < ITEMS; i++)
                    assert_int_equal(j.done[i], i < items[a] ? 1 : 0);
                assert_int_equal(j.wrong, 0);
            }
        al_threads_free(team);
    }
}

/* Workers that fell asleep wake up again, and a long row of short jobs does not lose one. */
static void sleeping_and_waking(void **state)
{
    (void)state;
    static job j;
    al_threads *team;
    assert_int_equal(al_threads_new(&team, 3, NULL), ALIGN_OK);
    memset(&j, 0, sizeof j);
    j.grain = 1;
    j.threads = 3;
    for (int round = 0; round < 3; round++) {
        usleep(20000);
        for (int i = 0; i < 2000; i++)
            al_threads_run(team, 4, 1, count, &j);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(j.done[i], 6000);
    al_threads_free(team);
}

static void refusals(void **state)
{
    (void)state;
    al_threads *team;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_threads_new(&team, -1, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(al_threads_new(&team, 100000, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    for (long n = 1;; n++) {
        al_memory_fail_at(n);
        const align_status status = al_threads_new(&team, 2, &err);
        al_memory_fail_at(0);
        if (status == ALIGN_OK)
            break;
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
        assert_null(team);
    }
    al_threads_free(team);
    al_threads_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_item_once), cmocka_unit_test(sleeping_and_waking),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
