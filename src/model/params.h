#ifndef AL_PARAMS_H
#define AL_PARAMS_H
/*
 * params.h: every tensor of the model, listed once.
 *
 * Each list is one block of the paper: X(field, checkpoint key, kind, rank, d0, d1, d2, d3). al_params_visit walks the
 * lists in the reference's state_dict order; loading, saving, initialising, counting and (later) the optimizer are all
 * written on top of that walk, and the towers read the structs.
 *
 * Sizes in the lists: V vocab_size, H hidden_size, R rows of query/key/value (H, or less where heads were pruned),
 * I intermediate_size, N max_position_embeddings, T type_vocab_size, D head size, P projection_dim; of a vision block:
 * C input width, E expanded width, O output width, K kernel size, Q squeezed width; of the stem: G num_channels, S
 * width.
 */
#include <align/config.h>
#include <align/model.h>
#include <align/tensor.h>

/* How the reference initialises a tensor; a buffer is not a parameter and gets no gradient. */
typedef enum al_param_kind {
    AL_PARAM_WEIGHT,      /* N(0, initializer_range of its tower) */
    AL_PARAM_WORD,        /* the same, with the pad row zero */
    AL_PARAM_XAVIER,      /* uniform in +-sqrt(6 / (in + out)) */
    AL_PARAM_ZERO,        /* biases */
    AL_PARAM_ONE,         /* weights of norms */
    AL_PARAM_TEMPERATURE, /* temperature_init_value */
    AL_BUFFER_ZERO,       /* running_mean */
    AL_BUFFER_ONE,        /* running_var */
    AL_BUFFER_COUNT       /* num_batches_tracked: an I64 scalar, 0 */
} al_param_kind;

typedef struct al_linear_params {
    align_tensor weight, bias; /* [out, in], [out] */
} al_linear_params;

typedef struct al_layer_norm_params {
    align_tensor weight, bias;
} al_layer_norm_params;

typedef struct al_batch_norm_params {
    align_tensor weight, bias, running_mean, running_var, num_batches_tracked;
} al_batch_norm_params;

/* clang-format off */
#define AL_LINEAR(X, f, key, out, in)                                                                                  \
    X(f.weight, key ".weight", AL_PARAM_WEIGHT, 2, out, in, 0, 0)                                                      \
    X(f.bias,   key ".bias",   AL_PARAM_ZERO,   1, out, 0, 0, 0)
#define AL_LAYER_NORM(X, f, key, n)                                                                                    \
    X(f.weight, key ".weight", AL_PARAM_ONE,  1, n, 0, 0, 0)                                                           \
    X(f.bias,   key ".bias",   AL_PARAM_ZERO, 1, n, 0, 0, 0)
#define AL_BATCH_NORM(X, f, key, n)                                                                                    \
    X(f.weight,              key ".weight",              AL_PARAM_ONE,    1, n, 0, 0, 0)                               \
    X(f.bias,                key ".bias",                AL_PARAM_ZERO,   1, n, 0, 0, 0)                               \
    X(f.running_mean,        key ".running_mean",        AL_BUFFER_ZERO,  1, n, 0, 0, 0)                               \
    X(f.running_var,         key ".running_var",         AL_BUFFER_ONE,   1, n, 0, 0, 0)                               \
    X(f.num_batches_tracked, key ".num_batches_tracked", AL_BUFFER_COUNT, 0, 0, 0, 0, 0)
#define AL_CONV(X, f, key, out, in, k)                                                                                 \
    X(f, key ".weight", AL_PARAM_WEIGHT, 4, out, in, k, k)
#define AL_CONV_BIAS(X, f, key, out, in)                                                                               \
    X(f.weight, key ".weight", AL_PARAM_WEIGHT, 4, out, in, 1, 1)                                                      \
    X(f.bias,   key ".bias",   AL_PARAM_ZERO,   1, out, 0, 0, 0)

/* ---- text tower (AlignTextModel: BERT) ---- */

