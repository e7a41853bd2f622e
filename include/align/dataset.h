#ifndef ALIGN_DATASET_H
#define ALIGN_DATASET_H
/*
 * dataset.h: pictures with their texts, as people keep them on disk, for training and evaluation.
 *
 * A data set is an index: where each picture lies and what is said about it. Pictures are decoded when they are asked
 * for. docs/training-data.md shows every format with an example.
 *
 * A data set is immutable once it is open and may be used by many threads at once.
 */
#include <align/error.h>
#include <align/processor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum align_data_format {
    ALIGN_DATA_AUTO = 0,   /* by the name, and where that says nothing, by the content */
    ALIGN_DATA_TSV,        /* tabs between columns, no quotes */
    ALIGN_DATA_CSV,        /* commas, quotes as in RFC 4180 */
    ALIGN_DATA_JSON_LINES, /* an object a line */
    ALIGN_DATA_COCO,       /* captions_train2017.json: images and annotations */
    ALIGN_DATA_KARPATHY,   /* dataset_coco.json: images with sentences and a split */
    ALIGN_DATA_WEBDATASET, /* tar files, members of one key belong together */
    ALIGN_DATA_FOLDER      /* pictures with a .txt beside each, a text a line */
} align_data_format;

typedef struct align_dataset_options {
    align_data_format format;
    const char *pictures; /* folder that relative paths of pictures begin in; NULL: the one the data file is in */
    /* TSV, CSV: a column by its name in the first row, or by its number from 1; JSON lines: a key. NULL: the usual
     * names (docs/training-data.md), and without a row of names, columns 1 and 2. */
    const char *picture_column, *text_column;
    const char *split;   /* Karpathy: "train", or several as "train+restval"; NULL: everything */
    bool without_texts;  /* keep pictures of which nothing is said, and be content with one: not for training */
    bool despite_damage; /* of a damaged tar file keep what is whole before the damage (align_dataset_damage); with
                          * without_texts be content with no picture at all */
} align_dataset_options;

/* clang-format off */
#define ALIGN_DATASET_OPTIONS_INIT { ALIGN_DATA_AUTO, NULL, NULL, NULL, NULL, false, false }
/* clang-format on */

typedef struct align_dataset align_dataset;

/*
 * Opens a file, a folder, or tar files ("shards/{000..012}.tar", "shards/part-*.tar", a folder that holds them).
 * options NULL: defaults. Texts of one picture become one pair, wherever in the file they stand; the order is that of
 * the first text. Rows without a caption or a picture are left out and listed (align_dataset_skipped).
 *
 * Errors, which name the file and the line, key or member: NOT_FOUND (no such file, column or split), FORMAT (a file
 * that is damaged or of another format, fewer than two pairs), UNSUPPORTED, INVALID_ARGUMENT, IO.
 */
ALIGN_API align_status align_dataset_open(align_dataset **out, const char *path, const align_dataset_options *options,
                                          align_error *err);
ALIGN_API void align_dataset_free(align_dataset *dataset);

/* Pairs, at least two unless options say otherwise. What follows takes i < count. */
ALIGN_API size_t align_dataset_count(const align_dataset *dataset);

/* The name of a picture: its path, or "SHARD: MEMBER". */
ALIGN_API const char *align_dataset_picture(const align_dataset *dataset, size_t i);

/* Where the bytes of a picture are: the whole of a file, or a member of a tar file. */
typedef struct align_data_place {
    const char *file;
    const char *member;  /* "": none */
    size_t offset, size; /* in the file; size SIZE_MAX: to its end */
} align_data_place;
ALIGN_API void align_dataset_place(const align_dataset *dataset, size_t i, align_data_place *out);

/* How many texts picture i has, at least one unless options say otherwise; its text k: UTF-8, white space around it
 * removed. */
ALIGN_API size_t align_dataset_texts(const align_dataset *dataset, size_t i);
ALIGN_API const char *align_dataset_text(const align_dataset *dataset, size_t i, size_t k);

/* Decodes a picture, as align_image_open does. */
ALIGN_API align_status align_dataset_image(const align_dataset *dataset, size_t i, const align_image_options *options,
                                           align_image *out, align_error *err);

/*
 * What was left out when the data was opened: how many, and of the first ALIGN_DATASET_REASONS where ("pairs.tsv, line
 * 7") and why. false: there is no such i.
 */
#define ALIGN_DATASET_REASONS 1000
ALIGN_API size_t align_dataset_skipped(const align_dataset *dataset);
ALIGN_API bool align_dataset_skip_reason(const align_dataset *dataset, size_t i, const char **where,
                                         const char **reason);

/* Where the i-th damaged tar file is damaged, as a message that names it; NULL: there is no such i. */
ALIGN_API const char *align_dataset_damage(const align_dataset *dataset, size_t i);

/*
 * Takes a share of the pairs, 0 < fraction < 1, for validation: chosen by seed, the same ones on every machine.
 * *dataset becomes the rest, *validation what was taken, both in their old order; at least two pairs each, or
 * INVALID_ARGUMENT. On failure *dataset is as it was.
 */
ALIGN_API align_status align_dataset_split(align_dataset **dataset, double fraction, uint64_t seed,
                                           align_dataset **validation, align_error *err);

/*
 * How training pictures are varied, as torchvision's transforms of these names have it. Pictures come in so many
 * variants; all 0 (and scale 1 to 1): every picture is exactly what the processor makes of it.
 */
typedef struct align_augmentation {
    bool crop;                      /* RandomResizedCrop, to the processor's size with the processor's filter */
    double scale_least, scale_most; /* share of the area, 0.08 to 1 */
    double ratio_least, ratio_most; /* width to height, 3/4 to 4/3 */
    double flip;                    /* probability of a horizontal flip */
    double brightness, contrast, saturation; /* ColorJitter: factors from 1 - x (at least 0) to 1 + x */
    double hue;                              /* turns from -x to x, at most 0.5 */
} align_augmentation;

/* clang-format off */
#define ALIGN_AUGMENTATION_INIT { false, 0.08, 1.0, 3.0 / 4.0, 4.0 / 3.0, 0, 0, 0, 0, 0 }
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
