#ifndef AL_MODEL_H
#define AL_MODEL_H
/*
 * model.h (inside): what an align_model is made of. The towers are prepared once from the parameters (weights packed,
 * batch norms folded) and read by every forward pass; state keeps the tensors as stored, for saving and inspecting.
 */
#include "layers/packing.h"
#include "model/params.h"

typedef struct al_text_tower al_text_tower;
typedef struct al_vision_tower al_vision_tower;

#define AL_FINGERPRINTS 3 /* of what joins the towers, of the text tower and of the vision tower (fingerprint.h) */

struct align_model {
    align_config config;
    align_tower tower;
    align_precision precision;
    align_tensors *checkpoint; /* the files state points into; NULL when there are none */
    align_tensors *state;      /* state_dict in the reference's order; of a packed model what is in its file */
    al_model_params params;    /* views of state; of a packed model most have a shape alone */
    char *layout;              /* of a packed model: what it was packed for; NULL otherwise */
    uint64_t fingerprints[AL_FINGERPRINTS]; /* of a packed model: those of the model it was packed from */
    al_text_tower *text;                    /* NULL in a vision model */
    al_vision_tower *vision;                /* NULL in a text model */
    float temperature;
    align_load_report report;
};

/*
 * text.c, vision.c: prepare a tower; params must outlive it (embedding tables are read in place), and so must what
 * packing says is stored: then of the other params nothing but the shapes is looked at. _weights is all that was
 * packed. _free(NULL) is fine.
 */
align_status al_text_tower_new(al_text_tower **out, const align_text_config *config, const al_model_params *params,
                               const al_packing *packing, align_error *err);
const al_arena *al_text_tower_weights(const al_text_tower *tower);
void al_text_tower_free(al_text_tower *tower);
align_status al_vision_tower_new(al_vision_tower **out, const align_vision_config *config,
                                 const al_vision_params *params, const al_packing *packing, align_error *err);
const al_arena *al_vision_tower_weights(const al_vision_tower *tower);
void al_vision_tower_free(al_vision_tower *tower);

/* Writes a state_dict with its config, as align_model_save_pretrained writes a model's. */
align_status al_state_save_pretrained(const align_tensors *state, const align_config *config, align_tower tower,
                                      const char *folder, const align_save_options *options, align_error *err);

/* UNSUPPORTED for a packed model; what is done with its state_dict is for the text. */
align_status al_need_state(const align_model *model, const char *what, align_error *err);
#endif
