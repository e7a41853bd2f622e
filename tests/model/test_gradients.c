/*
 * test_gradients.c: align_model_gradients against the reference's loss.backward(): every file in the gradients/ folders
 * of tests/golden/models (made by make_gradients.py). Every parameter of the model must have a gradient, within 1e-4 of
 * its largest magnitude; gradients that are zero but for rounding, within 1e-6 of the largest gradient of all. Where
 * the reference has none, zeros.
 *
 * ALIGN_GOLDENS=folder in the environment, or a folder as the only argument, tests another set.
 */
#include "support/golden.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double TOLERANCE = 1e-4, ZERO = 1e-6;

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static align_tensors *gradients_of(const char *where, const char *folder, const align_tensors *run, int threads)
{
    align_error err = ALIGN_ERROR_INIT;
    align_model *model = NULL;
    align_tensors *found = NULL;
    align_gradient_options options = ALIGN_GRADIENT_OPTIONS_INIT;
    const align_inputs inputs = golden_inputs(run);
    options.threads = threads;
    options.batch_statistics = align_tensors_metadata(run, "train") != NULL;
    options.output_hidden_states = true;
    if (align_model_from_pretrained(&model, folder, NULL, &err) != ALIGN_OK ||
        align_model_gradients(&found, model, &inputs, &options, &err) != ALIGN_OK)
        fail_msg("%s: %s", where, err.message);
    for (size_t i = 0; i < align_tensors_count(align_model_state(model)); i++) {
        const char *name = align_tensors_name(align_model_state(model), i);
        const bool buffer = strstr(name, "running_") != NULL || strstr(name, "num_batches_tracked") != NULL;
        char *full = format_text("%s%s", buffer ? "buffer." : "grad.", name);
        const bool there = align_tensors_get(found, full) != NULL;
        if (there != (!buffer || options.batch_statistics))
            fail_msg("%s: %s is %s", where, full, there ? "there" : "missing");
        free(full);
    }
    align_model_free(model);
    return found;
}

/* What came out that the run does not have is the gradient of something the loss does not depend on, or a state. */
static void check_the_rest(comparison *result, const align_tensors *run, const align_tensors *found)
{
    for (size_t i = 0; i < align_tensors_count(found); i++) {
        const char *name = align_tensors_name(found, i);
        const align_tensor *tensor = align_tensors_at(found, i);
        if (align_tensors_get(run, name) || begins(name, "vision_model_output.hidden_states."))
            continue;
        const float *values = tensor->data;
        bool zero = begins(name, "grad.");
        for (int64_t e = 0; zero && e < align_tensor_elements(tensor); e++)
            zero = values[e] == 0.0f;
        if (!zero) {
            fprintf(stderr, "  %s: %s is not zero, or was not expected\n", result->where, name);
            result->failed++;
        }
    }
}

/* The last state is the last hidden state. */
static void check_states(comparison *result, const align_tensors *found)
{
    const align_tensor *last = NULL;
    for (size_t i = 0; i < align_tensors_count(found); i++)
        if (begins(align_tensors_name(found, i), "vision_model_output.hidden_states."))
            last = align_tensors_at(found, i);
    assert_non_null(last);
    compare_bits(result, "hidden_states", last, align_tensors_get(found, "vision_model_output.last_hidden_state"));
}

static void test_run(const char *folder, const char *file)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *run = NULL;
    char *path = format_text("%s/gradients/%s", folder, file);
    if (align_tensors_open(&run, path, &err) != ALIGN_OK)
        fail_msg("%s: %s", path, err.message);
    const char *scale_text = align_tensors_metadata(run, "scale");
    assert_non_null(scale_text);
    const double scale = strtod(scale_text, NULL);
    align_tensors *found = gradients_of(path, folder, run, 1), *again = gradients_of(path, folder, run, 3);
    comparison result = {path, 0, 0};
    for (size_t i = 0; i < align_tensors_count(run); i++) {
        const char *name = align_tensors_name(run, i);
        if (!golden_is_input(name))
            compare_within(&result, name, align_tensors_get(found, name), align_tensors_at(run, i), TOLERANCE,
                           begins(name, "grad.") ? ZERO * scale : 0.0);
    }
    check_the_rest(&result, run, found);
    check_states(&result, found);
    assert_true(result.compared > 10);
    assert_int_equal(align_tensors_count(found), align_tensors_count(again));
    for (size_t i = 0; i < align_tensors_count(found); i++)
        compare_bits(&result, align_tensors_name(found, i), align_tensors_at(again, i), align_tensors_at(found, i));
    assert_int_equal(result.failed, 0);
    align_tensors_free(found);
    align_tensors_free(again);
    align_tensors_free(run);
    free(path);
}

static void test_case(void **state)
{
    const char *folder = *state;
    char *runs = format_text("%s/gradients", folder);
    name_list files = list_folder(runs);
    for (size_t i = 0; i < files.count; i++)
        test_run(folder, files.names[i]);
    free_names(&files);
    free(runs);
}

static bool has_gradients(const char *folder)
{
    char *runs = format_text("%s/gradients", folder);
    name_list files = list_folder(runs);
    const bool some = files.count > 0;
    free_names(&files);
    free(runs);
    return some;
}

int main(int argc, char **argv)
{
    return golden_main("gradients", argc, argv, has_gradients, test_case);
}
