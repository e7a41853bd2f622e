/*
 * output.c: everything that commands print, and the memory they keep until then. stdout is written through stdio and
 * judged once at the end: cli_finish turns a full disk or a reader that went away into an exit code.
 */
#include "cli.h"
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- memory ---- */

static void *or_exit(void *memory)
{
    if (!memory) {
        fputs("align: out of memory\n", stderr);
        exit(CLI_FAILED);
    }
    return memory;
}

void *cli_alloc(size_t count, size_t size)
{
    return or_exit(calloc(count ? count : 1, size ? size : 1));
}

void *cli_realloc(void *memory, size_t count, size_t size)
{
    return or_exit(reallocarray(memory, count ? count : 1, size ? size : 1));
}

char *cli_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = cli_alloc((size_t)length + 1, 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void cli_append(char **text, const char *separator, const char *more)
{
    char *longer = cli_format("%s%s%s", *text ? *text : "", *text ? separator : "", more);
    free(*text);
    *text = longer;
}

char *cli_join_path(const char *folder, const char *name)
{
    const size_t length = strlen(folder);
    return cli_format("%s%s%s", folder, length > 0 && folder[length - 1] == '/' ? "" : "/", name);
}

void cli_list_add(cli_list *list, const char *item)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->items = cli_realloc(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = item;
}

void cli_list_done(cli_list *list)
{
    free(list->items);
    *list = (cli_list){0};
}

void cli_strings_add(cli_strings *strings, char *item)
{
    if (strings->count == strings->capacity) {
        strings->capacity = strings->capacity ? 2 * strings->capacity : 16;
        strings->items = cli_realloc(strings->items, strings->capacity, sizeof *strings->items);
    }
    strings->items[strings->count++] = item;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void cli_strings_sort(cli_strings *strings)
{
    if (strings->count > 1)
        qsort(strings->items, strings->count, sizeof *strings->items, compare_strings);
}

void cli_strings_done(cli_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (cli_strings){0};
}

/* ---- messages ---- */

static void print_message(const char *kind, const char *format, va_list args)
{
    fflush(stdout); /* so that a terminal shows both in the order of events */
    fprintf(stderr, "%salign: %s", isatty(STDERR_FILENO) ? "\r\033[K" : "", kind); /* over a progress bar */
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message("", format, args);
    va_end(args);
    return CLI_FAILED;
}

void cli_warn(bool quiet, const char *format, ...)
{
    if (quiet)
        return;
    va_list args;
    va_start(args, format);
    print_message("warning: ", format, args);
    va_end(args);
}

static bool reader_is_gone(void)
{
    struct pollfd out = {STDOUT_FILENO, 0, 0};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int cli_finish(int code)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (!failed)
        return code;
    if (reader_is_gone())
        return CLI_FAILED; /* it had enough, and knows it */
    if (errno == 0)        /* the write that failed was an earlier one */
        return cli_fail("cannot write to standard output");
    return cli_fail("cannot write to standard output: %s", strerror(errno));
}

/* ---- UTF-8 ---- */

/* How many bytes the lead byte announces, and the least code point they may spell; 0 for a byte that leads nothing. */
static int sequence_length(unsigned char lead, int32_t *least)
{
    if (lead < 0x80) {
        *least = 0;
        return 1;
    }
    if ((lead & 0xE0) == 0xC0) {
        *least = 0x80;
        return 2;
    }
    if ((lead & 0xF0) == 0xE0) {
        *least = 0x800;
        return 3;
    }
    *least = 0x10000;
    return (lead & 0xF8) == 0xF0 ? 4 : 0;
}

int32_t cli_utf8_next(const char **text)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    int32_t least;
    int length = sequence_length(bytes[0], &least);
    int32_t point = length <= 1 ? bytes[0] : bytes[0] & (0x7F >> length);
    bool valid = length > 0;
    for (int i = 1; i < length && valid; i++) {
        valid = (bytes[i] & 0xC0) == 0x80; /* false at the terminating zero, too */
        point = point << 6 | (bytes[i] & 0x3F);
    }
    valid = valid && point >= least && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    *text += valid ? length : 1;
    return valid ? point : -1;
}

bool cli_utf8_valid(const char *text)
{
    while (*text)
        if (cli_utf8_next(&text) < 0)
            return false;
    return true;
}

/* Terminal columns of a code point: what wcwidth knows for the scripts that matter, without a locale. */
static size_t point_width(int32_t point)
{
    static const int32_t zero[][2] = {{0x300, 0x36F},   {0x591, 0x5BD},   {0x610, 0x61A},   {0x64B, 0x65F},
                                      {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0x1F3FB, 0x1F3FF}};
    static const int32_t wide[][2] = {{0x1100, 0x115F},  {0x231A, 0x231B},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},
                                      {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                                      {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF},
                                      {0x20000, 0x3FFFD}};
    for (size_t i = 0; i < CLI_COUNT(zero); i++)
        if (point >= zero[i][0] && point <= zero[i][1])
            return 0;
    for (size_t i = 0; i < CLI_COUNT(wide); i++)
        if (point >= wide[i][0] && point <= wide[i][1])
            return 2;
    return 1;
}

/* What one step of the text looks like on a terminal: itself, or an escape where it would move the cursor. */
typedef struct glyph {
    char bytes[8];
    size_t width;
} glyph;

static glyph next_glyph(const char **text)
{
    glyph g = {"", 0};
    const char *start = *text;
    int32_t point = cli_utf8_next(text);
    if (point == '\n' || point == '\t' || point == '\r') {
        g.width = (size_t)snprintf(g.bytes, sizeof g.bytes, "\\%c", point == '\n' ? 'n' : point == '\t' ? 't' : 'r');
    } else if (point < 0x20 || (point >= 0x7F && point < 0xA0)) {
        unsigned byte = point < 0 ? (unsigned char)*start : (unsigned)point;
        g.width = (size_t)snprintf(g.bytes, sizeof g.bytes, "\\x%02x", byte & 0xFF);
    } else {
        memcpy(g.bytes, start, (size_t)(*text - start));
        g.width = point_width(point);
    }
    return g;
}

size_t cli_text_width(const char *text)
{
    size_t width = 0;
    while (*text)
        width += next_glyph(&text).width;
    return width;
}

void cli_print_text(const char *text, size_t least, size_t most)
{
    bool cut = most > 0 && cli_text_width(text) > most;
    size_t column = 0;
    while (*text) {
        glyph g = next_glyph(&text);
        if (cut && column + g.width + 1 > most)
            break;
        fputs(g.bytes, stdout);
        column += g.width;
    }
    if (cut) {
        fputs("\u2026", stdout);
        column++;
    }
    if (column < least)
        printf("%*s", (int)(least - column), "");
}

/* ---- JSON ---- */

void cli_print_json(json_t *value)
{
    or_exit(value);
    char *line = or_exit(json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9)));
    puts(line);
    free(line);
    json_decref(value);
}

