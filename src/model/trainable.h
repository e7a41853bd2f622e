#ifndef AL_TRAINABLE_H
#define AL_TRAINABLE_H
/*
 * trainable.h: a model's tensors in a form that training can change: f32, in two long arrays, of values and of
 * gradients.
 *
 *     values:    | temperature | word_embeddings           | position_embeddings | ...
 *     gradient:  | temperature | word_embeddings           | position_embeddings | ...    the same places
 *     buffers:   | running_mean | running_var | num_batches_tracked | ...
 *
 * Every tensor begins at a multiple of 64 bytes and what lies between two is zero, so that an optimizer may go through
 * the arrays from end to end, and a sum over an array is a sum over its tensors.
 */
#include "model/model.h"

typedef struct al_trainable_entry {
    char *name;         /* state_dict key */
    al_param_kind kind; /* parameters and buffers, in state_dict order */
    align_tower owner;
    bool buffer;             /* running statistics: no gradient, and offset counts from buffers */
    bool frozen;             /* a parameter that does not learn: its gradient is neither computed nor kept */
    size_t elements, offset; /* offset in floats from values and gradient; in bytes from buffers */
    align_tensor *value;     /* in weights, F32 (num_batches_tracked I64) */
    align_tensor *gradient;  /* in gradients; NULL data where frozen, and of a buffer */
} al_trainable_entry;

typedef struct al_trainable {
    align_config config;
    align_tower tower;
    size_t n_entries;
    al_trainable_entry *entries;
    size_t size; /* floats of values, and of gradient; a multiple of 16 */
    float *values, *gradient;
    size_t buffer_bytes;
    char *buffers;
    al_model_params weights, gradients; /* views of the arrays: what passes read and write */
} al_trainable;

/*
 * A copy of the model's tensors, converted to f32; nothing is frozen, and gradients hold nothing yet: clear them.
 * UNSUPPORTED for a packed model, which no longer has its tensors.
 */
align_status al_trainable_new(al_trainable **out, const align_model *model, align_error *err);
void al_trainable_free(al_trainable *trainable); /* NULL is fine */

/* The number of the entry of that name, or n_entries. */
size_t al_trainable_find(const al_trainable *trainable, const char *name);

/* Freezes a parameter, or lets it learn again; buffers cannot be frozen, nor can they learn. */
void al_trainable_freeze(al_trainable *trainable, size_t entry, bool frozen);

/* Whether the tower has a parameter that is not frozen. */
bool al_trainable_learns(const al_trainable *trainable, align_tower owner);

/* Makes all gradients zero but the frozen ones: their memory is not touched, and so costs nothing. */
void al_trainable_clear_gradient(al_trainable *trainable);

/* Puts a view of every tensor into tensors, under prefix + its name, in state_dict order: of values (the array, or
 * another one of size floats laid out like it), or NULL: none; and of the buffers where they are asked for. */
align_status al_trainable_add_to(const al_trainable *trainable, align_tensors *tensors, const char *prefix,
                                 const float *values, bool buffers, align_error *err);

/* A model for inference with these values, the array or another one laid out like it, and the trainable's buffers. It
 * points to them: they must outlive it and stay as they are. */
align_status al_trainable_to_model(align_model **out, const al_trainable *trainable, const float *values,
                                   align_precision precision, align_error *err);
#endif
