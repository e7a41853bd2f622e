/*
 * batch.c: pictures on their way into the tower: the bytes of one, its pixels, and batches of these.
 */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

align_status cli_picture_read(cli_part *out, const char *path, int64_t offset, int64_t size, const char *name,
                              align_error *err)
{
    const bool whole = offset < 0;
    if (cli_part_read(out, path, whole ? 0 : (size_t)offset, whole ? SIZE_MAX : (size_t)size))
        return ALIGN_OK;
    const char *reason = strerror(errno ? errno : ENODATA);
    err->status = out->unfit ? ALIGN_ERROR_FORMAT : ALIGN_ERROR_IO;
    snprintf(err->message, sizeof err->message, "%s: %s", name,
             out->unfit ? "no file of a picture: too large, or no regular file" : reason);
    return err->status;
}

align_status cli_pixels_decode(cli_pixels *out, const cli_part *part, const char *name, const cli_decoding *decoding,
                               const align_image_processor_config *config, align_error *err)
{
    align_image image = {0};
    const align_image_options options = cli_image_options(decoding, config);
    align_status status = align_image_decode(&image, part->bytes, (size_t)part->size, name, &options, err);
    if (status == ALIGN_OK)
        status = cli_pixels_process(out, &image, config, err);
    align_image_done(&image);
    return status;
}

static size_t count_values(const int64_t shape[4])
{
    return (size_t)(shape[1] * shape[2] * shape[3]);
}

bool cli_batch_has_room(const cli_batch *batch, const cli_pixels *pixels)
{
    return batch->rows == 0 ||
           (batch->rows < batch->most && memcmp(batch->shape, pixels->shape, sizeof batch->shape) == 0);
}

void cli_batch_add(cli_batch *batch, const cli_pixels *pixels)
{
    const size_t values = count_values(pixels->shape);
    if (!batch->values || memcmp(batch->shape, pixels->shape, sizeof batch->shape) != 0) {
        memcpy(batch->shape, pixels->shape, sizeof batch->shape);
        batch->values = cli_realloc(batch->values, batch->most, values * sizeof *batch->values);
    }
    memcpy(batch->values + batch->rows++ * values, pixels->values, values * sizeof *batch->values);
}

bool cli_batch_run(cli_batch *batch, cli_session *session, const float **vectors)
{
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_error err = ALIGN_ERROR_INIT;
    align_tensor features = {0};
    const int64_t shape[] = {(int64_t)batch->rows, batch->shape[1], batch->shape[2], batch->shape[3]};
    inputs.pixel_values = align_tensor_view(ALIGN_F32, 4, shape, batch->values);
    if (batch->rows > 0 && align_model_get_image_features(session->context, &inputs, &features, &err) != ALIGN_OK)
        return cli_fail("%s", err.message) == CLI_DONE;
    batch->rows = 0;
    *vectors = features.data;
    return true;
}

void cli_batch_done(cli_batch *batch)
{
    free(batch->values);
    *batch = (cli_batch){0};
}
