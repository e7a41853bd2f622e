#ifndef ALIGN_MODEL_H
#define ALIGN_MODEL_H
/*
 * model.h: AlignModel, AlignTextModel and AlignVisionModel (transformers 4.37.2, modeling_align.py).
 *
 *     align_model *model;  align_context *ctx;  align_output out;
 *     align_model_from_pretrained(&model, "folder", NULL, &err);
 *     align_context_new(&ctx, model, NULL, &err);
 *     align_inputs in = ALIGN_INPUTS_INIT;
 *     in.input_ids = ...; in.attention_mask = ...; in.pixel_values = ...;
 *     align_model_forward(ctx, &in, NULL, &out, &err);     // out.logits_per_image, out.text_embeds, ...
 *
 * A model is immutable: any number of threads may share it. A context holds the threads and the workspace of one
 * caller: use each from one thread at a time. Results do not depend on the number of threads.
 *
 * Shapes: B texts or pictures in a batch (the two may differ), S tokens, H hidden_size, A heads, L layers,
 * P projection_dim, C channels, h and w rows and columns.
 */
#include <align/config.h>
#include <align/error.h>
#include <align/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct align_model align_model;
typedef struct align_context align_context;

/* Which class: AlignModel, AlignTextModel or AlignVisionModel. */
typedef enum align_tower { ALIGN_TOWER_BOTH = 0, ALIGN_TOWER_TEXT, ALIGN_TOWER_VISION } align_tower;

typedef struct align_load_options {
    align_tower tower;            /* ALIGN_TOWER_BOTH; a tower alone is also read out of a full checkpoint */
    bool no_pooler;               /* AlignTextModel(add_pooling_layer=False) */
    bool ignore_mismatched_sizes; /* false: a tensor of another shape is an error; true: it is initialised afresh */
    const char *variant;          /* "fp16": model.fp16.safetensors, ... NULL: none */
    uint64_t seed;                /* for tensors that the checkpoint lacks */
    align_precision precision; /* of the matrix products; rounding is done while loading: the state stays as stored */
    bool state_only;           /* the config and tensors alone, for training, saving and inspecting: nothing is prepared
                                * for forward passes, which are then UNSUPPORTED, and a model.align is passed over */
} align_load_options;

/* clang-format off */
#define ALIGN_LOAD_OPTIONS_INIT { ALIGN_TOWER_BOTH, false, false, NULL, 0, ALIGN_PRECISION_AUTO, false }
/* clang-format on */

/*
 * X.from_pretrained(folder): config.json and the weights beside it, in any form align_tensors_open_pretrained knows.
 * Old key spellings (gamma, beta, a leading "align.") are understood. Tensors of f32, f16 or bf16 are computed with in
 * options->precision and kept as they are; F64 becomes F32. Missing tensors are initialised, unexpected ones ignored:
 * see align_model_report. A tower alone finds its weights in a full checkpoint too (the reference leaves it at random
 * values); the other tower's are then not called unexpected.
 * Where no variant is asked for and the folder has a model.align, that is used: see align_model_save_packed.
 * Errors: those of the config and the checkpoint; MISMATCH naming every tensor whose shape differs; UNSUPPORTED for a
 * precision that the CPU's kernels do not have.
 */
ALIGN_API align_status align_model_from_pretrained(align_model **out, const char *folder,
                                                   const align_load_options *options, align_error *err);

/*
 * A fresh model with the reference's distributions (each tower's initializer_range; Xavier for text_projection), the
 * same for the same seed on every machine. The config is copied. options->variant and seed as above; NULL: defaults.
 */
ALIGN_API align_status align_model_from_config(align_model **out, const align_config *config,
                                               const align_load_options *options, align_error *err);

/* From a config and tensors in memory (load_state_dict); state is copied. */
ALIGN_API align_status align_model_from_tensors(align_model **out, const align_config *config,
                                                const align_tensors *state, const align_load_options *options,
                                                align_error *err);

ALIGN_API void align_model_free(align_model *model);

/* Writes config.json and the weights (see align_tensors_save_pretrained). options NULL: safetensors as stored. A
 * model.align that was there is removed, unless a variant is written. */
ALIGN_API align_status align_model_save_pretrained(const align_model *model, const char *folder,
                                                   const align_save_options *options, align_error *err);

/*
 * Writes config.json and model.align: the weights in the order and precision in which the model's kernels read them.
 * Loading that takes no time, for nothing is packed or even read before it is needed. It is smaller than the original
 * by what is folded or rounded, but it serves only CPUs whose kernels want the same layout, and loads only as what it
 * is: UNSUPPORTED for another layout or precision, MISMATCH for another config.json beside it. Other weights in the
 * folder stay; model.align comes before them when the folder is loaded.
 */
