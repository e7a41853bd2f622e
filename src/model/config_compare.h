#ifndef AL_CONFIG_COMPARE_H
#define AL_CONFIG_COMPARE_H
/*
 * config_compare.h: where two configs part.
 */
#include <align/config.h>

/* The key of the first field that differs, as config.json nests it ("text_config.hidden_size"), put into key; false:
 * none does. Keys that are no fields are not looked at. */
#define AL_CONFIG_KEY_SIZE 96
bool al_config_difference(const align_config *a, const align_config *b, char key[AL_CONFIG_KEY_SIZE]);
#endif
