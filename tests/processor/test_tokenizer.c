/* Every folder of tests/golden/processor/tokenizer: encoding, decoding and saving as the reference does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text_test.h"

static const char *const folders[] = {"plain", "cased",  "strip_only", "lower_only", "unclean", "added", "added_cased",
                                      "tiny",  "legacy", "holes",      "left",       "swapped", "bert"};
#define FOLDERS (sizeof folders / sizeof *folders)

static int64_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char **strings(const json_t *array, size_t *count)
{
    *count = json_array_size(array);
    const char **out = calloc(*count + 1, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < *count; i++)
        out[i] = json_string_value(json_array_get(array, i));
    return out;
}

static align_encode_options options_of(const json_t *call)
{
    return (align_encode_options){
        .padding = (align_padding)integer(call, "padding"),
        .truncation = (align_truncation)integer(call, "truncation"),
        .max_length = integer(call, "max_length"),
        .pad_to_multiple_of = integer(call, "pad_to_multiple_of"),
        .add_special_tokens = json_is_true(json_object_get(call, "add_special_tokens")),
        .stride = integer(call, "stride"),
        .return_overflowing_tokens = json_is_true(json_object_get(call, "return_overflowing_tokens")),
        .pad_left = json_is_true(json_object_get(call, "pad_left")),
    };
}

/* Row r of one array; step 2 takes every second number, from first on. */
static void check_row(const char *where, const json_t *call, const char *key, size_t first, size_t step, size_t r,
                      const align_encoding *e, const int64_t *values)
{
    const json_t *row = json_array_get(json_object_get(call, key), r);
    const size_t length = e->offsets[r + 1] - e->offsets[r];
    const json_t *texts = json_object_get(call, "texts");
    const char *text = json_string_value(json_array_get(texts, (size_t)e->sample[r]));
    if (json_array_size(row) != length * step)
        fail_msg("%s: %s of \"%s\": expected %zu, found %zu", where, key, text, json_array_size(row) / step, length);
    for (size_t i = 0; i < length; i++) {
        const int64_t expected = json_integer_value(json_array_get(row, first + i * step));
        if (values[e->offsets[r] + i] != expected)
            fail_msg("%s: %s[%zu] of \"%s\": expected %lld, found %lld", where, key, i, text, (long long)expected,
                     (long long)values[e->offsets[r] + i]);
    }
}

static void check_encoding(const char *where, const json_t *call, const align_encoding *e)
{
    bool even = true;
    assert_int_equal(e->rows, json_array_size(json_object_get(call, "input_ids")));
    for (size_t r = 0; r < e->rows; r++) {
        assert_int_equal(e->sample[r], json_integer_value(json_array_get(json_object_get(call, "sample"), r)));
        check_row(where, call, "input_ids", 0, 1, r, e, e->input_ids);
        check_row(where, call, "token_type_ids", 0, 1, r, e, e->token_type_ids);
        check_row(where, call, "attention_mask", 0, 1, r, e, e->attention_mask);
        check_row(where, call, "special_tokens_mask", 0, 1, r, e, e->special_tokens_mask);
        check_row(where, call, "offset_mapping", 0, 2, r, e, e->char_starts);
        check_row(where, call, "offset_mapping", 1, 2, r, e, e->char_ends);
        even = even && e->offsets[r + 1] - e->offsets[r] == e->offsets[1];
    }
    assert_int_equal(e->length, even ? (int64_t)e->offsets[1] : -1);
}

static void check_call(const char *where, const align_tokenizer *t, const json_t *call)
{
    size_t count, pair_count;
    const char **texts = strings(json_object_get(call, "texts"), &count);
    const json_t *second = json_object_get(call, "pairs");
    const char **pairs = second ? strings(second, &pair_count) : NULL;
    const align_encode_options options = options_of(call);
    align_error err = ALIGN_ERROR_INIT;
    align_encoding e;
    const align_status status = align_tokenizer_encode(t, texts, pairs, count, &options, &e, &err);
    if (json_object_get(call, "error")) {
        assert_int_equal(status, ALIGN_ERROR_INVALID_ARGUMENT);
        assert_null(e.offsets);
        assert_true(err.message[0] != '\0');
    } else if (status != ALIGN_OK) {
        fail_msg("%s: %s", where, err.message);
    } else {
        check_encoding(where, call, &e);
    }
    align_encoding_done(&e);
    free(texts);
    free(pairs);
}

