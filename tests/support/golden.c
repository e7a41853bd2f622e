/* golden.c: see golden.h. */
#include "support/golden.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- files ---- */

char *format_text(const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = length < 0 || (size_t)length >= sizeof text ? NULL : strdup(text);
    if (copy == NULL)
        abort();
    return copy;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

name_list list_folder(const char *path)
{
    name_list list = {0, NULL};
    DIR *folder = opendir(path);
    if (folder == NULL)
        return list;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        char **names = realloc(list.names, (list.count + 1) * sizeof *names);
        if (names == NULL)
            abort();
        list.names = names;
        list.names[list.count++] = format_text("%s", entry->d_name);
    }
    closedir(folder);
    if (list.count > 0)
        qsort(list.names, list.count, sizeof *list.names, compare_names);
    return list;
}

void free_names(name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (name_list){0, NULL};
}

/* ---- inputs and the call ---- */

static const char *const INPUT_NAMES[] = {"input_ids", "attention_mask", "token_type_ids", "position_ids",
                                          "head_mask", "inputs_embeds",  "pixel_values"};
enum { N_INPUTS = sizeof INPUT_NAMES / sizeof *INPUT_NAMES };

bool golden_is_input(const char *name)
{
    for (size_t i = 0; i < N_INPUTS; i++) {
        if (strcmp(name, INPUT_NAMES[i]) == 0)
            return true;
    }
    return false;
}

align_inputs golden_inputs(const align_tensors *run)
{
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_tensor *slots[N_INPUTS] = {&inputs.input_ids,    &inputs.attention_mask, &inputs.token_type_ids,
                                     &inputs.position_ids, &inputs.head_mask,      &inputs.inputs_embeds,
                                     &inputs.pixel_values};
    for (size_t i = 0; i < N_INPUTS; i++) {
        const align_tensor *tensor = align_tensors_get(run, INPUT_NAMES[i]);
        if (tensor != NULL)
            *slots[i] = *tensor;
    }
    return inputs;
}

static bool flag(const align_tensors *run, const char *key)
{
    return align_tensors_metadata(run, key) != NULL;
}

static const char *call_of(const align_tensors *run)
{
    const char *call = align_tensors_metadata(run, "call");
    return call != NULL ? call : "";
}

align_status golden_call(align_context *context, const align_tensors *run, const align_inputs *inputs,
                         golden_output *out, align_error *err)
{
    const align_forward_options options = {flag(run, "return_loss"), flag(run, "output_hidden_states"),
                                           flag(run, "output_attentions")};
    const char *call = call_of(run);
    memset(out, 0, sizeof *out);
    if (strcmp(call, "text") == 0)
        return align_text_model_forward(context, inputs, &options, &out->both.text_model_output, err);
    if (strcmp(call, "vision") == 0)
        return align_vision_model_forward(context, inputs, &options, &out->both.vision_model_output, err);
    if (strcmp(call, "text_features") == 0)
        return align_model_get_text_features(context, inputs, &out->features, err);
    if (strcmp(call, "image_features") == 0)
        return align_model_get_image_features(context, inputs, &out->features, err);
    return align_model_forward(context, inputs, &options, &out->both, err);
}

/* ---- outputs by name ---- */

/* "<word>.<i>" of a list, or NULL. */
static const align_tensor *list_get(const char *name, const char *word, const align_tensor *list, size_t count)
{
    size_t length = strlen(word);
    if (strncmp(name, word, length) != 0 || name[length] != '.')
        return NULL;
    size_t i = (size_t)strtoul(name + length + 1, NULL, 10);
    return i < count ? &list[i] : NULL;
}

static const align_tensor *text_get(const align_text_output *text, const char *name)
{
    if (strcmp(name, "last_hidden_state") == 0)
        return &text->last_hidden_state;
    if (strcmp(name, "pooler_output") == 0)
        return &text->pooler_output;
    const align_tensor *state = list_get(name, "hidden_states", text->hidden_states, text->n_hidden_states);
    return state != NULL ? state : list_get(name, "attentions", text->attentions, text->n_attentions);
}

static const align_tensor *vision_get(const align_vision_output *vision, const char *name)
{
    if (strcmp(name, "last_hidden_state") == 0)
        return &vision->last_hidden_state;
    if (strcmp(name, "pooler_output") == 0)
        return &vision->pooler_output;
    return list_get(name, "hidden_states", vision->hidden_states, vision->n_hidden_states);
}

