/*
 * image.c: pictures from files and memory. Recognises the format by its first bytes, lets that format's decoder make
 * RGB of it, and applies the EXIF orientation as PIL.ImageOps.exif_transpose does.
 */
#include "processor/resize.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

#include <string.h>

/* ---- memory ---- */

align_status al_image_new(align_image *out, int64_t height, int64_t width, int64_t channels, align_error *err)
{
    size_t bytes;
    if (!al_mul((size_t)height, (size_t)width, &bytes) || !al_mul(bytes, (size_t)channels, &bytes))
        return al_error_no_memory(err, SIZE_MAX);
    uint8_t *pixels = al_alloc(bytes);
    if (!pixels)
        return al_error_no_memory(err, bytes);
    *out = (align_image){height, width, channels, pixels};
    return ALIGN_OK;
}

align_status al_image_judge(const al_picture *picture, int64_t height, int64_t width, align_error *err)
{
    const int64_t most = picture->options->max_pixels;
    if (height < 1 || width < 1)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: an empty picture (%" PRId64 " x %" PRId64 ")", picture->name,
                            height, width);
    if (height > most / width)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "%s: the picture claims %" PRId64 " x %" PRId64 " pixels, more than the limit of %" PRId64,
                            picture->name, height, width, most);
    return ALIGN_OK;
}

align_status al_image_begin(align_image *out, const al_picture *picture, int64_t height, int64_t width,
                            align_error *err)
{
    const align_status status = al_image_judge(picture, height, width, err);
    return status == ALIGN_OK ? al_image_new(out, height, width, 3, err) : status;
}

void align_image_done(align_image *image)
{
    if (!image)
        return;
    al_free(image->pixels);
    *image = (align_image){0, 0, 0, NULL};
}

align_status al_image_check_size(int64_t height, int64_t width, int64_t channels, align_error *err)
{
    if (height < 1 || width < 1 || channels < 1 || channels > 4)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "a picture of %" PRId64 " x %" PRId64 " pixels and %" PRId64
                            " channels: expected sizes of at least 1 and 1 to 4 channels",
                            height, width, channels);
    return ALIGN_OK;
}

align_status al_image_check(const align_image *image, align_error *err)
{
    if (!image || !image->pixels)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no picture");
    return al_image_check_size(image->height, image->width, image->channels, err);
}

/* ---- orientation ---- */

#define TILE 32

/* Copies source to out pixel by pixel, where a step along out's rows and columns is any step in source. In tiles,
 * because a quarter turn reads across the lines of the cache. */
static void copy_turned(align_image *out, const uint8_t *origin, ptrdiff_t row_step, ptrdiff_t column_step)
{
    for (int64_t top = 0; top < out->height; top += TILE) {
        const int64_t bottom = top + TILE < out->height ? top + TILE : out->height;
        for (int64_t left = 0; left < out->width; left += TILE) {
            const int64_t right = left + TILE < out->width ? left + TILE : out->width;
            for (int64_t y = top; y < bottom; y++) {
                const uint8_t *from = origin + y * row_step + left * column_step;
                uint8_t *to = out->pixels + (y * out->width + left) * 3;
                for (int64_t x = left; x < right; x++, from += column_step, to += 3) {
                    to[0] = from[0];
                    to[1] = from[1];
                    to[2] = from[2];
                }
            }
        }
    }
}

/* EXIF's values: 2 mirrored, 3 upside down, 4 mirrored and upside down, 5..8 the same with rows and columns
 * exchanged. */
al_turn al_turn_of(int orientation)
{
    const int o = orientation;
    return (al_turn){
        .exchanged = o >= 5 && o <= 8,
        .from_bottom = o == 3 || o == 4 || o == 6 || o == 7,
        .from_right = o == 2 || o == 3 || o == 7 || o == 8,
    };
}

int al_image_orientation(const al_picture *picture, const al_header *header)
{
    return picture->options->ignore_orientation ? 0 : header->exif.orientation;
}

/* Turns an RGB picture upright. */
static align_status turn_upright(align_image *image, int orientation, align_error *err)
{
    const al_turn turn = al_turn_of(orientation);
    if (!turn.exchanged && !turn.from_bottom && !turn.from_right)
        return ALIGN_OK;
    align_image out;
    const align_status status = turn.exchanged ? al_image_new(&out, image->width, image->height, 3, err)
                                               : al_image_new(&out, image->height, image->width, 3, err);
    if (status != ALIGN_OK)
        return status;
    const ptrdiff_t line = (ptrdiff_t)image->width * 3;
    const ptrdiff_t down = turn.from_bottom ? -line : line, along = turn.from_right ? -3 : 3;
    const uint8_t *origin =
        image->pixels + (turn.from_bottom ? (image->height - 1) * line : 0) + (turn.from_right ? line - 3 : 0);
    copy_turned(&out, origin, turn.exchanged ? along : down, turn.exchanged ? down : along);
    align_image_done(image);
    *image = out;
    return ALIGN_OK;
}

