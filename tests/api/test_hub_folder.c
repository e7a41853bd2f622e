/*
 * test_hub_folder.c: a folder as the hub has them, from picture files and sentences to logits, as a user does it.
 *
 * Linked with the shared library alone: what this test needs must be public. The pixel values must be bit-identical to
 * the reference's, the ids equal, the logits within 1e-5 of their largest magnitude.
 */
#include "support/compare.h"
#include "support/golden.h"
#include <align/align.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HUB TEST_DATA "/hub"

enum { MAX_LINES = 8 };

/* Splits text at newlines, in place. */
static size_t split_lines(char *text, const char **lines)
{
    size_t count = 0;
    for (char *rest = text; rest != NULL && count < MAX_LINES; count++) {
        lines[count] = rest;
        rest = strchr(rest, '\n');
        if (rest != NULL)
            *rest++ = '\0';
    }
    return count;
}

static char *metadata(const align_tensors *golden, const char *key)
{
    const char *text = align_tensors_metadata(golden, key);
    assert_non_null(text);
    return format_text("%s", text);
}

static align_tensors *process(const align_tensors *golden)
{
    align_error err = ALIGN_ERROR_INIT;
    align_processor *processor = NULL;
    if (align_processor_from_pretrained(&processor, HUB, &err) != ALIGN_OK)
        fail_msg("%s", err.message);

    const char *texts[MAX_LINES], *names[MAX_LINES];
    char *all_texts = metadata(golden, "texts"), *all_names = metadata(golden, "images");
    size_t n_texts = split_lines(all_texts, texts), n_images = split_lines(all_names, names);
    align_image images[MAX_LINES] = {{0, 0, 0, NULL}};
    for (size_t i = 0; i < n_images; i++) {
        char *path = format_text("%s/%s", HUB, names[i]);
        if (align_image_open(&images[i], path, NULL, &err) != ALIGN_OK)
            fail_msg("%s", err.message);
        free(path);
    }

    align_tensors *inputs = NULL;
    if (align_processor_call(processor, texts, NULL, n_texts, images, n_images, NULL, &inputs, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n_images; i++)
        align_image_done(&images[i]);
    free(all_texts);
    free(all_names);
    align_processor_free(processor);
    return inputs;
}

static void test_folder_to_logits(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *golden = NULL;
    assert_int_equal(align_tensors_open(&golden, HUB "/golden.safetensors", &err), ALIGN_OK);
    align_tensors *processed = process(golden);

    comparison result = {HUB, 0, 0};
    const char *const names[] = {"input_ids", "token_type_ids", "attention_mask", "pixel_values"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        compare_bits(&result, names[i], align_tensors_get(processed, names[i]), align_tensors_get(golden, names[i]));

    align_model *model = NULL;
    align_context *context = NULL;
    golden_output output;
    const align_inputs inputs = golden_inputs(processed);
    if (align_model_from_pretrained(&model, HUB, NULL, &err) != ALIGN_OK ||
        align_context_new(&context, model, NULL, &err) != ALIGN_OK ||
        golden_call(context, golden, &inputs, &output, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    golden_compare(&result, golden, &output, 1e-5);
    assert_int_equal(result.failed, 0);

    align_context_free(context);
    align_model_free(model);
    align_tensors_free(processed);
    align_tensors_free(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_folder_to_logits)};
    return cmocka_run_group_tests_name("hub folder", tests, NULL, NULL);
}
