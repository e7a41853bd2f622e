#ifndef AL_ADDED_TOKENS_H
#define AL_ADDED_TOKENS_H
/*
 * added_tokens.h: tokens found in a text before anything else is done with it ([CLS], [MASK], what a user added), and
 * their flags. Those with normalized are looked for in normalised text, the others in raw text.
 *
 * Reference: tokenizers 0.15.2, tokenizer/added_vocabulary.rs, whose order of events is kept: a token added again
 * changes its flags, yet goes on being looked for where it was looked for before.
 */
#include "processor/normalizer.h"
#include "processor/trie.h"
#include "processor/vocabulary.h"

typedef struct al_added_token {
    char *content; /* owned, once it is in an al_added_tokens */
    bool single_word, lstrip, rstrip, normalized, special;
    int64_t id;          /* -1: none yet */
    bool in_special_set; /* was special once: skipped by decode for good */
} al_added_token;

/* What is looked for, and which token it stands for. */
typedef struct al_added_pattern {
    size_t token;
    bool special, normalized;
} al_added_pattern;

typedef struct al_added_tokens {
    al_added_token *tokens; /* one a content, in the order they came */
    size_t count, capacity;
    al_vocabulary by_content; /* its ids are indices into tokens */
    uint32_t *by_id;          /* index into tokens + 1; 0: no such id. Made by al_added_tokens_prepare */
    size_t id_count;          /* one more than the largest id */
    al_added_pattern *patterns;
    size_t pattern_count, pattern_capacity;
    al_trie raw, normalized; /* their values are indices into tokens */
} al_added_tokens;

/*
 * Adds tokens (their contents are copied; id is ignored) as one call of the reference's add_tokens does: one that the
 * vocabulary has keeps its id, a new one gets the next free id. Empty ones are ignored. FORMAT when the next id is
 * taken because the vocabulary has holes.
 */
align_status al_added_tokens_add(al_added_tokens *added, const al_added_token *tokens, size_t count,
                                 const al_vocabulary *vocabulary, align_error *err);

/* Makes the tries. normalizer is the one tokens with normalized are passed through. UNSUPPORTED when nothing is left of
 * one. */
align_status al_added_tokens_prepare(al_added_tokens *added, const al_normalizer *normalizer, align_error *err);
void al_added_tokens_done(al_added_tokens *added);

const al_added_token *al_added_tokens_find(const al_added_tokens *added, const char *content);
const al_added_token *al_added_tokens_at(const al_added_tokens *added, int64_t id);

/* A part of a text: an added token, or (token NULL) what lies between. Bytes [start, stop). */
typedef struct al_split {
    size_t start, stop;
    const al_added_token *token;
} al_split;

typedef struct al_splits {
    al_split *items;
    size_t count, capacity;
} al_splits;

/* Replaces what splits holds by the parts of the text. trie is one of the two above. */
align_status al_added_tokens_split(const al_added_tokens *added, const al_trie *trie, const char *text, size_t size,
                                   al_splits *splits, align_error *err);
#endif
