/* The arena's rehearsal: what is measured is what is reserved, blocks are aligned and do not overlap, limits hold. */
#include "base/arena.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Two blocks that live at once, a third in the place of the second: the peak is the first plus the larger. */
static void pass(al_arena *arena, char *blocks[3])
{
    blocks[0] = al_arena_take(arena, 100, 1);
    const size_t mark = al_arena_mark(arena);
    blocks[1] = al_arena_take(arena, 10, 8);
    al_arena_release(arena, mark);
    blocks[2] = (char *)al_arena_floats(arena, 1000);
}

static void rehearsal_fits(void **state)
{
    (void)state;
    al_arena arena = {0};
    char *blocks[3];
    al_arena_rehearsal kept = al_arena_rehearse(&arena);
    pass(&arena, blocks);
    assert_int_equal(arena.peak, 128 + 4032);
    assert_int_equal(al_arena_reserve(&arena, kept, 0, NULL), ALIGN_OK);
    pass(&arena, blocks);
    for (int i = 0; i < 3; i++)
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
    assert_ptr_equal(blocks[1], blocks[2]);
    memset(blocks[0], 1, 100);
    memset(blocks[2], 2, 4000);
    assert_int_equal(blocks[0][99], 1);
    assert_null(al_arena_take(&arena, 1, 65)); /* nothing is left */

    /* a smaller pass keeps the memory */
    char *const base = arena.base;
    kept = al_arena_rehearse(&arena);
    (void)al_arena_take(&arena, 7, 1);
    assert_int_equal(al_arena_reserve(&arena, kept, 0, NULL), ALIGN_OK);
    assert_ptr_equal(arena.base, base);
    al_arena_done(&arena);
}

/* What lies between blocks is zero, whatever was there: an arena may become a file. */
static void gaps_are_zero(void **state)
{
    (void)state;
    al_arena arena = {0};
    char *blocks[3];
    const al_arena_rehearsal kept = al_arena_rehearse(&arena);
    pass(&arena, blocks);
    assert_int_equal(al_arena_reserve(&arena, kept, 0, NULL), ALIGN_OK);
    memset(arena.base, 1, arena.size);
    pass(&arena, blocks);
    for (size_t i = 100; i < 128; i++)
        assert_int_equal(blocks[0][i], 0);
    for (size_t i = 4000; i < 4032; i++)
        assert_int_equal(blocks[2][i], 0);
    assert_int_equal(blocks[2][3999], 1);

    /* over the same bytes: found, not touched, not freed */
    memset(arena.base, 1, arena.size);
    al_arena over = al_arena_over(arena.base, arena.size);
    char *again[3];
    pass(&over, again);
    assert_memory_equal(again, blocks, sizeof blocks);
    assert_int_equal(again[0][100], 1);
    assert_null(al_arena_take(&over, 1, 1));
    al_arena_done(&over);
    assert_null(over.base);
    assert_int_equal(arena.base[0], 1);
    al_arena_done(&arena);
}

static void refusals(void **state)
{
    (void)state;
    al_arena arena = {0};
    align_error err = ALIGN_ERROR_INIT;
    al_arena_rehearsal kept = al_arena_rehearse(&arena);
    (void)al_arena_take(&arena, 1000, 1);
    assert_int_equal(al_arena_reserve(&arena, kept, 999, &err), ALIGN_ERROR_OUT_OF_MEMORY);
    assert_non_null(strstr(err.message, "1024"));

    kept = al_arena_rehearse(&arena);
    (void)al_arena_take(&arena, SIZE_MAX / 2, 8); /* overflows: remembered, refused when it is to be had */
    (void)al_arena_take(&arena, SIZE_MAX, SIZE_MAX);
    assert_int_equal(al_arena_reserve(&arena, kept, 0, &err), ALIGN_ERROR_OUT_OF_MEMORY);

    kept = al_arena_rehearse(&arena);
    (void)al_arena_take(&arena, 1000, 1);
    al_memory_fail_at(1);
    assert_int_equal(al_arena_reserve(&arena, kept, 0, &err), ALIGN_ERROR_OUT_OF_MEMORY);
    al_memory_fail_at(0);
    al_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rehearsal_fits), cmocka_unit_test(gaps_are_zero),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
