#ifndef AL_RESIZE_H
#define AL_RESIZE_H
/*
 * resize.h: Pillow's resize fed row by row, so that a large picture need not be in memory to become a small one.
 *
 *     TRY(al_resizer_init(&r, ...));
 *     for every row: write it to al_resizer_row(&r), then al_resizer_push(&r)
 *     r.out is the resized picture; take it (and set r.out.pixels to NULL) before al_resizer_done(&r)
 *
 * Of the input, so many rows are kept as one output pixel needs.
 */
#include "kernels/pixels.h"
#include "processor/image.h"
#include "processor/taps.h"

/* What the picture is to become. */
typedef struct al_resize {
    int64_t height, width;
    align_resample resample;
    bool horizontal_first;
} al_resize;

typedef struct al_resizer {
    align_image out;
    size_t channels;
    bool columns_first;
    al_taps rows, columns;
    uint8_t *wide;         /* one row as wide as the input */
    uint8_t *ring;         /* the last ring_rows rows, columns already resized if columns_first */
    uint8_t *narrow;       /* one row as wide as the output */
    const uint8_t **lines; /* rows of the ring that are summed */
    al_rgb_sums rgb;       /* columns, packed for the kernel; for 3 channels */
    int16_t *packed;
    int64_t *quads;
    size_t ring_rows, ring_line;
    int64_t taken, made; /* rows that came in and rows of out that are ready */
} al_resizer;

/* What config's processor does with the size of a picture; false: nothing, config may be NULL. */
bool al_resize_of(al_resize *out, const align_image_processor_config *config);

/* INVALID_ARGUMENT for a size or a filter that cannot be. */
align_status al_resize_check(const al_resize *to, align_error *err);

/* A picture as it is stored: its rows and columns (mirrored is not looked at), and its EXIF orientation. */
typedef struct al_stored {
    al_axis rows, columns;
    int64_t channels;
    int orientation;
} al_stored;

/* All of its pixels. */
al_stored al_stored_whole(int64_t height, int64_t width, int64_t channels, int orientation);

/*
 * `to` is what the picture becomes once it is turned upright, but it comes out as it is stored, not turned yet. Neither
 * of them is judged here.
 */
align_status al_resizer_init(al_resizer *resizer, const al_stored *from, const al_resize *to, align_error *err);

/* Where the next row of the input goes; call once for each push. */
uint8_t *al_resizer_row(al_resizer *resizer);
void al_resizer_push(al_resizer *resizer);
void al_resizer_done(al_resizer *resizer);

/* All of it for a picture in memory. */
align_status al_image_resize(align_image *out, const align_image *image, int orientation, const al_resize *to,
                             align_error *err);
#endif
