/*
 * decode_webp.c: WebP by libwebp. A still picture is an animation of one frame to its animation decoder, which, unlike
 * the plain one, sees every kind of damage; of an animation the first frame is taken, on its transparent black canvas.
 * Alpha is dropped and the colour under it kept.
 */
#include "processor/image.h"

#include "base/status.h"
#include "processor/exif.h"

#include <webp/decode.h>
#include <webp/demux.h>

static int orientation_of(const WebPDemuxer *demuxer)
{
    WebPChunkIterator chunk;
    int orientation = 0;
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        orientation = al_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    if (!orientation && WebPDemuxGetChunk(demuxer, "XMP ", 1, &chunk)) {
        orientation = al_xmp_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return orientation;
}

static align_status decode_first_frame(align_image *out, const al_picture *picture, align_error *err)
{
    align_status status = ALIGN_OK;
    const WebPData data = {picture->data, picture->size};
    uint8_t *canvas; /* RGBA, the decoder's */
    int timestamp;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
    if (!decoder)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: WebP: the file is damaged", picture->name);
    if (!WebPAnimDecoderGetNext(decoder, &canvas, &timestamp))
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: WebP: the first frame is damaged or missing", picture->name);
    const int64_t pixels = out->height * out->width;
    for (int64_t i = 0; i < pixels; i++) {
        out->pixels[3 * i] = canvas[4 * i];
        out->pixels[3 * i + 1] = canvas[4 * i + 1];
        out->pixels[3 * i + 2] = canvas[4 * i + 2];
    }
done:
    WebPAnimDecoderDelete(decoder);
    return status;
}

align_status al_webp_decode(align_image *out, int *orientation, const al_picture *picture, align_error *err)
{
    align_status status = ALIGN_OK;
    const WebPData data = {picture->data, picture->size};
    WebPDemuxer *demuxer = WebPDemux(&data); /* judges the whole container; holds no pixels */
    if (!demuxer)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: WebP: the file is damaged or truncated", picture->name);
    TRY(al_image_begin(out, picture, WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT),
                       WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH), err));
    *orientation = orientation_of(demuxer);
    TRY(decode_first_frame(out, picture, err));
done:
    WebPDemuxDelete(demuxer);
    return status;
}
