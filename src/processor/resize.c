/*
 * resize.c: Pillow's Image.resize on 8-bit channels, bit for bit.
 *
 * Two passes, one an axis. Each output pixel is a weighted sum of input pixels (taps.h), rounded to 8 bits after each
 * pass; so it matters which pass comes first. Pillow's special care for alpha is not here: the channels are
 * independent, as they are in its modes L, RGB and CMYK.
 *
 * Rows come in one by one. When columns are resized first, a row is made narrow as it comes; the rows that one output
 * row is a sum of wait in a ring. When rows are resized first, they wait as they are, and their sum is made narrow.
 */
#include "processor/resize.h"

#include "base/memory.h"
#include "base/status.h"
#include "kernels/kernels.h"

#include <string.h>

/* libjpeg-turbo writes rows that are aligned to a vector past the cache, straight to memory. Ours are read at once, so
 * they begin a little later than malloc's alignment. */
#define MISALIGNED 8

_Static_assert(AL_TAPS_PRECISION == AL_PIXEL_BITS, "taps are weights for the kernels");

/* ---- sums ---- */

static const al_pixel_kernels *pixel_kernels(void)
{
    const al_kernels *kernels = al_kernels_get();
    return kernels ? kernels->pixels : &al_pixel_kernels_ref;
}

/* Pixels of other than 3 channels, which no decoder gives. All sums are modulo 2^32; the true one fits in 31 bits. */

#define ROUNDING (UINT32_C(1) << (AL_TAPS_PRECISION - 1))

