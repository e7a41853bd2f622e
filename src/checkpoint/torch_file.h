#ifndef AL_TORCH_FILE_H
#define AL_TORCH_FILE_H
/*
 * torch_file.h: PyTorch's pytorch_model.bin: a zip container (since 1.6) or pickles back to back (before), holding a
 * dict from names to tensors.
 */
#include "checkpoint/tensors.h"

/* Whether the bytes begin like one of the two containers. */
bool al_is_torch_file(const uint8_t *data, size_t size);

/* Adds the tensors of a file to the collection; data stays mapped as long as the collection lives. Contiguous tensors
 * are used where they lie, others are copied. */
align_status al_torch_read(align_tensors *tensors, const uint8_t *data, size_t size, const char *path,
                           align_error *err);

/* Writes a zip container that torch.load reads, with weights_only=True too. always64: see al_zip_writer_open. */
align_status al_torch_write(const al_save_item *items, size_t count, const char *path, bool always64, align_error *err);
#endif
