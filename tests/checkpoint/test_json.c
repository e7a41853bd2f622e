/* JSON: Python's text byte for byte, getters that name file and key, errors with line and column. */
#include "checkpoint/json.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

static json_t *parse(const char *text)
{
    json_t *tree;
    align_error err = ALIGN_ERROR_INIT;
    if (al_json_parse(&tree, text, strlen(text), "t.json", &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return tree;
}

static void assert_refused(const char *text, size_t size, const char *expected)
{
    json_t *tree = NULL;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(al_json_parse(&tree, text, size, "t.json", &err), ALIGN_ERROR_FORMAT);
    assert_null(tree);
    if (!strstr(err.message, expected) || !strstr(err.message, "t.json"))
        fail_msg("expected \"%s\", found: %s", expected, err.message);
}

static void text_is_pythons(void **state)
{
    (void)state;
    static const struct {
        const char *expected;
        unsigned style;
    } cases[] = {
        {GOLDEN("tree_python.json"), AL_JSON_PYTHON},
        {GOLDEN("tree_utf8.json"), AL_JSON_KEEP_UTF8},
        {GOLDEN("tree_order.json"), AL_JSON_KEEP_ORDER | AL_JSON_NO_NEWLINE},
    };
    json_t *tree;
    assert_int_equal(al_json_load(&tree, GOLDEN("tree.json"), NULL), ALIGN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(al_json_save(tree, in_scratch("a.json"), cases[i].style, NULL), ALIGN_OK);
        assert_same_file(in_scratch("a.json"), cases[i].expected);
    }
    json_decref(tree);
}

static void scalars_and_empties(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]\n", "{}\n", "null\n", "true\n", "\"x\"\n", "-7\n", "1e-05\n", "-0.0\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *tree = parse(texts[i]);
        char *text;
        assert_int_equal(al_json_format(&text, tree, AL_JSON_PYTHON, NULL), ALIGN_OK);
        assert_string_equal(text, texts[i]);
        al_free(text);
        json_decref(tree);
    }
}

static void errors_have_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "line 1"},
        {"{\"a\": 1,\n \"b\": tru}", "line 2, column 9"},
        {"[1, 2", "line 1"},
        {"{} x", "line 1, column 4"},
        {"{\"a\": NaN}", "NaN"},
        {"{\"a\": 1e400}", "real number overflow"},
        {"{\"a\": [99999999999999999999, 1e400]}", "real number overflow"},
        {"\"\\ud800\"", "invalid Unicode"},
        {"\"\xff\"", "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, strlen(cases[i].text), cases[i].expected);
    assert_refused("{}\0{}", 5, "line 1");
    char deep[5000];
    memset(deep, '[', sizeof deep);
    assert_refused(deep, sizeof deep, "depth");
    json_t *tree;
    assert_int_equal(al_json_load(&tree, in_scratch("none.json"), NULL), ALIGN_ERROR_NOT_FOUND);
    assert_null(tree);
}

static void large_integers(void **state)
{
    (void)state;
    static const char text[] = "[1000000000000000019884624838656, -20000000000000000000, 9223372036854775807, "
                               "\"99999999999999999999\\\"\", 0.99999999999999999999, 123456789012345678901e2]";
    json_t *tree = parse(text);
    assert_true(json_real_value(json_array_get(tree, 0)) == 1e30);
    assert_true(json_real_value(json_array_get(tree, 1)) == -2e19);
    assert_true(json_integer_value(json_array_get(tree, 2)) == INT64_MAX);
    assert_string_equal(json_string_value(json_array_get(tree, 3)), "99999999999999999999\"");
    assert_true(json_real_value(json_array_get(tree, 4)) == 1.0);
    assert_true(json_real_value(json_array_get(tree, 5)) == 123456789012345678901e2);
    json_decref(tree);
    assert_int_equal(al_json_parse_strict(&tree, text, sizeof text - 1, "t.json", NULL), ALIGN_ERROR_FORMAT);
    assert_int_equal(al_json_parse_strict(&tree, "{\"a\":1,\"a\":2}", 13, "t.json", NULL), ALIGN_ERROR_FORMAT);
    tree = parse("{\"a\":1,\"a\":2}"); /* the last one counts, as in Python */
    assert_int_equal(json_integer_value(json_object_get(tree, "a")), 2);
    json_decref(tree);
}

