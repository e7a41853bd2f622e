/*
 * tokenizer_encode.c: texts to pieces.
 *
 *     text -> added tokens cut out (raw) -> normalise the rest -> added tokens cut out (normalised) -> words -> pieces
 */
#include "base/memory.h"
#include "base/status.h"
#include "processor/tokenizer.h"
#include "processor/unicode.h"

#include <string.h>

/* Text is normalised in parts of about this size, which keeps the workspace small and in the cache. */
#define PART_BYTES 16384

void al_encoder_done(al_encoder *encoder)
{
    al_free(encoder->pieces.items);
    al_normalized_done(&encoder->normalized);
    al_free(encoder->raw_splits.items);
    al_free(encoder->normalized_splits.items);
}

/* The pieces of what was normalised, in which added tokens may be. */
static align_status encode_normalized(const align_tokenizer *t, al_encoder *e, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_normalized *text = &e->normalized;
    TRY(al_added_tokens_split(&t->added, &t->added.normalized, text->text, text->size, &e->normalized_splits, err));
    for (size_t i = 0; i < e->normalized_splits.count; i++) {
        const al_split *split = e->normalized_splits.items + i;
        if (!split->token) {
            TRY(al_wordpiece_run(&t->model, text, split->start, split->stop, &e->pieces, err));
            continue;
        }
        const al_piece piece = {(uint32_t)split->token->id, text->sources[split->start],
                                text->sources[split->stop - 1] + 1};
        TRY(al_pieces_add(&e->pieces, piece, err));
    }
done:
    return status;
}

/* Bytes to normalise at once: all when a token might reach across, else up to a space, where nothing does. */
static size_t part_size(const align_tokenizer *t, const char *text, size_t size)
{
    if (t->added.normalized.nodes || size <= PART_BYTES)
        return size;
    const char *space = memchr(text + PART_BYTES, ' ', size - PART_BYTES);
    return space ? (size_t)(space - text) : size;
}

/* Text between added tokens; first is the number of its first code point. */
static align_status encode_between(const align_tokenizer *t, al_encoder *e, const char *text, size_t size,
                                   uint32_t first, align_error *err)
{
    align_status status = ALIGN_OK;
    while (size > 0) {
        const size_t part = part_size(t, text, size);
        TRY(al_normalize(&t->normalizer, text, part, first, &e->normalized, err));
        TRY(encode_normalized(t, e, err));
        first += (uint32_t)al_utf8_count(text, part);
        text += part;
        size -= part;
    }
done:
    return status;
}

align_status al_encode_text(const align_tokenizer *t, al_encoder *e, const char *text, size_t size, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t at = 0; /* byte and */
    uint32_t code_points = 0;
    TRY(al_added_tokens_split(&t->added, &t->added.raw, text, size, &e->raw_splits, err));
    for (size_t i = 0; i < e->raw_splits.count; i++) {
        const al_split *split = e->raw_splits.items + i;
        /* White space that belongs to two tokens makes parts overlap: a part may start before the last one's end. */
        const uint32_t start = split->start >= at
                                   ? code_points + (uint32_t)al_utf8_count(text + at, split->start - at)
                                   : code_points - (uint32_t)al_utf8_count(text + split->start, at - split->start);
        const uint32_t stop = start + (uint32_t)al_utf8_count(text + split->start, split->stop - split->start);
        if (split->token)
            TRY(al_pieces_add(&e->pieces, (al_piece){(uint32_t)split->token->id, start, stop}, err));
        else
            TRY(encode_between(t, e, text + split->start, split->stop - split->start, start, err));
        at = split->stop;
        code_points = stop;
    }
done:
    return status;
}

/* Checks one text and appends its pieces. */
static align_status encode_checked(const align_tokenizer *t, al_encoder *e, const char *text, size_t index,
                                   const char *kind, align_error *err)
{
    align_status status = ALIGN_OK;
    if (!text)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s %zu is NULL", kind, index);
    const size_t size = strlen(text), valid = al_utf8_check(text, size);
    if (valid < size)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s %zu: byte %zu is not valid UTF-8", kind, index, valid);
    if (size >= UINT32_MAX)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s %zu: %zu bytes are more than 4 GiB", kind, index, size);
    status = al_encode_text(t, e, text, size, err);
    if (status != ALIGN_OK)
        al_error_prefix(err, "%s %zu", kind, index);
done:
    return status;
}

static align_status check_options(const align_encode_options *o, align_error *err)
{
    align_status status = ALIGN_OK;
    if ((int)o->padding < ALIGN_PAD_MAX_LENGTH || o->padding > ALIGN_PAD_NONE)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "padding: %d is no align_padding", (int)o->padding);
    if ((int)o->truncation < ALIGN_TRUNCATE_NONE || o->truncation > ALIGN_TRUNCATE_ONLY_SECOND)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "truncation: %d is no align_truncation", (int)o->truncation);
    if (o->stride < 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "stride: expected 0 or more, found %" PRId64, o->stride);
    if (o->pad_to_multiple_of < 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "pad_to_multiple_of: expected 0 or more, found %" PRId64,
             o->pad_to_multiple_of);
done:
    return status;
}

align_status align_tokenizer_encode(const align_tokenizer *t, const char *const *texts, const char *const *pairs,
                                    size_t count, const align_encode_options *options, align_encoding *out,
                                    align_error *err)
{
    align_status status = ALIGN_OK;
    static const align_encode_options standard = ALIGN_ENCODE_OPTIONS_INIT;
    const align_encode_options *o = options ? options : &standard;
    al_encoder encoder = {0};
    al_sample *samples = NULL;
    if (!t || !out || (count > 0 && !texts))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "align_tokenizer_encode: NULL argument");
    *out = (align_encoding){0};
    TRY(check_options(o, err));
    samples = al_calloc(count, sizeof *samples);
    if (!samples) {
        status = al_error_no_memory(err, count);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        samples[i].first = encoder.pieces.count;
        TRY(encode_checked(t, &encoder, texts[i], i, "text", err));
        samples[i].middle = encoder.pieces.count;
        samples[i].pair = pairs && pairs[i];
        if (samples[i].pair)
            TRY(encode_checked(t, &encoder, pairs[i], i, "pair", err));
        samples[i].last = encoder.pieces.count;
    }
    TRY(al_make_rows(t, encoder.pieces.items, samples, count, o, out, err));
done:
    al_encoder_done(&encoder);
    al_free(samples);
    return status;
}
