#ifndef AL_TOKENIZER_H
#define AL_TOKENIZER_H
/*
 * tokenizer.h: what an align_tokenizer is made of, for the files that read, use and write one.
 *
 *     tokenizer.c         opening, closing, looking up tokens
 *     tokenizer_file.c    tokenizer.json, or vocab.txt
 *     tokenizer_config.c  tokenizer_config.json, special_tokens_map.json, added_tokens.json: options, special tokens
 *     tokenizer_encode.c  texts to pieces
 *     tokenizer_rows.c    pieces to rows: truncation, template, padding
 *     tokenizer_decode.c  ids to text
 *     tokenizer_save.c    all files again
 */
#include "checkpoint/json.h"
#include "processor/added_tokens.h"
#include "processor/normalizer.h"
#include "processor/template.h"
#include "processor/wordpiece.h"

#include <align/processor.h>

enum { AL_NULL = -1 }; /* a flag that is null in a file */

struct align_tokenizer {
    al_wordpiece model;
    al_normalizer normalizer;
    int strip_accents; /* as the files have it: AL_NULL follows lowercase */
    al_added_tokens added;
    al_template single, pair;
    char *decoder_prefix;
    bool decoder_cleanup;
    int64_t model_max_length; /* -1: none */
    int64_t pad_id;           /* -1: there is no pad token */
    bool clean_up, pad_left, truncate_left;
    /* Parts of the files as they are saved. */
    json_t *truncation, *padding, *post_processor; /* of tokenizer.json; all but the last may be null */
    json_t *config, *special_tokens_map;           /* tokenizer_config.json but for added_tokens_decoder */
};

/* tokenizer.json's or vocab.txt's share of a new tokenizer. */
align_status al_tokenizer_read_file(align_tokenizer *tokenizer, const char *path, align_error *err);
align_status al_tokenizer_read_vocabulary(align_tokenizer *tokenizer, const char *path, align_error *err);

/*
 * The rest of a new tokenizer, once one of the two above was read: options, special tokens, the added tokens that the
 * configuration asks for, and for a vocab.txt (from_file false) what tokenizer.json would have said.
 */
align_status al_tokenizer_configure(align_tokenizer *tokenizer, const char *folder, bool from_file, align_error *err);

/* One entry of added_tokens or added_tokens_decoder; content is borrowed from the tree. Absent flags are false, but for
 * normalized, which is then !special; with strict they must be there. */
align_status al_added_token_load(al_added_token *out, const al_json_object *object, bool strict, align_error *err);

/* The id of a token, added ones first; -1: there is none. */
int64_t al_tokenizer_id(const align_tokenizer *tokenizer, const char *token);

/*
 * Appends the pieces of one text (valid UTF-8, shorter than 4 GiB). The workspace is kept from text to text; zeroed
 * ones are new.
 */
typedef struct al_encoder {
    al_pieces pieces;
    al_normalized normalized;
    al_splits raw_splits, normalized_splits;
} al_encoder;
align_status al_encode_text(const align_tokenizer *tokenizer, al_encoder *encoder, const char *text, size_t size,
                            align_error *err);
void al_encoder_done(al_encoder *encoder);

/* One text, or a pair of texts, among all pieces: [first, middle) and [middle, last). */
typedef struct al_sample {
    size_t first, middle, last;
    bool pair;
} al_sample;

/* Truncates, puts into templates, pads. */
align_status al_make_rows(const align_tokenizer *tokenizer, const al_piece *pieces, const al_sample *samples,
                          size_t count, const align_encode_options *options, align_encoding *out, align_error *err);

/* align_tokenizer_save_pretrained; with a processor_class (may be NULL) as a processor has it saved. */
align_status al_tokenizer_save(const align_tokenizer *tokenizer, const char *folder, const char *processor_class,
                               align_error *err);
#endif