static const align_tensor *both_get(const align_output *both, const char *name)
{
    const char *text = "text_model_output.", *vision = "vision_model_output.";
    if (strncmp(name, text, strlen(text)) == 0)
        return text_get(&both->text_model_output, name + strlen(text));
    if (strncmp(name, vision, strlen(vision)) == 0)
        return vision_get(&both->vision_model_output, name + strlen(vision));
    const struct {
        const char *name;
        const align_tensor *tensor;
    } own[] = {{"loss", &both->loss},
               {"logits_per_image", &both->logits_per_image},
               {"logits_per_text", &both->logits_per_text},
               {"text_embeds", &both->text_embeds},
               {"image_embeds", &both->image_embeds}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcmp(name, own[i].name) == 0)
            return own[i].tensor;
    }
    return NULL;
}

const align_tensor *golden_output_get(const golden_output *out, const char *call, const char *name)
{
    if (strcmp(call, "text") == 0)
        return text_get(&out->both.text_model_output, name);
    if (strcmp(call, "vision") == 0)
        return vision_get(&out->both.vision_model_output, name);
    if (strcmp(call, "forward") == 0)
        return both_get(&out->both, name);
    return strcmp(name, call) == 0 ? &out->features : NULL;
}

/* ---- comparing ---- */

static void expect_absent(comparison *result, const char *name, bool absent)
{
    if (!absent) {
        fprintf(stderr, "  %s: %s came out but was not asked for\n", result->where, name);
        result->failed++;
    }
}

void golden_compare(comparison *result, const align_tensors *run, const golden_output *out, double tolerance)
{
    const align_output *both = &out->both;
    for (size_t i = 0; i < align_tensors_count(run); i++) {
        const char *name = align_tensors_name(run, i);
        if (!golden_is_input(name))
            compare_tensors(result, name, golden_output_get(out, call_of(run), name), align_tensors_at(run, i),
                            tolerance);
    }
    if (!flag(run, "return_loss"))
        expect_absent(result, "loss", both->loss.data == NULL);
    if (!flag(run, "output_hidden_states"))
        expect_absent(result, "hidden_states",
                      both->text_model_output.n_hidden_states == 0 && both->vision_model_output.n_hidden_states == 0);
    if (!flag(run, "output_attentions"))
        expect_absent(result, "attentions", both->text_model_output.n_attentions == 0);
    if (flag(run, "no_pooler"))
        expect_absent(result, "pooler_output", both->text_model_output.pooler_output.data == NULL);
}

/* ---- a case for each folder ---- */

/* Takes out of the list those names whose folders are not accepted. */
static void keep_those_that(bool (*holds)(const char *folder), name_list *list, const char *root)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        char *folder = format_text("%s/%s", root, list->names[i]);
        if (holds(folder))
            list->names[kept++] = list->names[i];
        else
            free(list->names[i]);
        free(folder);
    }
    list->count = kept;
}

int golden_main(const char *group, int argc, char **argv, bool (*holds)(const char *folder), void (*test)(void **))
{
    if (strcmp(align_isa(), "none") == 0)
        return 77; /* the CPU lacks what ALIGN_ISA asks for */
    const char *chosen = argc > 1 ? argv[1] : getenv("ALIGN_GOLDENS");
    const char *root = chosen != NULL ? chosen : TEST_DATA "/models";
    name_list cases = list_folder(root);
    if (holds != NULL)
        keep_those_that(holds, &cases, root);
    struct CMUnitTest *tests = calloc(cases.count, sizeof *tests);
    if (cases.count == 0 || tests == NULL) {
        fprintf(stderr, "%s: no %s there\n", root, group);
        return 1;
    }
    for (size_t i = 0; i < cases.count; i++) {
        tests[i].name = cases.names[i];
        tests[i].test_func = test;
        tests[i].initial_state = format_text("%s/%s", root, cases.names[i]);
    }
    /* The macro cmocka_run_group_tests wants an array whose size the compiler knows. */
    int failed = _cmocka_run_group_tests(group, tests, cases.count, NULL, NULL);
    for (size_t i = 0; i < cases.count; i++)
        free(tests[i].initial_state);
    free(tests);
    free_names(&cases);
    return failed;
}
