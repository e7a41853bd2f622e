/*
 * resize.c: Pillow's Image.resize on 8-bit channels, bit for bit.
 *
 * Two passes, one an axis. Each output pixel is a weighted sum of the input pixels under a filter that is stretched
 * when the picture shrinks; weights are integers with 22 fractional bits, and the result is rounded to 8 bits after
 * each pass. A pass whose axis keeps its size is left out. NEAREST takes pixels as they are.
 *
 * Where this is Pillow and not mathematics (tests/processor/test_resize.c holds it to Pillow 13): the single-precision
 * constants of HAMMING, the order in which weights are summed and divided, rounding half away from zero, NEAREST's
 * coordinate being accumulated, and which pass comes first. Pillow's special care for alpha is not here: the channels
 * are independent, as they are in its modes L, RGB and CMYK.
 */
#include "processor/image.h"

#include "base/memory.h"
#include "base/status.h"

#include <math.h>
#include <string.h>

#define PRECISION 22
#define ROUNDING  (UINT32_C(1) << (PRECISION - 1))
#define PI        3.14159265358979323846

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

/* Output pixel i is the sum over t < counts[i] of weights[i * stride + t] * input[starts[i] + t]. */
typedef struct taps {
    int64_t *starts, *counts;
    int32_t *weights;
    size_t stride;
} taps;

static void taps_done(taps *t)
{
    al_free(t->starts);
    al_free(t->counts);
    al_free(t->weights);
}

static align_status taps_allocate(taps *t, int64_t out, double support, align_error *err)
{
    *t = (taps){.stride = (size_t)ceil(support) * 2 + 1};
    size_t count, bytes = 0;
    const bool fits = al_mul((size_t)out, t->stride, &count) && al_mul(count, sizeof *t->weights, &bytes);
    t->starts = al_calloc((size_t)out, sizeof *t->starts);
    t->counts = al_calloc((size_t)out, sizeof *t->counts);
    t->weights = fits ? al_alloc(bytes) : NULL;
    if (t->starts && t->counts && t->weights)
        return ALIGN_OK;
    taps_done(t);
    return al_error_no_memory(err, bytes);
}

