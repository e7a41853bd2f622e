#ifndef AL_ARGUMENT_H
#define AL_ARGUMENT_H
/* argument.h: the check that a pointer which must be there is there. */
#include "base/status.h"

/* INVALID_ARGUMENT naming the argument when it is NULL. */
static inline align_status al_need(const void *argument, const char *name, align_error *err)
{
    return argument ? ALIGN_OK : al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "NULL for the %s", name);
}
#endif
