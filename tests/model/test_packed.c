/* test_packed.c: model.align: the same numbers as the model it was packed from, and what is said of files that do not
 * fit. */
#include "checkpoint/tensors.h"
#include "load_test.h"
#include "support/golden.h"

#define WORDS "text_model.embeddings.word_embeddings.weight"

static char packed_path[64];

static int prepare(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    snprintf(packed_path, sizeof packed_path, "%s/model.align", folder);
    return 0;
}

static align_status try_load(align_model **out, const char *path, align_tower tower, align_precision precision,
                             align_error *err)
{
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    options.tower = tower;
    options.precision = precision;
    return align_model_from_pretrained(out, path, &options, err);
}

static align_model *load_as(const char *path, align_tower tower, align_precision precision)
{
    align_error err = ALIGN_ERROR_INIT;
    align_model *model = NULL;
    if (try_load(&model, path, tower, precision, &err) != ALIGN_OK)
        fail_msg("%s: %s", path, err.message);
    return model;
}

/* Packs a golden model into the folder. */
static void pack(const char *name, align_tower tower, align_precision precision)
{
    char *path = format_text(GOLDEN "%s", name);
    align_model *model = load_as(path, tower, precision);
    assert_int_equal(align_model_save_packed(model, folder, NULL), ALIGN_OK);
    align_model_free(model);
    free(path);
}

/* ---- the same numbers ---- */

/* Runs both models on the inputs of a golden run and compares what comes out, bit for bit. */
static void assert_same_run(const char *where, const align_model *a, const align_model *b, const align_tensors *run)
{
    comparison result = {.where = where};
    align_context *contexts[2];
    golden_output out[2];
    const align_inputs inputs = golden_inputs(run);
    const align_model *models[] = {a, b};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(align_context_new(&contexts[i], models[i], NULL, NULL), ALIGN_OK);
        assert_int_equal(golden_call(contexts[i], run, &inputs, &out[i], NULL), ALIGN_OK);
    }
    const char *call = align_tensors_metadata(run, "call");
    for (size_t i = 0; i < align_tensors_count(run); i++) {
        const char *name = align_tensors_name(run, i);
        const align_tensor *expected = golden_output_get(&out[0], call, name);
        if (expected)
            compare_bits(&result, name, golden_output_get(&out[1], call, name), expected);
    }
    assert_true(result.compared > 0);
    assert_int_equal(result.failed, 0);
    align_context_free(contexts[0]);
    align_context_free(contexts[1]);
}

static void assert_same_fingerprint(const align_model *a, const align_model *b)
{
    char of_a[ALIGN_FINGERPRINT_SIZE], of_b[ALIGN_FINGERPRINT_SIZE];
    align_model_fingerprint(a, of_a);
    align_model_fingerprint(b, of_b);
    assert_string_equal(of_a, of_b);
}

static void check_same(const char *name, align_tower tower, align_precision precision)
{
    char *path = format_text(GOLDEN "%s", name), *runs = format_text(GOLDEN "%s/runs", name);
    align_model *model = load_as(path, tower, precision);
    assert_int_equal(align_model_save_packed(model, folder, NULL), ALIGN_OK);
    assert_null(align_model_layout(model));
    align_model *again = load_as(folder, tower, ALIGN_PRECISION_AUTO);
    assert_non_null(align_model_layout(again));
    assert_int_equal(align_model_precision(again), precision);
    assert_nothing_reported(again);
    assert_same_fingerprint(model, again);
    name_list list = list_folder(runs);
    for (size_t i = 0; i < list.count; i++) {
        align_tensors *run;
        char *file = format_text("%s/%s", runs, list.names[i]);
        assert_int_equal(align_tensors_open(&run, file, NULL), ALIGN_OK);
        assert_same_run(file, model, again, run);
        align_tensors_free(run);
        free(file);
    }
    free_names(&list);
    align_model_free(again);
    align_model_free(model);
    free(runs);
    free(path);
}

