/*
 * decode_gif.c: the first frame of a GIF by giflib, on the logical screen, as Pillow shows it: the screen grows to hold
 * the frame; around the frame it has the colour of the transparent index, or else of index 0 (not the background's).
 */
#include "processor/image.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#include <gif_lib.h>

#define COLOURS 256

typedef struct gif_job {
    const al_picture *picture;
    size_t used; /* bytes of the picture that giflib has taken */
    GifFileType *gif;
    int transparent; /* index, or -1 */
    uint8_t palette[COLOURS][3];
} gif_job;

static int read_bytes(GifFileType *gif, GifByteType *out, int size)
{
    gif_job *job = gif->UserData;
    const size_t left = job->picture->size - job->used;
    const size_t n = (size_t)size < left ? (size_t)size : left;
    memcpy(out, job->picture->data + job->used, n);
    job->used += n;
    return (int)n;
}

static align_status gif_error(const gif_job *job, int code, align_error *err)
{
    const char *reason = GifErrorString(code);
    return al_error_set(err, code == D_GIF_ERR_NOT_ENOUGH_MEM ? ALIGN_ERROR_OUT_OF_MEMORY : ALIGN_ERROR_FORMAT,
                        "%s: GIF: %s", job->picture->name, reason ? reason : "the file is damaged");
}

#define GIF_TRY(call)                                      \
    do {                                                   \
        if ((call) == GIF_ERROR) {                         \
            status = gif_error(job, job->gif->Error, err); \
            goto done;                                     \
        }                                                  \
    } while (0)

static align_status read_extension(gif_job *job, align_error *err)
{
    align_status status = ALIGN_OK;
    int code;
    GifByteType *block; /* its length, then its bytes */
    GraphicsControlBlock control;
    GIF_TRY(DGifGetExtension(job->gif, &code, &block));
    if (block && code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
        control.TransparentColor != NO_TRANSPARENT_COLOR)
        job->transparent = control.TransparentColor;
    while (block)
        GIF_TRY(DGifGetExtensionNext(job->gif, &block));
done:
    return status;
}

/* Stops behind the first frame's descriptor. */
static align_status find_frame(gif_job *job, align_error *err)
{
    align_status status = ALIGN_OK;
    for (;;) {
        GifRecordType type;
        GIF_TRY(DGifGetRecordType(job->gif, &type));
        if (type == TERMINATE_RECORD_TYPE)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: GIF: no frame", job->picture->name);
        if (type == IMAGE_DESC_RECORD_TYPE)
            break;
        TRY(read_extension(job, err));
    }
    GIF_TRY(DGifGetImageDesc(job->gif));
done:
    return status;
}

/* No table, or one that spells out the grey ramp: the index is the grey. Past the end of a table is black. */
static void set_palette(gif_job *job)
{
    const ColorMapObject *map = job->gif->Image.ColorMap ? job->gif->Image.ColorMap : job->gif->SColorMap;
    const int count = map ? map->ColorCount : 0;
    bool ramp = true;
    for (int i = 0; i < count; i++) {
        const GifColorType c = map->Colors[i];
        ramp = ramp && c.Red == i && c.Green == i && c.Blue == i;
        job->palette[i][0] = c.Red;
        job->palette[i][1] = c.Green;
        job->palette[i][2] = c.Blue;
    }
    for (int i = count; ramp && i < COLOURS; i++)
        memset(job->palette[i], i, 3);
}

static void fill(align_image *out, const uint8_t colour[3])
{
    const int64_t pixels = out->height * out->width;
    for (int64_t i = 0; i < pixels; i++)
        memcpy(out->pixels + 3 * i, colour, 3);
}

static align_status read_frame(gif_job *job, align_image *out, align_error *err)
{
    /* Interlaced rows come in four passes; otherwise there is one. */
    static const int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
    align_status status = ALIGN_OK;
    const GifImageDesc *frame = &job->gif->Image;
    const int passes = frame->Interlace ? 4 : 1;
    GifPixelType *line = al_alloc((size_t)frame->Width);
    if (!line)
        return al_error_no_memory(err, (size_t)frame->Width);
    for (int pass = 0; pass < passes; pass++)
        for (int y = starts[pass]; y < frame->Height; y += frame->Interlace ? steps[pass] : 1) {
            GIF_TRY(DGifGetLine(job->gif, line, frame->Width));
            uint8_t *to = out->pixels + ((frame->Top + y) * out->width + frame->Left) * 3;
            for (int x = 0; x < frame->Width; x++)
                memcpy(to + 3 * (size_t)x, job->palette[line[x]], 3);
        }
done:
    al_free(line);
    return status;
}

align_status al_gif_decode(align_image *out, int *orientation, const al_picture *picture, align_error *err)
{
    align_status status = ALIGN_OK;
    gif_job job = {.picture = picture, .transparent = -1};
    int code = 0;
    *orientation = 0;
    job.gif = DGifOpen(&job, read_bytes, &code);
    if (!job.gif)
        return gif_error(&job, code, err);
    TRY(find_frame(&job, err));
    const GifImageDesc *frame = &job.gif->Image;
    if (frame->Width < 1 || frame->Height < 1)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: GIF: the first frame is empty", picture->name);
    const int bottom = frame->Top + frame->Height, right = frame->Left + frame->Width;
    TRY(al_image_begin(out, picture, bottom > job.gif->SHeight ? bottom : job.gif->SHeight,
                       right > job.gif->SWidth ? right : job.gif->SWidth, err));
    set_palette(&job);
    fill(out, job.palette[job.transparent < 0 ? 0 : job.transparent]);
    TRY(read_frame(&job, out, err));
done:
    DGifCloseFile(job.gif, &code);
    return status;
}
