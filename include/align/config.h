#ifndef ALIGN_CONFIG_H
#define ALIGN_CONFIG_H
/*
 * config.h: AlignConfig, AlignTextConfig and AlignVisionConfig (transformers 4.37.2, configuration_align.py).
 *
 * Plain structs: read and change the fields as you like, then hand them to align_model_from_config or save them. Every
 * config starts with an _init (the reference's defaults) or a reader, and ends with a _done, which frees what it owns.
 * Keys of config.json that are not fields here (inherited generation settings, id2label, unknown ones) are kept in
 * `extra` and written back.
 *
 * Readers accept a path to a folder holding config.json or to the JSON file itself.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The keys kept besides the fields (a JSON object). */
typedef struct align_extra align_extra;

/* A list of integers owned by the config that holds it; change it with align_int_list_set. */
typedef struct align_int_list {
    int64_t *data;
    size_t count;
} align_int_list;

/* Replaces the list's contents by a copy of count values. data may be NULL when count is 0. */
ALIGN_API align_status align_int_list_set(align_int_list *list, const int64_t *data, size_t count, align_error *err);

/* The activations of ACT2FN, plus selu (documented by the reference, missing in its table). */
typedef enum align_activation {
    ALIGN_ACT_GELU,       /* "gelu", "gelu_python": x/2 (1 + erf(x/sqrt 2)) */
    ALIGN_ACT_GELU_10,    /* "gelu_10": gelu clipped to [-10, 10] */
    ALIGN_ACT_GELU_NEW,   /* "gelu_new", "gelu_accurate", "gelu_pytorch_tanh" */
    ALIGN_ACT_GELU_FAST,  /* "gelu_fast" */
    ALIGN_ACT_QUICK_GELU, /* "quick_gelu": x sigmoid(1.702 x) */
    ALIGN_ACT_LAPLACE,    /* "laplace" */
    ALIGN_ACT_LEAKY_RELU, /* "leaky_relu", slope 0.01 */
    ALIGN_ACT_LINEAR,     /* "linear" */
    ALIGN_ACT_MISH,       /* "mish" */
    ALIGN_ACT_RELU,       /* "relu" */
    ALIGN_ACT_RELU2,      /* "relu2": relu(x)^2 */
    ALIGN_ACT_RELU6,      /* "relu6" */
    ALIGN_ACT_SELU,       /* "selu" */
    ALIGN_ACT_SIGMOID,    /* "sigmoid" */
    ALIGN_ACT_SILU,       /* "silu", "swish": x sigmoid(x) */
    ALIGN_ACT_TANH,       /* "tanh" */
    ALIGN_ACT_COUNT
} align_activation;

/* Looks a name of config.json up; INVALID_ARGUMENT naming it when there is none. Case-sensitive, as the reference. */
ALIGN_API align_status align_activation_from_name(align_activation *out, const char *name, align_error *err);

/* The numbers that the matrix products of a model are computed with; everything else stays f32. */
typedef enum align_precision {
    ALIGN_PRECISION_AUTO = -1, /* to ask for: as a packed model was packed, f32 for any other */
    ALIGN_PRECISION_F32 = 0,
    ALIGN_PRECISION_BF16, /* weights (and, where the CPU multiplies bf16, activations) rounded to bfloat16, f32 sums */
    ALIGN_PRECISION_INT8, /* weights in 255 steps a column, activations in 256 steps a row, exact integer sums */
    ALIGN_PRECISION_COUNT
} align_precision;

/* "f32", "bf16", "int8"; INVALID_ARGUMENT naming it when there is none. */
ALIGN_API align_status align_precision_from_name(align_precision *out, const char *name, align_error *err);
ALIGN_API const char *align_precision_name(align_precision precision);

#define ALIGN_NAME_SIZE 64

typedef struct align_text_config {
    int64_t vocab_size;                            /* 30522 */
    int64_t hidden_size;                           /* 768 */
    int64_t num_hidden_layers;                     /* 12 */
    int64_t num_attention_heads;                   /* 12 */
    int64_t intermediate_size;                     /* 3072 */
    char hidden_act[ALIGN_NAME_SIZE];              /* "gelu": kept as written, see align_activation_from_name */
    double hidden_dropout_prob;                    /* 0.1, training only */
    double attention_probs_dropout_prob;           /* 0.1, training only */
    int64_t max_position_embeddings;               /* 512 */
    int64_t type_vocab_size;                       /* 2 */
    double initializer_range;                      /* 0.02 */
    double layer_norm_eps;                         /* 1e-12 */
    bool has_pad_token_id;                         /* false where config.json says null */
    int64_t pad_token_id;                          /* 0; negative counts from the end */
    char position_embedding_type[ALIGN_NAME_SIZE]; /* "absolute", "relative_key", "relative_key_query"; any other: none
                                                    */
    bool use_cache;                                /* true; never used by the reference either */
    bool is_decoder;                               /* false; true: causal mask */
    bool add_cross_attention;                      /* false; with is_decoder: weights that exist but never run */
    int64_t chunk_size_feed_forward;               /* 0; S must be a multiple, the result is the same */
    align_extra *extra;
} align_text_config;

