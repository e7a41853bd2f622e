/*
 * colour.c: brightness, contrast, saturation and hue of 8-bit RGB pictures, to the bits of Pillow's ImageEnhance and of
 * torchvision's adjust_hue, which goes through Pillow's 8-bit HSV.
 *
 * The first three move every value away from a dull picture, or towards it: black, an even grey, or the picture in
 * greys.
 */
#include "train/augment.h"

#include <math.h>

static size_t pixels_of(const align_image *image)
{
    return (size_t)(image->height * image->width);
}

/* ITU-R 601-2 luma in 16 fractional bits. */
static uint8_t grey_of(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

static uint8_t clip(float x)
{
    return (uint8_t)(x <= 0 ? 0 : x >= 255 ? 255 : x);
}

/* dull + factor (value - dull), cut off to whole numbers. */
static uint8_t blend(uint8_t dull, uint8_t value, float factor)
{
    return clip((float)dull + factor * (float)(value - dull));
}

static void blend_with(align_image *image, uint8_t dull, float factor)
{
    uint8_t table[256];
    for (int value = 0; value < 256; value++)
        table[value] = blend(dull, (uint8_t)value, factor);
    for (size_t i = 0; i < 3 * pixels_of(image); i++)
        image->pixels[i] = table[image->pixels[i]];
}

static uint8_t mean_grey(const align_image *image)
{
    const size_t n = pixels_of(image);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += grey_of(image->pixels + 3 * i);
    return (uint8_t)((double)sum / (double)n + 0.5);
}

static void saturate(align_image *image, float factor)
{
    for (size_t i = 0; i < pixels_of(image); i++) {
        uint8_t *rgb = image->pixels + 3 * i;
        const uint8_t grey = grey_of(rgb);
        for (int c = 0; c < 3; c++)
            rgb[c] = blend(grey, rgb[c], factor);
    }
}

/* ---- hue ---- */

/* Hue and saturation of 0..255 each; value is the largest of the three. */
static void to_hsv(const uint8_t *rgb, uint8_t hsv[3])
{
    const uint8_t r = rgb[0], g = rgb[1], b = rgb[2];
    const uint8_t most = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const uint8_t least = r < g ? (r < b ? r : b) : (g < b ? g : b);
    hsv[0] = hsv[1] = 0;
    hsv[2] = most;
    if (most == least)
        return;
    const float range = (float)(most - least);
    const float red = (float)(most - r) / range, green = (float)(most - g) / range, blue = (float)(most - b) / range;
    float sixths;
    if (r == most)
        sixths = blue - green;
    else if (g == most)
        sixths = (float)(2.0 + red - blue);
    else
        sixths = (float)(4.0 + green - red);
    const float hue = (float)fmod(sixths / 6.0 + 1.0, 1.0);
    hsv[0] = (uint8_t)(hue * 255.0);
    hsv[1] = (uint8_t)(range / (float)most * 255.0);
}

static void from_hsv(const uint8_t hsv[3], uint8_t *rgb)
{
    const uint8_t v = hsv[2];
    if (hsv[1] == 0) {
        rgb[0] = rgb[1] = rgb[2] = v;
        return;
    }
    const float sixths = (float)(hsv[0] * 6.0 / 255.0), saturation = (float)(hsv[1] / 255.0);
    const int sector = (int)sixths;
    const float rest = sixths - (float)sector;
    const uint8_t p = (uint8_t)roundf((float)v * (1 - saturation));
    const uint8_t q = (uint8_t)roundf((float)v * (1 - saturation * rest));
    const uint8_t t = (uint8_t)roundf((float)v * (1 - saturation * (1 - rest)));
    const uint8_t sectors[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
    for (int c = 0; c < 3; c++)
        rgb[c] = sectors[sector % 6][c];
}

static void turn_hue(align_image *image, double by)
{
    const int shift = (int)(by * 255);
    for (size_t i = 0; i < pixels_of(image); i++) {
        uint8_t hsv[3];
        to_hsv(image->pixels + 3 * i, hsv);
        hsv[0] = (uint8_t)(hsv[0] + shift); /* around the circle of 256 */
        from_hsv(hsv, image->pixels + 3 * i);
    }
}

void al_image_adjust(align_image *image, al_adjustment what, double by)
{
    switch (what) {
    case AL_BRIGHTNESS:
        blend_with(image, 0, (float)by);
        break;
    case AL_CONTRAST:
        blend_with(image, mean_grey(image), (float)by);
        break;
    case AL_SATURATION:
        saturate(image, (float)by);
        break;
    case AL_HUE:
        turn_hue(image, by);
        break;
    case AL_ADJUSTMENTS:
        break;
    }
}
