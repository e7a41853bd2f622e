/*
 * decode_png.c: PNG by libpng, in Pillow's colours: a palette is looked up and its transparency forgotten, an alpha
 * channel is dropped and the colour under it kept, deep channels give their high byte; but 16-bit grey (Pillow's mode
 * I;16) is cut off at 255. No gamma or colour profile is applied.
 */
#include "processor/image.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#include <png.h>

#define XMP_KEY         "XML:com.adobe.xmp"
#define RAW_PROFILE_KEY "Raw profile type exif"

/* Everything lives here and nothing in locals, because errors come back by longjmp. */
typedef struct png_job {
    png_structp png;
    png_infop info;
    const al_picture *picture;
    size_t used; /* bytes of the picture that libpng has taken */
    align_image *out;
    png_bytep *rows;
    bool no_memory;
    align_error *err;
    align_status status;
} png_job;

static PNG_FUNCTION(void, on_error, (png_structp png, png_const_charp message), PNG_NORETURN)
{
    png_job *job = png_get_error_ptr(png);
    job->status = al_error_set(job->err, job->no_memory ? ALIGN_ERROR_OUT_OF_MEMORY : ALIGN_ERROR_FORMAT, "%s: PNG: %s",
                               job->picture->name, message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp allocate(png_structp png, png_alloc_size_t bytes)
{
    png_job *job = png_get_mem_ptr(png);
    void *memory = al_alloc(bytes);
    job->no_memory |= !memory;
    return memory;
}

static void release(png_structp png, png_voidp memory)
{
    (void)png;
    al_free(memory);
}

static void read_bytes(png_structp png, png_bytep out, size_t size)
{
    png_job *job = png_get_io_ptr(png);
    if (size > job->picture->size - job->used)
        png_error(png, "the file is truncated");
    memcpy(out, job->picture->data + job->used, size);
    job->used += size;
}

static void require(png_job *job, align_status status)
{
    if (status == ALIGN_OK)
        return;
    job->status = status;
    png_longjmp(job->png, 1);
}

/* How a row of libpng's becomes RGB. What is narrower than RGB is read into the end of its RGB row and widened in
 * place: writing from the left never overtakes reading. */
typedef enum row_form {
    ROW_RGB = 3, /* bytes a pixel */
    ROW_GREY_16 = 2,
    ROW_PALETTE = 1
} row_form;

static row_form set_transforms(png_job *job)
{
    const int type = png_get_color_type(job->png, job->info), depth = png_get_bit_depth(job->png, job->info);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(job->png);
        return ROW_PALETTE;
    }
    if (type == PNG_COLOR_TYPE_GRAY && depth == 16)
        return ROW_GREY_16;
    if (depth < 8)
        png_set_expand_gray_1_2_4_to_8(job->png);
    png_set_strip_16(job->png);
    png_set_strip_alpha(job->png);
    png_set_gray_to_rgb(job->png);
    return ROW_RGB;
}

static void widen_grey_16(uint8_t *rgb, const uint8_t *grey, int64_t width)
{
    for (int64_t x = 0; x < width; x++, rgb += 3, grey += 2) {
        const uint8_t value = grey[0] ? 255 : grey[1];
        rgb[0] = rgb[1] = rgb[2] = value;
    }
}

/* An index past the palette's end is black. */
static void widen_palette(uint8_t *rgb, const uint8_t *index, int64_t width, const png_color *palette, int colours)
{
    for (int64_t x = 0; x < width; x++, rgb += 3, index++) {
        const png_color colour = *index < colours ? palette[*index] : (png_color){0, 0, 0};
        rgb[0] = colour.red;
        rgb[1] = colour.green;
        rgb[2] = colour.blue;
    }
}

static void widen_rows(png_job *job, row_form form)
{
    const align_image *out = job->out;
    png_colorp palette = NULL;
    int colours = 0;
    if (form == ROW_PALETTE)
        png_get_PLTE(job->png, job->info, &palette, &colours);
    for (int64_t y = 0; y < out->height; y++) {
        uint8_t *row = out->pixels + y * out->width * 3;
        if (form == ROW_PALETTE)
            widen_palette(row, job->rows[y], out->width, palette, colours);
        else
            widen_grey_16(row, job->rows[y], out->width);
    }
}

/* eXIf, or what ImageMagick writes in its place; of XMP the orientation only, and only where they are silent. */
static void read_metadata(al_exif *out, png_job *job)
{
    png_bytep exif = NULL;
    png_uint_32 exif_size = 0;
    png_textp texts = NULL;
    int count = 0, xmp = 0;
    if (png_get_eXIf_1(job->png, job->info, &exif_size, &exif))
        al_exif_read(out, exif, exif_size);
    png_get_text(job->png, job->info, &texts, &count);
    for (int i = 0; i < count; i++) {
        const uint8_t *text = (const uint8_t *)texts[i].text;
        const size_t size = texts[i].text_length ? texts[i].text_length : texts[i].itxt_length;
        if (!exif && strcmp(texts[i].key, RAW_PROFILE_KEY) == 0)
            al_raw_profile_read(out, text, size);
        else if (strcmp(texts[i].key, XMP_KEY) == 0)
            xmp = al_xmp_orientation(text, size);
    }
    if (!out->orientation)
        out->orientation = xmp;
}

static void read_pixels(png_job *job, int64_t height, int64_t width)
{
    require(job, al_image_begin(job->out, job->picture, height, width, job->err));
    const row_form form = set_transforms(job);
    job->rows = al_calloc((size_t)height, sizeof *job->rows);
    if (!job->rows)
        require(job, al_error_no_memory(job->err, (size_t)height * sizeof *job->rows));
    for (int64_t y = 0; y < height; y++)
        job->rows[y] = job->out->pixels + (y + 1) * width * 3 - width * (int64_t)form;
    png_read_image(job->png, job->rows);
    if (form != ROW_RGB)
        widen_rows(job, form);
}

static int take_pixels(png_structp png, png_unknown_chunkp chunk)
{
    (void)png;
    return memcmp(chunk->name, "IDAT", 4) == 0;
}

/* Makes pixels a chunk that libpng does not know, and that is ours: it is passed over without being expanded. */
static void leave_out_pixels(png_job *job)
{
    static const png_byte pixels[] = "IDAT";
    png_set_keep_unknown_chunks(job->png, PNG_HANDLE_CHUNK_NEVER, pixels, 1);
    png_set_read_user_chunk_fn(job->png, NULL, take_pixels);
    png_set_chunk_malloc_max(job->png, job->picture->size); /* no chunk that is there is longer */
}

static void read_picture(png_job *job, al_header *header)
{
    png_set_read_fn(job->png, job, read_bytes);
    png_set_user_limits(job->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* max_pixels is ours to judge */
    png_set_crc_action(job->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    if (!job->out)
        leave_out_pixels(job);
    png_read_info(job->png, job->info);
    header->height = png_get_image_height(job->png, job->info);
    header->width = png_get_image_width(job->png, job->info);
    if (job->out)
        read_pixels(job, header->height, header->width);
    png_read_end(job->png, job->info); /* metadata may stand behind the pixels */
    read_metadata(&header->exif, job);
}

static align_status run(png_job *job, al_header *header)
{
    if (setjmp(png_jmpbuf(job->png)))
        return job->status;
    read_picture(job, header);
    if (job->no_memory) /* libpng drops metadata that it has no memory for */
        return al_error_set(job->err, ALIGN_ERROR_OUT_OF_MEMORY, "%s: PNG: out of memory", job->picture->name);
    return ALIGN_OK;
}

align_status al_png_decode(align_image *out, al_header *header, const al_picture *picture, align_error *err)
{
    png_job job = {.picture = picture, .out = out, .err = err};
    job.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job, allocate, release);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    const align_status status = job.info ? run(&job, header) : al_error_no_memory(err, sizeof job);
    png_destroy_read_struct(&job.png, &job.info, NULL);
    al_free(job.rows);
    return status;
}
