#ifndef AL_FINGERPRINT_H
#define AL_FINGERPRINT_H
/*
 * fingerprint.h: a number for a model, to tell whether vectors are of the same one. It is made of the config and of
 * samples of all tensors: another training changes all of those.
 */
#include "model/model.h"

/* The numbers of the head and of each tower, indexed by align_tower. Of a packed model those that its file holds: it
 * has not the tensors any more. */
void al_fingerprint_measure(const align_model *model, uint64_t of[AL_FINGERPRINTS]);
#endif