static void test_same_numbers(void **state)
{
    (void)state;
    static const char *const names[] = {"tiny",       "f16",         "bf16",           "relative_key",
                                        "all_stages", "legacy_keys", "no_text_layers", "decoder_cross"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_same(names[i], ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32);
    for (int precision = 0; precision < ALIGN_PRECISION_COUNT; precision++) {
        check_same("tiny", ALIGN_TOWER_BOTH, (align_precision)precision);
        check_same("tiny_text", ALIGN_TOWER_TEXT, (align_precision)precision);
        check_same("tiny_vision", ALIGN_TOWER_VISION, (align_precision)precision);
    }
    empty_folder();
}

/* A tower alone out of a file of both. */
static void test_tower_of_both(void **state)
{
    (void)state;
    const align_tower towers[] = {ALIGN_TOWER_TEXT, ALIGN_TOWER_VISION};
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32);
    for (int i = 0; i < 2; i++) {
        align_tensors *run;
        align_model *a = load_as(GOLDEN "tiny", towers[i], ALIGN_PRECISION_F32);
        align_model *b = load_as(folder, towers[i], ALIGN_PRECISION_AUTO);
        assert_int_equal(align_tensors_open(&run,
                                            towers[i] == ALIGN_TOWER_TEXT ? GOLDEN "tiny_text/runs/text.safetensors"
                                                                          : GOLDEN
                                                "tiny_vision/runs/vision.safetensors",
                                            NULL),
                         ALIGN_OK);
        assert_same_run("tower", a, b, run);
        align_tensors_free(run);
        align_model_free(a);
        align_model_free(b);
    }
    empty_folder();
}

/* Nothing of what happened to be in memory gets into the file; a packed model packs to the same. */
static void test_same_bytes(void **state)
{
    (void)state;
    char *first, *second;
    size_t n, m;
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_INT8);
    assert_int_equal(al_file_read(&first, &n, packed_path, 1 << 24, NULL), ALIGN_OK);
    align_model *model = load_as(folder, ALIGN_TOWER_BOTH, ALIGN_PRECISION_INT8);
    assert_int_equal(align_model_save_packed(model, folder, NULL), ALIGN_OK);
    assert_int_equal(al_file_read(&second, &m, packed_path, 1 << 24, NULL), ALIGN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    al_free(second);
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_INT8);
    assert_int_equal(al_file_read(&second, &m, packed_path, 1 << 24, NULL), ALIGN_OK);
    assert_memory_equal(first, second, n);
    al_free(second);
    al_free(first);
    align_model_free(model);
    empty_folder();
}

/* ---- what a packed model has and has not ---- */

static void test_what_is_lost(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model *out;
    const int64_t head = 0;
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32);
    align_model *model = load_as(folder, ALIGN_TOWER_BOTH, ALIGN_PRECISION_AUTO);
    assert_non_null(align_tensors_get(align_model_state(model), WORDS));
    assert_non_null(align_tensors_get(align_model_state(model), "packed.text_model"));
    assert_int_equal(align_tensors_count(align_model_state(model)), 6);
    assert_int_equal(align_model_save_pretrained(model, folder, NULL, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "needs the original model"));
    assert_int_equal(align_model_resize_token_embeddings(&out, model, 9, 0, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "resize_token_embeddings"));
    assert_int_equal(align_model_prune_heads(&out, model, 0, &head, 1, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "prune_heads"));
    align_model_free(model);
    empty_folder();
}

static void test_figures(void **state)
{
    (void)state;
    align_model_stats a, b;
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32);
    align_model *model = load(GOLDEN "tiny", ALIGN_TOWER_BOTH), *packed = load(folder, ALIGN_TOWER_BOTH);
    assert_int_equal(align_model_get_stats(model, 32, 8, &a, NULL), ALIGN_OK);
    assert_int_equal(align_model_get_stats(packed, 32, 8, &b, NULL), ALIGN_OK);
    assert_int_equal(a.parameters, b.parameters);
    assert_int_equal(a.text_parameters, b.text_parameters);
    assert_int_equal(a.vision_parameters, b.vision_parameters);
    assert_int_equal(a.image_macs, b.image_macs);
    assert_int_equal(a.text_macs, b.text_macs);
    assert_true(align_model_temperature(model) == align_model_temperature(packed));
    align_model_free(model);
    align_model_free(packed);
    empty_folder();
}

/* model.align comes before other weights, but not before a variant that is asked for. */
static void test_beside_other_weights(void **state)
{
    (void)state;
    align_save_options save = ALIGN_SAVE_OPTIONS_INIT;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model = load(GOLDEN "tiny", ALIGN_TOWER_BOTH), *again;
    assert_int_equal(align_model_save_pretrained(model, folder, NULL, NULL), ALIGN_OK);
    save.variant = options.variant = "v";
    assert_int_equal(align_model_save_pretrained(model, folder, &save, NULL), ALIGN_OK);
    assert_int_equal(align_model_save_packed(model, folder, NULL), ALIGN_OK);
    again = load(folder, ALIGN_TOWER_BOTH);
    assert_non_null(align_model_layout(again));
    align_model_free(again);
    assert_int_equal(align_model_from_pretrained(&again, folder, &options, NULL), ALIGN_OK);
    assert_null(align_model_layout(again));
    align_model_free(again);

    /* weights that are written later replace it; a variant does not */
    assert_int_equal(align_model_save_pretrained(model, folder, &save, NULL), ALIGN_OK);
    assert_true(al_is_file(packed_path));
    assert_int_equal(align_model_save_pretrained(model, folder, NULL, NULL), ALIGN_OK);
    assert_false(al_is_file(packed_path));
    align_model_free(model);
    empty_folder();
}

