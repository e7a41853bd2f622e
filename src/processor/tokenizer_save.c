/* tokenizer_save.c: the four (or five) files of a tokenizer, byte for byte as the reference's fast class writes them.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "processor/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_UTF8    ((unsigned)AL_JSON_KEEP_UTF8)
#define SERDE_PRETTY ((unsigned)AL_JSON_KEEP_UTF8 | AL_JSON_KEEP_ORDER | AL_JSON_NO_NEWLINE)

static int compare_ids(const void *a, const void *b)
{
    const al_added_token *const *x = a, *const *y = b;
    return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* The added tokens by id; freed with al_free. */
static const al_added_token **sorted_added(const al_added_tokens *added)
{
    const al_added_token **sorted = al_calloc(added->count, sizeof *sorted);
    for (size_t i = 0; sorted && i < added->count; i++)
        sorted[i] = added->tokens + i;
    if (sorted && added->count > 0)
        qsort(sorted, added->count, sizeof *sorted, compare_ids);
    return sorted;
}

static json_t *added_token_json(const al_added_token *token)
{
    return json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)token->id, "content", token->content,
                     "single_word", token->single_word, "lstrip", token->lstrip, "rstrip", token->rstrip, "normalized",
                     token->normalized, "special", token->special);
}

static json_t *vocabulary_json(const al_vocabulary *vocabulary)
{
    json_t *object = json_object();
    for (size_t id = 0; object && id < vocabulary->id_count; id++) {
        const al_token *token = al_vocabulary_at(vocabulary, (int64_t)id);
        if (token &&
            json_object_set_new(object, al_vocabulary_text(vocabulary, token), json_integer((json_int_t)id)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *or_null(json_t *value)
{
    return value ? json_incref(value) : json_null();
}

static align_status save_tokenizer(const align_tokenizer *t, const al_added_token **added, const char *path,
                                   align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *tokens = json_array();
    for (size_t i = 0; i < t->added.count; i++)
        if (json_array_append_new(tokens, added_token_json(added[i])) != 0) {
            json_decref(tokens);
            return al_error_no_memory(err, 0);
        }
    json_t *strip = t->strip_accents == AL_NULL ? json_null() : json_boolean(t->strip_accents);
    json_t *tree = json_pack(
        "{s:s, s:o, s:o, s:o, s:{s:s, s:b, s:b, s:o, s:b}, s:{s:s}, s:O, s:{s:s, s:s, s:b},"
        "s:{s:s, s:s, s:s, s:I, s:o}}",
        "version", "1.0", "truncation", or_null(t->truncation), "padding", or_null(t->padding), "added_tokens", tokens,
        "normalizer", "type", "BertNormalizer", "clean_text", t->normalizer.clean_text, "handle_chinese_chars",
        t->normalizer.handle_chinese_chars, "strip_accents", strip, "lowercase", t->normalizer.lowercase,
        "pre_tokenizer", "type", "BertPreTokenizer", "post_processor", t->post_processor, "decoder", "type",
        "WordPiece", "prefix", t->decoder_prefix, "cleanup", t->decoder_cleanup, "model", "type", "WordPiece",
        "unk_token", t->model.unk_token, "continuing_subword_prefix", t->model.prefix, "max_input_chars_per_word",
        (json_int_t)t->model.max_chars, "vocab", vocabulary_json(&t->model.vocabulary));
    if (!tree)
        status = al_error_no_memory(err, 0);
    else
        status = al_json_save(tree, path, SERDE_PRETTY, err);
    json_decref(tree);
    return status;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted(json_t *value);

static json_t *sorted_object(json_t *object)
{
    const size_t count = json_object_size(object);
    const char **keys = al_calloc(count, sizeof *keys);
    json_t *copy = json_object();
    bool ok = keys && copy;
    size_t n = 0;
    for (void *i = ok ? json_object_iter(object) : NULL; i; i = json_object_iter_next(object, i))
        keys[n++] = json_object_iter_key(i);
    if (n > 0)
        qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 0; ok && i < n; i++)
        ok = json_object_set_new(copy, keys[i], sorted(json_object_get(object, keys[i]))) == 0;
    al_free(keys);
    if (!ok) {
        json_decref(copy);
        copy = NULL;
    }
    return copy;
}

/* A copy with the keys of all objects sorted; NULL without memory. */
static json_t *sorted(json_t *value)
{
    if (json_is_object(value))
        return sorted_object(value);
    if (!json_is_array(value))
        return json_incref(value);
    json_t *copy = json_array();
    for (size_t i = 0; copy && i < json_array_size(value); i++)
        if (json_array_append_new(copy, sorted(json_array_get(value, i))) != 0) {
            json_decref(copy);
            return NULL;
        }
    return copy;
}

/* Keys are sorted as text, but those of added_tokens_decoder as numbers: in the reference they still are. */
static align_status save_config(const align_tokenizer *t, const al_added_token **added, const char *processor_class,
                                const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *config = json_copy(t->config), *decoder = json_object(), *tree = NULL;
    bool ok = config && decoder && json_object_set_new(config, "added_tokens_decoder", json_null()) == 0;
    if (ok && processor_class)
        ok = json_object_set_new(config, "processor_class", json_string(processor_class)) == 0;
    for (size_t i = 0; ok && i < t->added.count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%" PRId64, added[i]->id);
        json_t *token = added_token_json(added[i]);
        json_object_del(token, "id");
        ok = json_object_set_new(decoder, id, sorted(token)) == 0;
        json_decref(token);
    }
    tree = ok ? sorted(config) : NULL;
    ok = tree && json_object_set(tree, "added_tokens_decoder", decoder) == 0; /* keeps its place */
    status = ok ? al_json_save(tree, path, KEPT_UTF8 | AL_JSON_KEEP_ORDER, err) : al_error_no_memory(err, 0);
    json_decref(tree);
    json_decref(decoder);
    json_decref(config);
    return status;
}

/* Tokens beyond the vocabulary; no file when there are none. */
static align_status save_added(const align_tokenizer *t, const al_added_token **added, const char *path,
                               align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = json_object();
    bool ok = object != NULL;
    for (size_t i = 0; ok && i < t->added.count; i++)
        if (added[i]->id >= (int64_t)t->model.vocabulary.count)
            ok = json_object_set_new(object, added[i]->content, json_integer(added[i]->id)) == 0;
    if (!ok)
        status = al_error_no_memory(err, 0);
    else if (json_object_size(object) > 0)
        status = al_json_save(object, path, KEPT_UTF8, err);
    json_decref(object);
    return status;
}

/* By id; a hole makes later lines move up, here as in the reference. */
static align_status save_vocabulary(const al_vocabulary *vocabulary, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer text = {0};
    for (size_t id = 0; id < vocabulary->id_count; id++) {
        const al_token *token = al_vocabulary_at(vocabulary, (int64_t)id);
        if (!token)
            continue;
        al_buffer_put(&text, al_vocabulary_text(vocabulary, token), token->size);
        al_buffer_putc(&text, '\n');
    }
    TRY(al_buffer_check(&text, err));
    TRY(al_file_write(path, text.data ? text.data : "", text.size, err));
done:
    al_buffer_done(&text);
    return status;
}

align_status al_tokenizer_save(const align_tokenizer *t, const char *folder, const char *processor_class,
                               align_error *err)
{
    align_status status = ALIGN_OK;
    enum { TOKENIZER, CONFIG, SPECIAL, ADDED, VOCABULARY, FILES };
    static const char *const names[FILES] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                             "added_tokens.json", "vocab.txt"};
    char *paths[FILES] = {0};
    const al_added_token **added = sorted_added(&t->added);
    bool ok = added != NULL;
    for (int i = 0; ok && i < FILES; i++)
        ok = (paths[i] = al_join_path(folder, names[i])) != NULL;
    if (!ok) {
        status = al_error_no_memory(err, 0);
        goto done;
    }
    TRY(al_make_folder(folder, err));
    TRY(save_vocabulary(&t->model.vocabulary, paths[VOCABULARY], err));
    TRY(save_added(t, added, paths[ADDED], err));
    TRY(al_json_save(t->special_tokens_map, paths[SPECIAL], KEPT_UTF8, err));
    TRY(save_config(t, added, processor_class, paths[CONFIG], err));
    TRY(save_tokenizer(t, added, paths[TOKENIZER], err));
done:
    for (int i = 0; i < FILES; i++)
        al_free(paths[i]);
    al_free(added);
    return status;
}

align_status align_tokenizer_save_pretrained(const align_tokenizer *tokenizer, const char *folder, align_error *err)
{
    if (!tokenizer || !folder)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "align_tokenizer_save_pretrained: NULL argument");
    return al_tokenizer_save(tokenizer, folder, NULL, err);
}