/* ---- recognition ---- */

typedef struct signature {
    const char *format;
    size_t offset, size;
    const char *bytes;
    al_decoder *decode; /* NULL: known by name only, for a better message */
} signature;

static const signature signatures[] = {
    {"JPEG", 0, 3, "\xff\xd8\xff", al_jpeg_decode},
    {"PNG", 0, 8, "\x89PNG\r\n\x1a\n", al_png_decode},
    {"WebP", 8, 4, "WEBP", al_webp_decode},
    {"GIF", 0, 6, "GIF87a", al_gif_decode},
    {"GIF", 0, 6, "GIF89a", al_gif_decode},
    {"TIFF", 0, 4, "II*\0", NULL},
    {"TIFF", 0, 4, "MM\0*", NULL},
    {"AVIF", 4, 8, "ftypavif", NULL},
    {"HEIF", 4, 7, "ftyphei", NULL},
    {"JPEG 2000", 4, 4, "jP  ", NULL},
    {"JPEG XL", 4, 4, "JXL ", NULL},
    {"BMP", 0, 2, "BM", NULL},
};

static const signature *recognise(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const signature *s = &signatures[i];
        if (size >= s->offset + s->size && memcmp(data + s->offset, s->bytes, s->size) == 0)
            return s;
    }
    return NULL;
}

/* ---- public ---- */

static const align_image_options default_options = ALIGN_IMAGE_OPTIONS_INIT;

/* Gives a stored picture the size that options ask for, unless its decoder has done so. */
static align_status resize_stored(align_image *image, int orientation, const align_image_options *options,
                                  align_error *err)
{
    align_status status = ALIGN_OK;
    al_resize to;
    align_image resized;
    if (!al_resize_of(&to, options->resize_for))
        return ALIGN_OK;
    const bool exchanged = al_turn_of(orientation).exchanged;
    if (image->height == (exchanged ? to.width : to.height) && image->width == (exchanged ? to.height : to.width))
        return ALIGN_OK;
    TRY(al_image_resize(&resized, image, orientation, &to, err));
    align_image_done(image);
    *image = resized;
done:
    return status;
}

/* The format of the bytes, one that has a decoder. */
static align_status find_format(const signature **out, const uint8_t *bytes, size_t size, const char *name,
                                align_error *err)
{
    align_status status = ALIGN_OK;
    const signature *found = recognise(bytes, size);
    if (!found)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: %s; expected JPEG, PNG, WebP or GIF", name,
             size ? "not a picture that this library knows" : "an empty file");
    if (!found->decode)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "%s: a %s picture; expected JPEG, PNG, WebP or GIF", name, found->format);
    *out = found;
done:
    return status;
}

align_status align_image_decode(align_image *out, const void *bytes, size_t size, const char *name,
                                const align_image_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    align_image image = {0, 0, 0, NULL};
    al_header header = AL_HEADER_INIT;
    const signature *found;
    al_resize to;
    if (!name)
        name = "picture";
    if (!options)
        options = &default_options;
    if (!out || (!bytes && size))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: no bytes, or nowhere to put the picture", name);
    *out = image;
    TRY(find_format(&found, bytes, size, name, err));
    if (al_resize_of(&to, options->resize_for))
        TRY(al_resize_check(&to, err));
    const al_picture picture = {bytes, size, name, options};
    TRY(found->decode(&image, &header, &picture, err));
    const int orientation = al_image_orientation(&picture, &header);
    TRY(resize_stored(&image, orientation, options, err));
    TRY(turn_upright(&image, orientation, err));
    *out = image;
    image.pixels = NULL;
done:
    al_free(image.pixels);
    return status;
}

align_status align_image_get_info(align_image_info *out, const void *bytes, size_t size, const char *name,
                                  align_error *err)
{
    align_status status = ALIGN_OK;
    al_header header = AL_HEADER_INIT;
    const signature *found;
    if (!name)
        name = "picture";
    if (!out || (!bytes && size))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: no bytes, or nowhere to put what they say", name);
    TRY(find_format(&found, bytes, size, name, err));
    const al_picture picture = {bytes, size, name, &default_options};
    TRY(found->decode(NULL, &header, &picture, err));
    const bool exchanged = al_turn_of(header.exif.orientation).exchanged;
    *out = (align_image_info){
        .height = exchanged ? header.width : header.height,
        .width = exchanged ? header.height : header.width,
        .orientation = header.exif.orientation,
        .taken = header.exif.taken,
        .zone_known = header.exif.zone_known,
        .zone_east = header.exif.zone_east,
    };
done:
    return status;
}

align_status align_image_open(align_image *out, const char *path, const align_image_options *options, align_error *err)
{
    if (!out || !path)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no path, or nowhere to put the picture");
    *out = (align_image){0, 0, 0, NULL};
    al_map map;
    align_status status = al_map_open(&map, path, err);
    if (status != ALIGN_OK)
        return status;
    status = align_image_decode(out, map.data, map.size, path, options, err);
    al_map_close(&map);
    return status;
}
