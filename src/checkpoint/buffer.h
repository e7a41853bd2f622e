#ifndef AL_BUFFER_H
#define AL_BUFFER_H
/*
 * buffer.h: bytes that grow, for what is built in memory before it is written: JSON, headers, pickles.
 *
 * Failure is sticky: once memory runs out every later call does nothing, and the one who uses the bytes asks
 * al_buffer_check once at the end.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct al_buffer {
    char *data; /* NUL-terminated when size > 0; the NUL is not counted */
    size_t size, capacity;
    bool failed;
} al_buffer;

void al_buffer_put(al_buffer *buffer, const void *bytes, size_t size);
void al_buffer_puts(al_buffer *buffer, const char *text);
void al_buffer_putc(al_buffer *buffer, int byte);
void al_buffer_format(al_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number of so many digits as "%g" writes it, with a point whatever the locale says. */
void al_buffer_number(al_buffer *buffer, double value, int digits);

/* The low `bytes` bytes of value, least significant first. */
void al_buffer_put_le(al_buffer *buffer, uint64_t value, int bytes);

/* OUT_OF_MEMORY when anything above failed. */
align_status al_buffer_check(const al_buffer *buffer, align_error *err);

void al_buffer_done(al_buffer *buffer);

/* Like strcmp, for bytes without an end mark: the shorter of two that begin alike comes first. */
int al_bytes_compare(const void *a, size_t a_size, const void *b, size_t b_size);
#endif
