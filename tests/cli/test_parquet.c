/*
 * test_parquet.c: tables byte by byte as in tests/golden/parquet, which pyarrow has read
 * (tests/reference/check_parquet.py). With a folder as argument, it writes them there.
 */
#include "embed.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A table by a formula. */
typedef struct table {
    const char *name;
    size_t rows, width;
    int has_text; /* of so many rows one; 0: of none */
    char key[16], member[24], text[32];
    float *vector;
} table;

static embed_row row_at(void *context, size_t i)
{
    table *t = context;
    snprintf(t->key, sizeof t->key, "s/%05zu", i);
    snprintf(t->member, sizeof t->member, "s/%05zu.jpg", i);
    snprintf(t->text, sizeof t->text, "caf\u00E9 %zu", i);
    for (size_t k = 0; k < t->width; k++)
        t->vector[k] = ldexpf((float)(i + 1), -(int)k);
    return (embed_row){t->key,
                       t->member,
                       t->has_text && i % (size_t)t->has_text == 0 ? t->text : "",
                       (int32_t)(100 + i),
                       (int32_t)(200 + i),
                       t->vector};
}

static void write_table(FILE *out, const table *shape)
{
    table t = *shape;
    t.vector = calloc(t.width, sizeof *t.vector);
    embed_put_parquet(out, t.rows, t.width, row_at, &t);
    free(t.vector);
}

static const table tables[] = {
    {.name = "rows", .rows = 7, .width = 3, .has_text = 3},
    {.name = "narrow", .rows = 20, .width = 1, .has_text = 1},
    {.name = "untold", .rows = 2, .width = 20},
    {.name = "empty", .rows = 0, .width = 3},
};

static void same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLI_COUNT(tables); i++) {
        char path[512], *expected, *found = NULL;
        size_t size = 0, expected_size;
        FILE *memory = open_memstream(&found, &size);
        write_table(memory, &tables[i]);
        fclose(memory);
        snprintf(path, sizeof path, "%s/parquet/%s.parquet", TEST_DATA, tables[i].name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        expected = malloc(size + 1);
        expected_size = fread(expected, 1, size + 1, file);
        fclose(file);
        assert_int_equal(size, expected_size);
        assert_memory_equal(found, expected, size);
        free(expected);
        free(found);
    }
}

/* Many rows are several groups, none of which is more than readers want to hold. */
static void several_groups(void **state)
{
    (void)state;
    const table many = {.rows = 20000, .width = 1000, .has_text = 5};
    char *bytes = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&bytes, &size);
    write_table(memory, &many);
    fclose(memory);
    assert_true(size > many.rows * many.width * sizeof(float));
    assert_memory_equal(bytes, "PAR1", 4);
    assert_memory_equal(bytes + size - 4, "PAR1", 4);
    const uint8_t *end = (const uint8_t *)bytes + size - 8;
    const size_t footer = (size_t)(end[0] | end[1] << 8 | end[2] << 16);
    assert_true(footer < 4096);
    const char *names = bytes + size - 8 - footer;
    size_t groups = 0;
    for (size_t i = 0; i + 6 < footer; i++)
        groups += memcmp(names + i, "member", 6) == 0;
    assert_int_equal(groups, 1 + 2); /* once in the schema */
    free(bytes);
}

static int write_all(const char *folder)
{
    for (size_t i = 0; i < CLI_COUNT(tables); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.parquet", folder, tables[i].name);
        FILE *file = fopen(path, "wb");
        if (!file)
            return 1;
        write_table(file, &tables[i]);
        fclose(file);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes), cmocka_unit_test(several_groups)};
    return argc > 1 ? write_all(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
