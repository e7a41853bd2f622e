/* buffer.c: a growing array of bytes. */
#include "checkpoint/buffer.h"

#include "base/memory.h"
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for `more` bytes and a NUL. */
static bool reserve(al_buffer *b, size_t more)
{
    size_t need;
    if (b->failed)
        return false;
    if (!al_add(b->size, more, &need) || !al_add(need, 1, &need)) {
        b->failed = true;
        return false;
    }
    if (need <= b->capacity)
        return true;
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < need && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity < need)
        capacity = need;
    char *data = al_realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void al_buffer_put(al_buffer *b, const void *bytes, size_t size)
{
    if (!reserve(b, size))
        return;
    if (size)
        memcpy(b->data + b->size, bytes, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void al_buffer_puts(al_buffer *b, const char *text)
{
    al_buffer_put(b, text, strlen(text));
}

void al_buffer_putc(al_buffer *b, int byte)
{
    const char c = (char)byte;
    al_buffer_put(b, &c, 1);
}

void al_buffer_format(al_buffer *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0 || !reserve(b, (size_t)n))
        return;
    va_start(arguments, format);
    vsnprintf(b->data + b->size, (size_t)n + 1, format, arguments);
    va_end(arguments);
    b->size += (size_t)n;
}

void al_buffer_number(al_buffer *b, double value, int digits)
{
    char text[64];
    snprintf(text, sizeof text, "%.*g", digits < 17 ? digits : 17, value);
    for (const char *p = text; *p; p++)
        if (strchr("0123456789+-eainf", *p))
            al_buffer_putc(b, *p);
        else if (p[-1] >= '0' && p[-1] <= '9' && p[1] >= '0' && p[1] <= '9')
            al_buffer_putc(b, '.');
}

void al_buffer_put_le(al_buffer *b, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        al_buffer_putc(b, (int)(value >> (8 * i) & 0xFF));
}

align_status al_buffer_check(const al_buffer *b, align_error *err)
{
    return b->failed ? al_error_no_memory(err, b->capacity) : ALIGN_OK;
}

void al_buffer_done(al_buffer *b)
{
    al_free(b->data);
    *b = (al_buffer){NULL, 0, 0, false};
}

int al_bytes_compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
    const size_t shared = a_size < b_size ? a_size : b_size;
    const int order = shared ? memcmp(a, b, shared) : 0;
    return order ? order : (a_size > b_size) - (a_size < b_size);
}
