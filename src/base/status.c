/* status.c: filling an align_error. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *align_status_name(align_status status)
{
    switch (status) {
    case ALIGN_OK:
        return "ok";
    case ALIGN_ERROR_INVALID_ARGUMENT:
        return "invalid argument";
    case ALIGN_ERROR_OUT_OF_MEMORY:
        return "out of memory";
    case ALIGN_ERROR_IO:
        return "input/output error";
    case ALIGN_ERROR_NOT_FOUND:
        return "not found";
    case ALIGN_ERROR_FORMAT:
        return "malformed data";
    case ALIGN_ERROR_MISMATCH:
        return "mismatch";
    case ALIGN_ERROR_UNSUPPORTED:
        return "unsupported";
    case ALIGN_ERROR_DIVERGED:
        return "diverged";
    }
    return "unknown status";
}

/* Drops a UTF-8 sequence that the end of the buffer cut in two. */
static void trim_partial_character(char *text, size_t size)
{
    const size_t n = strlen(text);
    if (n + 1 < size)
        return;
    size_t start = n;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)text[start - 1] & 0x80))
        text[start - 1] = '\0';
}

void al_error_write(align_error *err, align_status code, const char *format, ...)
{
    if (!err)
        return;
    err->status = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    trim_partial_character(err->message, sizeof err->message);
}

void al_error_prefix(align_error *err, const char *format, ...)
{
    if (!err)
        return;
    char message[ALIGN_ERROR_MESSAGE_SIZE], prefix[ALIGN_ERROR_MESSAGE_SIZE];
    memcpy(message, err->message, sizeof message);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    al_error_write(err, err->status, "%s: %s", prefix, message);
}
