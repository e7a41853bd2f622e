/*
 * decode_webp.c: WebP by libwebp. A still picture is an animation of one frame to its animation decoder, which, unlike
 * the plain one, sees every kind of damage; of an animation the first frame is taken, on its transparent black canvas.
 * Alpha is dropped and the colour under it kept.
 */
#include "processor/resize.h"

#include "base/status.h"

#include <webp/decode.h>
#include <webp/demux.h>

static void read_metadata(al_exif *out, const WebPDemuxer *demuxer)
{
    WebPChunkIterator chunk;
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        al_exif_read(out, chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    if (!out->orientation && WebPDemuxGetChunk(demuxer, "XMP ", 1, &chunk)) {
        out->orientation = al_xmp_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
}

static void drop_alpha(uint8_t *rgb, const uint8_t *rgba, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        rgb[3 * i] = rgba[4 * i];
        rgb[3 * i + 1] = rgba[4 * i + 1];
        rgb[3 * i + 2] = rgba[4 * i + 2];
    }
}

static align_status resize_canvas(align_image *out, const uint8_t *canvas, const al_stored *from, const al_resize *to,
                                  align_error *err)
{
    al_resizer resizer;
    const align_status status = al_resizer_init(&resizer, from, to, err);
    if (status != ALIGN_OK)
        return status;
    const size_t width = (size_t)from->columns.pixels;
    for (size_t y = 0; y < (size_t)from->rows.pixels; y++) {
        drop_alpha(al_resizer_row(&resizer), canvas + 4 * y * width, width);
        al_resizer_push(&resizer);
    }
    *out = resizer.out;
    resizer.out.pixels = NULL;
    al_resizer_done(&resizer);
    return ALIGN_OK;
}

static align_status decode_first_frame(align_image *out, const al_picture *picture, const al_stored *from,
                                       align_error *err)
{
    align_status status = ALIGN_OK;
    const int64_t height = from->rows.pixels, width = from->columns.pixels;
    const WebPData data = {picture->data, picture->size};
    uint8_t *canvas; /* RGBA, the decoder's */
    int timestamp;
    al_resize to;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
    if (!decoder)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: WebP: the file is damaged", picture->name);
    if (!WebPAnimDecoderGetNext(decoder, &canvas, &timestamp))
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: WebP: the first frame is damaged or missing", picture->name);
    if (al_resize_of(&to, picture->options->resize_for)) {
        TRY(resize_canvas(out, canvas, from, &to, err));
    } else {
        TRY(al_image_new(out, height, width, 3, err));
        drop_alpha(out->pixels, canvas, (size_t)(height * width));
    }
done:
    WebPAnimDecoderDelete(decoder);
    return status;
}

align_status al_webp_decode(align_image *out, al_header *header, const al_picture *picture, align_error *err)
{
    align_status status = ALIGN_OK;
    const WebPData data = {picture->data, picture->size};
    WebPDemuxer *demuxer = WebPDemux(&data); /* judges the whole container; holds no pixels */
    if (!demuxer)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: WebP: the file is damaged or truncated", picture->name);
    header->height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    header->width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    read_metadata(&header->exif, demuxer);
    if (!out)
        goto done;
    TRY(al_image_judge(picture, header->height, header->width, err));
    const al_stored from = al_stored_whole(header->height, header->width, 3, al_image_orientation(picture, header));
    TRY(decode_first_frame(out, picture, &from, err));
done:
    WebPDemuxDelete(demuxer);
    return status;
}
