#ifndef AL_MODULE_H
#define AL_MODULE_H
/*
 * module.h: parts of this library that are libraries of their own, because of what they need in turn: opened by those
 * processes only that ask for them.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>

/* Opens a module, for good. UNSUPPORTED, beginning with what needs it ("several processes need MPI"), where it is not
 * there. `global`: what it brings along looks for its symbols. */
align_status al_module_open(void **out, const char *library, bool global, const char *need, align_error *err);

/* One of its functions: function points to a pointer to it. UNSUPPORTED where the module lacks it. */
align_status al_module_find(void *module, const char *library, const char *name, void *function, align_error *err);
#endif
