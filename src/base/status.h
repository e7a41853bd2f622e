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

#define FAIL(err, code, ...)                               \
    do {                                                   \
        status = al_error_set((err), (code), __VA_ARGS__); \
        goto done;                                         \
    } while (0)

/*
 * Fills err (NULL allowed) and gives code. Too long a message is cut at a character boundary. A macro, so that the
 * compiler sees which code comes back and knows that it is a failure.
 */
#define al_error_set(err, code, ...) (al_error_write((err), (code), __VA_ARGS__), (align_status)(code))
void al_error_write(align_error *err, align_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message that is there, to say in which file or for which key it happened. */
void al_error_prefix(align_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same message for every failed allocation. */
#define al_error_no_memory(err, bytes) \
    al_error_set((err), ALIGN_ERROR_OUT_OF_MEMORY, "out of memory (%zu bytes asked for)", (size_t)(bytes))
#endif
