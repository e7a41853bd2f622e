#ifndef AL_AUGMENT_H
#define AL_AUGMENT_H
/*
 * augment.h: variants of a training picture: torchvision's RandomResizedCrop, RandomHorizontalFlip and ColorJitter on
 * 8-bit pictures, with Pillow's arithmetic. What is random about one picture is a function of its key.
 */
#include <align/dataset.h>

/* INVALID_ARGUMENT, naming the option. */
align_status al_augmentation_check(const align_augmentation *augmentation, align_error *err);

/* A part of a picture. */
typedef struct al_crop {
    int64_t top, left, height, width;
} al_crop;

/* RandomResizedCrop.get_params: a part of a height x width picture, of random area and aspect. */
al_crop al_crop_draw(const align_augmentation *augmentation, uint64_t key, int64_t height, int64_t width);

/* The part, resized as the processor of config does. RGB. */
align_status al_crop_resize(align_image *out, const align_image *image, const al_crop *crop,
                            const align_image_processor_config *config, align_error *err);

/* What is done to the pixels of a picture: factors (1: nothing), a turn of the hues, in this order. */
typedef enum al_adjustment { AL_BRIGHTNESS, AL_CONTRAST, AL_SATURATION, AL_HUE, AL_ADJUSTMENTS } al_adjustment;
typedef struct al_jitter {
    double by[AL_ADJUSTMENTS]; /* of hue: a part of a full turn; 0: nothing */
    al_adjustment order[AL_ADJUSTMENTS];
} al_jitter;
al_jitter al_jitter_draw(const align_augmentation *augmentation, uint64_t key);
void al_jitter_apply(const al_jitter *jitter, align_image *image);

/* Whether this picture is flipped; flips it. */
bool al_flip_draw(const align_augmentation *augmentation, uint64_t key);
void al_flip_apply(align_image *image);

/* One adjustment, as Pillow's ImageEnhance and torchvision's adjust_hue have it. RGB. */
void al_image_adjust(align_image *image, al_adjustment what, double by);
#endif
