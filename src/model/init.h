#ifndef AL_INIT_H
#define AL_INIT_H
/*
 * init.h: seeded values for tensors that no checkpoint gives, with the reference's distributions.
 *
 * Every tensor has a stream of its own, made of the seed and its name: it gets the same values whichever others are
 * drawn. Only +, -, *, /, sqrt and frexp of doubles are used, which IEEE 754 rounds alike everywhere, so the bits are
 * the same on every machine.
 */
#include "model/params.h"

/* What the kinds of al_param_kind need to know. */
typedef struct al_init {
    uint64_t seed;
    double text_range, vision_range; /* standard deviation of the weights of a tower */
    double temperature;
    int64_t pad_row; /* of the word embeddings; negative: none */
} al_init;

/* Each tower with its own initializer_range, as the constructors do. */
al_init al_init_from_config(const align_config *config, uint64_t seed);

/* Fills out with the tensor's elements: int64_t for AL_BUFFER_COUNT, float for every other kind. */
void al_init_param(void *out, const al_param *param, const al_init *init);

/* n draws of N(0, range) from the stream of that name. */
void al_init_normal(float *out, size_t n, double range, uint64_t seed, const char *name);
#endif
