/* extra.c: the keys of config.json that are not fields. */
#include "model/extra.h"

#include "base/memory.h"
#include "base/status.h"

align_status al_extra_no_memory(align_error *err)
{
    return al_error_set(err, ALIGN_ERROR_OUT_OF_MEMORY, "out of memory (a JSON value)");
}

align_status al_extra_new(align_extra **out, json_t *object, align_error *err)
{
    *out = NULL;
    if (!object)
        return al_extra_no_memory(err);
    align_extra *extra = al_alloc(sizeof *extra);
    if (!extra) {
        json_decref(object);
        return al_error_no_memory(err, sizeof *extra);
    }
    extra->object = object;
    *out = extra;
    return ALIGN_OK;
}

void al_extra_free(align_extra *extra)
{
    if (!extra)
        return;
    json_decref(extra->object);
    al_free(extra);
}

align_status al_extra_copy(align_extra **out, const align_extra *extra, align_error *err)
{
    *out = NULL;
    return extra ? al_extra_new(out, json_deep_copy(extra->object), err) : ALIGN_OK;
}

const json_t *al_extra_get(const align_extra *extra, const char *key)
{
    return extra ? json_object_get(extra->object, key) : NULL;
}

align_status al_extra_set(align_extra **extra, const char *key, json_t *value, align_error *err)
{
    if (!*extra) {
        const align_status status = al_extra_new(extra, json_object(), err);
        if (status != ALIGN_OK) {
            json_decref(value);
            return status;
        }
    }
    return json_object_set_new((*extra)->object, key, value) == 0 ? ALIGN_OK : al_extra_no_memory(err);
}
