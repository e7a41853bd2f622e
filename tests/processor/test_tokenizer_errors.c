/* What a tokenizer refuses and says about it: hostile files, bad arguments, no memory; and texts of great length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text_test.h"

/* ---- files ---- */

static void assert_load_fails(align_status status, const char *file, const char *what)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tokenizer *t = (align_tokenizer *)scratch;
    const align_status found = align_tokenizer_from_pretrained(&t, scratch, &err);
    if (found != status || !strstr(err.message, file) || !strstr(err.message, what))
        fail_msg("expected %s with %s and \"%s\", found %s: %s", align_status_name(status), file, what,
                 align_status_name(found), err.message);
    assert_null(t);
    assert_int_equal(err.status, status);
    assert_int_equal(align_tokenizer_from_pretrained(&t, scratch, NULL), status);
}

/* Puts the text's value at a path like "model.vocab.a" or "added_tokens.0.id"; NULL removes what is there. */
static void change(json_t *tree, const char *path, const char *text)
{
    char step[64];
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(!text || value);
    for (const char *dot = strchr(path, '.'); dot; path = dot + 1, dot = strchr(path, '.')) {
        snprintf(step, sizeof step, "%.*s", (int)(dot - path), path);
        tree = json_is_array(tree) ? json_array_get(tree, (size_t)atoi(step)) : json_object_get(tree, step);
        assert_non_null(tree);
    }
    if (json_is_array(tree))
        json_array_set_new(tree, (size_t)atoi(path), value);
    else if (value)
        json_object_set_new(tree, path, value);
    else
        assert_int_equal(json_object_del(tree, path), 0);
}

/* The golden folder "plain", whose tokenizer.json has 151 tokens from 0 on, with one thing changed. */
static void write_changed(const char *file, const char *path, const char *text)
{
    json_t *tree = golden_json("plain", file);
    change(tree, path, text);
    char *out = al_join_path(scratch, file);
    assert_int_equal(al_json_save(tree, out, AL_JSON_KEEP_ORDER, NULL), ALIGN_OK);
    al_free(out);
    json_decref(tree);
}

