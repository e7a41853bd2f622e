#ifndef ALIGN_PROCESSOR_H
#define ALIGN_PROCESSOR_H
/*
 * processor.h: AlignProcessor = EfficientNetImageProcessor + BertTokenizer (the fast one), as transformers 4.37.2 has
 * them: texts to token ids, pictures to pixel_values, ids back to text.
 *
 * Handles are immutable after they are made and may be used by many threads at once.
 */
#include <align/error.h>
#include <align/tensor.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pictures ---- */

/*
 * A decoded picture: 8-bit, interleaved [height, width, channels], rows contiguous. align_image_open
 * and align_image_decode always give 3 channels; a picture made by the caller may have any number from 1 to 4. The
 * pixels are owned by the struct; free them with align_image_done.
 */
typedef struct align_image {
    int64_t height, width, channels;
    uint8_t *pixels;
} align_image;

/* PIL's Image.Resampling values. */
typedef enum align_resample {
    ALIGN_NEAREST = 0,
    ALIGN_LANCZOS = 1,
    ALIGN_BILINEAR = 2,
    ALIGN_BICUBIC = 3,
    ALIGN_BOX = 4,
    ALIGN_HAMMING = 5
} align_resample;

/* EfficientNetImageProcessor's parameters (preprocessor_config.json). */
typedef struct align_image_processor_config {
    bool do_resize;                  /* true */
    int64_t size_height, size_width; /* 346, 346 */
    align_resample resample;         /* ALIGN_NEAREST */
    bool do_center_crop;             /* false */
    int64_t crop_height, crop_width; /* 289, 289 */
    bool do_rescale;                 /* true */
    double rescale_factor;           /* 1/255 */
    bool rescale_integer;            /* false; true: 0..255 written as an int: 8-bit products wrap, as NumPy's */
    bool rescale_offset;             /* false */
    bool do_normalize;               /* true */
    double image_mean[3];            /* 0.5 0.5 0.5 */
    double image_std[3];             /* 0.5 0.5 0.5 */
    bool include_top;                /* true: divide by image_std once more */
    bool horizontal_first;           /* false: ours, see align_image_resize */
} align_image_processor_config;

typedef struct align_image_options {
    int64_t max_pixels; /* refuse pictures that claim more: a decompression bomb. Default 178956970 (Pillow's error) */
    bool ignore_orientation; /* true: EXIF orientation is not applied (the reference never applies it) */
    /* Not NULL, and with do_resize: the picture comes out as align_image_resize would make it for that config, to the
     * same bits, and align_image_processor_run leaves its size alone. A large JPEG is then never in memory whole. */
    const align_image_processor_config *resize_for;
    /* With resize_for: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that is still twice the size wanted. Less
     * work, slightly other pixels (docs/differences.md has figures); of other formats nothing changes. */
    bool fast_decode;
} align_image_options;

/* clang-format off */
#define ALIGN_IMAGE_OPTIONS_INIT { INT64_C(178956970), false, NULL, false }
/* clang-format on */

/*
 * Decodes JPEG, PNG, WebP and GIF (first frame), recognised by content, to RGB as Pillow's Image.convert("RGB") gives
 * it (palette expanded, alpha dropped, CMYK and 16-bit converted), EXIF orientation applied. name is only used in
 * messages. Errors: FORMAT (not a picture, damaged, truncated), UNSUPPORTED (a format this build lacks), IO,
 * INVALID_ARGUMENT (more than max_pixels).
 */
ALIGN_API align_status align_image_open(align_image *out, const char *path, const align_image_options *options,
                                        align_error *err);
ALIGN_API align_status align_image_decode(align_image *out, const void *bytes, size_t size, const char *name,
                                          const align_image_options *options, align_error *err);
ALIGN_API void align_image_done(align_image *image);

/* What the file of a picture says about it. */
typedef struct align_image_info {
    int64_t height, width; /* of the picture turned upright */
    int orientation;       /* EXIF's, 1 to 8; 0: not stated */
    int64_t taken;         /* EXIF's DateTimeOriginal (or else ...Digitized): seconds since 1970 on the camera's clock;
                            * INT64_MIN: not stated */
    bool zone_known;       /* whether the clock's zone is stated: OffsetTimeOriginal */
    int64_t zone_east;     /* then, by how many seconds it was ahead of UTC: taken - zone_east is UTC */
} align_image_info;

/* Reads the header and the metadata of a picture, and decodes nothing: that there are pixels behind them is not said.
 * Errors as align_image_decode, but no picture is too large. */
ALIGN_API align_status align_image_get_info(align_image_info *out, const void *bytes, size_t size, const char *name,
                                            align_error *err);

