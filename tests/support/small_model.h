#ifndef TEST_SMALL_MODEL_H
#define TEST_SMALL_MODEL_H
/*
 * small_model.h: a model that is built in a moment and inputs that fit it, for tests that need no known numbers.
 */
#include <align/model.h>

enum {
    SMALL_VOCABULARY = 40,
    SMALL_HIDDEN = 24,
    SMALL_HEADS = 4,
    SMALL_LAYERS = 2,
    SMALL_POSITIONS = 16,
    SMALL_TYPES = 2,
    SMALL_CHANNELS = 3,
    SMALL_BATCH = 3,
    SMALL_TOKENS = 9,
    SMALL_HEIGHT = 37,
    SMALL_WIDTH = 41
};

/* Fills a config of that model; the caller may change it before making the model, and ends it with align_config_done.
 * These helpers end the program on failure: they are not what is tested. */
void small_config(align_config *config);

align_model *small_model_from(const align_config *config, align_tower tower);
align_model *small_model(align_tower tower);

/* Every kind of input in memory of its own, and the same as align_inputs: ids, mask, types and pictures are set. */
typedef struct small_inputs {
    int64_t ids[SMALL_BATCH * SMALL_TOKENS];
    int64_t mask[SMALL_BATCH * SMALL_TOKENS];
    int64_t types[SMALL_BATCH * SMALL_TOKENS];
    float pixels[SMALL_BATCH * SMALL_CHANNELS * SMALL_HEIGHT * SMALL_WIDTH];
    align_inputs inputs;
} small_inputs;

void small_inputs_init(small_inputs *small);

/* A view of the given shape, for places where an array would be long-winded. */
align_tensor view1(align_dtype dtype, int64_t a, const void *data);
align_tensor view2(align_dtype dtype, int64_t a, int64_t b, const void *data);
align_tensor view3(align_dtype dtype, int64_t a, int64_t b, int64_t c, const void *data);
align_tensor view4(align_dtype dtype, int64_t a, int64_t b, int64_t c, int64_t d, const void *data);
#endif