static const struct {
    const char *path, *value;
    align_status status;
    const char *message;
} bad_tokenizers[] = {
    {"version", "\"2.0\"", ALIGN_ERROR_UNSUPPORTED, "version"},
    {"version", "1", ALIGN_ERROR_FORMAT, "version"},
    {"model", "null", ALIGN_ERROR_UNSUPPORTED, "model"},
    {"model", NULL, ALIGN_ERROR_UNSUPPORTED, "model"},
    {"model", "[]", ALIGN_ERROR_FORMAT, "model"},
    {"model.type", "\"BPE\"", ALIGN_ERROR_UNSUPPORTED, "model.type"},
    {"model.type", "7", ALIGN_ERROR_FORMAT, "model.type"},
    {"model.type", NULL, ALIGN_ERROR_UNSUPPORTED, "model.type"},
    {"model.unk_token", NULL, ALIGN_ERROR_FORMAT, "model.unk_token"},
    {"model.unk_token", "0", ALIGN_ERROR_FORMAT, "model.unk_token"},
    {"model.continuing_subword_prefix", "null", ALIGN_ERROR_FORMAT, "model.continuing_subword_prefix"},
    {"model.max_input_chars_per_word", "-1", ALIGN_ERROR_FORMAT, "model.max_input_chars_per_word"},
    {"model.max_input_chars_per_word", "1.5", ALIGN_ERROR_FORMAT, "model.max_input_chars_per_word"},
    {"model.vocab", NULL, ALIGN_ERROR_FORMAT, "model.vocab"},
    {"model.vocab", "[\"a\"]", ALIGN_ERROR_FORMAT, "model.vocab"},
    {"model.vocab.cat", "-1", ALIGN_ERROR_FORMAT, "model.vocab.cat"},
    {"model.vocab.cat", "16777216", ALIGN_ERROR_FORMAT, "model.vocab.cat"},
    {"model.vocab.cat", "4294967296", ALIGN_ERROR_FORMAT, "model.vocab.cat"},
    {"model.vocab.cat", "1e3", ALIGN_ERROR_FORMAT, "model.vocab.cat"},
    {"model.vocab.cat", "\"5\"", ALIGN_ERROR_FORMAT, "model.vocab.cat"},
    {"model.vocab.cat", "0", ALIGN_ERROR_FORMAT, "model.vocab.cat"},
    {"normalizer", "null", ALIGN_ERROR_UNSUPPORTED, "normalizer"},
    {"normalizer.type", "\"Sequence\"", ALIGN_ERROR_UNSUPPORTED, "normalizer.type"},
    {"normalizer.clean_text", NULL, ALIGN_ERROR_FORMAT, "normalizer.clean_text"},
    {"normalizer.lowercase", "1", ALIGN_ERROR_FORMAT, "normalizer.lowercase"},
    {"normalizer.strip_accents", "\"no\"", ALIGN_ERROR_FORMAT, "normalizer.strip_accents"},
    {"pre_tokenizer.type", "\"Whitespace\"", ALIGN_ERROR_UNSUPPORTED, "pre_tokenizer.type"},
    {"pre_tokenizer", "null", ALIGN_ERROR_UNSUPPORTED, "pre_tokenizer"},
    {"decoder", "null", ALIGN_ERROR_UNSUPPORTED, "decoder"},
    {"decoder.type", "\"ByteLevel\"", ALIGN_ERROR_UNSUPPORTED, "decoder.type"},
    {"decoder.prefix", "1", ALIGN_ERROR_FORMAT, "decoder.prefix"},
    {"decoder.cleanup", NULL, ALIGN_ERROR_FORMAT, "decoder.cleanup"},
    {"post_processor", "null", ALIGN_ERROR_UNSUPPORTED, "post_processor"},
    {"post_processor.type", "\"RobertaProcessing\"", ALIGN_ERROR_UNSUPPORTED, "post_processor.type"},
    {"post_processor", "{\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\"]}", ALIGN_ERROR_FORMAT, "cls"},
    {"post_processor", "{\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", 3], \"sep\": [4, 4]}", ALIGN_ERROR_FORMAT,
     "sep"},
    {"post_processor.single", NULL, ALIGN_ERROR_FORMAT, "post_processor.single"},
    {"post_processor.single", "{}", ALIGN_ERROR_FORMAT, "post_processor.single"},
    {"post_processor.single", "[]", ALIGN_ERROR_UNSUPPORTED, "post_processor.single"},
    {"post_processor.single.1", "7", ALIGN_ERROR_FORMAT, "post_processor.single[1]"},
    {"post_processor.single.1", "{\"Other\": {}}", ALIGN_ERROR_FORMAT, "post_processor.single[1]"},
    {"post_processor.single.1.Sequence.id", "\"C\"", ALIGN_ERROR_FORMAT, "single[1].Sequence.id"},
    {"post_processor.single.1.Sequence.id", "\"B\"", ALIGN_ERROR_UNSUPPORTED, "post_processor.single"},
    {"post_processor.single.1.Sequence.type_id", "-1", ALIGN_ERROR_FORMAT, "single[1].Sequence.type_id"},
    {"post_processor.single.0.SpecialToken.type_id", "4294967296", ALIGN_ERROR_FORMAT, "type_id"},
    {"post_processor.single.0.SpecialToken.id", "\"[X]\"", ALIGN_ERROR_FORMAT, "special_tokens.[X]"},
    {"post_processor.single.0.SpecialToken.id", NULL, ALIGN_ERROR_FORMAT, "single[0].SpecialToken.id"},
    {"post_processor.pair.3", "{\"Sequence\": {\"id\": \"A\", \"type_id\": 1}}", ALIGN_ERROR_UNSUPPORTED, "pair"},
    {"post_processor.special_tokens", NULL, ALIGN_ERROR_FORMAT, "special_tokens"},
    {"post_processor.special_tokens.[CLS].ids", NULL, ALIGN_ERROR_FORMAT, "special_tokens.[CLS].ids"},
    {"post_processor.special_tokens.[CLS].ids", "[-1]", ALIGN_ERROR_FORMAT, "special_tokens.[CLS].ids"},
    {"post_processor.special_tokens.[CLS].ids", "[4294967296]", ALIGN_ERROR_FORMAT, "special_tokens.[CLS].ids"},
    {"added_tokens", "{}", ALIGN_ERROR_FORMAT, "added_tokens"},
    {"added_tokens.0", "1", ALIGN_ERROR_FORMAT, "added_tokens[0]"},
    {"added_tokens.1.content", NULL, ALIGN_ERROR_FORMAT, "added_tokens[1].content"},
    {"added_tokens.1.content", "null", ALIGN_ERROR_FORMAT, "added_tokens[1].content"},
    {"added_tokens.1.lstrip", "\"yes\"", ALIGN_ERROR_FORMAT, "added_tokens[1].lstrip"},
    {"added_tokens.1.special", NULL, ALIGN_ERROR_FORMAT, "added_tokens[1].special"},
    {"added_tokens.1.id", NULL, ALIGN_ERROR_FORMAT, "added_tokens[1].id"},
    {"added_tokens.1.id", "-2", ALIGN_ERROR_FORMAT, "added_tokens[1].id"},
    {"added_tokens.1.id", "3000000000", ALIGN_ERROR_FORMAT, "added_tokens[1].id"},
    {"added_tokens.1.id", "0", ALIGN_ERROR_FORMAT, "added_tokens[1].id"},
    {"added_tokens.1.content", "\"<new>\"", ALIGN_ERROR_FORMAT, "added_tokens[1].id"},
    {"truncation", "7", ALIGN_ERROR_FORMAT, "truncation"},
    {"truncation", "{\"max_length\": 3, \"stride\": 0}", ALIGN_ERROR_FORMAT, "truncation.strategy"},
    {"truncation", "{\"max_length\": 3, \"stride\": 0, \"strategy\": \"Any\"}", ALIGN_ERROR_FORMAT,
     "truncation.strategy"},
    {"truncation", "{\"max_length\": -3}", ALIGN_ERROR_FORMAT, "truncation.max_length"},
    {"truncation", "{\"direction\": \"Up\"}", ALIGN_ERROR_FORMAT, "truncation.direction"},
    {"padding", "{}", ALIGN_ERROR_FORMAT, "padding.strategy"},
    {"padding", "{\"strategy\": {\"Fixed\": -1}}", ALIGN_ERROR_FORMAT, "padding.strategy.Fixed"},
    {"padding", "{\"strategy\": \"BatchLongest\", \"direction\": \"Left\"}", ALIGN_ERROR_FORMAT, "padding.pad_id"},
};

