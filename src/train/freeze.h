#ifndef AL_FREEZE_H
#define AL_FREEZE_H
/*
 * freeze.h: which tensors do not learn, by the names that people give to parts of the model (align/train.h, freeze).
 */
#include "model/trainable.h"

/* Freezes the parts; NULL: none. INVALID_ARGUMENT for a part that the model lacks, and where nothing is left to learn.
 */
align_status al_freeze(al_trainable *trainable, const char *parts, align_error *err);
#endif