#define AL_TEXT_EMBEDDINGS(X)                                                                                          \
    X(word_embeddings,       "embeddings.word_embeddings.weight",       AL_PARAM_WORD,   2, V, H, 0, 0)                \
    X(position_embeddings,   "embeddings.position_embeddings.weight",   AL_PARAM_WEIGHT, 2, N, H, 0, 0)                \
    X(token_type_embeddings, "embeddings.token_type_embeddings.weight", AL_PARAM_WEIGHT, 2, T, H, 0, 0)                \
    AL_LAYER_NORM(X, embeddings_norm, "embeddings.LayerNorm", H)

/* at: "attention" or "crossattention" */
#define AL_TEXT_ATTENTION_INPUT(X, f, at)                                                                              \
    AL_LINEAR(X, f.query, at ".self.query", R, H)                                                                      \
    AL_LINEAR(X, f.key,   at ".self.key",   R, H)                                                                      \
    AL_LINEAR(X, f.value, at ".self.value", R, H)
/* only relative_key and relative_key_query, never in crossattention */
#define AL_TEXT_DISTANCE(X, f, at)                                                                                     \
    X(f.distance_embedding, at ".self.distance_embedding.weight", AL_PARAM_WEIGHT, 2, 2 * N - 1, D, 0, 0)
#define AL_TEXT_ATTENTION_OUTPUT(X, f, at)                                                                             \
    AL_LINEAR(X, f.output, at ".output.dense", H, R)                                                                   \
    AL_LAYER_NORM(X, f.output_norm, at ".output.LayerNorm", H)

#define AL_TEXT_FEED_FORWARD(X)                                                                                        \
    AL_LINEAR(X, intermediate, "intermediate.dense", I, H)                                                             \
    AL_LINEAR(X, output, "output.dense", H, I)                                                                         \
    AL_LAYER_NORM(X, output_norm, "output.LayerNorm", H)

#define AL_TEXT_POOLER(X)                                                                                              \
    AL_LINEAR(X, pooler, "pooler.dense", H, H)

/* ---- vision tower (AlignVisionModel: EfficientNet) ---- */

#define AL_VISION_STEM(X)                                                                                              \
    AL_CONV(X, convolution, "embeddings.convolution", S, G, 3)                                                         \
    AL_BATCH_NORM(X, stem_norm, "embeddings.batchnorm", S)

/* only where expand_ratio != 1 */
#define AL_VISION_EXPANSION(X)                                                                                         \
    AL_CONV(X, expand_conv, "expansion.expand_conv", E, C, 1)                                                          \
    AL_BATCH_NORM(X, expand_norm, "expansion.expand_bn", E)
#define AL_VISION_BLOCK(X)                                                                                             \
    AL_CONV(X, depthwise, "depthwise_conv.depthwise_conv", E, 1, K)                                                    \
    AL_BATCH_NORM(X, depthwise_norm, "depthwise_conv.depthwise_norm", E)                                               \
    AL_CONV_BIAS(X, squeeze_reduce, "squeeze_excite.reduce", Q, E)                                                     \
    AL_CONV_BIAS(X, squeeze_expand, "squeeze_excite.expand", E, Q)                                                     \
    AL_CONV(X, project, "projection.project_conv", O, E, 1)                                                            \
    AL_BATCH_NORM(X, project_norm, "projection.project_bn", O)

/* ---- both (AlignModel) ---- */

#define AL_TEMPERATURE(X)                                                                                              \
    X(temperature, "temperature", AL_PARAM_TEMPERATURE, 0, 0, 0, 0, 0)
#define AL_TEXT_PROJECTION(X)                                                                                          \
    X(text_projection.weight, "text_projection.weight", AL_PARAM_XAVIER, 2, P, H, 0, 0)                                \
    X(text_projection.bias,   "text_projection.bias",   AL_PARAM_ZERO,   1, P, 0, 0, 0)
/* clang-format on */

typedef struct al_attention_params {
    al_linear_params query, key, value; /* [R, H], [R] */
    align_tensor distance_embedding;    /* [2N - 1, D]; absent unless positions are relative */
    al_linear_params output;            /* [H, R], [H] */
    al_layer_norm_params output_norm;
} al_attention_params;

