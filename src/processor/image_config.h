#ifndef AL_IMAGE_CONFIG_H
#define AL_IMAGE_CONFIG_H
/*
 * image_config.h: preprocessor_config.json as a tree, for the processor, which keeps the tree to write back what it
 * does not understand.
 */
#include <align/processor.h>
#include <jansson.h>

#define AL_IMAGE_CONFIG_FILE "preprocessor_config.json"

/* Reads and judges; file is the tree's name in messages. */
align_status al_image_config_read(align_image_processor_config *out, const json_t *root, const char *file,
                                  align_error *err);

/*
 * Writes folder/preprocessor_config.json as save_pretrained does. original (NULL: none) is the tree the config was read
 * from: its unknown keys are kept, and its spelling of values that are unchanged (1 for 1.0, one number for three).
 * processor_class may be NULL.
 */
align_status al_image_config_write(const align_image_processor_config *config, const json_t *original,
                                   const char *processor_class, const char *folder, align_error *err);
#endif