static void hostile_tokenizer_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_tokenizers / sizeof *bad_tokenizers; i++) {
        write_changed("tokenizer.json", bad_tokenizers[i].path, bad_tokenizers[i].value);
        assert_load_fails(bad_tokenizers[i].status, "tokenizer.json", bad_tokenizers[i].message);
    }
    static const char *const texts[] = {"", "[]", "7", "{", "{}", "{\"model\": {\"type\": \"WordPiece\"}}", "\xFF"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        scratch_write("tokenizer.json", texts[i]);
        assert_load_fails(i == 4 ? ALIGN_ERROR_UNSUPPORTED : ALIGN_ERROR_FORMAT, "tokenizer.json", "");
    }
    scratch_empty();
}

static const struct {
    const char *path, *value, *message;
} bad_configs[] = {
    {"do_lower_case", "null", "do_lower_case"},
    {"do_lower_case", "\"true\"", "do_lower_case"},
    {"tokenize_chinese_chars", "0", "tokenize_chinese_chars"},
    {"strip_accents", "[]", "strip_accents"},
    {"clean_up_tokenization_spaces", "1", "clean_up_tokenization_spaces"},
    {"model_max_length", "\"64\"", "model_max_length"},
    {"model_max_length", "-1", "model_max_length"},
    {"padding_side", "\"top\"", "padding_side"},
    {"truncation_side", "1", "truncation_side"},
    {"pad_token", "7", "pad_token"},
    {"pad_token", "{}", "pad_token.content"},
    {"pad_token", "{\"content\": \"[PAD]\", \"lstrip\": 1}", "pad_token.lstrip"},
    {"additional_special_tokens", "{}", "additional_special_tokens"},
    {"additional_special_tokens", "[null]", "additional_special_tokens[0]"},
    {"additional_special_tokens", "[[]]", "additional_special_tokens"},
    {"added_tokens_decoder", "[]", "added_tokens_decoder"},
    {"added_tokens_decoder.x", "{\"content\": \"x\"}", "added_tokens_decoder"},
    {"added_tokens_decoder.-1", "{\"content\": \"x\"}", "added_tokens_decoder"},
    {"added_tokens_decoder.99999999999", "{\"content\": \"x\"}", "added_tokens_decoder"},
    {"added_tokens_decoder.7", "\"x\"", "added_tokens_decoder.7"},
    {"added_tokens_decoder.7", "{\"lstrip\": true}", "added_tokens_decoder.7.content"},
};

