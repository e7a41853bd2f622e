/* module.c: see module.h. */
#include "base/module.h"

#include "base/status.h"

#include <dlfcn.h>
#include <string.h>

align_status al_module_open(void **out, const char *library, bool global, const char *need, align_error *err)
{
    *out = dlopen(library, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
    if (!*out)
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "%s, with which this was not built, or which is not here: %s",
                            need, dlerror());
    return ALIGN_OK;
}

/* C has no cast between pointers to data and to functions; POSIX says that the bytes are the same. */
align_status al_module_find(void *module, const char *library, const char *name, void *function, align_error *err)
{
    void *found = dlsym(module, name);
    if (!found)
        return al_error_set(err, ALIGN_ERROR_UNSUPPORTED, "%s: not of this version: %s", library, dlerror());
    memcpy(function, &found, sizeof found);
    return ALIGN_OK;
}
