/*
 * image_processor.c: EfficientNetImageProcessor.preprocess for one picture, bit for bit:
 *
 *     resize -> centre crop -> rescale (+ offset) -> normalise -> include_top -> channels first
 *
 * After the resize every step works on one value at a time, so for 8-bit pictures the whole tail is a table of 256
 * floats a channel. What is surprising in the reference and kept: an 8-bit value is rescaled in double precision but a
 * float in single; a crop larger than the picture pads with zeros before the rescale and comes out one short when the
 * difference is odd; include_top divides by the standard deviation a second time.
 */
#include "processor/resize.h"

#include "base/memory.h"
#include "base/status.h"

#include <math.h>

#define LEVELS 256

/* ---- one value ---- */

/* Normalise and include_top, whose constants NumPy rounds to single precision. */
static float standardize(const align_image_processor_config *config, float x, int channel)
{
    const float mean = (float)config->image_mean[channel], std = (float)config->image_std[channel];
    if (config->do_normalize)
        x = (x - mean) / std;
    if (config->include_top)
        x = x / std;
    return x;
}

static float from_byte(const align_image_processor_config *config, uint8_t value, int channel)
{
    float x = value;
    if (config->do_rescale) {
        const double product = value * config->rescale_factor;
        x = config->rescale_integer ? (float)((unsigned)product % LEVELS) : (float)product;
        if (config->rescale_offset)
            x -= 1.0f;
    }
    return standardize(config, x, channel);
}

static float from_float(const align_image_processor_config *config, float x, int channel)
{
    if (config->do_rescale) {
        x *= (float)config->rescale_factor;
        if (config->rescale_offset)
            x -= 1.0f;
    }
    return standardize(config, x, channel);
}

/* ---- crop ---- */

/* One axis of the output: its index i shows the picture's index i + offset, or zero outside the picture. */
typedef struct window {
    int64_t length, offset;
} window;

static window crop_window(int64_t size, int64_t crop)
{
    if (crop <= size)
        return (window){crop, (size - crop) / 2};
    const int64_t missing = crop - size;
    return (window){crop - missing % 2, -(missing / 2)};
}

typedef struct geometry {
    window rows, columns;
} geometry;

/* height and width are those after the resize. */
static geometry output_geometry(const align_image_processor_config *config, int64_t height, int64_t width)
{
    if (!config->do_center_crop)
        return (geometry){{height, 0}, {width, 0}};
    return (geometry){crop_window(height, config->crop_height), crop_window(width, config->crop_width)};
}

void align_image_processor_output_size(const align_image_processor_config *config, int64_t height, int64_t width,
                                       int64_t *out_height, int64_t *out_width)
{
    const geometry g = output_geometry(config, config->do_resize ? config->size_height : height,
                                       config->do_resize ? config->size_width : width);
    *out_height = g.rows.length;
    *out_width = g.columns.length;
}

/* ---- checks ---- */

static align_status check_config(const align_image_processor_config *config, int64_t channels, align_error *err)
{
    if (config->do_center_crop && (config->crop_height < 1 || config->crop_width < 1))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "crop_size %" PRId64 " x %" PRId64 ": expected sizes of at least 1", config->crop_height,
                            config->crop_width);
    if (channels == 3 || (!config->do_normalize && !config->include_top))
        return ALIGN_OK;
    const double *mean = config->image_mean, *std = config->image_std;
    const bool one_mean = mean[0] == mean[1] && mean[0] == mean[2], one_std = std[0] == std[1] && std[0] == std[2];
    if ((config->do_normalize && !one_mean) || !one_std)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "image_mean and image_std have values for 3 channels; the picture has %" PRId64, channels);
    return ALIGN_OK;
}

/* Where the constants of a channel stand: those of pictures without 3 channels are all equal (check_config). */
static int constants_of(int64_t channel, int64_t channels)
{
    return channels == 3 ? (int)channel : 0;
}

/* ---- 8-bit pictures ---- */

typedef struct level_table {
    float values[4][LEVELS];
} level_table;

static void write_levels(const align_image *image, const geometry *g, const level_table *table, float *out)
{
    for (int64_t c = 0; c < image->channels; c++) {
        const float *values = table->values[c];
        for (int64_t y = 0; y < g->rows.length; y++) {
            const int64_t from_y = y + g->rows.offset;
            const bool inside = from_y >= 0 && from_y < image->height;
            const uint8_t *line = image->pixels + (inside ? from_y * image->width * image->channels : 0);
            for (int64_t x = 0; x < g->columns.length; x++) {
                const int64_t from_x = x + g->columns.offset;
                const bool shown = inside && from_x >= 0 && from_x < image->width;
                *out++ = values[shown ? line[from_x * image->channels + c] : 0];
            }
        }
    }
}

