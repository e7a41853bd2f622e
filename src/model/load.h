#ifndef AL_LOAD_H
#define AL_LOAD_H
/*
 * load.h: making an align_model out of a config and tensors, whatever they come from.
 */
#include "model/model.h"

typedef struct al_model_source {
    const align_config *config;
    const align_tensors *tensors; /* NULL: none, everything is initialised */
    bool copy;                    /* false: the model points into tensors, which must live as long as it */
    bool one_range;               /* missing weights of both towers are drawn with config->initializer_range */
    bool packed;                  /* tensors are those of a packed file (packed.h) */
} al_model_source;

/* UNSUPPORTED unless the kernels have all the products that a model of the precision may use. */
align_status al_check_products(const al_kernels *kernels, align_precision precision, align_error *err);

align_status al_model_new(align_model **out, const al_model_source *source, const align_load_options *options,
                          align_error *err);
#endif
