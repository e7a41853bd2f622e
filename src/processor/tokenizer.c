/* tokenizer.c: opening and closing a tokenizer, and looking up its tokens. */
#include "processor/tokenizer.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

#include <string.h>

align_status align_tokenizer_from_pretrained(align_tokenizer **out, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tokenizer *t = NULL;
    char *file = NULL, *vocabulary = NULL;
    if (!out || !folder)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "align_tokenizer_from_pretrained: NULL argument");
    *out = NULL;
    t = al_calloc(1, sizeof *t);
    file = al_join_path(folder, "tokenizer.json");
    vocabulary = al_join_path(folder, "vocab.txt");
    if (!t || !file || !vocabulary) {
        status = al_error_no_memory(err, sizeof *t);
        goto done;
    }
    const bool from_file = al_is_file(file);
    if (from_file)
        TRY(al_tokenizer_read_file(t, file, err));
    else if (al_is_file(vocabulary))
        TRY(al_tokenizer_read_vocabulary(t, vocabulary, err));
    else
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: no tokenizer.json and no vocab.txt", folder);
    TRY(al_tokenizer_configure(t, folder, from_file, err));
    *out = t;
    t = NULL;
done:
    al_free(file);
    al_free(vocabulary);
    align_tokenizer_free(t);
    return status;
}

void align_tokenizer_free(align_tokenizer *t)
{
    if (!t)
        return;
    al_wordpiece_done(&t->model);
    al_added_tokens_done(&t->added);
    al_template_done(&t->single);
    al_template_done(&t->pair);
    al_free(t->decoder_prefix);
    json_decref(t->truncation);
    json_decref(t->padding);
    json_decref(t->post_processor);
    json_decref(t->config);
    json_decref(t->special_tokens_map);
    al_free(t);
}

int64_t align_tokenizer_vocab_size(const align_tokenizer *t)
{
    const al_vocabulary *vocabulary = &t->model.vocabulary;
    size_t count = vocabulary->count;
    for (size_t i = 0; i < t->added.count; i++) {
        const char *content = t->added.tokens[i].content;
        count += !al_vocabulary_find(vocabulary, content, strlen(content));
    }
    return (int64_t)count;
}

int64_t al_tokenizer_id(const align_tokenizer *t, const char *token)
{
    const al_added_token *added = al_added_tokens_find(&t->added, token);
    if (added)
        return added->id;
    const al_token *known = al_vocabulary_find(&t->model.vocabulary, token, strlen(token));
    return known ? (int64_t)known->id : -1;
}

int64_t align_tokenizer_token_to_id(const align_tokenizer *tokenizer, const char *token)
{
    return tokenizer && token ? al_tokenizer_id(tokenizer, token) : -1;
}

const char *align_tokenizer_id_to_token(const align_tokenizer *t, int64_t id)
{
    const al_added_token *added = al_added_tokens_at(&t->added, id);
    if (added)
        return added->content;
    const al_token *known = al_vocabulary_at(&t->model.vocabulary, id);
    return known ? al_vocabulary_text(&t->model.vocabulary, known) : NULL;
}
