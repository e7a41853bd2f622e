#ifndef AL_IMAGE_H
#define AL_IMAGE_H
/*
 * image.h: what the picture decoders share. One file a format (decode_jpeg.c, decode_png.c, decode_webp.c,
 * decode_gif.c); image.c recognises the format, calls its decoder and turns the picture upright.
 */
#include "processor/exif.h"

#include <align/processor.h>

/* An encoded picture in memory. name is only for messages. */
typedef struct al_picture {
    const uint8_t *data;
    size_t size;
    const char *name;
    const align_image_options *options;
} al_picture;

/* What a file says about its picture: the size as it is stored, and what its metadata tell. */
typedef struct al_header {
    int64_t height, width;
    al_exif exif; /* an orientation of anything but 2..8 means upright */
} al_header;

/* clang-format off */
#define AL_HEADER_INIT { 0, 0, AL_EXIF_INIT }
/* clang-format on */

/*
 * A decoder fills *out (zeroed on entry; what it holds after a failure is freed by the caller) with the stored pixels
 * as RGB, and *header, whose exif is set to nothing on entry. out NULL: it reads the header and decodes nothing. One
 * that reads rows in order may already resize them for options->resize_for (al_resize_wanted); the caller does it for
 * the others.
 */
typedef align_status al_decoder(align_image *out, al_header *header, const al_picture *picture, align_error *err);

al_decoder al_jpeg_decode, al_png_decode, al_webp_decode, al_gif_decode;

/* Which way is up: as the file says, unless that is to be ignored. */
int al_image_orientation(const al_picture *picture, const al_header *header);

/* Judges the size that a header claims. Every decoder does this before it asks its library for memory that grows with
 * the picture. */
align_status al_image_judge(const al_picture *picture, int64_t height, int64_t width, align_error *err);

/* The same, then gives *out its pixels (not set), 3 channels. */
align_status al_image_begin(align_image *out, const al_picture *picture, int64_t height, int64_t width,
                            align_error *err);

/* Pixels for any size and channels that fit in memory; not set. */
align_status al_image_new(align_image *out, int64_t height, int64_t width, int64_t channels, align_error *err);

/*
 * How a stored picture is turned: which of its ends the first row and the first column of the upright one come from,
 * and whether rows and columns change places.
 */
typedef struct al_turn {
    bool exchanged, from_bottom, from_right;
} al_turn;
al_turn al_turn_of(int orientation);

/* INVALID_ARGUMENT unless the sizes are at least 1 and there are 1 to 4 channels; and, of a picture, pixels. */
align_status al_image_check_size(int64_t height, int64_t width, int64_t channels, align_error *err);
align_status al_image_check(const align_image *image, align_error *err);
#endif
