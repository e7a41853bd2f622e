/* augment.c: random crops and flips; colour.c has the colours. */
#include "train/augment.h"

#include "base/random.h"
#include "base/status.h"
#include "processor/resize.h"

#include <math.h>
#include <string.h>

/* Streams of random numbers under a picture's key. */
enum { CROP, FLIP, JITTER, ORDER };

#define ATTEMPTS 10 /* at a crop that fits, as torchvision has it */

/* ---- options ---- */

static align_status check_range(const char *name, double x, double least, double most, align_error *err)
{
    return x >= least && x <= most
               ? ALIGN_OK
               : al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "augmentation: %s: expected %g to %g, found %g", name,
                              least, most, x);
}

align_status al_augmentation_check(const align_augmentation *a, align_error *err)
{
    static const double largest_factor = 100, largest_ratio = 1000;
    align_status status = ALIGN_OK;
    TRY(check_range("flip", a->flip, 0, 1, err));
    TRY(check_range("brightness", a->brightness, 0, largest_factor, err));
    TRY(check_range("contrast", a->contrast, 0, largest_factor, err));
    TRY(check_range("saturation", a->saturation, 0, largest_factor, err));
    TRY(check_range("hue", a->hue, 0, 0.5, err));
    if (!a->crop)
        goto done;
    TRY(check_range("scale_most", a->scale_most, 1e-6, 1, err));
    TRY(check_range("scale_least", a->scale_least, 1e-6, a->scale_most, err));
    TRY(check_range("ratio_most", a->ratio_most, 1 / largest_ratio, largest_ratio, err));
    TRY(check_range("ratio_least", a->ratio_least, 1 / largest_ratio, a->ratio_most, err));
done:
    return status;
}

/* The number of a stream, evenly in [least, most]. */
static double between(uint64_t key, uint64_t index, double least, double most)
{
    return least + (most - least) * al_random_unit(key, index);
}

/* ---- crops ---- */

/* An offset of a part in a whole: 0 to their difference, evenly. */
static int64_t offset(uint64_t key, uint64_t index, int64_t whole, int64_t part)
{
    return (int64_t)(al_random_unit(key, index) * (double)(whole - part + 1));
}

/* Where none fits by chance: the largest with an aspect that is allowed, from the middle. */
static al_crop middle(const align_augmentation *a, int64_t height, int64_t width)
{
    const double ratio = (double)width / (double)height;
    al_crop crop = {0, 0, height, width};
    if (ratio < a->ratio_least)
        crop.height = (int64_t)rint((double)width / a->ratio_least);
    else if (ratio > a->ratio_most)
        crop.width = (int64_t)rint((double)height * a->ratio_most);
    crop.height = crop.height < 1 ? 1 : crop.height > height ? height : crop.height;
    crop.width = crop.width < 1 ? 1 : crop.width > width ? width : crop.width;
    crop.top = (height - crop.height) / 2;
    crop.left = (width - crop.width) / 2;
    return crop;
}

al_crop al_crop_draw(const align_augmentation *a, uint64_t key, int64_t height, int64_t width)
{
    const uint64_t stream = al_random_key(key, CROP);
    const double area = (double)height * (double)width;
    for (uint64_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        const uint64_t first = 4 * attempt;
        const double part = area * between(stream, first, a->scale_least, a->scale_most);
        const double aspect = exp(between(stream, first + 1, log(a->ratio_least), log(a->ratio_most)));
        al_crop crop = {.height = (int64_t)rint(sqrt(part / aspect)), .width = (int64_t)rint(sqrt(part * aspect))};
        if (crop.width < 1 || crop.width > width || crop.height < 1 || crop.height > height)
            continue;
        crop.top = offset(stream, first + 2, height, crop.height);
        crop.left = offset(stream, first + 3, width, crop.width);
        return crop;
    }
    return middle(a, height, width);
}

align_status al_crop_resize(align_image *out, const align_image *image, const al_crop *crop,
                            const align_image_processor_config *config, align_error *err)
{
    align_status status = ALIGN_OK;
    al_resize to;
    al_resizer r;
    const al_stored part = al_stored_whole(crop->height, crop->width, 3, 0);
    if (!al_resize_of(&to, config))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "random crops need a processor that resizes");
    TRY(al_resize_check(&to, err));
    TRY(al_resizer_init(&r, &part, &to, err));
    for (int64_t y = 0; y < crop->height; y++) {
        const int64_t first = (crop->top + y) * image->width + crop->left;
        memcpy(al_resizer_row(&r), image->pixels + 3 * first, 3 * (size_t)crop->width);
        al_resizer_push(&r);
    }
    *out = r.out;
    r.out.pixels = NULL;
    al_resizer_done(&r);
done:
    return status;
}

/* ---- flips ---- */

bool al_flip_draw(const align_augmentation *a, uint64_t key)
{
    return al_random_unit(al_random_key(key, FLIP), 0) < a->flip;
}

void al_flip_apply(align_image *image)
{
    const size_t n = (size_t)image->width;
    for (int64_t y = 0; y < image->height; y++) {
        uint8_t *line = image->pixels + 3 * (size_t)y * n;
        for (size_t left = 0, right = n - 1; left < right; left++, right--) {
            uint8_t pixel[3];
            memcpy(pixel, line + 3 * left, 3);
            memcpy(line + 3 * left, line + 3 * right, 3);
            memcpy(line + 3 * right, pixel, 3);
        }
    }
}

/* ---- colours ---- */

/* A factor around 1, never negative. */
static double factor(uint64_t key, al_adjustment what, double spread)
{
    return spread == 0 ? 1 : between(key, what, spread > 1 ? 0 : 1 - spread, 1 + spread);
}

al_jitter al_jitter_draw(const align_augmentation *a, uint64_t key)
{
    const uint64_t stream = al_random_key(key, JITTER), order = al_random_key(key, ORDER);
    al_jitter jitter = {.by = {
                            [AL_BRIGHTNESS] = factor(stream, AL_BRIGHTNESS, a->brightness),
                            [AL_CONTRAST] = factor(stream, AL_CONTRAST, a->contrast),
                            [AL_SATURATION] = factor(stream, AL_SATURATION, a->saturation),
                            [AL_HUE] = between(stream, AL_HUE, -a->hue, a->hue),
                        }};
    for (size_t i = 0; i < AL_ADJUSTMENTS; i++)
        jitter.order[i] = (al_adjustment)al_random_shuffled(order, AL_ADJUSTMENTS, i);
    return jitter;
}

void al_jitter_apply(const al_jitter *jitter, align_image *image)
{
    for (int i = 0; i < AL_ADJUSTMENTS; i++) {
        const al_adjustment what = jitter->order[i];
        if (jitter->by[what] != (what == AL_HUE ? 0 : 1))
            al_image_adjust(image, what, jitter->by[what]);
    }
}