static void hostile_configs(void **state)
{
    (void)state;
    write_changed("tokenizer.json", "padding", "null");
    for (size_t i = 0; i < sizeof bad_configs / sizeof *bad_configs; i++) {
        write_changed("tokenizer_config.json", bad_configs[i].path, bad_configs[i].value);
        assert_load_fails(ALIGN_ERROR_FORMAT, "tokenizer_config.json", bad_configs[i].message);
    }
    scratch_write("tokenizer_config.json", "[]");
    assert_load_fails(ALIGN_ERROR_FORMAT, "tokenizer_config.json", "object");
    scratch_write("tokenizer_config.json", "{}");
    scratch_write("special_tokens_map.json", "{\"cls_token\": 7}");
    assert_load_fails(ALIGN_ERROR_FORMAT, "special_tokens_map.json", "cls_token");
    scratch_write("special_tokens_map.json", "[]");
    assert_load_fails(ALIGN_ERROR_FORMAT, "special_tokens_map.json", "object");
    scratch_write("special_tokens_map.json", "{}");
    scratch_write("added_tokens.json", "{\"<x>\": \"7\"}");
    assert_load_fails(ALIGN_ERROR_FORMAT, "added_tokens.json", "<x>");
    scratch_write("added_tokens.json", "{\"<x>\": -7}");
    assert_load_fails(ALIGN_ERROR_FORMAT, "added_tokens.json", "<x>");
    /* a token of which normalising leaves nothing would be found everywhere */
    scratch_write("added_tokens.json", "{\"\\u0301\": 151}");
    assert_load_fails(ALIGN_ERROR_UNSUPPORTED, "", "nothing is left");
    scratch_empty();
}

static void hostile_vocabularies(void **state)
{
    (void)state;
    assert_load_fails(ALIGN_ERROR_NOT_FOUND, scratch, "vocab.txt");
    scratch_write("vocab.txt", "[PAD]\n[UNK]\na\xC3\n");
    assert_load_fails(ALIGN_ERROR_FORMAT, "vocab.txt", "byte 13");
    char *path = al_join_path(scratch, "vocab.txt");
    assert_int_equal(al_file_write(path, "a\0b\n", 4, NULL), ALIGN_OK);
    al_free(path);
    assert_load_fails(ALIGN_ERROR_FORMAT, "vocab.txt", "NUL");
    /* line 1 is a hole, and [PAD] would get the id of "b" */
    scratch_write("vocab.txt", "[UNK]\na\n[CLS]\na\n[SEP]\nb\n[MASK]\nc\n");
    assert_load_fails(ALIGN_ERROR_FORMAT, "tokenizer_config.json", "holes");
    scratch_write("vocab.txt", "a\nb\n");
    scratch_write("tokenizer_config.json", "{\"cls_token\": null}");
    assert_load_fails(ALIGN_ERROR_FORMAT, "tokenizer_config.json", "cls_token");
    scratch_write("tokenizer_config.json", "{\"sep_token\": \"\"}");
    assert_load_fails(ALIGN_ERROR_FORMAT, "tokenizer_config.json", "sep_token");

    /* added to the vocabulary, the unknown token is still no token of the model: words that need it fail */
    scratch_write("tokenizer_config.json", "{}");
    align_tokenizer *t = open_tokenizer(scratch);
    const char *const texts[] = {"a b", "x"};
    align_encoding e;
    align_error err = ALIGN_ERROR_INIT;
    assert_int_equal(align_tokenizer_vocab_size(t), 7);
    assert_int_equal(align_tokenizer_encode(t, texts, NULL, 1, NULL, &e, &err), ALIGN_OK);
    align_encoding_done(&e);
    assert_int_equal(align_tokenizer_encode(t, texts, NULL, 2, NULL, &e, &err), ALIGN_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "text 1"));
    assert_non_null(strstr(err.message, "[UNK]"));
    align_tokenizer_free(t);
    scratch_write("vocab.txt", "");
    align_tokenizer_free(open_tokenizer(scratch));
    scratch_empty();
}

/* ---- arguments ---- */

static void assert_encode_fails(const align_tokenizer *t, const char *text, const char *pair,
                                const align_encode_options *options, const char *what)
{
    const char *const texts[] = {"a cat", text}, *const pairs[] = {NULL, pair};
    align_error err = ALIGN_ERROR_INIT;
    align_encoding e;
    const align_status status = align_tokenizer_encode(t, texts, pairs, 2, options, &e, &err);
    if (status != ALIGN_ERROR_INVALID_ARGUMENT || !strstr(err.message, what))
        fail_msg("expected an invalid argument with \"%s\", found %s: %s", what, align_status_name(status),
                 err.message);
    assert_null(e.offsets);
    assert_int_equal(align_tokenizer_encode(t, texts, pairs, 2, options, &e, NULL), status);
}

