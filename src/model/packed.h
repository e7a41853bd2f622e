#ifndef AL_PACKED_H
#define AL_PACKED_H
/*
 * packed.h: model.align, the weights of a model as the kernels read them (docs/format.md).
 *
 * A safetensors file that is mapped and used where it lies: each tower's arena as one tensor of bytes, and the tensors
 * that a forward pass reads in place (tables of embeddings, the temperature) as they are. Nothing is packed or copied
 * when it is loaded, and what a pass does not touch is not even read.
 */
#include "model/model.h"

#define AL_PACKED_FILE "model.align"

/* Opens folder/model.align; *out is NULL, and that no error, where there is none. */
align_status al_packed_open(align_tensors **out, const char *folder, align_error *err);

/*
 * Fills params, state, layout and precision of a model, whose config, tower and params' shapes are set, from an opened
 * file. Errors: FORMAT; UNSUPPORTED for weights packed for other kernels, or a precision asked for (not AUTO) that they
 * are not of; MISMATCH for those of another config.
 */
align_status al_packed_load(align_model *model, const align_tensors *file, const al_kernels *kernels,
                            align_precision asked, align_error *err);

/* The bytes of a tower (not ALIGN_TOWER_BOTH) in an opened file that was loaded into the model, and their name. */
const align_tensor *al_packed_weights(const align_tensors *file, align_tower tower);
const char *al_packed_name(align_tower tower);

/* Writes model.align into a folder that is there. */
align_status al_packed_save(const align_model *model, const char *folder, align_error *err);

/* Removes a model.align that other weights of the folder have replaced: it would be loaded before them. */
align_status al_packed_remove(const char *folder, align_error *err);
#endif