/* unit_floats: the levels stand for floats in [0,1], as the reference has them after resizing such a picture. */
static align_status finish_levels(const align_image_processor_config *config, const align_image *image,
                                  bool unit_floats, float *out, align_error *err)
{
    level_table *table = al_alloc(sizeof *table);
    if (!table)
        return al_error_no_memory(err, sizeof *table);
    for (int64_t c = 0; c < image->channels; c++) {
        const int k = constants_of(c, image->channels);
        for (int v = 0; v < LEVELS; v++)
            table->values[c][v] =
                unit_floats ? from_float(config, (float)(v * (1.0 / 255.0)), k) : from_byte(config, (uint8_t)v, k);
    }
    const geometry g = output_geometry(config, image->height, image->width);
    write_levels(image, &g, table, out);
    al_free(table);
    return ALIGN_OK;
}

static align_status resize_and_finish(const align_image_processor_config *config, const align_image *image,
                                      bool unit_floats, float *out, align_error *err)
{
    align_status status = ALIGN_OK;
    align_image resized = {0, 0, 0, NULL};
    al_resize to;
    if (al_resize_of(&to, config)) {
        TRY(al_resize_check(&to, err));
        if (image->height != to.height || image->width != to.width) {
            TRY(al_image_resize(&resized, image, 0, &to, err));
            image = &resized;
        }
    }
    TRY(finish_levels(config, image, unit_floats, out, err));
done:
    align_image_done(&resized);
    return status;
}

align_status align_image_processor_run(const align_image_processor_config *config, const align_image *image, float *out,
                                       align_error *err)
{
    align_status status = ALIGN_OK;
    if (!config || !out)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "no config, or nowhere to put pixel_values");
    TRY(al_image_check(image, err));
    TRY(check_config(config, image->channels, err));
    TRY(resize_and_finish(config, image, false, out, err));
done:
    return status;
}

/* ---- float pictures ---- */

static void finish_floats(const align_image_processor_config *config, const float *pixels, int64_t height,
                          int64_t width, int64_t channels, float *out)
{
    const geometry g = output_geometry(config, height, width);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t y = 0; y < g.rows.length; y++)
            for (int64_t x = 0; x < g.columns.length; x++) {
                const int64_t from_y = y + g.rows.offset, from_x = x + g.columns.offset;
                const bool shown = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
                const float value = shown ? pixels[(from_y * width + from_x) * channels + c] : 0.0f;
                *out++ = from_float(config, value, constants_of(c, channels));
            }
}

/* numpy.allclose(value, int(value)) for one value; never true of NaN and infinities. */
static bool is_whole(float value)
{
    const double x = value, whole = trunc(x);
    return fabs(x - whole) <= 1e-8 + 1e-5 * fabs(whole);
}

/* Resizing goes through 8 bits: a picture of whole numbers is taken as 0..255 (even if all are 0 and 1), any other as
 * 0..1, stretched and cut off. */
static align_status bytes_of_floats(align_image *out, bool *unit_floats, const float *pixels, int64_t height,
                                    int64_t width, int64_t channels, align_error *err)
{
    align_status status = ALIGN_OK;
    bool whole = true;
    float least = INFINITY, most = -INFINITY;
    TRY(al_image_new(out, height, width, channels, err));
    const int64_t count = height * width * channels;
    bool ordered = true; /* no NaN */
    for (int64_t i = 0; i < count; i++) {
        whole = whole && is_whole(pixels[i]);
        ordered = ordered && !isnan(pixels[i]);
        least = pixels[i] < least ? pixels[i] : least;
        most = pixels[i] > most ? pixels[i] : most;
    }
    const float limit = whole ? 255.0f : 1.0f;
    if (!ordered || least < 0.0f || most > limit)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "a picture of floats to resize: expected %s, got [%g, %g]%s",
             whole ? "whole numbers in [0, 255]" : "values in [0, 1]", (double)least, (double)most,
             ordered ? "" : " and NaN");
    for (int64_t i = 0; i < count; i++)
        out->pixels[i] = (uint8_t)(whole ? pixels[i] : pixels[i] * 255.0f);
    *unit_floats = !whole;
done:
    return status;
}

align_status align_image_processor_run_f32(const align_image_processor_config *config, const float *pixels,
                                           int64_t height, int64_t width, int64_t channels, float *out,
                                           align_error *err)
{
    align_status status = ALIGN_OK;
    align_image image = {0, 0, 0, NULL};
    bool unit_floats = false;
    if (!config || !pixels || !out)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "no config, no pixels, or nowhere to put pixel_values");
    TRY(al_image_check_size(height, width, channels, err));
    TRY(check_config(config, channels, err));
    if (config->do_resize) {
        TRY(bytes_of_floats(&image, &unit_floats, pixels, height, width, channels, err));
        TRY(resize_and_finish(config, &image, unit_floats, out, err));
    } else {
        finish_floats(config, pixels, height, width, channels, out);
    }
done:
    align_image_done(&image);
    return status;
}
