#ifndef AL_SAFETENSORS_H
#define AL_SAFETENSORS_H
/*
 * safetensors.h: the safetensors file format, read from memory and written to a file.
 *
 *     u64 N, little-endian | N bytes of JSON, padded with spaces | payload
 *     {"__metadata__": {"format": "pt"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
 *
 * Read as strictly as the reference's crate does: offsets must tile the payload without hole, overlap or rest, sizes
 * must agree with dtype and shape. Stricter in one point: a name that comes twice is an error.
 */
#include "checkpoint/tensors.h"

/* Adds the tensors of a file to the collection; data stays mapped as long as the collection lives. */
align_status al_safetensors_read(align_tensors *tensors, const uint8_t *data, size_t size, const char *path,
                                 align_error *err);

/* Byte for byte what the reference writes for these tensors, beside the path and renamed into place. */
align_status al_safetensors_write(const al_save_item *items, size_t count, const char *path, align_error *err);

/* The same in the order of the items, with metadata (the text of a JSON object) and the payload at a multiple of
 * alignment, a power of two from 8 on. */
align_status al_safetensors_write_aligned(const al_save_item *items, size_t count, const char *metadata,
                                          size_t alignment, const char *path, align_error *err);
#endif
