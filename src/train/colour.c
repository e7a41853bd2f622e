/*
 * colour.c: brightness, contrast, saturation and hue of 8-bit RGB pictures, to the bits of Pillow's ImageEnhance and of
 * torchvision's adjust_hue, which goes through Pillow's 8-bit HSV.
 *
 * The first three move every value away from a dull picture, or towards it: black, an even grey, or the picture in
 * greys.
 */
#include "train/augment.h"

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
    const size_t bytes = 3 * pixels_of(image);
    for (size_t i = 0; i < bytes; i++)
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
    const size_t n = pixels_of(image);
    for (size_t i = 0; i < n; i++) {
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
    /* Two sixths of the circle a colour, and from there towards the one whose level is nearer the largest. */
    const int largest = r == most ? 0 : g == most ? 1 : 2;
    const float range = (float)(most - least);
    const float next = (float)(most - rgb[(largest + 1) % 3]) / range;
    const float last = (float)(most - rgb[(largest + 2) % 3]) / range;
    const float sixths = (float)(2.0 * largest + last - next);
    const double turn = sixths / 6.0 + 1.0; /* 5/6 to 11/6 */
    const float hue = (float)(turn < 1.0 ? turn : turn - 1.0);
    hsv[0] = (uint8_t)(hue * 255.0);
    hsv[1] = (uint8_t)(range / (float)most * 255.0);
}

/* Half away from zero, of what is not negative. */
static uint8_t round_half_up(float x)
{
    return (uint8_t)(x + 0.5);
}

/* What each level of hue and of saturation stands for: the sector of the circle and how far into it; 0 to 1. */
typedef struct hsv_levels {
    int sector[256];
    float rest[256], saturation[256];
} hsv_levels;

static void fill_levels(hsv_levels *levels)
{
    for (int i = 0; i < 256; i++) {
        const float sixths = (float)(i * 6.0 / 255.0);
        levels->sector[i] = (int)sixths % 6;
        levels->rest[i] = sixths - (float)(int)sixths;
        levels->saturation[i] = (float)(i / 255.0);
    }
}

static void from_hsv(const hsv_levels *levels, const uint8_t hsv[3], uint8_t *rgb)
{
    /* Where in {v, p, q, t} red, green and blue of a sector are. */
    static const uint8_t places[6][3] = {{0, 3, 1}, {2, 0, 1}, {1, 0, 3}, {1, 2, 0}, {3, 1, 0}, {0, 1, 2}};
    const float v = hsv[2], s = levels->saturation[hsv[1]], rest = levels->rest[hsv[0]];
    const uint8_t levels_of[4] = {hsv[2], round_half_up(v * (1 - s)), round_half_up(v * (1 - s * rest)),
                                  round_half_up(v * (1 - s * (1 - rest)))};
    const uint8_t *place = places[levels->sector[hsv[0]]];
    for (int c = 0; c < 3; c++)
        rgb[c] = levels_of[place[c]];
}

static void turn_hue(align_image *image, double by)
{
    const int shift = (int)(by * 255);
    const size_t n = pixels_of(image);
    hsv_levels levels;
    fill_levels(&levels);
    for (size_t i = 0; i < n; i++) {
        uint8_t hsv[3];
        to_hsv(image->pixels + 3 * i, hsv);
        hsv[0] = (uint8_t)(hsv[0] + shift); /* around the circle of 256 */
        from_hsv(&levels, hsv, image->pixels + 3 * i);
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
