#ifndef AL_EXTRA_H
#define AL_EXTRA_H
/*
 * extra.h: the keys of config.json that are not fields of a config struct, kept as read.
 */
#include <align/config.h>
#include <jansson.h>

struct align_extra {
    json_t *object;
};

/* Takes over one reference to an object. */
align_status al_extra_new(align_extra **out, json_t *object, align_error *err);
void al_extra_free(align_extra *extra); /* NULL is fine */

/* A deep copy; *out becomes NULL when there is nothing to copy. */
align_status al_extra_copy(align_extra **out, const align_extra *extra, align_error *err);

/* The value of a key, borrowed, or NULL. extra may be NULL. */
const json_t *al_extra_get(const align_extra *extra, const char *key);

/* Sets a key, making *extra when it is NULL. Takes over value; a NULL value means that making it failed. */
align_status al_extra_set(align_extra **extra, const char *key, json_t *value, align_error *err);

/* The failure of a jansson call that only memory can fail. */
align_status al_extra_no_memory(align_error *err);
#endif