typedef struct al_text_layer_params {
    int64_t heads; /* left after pruning; R = heads * D */
    al_attention_params attention;
    al_attention_params cross; /* crossattention.*: only is_decoder && add_cross_attention; never runs */
    al_linear_params intermediate, output;
    al_layer_norm_params output_norm;
} al_text_layer_params;

typedef struct al_text_params {
    align_tensor word_embeddings, position_embeddings, token_type_embeddings;
    al_layer_norm_params embeddings_norm;
    size_t n_layers;
    al_text_layer_params *layers;
    bool has_pooler;
    al_linear_params pooler;
} al_text_params;

typedef struct al_vision_block_params {
    int64_t in, expanded, out, kernel, stride, squeezed;
    bool expand;         /* has an expansion */
    bool residual;       /* not the first block of its stage */
    bool adjust_padding; /* stride 2: one less on the left and top, unless the block is in depthwise_padding */
    align_tensor expand_conv, depthwise, project; /* [E, C, 1, 1] or absent, [E, 1, K, K], [O, E, 1, 1] */
    al_batch_norm_params expand_norm, depthwise_norm, project_norm;
    al_linear_params squeeze_reduce, squeeze_expand; /* [Q, E, 1, 1], [Q]; [E, Q, 1, 1], [E] */
} al_vision_block_params;

typedef struct al_vision_params {
    align_tensor convolution; /* [S, G, 3, 3] */
    al_batch_norm_params stem_norm;
    size_t n_blocks;
    al_vision_block_params *blocks;
} al_vision_params;

typedef struct al_model_params {
    align_tower tower;        /* which halves exist */
    align_tensor temperature; /* scalar; with the projection only in ALIGN_TOWER_BOTH */
    al_text_params text;
    al_vision_params vision;
    al_linear_params text_projection;
} al_model_params;

/* Lays out the structs for a validated config: counts, sizes and flags set, every tensor absent. */
align_status al_params_init(al_model_params *params, const align_config *config, align_tower tower, bool no_pooler,
                            align_error *err);
void al_params_done(al_model_params *params);

/* The stem's channels before rounding, whatever in_channels[0] says. */
#define AL_STEM_CHANNELS 32

/* Channels that come out of the vision tower: of the last block, or of the stem where there is none. */
int64_t al_vision_width(const align_vision_config *config);

/* Zero rows (and columns) before and after the input of a block's depthwise convolution; a negative number crops.
 * Stride 1 keeps the size; stride 2 pads half the kernel, one less before it if adjust_padding. */
typedef struct al_vision_padding {
    int64_t before, after;
} al_vision_padding;
al_vision_padding al_vision_block_padding(const al_vision_block_params *block);

/* Rows (or columns) of a block's output for n of its input; 0 where n is too small for the kernel. */
int64_t al_vision_block_output(const al_vision_block_params *block, int64_t n);

/* Channels, rows and columns after the stem (i = 0) and after block i - 1, for pictures of height x width; rows or
 * columns are 0 when the picture is too small. The shapes of the tensors must be set. */
typedef struct al_vision_shape {
    size_t channels, rows, columns;
} al_vision_shape;
al_vision_shape al_vision_shape_after(const al_vision_params *vision, size_t i, size_t height, size_t width);

/* What a visit says of one tensor. */
typedef struct al_param {
    const char *name; /* state_dict key, valid during the call */
    al_param_kind kind;
    align_tower owner; /* TEXT, VISION, or BOTH for temperature and text_projection */
    int rank;
    int64_t shape[4];   /* as the config wants it */
    align_tensor *slot; /* where the towers look for it */
} al_param;

typedef align_status (*al_param_visitor)(void *user, const al_param *param, align_error *err);

/* Walks every tensor in state_dict order; stops at the first failure and returns it. A tower alone has no prefix. */
align_status al_params_visit(al_model_params *params, const align_config *config, al_param_visitor visitor, void *user,
                             align_error *err);
#endif
