#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H
/*
 * golden.h: runs of the reference kept in files, and running them again with the library.
 *
 * A run is a safetensors file as tests/reference/golden_io.py describes it: inputs and outputs by their names, and in
 * the metadata which call it was.
 */
#include "support/compare.h"
#include <align/model.h>
#include <stdbool.h>

/* The names in a folder, sorted; hidden ones left out. */
typedef struct name_list {
    size_t count;
    char **names;
} name_list;

name_list list_folder(const char *path);
void free_names(name_list *list);

/* printf into new memory; never NULL. */
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether a tensor of a run went in. */
bool golden_is_input(const char *name);

/* forward()'s arguments by their names; views of the collection. */
align_inputs golden_inputs(const align_tensors *run);

/* What a call of the library gave, whichever call it was. */
typedef struct golden_output {
    align_output both;
    align_tensor features;
} golden_output;

/* Makes the call that the run names ("forward", "text", "vision", "text_features", "image_features"). */
align_status golden_call(align_context *context, const align_tensors *run, const align_inputs *inputs,
                         golden_output *out, align_error *err);

/* The output of that name in the run's naming, or NULL. call as in the run's metadata. */
const align_tensor *golden_output_get(const golden_output *out, const char *call, const char *name);

/* Compares every output tensor of the run with what came out, and that nothing came out that was not asked for. */
void golden_compare(comparison *result, const align_tensors *run, const golden_output *out, double tolerance);

/*
 * The main function of a test with a case for each folder of goldens: those in tests/golden/models that `holds` accepts
 * (NULL: all of them), or those in the folder that the only argument or ALIGN_GOLDENS in the environment names. A case
 * finds its folder's path in *state.
 */
int golden_main(const char *group, int argc, char **argv, bool (*holds)(const char *folder), void (*test)(void **));
#endif
