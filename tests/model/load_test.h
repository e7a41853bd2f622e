/* load_test.h: what the tests of loading, saving and editing share: a scratch folder, models, comparisons. */
#ifndef LOAD_TEST_H
#define LOAD_TEST_H
#include "base/file.h"
#include "base/memory.h"
#include "model/model.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN TEST_DATA "/models/"

static char folder[] = "/tmp/align-load-XXXXXX";

static inline int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static inline void empty_folder(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char *path = al_join_path(folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
        al_free(path);
    }
    closedir(dir);
}

static inline int remove_folder(void **state)
{
    (void)state;
    empty_folder();
    return rmdir(folder);
}

static inline align_model *load(const char *path, align_tower tower)
{
    align_error err = ALIGN_ERROR_INIT;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model = NULL;
    options.tower = tower;
    if (align_model_from_pretrained(&model, path, &options, &err) != ALIGN_OK)
        fail_msg("%s: %s", path, err.message);
    return model;
}

/* Same names, dtypes, shapes and bytes, in the same order. */
static inline void assert_same_state(const align_tensors *a, const align_tensors *b)
{
    assert_int_equal(align_tensors_count(a), align_tensors_count(b));
    for (size_t i = 0; i < align_tensors_count(a); i++) {
        const align_tensor *x = align_tensors_at(a, i), *y = align_tensors_at(b, i);
        assert_string_equal(align_tensors_name(a, i), align_tensors_name(b, i));
        assert_int_equal(x->dtype, y->dtype);
        assert_int_equal(x->rank, y->rank);
        assert_memory_equal(x->shape, y->shape, sizeof x->shape);
        assert_memory_equal(x->data, y->data, (size_t)align_tensor_elements(x) * align_dtype_size(x->dtype));
    }
}

static inline float *floats_of(const align_model *model, const char *name, size_t count)
{
    const align_tensor *tensor = align_tensors_get(align_model_state(model), name);
    assert_non_null(tensor);
    assert_int_equal(align_tensor_elements(tensor), count);
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    align_tensor_to_f32(tensor, values);
    return values;
}

static inline void assert_nothing_reported(const align_model *model)
{
    const align_load_report *report = align_model_report(model);
    assert_int_equal(report->n_missing + report->n_unexpected + report->n_mismatched, 0);
}
#endif
