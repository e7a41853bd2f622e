#ifndef AL_RECIPE_H
#define AL_RECIPE_H
/*
 * recipe.h: the options of a run as a table: which values they may have, and which of them decide what comes out. Those
 * are written into every checkpoint, and a run that resumes must have the same.
 */
#include <align/train.h>
#include <jansson.h>

/* INVALID_ARGUMENT naming the first option whose value cannot be. */
align_status al_recipe_check(const align_train_options *options, align_error *err);

/* The options that decide the result, as an object for json_decref. */
align_status al_recipe_to_json(json_t **out, const align_train_options *options, align_error *err);

/* MISMATCH naming the first key of `now` that is another, or missing, in `then`, which was read from file. */
align_status al_recipe_compare(const json_t *then, const json_t *now, const char *file, align_error *err);
#endif
