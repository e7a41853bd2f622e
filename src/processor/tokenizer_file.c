/*
 * tokenizer_file.c: the vocabulary and all else that tokenizer.json or vocab.txt has to say.
 *
 * Only BERT's tokenizer.json is read: WordPiece, BertNormalizer, BertPreTokenizer. Anything else is UNSUPPORTED with
 * its key. What the reference merely warns about (an added token whose id does not fit) is an error here.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "processor/tokenizer.h"
#include "processor/unicode.h"

#include <string.h>

#define MOST_VOCABULARY_BYTES ((size_t)256 << 20)

/* ---- tokenizer.json ---- */

static align_status missing(const al_json_object *object, const char *key, align_error *err)
{
    return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: key %s%s is missing", object->file, object->path, key);
}

static align_status require(const al_json_object *object, const char *key, align_error *err)
{
    return json_object_get(object->object, key) ? ALIGN_OK : missing(object, key, err);
}

static align_status copy_string(const al_json_object *object, const char *key, char **out, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *value = NULL;
    TRY(require(object, key, err));
    TRY(al_json_string(object, key, &value, err));
    *out = al_strdup(value);
    if (!*out)
        status = al_error_no_memory(err, strlen(value) + 1);
done:
    return status;
}

/* A whole number that a size can be. */
static align_status load_size(const al_json_object *object, const char *key, int64_t *value, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(require(object, key, err));
    TRY(al_json_int64(object, key, value, err));
    if (*value < 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: expected 0 or more, found %" PRId64, object->file, object->path,
             key, *value);
done:
    return status;
}

/* One of the parts that must be there, of the only type that is known here. */
static align_status load_part(al_json_object *part, const al_json_object *root, const char *key, const char *type,
                              align_error *err)
{
    align_status status = ALIGN_OK;
    const char *found = NULL;
    if (!al_json_has(root, key))
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: key %s: expected a %s, found none", root->file, key, type);
    TRY(al_json_child(root, key, part, err));
    TRY(al_json_string(part, "type", &found, err));
    if (!found || strcmp(found, type) != 0)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: key %s.type: expected \"%s\", found %s%s%s", root->file, key, type,
             found ? "\"" : "", found ? found : "none", found ? "\"" : "");
done:
    return status;
}

static align_status load_normalizer(align_tokenizer *t, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    static const char *const keys[] = {"clean_text", "handle_chinese_chars", "lowercase"};
    al_json_object part;
    TRY(load_part(&part, root, "normalizer", "BertNormalizer", err));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        TRY(require(&part, keys[i], err));
    TRY(al_json_bool(&part, "clean_text", &t->normalizer.clean_text, err));
    TRY(al_json_bool(&part, "handle_chinese_chars", &t->normalizer.handle_chinese_chars, err));
    TRY(al_json_bool(&part, "lowercase", &t->normalizer.lowercase, err));
    t->normalizer.strip_accents = t->normalizer.lowercase;
    if (!al_json_is_null(&part, "strip_accents"))
        TRY(al_json_bool(&part, "strip_accents", &t->normalizer.strip_accents, err));
done:
    return status;
}

static align_status load_vocabulary(al_vocabulary *vocabulary, const al_json_object *model, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object vocab = {0};
    TRY(require(model, "vocab", err));
    TRY(al_json_child(model, "vocab", &vocab, err));
    for (void *i = json_object_iter((json_t *)(uintptr_t)vocab.object); i;
         i = json_object_iter_next((json_t *)(uintptr_t)vocab.object, i)) {
        const char *token = json_object_iter_key(i);
        const json_t *value = json_object_iter_value(i);
        if (!json_is_integer(value)) {
            status = al_json_wrong_type(&vocab, token, "an integer", value, err);
            goto done;
        }
        const json_int_t id = json_integer_value(value);
        if (id < 0 || id >= AL_VOCABULARY_IDS)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: expected an id from 0 to %" PRId64 ", found %" PRId64,
                 vocab.file, vocab.path, token, AL_VOCABULARY_IDS - 1, (int64_t)id);
        const al_token *other = al_vocabulary_at(vocabulary, id);
        if (other)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: id %" PRId64 " belongs to \"%s\" already", vocab.file,
                 vocab.path, token, (int64_t)id, al_vocabulary_text(vocabulary, other));
        TRY(al_vocabulary_add(vocabulary, token, strlen(token), (uint32_t)id, err));
    }
done:
    return status;
}

