#ifndef AL_TAPS_H
#define AL_TAPS_H
/*
 * taps.h: which pixels of an axis make each pixel of the resized axis, and with what weights: Pillow's, to the bit.
 */
#include <align/processor.h>

/* Weights are integers with so many fractional bits. */
#define AL_TAPS_PRECISION 22

/* Output pixel i is the sum over t < counts[i] of weights[i * stride + t] * input[starts[i] + t]. Neither starts nor
 * ends of later pixels lie before those of earlier ones. */
typedef struct al_taps {
    int64_t out;
    int64_t *starts, *counts;
    int32_t *weights;
    size_t stride; /* no count is larger */
} al_taps;

/*
 * An axis of an input: so many pixels, of which the last one may be there only in part (extent is then smaller).
 * mirrored: wanted is the mirror image of what the mirrored input would become. Rounding is not symmetric, so that is
 * not quite the same as the plain axis; with a part of a pixel, which is not exact anyway, it is taken for the same.
 */
typedef struct al_axis {
    int64_t pixels;
    double extent;
    bool mirrored;
} al_axis;

/* The taps to `out` pixels; equal sizes take every pixel as it is. */
align_status al_taps_init(al_taps *taps, const al_axis *in, int64_t out, align_resample resample, align_error *err);
void al_taps_done(al_taps *taps);
#endif