/*
 * Pillow's Image.resize on 8-bit channels, bit for bit. Pass order is Pillow 13's (vertical first iff out_h < in_h and
 * in_h - out_h > 2 (in_w - out_w)) unless horizontal_first (every Pillow before 13).
 */
ALIGN_API align_status align_image_resize(align_image *out, const align_image *image, int64_t height, int64_t width,
                                          align_resample resample, bool horizontal_first, align_error *err);

/* A small picture of a file in memory: at most so many pixels high and wide, in its proportions and upright. What is
 * smaller comes as it is; a large JPEG is decoded at a fraction of its size. Errors as align_image_decode. */
ALIGN_API align_status align_image_thumbnail(align_image *out, const void *bytes, size_t size, const char *name,
                                             int64_t most, align_error *err);

/* Writes a picture of 1 channel (grey) or 3 (RGB) as a JPEG file in memory, to be freed with align_free. quality: 1 to
 * 100. */
ALIGN_API align_status align_image_encode_jpeg(const align_image *image, int quality, uint8_t **bytes, size_t *size,
                                               align_error *err);

ALIGN_API void align_image_processor_config_init(align_image_processor_config *config);

/* Reads folder/preprocessor_config.json (or the file itself), keys absent at their defaults; judges values. */
ALIGN_API align_status align_image_processor_config_from_pretrained(align_image_processor_config *out, const char *path,
                                                                    align_error *err);
ALIGN_API align_status align_image_processor_config_save_pretrained(const align_image_processor_config *config,
                                                                    const char *folder, align_error *err);

/* The size a picture of this config comes out with; [height, width] of the input. */
ALIGN_API void align_image_processor_output_size(const align_image_processor_config *config, int64_t height,
                                                 int64_t width, int64_t *out_height, int64_t *out_width);

/*
 * EfficientNetImageProcessor.preprocess of one picture: resize, centre crop, rescale, normalise, include_top, to
 * channels first. out is [channels, out_height, out_width] f32 (see align_image_processor_output_size), bit-identical
 * to the reference on the same 8-bit pixels. With every step that makes floats off, the 8-bit values are written as
 * f32.
 */
ALIGN_API align_status align_image_processor_run(const align_image_processor_config *config, const align_image *image,
                                                 float *out, align_error *err);

/* The same for a picture of floats [height, width, channels], as the reference treats float arrays (in [0,1] or whole
 * numbers in [0,255] when resizing). */
ALIGN_API align_status align_image_processor_run_f32(const align_image_processor_config *config, const float *pixels,
                                                     int64_t height, int64_t width, int64_t channels, float *out,
                                                     align_error *err);

/* ---- text ---- */

typedef struct align_tokenizer align_tokenizer;

typedef enum align_padding {
    ALIGN_PAD_MAX_LENGTH = 0, /* "max_length" */
    ALIGN_PAD_LONGEST,        /* "longest", True */
    ALIGN_PAD_NONE            /* "do_not_pad", False */
} align_padding;

typedef enum align_truncation {
    ALIGN_TRUNCATE_NONE = 0,      /* "do_not_truncate", False */
    ALIGN_TRUNCATE_LONGEST_FIRST, /* "longest_first", True */
    ALIGN_TRUNCATE_ONLY_FIRST,
    ALIGN_TRUNCATE_ONLY_SECOND
} align_truncation;

typedef struct align_encode_options {
    align_padding padding;       /* AlignProcessor's default: max_length */
    align_truncation truncation; /* none, as the reference: longer texts keep their length */
    int64_t max_length;          /* 64; negative: the tokenizer's model_max_length (None) */
    int64_t pad_to_multiple_of;  /* 0: no */
    bool add_special_tokens;     /* true */
    int64_t stride;              /* with return_overflowing_tokens: tokens shared by consecutive rows */
    bool return_overflowing_tokens;
    bool pad_left; /* padding_side="left"; false */
} align_encode_options;

/* clang-format off */
#define ALIGN_ENCODE_OPTIONS_INIT { ALIGN_PAD_MAX_LENGTH, ALIGN_TRUNCATE_NONE, 64, 0, true, 0, false, false }
/* clang-format on */

/*
 * Rows of token ids. Row r is ids[offsets[r]] .. ids[offsets[r + 1] - 1]; token_type_ids and attention_mask run
 * beside it. When every row has the same length, length is that length and the arrays are [rows, length] matrices;
 * otherwise length is -1 (the reference cannot make a tensor of such a batch either).
 */
