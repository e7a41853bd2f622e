#ifndef AL_WORDPIECE_H
#define AL_WORDPIECE_H
/*
 * wordpiece.h: normalised text to pieces: BertPreTokenizer (words at white space, punctuation alone), then WordPiece
 * (greedily the longest token, later ones with a prefix; the unknown token for a word that cannot be spelt).
 *
 * Reference: tokenizers 0.15.2, pre_tokenizers.BertPreTokenizer, models.WordPiece.
 */
#include "processor/normalizer.h"
#include "processor/trie.h"
#include "processor/vocabulary.h"

/* A token of a text and the code points [start, end) of the original it stands for. */
typedef struct al_piece {
    uint32_t id;
    uint32_t start, end;
} al_piece;

typedef struct al_pieces {
    al_piece *items;
    size_t count, capacity;
} al_pieces;

typedef struct al_wordpiece {
    al_vocabulary vocabulary;
    char *unk_token;
    char *prefix;      /* continuing_subword_prefix */
    int64_t max_chars; /* max_input_chars_per_word */
    /* What follows from the above, see al_wordpiece_prepare. */
    al_trie trie;
    uint32_t continuation; /* the state after prefix */
    int64_t unk_id;        /* -1: the vocabulary lacks it */
} al_wordpiece;

/* Builds the trie once vocabulary, unk_token and prefix are set. */
align_status al_wordpiece_prepare(al_wordpiece *model, align_error *err);
void al_wordpiece_done(al_wordpiece *model);

align_status al_pieces_add(al_pieces *pieces, al_piece piece, align_error *err);

/* Appends the pieces of the bytes [start, stop) of normalised text. NOT_FOUND when the unknown token is needed but not
 * in the vocabulary. */
align_status al_wordpiece_run(const al_wordpiece *model, const al_normalized *text, size_t start, size_t stop,
                              al_pieces *pieces, align_error *err);
#endif
