#ifndef ALIGN_ALIGN_H
#define ALIGN_ALIGN_H
/*
 * align.h: the whole library. ALIGN (arXiv 2102.05918), the dual encoder of pictures and texts, as Hugging Face
 * transformers 4.37.2 defines it.
 *
 *   error.h      status codes and messages
 *   tensor.h     named tensors; safetensors and PyTorch files
 *   config.h     AlignConfig, AlignTextConfig, AlignVisionConfig
 *   dataset.h    pictures with their texts, from files of many kinds
 *   processor.h  AlignProcessor: texts to ids, pictures to pixel_values
 *   model.h      AlignModel: embeddings, logits
 *   search.h     an index of vectors, found again by other vectors
 *   train.h      training: pairs, the recipe, runs that survive
 */
#include <align/config.h>
#include <align/dataset.h>
#include <align/error.h>
#include <align/model.h>
#include <align/processor.h>
#include <align/search.h>
#include <align/tensor.h>
#include <align/train.h>

#define ALIGN_VERSION_MAJOR 0
#define ALIGN_VERSION_MINOR 1
#define ALIGN_VERSION_PATCH 0
#define ALIGN_VERSION       "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is running. */
ALIGN_API const char *align_version(void);

#ifdef __cplusplus
}
#endif
#endif
