/* added_tokens.c: keeping, finding and cutting out added tokens. */
#include "processor/added_tokens.h"

#include "base/memory.h"
#include "base/status.h"
#include "processor/unicode.h"

#include <string.h>

/* ---- keeping ---- */

static al_added_token *find(const al_added_tokens *added, const char *content)
{
    const al_token *token = al_vocabulary_find(&added->by_content, content, strlen(content));
    return token ? added->tokens + token->id : NULL;
}

const al_added_token *al_added_tokens_find(const al_added_tokens *added, const char *content)
{
    return find(added, content);
}

const al_added_token *al_added_tokens_at(const al_added_tokens *added, int64_t id)
{
    if (id < 0 || (uint64_t)id >= added->id_count || added->by_id[id] == 0)
        return NULL;
    return added->tokens + added->by_id[id] - 1;
}

/* The entry for a content, made without an id when there is none. */
static align_status entry_of(al_added_tokens *added, const al_added_token *token, al_added_token **out,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    *out = find(added, token->content);
    if (*out)
        return ALIGN_OK;
    if (added->count == added->capacity) {
        const size_t capacity = added->capacity ? 2 * added->capacity : 16;
        al_added_token *tokens = al_realloc(added->tokens, capacity * sizeof *tokens);
        if (!tokens)
            return al_error_no_memory(err, capacity * sizeof *tokens);
        added->tokens = tokens;
        added->capacity = capacity;
    }
    al_added_token *entry = added->tokens + added->count;
    *entry = *token;
    entry->id = -1;
    entry->in_special_set = false;
    entry->content = al_strdup(token->content);
    if (!entry->content)
        return al_error_no_memory(err, strlen(token->content) + 1);
    added->count++;
    TRY(al_vocabulary_add(&added->by_content, entry->content, strlen(entry->content), (uint32_t)added->count - 1, err));
    *out = entry;
done:
    return status;
}

static align_status add_pattern(al_added_tokens *added, const al_added_token *entry, const al_added_token *token,
                                align_error *err)
{
    if (added->pattern_count == added->pattern_capacity) {
        const size_t capacity = added->pattern_capacity ? 2 * added->pattern_capacity : 16;
        al_added_pattern *patterns = al_realloc(added->patterns, capacity * sizeof *patterns);
        if (!patterns)
            return al_error_no_memory(err, capacity * sizeof *patterns);
        added->patterns = patterns;
        added->pattern_capacity = capacity;
    }
    added->patterns[added->pattern_count++] =
        (al_added_pattern){(size_t)(entry - added->tokens), token->special, token->normalized};
    return ALIGN_OK;
}

static bool same_flags(const al_added_token *a, const al_added_token *b)
{
    return a->single_word == b->single_word && a->lstrip == b->lstrip && a->rstrip == b->rstrip &&
           a->normalized == b->normalized && a->special == b->special;
}

/* The id of an entry that has none yet. */
static align_status give_id(al_added_tokens *added, al_added_token *entry, const al_vocabulary *vocabulary,
                            align_error *err)
{
    const al_token *known = al_vocabulary_find(vocabulary, entry->content, strlen(entry->content));
    if (known) {
        entry->id = known->id;
        return ALIGN_OK;
    }
    int64_t next = (int64_t)vocabulary->count;
    if (added->id_count > vocabulary->count)
        next = (int64_t)added->id_count;
    const al_token *taken = al_vocabulary_at(vocabulary, next);
    if (taken)
        return al_error_set(err, ALIGN_ERROR_FORMAT,
                            "added token \"%s\" would get id %" PRId64 ", which \"%s\" has: the vocabulary has holes",
                            entry->content, next, al_vocabulary_text(vocabulary, taken));
    if (next >= AL_VOCABULARY_IDS)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "added token \"%s\" would get id %" PRId64 ", which is too large",
                            entry->content, next);
    entry->id = next;
    return ALIGN_OK;
}

align_status al_added_tokens_add(al_added_tokens *added, const al_added_token *tokens, size_t count,
                                 const al_vocabulary *vocabulary, align_error *err)
{
    align_status status = ALIGN_OK;
    al_added_token *entry;
    for (size_t i = 0; i < count; i++) { /* the special ones of a call come first */
        if (!tokens[i].special || !*tokens[i].content)
            continue;
        TRY(entry_of(added, tokens + i, &entry, err));
        if (!entry->in_special_set)
            TRY(add_pattern(added, entry, tokens + i, err));
        entry->in_special_set = true;
    }
    for (size_t i = 0; i < count; i++) {
        if (!*tokens[i].content)
            continue;
        TRY(entry_of(added, tokens + i, &entry, err));
        if (entry->id >= 0 && same_flags(entry, tokens + i))
            continue;
        if (entry->id < 0)
            TRY(give_id(added, entry, vocabulary, err));
        if ((size_t)entry->id >= added->id_count)
            added->id_count = (size_t)entry->id + 1;
        entry->single_word = tokens[i].single_word;
        entry->lstrip = tokens[i].lstrip;
        entry->rstrip = tokens[i].rstrip;
        entry->normalized = tokens[i].normalized;
        entry->special = tokens[i].special;
        if (!entry->in_special_set)
            TRY(add_pattern(added, entry, tokens + i, err));
    }
done:
    return status;
}

/* ---- preparing ---- */

