/*
 * test_golden.c: every model under tests/golden/models against what the reference computed from it.
 *
 * Each folder is one test. Every file in its runs/ is loaded, run and compared: every output tensor must lie within
 * 1e-5 of its own largest magnitude (float32 PyTorch itself strays up to 4e-6 from float64). A run of one tower is made
 * twice: with the whole model and with the tower alone read out of the same checkpoint.
 *
 * ALIGN_GOLDENS=folder in the environment, or a folder as the only argument, tests another set (tests/reference).
 */
#include "support/golden.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double TOLERANCE = 1e-5;

static align_tower tower_named(const char *name)
{
    if (name != NULL && strcmp(name, "text") == 0)
        return ALIGN_TOWER_TEXT;
    return name != NULL && strcmp(name, "vision") == 0 ? ALIGN_TOWER_VISION : ALIGN_TOWER_BOTH;
}

static void report_error(const char *where, const align_error *err)
{
    fail_msg("%s: %s: %s", where, align_status_name(err->status), err->message);
}

static void run_once(comparison *result, const char *folder, const align_tensors *run, align_tower tower)
{
    align_error err = ALIGN_ERROR_INIT;
    align_load_options load = ALIGN_LOAD_OPTIONS_INIT;
    load.tower = tower;
    load.no_pooler = align_tensors_metadata(run, "no_pooler") != NULL;
    align_context_options threads = ALIGN_CONTEXT_OPTIONS_INIT;
    threads.threads = 2;
    align_model *model = NULL;
    align_context *context = NULL;
    const align_inputs inputs = golden_inputs(run);
    golden_output output;

    if (align_model_from_pretrained(&model, folder, &load, &err) != ALIGN_OK ||
        align_context_new(&context, model, &threads, &err) != ALIGN_OK ||
        golden_call(context, run, &inputs, &output, &err) != ALIGN_OK)
        report_error(result->where, &err);
    golden_compare(result, run, &output, TOLERANCE);
    align_context_free(context);
    align_model_free(model);
}

static void test_run(const char *folder, const char *file)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *run = NULL;
    char *path = format_text("%s/runs/%s", folder, file);
    if (align_tensors_open(&run, path, &err) != ALIGN_OK)
        report_error(path, &err);

    comparison result = {path, 0, 0};
    align_tower kept = tower_named(align_tensors_metadata(run, "tower"));
    align_tower called = tower_named(align_tensors_metadata(run, "call"));
    run_once(&result, folder, run, kept);
    if (kept == ALIGN_TOWER_BOTH && called != ALIGN_TOWER_BOTH)
        run_once(&result, folder, run, called);

    assert_true(result.compared > 0);
    assert_int_equal(result.failed, 0);
    align_tensors_free(run);
    free(path);
}

static void test_case(void **state)
{
    const char *folder = *state;
    char *runs = format_text("%s/runs", folder);
    name_list files = list_folder(runs);
    assert_true(files.count > 0);
    for (size_t i = 0; i < files.count; i++)
        test_run(folder, files.names[i]);
    free_names(&files);
    free(runs);
}

int main(int argc, char **argv)
{
    return golden_main("goldens", argc, argv, NULL, test_case);
}
