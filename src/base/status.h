#ifndef AL_STATUS_H
#define AL_STATUS_H
/*
 * status.h: the two macros and one function by which every fallible function of the library fails.
 *
 * A function keeps `align_status status = ALIGN_OK;` and a `done:` label that frees what is set and returns status:
 *
 *     TRY(al_file_map(&map, path, err));                  // on failure: goto done with that status
 *     if (n < 0)
 *         FAIL(err, ALIGN_ERROR_FORMAT, "%s: negative length %" PRId64, path, n);
 */
#include <align/error.h>
#include <inttypes.h>

#define TRY(call)               \
    do {                        \
        status = (call);        \
        if (status != ALIGN_OK) \
            goto done;          \
    } while (0)

/* code is assigned here, not taken from the call's result, so that the compiler can see it is a failure. */
#define FAIL(err, code, ...)                            \
    do {                                                \
        (void)al_error_set((err), (code), __VA_ARGS__); \
        status = (code);                                \
        goto done;                                      \
    } while (0)

/* Fills err (NULL allowed) and returns code. Too long a message is cut at a character boundary. */
align_status al_error_set(align_error *err, align_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message that is there, to say in which file or for which key it happened. */
void al_error_prefix(align_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same message for every failed allocation. */
align_status al_error_no_memory(align_error *err, size_t bytes);
#endif