static void bad_arguments(void **state)
{
    (void)state;
    align_tokenizer *t = open_golden("plain");
    align_encode_options o = ALIGN_ENCODE_OPTIONS_INIT;
    assert_encode_fails(t, NULL, NULL, &o, "text 1 is NULL");
    assert_encode_fails(t, "ab\xC3(", NULL, &o, "text 1: byte 2 is not valid UTF-8");
    assert_encode_fails(t, "a", "\xED\xA0\x80", &o, "pair 1: byte 0 is not valid UTF-8");
    o.padding = (align_padding)3;
    assert_encode_fails(t, "a", NULL, &o, "padding: 3");
    o = (align_encode_options)ALIGN_ENCODE_OPTIONS_INIT;
    o.truncation = (align_truncation)9;
    assert_encode_fails(t, "a", NULL, &o, "truncation: 9");
    o = (align_encode_options)ALIGN_ENCODE_OPTIONS_INIT;
    o.stride = -1;
    assert_encode_fails(t, "a", NULL, &o, "stride");
    o.stride = 0;
    o.pad_to_multiple_of = -8;
    assert_encode_fails(t, "a", NULL, &o, "pad_to_multiple_of");
    o.pad_to_multiple_of = 7;
    o.truncation = ALIGN_TRUNCATE_LONGEST_FIRST;
    assert_encode_fails(t, "a", NULL, &o, "64 is not a multiple of pad_to_multiple_of 7");
    o = (align_encode_options){.padding = ALIGN_PAD_NONE, .truncation = ALIGN_TRUNCATE_ONLY_SECOND, .max_length = 3};
    assert_encode_fails(t, "a a a a", NULL, &o, "text 1: truncation: only_second");
    assert_encode_fails(t, "a a a a", "a", &o, "text 1: truncation: of 1 tokens 2 would have to go");
    o.truncation = ALIGN_TRUNCATE_ONLY_FIRST;
    o.stride = 3;
    o.add_special_tokens = true;
    assert_encode_fails(t, "a", NULL, &o, "stride: 3 does not fit");

    /* rows that no memory could hold */
    o = (align_encode_options)ALIGN_ENCODE_OPTIONS_INIT;
    o.max_length = INT64_MAX;
    const char *const texts[] = {"a"};
    align_encoding e;
    assert_int_equal(align_tokenizer_encode(t, texts, NULL, 1, &o, &e, NULL), ALIGN_ERROR_OUT_OF_MEMORY);
    assert_null(e.offsets);

    char *text;
    assert_int_equal(align_tokenizer_encode(NULL, texts, NULL, 1, &o, &e, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tokenizer_encode(t, NULL, NULL, 1, &o, &e, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tokenizer_encode(t, texts, NULL, 1, &o, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tokenizer_decode(t, NULL, 1, false, -1, &text, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tokenizer_from_pretrained(NULL, scratch, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tokenizer_from_pretrained(&t, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tokenizer_save_pretrained(t, NULL, NULL), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(align_tokenizer_token_to_id(t, NULL), -1);
    align_tokenizer_free(t);
}

static void no_pad_token(void **state)
{
    (void)state;
    write_changed("tokenizer.json", "padding", "null");
    write_changed("tokenizer_config.json", "pad_token", "null");
    align_tokenizer *t = open_tokenizer(scratch);
    align_encode_options o = ALIGN_ENCODE_OPTIONS_INIT;
    assert_encode_fails(t, "a", NULL, &o, "no pad token");
    o.padding = ALIGN_PAD_NONE;
    const char *const texts[] = {"a"};
    align_encoding e;
    assert_int_equal(align_tokenizer_encode(t, texts, NULL, 1, &o, &e, NULL), ALIGN_OK);
    align_encoding_done(&e);
    align_tokenizer_free(t);
    scratch_empty();
}

/* ---- memory ---- */

static align_status sweep_load(const void *data)
{
    align_tokenizer *t;
    const align_status status = align_tokenizer_from_pretrained(&t, data, NULL);
    align_tokenizer_free(t);
    return status;
}

static align_status sweep_encode(const void *data)
{
    const char *const texts[] = {"a photo of a cat <a> \xC3\xA9\xCC\x96 Day", "a\xCC\x81\xCC\x96\xE3\x80\xAE [MASK] x"};
    const char *const pairs[] = {"a man and a dog and a man", NULL};
    const align_encode_options o = {.padding = ALIGN_PAD_LONGEST,
                                    .truncation = ALIGN_TRUNCATE_LONGEST_FIRST,
                                    .max_length = 9,
                                    .add_special_tokens = true,
                                    .stride = 1,
                                    .return_overflowing_tokens = true};
    align_encoding e;
    const align_status status = align_tokenizer_encode(data, texts, pairs, 2, &o, &e, NULL);
    assert_true(status == ALIGN_OK || !e.offsets);
    align_encoding_done(&e);
    return status;
}

static align_status sweep_decode(const void *data)
{
    static const int64_t ids[] = {3, 20, 21, 30, 4, 5, 100, 101, 102};
    char *text;
    const align_status status = align_tokenizer_decode(data, ids, sizeof ids / sizeof *ids, false, 1, &text, NULL);
    assert_true((status == ALIGN_OK) == (text != NULL));
    align_free(text);
    return status;
}

static align_status sweep_save(const void *data)
{
    return align_tokenizer_save_pretrained(data, scratch, NULL);
}

/* With the n-th allocation failing for n = 1, 2, ... the call fails for want of memory until it succeeds. */
static void sweep(align_status (*call)(const void *), const void *data)
{
    for (long n = 1;; n++) {
        al_memory_fail_at(n);
        const align_status status = call(data);
        al_memory_fail_at(0);
        if (status == ALIGN_OK) {
            assert_true(n > 1);
            return;
        }
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
}

static void without_memory(void **state)
{
    (void)state;
    align_tokenizer *t = open_golden("added");
    sweep(sweep_load, TEXT_DATA "/added");
    sweep(sweep_load, TEXT_DATA "/legacy");
    sweep(sweep_load, TEXT_DATA "/left");
    sweep(sweep_encode, t);
    sweep(sweep_decode, t);
    sweep(sweep_save, t);
    align_tokenizer_free(t);
    scratch_empty();
}

/* ---- length ---- */

/* Encodes text repeated to about 1 MB; returns how many pieces there are. Quadratic work would not end. */
static size_t encode_long(const align_tokenizer *t, const char *text)
{
    const size_t size = strlen(text), times = ((size_t)1 << 20) / size;
    char *big = malloc(times * size + 1);
    align_encode_options o = ALIGN_ENCODE_OPTIONS_INIT;
    align_encoding e;
    align_error err = ALIGN_ERROR_INIT;
    assert_non_null(big);
    for (size_t i = 0; i < times; i++)
        memcpy(big + i * size, text, size);
    big[times * size] = '\0';
    o.add_special_tokens = false;
    o.padding = ALIGN_PAD_NONE;
    const char *const texts[] = {big};
    if (align_tokenizer_encode(t, texts, NULL, 1, &o, &e, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    const size_t count = e.offsets[1];
    for (size_t i = 0; i + 1 < count; i++)
        assert_true(e.char_ends[i] <= e.char_starts[i + 1] || e.char_starts[i] == e.char_starts[i + 1]);
    align_encoding_done(&e);
    free(big);
    return count;
}

static void long_texts(void **state)
{
    (void)state;
    static const char *const folders[] = {"plain", "added", "unclean"};
    const size_t mb = (size_t)1 << 20;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        align_tokenizer *t = open_golden(folders[i]);
        assert_int_equal(encode_long(t, "a cat "), mb / 6 * 2);
        assert_int_equal(encode_long(t, "a"), 1);
        assert_int_equal(encode_long(t, " "), 0);
        assert_int_equal(encode_long(t, "["), mb);
        assert_int_equal(encode_long(t, "[MASK]"), mb / 6);
        assert_int_equal(encode_long(t, "\xE4\xB8\xAD"), mb / 3);
        assert_int_equal(encode_long(t, "\xCC\x81\xCC\x96"), 0); /* marks in need of sorting */
        assert_int_equal(encode_long(t, "\xE1\x84\x92\xE1\x85\xA1\xE3\x80\xAE\xF0\x9D\x85\xA5"), 1);
        encode_long(t, "<a");
        encode_long(t, "new york  <b> Day");
        align_tokenizer_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_tokenizer_json),
        cmocka_unit_test(hostile_configs),
        cmocka_unit_test(hostile_vocabularies),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(no_pad_token),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
