#ifndef ALIGN_ERROR_H
#define ALIGN_ERROR_H
/*
 * error.h: how every fallible function of the library reports failure.
 *
 * A function returns an align_status. If the caller passes an align_error, the same status and a sentence for people go
 * there: it names the file, key or tensor, what was expected and what was found. NULL is allowed wherever an
 * align_error is asked for. The library never prints and never ends the process.
 *
 *     align_error err = ALIGN_ERROR_INIT;
 *     align_model *model = NULL;
 *     if (align_model_from_pretrained(&model, "model-folder", NULL, &err) != ALIGN_OK)
 *         fprintf(stderr, "%s\n", err.message);
 *
 * An align_error is only written on failure; it holds no memory and needs no freeing.
 */
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define ALIGN_API __declspec(dllexport)
#elif defined(__GNUC__)
#define ALIGN_API __attribute__((visibility("default")))
#else
#define ALIGN_API
#endif

typedef enum align_status {
    ALIGN_OK = 0,
    ALIGN_ERROR_INVALID_ARGUMENT, /* the caller asked for something that cannot be: a shape, an option, a NULL */
    ALIGN_ERROR_OUT_OF_MEMORY,    /* an allocation failed */
    ALIGN_ERROR_IO,               /* the system refused to open, read, write or rename a file */
    ALIGN_ERROR_NOT_FOUND,        /* a file, key or tensor that must exist does not */
    ALIGN_ERROR_FORMAT,           /* bytes from outside are malformed, truncated or over a limit */
    ALIGN_ERROR_MISMATCH,         /* well-formed pieces do not fit together: a tensor's shape against the config's */
    ALIGN_ERROR_UNSUPPORTED,      /* understood, but this build or the reference does not do it */
    ALIGN_ERROR_DIVERGED,         /* training: the loss is no finite number any more */
} align_status;

#define ALIGN_ERROR_MESSAGE_SIZE 1024

typedef struct align_error {
    align_status status;
    char message[ALIGN_ERROR_MESSAGE_SIZE]; /* UTF-8, NUL-terminated, no newline at the end */
} align_error;

/* clang-format off */
#define ALIGN_ERROR_INIT { ALIGN_OK, "" }
/* clang-format on */

/* A short lower-case name of a status: "ok", "invalid argument", ... Never NULL. */
ALIGN_API const char *align_status_name(align_status status);

/* Frees memory that a function of this library handed to the caller as "free with align_free". NULL is fine. */
ALIGN_API void align_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
