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
