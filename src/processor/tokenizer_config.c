/*
 * tokenizer_config.c: the options and special tokens of a tokenizer, from the files beside tokenizer.json.
 *
 * tokenizer_config.json decides do_lower_case, strip_accents and tokenize_chinese_chars, with its own defaults where it
 * says nothing: what tokenizer.json's normalizer has for the three is overruled even then. Special tokens come from
 * tokenizer_config.json with added_tokens_decoder; without that key (older folders) special_tokens_map.json and
 * added_tokens.json have their say. Every special token that the vocabulary lacks is added to it.
 *
 * Reference: transformers 4.37.2, PreTrainedTokenizerBase._from_pretrained, PreTrainedTokenizerFast.__init__,
 * BertTokenizerFast.__init__.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "processor/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, NAMED };

static const char *const names[NAMED] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                         "pad_token", "cls_token", "mask_token"};
static const char *const defaults[NAMED] = {NULL, NULL, "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};
static const char more_name[] = "additional_special_tokens";

/* A special token: a string, or (object) with flags of its own. content NULL: there is none. */
typedef struct special {
    al_added_token token;
    bool object;
    bool listed;  /* a file names it; the defaults are not */
    bool adopted; /* one of those in decoder, and added as such */
} special;

/* What the files say, until it is in the tokenizer. Contents are borrowed from the trees. */
typedef struct setup {
    align_tokenizer *tokenizer;
    json_t *config, *map, *added;
    al_json_object root; /* of config */
    char *config_path, *map_path, *added_path;
    bool legacy; /* config has no added_tokens_decoder */
    special named[NAMED];
    special *more;
    size_t more_count;
    al_added_token *decoder; /* to be added, by id */
    size_t decoder_count;
} setup;

/* ---- reading ---- */

static align_status load_optional(json_t **tree, char **path, const char *folder, const char *name, align_error *err)
{
    *path = al_join_path(folder, name);
    if (!*path)
        return al_error_no_memory(err, strlen(folder) + strlen(name) + 2);
    return al_is_file(*path) ? al_json_load(tree, *path, err) : ALIGN_OK;
}

/* A special token's value: a string, null, or an object with flags. */
static align_status load_special(special *out, const al_json_object *object, const char *key, const json_t *value,
                                 bool is_special, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = (special){.listed = true};
    if (json_is_string(value)) {
        /* As the reference makes an AddedToken of a string. */
        out->token = (al_added_token){.content = (char *)(uintptr_t)json_string_value(value), .special = true};
    } else if (json_is_object(value)) {
        al_json_object fields = {.object = value, .file = object->file};
        snprintf(fields.path, sizeof fields.path, "%s.", key);
        TRY(al_added_token_load(&out->token, &fields, false, err));
        out->token.special = out->token.special || is_special;
        out->object = true;
    } else if (!json_is_null(value)) {
        status = al_json_wrong_type(object, key, "a string, an object or null", value, err);
    }
done:
    return status;
}

static bool same_special(const special *a, const special *b)
{
    return a->object == b->object && strcmp(a->token.content, b->token.content) == 0;
}

/* The list of additional ones; those that are in it already are not added again. */
static align_status load_more(setup *s, const al_json_object *object, bool is_special, align_error *err)
{
    align_status status = ALIGN_OK;
    const json_t *array = NULL;
    if (!al_json_has(object, more_name))
        return ALIGN_OK;
    TRY(al_json_array(object, more_name, &array, err));
    const size_t size = json_array_size(array);
    special *more = al_realloc(s->more, (s->more_count + size) * sizeof *more);
    if (!more) {
        status = al_error_no_memory(err, size * sizeof *more);
        goto done;
    }
    s->more = more;
    for (size_t i = 0; i < size; i++) {
        special one;
        bool known = false;
        TRY(load_special(&one, object, more_name, json_array_get(array, i), is_special, err));
        if (!one.token.content)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s[%zu]: expected a token, found null", object->file, more_name, i);
        for (size_t k = 0; k < s->more_count; k++)
            known = known || same_special(more + k, &one);
        if (!known)
            more[s->more_count++] = one;
    }
done:
    return status;
}

