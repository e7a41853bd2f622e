#ifndef AL_TENSORS_H
#define AL_TENSORS_H
/*
 * tensors.h: what readers of files do to a collection: put tensors into it and hand it what they point to.
 */
#include "base/file.h"

#include <align/tensor.h>

/*
 * Adds or replaces a tensor. owned is NULL or memory of al_alloc_aligned that the tensor lives in: the collection frees
 * it, on failure at once. The tensor must have passed al_tensor_check or the equal of it.
 */
align_status al_tensors_put(align_tensors *tensors, const char *name, const align_tensor *tensor, void *owned,
                            align_error *err);

/* Hands a map over: the collection closes it, on failure at once. *map is zeroed. */
align_status al_tensors_adopt_map(align_tensors *tensors, al_map *map, align_error *err);

align_status al_tensors_set_metadata(align_tensors *tensors, const char *key, const char *value, align_error *err);

/*
 * Adds a tensor that lives in a mapped file. When data is not aligned to its elements (readers of tensors load whole
 * elements), it is copied.
 */
align_status al_tensors_put_mapped(align_tensors *tensors, const char *name, const align_tensor *tensor,
                                   align_error *err);

/* Lets go of the memory behind a tensor that lies in one of the collection's maps; whoever looks at it again finds it
 * as it was. */
void al_tensors_release(const align_tensors *tensors, const align_tensor *tensor);

/* Copies the bytes of a contiguous tensor into new memory of al_alloc_aligned; tensor->data then points there. */
align_status al_tensor_copy(void **owned, align_tensor *tensor, align_error *err);

/* Opens one file into a collection, whatever it holds; shards are opened one after the other into the same. */
align_status al_tensors_load_file(align_tensors *tensors, const char *path, align_error *err);

/*
 * Writes the collection for mapping: a safetensors file with the collection's own metadata and order, whose payload
 * begins at a multiple of alignment (a power of two from 8 on).
 */
align_status al_tensors_save_aligned(const align_tensors *tensors, size_t alignment, const char *path,
                                     align_error *err);

/* One tensor to be written under a name, as a dtype (its own, or F32, F16 or BF16 for a floating one). */
typedef struct al_save_item {
    const char *name;
    const align_tensor *tensor;
    align_dtype dtype;
} al_save_item;

/* Bytes of the item in the file. */
size_t al_save_item_bytes(const al_save_item *item);
#endif
