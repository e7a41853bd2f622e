#ifndef AL_EXIF_H
#define AL_EXIF_H
/*
 * exif.h: what is wanted from a picture's metadata: which way is up, in all three forms that PIL.ImageOps.
 * exif_transpose looks at, and when it was taken. Damaged metadata is no error, it just says nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct al_exif {
    int orientation;   /* 1..8 if the file is sane; 0: not stated */
    int64_t taken;     /* seconds since 1970 on the camera's clock; INT64_MIN: not stated */
    bool zone_known;   /* whether the clock's zone is stated */
    int64_t zone_east; /* seconds that the clock was ahead of UTC */
} al_exif;

/* clang-format off */
#define AL_EXIF_INIT { 0, INT64_MIN, false, 0 }
/* clang-format on */

/* Each fills what it finds; out begins as AL_EXIF_INIT. */
void al_exif_read(al_exif *out, const uint8_t *data, size_t size); /* a TIFF block, with or without "Exif\0\0" before */
void al_raw_profile_read(al_exif *out, const uint8_t *text, size_t size); /* ImageMagick's "Raw profile type exif" */
int al_xmp_orientation(const uint8_t *data, size_t size);                 /* an XMP packet: tiff:Orientation, or 0 */
#endif