static align_status load_named(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < NAMED; i++) {
        const json_t *value = json_object_get(s->config, names[i]);
        if (value)
            TRY(load_special(s->named + i, &s->root, names[i], value, false, err));
        else if (defaults[i])
            s->named[i].token = (al_added_token){.content = (char *)(uintptr_t)defaults[i], .special = true};
    }
    TRY(load_more(s, &s->root, false, err));
done:
    return status;
}

/* special_tokens_map.json overrules the configuration; keys that are no special tokens become configuration. */
static align_status load_map(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object object;
    if (!s->map)
        return ALIGN_OK;
    TRY(al_json_root(&object, s->map, s->map_path, err));
    for (void *i = json_object_iter(s->map); i; i = json_object_iter_next(s->map, i)) {
        const char *key = json_object_iter_key(i);
        json_t *value = json_object_iter_value(i);
        size_t name = 0;
        while (name < NAMED && strcmp(key, names[name]) != 0)
            name++;
        if (name < NAMED)
            TRY(load_special(s->named + name, &object, key, value, true, err));
        else if (strcmp(key, more_name) != 0 && json_object_set(s->config, key, value) != 0) {
            status = al_error_no_memory(err, 0);
            goto done;
        }
    }
    TRY(load_more(s, &object, true, err));
done:
    return status;
}

/* Appends to decoder; an id that is there already is replaced. */
static align_status add_decoder(setup *s, const al_added_token *token, align_error *err)
{
    for (size_t i = 0; i < s->decoder_count; i++)
        if (s->decoder[i].id == token->id) {
            s->decoder[i] = *token;
            return ALIGN_OK;
        }
    al_added_token *decoder = al_realloc(s->decoder, (s->decoder_count + 1) * sizeof *decoder);
    if (!decoder)
        return al_error_no_memory(err, (s->decoder_count + 1) * sizeof *decoder);
    s->decoder = decoder;
    decoder[s->decoder_count++] = *token;
    return ALIGN_OK;
}

static align_status load_decoder(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object object = {0};
    TRY(al_json_child(&s->root, "added_tokens_decoder", &object, err));
    for (void *i = json_object_iter((json_t *)(uintptr_t)object.object); i;
         i = json_object_iter_next((json_t *)(uintptr_t)object.object, i)) {
        const char *key = json_object_iter_key(i);
        al_json_object fields = {0};
        al_added_token token;
        char *end;
        const long long id = strtoll(key, &end, 10);
        if (*key < '0' || *key > '9' || *end || id >= AL_VOCABULARY_IDS)
            FAIL(err, ALIGN_ERROR_FORMAT,
                 "%s: key added_tokens_decoder: expected ids from 0 to %" PRId64 " as keys, found \"%s\"", object.file,
                 AL_VOCABULARY_IDS - 1, key);
        TRY(al_json_child(&object, key, &fields, err));
        TRY(al_added_token_load(&token, &fields, false, err));
        token.id = id;
        TRY(add_decoder(s, &token, err));
    }
done:
    return status;
}

static bool is_special_content(const setup *s, const char *content, bool only_listed)
{
    for (size_t i = 0; i < NAMED; i++)
        if (s->named[i].token.content && (s->named[i].listed || !only_listed) &&
            strcmp(s->named[i].token.content, content) == 0)
            return true;
    for (size_t i = 0; i < s->more_count; i++)
        if (strcmp(s->more[i].token.content, content) == 0)
            return true;
    return false;
}

/* added_tokens.json: {"token": id}, and the added tokens of tokenizer.json. */
static align_status load_legacy_decoder(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    al_json_object object;
    if (s->added) {
        TRY(al_json_root(&object, s->added, s->added_path, err));
        for (void *i = json_object_iter(s->added); i; i = json_object_iter_next(s->added, i)) {
            const char *content = json_object_iter_key(i);
            int64_t id = -1;
            TRY(al_json_int64(&object, content, &id, err));
            if (id < 0 || id >= AL_VOCABULARY_IDS)
                FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s: expected an id from 0 to %" PRId64 ", found %" PRId64,
                     s->added_path, content, AL_VOCABULARY_IDS - 1, id);
            const bool is_special = is_special_content(s, content, true);
            const al_added_token token = {
                .content = (char *)(uintptr_t)content, .id = id, .special = is_special, .normalized = !is_special};
            TRY(add_decoder(s, &token, err));
        }
    }
    for (size_t i = 0; i < s->tokenizer->added.count; i++)
        TRY(add_decoder(s, s->tokenizer->added.tokens + i, err));
