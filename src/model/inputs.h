#ifndef AL_INPUTS_H
#define AL_INPUTS_H
/* inputs.h: judging what a caller hands to forward, before anything is planned or computed. */
#include "model/text.h"
#include "model/vision.h"

/*
 * Checks text inputs and fills the pass's sizes and tensors. Errors name the tensor, its shape or value, and what was
 * expected.
 */
align_status al_check_text_inputs(const align_config *config, const al_model_params *params, const align_inputs *inputs,
                                  al_text_pass *pass, align_error *err);

/* The same for pixel_values. */
align_status al_check_vision_inputs(const align_config *config, const al_model_params *params,
                                    const align_inputs *inputs, al_vision_pass *pass, align_error *err);

/* Both, and that they are as many, at least one. */
align_status al_check_pairs(const align_config *config, const al_model_params *params, const align_inputs *inputs,
                            al_text_pass *texts, al_vision_pass *pictures, align_error *err);
#endif
