#ifndef AL_MODEL_H
#define AL_MODEL_H
/*
 * model.h (inside): what an align_model is made of. The towers are prepared once from the parameters (weights packed,
 * batch norms folded) and read by every forward pass; state keeps the tensors as stored, for saving and inspecting.
 */
#include "model/params.h"

typedef struct al_text_tower al_text_tower;
typedef struct al_vision_tower al_vision_tower;

struct align_model {
    align_config config;
    align_tower tower;
    align_precision precision;
    align_tensors *checkpoint; /* the files state points into; NULL when there are none */
    align_tensors *state;      /* state_dict in the reference's order */
    al_model_params params;    /* views of state */
    al_text_tower *text;       /* NULL in a vision model */
    al_vision_tower *vision;   /* NULL in a text model */
    float temperature;
    align_load_report report;
};

/* text.c, vision.c: prepare a tower; params must outlive it (embedding tables are read in place). _free(NULL) is fine.
 */
align_status al_text_tower_new(al_text_tower **out, const align_text_config *config, const al_model_params *params,
                               align_precision precision, align_error *err);
void al_text_tower_free(al_text_tower *tower);
align_status al_vision_tower_new(al_vision_tower **out, const align_vision_config *config,
                                 const al_vision_params *params, align_precision precision, align_error *err);
void al_vision_tower_free(al_vision_tower *tower);
#endif