/* Texts of the normalised patterns, one after the other. */
static align_status normalize_patterns(const al_added_tokens *added, const al_normalizer *normalizer,
                                       al_vocabulary *texts, align_error *err)
{
    align_status status = ALIGN_OK;
    al_normalized text = {0};
    for (int special = 1; special >= 0; special--)
        for (size_t i = 0; i < added->pattern_count; i++) {
            const al_added_pattern *pattern = added->patterns + i;
            if (!pattern->normalized || pattern->special != (bool)special)
                continue;
            const al_added_token *token = added->tokens + pattern->token;
            TRY(al_normalize(normalizer, token->content, strlen(token->content), 0, &text, err));
            if (text.size == 0)
                FAIL(err, ALIGN_ERROR_UNSUPPORTED, "added token \"%s\": nothing is left of it when normalised",
                     token->content);
            /* Of several with the same text the first is found. */
            if (!al_vocabulary_find(texts, text.text, text.size))
                TRY(al_vocabulary_add(texts, text.text, text.size, (uint32_t)pattern->token, err));
        }
done:
    al_normalized_done(&text);
    return status;
}

align_status al_added_tokens_prepare(al_added_tokens *added, const al_normalizer *normalizer, align_error *err)
{
    align_status status = ALIGN_OK;
    al_vocabulary texts = {0};
    al_trie_entry *entries = al_calloc(added->pattern_count, sizeof *entries);
    size_t count = 0;
    if (!entries) {
        status = al_error_no_memory(err, added->pattern_count * sizeof *entries);
        goto done;
    }
    for (size_t i = 0; i < added->pattern_count; i++) {
        const al_added_pattern *pattern = added->patterns + i;
        const char *content = added->tokens[pattern->token].content;
        if (!pattern->normalized)
            entries[count++] = (al_trie_entry){content, strlen(content), (int32_t)pattern->token};
    }
    TRY(al_trie_build(&added->raw, entries, count, err));
    TRY(normalize_patterns(added, normalizer, &texts, err));
    for (count = 0; count < texts.count; count++) {
        const al_token *text = texts.tokens + count;
        entries[count] = (al_trie_entry){al_vocabulary_text(&texts, text), text->size, (int32_t)text->id};
    }
    TRY(al_trie_build(&added->normalized, entries, count, err));
    added->by_id = al_calloc(added->id_count, sizeof *added->by_id);
    if (!added->by_id) {
        status = al_error_no_memory(err, added->id_count * sizeof *added->by_id);
        goto done;
    }
    for (size_t i = 0; i < added->count; i++)
        added->by_id[added->tokens[i].id] = (uint32_t)i + 1;
done:
    al_free(entries);
    al_vocabulary_done(&texts);
    return status;
}

void al_added_tokens_done(al_added_tokens *added)
{
    for (size_t i = 0; i < added->count; i++)
        al_free(added->tokens[i].content);
    al_free(added->tokens);
    al_free(added->patterns);
    al_free(added->by_id);
    al_vocabulary_done(&added->by_content);
    al_trie_done(&added->raw);
    al_trie_done(&added->normalized);
}

/* ---- cutting ---- */

static bool is_word(uint32_t code)
{
    return al_unicode_of(code)->flags & AL_UNICODE_WORD;
}

/* Whether nothing that belongs to a word touches the bytes [start, stop). */
static bool stands_alone(const char *text, size_t size, size_t start, size_t stop)
{
    uint32_t after = ' ';
    if (start > 0 && is_word(al_utf8_before(text + start)))
        return false;
    if (stop < size)
        al_utf8_decode(text + stop, &after);
    return !is_word(after);
}

/* How far left and right of a place white space reaches. */
static size_t space_before(const char *text, size_t start)
{
    while (start > 0) {
        const uint32_t code = al_utf8_before(text + start);
        char bytes[4];
        if (!(al_unicode_of(code)->flags & AL_UNICODE_SPACE))
            break;
        start -= al_utf8_encode(code, bytes);
    }
    return start;
}

static size_t space_after(const char *text, size_t size, size_t stop)
{
    while (stop < size) {
        uint32_t code;
        const size_t bytes = al_utf8_decode(text + stop, &code);
        if (!(al_unicode_of(code)->flags & AL_UNICODE_SPACE))
            break;
        stop += bytes;
    }
    return stop;
}

static align_status add_split(al_splits *splits, al_split split, align_error *err)
{
    if (splits->count == splits->capacity) {
        const size_t capacity = splits->capacity ? 2 * splits->capacity : 16;
        al_split *items = al_realloc(splits->items, capacity * sizeof *items);
        if (!items)
            return al_error_no_memory(err, capacity * sizeof *items);
        splits->items = items;
        splits->capacity = capacity;
    }
    splits->items[splits->count++] = split;
    return ALIGN_OK;
}

align_status al_added_tokens_split(const al_added_tokens *added, const al_trie *trie, const char *text, size_t size,
                                   al_splits *splits, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t done_to = 0; /* the text before is in splits */
    splits->count = 0;
    for (size_t at = 0, bytes; trie->nodes && at < size; at += bytes) {
        int32_t index;
        bytes = al_trie_longest(trie, AL_TRIE_ROOT, text + at, size - at, &index);
        if (bytes == 0) {
            bytes = 1;
            continue;
        }
        const al_added_token *token = added->tokens + index;
        size_t start = at, stop = at + bytes;
        if (token->single_word && !stands_alone(text, size, start, stop))
            continue;
        if (token->lstrip) {
            const size_t left = space_before(text, start);
            start = left > done_to ? left : done_to;
        }
        if (token->rstrip)
            stop = space_after(text, size, stop);
        if (done_to < start)
            TRY(add_split(splits, (al_split){done_to, start, NULL}, err));
        TRY(add_split(splits, (al_split){start, stop, token}, err));
        done_to = stop;
    }
    if (done_to != size)
        TRY(add_split(splits, (al_split){done_to, size, NULL}, err));
done:
    return status;
}