ALIGN_API align_status align_model_save_packed(const align_model *model, const char *folder, align_error *err);

/* What a packed model's weights were packed for, in words to compare; NULL for any other model. What a packed model
 * lost is refused with UNSUPPORTED: saving in another form, resizing and pruning. */
ALIGN_API const char *align_model_layout(const align_model *model);

/* The config; for a tower alone the other half is at its defaults. Owned by the model. */
ALIGN_API const align_config *align_model_config(const align_model *model);
ALIGN_API align_tower align_model_tower(const align_model *model);
ALIGN_API align_precision align_model_precision(const align_model *model);

/* state_dict(), in the reference's order; of a packed model what its file holds. Owned by the model. */
ALIGN_API const align_tensors *align_model_state(const align_model *model);

/*
 * A name for what the model computes, "align-" and 16 digits: made of the config and of samples of all tensors, so that
 * another training has another one, whatever its folder is called. A model and what is packed from it have the same,
 * in every precision; a tower alone has its own. It tells models apart, but not against somebody who makes two alike
 * on purpose. (An align_index keeps it: search.h.)
 */
#define ALIGN_FINGERPRINT_SIZE 23
ALIGN_API void align_model_fingerprint(const align_model *model, char out[ALIGN_FINGERPRINT_SIZE]);

/* What loading found: keys missing from the checkpoint (initialised) and unexpected in it (ignored), both sorted, and
 * those of another shape (initialised, only with ignore_mismatched_sizes), in the checkpoint's order. Empty for a model
 * made from a config. Owned by the model. */
typedef struct align_load_report {
    size_t n_missing, n_unexpected, n_mismatched;
    const char *const *missing;
    const char *const *unexpected;
    const char *const *mismatched;
} align_load_report;
ALIGN_API const align_load_report *align_model_report(const align_model *model);

/*
 * resize_token_embeddings: a new model with n rows of word embeddings; new rows are drawn as the reference draws them,
 * vocab_size is updated. The old model stays as it is.
 */
ALIGN_API align_status align_model_resize_token_embeddings(align_model **out, const align_model *model, int64_t n,
                                                           uint64_t seed, align_error *err);

/* prune_heads: a new model without the given heads of one text layer. Errors: INVALID_ARGUMENT (no such layer, no such
 * head, or none would be left). */
ALIGN_API align_status align_model_prune_heads(align_model **out, const align_model *model, int64_t layer,
                                               const int64_t *heads, size_t n_heads, align_error *err);

/* ---- running ---- */

typedef struct align_context_options {
    int threads;       /* 0: one a core */
    int64_t max_bytes; /* refuse a forward pass whose workspace would be larger; 0: no limit */
} align_context_options;

/* clang-format off */
#define ALIGN_CONTEXT_OPTIONS_INIT { 0, 0 }
/* clang-format on */

/* The model must outlive the context. */
ALIGN_API align_status align_context_new(align_context **out, const align_model *model,
                                         const align_context_options *options, align_error *err);
ALIGN_API void align_context_free(align_context *context);

/* Largest workspace so far, in bytes. */
ALIGN_API size_t align_context_workspace(const align_context *context);

/* forward()'s tensors. A tensor with data NULL is absent. Integers are I64 or I32; floats F32, F16 or BF16. */
typedef struct align_inputs {
    align_tensor input_ids;      /* [B, S] integers in [0, vocab_size) */
    align_tensor attention_mask; /* [B, S] or [B, S, S], integers, bool or floats: 1 attend, 0 not; absent: all ones */
    align_tensor token_type_ids; /* [B, S]; absent: zeros */
    align_tensor position_ids;   /* [B, S], [1, S] or [S]; absent: 0 .. S-1 */
    align_tensor head_mask;      /* [A] or [L, A]: factors of the attention probabilities */
    align_tensor inputs_embeds;  /* [B, S, H] floats, instead of input_ids */
    align_tensor pixel_values;   /* [B, num_channels, h, w] floats */
} align_inputs;

/* clang-format off */
#define ALIGN_INPUTS_INIT { { ALIGN_F32, 0, { 0 }, NULL }, { ALIGN_F32, 0, { 0 }, NULL }, { ALIGN_F32, 0, { 0 }, NULL }, \
    { ALIGN_F32, 0, { 0 }, NULL }, { ALIGN_F32, 0, { 0 }, NULL }, { ALIGN_F32, 0, { 0 }, NULL }, { ALIGN_F32, 0, { 0 }, NULL } }
/* clang-format on */