static void encoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < FOLDERS; i++) {
        align_tokenizer *t = open_golden(folders[i]);
        json_t *cases = golden_json(folders[i], "cases.json");
        const json_t *calls = json_object_get(cases, "calls");
        assert_true(json_array_size(calls) > 0);
        for (size_t k = 0; k < json_array_size(calls); k++)
            check_call(folders[i], t, json_array_get(calls, k));
        json_decref(cases);
        align_tokenizer_free(t);
    }
}

static void check_decode(const char *where, const align_tokenizer *t, const json_t *decode)
{
    int64_t ids[64];
    const json_t *array = json_object_get(decode, "ids");
    const size_t count = json_array_size(array);
    align_error err = ALIGN_ERROR_INIT;
    char *text;
    assert_true(count <= sizeof ids / sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = json_integer_value(json_array_get(array, i));
    if (align_tokenizer_decode(t, ids, count, json_is_true(json_object_get(decode, "skip")),
                               (int)integer(decode, "clean"), &text, &err) != ALIGN_OK)
        fail_msg("%s: %s", where, err.message);
    assert_string_equal(text, json_string_value(json_object_get(decode, "text")));
    align_free(text);
}

static void decoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < FOLDERS; i++) {
        align_tokenizer *t = open_golden(folders[i]);
        json_t *cases = golden_json(folders[i], "cases.json");
        const json_t *decodes = json_object_get(cases, "decodes");
        assert_true(json_array_size(decodes) > 0);
        for (size_t k = 0; k < json_array_size(decodes); k++)
            check_decode(folders[i], t, json_array_get(decodes, k));
        json_decref(cases);
        align_tokenizer_free(t);
    }
}

static void lookups(void **state)
{
    (void)state;
    for (size_t i = 0; i < FOLDERS; i++) {
        align_tokenizer *t = open_golden(folders[i]);
        json_t *cases = golden_json(folders[i], "cases.json");
        const char *token;
        json_t *id;
        assert_int_equal(align_tokenizer_vocab_size(t), integer(cases, "size"));
        json_object_foreach(json_object_get(cases, "tokens"), token, id)
        {
            const int64_t found = align_tokenizer_token_to_id(t, token);
            assert_int_equal(found, json_integer_value(id));
            if (found >= 0)
                assert_string_equal(align_tokenizer_id_to_token(t, found), token);
        }
        assert_null(align_tokenizer_id_to_token(t, -1));
        assert_null(align_tokenizer_id_to_token(t, INT64_MAX));
        assert_null(align_tokenizer_id_to_token(t, 1 << 20));
        json_decref(cases);
        align_tokenizer_free(t);
    }
}

static void check_saved(const char *folder, const char *name)
{
    char path[512];
    char *expected, *found, *saved = al_join_path(scratch, name);
    size_t expected_size, found_size;
    align_error err = ALIGN_ERROR_INIT;
    snprintf(path, sizeof path, TEXT_DATA "/%s/saved/%s", folder, name);
    assert_int_equal(al_is_file(path), al_is_file(saved));
    if (al_is_file(path)) {
        assert_int_equal(al_file_read(&expected, &expected_size, path, 1 << 20, &err), ALIGN_OK);
        assert_int_equal(al_file_read(&found, &found_size, saved, 1 << 20, &err), ALIGN_OK);
        assert_string_equal(found, expected);
        assert_int_equal(found_size, expected_size);
        al_free(expected);
        al_free(found);
    }
    al_free(saved);
}

/* Byte for byte, and what was saved can be loaded. */
static void saving(void **state)
{
    (void)state;
    for (size_t i = 0; i < FOLDERS; i++) {
        align_error err = ALIGN_ERROR_INIT;
        align_tokenizer *t = open_golden(folders[i]);
        if (align_tokenizer_save_pretrained(t, scratch, &err) != ALIGN_OK)
            fail_msg("%s", err.message);
        align_tokenizer_free(t);
        check_saved(folders[i], "tokenizer.json");
        check_saved(folders[i], "tokenizer_config.json");
        check_saved(folders[i], "special_tokens_map.json");
        check_saved(folders[i], "added_tokens.json");
        check_saved(folders[i], "vocab.txt");
        align_tokenizer_free(open_tokenizer(scratch));
        scratch_empty();
    }
}

