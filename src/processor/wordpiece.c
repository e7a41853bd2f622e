/* wordpiece.c: cutting normalised text into words, and words into pieces. */
#include "processor/wordpiece.h"

#include "base/memory.h"
#include "base/status.h"
#include "processor/unicode.h"

#include <string.h>

align_status al_wordpiece_prepare(al_wordpiece *model, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_vocabulary *v = &model->vocabulary;
    al_trie_entry *entries = al_calloc(v->count, sizeof *entries);
    if (!entries) {
        status = al_error_no_memory(err, v->count * sizeof *entries);
        goto done;
    }
    for (size_t i = 0; i < v->count; i++) {
        const al_token *token = v->tokens + i;
        entries[i] = (al_trie_entry){al_vocabulary_text(v, token), token->size, (int32_t)token->id};
    }
    TRY(al_trie_build(&model->trie, entries, v->count, err));
    if (v->count > 0)
        model->continuation = al_trie_walk(&model->trie, AL_TRIE_ROOT, model->prefix, strlen(model->prefix));
    const al_token *unk = al_vocabulary_find(v, model->unk_token, strlen(model->unk_token));
    model->unk_id = unk ? (int64_t)unk->id : -1;
done:
    al_free(entries);
    return status;
}

void al_wordpiece_done(al_wordpiece *model)
{
    al_vocabulary_done(&model->vocabulary);
    al_trie_done(&model->trie);
    al_free(model->unk_token);
    al_free(model->prefix);
}

align_status al_pieces_add(al_pieces *pieces, al_piece piece, align_error *err)
{
    if (pieces->count == pieces->capacity) {
        const size_t capacity = pieces->capacity ? 2 * pieces->capacity : 64;
        size_t bytes;
        al_piece *items = al_mul(capacity, sizeof *items, &bytes) ? al_realloc(pieces->items, bytes) : NULL;
        if (!items)
            return al_error_no_memory(err, capacity);
        pieces->items = items;
        pieces->capacity = capacity;
    }
    pieces->items[pieces->count++] = piece;
    return ALIGN_OK;
}

/* The pieces of one word, the bytes [start, stop), of chars code points. */
static align_status split_word(const al_wordpiece *model, const al_normalized *text, size_t start, size_t stop,
                               size_t chars, al_pieces *pieces, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t count_before = pieces->count;
    const uint32_t *sources = text->sources;
    bool known = model->trie.nodes && (uint64_t)chars <= (uint64_t)model->max_chars;
    uint32_t state = AL_TRIE_ROOT;
    for (size_t at = start; known && at < stop; state = model->continuation) {
        int32_t id;
        const size_t size = al_trie_longest(&model->trie, state, text->text + at, stop - at, &id);
        known = size > 0;
        if (known)
            TRY(al_pieces_add(pieces, (al_piece){(uint32_t)id, sources[at], sources[at + size - 1] + 1}, err));
        at += size;
    }
    if (!known) {
        if (model->unk_id < 0)
            FAIL(err, ALIGN_ERROR_NOT_FOUND, "a word needs the unknown token \"%s\", which is not in the vocabulary",
                 model->unk_token);
        pieces->count = count_before;
        TRY(al_pieces_add(pieces, (al_piece){(uint32_t)model->unk_id, sources[start], sources[stop - 1] + 1}, err));
    }
done:
    return status;
}

enum { LETTER, SPACE, PUNCTUATION };

static int kind_of(const al_unicode *c)
{
    return c->flags & AL_UNICODE_SPACE ? SPACE : c->flags & AL_UNICODE_PUNCTUATION ? PUNCTUATION : LETTER;
}

align_status al_wordpiece_run(const al_wordpiece *model, const al_normalized *text, size_t start, size_t stop,
                              al_pieces *pieces, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t word = start, chars = 0; /* a word runs from here, so many code points so far */
    for (size_t at = start, size; at < stop; at += size) {
        uint32_t code;
        size = al_utf8_decode(text->text + at, &code);
        const int kind = kind_of(al_unicode_of(code));
        if (kind == LETTER) {
            chars++;
            continue;
        }
        if (chars > 0)
            TRY(split_word(model, text, word, at, chars, pieces, err));
        if (kind == PUNCTUATION)
            TRY(split_word(model, text, at, at + size, 1, pieces, err));
        word = at + size;
        chars = 0;
    }
    if (chars > 0)
        TRY(split_word(model, text, word, stop, chars, pieces, err));
done:
    return status;
}