typedef struct align_forward_options {
    bool return_loss;
    bool output_hidden_states;
    bool output_attentions;
} align_forward_options;

/* clang-format off */
#define ALIGN_FORWARD_OPTIONS_INIT { false, false, false }
/* clang-format on */

/* All tensors are F32; one with data NULL was not asked for or does not exist. */
typedef struct align_text_output {
    align_tensor last_hidden_state;    /* [B, S, H] */
    align_tensor pooler_output;        /* [B, H]; absent without a pooler */
    size_t n_hidden_states;            /* 0 or L + 1 */
    const align_tensor *hidden_states; /* [B, S, H] each: the embeddings, then every layer */
    size_t n_attentions;               /* 0 or L */
    const align_tensor *attentions;    /* [B, A, S, S] each, after head_mask */
} align_text_output;

typedef struct align_vision_output {
    align_tensor last_hidden_state;    /* [B, C, h, w] of the last block */
    align_tensor pooler_output;        /* [B, C] */
    size_t n_hidden_states;            /* 0 or blocks + 1 */
    const align_tensor *hidden_states; /* [B, C, h, w] each: the stem, then every block */
} align_vision_output;

/*
 * AlignOutput, fields in the reference's order. The tensors live in the context and are valid until its next call; copy
 * what must stay.
 */
typedef struct align_output {
    align_tensor loss;             /* scalar */
    align_tensor logits_per_image; /* [B_image, B_text] */
    align_tensor logits_per_text;  /* [B_text, B_image] */
    align_tensor text_embeds;      /* [B_text, P], of unit length */
    align_tensor image_embeds;     /* [B_image, P], of unit length */
    align_text_output text_model_output;
    align_vision_output vision_model_output;
} align_output;

/*
 * AlignModel.forward. options NULL: none of the extras.
 * Errors (INVALID_ARGUMENT, naming the tensor, its shape and what was expected): pixel_values absent; both or neither
 * of input_ids and inputs_embeds; ids, types or positions out of range; S > max_position_embeddings; a picture too
 * small for the network; return_loss with unequal batches. OUT_OF_MEMORY if the workspace cannot be had.
 */
ALIGN_API align_status align_model_forward(align_context *context, const align_inputs *inputs,
                                           const align_forward_options *options, align_output *out, align_error *err);

/* AlignTextModel.forward and AlignVisionModel.forward: also on a full model, which has both towers. */
ALIGN_API align_status align_text_model_forward(align_context *context, const align_inputs *inputs,
                                                const align_forward_options *options, align_text_output *out,
                                                align_error *err);
ALIGN_API align_status align_vision_model_forward(align_context *context, const align_inputs *inputs,
                                                  const align_forward_options *options, align_vision_output *out,
                                                  align_error *err);

/*
 * get_text_features / get_image_features: [B, P] F32, not normalised; out lives in the context. Only what the features
 * need is computed.
 */
ALIGN_API align_status align_model_get_text_features(align_context *context, const align_inputs *inputs,
                                                     align_tensor *out, align_error *err);
ALIGN_API align_status align_model_get_image_features(align_context *context, const align_inputs *inputs,
                                                      align_tensor *out, align_error *err);

/* Helpers for callers that keep features: the model's temperature; x / |x| over rows of n; softmax over rows. */
ALIGN_API float align_model_temperature(const align_model *model);
ALIGN_API void align_normalize(float *x, size_t rows, size_t n);
ALIGN_API void align_softmax(float *x, size_t rows, size_t n);

/* ---- gradients ---- */

typedef struct align_gradient_options {
    int threads;           /* 0: one a core */
    bool batch_statistics; /* true: batch norm by the batch, as model.train() has it; false: by running statistics */
    bool output_hidden_states; /* of the vision tower */
    int64_t slice;             /* pairs whose activations exist at once, for less memory and more time; 0: all. With
                                * batch_statistics each slice has its own */
    int64_t max_bytes; /* of workspace: beyond it activations are computed again, and at last refused; 0: none */
} align_gradient_options;

/* clang-format off */
#define ALIGN_GRADIENT_OPTIONS_INIT { 0, true, false, 0, 0 }
/* clang-format on */

