/*
 * prepare.c: one text to token ids, one picture to pixels. What the decoder says stays here: its messages are for
 * people who own the file.
 */
#include "prepare.h"
#include <stdlib.h>
#include <string.h>

#define TEXT_LENGTH  64        /* tokens: AlignProcessor's max_length */
#define LONGEST_TEXT (1 << 20) /* bytes: tokenising takes some thirty times as much memory */

static const char no_memory[] = "the server is out of memory";

/* The ids around a text are those of an empty one. */
static align_status find_special(srv_preparer *preparer, align_error *err)
{
    const char *empty = "";
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    align_encoding encoding = {0};
    options.padding = ALIGN_PAD_NONE;
    align_status status = align_tokenizer_encode(preparer->tokenizer, &empty, NULL, 1, &options, &encoding, err);
    if (status == ALIGN_OK && encoding.length == 2) {
        preparer->special[0] = encoding.input_ids[0];
        preparer->special[1] = encoding.input_ids[1];
    }
    align_encoding_done(&encoding);
    return status;
}

align_status srv_preparer_init(srv_preparer *preparer, const align_model *model, const align_processor *processor,
                               int64_t max_pixels, align_error *err)
{
    const int64_t positions = align_model_config(model)->text_config.max_position_embeddings;
    const align_tower tower = align_model_tower(model);
    *preparer = (srv_preparer){
        .tokenizer = tower == ALIGN_TOWER_VISION ? NULL : align_processor_tokenizer(processor),
        .images = tower == ALIGN_TOWER_TEXT ? NULL : align_processor_image_processor(processor),
        .text_limit = positions < TEXT_LENGTH ? positions : TEXT_LENGTH,
        .max_pixels = max_pixels,
        .special = {-1, -1},
    };
    return preparer->tokenizer ? find_special(preparer, err) : ALIGN_OK;
}

static srv_outcome bad(srv_job *job, const char *reason)
{
    job->reason = reason;
    return SRV_JOB_BAD;
}

static srv_outcome failed(srv_job *job, const char *reason)
{
    job->reason = reason;
    return SRV_JOB_FAILED;
}

/* ---- texts ---- */

/* Takes over as many of the ids as the model takes; of a text that is cut the last one stays, which ends it. */
static srv_outcome keep_row(const srv_preparer *preparer, srv_job *job, const int64_t *ids, size_t n)
{
    const size_t limit = (size_t)preparer->text_limit;
    if (n == 0)
        return bad(job, "the text has no tokens");
    if (n > limit && job->whole)
        return bad(job, "the text is longer than the model takes");
    const size_t kept = n < limit ? n : limit;
    job->row = malloc(kept * sizeof *job->row);
    if (!job->row)
        return failed(job, no_memory);
    memcpy(job->row, ids, kept * sizeof *ids);
    job->row[kept - 1] = ids[n - 1];
    job->tokens = (int64_t)kept;
    return SRV_JOB_PENDING;
}

static srv_outcome prepare_text(const srv_preparer *preparer, srv_job *job)
{
    if (strlen(job->text) > LONGEST_TEXT)
        return bad(job, "the text has more than a MiB");
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    align_encoding encoding = {0};
    options.padding = ALIGN_PAD_NONE;
    align_error err = ALIGN_ERROR_INIT;
    const align_status status =
        align_tokenizer_encode(preparer->tokenizer, &job->text, NULL, 1, &options, &encoding, &err);
    srv_outcome outcome;
    if (status == ALIGN_OK)
        outcome = keep_row(preparer, job, encoding.input_ids, encoding.offsets[1]);
    else if (status == ALIGN_ERROR_OUT_OF_MEMORY)
        outcome = failed(job, no_memory);
    else
        outcome = bad(job, "the text is not UTF-8");
    align_encoding_done(&encoding);
    return outcome;
}

/* Ids as they are, with those that begin and end a text where they are missing. */
static srv_outcome prepare_ids(const srv_preparer *preparer, srv_job *job)
{
    const size_t n = job->n_ids;
    if (n == 0)
        return bad(job, "the text has no tokens");
    const bool begin = preparer->special[0] >= 0 && job->ids[0] != preparer->special[0];
    const bool end = preparer->special[1] >= 0 && job->ids[n - 1] != preparer->special[1];
    int64_t *ids = n > SIZE_MAX / sizeof *ids - 2 ? NULL : malloc((n + 2) * sizeof *ids);
    if (!ids)
        return failed(job, no_memory);
    size_t count = 0;
    if (begin)
        ids[count++] = preparer->special[0];
    memcpy(ids + count, job->ids, n * sizeof *ids);
    count += n;
    if (end)
        ids[count++] = preparer->special[1];
    const srv_outcome outcome = keep_row(preparer, job, ids, count);
    free(ids);
    return outcome;
}

/* ---- pictures ---- */

static srv_outcome say_why(srv_job *job, align_status status)
{
    switch (status) {
    case ALIGN_ERROR_OUT_OF_MEMORY:
        return failed(job, no_memory);
    case ALIGN_ERROR_INVALID_ARGUMENT:
        return bad(job, "the picture has too many pixels, or too few");
    case ALIGN_ERROR_UNSUPPORTED:
        return bad(job, "pictures of this format are not read: JPEG, PNG, WebP or GIF are");
    default:
        return bad(job, "this is no picture, or a damaged one: JPEG, PNG, WebP or GIF was expected");
    }
}

static srv_outcome decode(const srv_preparer *preparer, srv_job *job, const void *bytes, size_t size)
{
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    align_image image = {0};
    options.max_pixels = preparer->max_pixels;
    options.resize_for = preparer->images->do_resize ? preparer->images : NULL;
    align_status status = align_image_decode(&image, bytes, size, "picture", &options, NULL);
    if (status != ALIGN_OK)
        return say_why(job, status);
    int64_t height, width;
    align_image_processor_output_size(preparer->images, image.height, image.width, &height, &width);
    const int64_t shape[] = {1, image.channels, height, width};
    memcpy(job->shape, shape, sizeof shape);
    job->pixels = malloc((size_t)(image.channels * height * width) * sizeof *job->pixels);
    status = job->pixels ? align_image_processor_run(preparer->images, &image, job->pixels, NULL)
                         : ALIGN_ERROR_OUT_OF_MEMORY;
    align_image_done(&image);
    return status == ALIGN_OK ? SRV_JOB_PENDING : say_why(job, status);
}

static srv_outcome prepare_picture(const srv_preparer *preparer, srv_job *job)
{
    if (!job->is_base64)
        return decode(preparer, job, job->bytes, job->size);
    size_t size;
    uint8_t *bytes = malloc(job->size / 4 * 3 + 3);
    if (!bytes)
        return failed(job, no_memory);
    const srv_outcome outcome = srv_base64_decode(bytes, &size, job->bytes, job->size)
                                    ? decode(preparer, job, bytes, size)
                                    : bad(job, "the picture is not base64");
    free(bytes);
    return outcome;
}

srv_outcome srv_prepare(const srv_preparer *preparer, srv_job *job)
{
    if (job->tower == SRV_PICTURE)
        return preparer->images ? prepare_picture(preparer, job) : failed(job, "this model has no picture tower");
    if (!preparer->tokenizer)
        return failed(job, "this model has no text tower");
    return job->text ? prepare_text(preparer, job) : prepare_ids(preparer, job);
}

void srv_prepared_done(srv_job *job)
{
    free(job->row);
    free(job->pixels);
    job->row = NULL;
    job->pixels = NULL;
}