typedef struct align_vision_config {
    int64_t num_channels;               /* 3 */
    int64_t image_size;                 /* 600; informational, any size runs */
    double width_coefficient;           /* 2.0 */
    double depth_coefficient;           /* 3.1 */
    int64_t depth_divisor;              /* 8 */
    align_int_list kernel_sizes;        /* 3 3 5 3 5 5 3 */
    align_int_list in_channels;         /* 32 16 24 40 80 112 192 */
    align_int_list out_channels;        /* 16 24 40 80 112 192 320 */
    align_int_list depthwise_padding;   /* []: numbers of blocks whose stride-2 padding is symmetric */
    align_int_list strides;             /* 1 2 2 2 1 2 1 */
    align_int_list num_block_repeats;   /* 1 2 2 3 3 4 1 */
    align_int_list expand_ratios;       /* 1 6 6 6 6 6 6 */
    double squeeze_expansion_ratio;     /* 0.25 */
    char hidden_act[ALIGN_NAME_SIZE];   /* "swish" */
    int64_t hidden_dim;                 /* 2560: the pooling kernel, nothing else */
    char pooling_type[ALIGN_NAME_SIZE]; /* "mean" or "max" */
    double initializer_range;           /* 0.02 */
    double batch_norm_eps;              /* 0.001 */
    double batch_norm_momentum;         /* 0.99, in PyTorch's sense: new = 0.01 old + 0.99 batch */
    double drop_connect_rate;           /* 0.2, training only */
    align_extra *extra;
} align_vision_config;

typedef struct align_config {
    align_text_config text_config;
    align_vision_config vision_config;
    int64_t projection_dim;        /* 640 */
    double temperature_init_value; /* 1.0 */
    double initializer_range;      /* 0.02 */
    align_extra *extra;
} align_config;

/* The reference's defaults. Only fails for lack of memory. */
ALIGN_API align_status align_text_config_init(align_text_config *config, align_error *err);
ALIGN_API align_status align_vision_config_init(align_vision_config *config, align_error *err);
ALIGN_API align_status align_config_init(align_config *config, align_error *err);

/* Frees what the config owns and zeroes it. NULL and zeroed configs are fine. */
ALIGN_API void align_text_config_done(align_text_config *config);
ALIGN_API void align_vision_config_done(align_vision_config *config);
ALIGN_API void align_config_done(align_config *config);

/* Deep copies; out must not hold a live config. */
ALIGN_API align_status align_text_config_copy(align_text_config *out, const align_text_config *config,
                                              align_error *err);
ALIGN_API align_status align_vision_config_copy(align_vision_config *out, const align_vision_config *config,
                                                align_error *err);
ALIGN_API align_status align_config_copy(align_config *out, const align_config *config, align_error *err);

/* AlignConfig.from_text_vision_configs: copies both, everything else at its default. */
ALIGN_API align_status align_config_from_text_vision_configs(align_config *out, const align_text_config *text,
                                                             const align_vision_config *vision, align_error *err);

/*
 * X.from_pretrained(path). A text or vision config is also read out of a full AlignConfig file (model_type "align").
 * Errors: IO / NOT_FOUND (no such file), FORMAT (not JSON, or a value of the wrong type: the message names the key).
 * Values are not judged here: see the _validate functions.
 */
ALIGN_API align_status align_text_config_from_pretrained(align_text_config *out, const char *path, align_error *err);
ALIGN_API align_status align_vision_config_from_pretrained(align_vision_config *out, const char *path,
                                                           align_error *err);
ALIGN_API align_status align_config_from_pretrained(align_config *out, const char *path, align_error *err);

/* The same from JSON text of the given length. */
ALIGN_API align_status align_text_config_from_json(align_text_config *out, const char *json, size_t length,
                                                   align_error *err);
ALIGN_API align_status align_vision_config_from_json(align_vision_config *out, const char *json, size_t length,
                                                     align_error *err);
ALIGN_API align_status align_config_from_json(align_config *out, const char *json, size_t length, align_error *err);

/*
 * What to_json_string() / save_pretrained writes, byte for byte (sorted keys, indent 2, one newline at the end; nested
 * configs as differences from their defaults). *json is freed with align_free.
 */
ALIGN_API align_status align_text_config_to_json(const align_text_config *config, char **json, align_error *err);
ALIGN_API align_status align_vision_config_to_json(const align_vision_config *config, char **json, align_error *err);
ALIGN_API align_status align_config_to_json(const align_config *config, char **json, align_error *err);

/* Writes folder/config.json (the folder is made if absent), beside and renamed into place. */
ALIGN_API align_status align_text_config_save_pretrained(const align_text_config *config, const char *folder,
                                                         align_error *err);
ALIGN_API align_status align_vision_config_save_pretrained(const align_vision_config *config, const char *folder,
                                                           align_error *err);
ALIGN_API align_status align_config_save_pretrained(const align_config *config, const char *folder, align_error *err);

/*
 * Whether a model can be built: sizes positive and within limits, heads divide the hidden size, activations known, no
 * list shorter than in_channels, widths that fit from stage to stage, strides 1 or 2, pooling_type mean or max, ...
 * INVALID_ARGUMENT names the key and its value.
 * align_config_validate also asks that projection_dim is the vision tower's width (the reference fails only in
 * forward).
 */
ALIGN_API align_status align_text_config_validate(const align_text_config *config, align_error *err);
ALIGN_API align_status align_vision_config_validate(const align_vision_config *config, align_error *err);
ALIGN_API align_status align_config_validate(const align_config *config, align_error *err);

/* EfficientNet's rounding of a channel count by width_coefficient and depth_divisor; of a repeat by depth_coefficient.
 */
ALIGN_API int64_t align_round_filters(const align_vision_config *config, int64_t channels);
ALIGN_API int64_t align_round_repeats(const align_vision_config *config, int64_t repeats);

#ifdef __cplusplus
}
#endif
#endif
