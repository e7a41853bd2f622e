/*
 * decode_jpeg.c: JPEG by libjpeg-turbo's classic interface with its default settings, which are Pillow's: accurate
 * integer IDCT, fancy upsampling, block smoothing.
 *
 * A picture that is to be resized is so row by row and never in memory whole (but a progressive one is, in libjpeg).
 *
 * What libjpeg calls a warning is an error here where it means that pixels were made up (data that ends early or does
 * not decode); other warnings (stray bytes between segments, ...) are harmless and pass, as in Pillow.
 */
#include "processor/resize.h"

#include "base/memory.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* A progressive file of a few KB can ask for thousands of passes over a picture; no encoder writes that many. */
#define MAX_SCANS 500

#define EXIF_MARK      "Exif\0\0"
#define EXIF_MARK_SIZE 6
#define XMP_MARK       "http://ns.adobe.com/xap/1.0/"
#define XMP_MARK_SIZE  29 /* with its NUL */

/* Everything lives here and nothing in locals, because errors come back by longjmp. */
typedef struct jpeg_job {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    const al_picture *picture;
    align_image *out;
    al_resizer resizer; /* zeroed: the picture keeps its size */
    uint8_t *cmyk;      /* one row */
    align_error *err;
    align_status status;
} jpeg_job;

static align_status status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY:
        return ALIGN_ERROR_OUT_OF_MEMORY;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_IMAGE_TOO_BIG:
    case JERR_SOF_UNSUPPORTED:
        return ALIGN_ERROR_UNSUPPORTED;
    default:
        return ALIGN_ERROR_FORMAT;
    }
}

static void on_error(j_common_ptr info)
{
    jpeg_job *job = info->client_data;
    char message[JMSG_LENGTH_MAX];
    info->err->format_message(info, message);
    job->status = al_error_set(job->err, status_of(info->err->msg_code), "%s: JPEG: %s", job->picture->name, message);
    longjmp(job->failed, 1);
}

static void on_message(j_common_ptr info, int level)
{
    if (level >= 0)
        return;
    switch (info->err->msg_code) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
        on_error(info);
        break;
    default:
        break;
    }
}

static void on_progress(j_common_ptr info)
{
    jpeg_job *job = info->client_data;
    if (job->info.input_scan_number <= MAX_SCANS)
        return;
    job->status =
        al_error_set(job->err, ALIGN_ERROR_FORMAT, "%s: JPEG: more than %d scans", job->picture->name, MAX_SCANS);
    longjmp(job->failed, 1);
}

static void require(jpeg_job *job, align_status status)
{
    if (status == ALIGN_OK)
        return;
    job->status = status;
    longjmp(job->failed, 1);
}

/* EXIF first; of XMP the orientation only, and only where EXIF is silent. */
static void read_metadata(al_exif *out, const struct jpeg_decompress_struct *info)
{
    int xmp = 0;
    for (const struct jpeg_marker_struct *m = info->marker_list; m; m = m->next) {
        if (!out->orientation && m->data_length > EXIF_MARK_SIZE && memcmp(m->data, EXIF_MARK, EXIF_MARK_SIZE) == 0)
            al_exif_read(out, m->data, m->data_length);
        else if (!xmp && m->data_length > XMP_MARK_SIZE && memcmp(m->data, XMP_MARK, XMP_MARK_SIZE) == 0)
            xmp = al_xmp_orientation(m->data, m->data_length);
    }
    if (!out->orientation)
        out->orientation = xmp;
}