static align_status load_model(al_wordpiece *model, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object part;
    TRY(load_part(&part, root, "model", "WordPiece", err));
    TRY(copy_string(&part, "unk_token", &model->unk_token, err));
    TRY(copy_string(&part, "continuing_subword_prefix", &model->prefix, err));
    TRY(load_size(&part, "max_input_chars_per_word", &model->max_chars, err));
    TRY(load_vocabulary(&model->vocabulary, &part, err));
done:
    return status;
}

static align_status load_decoder(align_tokenizer *t, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object part;
    TRY(load_part(&part, root, "decoder", "WordPiece", err));
    TRY(copy_string(&part, "prefix", &t->decoder_prefix, err));
    TRY(require(&part, "cleanup", err));
    TRY(al_json_bool(&part, "cleanup", &t->decoder_cleanup, err));
done:
    return status;
}

static align_status load_post_processor(align_tokenizer *t, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object part = {0};
    if (!al_json_has(root, "post_processor"))
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: key post_processor: expected a TemplateProcessing, found none",
             root->file);
    TRY(al_json_child(root, "post_processor", &part, err));
    TRY(al_templates_load(&t->single, &t->pair, &part, err));
    t->post_processor = json_deep_copy(part.object);
    if (!t->post_processor)
        status = al_error_no_memory(err, 0);
done:
    return status;
}

/* "Left" or "Right", "Right" when absent. */
static align_status load_direction(const al_json_object *object, const char **direction, align_error *err)
{
    align_status status = ALIGN_OK;
    *direction = "Right";
    TRY(al_json_string(object, "direction", direction, err));
    if (strcmp(*direction, "Left") != 0 && strcmp(*direction, "Right") != 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %sdirection: expected \"Left\" or \"Right\", found \"%s\"", object->file,
             object->path, *direction);
done:
    return status;
}

/* What a call of the tokenizer left in the file; kept, since it decides padding_side and truncation_side. */
static align_status load_truncation(align_tokenizer *t, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object part = {0};
    const char *direction, *strategy = NULL;
    int64_t max_length = 0, stride = 0;
    if (!al_json_has(root, "truncation"))
        return ALIGN_OK;
    TRY(al_json_child(root, "truncation", &part, err));
    TRY(load_direction(&part, &direction, err));
    TRY(load_size(&part, "max_length", &max_length, err));
    TRY(load_size(&part, "stride", &stride, err));
    TRY(require(&part, "strategy", err));
    TRY(al_json_string(&part, "strategy", &strategy, err));
    if (strcmp(strategy, "LongestFirst") != 0 && strcmp(strategy, "OnlyFirst") != 0 &&
        strcmp(strategy, "OnlySecond") != 0)
        FAIL(err, ALIGN_ERROR_FORMAT,
             "%s: key truncation.strategy: expected \"LongestFirst\", \"OnlyFirst\" or \"OnlySecond\", found \"%s\"",
             root->file, strategy);
    t->truncation = json_pack("{s:s, s:I, s:s, s:I}", "direction", direction, "max_length", (json_int_t)max_length,
                              "strategy", strategy, "stride", (json_int_t)stride);
    if (!t->truncation)
        status = al_error_no_memory(err, 0);
done:
    return status;
}

static align_status load_padding(align_tokenizer *t, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object part = {0}, fixed = {0};
    const char *direction, *token = NULL;
    int64_t length, multiple = -1, id = 0, type_id = 0;
    if (!al_json_has(root, "padding"))
        return ALIGN_OK;
    TRY(al_json_child(root, "padding", &part, err));
    json_t *strategy = json_object_get(part.object, "strategy");
    if (json_is_object(strategy)) {
        TRY(al_json_child(&part, "strategy", &fixed, err));
        TRY(load_size(&fixed, "Fixed", &length, err));
    } else if (!json_is_string(strategy) || strcmp(json_string_value(strategy), "BatchLongest") != 0) {
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key padding.strategy: expected \"BatchLongest\" or {\"Fixed\": length}",
             root->file);
    }
    TRY(load_direction(&part, &direction, err));
    if (al_json_has(&part, "pad_to_multiple_of"))
        TRY(load_size(&part, "pad_to_multiple_of", &multiple, err));
    TRY(load_size(&part, "pad_id", &id, err));
    TRY(load_size(&part, "pad_type_id", &type_id, err));
    TRY(require(&part, "pad_token", err));
    TRY(al_json_string(&part, "pad_token", &token, err));
    t->padding = json_pack("{s:O, s:s, s:o, s:I, s:I, s:s}", "strategy", strategy, "direction", direction,
                           "pad_to_multiple_of", multiple < 0 ? json_null() : json_integer(multiple), "pad_id",
                           (json_int_t)id, "pad_type_id", (json_int_t)type_id, "pad_token", token);
    if (!t->padding)
        status = al_error_no_memory(err, 0);