/* ---- files that do not fit ---- */

static void expect(align_tower tower, align_precision precision, align_status wanted, const char *text)
{
    align_error err = ALIGN_ERROR_INIT;
    align_model *model;
    const align_status status = try_load(&model, folder, tower, precision, &err);
    if (status != wanted || !strstr(err.message, text))
        fail_msg("%d: %s\nexpected %d: %s", (int)status, err.message, (int)wanted, text);
    assert_non_null(strstr(err.message, "model.align"));
    assert_null(model);
}

/* Writes the tiny model's file anew with one thing changed: a value of the metadata (value NULL: left out), or a
 * tensor (tensor NULL: left out); alignment is that of the payload. */
static void rewrite(const char *key, const char *value, const char *name, const align_tensor *tensor, size_t alignment)
{
    static const char *const keys[] = {"format",
                                       "precision",
                                       "layout",
                                       "sizes.head",
                                       "sizes.text_model",
                                       "sizes.vision_model",
                                       "fingerprint.head",
                                       "fingerprint.text_model",
                                       "fingerprint.vision_model"};
    align_tensors *file, *changed;
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32);
    assert_int_equal(align_tensors_open(&file, packed_path, NULL), ALIGN_OK);
    assert_int_equal(align_tensors_new(&changed, NULL), ALIGN_OK);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *now = key && strcmp(keys[i], key) == 0 ? value : align_tensors_metadata(file, keys[i]);
        if (now)
            assert_int_equal(al_tensors_set_metadata(changed, keys[i], now, NULL), ALIGN_OK);
    }
    if (tensor && !align_tensors_get(file, name))
        assert_int_equal(align_tensors_add_view(changed, name, tensor, NULL), ALIGN_OK);
    for (size_t i = 0; i < align_tensors_count(file); i++) {
        const char *here = align_tensors_name(file, i);
        const align_tensor *now = name && strcmp(here, name) == 0 ? tensor : align_tensors_at(file, i);
        if (now)
            assert_int_equal(align_tensors_add_view(changed, here, now, NULL), ALIGN_OK);
    }
    assert_int_equal(al_tensors_save_aligned(changed, alignment, packed_path, NULL), ALIGN_OK);
    align_tensors_free(changed);
    align_tensors_free(file);
}

static void test_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        align_status status;
        const char *text;
    } cases[] = {
        {"format", "pt", ALIGN_ERROR_FORMAT, "expected format \"align-packed\""},
        {"format", NULL, ALIGN_ERROR_FORMAT, "expected format"},
        {"precision", "f8", ALIGN_ERROR_FORMAT, "precision \"f8\""},
        {"precision", NULL, ALIGN_ERROR_FORMAT, "no precision in its metadata"},
        {"layout", "0: panels of 7, f32 by 1 in 1", ALIGN_ERROR_UNSUPPORTED, "found \"0: panels of 7"},
        {"layout", NULL, ALIGN_ERROR_FORMAT, "no layout"},
        {"sizes.head", "0123456789abcdef", ALIGN_ERROR_MISMATCH, "found 0123456789abcdef"},
        {"sizes.text_model", "", ALIGN_ERROR_MISMATCH, "sizes.text_model"},
        {"sizes.vision_model", NULL, ALIGN_ERROR_FORMAT, "no sizes.vision_model"},
        {"fingerprint.head", NULL, ALIGN_ERROR_FORMAT, "no fingerprint.head"},
        {"fingerprint.text_model", "0123456789abcde", ALIGN_ERROR_FORMAT, "is not a number of 16 digits"},
        {"fingerprint.vision_model", "0123456789abcdef0", ALIGN_ERROR_FORMAT, "is not a number of 16 digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rewrite(cases[i].key, cases[i].value, NULL, NULL, 64);
        expect(ALIGN_TOWER_BOTH, ALIGN_PRECISION_AUTO, cases[i].status, cases[i].text);
    }
    empty_folder();
}