/* a * b / 255, rounded. */
static unsigned multiply_255(unsigned a, unsigned b)
{
    const unsigned product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

/* Adobe stores CMYK as what is left of the paper's white, and Pillow takes every CMYK JPEG as Adobe's. */
static void rgb_from_inverted_cmyk(uint8_t *rgb, const uint8_t *cmyk, int64_t width)
{
    for (int64_t x = 0; x < width; x++, rgb += 3, cmyk += 4)
        for (int c = 0; c < 3; c++) {
            const unsigned white = cmyk[3], ink = 255u - cmyk[c];
            rgb[c] = (uint8_t)(white - multiply_255(ink, white));
        }
}

static void begin_rows(jpeg_job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    const bool is_cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    if (is_cmyk) {
        const size_t bytes = (size_t)info->output_width * 4;
        job->cmyk = al_alloc(bytes);
        if (!job->cmyk)
            require(job, al_error_no_memory(job->err, bytes));
    }
    jpeg_start_decompress(info);
}

static void read_row(jpeg_job *job, uint8_t *row)
{
    JSAMPROW target = job->cmyk ? job->cmyk : row;
    jpeg_read_scanlines(&job->info, &target, 1);
    if (job->cmyk)
        rgb_from_inverted_cmyk(row, job->cmyk, job->info.output_width);
}

/* libjpeg makes a picture of 1/8, 1/4 or 1/2 of the size at little cost: the smallest that is at least twice as large
 * as what it is resized to. */
static void choose_scale(struct jpeg_decompress_struct *info, int64_t height, int64_t width)
{
    for (info->scale_num = 1, info->scale_denom = 8; info->scale_num < info->scale_denom; info->scale_num *= 2) {
        jpeg_calc_output_dimensions(info);
        if (info->output_height >= 2 * height && info->output_width >= 2 * width)
            break;
    }
    jpeg_calc_output_dimensions(info);
}

static void read_resized(jpeg_job *job, int orientation, const al_resize *to)
{
    struct jpeg_decompress_struct *info = &job->info;
    const bool exchanged = al_turn_of(orientation).exchanged;
    if (job->picture->options->fast_decode)
        choose_scale(info, exchanged ? to->width : to->height, exchanged ? to->height : to->width);
    const double scale = (double)info->scale_num / info->scale_denom;
    const al_stored from = {
        .rows = {info->output_height, info->image_height * scale, false},
        .columns = {info->output_width, info->image_width * scale, false},
        .channels = 3,
        .orientation = orientation,
    };
    require(job, al_resizer_init(&job->resizer, &from, to, job->err));
    begin_rows(job);
    while (info->output_scanline < info->output_height) {
        read_row(job, al_resizer_row(&job->resizer));
        al_resizer_push(&job->resizer);
    }
    *job->out = job->resizer.out;
    job->resizer.out.pixels = NULL;
}

static void read_whole(jpeg_job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    require(job, al_image_new(job->out, info->image_height, info->image_width, 3, job->err));
    begin_rows(job);
    while (info->output_scanline < info->output_height)
        read_row(job, job->out->pixels + (size_t)info->output_scanline * info->output_width * 3);
}

static align_status run(jpeg_job *job, al_header *header)
{
    struct jpeg_decompress_struct *info = &job->info;
    const al_picture *picture = job->picture;
    al_resize to;
    if (setjmp(job->failed))
        return job->status;
    jpeg_create_decompress(info);
    info->progress = &job->progress;
    jpeg_mem_src(info, picture->data, picture->size);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(info, TRUE);
    header->height = info->image_height;
    header->width = info->image_width;
    read_metadata(&header->exif, info);
    if (!job->out)
        return ALIGN_OK;
    require(job, al_image_judge(picture, info->image_height, info->image_width, job->err));
    jpeg_calc_output_dimensions(info);
    if (al_resize_of(&to, picture->options->resize_for))
        read_resized(job, al_image_orientation(picture, header), &to);
    else
        read_whole(job);
    jpeg_finish_decompress(info);
    return ALIGN_OK;
}

align_status al_jpeg_decode(align_image *out, al_header *header, const al_picture *picture, align_error *err)
{
    jpeg_job job = {.picture = picture, .out = out, .err = err};
    job.info.err = jpeg_std_error(&job.errors);
    job.info.client_data = &job;
    job.errors.error_exit = on_error;
    job.errors.emit_message = on_message;
    job.progress.progress_monitor = on_progress;
    const align_status status = run(&job, header);
    jpeg_destroy_decompress(&job.info);
    al_resizer_done(&job.resizer);
    al_free(job.cmyk);
    return status;
}
