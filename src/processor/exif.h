#ifndef AL_EXIF_H
#define AL_EXIF_H
/*
 * exif.h: the one thing wanted from a picture's metadata, which way is up. All three forms that PIL.ImageOps.
 * exif_transpose looks at; damaged metadata is no error, it just says nothing.
 */
#include <stddef.h>
#include <stdint.h>

/* The orientation (1..8 if the file is sane), or 0 when none is stated. */
int al_exif_orientation(const uint8_t *data, size_t size); /* a TIFF block, with or without "Exif\0\0" before it */
int al_xmp_orientation(const uint8_t *data, size_t size);  /* an XMP packet: tiff:Orientation */
int al_raw_profile_orientation(const uint8_t *text, size_t size); /* ImageMagick's "Raw profile type exif": hex lines */
#endif
