/* test_matches.c: which texts of a batch are true of other pictures than their own. */
#include "train/matches.h"

#include "base/memory.h"
#include "train/data_test.h"

static const char table[] = "0.png\ta cat\n0.png\tan animal\n"
                            "1.png\ta dog\n1.png\tan animal\n1.png\tan animal that barks\n"
                            "2.png\ta car\n"
                            "3.png\ta cat\n3.png\ttabby\n";

static align_dataset *data;

static int open_table(void **state)
{
    if (scratch_open(state) != 0)
        return -1;
    data = open_data(write_text("data.tsv", table), NULL);
    return 0;
}

static int close_table(void **state)
{
    align_dataset_free(data);
    return scratch_close(state);
}

/* Four pictures; the rows of a batch, by picture and text. */
static void test_find(void **state)
{
    (void)state;
    static const size_t pairs[] = {0, 1, 2, 3, 0},
                        texts[] = {1, 0, 0, 0, 0}; /* an animal, a dog, a car, a cat, a cat */
    static const uint64_t by_text[] = {0x13, 0x02, 0x04, 0x19, 0x19}, by_image[] = {0x19, 0x03, 0x04, 0x18, 0x19};
    al_matches m;
    assert_int_equal(al_matches_init(&m, data, 100, NULL), ALIGN_OK);
    for (int again = 0; again < 2; again++) {
        al_matches_find(&m, 5, pairs, texts);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(m.texts[i], by_text[i]);
            assert_int_equal(m.images[i], by_image[i]);
        }
        al_matches_find(&m, 1, pairs + 2, texts + 2); /* nothing of an earlier batch is left */
        assert_int_equal(m.texts[0], 1);
        assert_int_equal(m.images[0], 1);
    }
    al_matches_done(&m);
}

static void test_memory(void **state)
{
    (void)state;
    for (long n = 1; n <= 4; n++) {
        al_matches m;
        al_memory_fail_at(n);
        const align_status status = al_matches_init(&m, data, 64, NULL);
        al_memory_fail_at(0);
        assert_int_equal(status, n < 4 ? ALIGN_ERROR_OUT_OF_MEMORY : ALIGN_OK);
        al_matches_done(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, open_table, close_table);
}