done:
    return status;
}

/* ---- special tokens ---- */

static int compare_ids(const void *a, const void *b)
{
    const al_added_token *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* A special token that a file names and that is among the added ones gets their flags. */
static void adopt_flags(setup *s)
{
    const al_added_tokens *from_file = &s->tokenizer->added;
    const size_t count = s->legacy ? from_file->count : s->decoder_count;
    const al_added_token *tokens = s->legacy ? from_file->tokens : s->decoder;
    for (size_t i = 0; i < NAMED; i++) {
        special *one = s->named + i;
        for (size_t k = 0; one->listed && one->token.content && k < count; k++)
            if (strcmp(tokens[k].content, one->token.content) == 0) {
                one->token = tokens[k];
                one->object = one->adopted = true;
            }
    }
}

static align_status add_special(setup *s, const special *one, align_error *err)
{
    al_added_token token = one->token;
    if (!token.content || one->adopted || (!one->object && al_added_tokens_find(&s->tokenizer->added, token.content)))
        return ALIGN_OK;
    token.special = true;
    return al_added_tokens_add(&s->tokenizer->added, &token, 1, &s->tokenizer->model.vocabulary, err);
}

/* First what the files list, by id; then the special tokens. */
static align_status add_tokens(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tokenizer *t = s->tokenizer;
    adopt_flags(s); /* in the file's order: of two entries for one token the last counts */
    if (s->decoder_count > 0)
        qsort(s->decoder, s->decoder_count, sizeof *s->decoder, compare_ids);
    for (size_t i = 0; i < s->decoder_count; i++) {
        al_added_token token = s->decoder[i];
        token.special = token.special || is_special_content(s, token.content, false);
        TRY(al_added_tokens_add(&t->added, &token, 1, &t->model.vocabulary, err));
    }
    for (size_t i = 0; i < NAMED; i++)
        TRY(add_special(s, s->named + i, err));
    for (size_t i = 0; i < s->more_count; i++)
        TRY(add_special(s, s->more + i, err));
done:
    if (status != ALIGN_OK)
        al_error_prefix(err, "%s", s->config_path);
    return status;
}

/* ---- options ---- */

static bool set_default(json_t *config, const char *key, json_t *value)
{
    if (json_object_get(config, key)) {
        json_decref(value);
        return true;
    }
    return json_object_set_new(config, key, value) == 0;
}

static json_t *side(const json_t *part)
{
    const char *direction = json_string_value(json_object_get(part, "direction"));
    return json_string(direction && *direction == 'L' ? "left" : "right");
}

/* What tokenizer.json's truncation and padding add to the configuration, where that is silent. */
static align_status add_file_defaults(setup *s, align_error *err)
{
    json_t *truncation = s->tokenizer->truncation, *padding = s->tokenizer->padding, *config = s->config;
    bool ok = true;
    if (truncation) {
        const char *strategy = json_string_value(json_object_get(truncation, "strategy"));
        strategy = strcmp(strategy, "LongestFirst") == 0 ? "longest_first"
                   : strcmp(strategy, "OnlyFirst") == 0  ? "only_first"
                                                         : "only_second";
        ok = set_default(config, "max_length", json_incref(json_object_get(truncation, "max_length"))) &&
             set_default(config, "truncation_side", side(truncation)) &&
             set_default(config, "stride", json_incref(json_object_get(truncation, "stride"))) &&
             set_default(config, "truncation_strategy", json_string(strategy));
    }
    if (ok && padding) {
        json_t *fixed = json_object_get(json_object_get(padding, "strategy"), "Fixed");
        ok = set_default(config, "pad_token_type_id", json_incref(json_object_get(padding, "pad_type_id"))) &&
             set_default(config, "padding_side", side(padding)) &&
             set_default(config, "max_length", fixed ? json_incref(fixed) : json_null()) &&
             set_default(config, "pad_to_multiple_of", json_incref(json_object_get(padding, "pad_to_multiple_of")));
    }
    return ok ? ALIGN_OK : al_error_no_memory(err, 0);
}

static align_status load_side(const al_json_object *root, const char *key, bool *left, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *value = "right";
    TRY(al_json_string(root, key, &value, err));
    if (strcmp(value, "left") != 0 && strcmp(value, "right") != 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s: expected \"left\" or \"right\", found \"%s\"", root->file, key,
             value);
    *left = *value == 'l';
done:
    return status;
}

/* model_max_length, or its old name; 10^30 and the like mean none. */
static align_status load_max_length(const al_json_object *root, int64_t *out, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *key = al_json_has(root, "model_max_length") ? "model_max_length" : "max_len";
    double value = 0;
    *out = -1;
    if (!al_json_has(root, key))
        return ALIGN_OK;
    TRY(al_json_double(root, key, &value, err));
    if (value < 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s: expected 0 or more, found %g", root->file, key, value);
    if (value < 1e18)
        *out = (int64_t)value;
done:
    return status;
}

static align_status load_options(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tokenizer *t = s->tokenizer;
    const al_json_object *root = &s->root;
    al_normalizer *n = &t->normalizer;
    n->lowercase = n->handle_chinese_chars = t->clean_up = true;
    TRY(al_json_bool(root, "do_lower_case", &n->lowercase, err));
    TRY(al_json_bool(root, "tokenize_chinese_chars", &n->handle_chinese_chars, err));
    n->strip_accents = n->lowercase;
    t->strip_accents = AL_NULL;
    if (al_json_has(root, "strip_accents")) {
        TRY(al_json_bool(root, "strip_accents", &n->strip_accents, err));
        t->strip_accents = n->strip_accents;
    }
    TRY(al_json_bool(root, "clean_up_tokenization_spaces", &t->clean_up, err));
    TRY(load_side(root, "padding_side", &t->pad_left, err));
    TRY(load_side(root, "truncation_side", &t->truncate_left, err));
    TRY(load_max_length(root, &t->model_max_length, err));
done:
    return status;
}

/* What the reference makes of a vocab.txt, before its configuration counts. */
static align_status imitate_file(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tokenizer *t = s->tokenizer;
    for (int i = UNK; i <= CLS; i++)
        if (i != PAD && !s->named[i].token.content)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: key %s: expected a token, found null", s->config_path, names[i]);
    t->normalizer.clean_text = true;
    t->model.max_chars = 100;
    t->decoder_cleanup = true;
    t->model.unk_token = al_strdup(s->named[UNK].token.content);
    t->model.prefix = al_strdup("##");
    t->decoder_prefix = al_strdup("##");
    if (!t->model.unk_token || !t->model.prefix || !t->decoder_prefix ||
        !set_default(s->config, "do_basic_tokenize", json_true()) ||
        !set_default(s->config, "never_split", json_null()))
        status = al_error_no_memory(err, 0);
done:
    return status;
}

static align_status imitate_template(setup *s, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tokenizer *t = s->tokenizer;
    const char *cls = s->named[CLS].token.content, *sep = s->named[SEP].token.content;
    const int64_t cls_id = al_tokenizer_id(t, cls), sep_id = al_tokenizer_id(t, sep);
    al_json_object post;
    if (cls_id < 0 || sep_id < 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: keys cls_token and sep_token: expected tokens that are not empty",
             s->config_path);
    TRY(al_template_for_bert(&t->post_processor, cls, (uint32_t)cls_id, sep, (uint32_t)sep_id, err));
    TRY(al_json_root(&post, t->post_processor, s->config_path, err));
    TRY(al_templates_load(&t->single, &t->pair, &post, err));
done:
    return status;
}

/* ---- as it will be saved ---- */

static json_t *special_as_saved(const special *one, bool with_flags)
{
    const al_added_token *token = &one->token;
    if (!one->object || !with_flags)
        return json_string(token->content);
    return json_pack("{s:s, s:b, s:b, s:b, s:b}", "content", token->content, "single_word", token->single_word,
                     "lstrip", token->lstrip, "rstrip", token->rstrip, "normalized", token->normalized);
}

/* The special tokens into special_tokens_map.json (with flags) or into tokenizer_config.json. */
static bool save_specials(const setup *s, json_t *object, bool with_flags)
{
    bool ok = true;
    for (size_t i = 0; i < NAMED; i++) {
        const special *one = s->named + i;
        if (one->token.content && *one->token.content)
            ok = ok && json_object_set_new(object, names[i], special_as_saved(one, with_flags)) == 0;
    }
    if (s->more_count > 0) {
        json_t *array = json_array();
        for (size_t i = 0; i < s->more_count; i++)
            ok = ok && json_array_append_new(array, special_as_saved(s->more + i, with_flags)) == 0;
        ok = json_object_set_new(object, more_name, array) == 0 && ok;
    }
    return ok;
}

static align_status keep_for_saving(setup *s, align_error *err)
{
    static const char *const dropped[] = {"added_tokens_decoder", "tokenizer_class", "tokenizer_file",
                                          "vocab_file",           "name_or_path",    "special_tokens_map_file"};
    align_tokenizer *t = s->tokenizer;
    json_t *config = t->config = json_deep_copy(s->config);
    t->special_tokens_map = json_object();
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        json_object_del(config, dropped[i]);
    if (json_array_size(json_object_get(config, "init_inputs")) == 0)
        json_object_del(config, "init_inputs");
    json_t *length = json_object_get(config, "model_max_length");
    if (!length || json_is_null(length))
        length = json_object_get(config, "max_len");
    const bool none = !length || json_is_null(length);
    const bool ok =
        config && json_object_set_new(config, "do_lower_case", json_boolean(t->normalizer.lowercase)) == 0 &&
        json_object_set_new(config, "tokenize_chinese_chars", json_boolean(t->normalizer.handle_chinese_chars)) == 0 &&
        set_default(config, "strip_accents", json_null()) &&
        set_default(config, "clean_up_tokenization_spaces", json_true()) &&
        json_object_set_new(config, "model_max_length", none ? json_real(1e30) : json_incref(length)) == 0 &&
        json_object_set_new(config, "tokenizer_class", json_string("BertTokenizer")) == 0 &&
        save_specials(s, config, false) && save_specials(s, t->special_tokens_map, true);
    return ok ? ALIGN_OK : al_error_no_memory(err, 0);
}

/* ---- all of it ---- */

static align_status read_files(setup *s, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(load_optional(&s->config, &s->config_path, folder, "tokenizer_config.json", err));
    TRY(load_optional(&s->map, &s->map_path, folder, "special_tokens_map.json", err));
    TRY(load_optional(&s->added, &s->added_path, folder, "added_tokens.json", err));
    if (!s->config && !(s->config = json_object())) {
        status = al_error_no_memory(err, 0);
        goto done;
    }
    TRY(al_json_root(&s->root, s->config, s->config_path, err));
    s->legacy = !json_object_get(s->config, "added_tokens_decoder");
    TRY(add_file_defaults(s, err));
    TRY(load_named(s, err));
    if (s->legacy) {
        TRY(load_map(s, err));
        TRY(load_legacy_decoder(s, err));
    } else {
        TRY(load_decoder(s, err));
    }
done:
    return status;
}

align_status al_tokenizer_configure(align_tokenizer *t, const char *folder, bool from_file, align_error *err)
{
    align_status status = ALIGN_OK;
    setup s = {.tokenizer = t};
    TRY(read_files(&s, folder, err));
    if (!from_file)
        TRY(imitate_file(&s, err));
    TRY(add_tokens(&s, err));
    al_normalizer of_patterns = t->normalizer; /* tokens to be normalised are, as tokenizer.json has it */
    TRY(load_options(&s, err));
    if (!from_file) {
        of_patterns = t->normalizer;
        TRY(imitate_template(&s, err));
    }
    TRY(al_wordpiece_prepare(&t->model, err));
    TRY(al_added_tokens_prepare(&t->added, &of_patterns, err));
    t->pad_id = s.named[PAD].token.content ? al_tokenizer_id(t, s.named[PAD].token.content) : -1;
    TRY(keep_for_saving(&s, err));
done:
    json_decref(s.config);
    json_decref(s.map);
    json_decref(s.added);
    al_free(s.config_path);
    al_free(s.map_path);
    al_free(s.added_path);
    al_free(s.more);
    al_free(s.decoder);
    return status;
}