static void getters(void **state)
{
    (void)state;
    json_t *tree =
        parse("{\"i\": 3, \"r\": 2.5, \"t\": true, \"s\": \"x\", \"n\": null, \"a\": [1], \"o\": {\"k\": 7.0}, "
              "\"big\": 1e30, \"small\": -1e30}");
    al_json_object root, child = {0};
    align_error err = ALIGN_ERROR_INIT;
    int64_t i = 42;
    double r = 0.5;
    bool t = false;
    const char *s = "default";
    const json_t *a = NULL;
    assert_int_equal(al_json_root(&root, tree, "t.json", NULL), ALIGN_OK);
    assert_int_equal(al_json_int64(&root, "none", &i, NULL), ALIGN_OK);
    assert_int_equal(i, 42);
    assert_int_equal(al_json_int64(&root, "i", &i, NULL), ALIGN_OK);
    assert_int_equal(i, 3);
    assert_int_equal(al_json_int64(&root, "big", &i, NULL), ALIGN_OK);
    assert_true(i == INT64_MAX);
    assert_int_equal(al_json_int64(&root, "small", &i, NULL), ALIGN_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(al_json_double(&root, "none", &r, NULL), ALIGN_OK);
    assert_true(r == 0.5);
    assert_int_equal(al_json_double(&root, "r", &r, NULL), ALIGN_OK);
    assert_true(r == 2.5);
    assert_int_equal(al_json_double(&root, "i", &r, NULL), ALIGN_OK);
    assert_true(r == 3.0);
    assert_int_equal(al_json_bool(&root, "t", &t, NULL), ALIGN_OK);
    assert_true(t);
    assert_int_equal(al_json_string(&root, "none", &s, NULL), ALIGN_OK);
    assert_string_equal(s, "default");
    assert_int_equal(al_json_string(&root, "s", &s, NULL), ALIGN_OK);
    assert_string_equal(s, "x");
    assert_int_equal(al_json_array(&root, "a", &a, NULL), ALIGN_OK);
    assert_int_equal(json_array_size(a), 1);
    assert_int_equal(al_json_child(&root, "none", &child, NULL), ALIGN_OK);
    assert_null(child.object);
    assert_int_equal(al_json_child(&root, "o", &child, NULL), ALIGN_OK);
    assert_true(al_json_has(&root, "i") && !al_json_has(&root, "n") && !al_json_has(&root, "none"));
    assert_true(al_json_is_null(&root, "n") && !al_json_is_null(&root, "i") && !al_json_is_null(&root, "none"));

    assert_int_equal(al_json_int64(&child, "k", &i, &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: key o.k: expected an integer, found a real number");
    assert_int_equal(al_json_int64(&root, "n", &i, &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: key n: expected an integer, found null");
    assert_int_equal(al_json_double(&root, "s", &r, &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: key s: expected a number, found a string");
    assert_int_equal(al_json_bool(&root, "i", &t, &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: key i: expected true or false, found an integer");
    assert_int_equal(al_json_string(&root, "o", &s, &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: key o: expected a string, found an object");
    assert_int_equal(al_json_array(&root, "t", &a, &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: key t: expected an array, found true");
    assert_int_equal(al_json_child(&root, "a", &child, &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: key a: expected an object, found an array");
    assert_int_equal(al_json_root(&root, json_object_get(tree, "a"), "t.json", &err), ALIGN_ERROR_FORMAT);
    assert_string_equal(err.message, "t.json: expected an object, found an array");
    json_decref(tree);
}

static void long_keys_are_cut(void **state)
{
    (void)state;
    char text[600], key[300];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    snprintf(text, sizeof text, "{\"%s\": {\"i\": \"x\"}}", key);
    json_t *tree = parse(text);
    al_json_object root, child;
    int64_t i;
    assert_int_equal(al_json_root(&root, tree, "t.json", NULL), ALIGN_OK);
    assert_int_equal(al_json_child(&root, key, &child, NULL), ALIGN_OK);
    assert_int_equal(strlen(child.path), sizeof child.path - 1);
    assert_int_equal(al_json_int64(&child, "i", &i, NULL), ALIGN_ERROR_FORMAT);
    json_decref(tree);
}

static void memory_runs_out(void **state)
{
    (void)state;
    json_t *tree = NULL;
    align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
    for (long n = 1; status != ALIGN_OK; n++) {
        al_memory_fail_at(n);
        align_error err = ALIGN_ERROR_INIT;
        status = al_json_load(&tree, GOLDEN("tree.json"), &err);
        if (status == ALIGN_OK)
            status = al_json_save(tree, in_scratch("b.json"), AL_JSON_PYTHON, &err);
        al_memory_fail_at(0);
        json_decref(tree);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        assert_true(status == ALIGN_OK || !al_is_file(in_scratch("b.json")));
    }
    assert_same_file(in_scratch("b.json"), GOLDEN("tree_python.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_pythons),
        cmocka_unit_test(scalars_and_empties),
        cmocka_unit_test(errors_have_a_place),
        cmocka_unit_test(large_integers),
        cmocka_unit_test(getters),
        cmocka_unit_test(long_keys_are_cut),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