done:
    return status;
}

align_status al_added_token_load(al_added_token *out, const al_json_object *object, bool strict, align_error *err)
{
    align_status status = ALIGN_OK;
    static const char *const names[] = {"single_word", "lstrip", "rstrip", "normalized", "special"};
    const char *content = NULL;
    *out = (al_added_token){.id = -1};
    TRY(require(object, "content", err));
    TRY(al_json_string(object, "content", &content, err));
    out->content = (char *)(uintptr_t)content;
    for (size_t i = 0; strict && i < sizeof names / sizeof *names; i++)
        TRY(require(object, names[i], err));
    TRY(al_json_bool(object, "single_word", &out->single_word, err));
    TRY(al_json_bool(object, "lstrip", &out->lstrip, err));
    TRY(al_json_bool(object, "rstrip", &out->rstrip, err));
    TRY(al_json_bool(object, "special", &out->special, err));
    out->normalized = !out->special;
    TRY(al_json_bool(object, "normalized", &out->normalized, err));
done:
    return status;
}

static align_status load_added_tokens(align_tokenizer *t, const al_json_object *root, align_error *err)
{
    align_status status = ALIGN_OK;
    const json_t *array = NULL;
    al_added_token *tokens = NULL;
    TRY(al_json_array(root, "added_tokens", &array, err));
    const size_t count = json_array_size(array);
    tokens = al_calloc(count, sizeof *tokens);
    if (!tokens) {
        status = al_error_no_memory(err, count * sizeof *tokens);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        al_json_object object = {.object = json_array_get(array, i), .file = root->file};
        snprintf(object.path, sizeof object.path, "added_tokens[%zu].", i);
        int64_t id = -1;
        if (!json_is_object(object.object))
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key added_tokens[%zu]: expected an object", root->file, i);
        TRY(al_added_token_load(tokens + i, &object, true, err));
        TRY(load_size(&object, "id", &id, err));
        tokens[i].id = id;
    }
    status = al_added_tokens_add(&t->added, tokens, count, &t->model.vocabulary, err);
    if (status != ALIGN_OK) {
        al_error_prefix(err, "%s: key added_tokens", root->file);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        const al_added_token *added = al_added_tokens_find(&t->added, tokens[i].content);
        if (added && added->id != tokens[i].id)
            FAIL(err, ALIGN_ERROR_FORMAT,
                 "%s: key added_tokens[%zu].id: expected %" PRId64 " for \"%s\", found %" PRId64, root->file, i,
                 added->id, tokens[i].content, tokens[i].id);
    }
done:
    al_free(tokens);
    return status;
}

align_status al_tokenizer_read_file(align_tokenizer *t, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *tree = NULL;
    al_json_object root, part;
    const char *version = "1.0";
    TRY(al_json_load(&tree, path, err));
    TRY(al_json_root(&root, tree, path, err));
    TRY(al_json_string(&root, "version", &version, err));
    if (strcmp(version, "1.0") != 0)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: key version: expected \"1.0\", found \"%s\"", path, version);
    TRY(load_model(&t->model, &root, err));
    TRY(load_normalizer(t, &root, err));
    TRY(load_part(&part, &root, "pre_tokenizer", "BertPreTokenizer", err));
    TRY(load_post_processor(t, &root, err));
    TRY(load_decoder(t, &root, err));
    TRY(load_truncation(t, &root, err));
    TRY(load_padding(t, &root, err));
    TRY(load_added_tokens(t, &root, err));
done:
    json_decref(tree);
    return status;
}

/* ---- vocab.txt ---- */

/* One token a line, as Python's text mode has lines: they end with \n, \r\n or \r. */
align_status al_tokenizer_read_vocabulary(align_tokenizer *t, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    char *text = NULL;
    size_t size, line = 0;
    TRY(al_file_read(&text, &size, path, MOST_VOCABULARY_BYTES, err));
    const size_t valid = al_utf8_check(text, size);
    if (valid < size)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: byte %zu is not valid UTF-8", path, valid);
    if (memchr(text, '\0', size))
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: byte %zu is NUL", path, strlen(text));
    for (size_t at = 0; at < size; line++) {
        const size_t length = strcspn(text + at, "\r\n");
        if (line >= (size_t)AL_VOCABULARY_IDS)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: more than %" PRId64 " lines", path, AL_VOCABULARY_IDS);
        TRY(al_vocabulary_add(&t->model.vocabulary, text + at, length, (uint32_t)line, err));
        at += length;
        at += text[at] == '\r' && text[at + 1] == '\n' ? 2 : 1;
    }
done:
    al_free(text);
    return status;
}