static align_status taps_init(taps *t, int64_t in, int64_t out, const filter *f, align_error *err)
{
    const double scale = (double)in / (double)out, stretch = scale < 1.0 ? 1.0 : scale;
    const double support = f->support * stretch, shrink = 1.0 / stretch;
    align_status status = taps_allocate(t, out, support, err);
    if (status != ALIGN_OK)
        return status;
    double *values = al_calloc(t->stride, sizeof *values);
    if (!values) {
        taps_done(t);
        return al_error_no_memory(err, t->stride * sizeof *values);
    }
    for (int64_t i = 0; i < out; i++) {
        const double center = ((double)i + 0.5) * scale;
        const int64_t low = (int64_t)(center - support + 0.5), high = (int64_t)(center + support + 0.5);
        const int64_t start = low < 0 ? 0 : low, count = (high > in ? in : high) - start;
        double sum = 0.0;
        for (int64_t k = 0; k < count; k++) {
            values[k] = f->at(((double)(k + start) - center + 0.5) * shrink);
            sum += values[k];
        }
        t->starts[i] = start;
        t->counts[i] = count;
        const double norm = sum != 0.0 ? 1.0 / sum : 1.0;
        for (int64_t k = 0; k < count; k++) {
            const double weight = values[k] * norm * (1 << PRECISION);
            t->weights[(size_t)i * t->stride + (size_t)k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
    }
    al_free(values);
    return ALIGN_OK;
}

/* ---- passes ---- */

static uint8_t clip(uint32_t sum)
{
    const int32_t value = (int32_t)sum >> PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* channels is a constant at every call, so that its loop unrolls. */
static inline __attribute__((always_inline)) void filter_row(uint8_t *to, const uint8_t *from, const taps *t,
                                                             int64_t width, int channels)
{
    for (int64_t x = 0; x < width; x++, to += channels) {
        const int32_t *weights = t->weights + (size_t)x * t->stride;
        const uint8_t *pixel = from + t->starts[x] * channels;
        uint32_t sums[4] = {ROUNDING, ROUNDING, ROUNDING, ROUNDING};
        for (int64_t k = 0; k < t->counts[x]; k++, pixel += channels)
            for (int c = 0; c < channels; c++)
                sums[c] += (uint32_t)weights[k] * pixel[c];
        for (int c = 0; c < channels; c++)
            to[c] = clip(sums[c]);
    }
}

static void horizontal_pass(align_image *out, const align_image *in, const taps *t)
{
    for (int64_t y = 0; y < in->height; y++) {
        uint8_t *to = out->pixels + y * out->width * out->channels;
        const uint8_t *from = in->pixels + y * in->width * in->channels;
        switch (in->channels) {
        case 1:
            filter_row(to, from, t, out->width, 1);
            break;
        case 2:
            filter_row(to, from, t, out->width, 2);
            break;
        case 3:
            filter_row(to, from, t, out->width, 3);
            break;
        default:
            filter_row(to, from, t, out->width, 4);
            break;
        }
    }
}

/* Bytes of a row that are summed together, a line of the cache at a time: their sums stay near the registers. */
#define STRIP 64

/*
 * A strip of one output row, from `count` rows that lie `line` bytes apart. Weights are split into two 16-bit halves,
 * because 16-bit products are what every vector unit has. All sums are modulo 2^32; the true one fits in 31 bits.
 */
static void filter_strip(uint8_t *to, const uint8_t *from, size_t line, const int32_t *weights, int64_t count)
{
    uint32_t low_sums[STRIP];
    uint16_t high_sums[STRIP] = {0};
    for (int j = 0; j < STRIP; j++)
        low_sums[j] = ROUNDING;
    for (int64_t k = 0; k < count; k++, from += line) {
        const uint16_t low = (uint16_t)weights[k], high = (uint16_t)((uint32_t)weights[k] >> 16);
        for (int j = 0; j < STRIP; j++) {
            const uint16_t pixel = from[j];
            low_sums[j] += (uint32_t)low * pixel;
            high_sums[j] = (uint16_t)(high_sums[j] + (uint16_t)((uint32_t)high * pixel));
        }
    }
    for (int j = 0; j < STRIP; j++)
        to[j] = clip(low_sums[j] + ((uint32_t)high_sums[j] << 16));
}

static void filter_byte(uint8_t *to, const uint8_t *from, size_t line, const int32_t *weights, int64_t count)
{
    uint32_t sum = ROUNDING;
    for (int64_t k = 0; k < count; k++, from += line)
        sum += (uint32_t)weights[k] * *from;
    *to = clip(sum);
}

static void vertical_pass(align_image *out, const align_image *in, const taps *t)
{
    const size_t line = (size_t)(in->width * in->channels);
    for (int64_t y = 0; y < out->height; y++) {
        const int32_t *weights = t->weights + (size_t)y * t->stride;
        const uint8_t *from = in->pixels + (size_t)t->starts[y] * line;
        uint8_t *to = out->pixels + (size_t)y * line;
        size_t x = 0;
        for (; x + STRIP <= line; x += STRIP)
            filter_strip(to + x, from + x, line, weights, t->counts[y]);
        for (; x < line; x++)
            filter_byte(to + x, from + x, line, weights, t->counts[y]);
    }
}

/* ---- resizing ---- */

static align_status filter_axis(align_image *out, const align_image *in, int64_t height, int64_t width, const filter *f,
                                align_error *err)
{
    const bool horizontal = width != in->width;
    taps t;
    align_status status =
        horizontal ? taps_init(&t, in->width, width, f, err) : taps_init(&t, in->height, height, f, err);
    if (status != ALIGN_OK)
        return status;
    status = al_image_new(out, height, width, in->channels, err);
    if (status == ALIGN_OK && horizontal)
        horizontal_pass(out, in, &t);
    else if (status == ALIGN_OK)
        vertical_pass(out, in, &t);
    taps_done(&t);
    return status;
}

static align_status filter_both(align_image *out, const align_image *in, int64_t height, int64_t width, const filter *f,
                                bool horizontal_first, align_error *err)
{
    const bool vertical_first =
        !horizontal_first && height < in->height && in->height - height > 2 * (in->width - width);
    align_image middle = {0, 0, 0, NULL};
    align_status status = vertical_first ? filter_axis(&middle, in, height, in->width, f, err)
                                         : filter_axis(&middle, in, in->height, width, f, err);
    if (status == ALIGN_OK)
        status = filter_axis(out, &middle, height, width, f, err);
    align_image_done(&middle);
    return status;
}

/* The source index of every output index. Pillow adds the step up, so that rounding errors add up as well. */
static int64_t *nearest_indices(int64_t in, int64_t out)
{
    int64_t *indices = al_calloc((size_t)out, sizeof *indices);
    const double step = (double)in / (double)out;
    double at = step * 0.5;
    for (int64_t i = 0; indices && i < out; i++, at += step)
        indices[i] = at < (double)in ? (int64_t)at : in - 1;
    return indices;
}

static align_status nearest(align_image *out, const align_image *in, int64_t height, int64_t width, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t channels = (size_t)in->channels, line = (size_t)in->width * channels;
    int64_t *rows = nearest_indices(in->height, height), *columns = nearest_indices(in->width, width);
    if (!rows || !columns) {
        status = al_error_no_memory(err, (size_t)(height + width) * sizeof *rows);
        goto done;
    }
    TRY(al_image_new(out, height, width, in->channels, err));
    uint8_t *to = out->pixels;
    for (int64_t y = 0; y < height; y++) {
        const uint8_t *from = in->pixels + (size_t)rows[y] * line;
        for (int64_t x = 0; x < width; x++, to += channels)
            for (size_t c = 0; c < channels; c++)
                to[c] = from[(size_t)columns[x] * channels + c];
    }
done:
    al_free(rows);
    al_free(columns);
    return status;
}

static align_status copy(align_image *out, const align_image *in, align_error *err)
{
    const align_status status = al_image_new(out, in->height, in->width, in->channels, err);
    if (status == ALIGN_OK)
        memcpy(out->pixels, in->pixels, (size_t)(in->height * in->width * in->channels));
    return status;
}

align_status align_image_resize(align_image *out, const align_image *image, int64_t height, int64_t width,
                                align_resample resample, bool horizontal_first, align_error *err)
{
    align_status status = ALIGN_OK;
    if (!out)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "nowhere to put the resized picture");
    *out = (align_image){0, 0, 0, NULL};
    TRY(al_image_check(image, err));
    if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "cannot resize to %" PRId64 " x %" PRId64 ": sizes are from 1 to %" PRId32, height, width, INT32_MAX);
    if ((unsigned)resample > ALIGN_HAMMING)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "resample %d: expected a filter from 0 to %d", (int)resample,
             (int)ALIGN_HAMMING);
    if (height == image->height && width == image->width)
        return copy(out, image, err);
    if (resample == ALIGN_NEAREST)
        return nearest(out, image, height, width, err);
    const filter *f = &filters[resample];
    if (height == image->height || width == image->width)
        return filter_axis(out, image, height, width, f, err);
    return filter_both(out, image, height, width, f, horizontal_first, err);
done:
    return status;
}