static void test_tensors(void **state)
{
    (void)state;
    static const uint8_t zeros[64 * 1024];
    const int64_t few[] = {640}, square[] = {8, 8}, one[] = {1};
    const align_tensor small = align_tensor_view(ALIGN_U8, 1, few, zeros);
    const align_tensor matrix = align_tensor_view(ALIGN_U8, 2, square, zeros);
    const align_tensor wrong = align_tensor_view(ALIGN_I8, 1, few, zeros);
    const align_tensor byte = align_tensor_view(ALIGN_U8, 1, one, zeros);
    const struct {
        const char *name;
        const align_tensor *tensor;
        align_status status;
        const char *text;
    } cases[] = {
        {"packed.text_model", NULL, ALIGN_ERROR_FORMAT, "tensor packed.text_model is missing"},
        {"packed.vision_model", &small, ALIGN_ERROR_MISMATCH, "packed.vision_model: expected"},
        {"packed.text_model", &matrix, ALIGN_ERROR_FORMAT, "rank 2"},
        {"packed.text_model", &wrong, ALIGN_ERROR_FORMAT, "found I8"},
        {WORDS, NULL, ALIGN_ERROR_FORMAT, WORDS " is missing"},
        {WORDS, &small, ALIGN_ERROR_FORMAT, WORDS ": not the floats"},
        {"temperature", NULL, ALIGN_ERROR_FORMAT, "temperature is missing"},
        {"one more", &byte, ALIGN_ERROR_FORMAT, "packed.text_model: expected packed weights at a multiple of 64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rewrite(NULL, NULL, cases[i].name, cases[i].tensor, 64);
        expect(ALIGN_TOWER_BOTH, ALIGN_PRECISION_AUTO, cases[i].status, cases[i].text);
    }
    empty_folder();
}

static void test_truncated(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32);
    assert_int_equal(al_file_read(&bytes, &size, packed_path, 1 << 24, NULL), ALIGN_OK);
    const size_t lengths[] = {0, 7, 8, 100, size / 2, size - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(al_file_write(packed_path, bytes, lengths[i], NULL), ALIGN_OK);
        expect(ALIGN_TOWER_BOTH, ALIGN_PRECISION_AUTO, ALIGN_ERROR_FORMAT, folder);
    }
    al_free(bytes);
    empty_folder();
}

static void test_other_demands(void **state)
{
    (void)state;
    align_config config;
    align_load_options options = ALIGN_LOAD_OPTIONS_INIT;
    align_error err = ALIGN_ERROR_INIT;
    align_model *model;
    pack("tiny", ALIGN_TOWER_BOTH, ALIGN_PRECISION_BF16);
    expect(ALIGN_TOWER_BOTH, ALIGN_PRECISION_F32, ALIGN_ERROR_UNSUPPORTED, "f32 asked for");
    expect(ALIGN_TOWER_TEXT, ALIGN_PRECISION_INT8, ALIGN_ERROR_UNSUPPORTED, "packed as bf16");
    options.tower = ALIGN_TOWER_TEXT;
    options.no_pooler = true;
    assert_int_equal(align_model_from_pretrained(&model, folder, &options, &err), ALIGN_ERROR_MISMATCH);
    assert_non_null(strstr(err.message, "pooler"));
    /* what is folded into the weights must be as it was, too */
    assert_int_equal(align_config_from_pretrained(&config, folder, NULL), ALIGN_OK);
    config.vision_config.batch_norm_eps *= 2;
    assert_int_equal(align_config_save_pretrained(&config, folder, NULL), ALIGN_OK);
    expect(ALIGN_TOWER_BOTH, ALIGN_PRECISION_AUTO, ALIGN_ERROR_MISMATCH, "sizes.vision_model");
    config.vision_config.batch_norm_eps /= 2;
    config.text_config.vocab_size += 1;
    assert_int_equal(align_config_save_pretrained(&config, folder, NULL), ALIGN_OK);
    expect(ALIGN_TOWER_BOTH, ALIGN_PRECISION_AUTO, ALIGN_ERROR_MISMATCH, "sizes.text_model");
    align_config_done(&config);
    options = (align_load_options)ALIGN_LOAD_OPTIONS_INIT;
    options.precision = ALIGN_PRECISION_COUNT;
    assert_int_equal(align_model_from_pretrained(&model, folder, &options, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    empty_folder();
}

/* ---- memory that is out ---- */

static void test_out_of_memory(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_model *model = load(GOLDEN "tiny", ALIGN_TOWER_BOTH), *out;
    align_status status;
    long n = 0;
    do {
        al_memory_fail_at(++n);
        status = align_model_save_packed(model, folder, &err);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
    } while (status != ALIGN_OK);
    assert_true(n > 10);
    n = 0;
    do {
        al_memory_fail_at(++n);
        status = align_model_from_pretrained(&out, folder, NULL, &err);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || (status == ALIGN_ERROR_OUT_OF_MEMORY && !out));
    } while (status != ALIGN_OK);
    assert_true(n > 10);
    align_model_free(out);
    align_model_free(model);
    empty_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_numbers),  cmocka_unit_test(test_tower_of_both),
        cmocka_unit_test(test_same_bytes),    cmocka_unit_test(test_what_is_lost),
        cmocka_unit_test(test_figures),       cmocka_unit_test(test_beside_other_weights),
        cmocka_unit_test(test_metadata),      cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_other_demands),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