typedef struct align_encoding {
    size_t rows;
    int64_t length;
    size_t *offsets; /* [rows + 1] */
    int64_t *input_ids;
    int64_t *token_type_ids;
    int64_t *attention_mask;
    int64_t *special_tokens_mask;
    int64_t *sample; /* [rows]: which text a row comes from (overflow_to_sample_mapping) */
    int64_t *char_starts,
        *char_ends; /* offset_mapping: code points of the text, [start, end); 0,0 for special tokens */
} align_encoding;

ALIGN_API void align_encoding_done(align_encoding *encoding);

/*
 * BertTokenizerFast.from_pretrained: tokenizer.json where present (vocabulary, normalizer, added tokens), otherwise
 * vocab.txt; tokenizer_config.json overrides do_lower_case, strip_accents, tokenize_chinese_chars and gives
 * model_max_length; special_tokens_map.json. Errors: NOT_FOUND, FORMAT (with file and key), UNSUPPORTED (a
 * tokenizer.json that is not BERT's).
 */
ALIGN_API align_status align_tokenizer_from_pretrained(align_tokenizer **out, const char *folder, align_error *err);
ALIGN_API void align_tokenizer_free(align_tokenizer *tokenizer);

/* vocab.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, as the fast class writes them. */
ALIGN_API align_status align_tokenizer_save_pretrained(const align_tokenizer *tokenizer, const char *folder,
                                                       align_error *err);

/* Number of ids, added tokens included; the id of a token or -1; the token of an id or NULL. */
ALIGN_API int64_t align_tokenizer_vocab_size(const align_tokenizer *tokenizer);
ALIGN_API int64_t align_tokenizer_token_to_id(const align_tokenizer *tokenizer, const char *token);
ALIGN_API const char *align_tokenizer_id_to_token(const align_tokenizer *tokenizer, int64_t id);

/*
 * Encodes count texts; pairs is NULL or holds a second text for each (an entry may be NULL). Texts are UTF-8 and
 * NUL-terminated; invalid UTF-8 is INVALID_ARGUMENT naming the text's number and the byte. options NULL: defaults.
 */
ALIGN_API align_status align_tokenizer_encode(const align_tokenizer *tokenizer, const char *const *texts,
                                              const char *const *pairs, size_t count,
                                              const align_encode_options *options, align_encoding *out,
                                              align_error *err);

/*
 * decode: *text is freed with align_free. Ids outside the vocabulary vanish, as the fast tokenizer has it.
 * clean_up_tokenization_spaces: 1 or 0, or -1 for what tokenizer_config.json says (true by default).
 */
ALIGN_API align_status align_tokenizer_decode(const align_tokenizer *tokenizer, const int64_t *ids, size_t count,
                                              bool skip_special_tokens, int clean_up_tokenization_spaces, char **text,
                                              align_error *err);

/*
 * batch_decode: row r is ids[offsets[r]] .. ids[offsets[r + 1] - 1], the layout of an align_encoding. *texts holds rows
 * strings in one block of memory: one align_free(*texts) frees all of them.
 */
ALIGN_API align_status align_tokenizer_batch_decode(const align_tokenizer *tokenizer, const int64_t *ids,
                                                    const size_t *offsets, size_t rows, bool skip_special_tokens,
                                                    int clean_up_tokenization_spaces, char ***texts, align_error *err);

/* ---- both ---- */

typedef struct align_processor align_processor;

/* Both halves from one folder; a half whose files are all absent is absent (its functions then report NOT_FOUND). */
ALIGN_API align_status align_processor_from_pretrained(align_processor **out, const char *folder, align_error *err);
ALIGN_API void align_processor_free(align_processor *processor);
ALIGN_API align_status align_processor_save_pretrained(const align_processor *processor, const char *folder,
                                                       align_error *err);

/* The halves, or NULL when absent; owned by the processor. */
ALIGN_API const align_tokenizer *align_processor_tokenizer(const align_processor *processor);
ALIGN_API const align_image_processor_config *align_processor_image_processor(const align_processor *processor);

/*
 * AlignProcessor.__call__ with return_tensors: texts and / or pictures to a collection with input_ids, token_type_ids,
 * attention_mask [texts, length] I64 and pixel_values [images, channels, height, width] F32. Either count may be 0, not
 * both. Errors: INVALID_ARGUMENT when rows or pictures come out with different sizes (use padding / truncation).
 */
ALIGN_API align_status align_processor_call(const align_processor *processor, const char *const *texts,
                                            const char *const *pairs, size_t n_texts, const align_image *images,
                                            size_t n_images, const align_encode_options *options, align_tensors **out,
                                            align_error *err);

#ifdef __cplusplus
}
#endif
#endif
