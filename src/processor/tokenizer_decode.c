/*
 * tokenizer_decode.c: ids to text.
 *
 * The decoder glues each token to the text so far and cleans it up; then, when asked, the whole text is cleaned up.
 *
 * Reference: tokenizers 0.15.2, decoders/wordpiece.rs; transformers 4.37.2, clean_up_tokenization.
 */
#include "base/memory.h"
#include "base/status.h"
#include "processor/tokenizer.h"

#include <string.h>

/* Every replacement is shorter than what it replaces, so they work in place. */
static const struct {
    const char *from, *to;
    bool decoder_only;
} replacements[] = {
    {" .", ".", false},   {" ?", "?", false},     {" !", "!", false},     {" ,", ",", false},
    {" ' ", "'", false},  {" n't", "n't", false}, {" 'm", "'m", false},   {" do not", " don't", true},
    {" 's", "'s", false}, {" 've", "'ve", false}, {" 're", "'re", false},
};

static void replace(char *text, const char *from, const char *to)
{
    char *found = strstr(text, from), *out = found;
    if (!found)
        return;
    const size_t from_size = strlen(from), to_size = strlen(to);
    while (found) {
        memcpy(out, to, to_size);
        out += to_size;
        char *rest = found + from_size;
        found = strstr(rest, from);
        const size_t kept = found ? (size_t)(found - rest) : strlen(rest);
        memmove(out, rest, kept);
        out += kept;
    }
    *out = '\0';
}

static void clean_up(char *text, bool decoder)
{
    if (!strchr(text, ' '))
        return;
    for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
        if (decoder || !replacements[i].decoder_only)
            replace(text, replacements[i].from, replacements[i].to);
}

static bool skipped(const align_tokenizer *t, const char *token)
{
    const al_added_token *added = al_added_tokens_find(&t->added, token);
    return added && added->in_special_set;
}

/* Appends a token, glued or after a space, cleaned up on its own. */
static align_status put_token(const align_tokenizer *t, al_buffer *out, const char *token, bool first, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t start = out->size, prefix = strlen(t->decoder_prefix);
    if (!first) {
        if (strncmp(token, t->decoder_prefix, prefix) == 0)
            token += prefix;
        else
            al_buffer_putc(out, ' ');
    }
    al_buffer_puts(out, token);
    TRY(al_buffer_check(out, err));
    if (t->decoder_cleanup && out->size > start) {
        clean_up(out->data + start, true);
        out->size = start + strlen(out->data + start);
    }
done:
    return status;
}

align_status align_tokenizer_decode(const align_tokenizer *t, const int64_t *ids, size_t count,
                                    bool skip_special_tokens, int clean_up_tokenization_spaces, char **text,
                                    align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer out = {0};
    bool first = true;
    if (!t || !text || (count > 0 && !ids))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "align_tokenizer_decode: NULL argument");
    *text = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *token = align_tokenizer_id_to_token(t, ids[i]);
        if (!token || (skip_special_tokens && skipped(t, token)))
            continue;
        TRY(put_token(t, &out, token, first, err));
        first = false;
    }
    *text = al_strndup(out.data ? out.data : "", out.size);
    if (!*text) {
        status = al_error_no_memory(err, out.size + 1);
        goto done;
    }
    if (clean_up_tokenization_spaces < 0 ? t->clean_up : clean_up_tokenization_spaces != 0)
        clean_up(*text, false);
done:
    al_buffer_done(&out);
    return status;
}

align_status align_tokenizer_batch_decode(const align_tokenizer *t, const int64_t *ids, const size_t *offsets,
                                          size_t rows, bool skip_special_tokens, int clean_up_tokenization_spaces,
                                          char ***texts, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer all = {0}; /* the texts, each with its NUL */
    char *text = NULL;
    if (!t || !texts || (rows > 0 && !offsets))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "align_tokenizer_batch_decode: NULL argument");
    *texts = NULL;
    for (size_t r = 0; r < rows; r++) {
        if (offsets[r + 1] < offsets[r])
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "offsets: row %zu ends at %zu, before it begins at %zu", r,
                 offsets[r + 1], offsets[r]);
        TRY(align_tokenizer_decode(t, ids ? ids + offsets[r] : NULL, offsets[r + 1] - offsets[r], skip_special_tokens,
                                   clean_up_tokenization_spaces, &text, err));
        al_buffer_put(&all, text, strlen(text) + 1);
        TRY(al_buffer_check(&all, err));
        al_free(text);
        text = NULL;
    }
    char **out = al_alloc(rows * sizeof *out + all.size);
    if (!out) {
        status = al_error_no_memory(err, rows * sizeof *out + all.size);
        goto done;
    }
    char *at = (char *)(out + rows);
    if (all.size)
        memcpy(at, all.data, all.size);
    for (size_t r = 0; r < rows; r++, at += strlen(at) + 1)
        out[r] = at;
    *texts = out;
done:
    al_free(text);
    al_buffer_done(&all);
    return status;
}