static uint8_t clip(uint32_t sum)
{
    const int32_t value = (int32_t)sum >> AL_TAPS_PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* channels is a constant at every call, so that its loop unrolls. */
static inline __attribute__((always_inline)) void sum_columns(uint8_t *to, const uint8_t *from, const al_taps *t,
                                                              int channels)
{
    for (int64_t x = 0; x < t->out; x++, to += channels) {
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

static void resize_columns(const al_resizer *r, uint8_t *to, const uint8_t *from)
{
    switch (r->channels) {
    case 1:
        sum_columns(to, from, &r->columns, 1);
        break;
    case 2:
        sum_columns(to, from, &r->columns, 2);
        break;
    case 3:
        pixel_kernels()->rgb_sums(&r->rgb, from, to);
        break;
    default:
        sum_columns(to, from, &r->columns, 4);
        break;
    }
}

/* Row y of the output, as wide as the ring's rows. */
static void resize_rows(const al_resizer *r, uint8_t *to, int64_t y)
{
    const al_taps *t = &r->rows;
    const size_t first = (size_t)t->starts[y], count = (size_t)t->counts[y];
    for (size_t k = 0; k < count; k++)
        r->lines[k] = r->ring + MISALIGNED + (first + k) % r->ring_rows * r->ring_line;
    pixel_kernels()->byte_sums(count, t->weights + (size_t)y * t->stride, r->lines, r->ring_line, to);
}

/* ---- row by row ---- */

bool al_resize_of(al_resize *out, const align_image_processor_config *config)
{
    if (!config || !config->do_resize)
        return false;
    *out = (al_resize){config->size_height, config->size_width, config->resample, config->horizontal_first};
    return true;
}

align_status al_resize_check(const al_resize *to, align_error *err)
{
    if (to->height < 1 || to->width < 1 || to->height > INT32_MAX || to->width > INT32_MAX)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "cannot resize to %" PRId64 " x %" PRId64 ": sizes are from 1 to %" PRId32, to->height,
                            to->width, INT32_MAX);
    if ((unsigned)to->resample > ALIGN_HAMMING)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "resample %d: expected a filter from 0 to %d",
                            (int)to->resample, (int)ALIGN_HAMMING);
    return ALIGN_OK;
}

/* Pillow 13 and before, for upright pictures. NEAREST does not round: there, leaving rows out first is less work. */
static bool vertical_first(const al_resize *to, int64_t height, int64_t width)
{
    if (to->resample == ALIGN_NEAREST)
        return true;
    return !to->horizontal_first && to->height < height && height - to->height > 2 * (width - to->width);
}

/* Bytes of a row in whole strips, and what the kernels may read behind them. */
static bool row_bytes(size_t *strips, size_t *bytes, int64_t width, size_t channels)
{
    if (!al_mul((size_t)width, channels, strips) || !al_add(*strips, AL_PIXEL_STRIP - 1, strips))
        return false;
    *strips -= *strips % AL_PIXEL_STRIP;
    return al_add(*strips, MISALIGNED + AL_PIXEL_SLACK, bytes);
}

static align_status allocate_rows(al_resizer *r, int64_t width, align_error *err)
{
    size_t wide, wide_bytes, narrow, narrow_bytes, ring = 0;
    if (!row_bytes(&wide, &wide_bytes, width, r->channels) ||
        !row_bytes(&narrow, &narrow_bytes, r->out.width, r->channels) ||
        !al_mul(r->columns_first ? narrow : wide, r->rows.stride, &ring) || !al_add(ring, MISALIGNED, &ring))
        return al_error_no_memory(err, SIZE_MAX);
    r->ring_line = r->columns_first ? narrow : wide;
    r->ring_rows = r->rows.stride;
    r->wide = al_calloc(wide_bytes, 1);
    r->narrow = al_calloc(narrow_bytes, 1);
    r->ring = al_calloc(ring, 1);
    r->lines = al_calloc(r->ring_rows, sizeof *r->lines);
    return r->wide && r->narrow && r->ring && r->lines ? ALIGN_OK : al_error_no_memory(err, ring);
}

/* The columns' taps as the kernel reads them. */
static align_status pack_rgb(al_resizer *r, align_error *err)
{
    const al_taps *t = &r->columns;
    const size_t n = (size_t)t->out, quads = (t->stride + 3) / 4;
    size_t numbers, bytes;
    if (!al_mul(n, quads * AL_PIXEL_QUAD, &numbers) || !al_mul(numbers, sizeof *r->packed, &bytes))
        return al_error_no_memory(err, SIZE_MAX);
    r->packed = al_alloc(bytes);
    r->quads = al_calloc(n, sizeof *r->quads);
    if (!r->packed || !r->quads)
        return al_error_no_memory(err, bytes);
    for (size_t i = 0; i < n; i++) {
        r->quads[i] = (t->counts[i] + 3) / 4;
        for (int64_t q = 0; q < r->quads[i]; q++) {
            int32_t weights[4] = {0};
            for (int64_t k = 0; k < 4 && 4 * q + k < t->counts[i]; k++)
                weights[k] = t->weights[i * t->stride + (size_t)(4 * q + k)];
            al_pixel_pack_quad(r->packed + (i * quads + (size_t)q) * AL_PIXEL_QUAD, weights);
        }
    }
    r->rgb = (al_rgb_sums){n, t->starts, r->quads, r->packed, quads * AL_PIXEL_QUAD};
    return ALIGN_OK;
}

align_status al_resizer_init(al_resizer *r, const al_stored *from, const al_resize *to, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_turn turn = al_turn_of(from->orientation);
    const int64_t height = from->rows.pixels, width = from->columns.pixels;
    const al_axis rows = {height, from->rows.extent, turn.from_bottom};
    const al_axis columns = {width, from->columns.extent, turn.from_right};
    *r = (al_resizer){.channels = (size_t)from->channels};
    r->columns_first = turn.exchanged ? vertical_first(to, width, height) : !vertical_first(to, height, width);
    TRY(al_taps_init(&r->rows, &rows, turn.exchanged ? to->width : to->height, to->resample, err));
    TRY(al_taps_init(&r->columns, &columns, turn.exchanged ? to->height : to->width, to->resample, err));
    TRY(al_image_new(&r->out, r->rows.out, r->columns.out, from->channels, err));
    TRY(allocate_rows(r, width, err));
    if (r->channels == 3)
        TRY(pack_rgb(r, err));
done:
    if (status != ALIGN_OK)
        al_resizer_done(r);
    return status;
}

void al_resizer_done(al_resizer *r)
{
    al_taps_done(&r->rows);
    al_taps_done(&r->columns);
    al_free(r->wide);
    al_free(r->narrow);
    al_free(r->ring);
    al_free(r->lines);
    al_free(r->packed);
    al_free(r->quads);
    align_image_done(&r->out);
    *r = (al_resizer){0};
}

static uint8_t *ring_row(const al_resizer *r)
{
    return r->ring + MISALIGNED + (size_t)r->taken % r->ring_rows * r->ring_line;
}

uint8_t *al_resizer_row(al_resizer *r)
{
    return r->columns_first ? r->wide + MISALIGNED : ring_row(r);
}

/* The next row of the output. */
static void make_row(al_resizer *r)
{
    const size_t line = (size_t)r->out.width * r->channels;
    uint8_t *to = r->out.pixels + (size_t)r->made * line;
    if (r->columns_first) {
        resize_rows(r, r->narrow, r->made);
        memcpy(to, r->narrow, line); /* which has no room for whole strips */
    } else {
        resize_rows(r, r->wide, r->made);
        resize_columns(r, to, r->wide);
    }
    r->made++;
}

void al_resizer_push(al_resizer *r)
{
    if (r->columns_first)
        resize_columns(r, ring_row(r), r->wide + MISALIGNED);
    r->taken++;
    while (r->made < r->rows.out && r->rows.starts[r->made] + r->rows.counts[r->made] <= r->taken)
        make_row(r);
}

/* ---- pictures in memory ---- */

al_stored al_stored_whole(int64_t height, int64_t width, int64_t channels, int orientation)
{
    return (al_stored){
        .rows = {height, (double)height, false},
        .columns = {width, (double)width, false},
        .channels = channels,
        .orientation = orientation,
    };
}

align_status al_image_resize(align_image *out, const align_image *image, int orientation, const al_resize *to,
                             align_error *err)
{
    al_resizer r;
    const al_stored from = al_stored_whole(image->height, image->width, image->channels, orientation);
    const align_status status = al_resizer_init(&r, &from, to, err);
    if (status != ALIGN_OK)
        return status;
    const size_t line = (size_t)image->width * r.channels;
    for (int64_t y = 0; y < image->height; y++) {
        memcpy(al_resizer_row(&r), image->pixels + (size_t)y * line, line);
        al_resizer_push(&r);
    }
    *out = r.out;
    r.out.pixels = NULL;
    al_resizer_done(&r);
    return ALIGN_OK;
}

align_status align_image_resize(align_image *out, const align_image *image, int64_t height, int64_t width,
                                align_resample resample, bool horizontal_first, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_resize to = {height, width, resample, horizontal_first};
    if (!out)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "nowhere to put the resized picture");
    *out = (align_image){0, 0, 0, NULL};
    TRY(al_image_check(image, err));
    TRY(al_resize_check(&to, err));
    TRY(al_image_resize(out, image, 0, &to, err));
done:
    return status;
}