/*
 * What loss.backward() gives after model(**inputs, return_loss=True) with every dropout rate 0: one text a picture. The
 * model stays as it is. *out holds, in this order and to be freed by the caller:
 *
 *     loss, logits_per_image, logits_per_text, text_embeds, image_embeds,
 *     vision_model_output.pooler_output, vision_model_output.last_hidden_state    of this pass: with batch_statistics
 *     and vision_model_output.hidden_states.N where asked for                     they are not those of forward
 *     grad.<state_dict name>      F32, of every parameter; zeros where the loss does not depend on it, for which the
 *                                 reference has None (the text pooler, crossattention)
 *     buffer.<state_dict name>    with batch_statistics: running_mean, running_var, num_batches_tracked after the pass
 *
 * Products are computed in the model's precision. Errors: those of align_model_forward; UNSUPPORTED for a tower alone,
 * a packed model, int8; INVALID_ARGUMENT for statistics over one value a channel, in the reference's words;
 * OUT_OF_MEMORY where max_bytes is too little, naming what is needed. options NULL: the defaults.
 */
ALIGN_API align_status align_model_gradients(align_tensors **out, const align_model *model, const align_inputs *inputs,
                                             const align_gradient_options *options, align_error *err);

/* ---- where the time goes ---- */

/* The steps of a pass, each with its bias, activation and residual. */
typedef enum align_step_kind {
    ALIGN_STEP_PLAN,             /* measuring the workspace */
    ALIGN_STEP_INPUT,            /* pixels to f32; masks, and which tokens are computed */
    ALIGN_STEP_STEM,             /* vision: the 3x3 convolution */
    ALIGN_STEP_EXPAND,           /* 1x1 convolution; runs in turns with the next one */
    ALIGN_STEP_DEPTHWISE,        /* and the means for the gates */
    ALIGN_STEP_SQUEEZE_EXCITE,   /* the gates */
    ALIGN_STEP_PROJECT,          /* gated 1x1 convolution */
    ALIGN_STEP_POOL,             /* mean or largest of the pixels */
    ALIGN_STEP_EMBEDDINGS,       /* text: looking up rows */
    ALIGN_STEP_NORM,             /* layer norm */
    ALIGN_STEP_QUERY_KEY_VALUE,  /* one product for all three */
    ALIGN_STEP_ATTENTION,        /* scores, softmax, weighted values */
    ALIGN_STEP_ATTENTION_OUTPUT, /* attention.output.dense */
    ALIGN_STEP_INTERMEDIATE,     /* intermediate.dense */
    ALIGN_STEP_OUTPUT,           /* output.dense */
    ALIGN_STEP_POOLER,           /* pooler.dense */
    ALIGN_STEP_PROJECTION,       /* text_projection */
    ALIGN_STEP_LOGITS,           /* where the towers meet: lengths, logits and loss */
    ALIGN_STEP_STATES,           /* handing out states */
    ALIGN_STEP_COUNT
} align_step_kind;

/* "squeeze_excite"; NULL for a number that is no step. */
ALIGN_API const char *align_step_name(align_step_kind kind);

/* Sums over all passes since the profile was started. Bytes are those of a step's operands and results, each counted
 * once, and not of what never leaves the caches: the expanded picture between EXPAND and DEPTHWISE. */
typedef struct align_profile_step {
    align_tower tower; /* BOTH: of neither alone */
    int64_t block;     /* of the vision tower, or layer of the text tower, counted from 1; 0: outside */
    align_step_kind kind;
    int64_t calls;
    double milliseconds; /* the steps of a pass follow each other: they add up to it */
    int64_t macs, weight_bytes, activation_bytes;
} align_profile_step;

typedef struct align_profile {
    size_t n_steps;
    const align_profile_step *steps; /* in the order in which they run; owned by the context, until its next call */
} align_profile;

/* Keeps a profile of the context's passes from now on, beginning with nothing. Results stay the same, bit for bit. */
ALIGN_API align_status align_context_profile_start(align_context *context, align_error *err);

/* What it has found; INVALID_ARGUMENT where none was started. */
ALIGN_API align_status align_context_profile(const align_context *context, align_profile *out, align_error *err);

/* The most f32 multiply-adds a second that the context's threads can do together, measured for some milliseconds with
 * nothing but registers: what a profile is to be compared with. */
ALIGN_API double align_context_peak(align_context *context);

/* What `align inspect` tells: parameters (buffers apart), bytes as stored, multiply-adds of one picture [C, h, w] of
 * image_size rows and columns and of one text of the given length. */
typedef struct align_model_stats {
    int64_t parameters, text_parameters, vision_parameters;
    int64_t stored_bytes;
    int64_t image_macs, text_macs;
} align_model_stats;
ALIGN_API align_status align_model_get_stats(const align_model *model, int64_t image_size, int64_t tokens,
                                             align_model_stats *out, align_error *err);

/* The instruction set the kernels run with: "ref", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx",
 * "neon", "neondot" or "neonbf16". ALIGN_ISA in the environment forces one. */
ALIGN_API const char *align_isa(void);

#ifdef __cplusplus
}
#endif
#endif
