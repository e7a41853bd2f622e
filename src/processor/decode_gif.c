/*
 * decode_gif.c: the first frame of a GIF by giflib, on the logical screen, as Pillow shows it: the screen grows to hold
 * the frame; around the frame it has the colour of the transparent index, or else of index 0 (not the background's).
 *
 * giflib reads the blocks and cuts the data into codes; the codes are expanded here, because giflib's own decoder makes
 * up pixels for codes that stand for nothing.
 */
#include "processor/image.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#include <gif_lib.h>

#define COLOURS   256
#define MAX_CODES 4096

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

/* ---- LZW: a code stands for a pixel (below clear) or for an earlier code's pixels and one more ---- */

typedef struct code_table {
    uint16_t prefix[MAX_CODES], length[MAX_CODES];
    uint8_t first[MAX_CODES], last[MAX_CODES];
    int clear, next, previous; /* previous: -1 after a clear code */
} code_table;

static void table_init(code_table *t, int code_size)
{
    t->clear = 1 << code_size;
    t->next = t->clear + 2; /* one code ends the data; giflib handles it */
    t->previous = -1;
    for (int code = 0; code < t->clear; code++) {
        t->length[code] = 1;
        t->first[code] = t->last[code] = (uint8_t)code;
    }
}

/* Learns what the code teaches: the previous code's pixels and the first of this one's. False for an unknown code. */
static bool table_learn(code_table *t, int code)
{
    const bool grows = t->previous >= 0 && t->next < MAX_CODES;
    if (code < 0 || code > t->next || (code == t->next && !grows) || (t->previous < 0 && code >= t->clear))
        return false;
    if (grows) {
        const int next = t->next++;
        t->prefix[next] = (uint16_t)t->previous;
        t->length[next] = (uint16_t)(t->length[t->previous] + 1);
        t->first[next] = t->first[t->previous];
        t->last[next] = t->first[code == next ? t->previous : code];
    }
    t->previous = code;
    return true;
}

/* Writes the code's pixels at `at`, as far as there is room, and returns how many it has. */
static size_t table_expand(const code_table *t, int code, uint8_t *pixels, size_t at, size_t size)
{
    const size_t length = t->length[code];
    for (size_t i = length; i-- > 0; code = t->prefix[code])
        if (at + i < size)
            pixels[at + i] = t->last[code];
    return length;
}

/* The frame's indices, in the order of the file. */
static align_status read_indices(gif_job *job, uint8_t *indices, size_t size, align_error *err)
{
    align_status status = ALIGN_OK;
    const int code_size = job->picture->data[job->used - 1]; /* giflib has read and judged it, and stands behind it */
    code_table *table = al_calloc(1, sizeof *table);
    if (!table)
        return al_error_no_memory(err, sizeof *table);
    table_init(table, code_size);
    for (size_t at = 0; at < size;) {
        int code;
        GIF_TRY(DGifGetLZCodes(job->gif, &code));
        if (code == table->clear) {
            table->next = table->clear + 2;
            table->previous = -1;
            continue;
        }
        if (!table_learn(table, code))
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: GIF: the frame %s after %zu of %zu pixels", job->picture->name,
                 code < 0 ? "ends" : "is damaged", at, size);
        at += table_expand(table, code, indices, at, size);
    }
done:
    al_free(table);
    return status;
}

/* ---- the frame ---- */

static align_status read_frame(gif_job *job, align_image *out, align_error *err)
{
    /* Interlaced rows come in four passes; otherwise there is one. */
    static const int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
    align_status status = ALIGN_OK;
    const GifImageDesc *frame = &job->gif->Image;
    const int passes = frame->Interlace ? 4 : 1;
    const size_t width = (size_t)frame->Width, size = width * (size_t)frame->Height;
    uint8_t *indices = al_alloc(size);
    if (!indices)
        return al_error_no_memory(err, size);
    TRY(read_indices(job, indices, size, err));
    const uint8_t *line = indices;
    for (int pass = 0; pass < passes; pass++)
        for (int y = starts[pass]; y < frame->Height; y += frame->Interlace ? steps[pass] : 1, line += width) {
            uint8_t *to = out->pixels + ((frame->Top + y) * out->width + frame->Left) * 3;
            for (size_t x = 0; x < width; x++)
                memcpy(to + 3 * x, job->palette[line[x]], 3);
        }
done:
    al_free(indices);
    return status;
}

align_status al_gif_decode(align_image *out, al_header *header, const al_picture *picture, align_error *err)
{
    align_status status = ALIGN_OK;
    gif_job job = {.picture = picture, .transparent = -1};
    int code = 0;
    job.gif = DGifOpen(&job, read_bytes, &code);
    if (!job.gif)
        return gif_error(&job, code, err);
    TRY(find_frame(&job, err));
    const GifImageDesc *frame = &job.gif->Image;
    if (frame->Width < 1 || frame->Height < 1)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: GIF: the first frame is empty", picture->name);
    const int bottom = frame->Top + frame->Height, right = frame->Left + frame->Width;
    header->height = bottom > job.gif->SHeight ? bottom : job.gif->SHeight;
    header->width = right > job.gif->SWidth ? right : job.gif->SWidth;
    if (!out)
        goto done;
    TRY(al_image_begin(out, picture, header->height, header->width, err));
    set_palette(&job);
    fill(out, job.palette[job.transparent < 0 ? 0 : job.transparent]);
    TRY(read_frame(&job, out, err));
done:
    DGifCloseFile(job.gif, &code);
    return status;
}
