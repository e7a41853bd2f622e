/* Folders of weights: which file is taken, shards and their index, variants, and saving all of these. */
#include "base/memory.h"
#include "base/tensor.h"

#include <align/tensor.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "checkpoint/scratch.h"

static align_tensors *truth;

static int open_all(void **state)
{
    truth = open_tensors(GOLDEN("truth.safetensors"));
    return scratch_open(state);
}

static int close_all(void **state)
{
    align_tensors_free(truth);
    return scratch_close(state);
}

static int start_empty(void **state)
{
    (void)state;
    empty_folder(scratch);
    return 0;
}

static align_tensors *open_folder(const char *folder, const char *variant)
{
    align_tensors *tensors;
    align_error err = ALIGN_ERROR_INIT;
    if (align_tensors_open_pretrained(&tensors, folder, variant, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return tensors;
}

static void assert_folder_fails(const char *folder, const char *variant, align_status status, const char *text)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *tensors = truth;
    const align_status found = align_tensors_open_pretrained(&tensors, folder, variant, &err);
    if (found != status || !strstr(err.message, text))
        fail_msg("expected %s with \"%s\", found %s: %s", align_status_name(status), text, align_status_name(found),
                 err.message);
    assert_null(tensors);
}

/* One tensor, whose value tells which file it was read from. */
static void put_marked(const char *name, float value)
{
    align_tensors *tensors;
    const align_tensor tensor = align_tensor_view(ALIGN_F32, 0, NULL, &value);
    assert_int_equal(align_tensors_new(&tensors, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_add(tensors, "t", &tensor, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_save(tensors, in_scratch(name), NULL), ALIGN_OK);
    align_tensors_free(tensors);
}

static void put_index(const char *name, const char *map)
{
    char *text = al_format("{\"metadata\": {}, \"weight_map\": %s}", map);
    write_scratch(name, text, strlen(text));
    al_free(text);
}

static float marked(const char *variant)
{
    align_tensors *tensors = open_folder(scratch, variant);
    const float value = *(const float *)align_tensors_get(tensors, "t")->data;
    align_tensors_free(tensors);
    return value;
}

static void order_of_resolution(void **state)
{
    (void)state;
    put_marked("pytorch_model-00001-of-00001.bin", 1); /* opened by content, not by name */
    put_index("pytorch_model.bin.index.json", "{\"t\": \"pytorch_model-00001-of-00001.bin\"}");
    assert_true(marked(NULL) == 1);
    put_marked("pytorch_model.bin", 2);
    assert_true(marked(NULL) == 2);
    put_marked("model-00001-of-00001.safetensors", 3);
    put_index("model.safetensors.index.json", "{\"t\": \"model-00001-of-00001.safetensors\"}");
    assert_true(marked(NULL) == 3);
    put_marked("model.safetensors", 4);
    assert_true(marked(NULL) == 4);
}

static void order_of_resolution_of_a_variant(void **state)
{
    (void)state;
    put_marked("model.safetensors", 9);
    assert_folder_fails(scratch, "fp16", ALIGN_ERROR_NOT_FOUND, "of variant fp16");
    put_marked("pytorch_model.fp16-00001-of-00001.bin", 1);
    put_index("pytorch_model.bin.index.fp16.json", "{\"t\": \"pytorch_model.fp16-00001-of-00001.bin\"}");
    assert_true(marked("fp16") == 1);
    put_marked("pytorch_model.fp16.bin", 2);
    assert_true(marked("fp16") == 2);
    put_marked("model.fp16-00001-of-00001.safetensors", 3);
    put_index("model.safetensors.index.fp16.json", "{\"t\": \"model.fp16-00001-of-00001.safetensors\"}");
    assert_true(marked("fp16") == 3);
    put_marked("model.fp16.safetensors", 4);
    assert_true(marked("fp16") == 4);
    assert_true(marked(NULL) == 9);
}

static void shards_of_the_reference(void **state)
{
    (void)state;
    static const char *const folders[] = {GOLDEN("sharded_safetensors"), GOLDEN("sharded_bin")};
    for (size_t i = 0; i < 2; i++) {
        align_tensors *tensors = open_folder(folders[i], NULL);
        assert_int_equal(align_tensors_count(tensors), 13);
        for (size_t j = 0; j < 13; j++)
            assert_same_tensor(align_tensors_at(tensors, j), align_tensors_get(truth, align_tensors_name(tensors, j)));
        align_tensors_free(tensors);
    }
}

static void broken_indices(void **state)
{
    (void)state;
    static const struct {
        const char *map;
        align_status status;
        const char *text;
    } cases[] = {
        {"{\"t\": \"model-00002-of-00002.safetensors\"}", ALIGN_ERROR_NOT_FOUND,
         "model-00002-of-00002.safetensors is missing"},
        {"{\"t\": \"../model.safetensors\"}", ALIGN_ERROR_FORMAT, "\"../model.safetensors\" is not the name of a file"},
        {"{\"t\": \"/etc/passwd\"}", ALIGN_ERROR_FORMAT, "\"/etc/passwd\" is not the name"},
        {"{\"t\": \"..\"}", ALIGN_ERROR_FORMAT, "\"..\" is not the name"},
        {"{\"t\": \".\"}", ALIGN_ERROR_FORMAT, "\".\" is not the name"},
        {"{\"t\": \"\"}", ALIGN_ERROR_FORMAT, "\"\" is not the name"},
        {"{\"t\": 1}", ALIGN_ERROR_FORMAT, "key weight_map.t: expected a string, found an integer"},
        {"{\"t\": null}", ALIGN_ERROR_FORMAT, "key weight_map.t: expected a string, found null"},
        {"{\"u\": \"a.safetensors\"}", ALIGN_ERROR_NOT_FOUND, "tensor u is not in shard a.safetensors"},
        {"[]", ALIGN_ERROR_FORMAT, "key weight_map: expected an object, found an array"},
        {"null", ALIGN_ERROR_FORMAT, "key weight_map: expected an object, found null"},
        {"{", ALIGN_ERROR_FORMAT, "line 1"},
    };
    put_marked("a.safetensors", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_index("model.safetensors.index.json", cases[i].map);
        assert_folder_fails(scratch, NULL, cases[i].status, cases[i].text);
    }
    write_scratch("model.safetensors.index.json", "{}", 2);
    assert_folder_fails(scratch, NULL, ALIGN_ERROR_FORMAT, "key weight_map is missing");
    write_scratch("model.safetensors.index.json", "[]", 2);
    assert_folder_fails(scratch, NULL, ALIGN_ERROR_FORMAT, "expected an object, found an array");
    put_index("model.safetensors.index.json", "{}");
    align_tensors *none = open_folder(scratch, NULL);
    assert_int_equal(align_tensors_count(none), 0);
    align_tensors_free(none);
}

static void wrong_arguments(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    assert_folder_fails(NULL, NULL, ALIGN_ERROR_INVALID_ARGUMENT, "no folder");
    assert_folder_fails(in_scratch("none"), NULL, ALIGN_ERROR_NOT_FOUND, "none: no such folder");
    assert_folder_fails(scratch, NULL, ALIGN_ERROR_NOT_FOUND, "no weights");
    assert_folder_fails(scratch, "../x", ALIGN_ERROR_INVALID_ARGUMENT, "variant \"../x\"");
    assert_folder_fails(scratch, "", ALIGN_ERROR_INVALID_ARGUMENT, "variant \"\"");
    align_save_options options = ALIGN_SAVE_OPTIONS_INIT;
    options.max_shard_size = 0;
    assert_int_equal(align_tensors_save_pretrained(truth, scratch, &options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "max_shard_size"));
    options = (align_save_options)ALIGN_SAVE_OPTIONS_INIT;
    options.cast = true;
    options.dtype = ALIGN_I64;
    assert_int_equal(align_tensors_save_pretrained(truth, scratch, &options, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "I64"));
    options = (align_save_options)ALIGN_SAVE_OPTIONS_INIT;
    options.variant = "a/b";
    assert_int_equal(align_tensors_save_pretrained(truth, scratch, &options, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensors_save_pretrained(truth, NULL, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tensors_save_pretrained(NULL, scratch, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(count_files(scratch), 0);
}

static void save(const align_tensors *tensors, bool safe, int64_t limit, const char *variant)
{
    align_save_options options = ALIGN_SAVE_OPTIONS_INIT;
    align_error err = ALIGN_ERROR_INIT;
    options.safe_serialization = safe;
    options.max_shard_size = limit;
    options.variant = variant;
    if (align_tensors_save_pretrained(tensors, scratch, &options, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
}

/* In the order of the reference's state dict, and without the booleans, as the golden shards are. */
static align_tensors *state_dict(void)
{
    align_tensors *ordered = open_tensors(GOLDEN("zip.bin")), *result;
    assert_int_equal(align_tensors_new(&result, NULL), ALIGN_OK);
    for (size_t i = 0; i < align_tensors_count(ordered); i++)
        if (align_tensors_at(ordered, i)->dtype != ALIGN_BOOL)
            assert_int_equal(
                align_tensors_add(result, align_tensors_name(ordered, i), align_tensors_at(ordered, i), NULL),
                ALIGN_OK);
    align_tensors_free(ordered);
    return result;
}

static void shards_are_the_references(void **state)
{
    (void)state;
    static const char *const files[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                        "model.safetensors.index.json"};
    align_tensors *tensors = state_dict();
    save(tensors, true, 100, NULL);
    assert_int_equal(count_files(scratch), 3);
    for (size_t i = 0; i < 3; i++) {
        char *expected = al_join_path(GOLDEN("sharded_safetensors"), files[i]);
        assert_same_file(in_scratch(files[i]), expected);
        al_free(expected);
    }
    save(tensors, false, 100, NULL);
    assert_int_equal(count_files(scratch), 3); /* the other form is gone */
    assert_same_file(in_scratch("pytorch_model.bin.index.json"), GOLDEN("sharded_bin/pytorch_model.bin.index.json"));
    align_tensors *again = open_folder(scratch, NULL);
    assert_same_tensors(again, tensors);
    align_tensors_free(again);
    align_tensors_free(tensors);
}

/* Whatever was saved before, the last save is what is read, and nothing of the earlier ones stays. */
static void stale_files_go(void **state)
{
    (void)state;
    static const struct {
        bool safe;
        int64_t limit;
        int files;
    } saves[] = {{true, 1, 15},       {true, 1000000, 1}, {false, 1, 15}, {false, 60, 6},
                 {false, 1000000, 1}, {true, 60, 6},      {true, 1, 15},  {false, 1000000, 1}};
    static const char *const bystanders[] = {"config.json",
                                             "model.fp16.safetensors",
                                             "model-00001-of-00002.safetensors.bak",
                                             "mymodel-00001-of-00002.safetensors",
                                             "model-1-of-2.safetensors",
                                             "model.safetensors.index.fp16.json"};
    enum { BYSTANDERS = sizeof bystanders / sizeof *bystanders };
    for (size_t i = 0; i < BYSTANDERS; i++)
        write_scratch(bystanders[i], "x", 1);
    assert_int_equal(mkdir(in_scratch("pytorch_model-00009-of-00009.bin"), 0700), 0); /* a folder is nobody's shard */
    for (size_t i = 0; i < sizeof saves / sizeof *saves; i++) {
        save(truth, saves[i].safe, saves[i].limit, NULL);
        align_tensors *found = open_folder(scratch, NULL);
        assert_same_tensors(found, truth);
        align_tensors_free(found);
        assert_int_equal(count_files(scratch), BYSTANDERS + 1 + saves[i].files);
    }
    for (size_t i = 0; i < BYSTANDERS; i++)
        assert_true(al_is_file(in_scratch(bystanders[i])));
}

static void variants(void **state)
{
    (void)state;
    save(truth, true, 1000000, NULL);
    save(truth, true, 60, "fp16");
    assert_true(al_is_file(in_scratch("model.safetensors")));
    assert_true(al_is_file(in_scratch("model.safetensors.index.fp16.json")));
    assert_true(al_is_file(in_scratch("model.fp16-00001-of-00005.safetensors")));
    align_tensors *found = open_folder(scratch, "fp16");
    assert_same_tensors(found, truth);
    align_tensors_free(found);
    save(truth, false, 1000000, "fp16");
    assert_true(al_is_file(in_scratch("pytorch_model.fp16.bin")));
    assert_int_equal(count_files(scratch), 2);
}

/* Casting goes through f32 and touches floating tensors only; the index counts the bytes that are written. */
static void casts(void **state)
{
    (void)state;
    static const align_dtype dtypes[] = {ALIGN_F32, ALIGN_F16, ALIGN_BF16};
    for (size_t d = 0; d < 3; d++)
        for (int safe = 0; safe < 2; safe++) {
            align_save_options options = ALIGN_SAVE_OPTIONS_INIT;
            options.cast = true;
            options.dtype = dtypes[d];
            options.safe_serialization = safe;
            assert_int_equal(align_tensors_save_pretrained(truth, scratch, &options, NULL), ALIGN_OK);
            align_tensors *found = open_folder(scratch, NULL);
            assert_int_equal(align_tensors_count(found), align_tensors_count(truth));
            for (size_t i = 0; i < align_tensors_count(truth); i++) {
                const align_tensor *before = align_tensors_at(truth, i);
                const align_tensor *after = align_tensors_get(found, align_tensors_name(truth, i));
                if (!al_dtype_is_float(before->dtype)) {
                    assert_same_tensor(after, before);
                    continue;
                }
                float wide[32];
                uint16_t narrow[32];
                const size_t n = (size_t)align_tensor_elements(before);
                align_tensor_to_f32(before, wide);
                al_f32_to_f16(wide, n, narrow);
                if (dtypes[d] == ALIGN_BF16)
                    al_f32_to_bf16(wide, n, narrow);
                assert_int_equal(after->dtype, dtypes[d]);
                if (n)
                    assert_memory_equal(after->data, dtypes[d] == ALIGN_F32 ? (const void *)wide : narrow,
                                        n * align_dtype_size(dtypes[d]));
            }
            align_tensors_free(found);
        }
}

static void made_folders_and_failures(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_tensors_save_pretrained(truth, in_scratch("a/b"), NULL, NULL), ALIGN_OK);
    assert_same_file(in_scratch("a/b/model.safetensors"), GOLDEN("truth.safetensors"));
    write_scratch("file", "kept", 4);
    assert_int_equal(align_tensors_save_pretrained(truth, in_scratch("file"), NULL, &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "file"));
    /* A folder where the file should go: nothing is lost, nothing temporary stays. */
    assert_int_equal(mkdir(in_scratch("model.safetensors"), 0700), 0);
    write_scratch("pytorch_model.bin", "old", 3);
    assert_int_equal(align_tensors_save_pretrained(truth, scratch, NULL, &err), ALIGN_ERROR_IO);
    assert_non_null(strstr(err.message, "model.safetensors"));
    assert_true(al_is_file(in_scratch("pytorch_model.bin")));
    assert_int_equal(count_files(scratch), 4);
}

/* What was read stays readable while its own folder is written over: files are replaced, not changed. */
static void saved_onto_itself(void **state)
{
    (void)state;
    save(truth, true, 60, NULL);
    align_tensors *found = open_folder(scratch, NULL);
    save(found, true, 1, NULL);
    save(found, false, 1000000, NULL);
    assert_same_tensors(found, truth);
    align_tensors *again = open_folder(scratch, NULL);
    assert_same_tensors(again, truth);
    align_tensors_free(again);
    align_tensors_free(found);
}

static void memory_runs_out(void **state)
{
    (void)state;
    align_tensors *few;
    assert_int_equal(align_tensors_new(&few, NULL), ALIGN_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(align_tensors_add(few, align_tensors_name(truth, i), align_tensors_at(truth, i), NULL),
                         ALIGN_OK);
    for (int safe = 0; safe < 2; safe++) {
        align_save_options options = ALIGN_SAVE_OPTIONS_INIT;
        options.safe_serialization = safe;
        options.max_shard_size = 24;
        align_status status = ALIGN_ERROR_OUT_OF_MEMORY;
        for (long n = 1; status != ALIGN_OK; n++) {
            align_tensors *found = NULL;
            al_memory_fail_at(n);
            status = align_tensors_save_pretrained(few, scratch, &options, NULL);
            if (status == ALIGN_OK)
                status = align_tensors_open_pretrained(&found, scratch, NULL, NULL);
            al_memory_fail_at(0);
            align_tensors_free(found);
            assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        }
        align_tensors *found = open_folder(scratch, NULL);
        assert_same_tensors(found, few);
        align_tensors_free(found);
        assert_int_equal(count_files(scratch), 3);
    }
    align_tensors_free(few);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start_empty)
    const struct CMUnitTest tests[] = {
        TEST(order_of_resolution),
        TEST(order_of_resolution_of_a_variant),
        TEST(shards_of_the_reference),
        TEST(broken_indices),
        TEST(wrong_arguments),
        TEST(shards_are_the_references),
        TEST(stale_files_go),
        TEST(variants),
        TEST(casts),
        TEST(made_folders_and_failures),
        TEST(saved_onto_itself),
        TEST(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
