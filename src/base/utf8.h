#ifndef AL_UTF8_H
#define AL_UTF8_H
/* utf8.h: telling text from other bytes. */
#include <stdbool.h>
#include <stddef.h>

/* Whether size bytes are UTF-8 without NUL: what JSON strings, names of tensors and texts of an index may hold. */
bool al_is_utf8(const char *text, size_t size);
#endif