json_t *cli_json_text(const char *text)
{
    if (cli_utf8_valid(text))
        return or_exit(json_string(text));
    char *clean = cli_alloc(3 * strlen(text) + 1, 1);
    char *end = clean;
    while (*text) {
        const char *start = text;
        bool valid = cli_utf8_next(&text) >= 0;
        size_t length = valid ? (size_t)(text - start) : 3;
        memcpy(end, valid ? start : "\xEF\xBF\xBD", length);
        end += length;
    }
    json_t *string = or_exit(json_string(clean));
    free(clean);
    return string;
}

json_t *cli_json_real(double value)
{
    return or_exit(isfinite(value) ? json_real(value) : json_null());
}

json_t *cli_json_floats(const float *values, size_t n)
{
    json_t *array = or_exit(json_array());
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(array, cli_json_real((double)values[i])) != 0)
            or_exit(NULL);
    return array;
}

json_t *cli_json_tensors(const align_tensors *tensors)
{
    json_t *array = json_array();
    for (size_t i = 0; i < align_tensors_count(tensors); i++) {
        const align_tensor *tensor = align_tensors_at(tensors, i);
        json_t *shape = json_array();
        for (int k = 0; k < tensor->rank; k++)
            json_array_append_new(shape, json_integer(tensor->shape[k]));
        json_array_append_new(array, json_pack("{s:o, s:s, s:o}", "name", cli_json_text(align_tensors_name(tensors, i)),
                                               "dtype", align_dtype_name(tensor->dtype), "shape", shape));
    }
    return array;
}

/* ---- progress ---- */

#define BAR_WIDTH 30

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The rate so far and the time that the rest takes at that rate, once there is something to tell it from. */
static void print_rate(const cli_progress *progress)
{
    const double elapsed = seconds_now() - progress->started;
    if (elapsed < 1)
        return;
    const double rate = (double)progress->done / elapsed, left = (double)(progress->total - progress->done) / rate;
    fprintf(stderr, ", %.*f a second, ", rate < 10 ? 1 : 0, rate);
    if (left >= 3600)
        fprintf(stderr, "%d h %02d min left", (int)(left / 3600), (int)(left / 60) % 60);
    else
        fprintf(stderr, "%d:%02d left", (int)(left / 60), (int)left % 60);
    fputs("\033[K", stderr);
}

void cli_progress_start(cli_progress *progress, bool quiet, bool stdout_busy, const char *what, size_t total)
{
    *progress = (cli_progress){false, what, total, 0, seconds_now()};
    progress->shown = !quiet && total > 1 && isatty(STDERR_FILENO) && !(stdout_busy && isatty(STDOUT_FILENO));
}

void cli_progress_step(cli_progress *progress)
{
    progress->done++;
    if (!progress->shown)
        return;
    int filled = (int)(BAR_WIDTH * progress->done / progress->total);
    fprintf(stderr, "\r%s [%.*s%*s] %zu/%zu", progress->what, filled, "##############################",
            BAR_WIDTH - filled, "", progress->done, progress->total);
    print_rate(progress);
    fflush(stderr);
}

void cli_progress_end(cli_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
}
