/*
 * taps.c: Pillow's filters. A filter is stretched when the picture shrinks; its weights are summed, divided and rounded
 * in the order Pillow does it, for that decides the last bit.
 *
 * Where this is Pillow and not mathematics (tests/processor/test_resize.c holds it to Pillow 13): the single-precision
 * constants of HAMMING, rounding half away from zero, and NEAREST's coordinate being accumulated.
 */
#include "processor/taps.h"

#include "base/memory.h"
#include "base/status.h"

#include <math.h>

#define PI 3.14159265358979323846

/* ---- filters: support and value ---- */

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0)
        return 1.0;
    if (x >= 1.0)
        return 0.0;
    x *= PI;
    return sin(x) / x * ((double)0.54f + (double)0.46f * cos(x));
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static double sinc(double x)
{
    if (x == 0.0)
        return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

typedef struct filter {
    double (*at)(double x);
    double support;
} filter;

static const filter filters[] = {
    [ALIGN_LANCZOS] = {lanczos, 3.0}, [ALIGN_BILINEAR] = {bilinear, 1.0}, [ALIGN_BICUBIC] = {bicubic, 2.0},
    [ALIGN_BOX] = {box, 0.5},         [ALIGN_HAMMING] = {hamming, 1.0},
};

/* ---- weights ---- */

void al_taps_done(al_taps *t)
{
    al_free(t->starts);
    al_free(t->counts);
    al_free(t->weights);
    *t = (al_taps){0};
}

static align_status allocate(al_taps *t, int64_t out, double support, align_error *err)
{
    *t = (al_taps){.out = out, .stride = (size_t)ceil(support) * 2 + 1};
    size_t count, bytes = 0;
    const bool fits = al_mul((size_t)out, t->stride, &count) && al_mul(count, sizeof *t->weights, &bytes);
    t->starts = al_calloc((size_t)out, sizeof *t->starts);
    t->counts = al_calloc((size_t)out, sizeof *t->counts);
    t->weights = fits ? al_alloc(bytes) : NULL;
    if (t->starts && t->counts && t->weights)
        return ALIGN_OK;
    al_taps_done(t);
    return al_error_no_memory(err, bytes);
}

/* Notes which input pixels make output pixel i; returns the place of its weights. */
static int32_t *place(al_taps *t, const al_axis *in, int64_t i, int64_t start, int64_t count)
{
    const int64_t at = in->mirrored ? t->out - 1 - i : i;
    t->starts[at] = in->mirrored ? in->pixels - start - count : start;
    t->counts[at] = count;
    return t->weights + (size_t)at * t->stride;
}

static align_status weigh(al_taps *t, const al_axis *in, const filter *f, align_error *err)
{
    const double scale = in->extent / (double)t->out, stretch = scale < 1.0 ? 1.0 : scale;
    const double support = f->support * stretch, shrink = 1.0 / stretch;
    align_status status = allocate(t, t->out, support, err);
    if (status != ALIGN_OK)
        return status;
    double *values = al_calloc(t->stride, sizeof *values);
    if (!values)
        return al_error_no_memory(err, t->stride * sizeof *values);
    for (int64_t i = 0; i < t->out; i++) {
        const double center = ((double)i + 0.5) * scale;
        const int64_t low = (int64_t)(center - support + 0.5), high = (int64_t)(center + support + 0.5);
        const int64_t start = low < 0 ? 0 : low, count = (high > in->pixels ? in->pixels : high) - start;
        double sum = 0.0;
        for (int64_t k = 0; k < count; k++) {
            values[k] = f->at(((double)(k + start) - center + 0.5) * shrink);
            sum += values[k];
        }
        const double norm = sum != 0.0 ? 1.0 / sum : 1.0;
        int32_t *weights = place(t, in, i, start, count);
        for (int64_t k = 0; k < count; k++) {
            const double weight = values[k] * norm * (1 << AL_TAPS_PRECISION);
            weights[in->mirrored ? count - 1 - k : k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
    }
    al_free(values);
    return ALIGN_OK;
}

/* One pixel each, as it is. Pillow adds the step up, so that rounding errors add up as well. */
static align_status choose(al_taps *t, const al_axis *in, align_error *err)
{
    align_status status = allocate(t, t->out, 0.0, err);
    if (status != ALIGN_OK)
        return status;
    const double step = in->extent / (double)t->out;
    double at = step * 0.5;
    for (int64_t i = 0; i < t->out; i++, at += step)
        *place(t, in, i, at < in->extent ? (int64_t)at : in->pixels - 1, 1) = 1 << AL_TAPS_PRECISION;
    return ALIGN_OK;
}

align_status al_taps_init(al_taps *t, const al_axis *in, int64_t out, align_resample resample, align_error *err)
{
    const bool whole = in->extent == (double)in->pixels;
    const al_axis axis = {in->pixels, in->extent, in->mirrored && whole};
    const bool chosen = resample == ALIGN_NEAREST || (in->pixels == out && whole);
    *t = (al_taps){.out = out};
    const align_status status = chosen ? choose(t, &axis, err) : weigh(t, &axis, &filters[resample], err);
    if (status != ALIGN_OK)
        al_taps_done(t);
    return status;
}
