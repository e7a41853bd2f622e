/*
 * encode_jpeg.c: pictures written as JPEG files in memory, by libjpeg-turbo: thumbnails for pages and terminals.
 */
#include "processor/image.h"

#include "base/memory.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

#define FIRST_BYTES (16 << 10)

/* Everything lives here and nothing in locals, because errors come back by longjmp. */
typedef struct jpeg_job {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf failed;
    uint8_t *bytes;
    size_t capacity;
    align_error *err;
    align_status status;
} jpeg_job;

static void on_error(j_common_ptr info)
{
    jpeg_job *job = info->client_data;
    char message[JMSG_LENGTH_MAX];
    info->err->format_message(info, message);
    job->status = al_error_set(
        job->err, info->err->msg_code == JERR_OUT_OF_MEMORY ? ALIGN_ERROR_OUT_OF_MEMORY : ALIGN_ERROR_UNSUPPORTED,
        "writing a JPEG: %s", message);
    longjmp(job->failed, 1);
}

static void on_message(j_common_ptr info, int level)
{
    (void)info;
    (void)level; /* nothing that an encoder has to say short of an error matters */
}

/* Makes room behind the first `used` bytes. */
static void grow(jpeg_job *job, size_t used)
{
    const size_t capacity = job->capacity ? 2 * job->capacity : FIRST_BYTES;
    uint8_t *bytes = al_realloc(job->bytes, capacity);
    if (!bytes) {
        job->status = al_error_no_memory(job->err, capacity);
        longjmp(job->failed, 1);
    }
    job->bytes = bytes;
    job->capacity = capacity;
    job->destination.next_output_byte = bytes + used;
    job->destination.free_in_buffer = capacity - used;
}

static void on_begin(j_compress_ptr info)
{
    grow(info->client_data, 0);
}

/* The buffer is full to its end whatever free_in_buffer says: so libjpeg's contract. */
static boolean on_full(j_compress_ptr info)
{
    jpeg_job *job = info->client_data;
    grow(job, job->capacity);
    return TRUE;
}

static void on_end(j_compress_ptr info)
{
    (void)info; /* the last bytes are where they belong */
}

static align_status run(jpeg_job *job, const align_image *image, int quality)
{
    struct jpeg_compress_struct *info = &job->info;
    if (setjmp(job->failed))
        return job->status;
    jpeg_create_compress(info);
    info->dest = &job->destination;
    info->image_height = (JDIMENSION)image->height;
    info->image_width = (JDIMENSION)image->width;
    info->input_components = (int)image->channels;
    info->in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, quality, TRUE);
    info->optimize_coding = TRUE;
    jpeg_start_compress(info, TRUE);
    while (info->next_scanline < info->image_height) {
        uint8_t *row = image->pixels + (size_t)info->next_scanline * (size_t)(image->width * image->channels);
        jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
    return ALIGN_OK;
}

align_status align_image_encode_jpeg(const align_image *image, int quality, uint8_t **bytes, size_t *size,
                                     align_error *err)
{
    align_status status = ALIGN_OK;
    jpeg_job job = {.err = err};
    TRY(al_image_check(image, err));
    if (!bytes || !size)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "nowhere to put the JPEG");
    if (image->channels != 1 && image->channels != 3)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "a picture of %" PRId64 " channels: a JPEG has 1 or 3",
             image->channels);
    if (image->height > JPEG_MAX_DIMENSION || image->width > JPEG_MAX_DIMENSION)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "a picture of %" PRId64 " x %" PRId64 " pixels: a JPEG has at most %ld",
             image->height, image->width, JPEG_MAX_DIMENSION);
    if (quality < 1 || quality > 100)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "JPEG quality %d: expected 1 to 100", quality);
    job.info.err = jpeg_std_error(&job.errors);
    job.info.client_data = &job;
    job.errors.error_exit = on_error;
    job.errors.emit_message = on_message;
    job.destination = (struct jpeg_destination_mgr){
        .init_destination = on_begin, .empty_output_buffer = on_full, .term_destination = on_end};
    TRY(run(&job, image, quality));
    *size = job.capacity - job.destination.free_in_buffer;
    *bytes = job.bytes;
    job.bytes = NULL;
done:
    jpeg_destroy_compress(&job.info);
    al_free(job.bytes);
    return status;
}