/* What a call without options does, and calls without texts. */
static void defaults(void **state)
{
    (void)state;
    align_tokenizer *t = open_golden("plain");
    const char *const texts[] = {"a photo of a cat", "a dog"};
    const char *const pairs[] = {NULL, "a man"};
    align_encoding e;
    assert_int_equal(align_tokenizer_encode(t, texts, pairs, 2, NULL, &e, NULL), ALIGN_OK);
    assert_int_equal(e.rows, 2);
    assert_int_equal(e.length, 64);
    assert_int_equal(e.input_ids[0], align_tokenizer_token_to_id(t, "[CLS]"));
    assert_int_equal(e.token_type_ids[5], 0);
    assert_int_equal(e.token_type_ids[64 + 4], 1);
    assert_int_equal(e.attention_mask[64 + 6], 1);
    assert_int_equal(e.attention_mask[64 + 7], 0);
    assert_int_equal(e.input_ids[127], align_tokenizer_token_to_id(t, "[PAD]"));
    align_encoding_done(&e);
    assert_null(e.offsets);
    align_encoding_done(&e);
    align_encoding_done(NULL);

    assert_int_equal(align_tokenizer_encode(t, NULL, NULL, 0, NULL, &e, NULL), ALIGN_OK);
    assert_int_equal(e.rows, 0);
    assert_int_equal(e.length, 0);
    align_encoding_done(&e);

    /* Texts without a word, alone and as a pair: nothing but special tokens. */
    const char *const nothing[] = {"", " \t"};
    align_encode_options bare = ALIGN_ENCODE_OPTIONS_INIT;
    bare.padding = ALIGN_PAD_NONE;
    for (size_t special = 0; special < 2; special++) {
        bare.add_special_tokens = special == 1;
        assert_int_equal(align_tokenizer_encode(t, nothing, NULL, 2, &bare, &e, NULL), ALIGN_OK);
        assert_int_equal(e.offsets[2], special * 4);
        align_encoding_done(&e);
        assert_int_equal(align_tokenizer_encode(t, nothing, nothing, 2, &bare, &e, NULL), ALIGN_OK);
        assert_int_equal(e.offsets[2], special * 6);
        align_encoding_done(&e);
    }

    char *text;
    assert_int_equal(align_tokenizer_decode(t, NULL, 0, false, -1, &text, NULL), ALIGN_OK);
    assert_string_equal(text, "");
    align_free(text);
    align_tokenizer_free(t);
    align_tokenizer_free(NULL);
}

/* Row by row the same as decode; one block of memory. */
static void batches(void **state)
{
    (void)state;
    align_tokenizer *t = open_golden("plain");
    const int64_t n = align_tokenizer_vocab_size(t);
    int64_t ids[40];
    const size_t offsets[] = {0, 7, 7, 20, 40};
    char **texts, *text;
    for (int i = 0; i < 40; i++)
        ids[i] = i * 37 % n;
    assert_int_equal(align_tokenizer_batch_decode(t, ids, offsets, 4, true, -1, &texts, NULL), ALIGN_OK);
    for (size_t r = 0; r < 4; r++) {
        assert_int_equal(
            align_tokenizer_decode(t, ids + offsets[r], offsets[r + 1] - offsets[r], true, -1, &text, NULL), ALIGN_OK);
        assert_string_equal(texts[r], text);
        align_free(text);
    }
    assert_string_equal(texts[1], "");
    align_free(texts);
    assert_int_equal(align_tokenizer_batch_decode(t, NULL, NULL, 0, false, -1, &texts, NULL), ALIGN_OK);
    align_free(texts);

    align_error err = ALIGN_ERROR_INIT;
    const size_t backwards[] = {0, 5, 4};
    assert_int_equal(align_tokenizer_batch_decode(t, ids, backwards, 2, false, -1, &texts, &err),
                     ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "row 1"));
    assert_int_equal(align_tokenizer_batch_decode(t, ids, NULL, 2, false, -1, &texts, NULL),
                     ALIGN_ERROR_INVALID_ARGUMENT);
    for (long i = 1;; i++) {
        al_memory_fail_at(i);
        const align_status status = align_tokenizer_batch_decode(t, ids, offsets, 4, false, 0, &texts, NULL);
        al_memory_fail_at(0);
        if (status == ALIGN_OK)
            break;
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
        assert_null(texts);
    }
    align_free(texts);
    align_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding), cmocka_unit_test(decoding), cmocka_unit_test(lookups),
        cmocka_unit_test(saving),   cmocka_unit_test(defaults), cmocka_unit_test(batches),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
