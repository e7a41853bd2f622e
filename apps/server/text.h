#ifndef ALIGN_SERVER_TEXT_H
#define ALIGN_SERVER_TEXT_H
/*
 * text.h: answers as they are written: text that grows, with what JSON needs. A text for which memory ran out stays
 * `failed` and takes no more, so that a writer checks once, at the end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct srv_text {
    char *bytes; /* zero-terminated unless NULL; to be freed */
    size_t length, capacity;
    bool failed;
} srv_text;

void srv_text_add(srv_text *text, const char *bytes, size_t n);
void srv_text_print(srv_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void srv_text_done(srv_text *text);

/* A string of JSON, quotes and all. Bytes that are not UTF-8 become U+FFFD. */
void srv_text_string(srv_text *text, const char *string);

/* A number that reads back as the same float: nine digits. Null where JSON has no such number. */
void srv_text_float(srv_text *text, float value);
void srv_text_floats(srv_text *text, const float *values, size_t n); /* an array of them */

void srv_text_base64(srv_text *text, const void *bytes, size_t n);

/* Decodes base64, of either alphabet, padded or not, with line breaks or none; out has room for 3 bytes of every 4
 * characters. False where it is none. */
bool srv_base64_decode(uint8_t *out, size_t *n, const char *text, size_t length);
#endif
