/* json.c: JSON files in (typed getters with errors that name file and key) and out (Python's text). */
#include "checkpoint/json.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_TO_63 9223372036854775808.0

/* ---- reading ---- */

/* Whether a number is written as an integer and lies beyond int64_t. */
static bool too_big(const char *number, size_t length)
{
    static const char largest[] = "9223372036854775807";
    if (length && *number == '-') {
        number++;
        length--;
    }
    for (size_t i = 0; i < length; i++)
        if (number[i] < '0' || number[i] > '9')
            return false;
    return length > 19 || (length == 19 && memcmp(number, largest, 19) > 0);
}

/* A copy of the text in which integers beyond 64 bits got ".0" behind, so that jansson takes them as reals. */
static void widen_integers(al_buffer *out, const char *text, size_t size)
{
    const char *const end = text + size;
    bool quoted = false;
    while (text < end) {
        const char *const from = text;
        if (quoted || !strchr("-0123456789", *text) || !*text) {
            if (quoted && *text == '\\' && text + 1 < end)
                text++;
            else if (*text == '"')
                quoted = !quoted;
            al_buffer_put(out, from, (size_t)(++text - from));
            continue;
        }
        while (text < end && *text && strchr("-+.0123456789eE", *text))
            text++;
        al_buffer_put(out, from, (size_t)(text - from));
        if (too_big(from, (size_t)(text - from)))
            al_buffer_puts(out, ".0");
    }
}

static align_status parse_error(const json_error_t *error, const char *source, size_t size, align_error *err)
{
    if (json_error_code(error) == json_error_out_of_memory)
        return al_error_no_memory(err, size);
    return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: not JSON: line %d, column %d: %s", source, error->line,
                        error->column, error->text);
}

align_status al_json_parse_strict(json_t **out, const char *text, size_t size, const char *source, align_error *err)
{
    json_error_t error;
    *out = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    return *out ? ALIGN_OK : parse_error(&error, source, size, err);
}

align_status al_json_parse(json_t **out, const char *text, size_t size, const char *source, align_error *err)
{
    json_error_t error;
    *out = json_loadb(text, size, JSON_DECODE_ANY, &error);
    if (*out)
        return ALIGN_OK;
    if (json_error_code(&error) != json_error_numeric_overflow)
        return parse_error(&error, source, size, err);
    al_buffer widened = {0};
    widen_integers(&widened, text, size);
    align_status status = al_buffer_check(&widened, err);
    if (status == ALIGN_OK) {
        *out = json_loadb(widened.data, widened.size, JSON_DECODE_ANY, &error);
        status = *out ? ALIGN_OK : parse_error(&error, source, size, err);
    }
    al_buffer_done(&widened);
    return status;
}

align_status al_json_load(json_t **out, const char *path, align_error *err)
{
    char *text;
    size_t size;
    *out = NULL;
    align_status status = al_file_read(&text, &size, path, AL_JSON_FILE_LIMIT, err);
    if (status != ALIGN_OK)
        return status;
    status = al_json_parse(out, text, size, path, err);
    al_free(text);
    return status;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

align_status al_json_root(al_json_object *out, const json_t *value, const char *file, align_error *err)
{
    if (!json_is_object(value))
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: expected an object, found %s", file, type_name(value));
    out->object = value;
    out->file = file;
    out->path[0] = '\0';
    return ALIGN_OK;
}

bool al_json_has(const al_json_object *object, const char *key)
{
    const json_t *value = json_object_get(object->object, key);
    return value && !json_is_null(value);
}

bool al_json_is_null(const al_json_object *object, const char *key)
{
    return json_is_null(json_object_get(object->object, key));
}

align_status al_json_wrong_type(const al_json_object *object, const char *key, const char *expected,
                                const json_t *found, align_error *err)
{
    return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: key %s%s: expected %s, found %s", object->file, object->path, key,
                        expected, type_name(found));
}

align_status al_json_int64(const al_json_object *object, const char *key, int64_t *value, align_error *err)
{
    const json_t *found = json_object_get(object->object, key);
    if (!found)
        return ALIGN_OK;
    if (json_is_integer(found))
        *value = json_integer_value(found);
    else if (json_is_real(found) && fabs(json_real_value(found)) >= TWO_TO_63)
        *value = json_real_value(found) > 0 ? INT64_MAX : INT64_MIN;
    else
        return al_json_wrong_type(object, key, "an integer", found, err);
    return ALIGN_OK;
}

align_status al_json_double(const al_json_object *object, const char *key, double *value, align_error *err)
{
    const json_t *found = json_object_get(object->object, key);
    if (!found)
        return ALIGN_OK;
    if (!json_is_number(found))
        return al_json_wrong_type(object, key, "a number", found, err);
    *value = json_number_value(found);
    return ALIGN_OK;
}

align_status al_json_bool(const al_json_object *object, const char *key, bool *value, align_error *err)
{
    const json_t *found = json_object_get(object->object, key);
    if (!found)
        return ALIGN_OK;
    if (!json_is_boolean(found))
        return al_json_wrong_type(object, key, "true or false", found, err);
    *value = json_is_true(found);
    return ALIGN_OK;
}

align_status al_json_string(const al_json_object *object, const char *key, const char **value, align_error *err)
{
    const json_t *found = json_object_get(object->object, key);
    if (!found)
        return ALIGN_OK;
    if (!json_is_string(found))
        return al_json_wrong_type(object, key, "a string", found, err);
    *value = json_string_value(found);
    return ALIGN_OK;
}

align_status al_json_array(const al_json_object *object, const char *key, const json_t **value, align_error *err)
{
    const json_t *found = json_object_get(object->object, key);
    if (!found)
        return ALIGN_OK;
    if (!json_is_array(found))
        return al_json_wrong_type(object, key, "an array", found, err);
    *value = found;
    return ALIGN_OK;
}

align_status al_json_child(const al_json_object *object, const char *key, al_json_object *value, align_error *err)
{
    const json_t *found = json_object_get(object->object, key);
    if (!found)
        return ALIGN_OK;
    if (!json_is_object(found))
        return al_json_wrong_type(object, key, "an object", found, err);
    al_json_object child = {.object = found, .file = object->file};
    const size_t used = strlen(object->path);
    memcpy(child.path, object->path, used);
    snprintf(child.path + used, sizeof child.path - used, "%s.", key); /* for people: a long path is cut */
    *value = child;
    return ALIGN_OK;
}

/* ---- writing ---- */

/* Digits d1 d2 ... dn meaning d1.d2...dn * 10^exponent. Printed and read without the locale's decimal point. */
typedef struct decimal {
    char digits[20];
    int n, exponent;
} decimal;

static void decimal_from_double(decimal *d, double x, int n)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", n - 1, x);
    const char *p = text;
    for (d->n = 0; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->digits[d->n++] = *p;
    d->exponent = (int)strtol(p + 1, NULL, 10);
}

static bool reads_back(const decimal *d, double x)
{
    char text[40];
    snprintf(text, sizeof text, "%.*se%d", d->n, d->digits, d->exponent - (d->n - 1));
    return strtod(text, NULL) == x;
}

/* The next larger number of as many digits; 9...9 stays (a shorter one was tried before). */
static void step_up(decimal *d)
{
    int last = d->n - 1;
    while (last > 0 && d->digits[last] == '9')
        last--;
    if (d->digits[last] == '9')
        return;
    d->digits[last]++;
    memset(d->digits + last + 1, '0', (size_t)(d->n - 1 - last));
}

/*
 * The fewest digits that read back as x > 0. Above a power of two doubles lie wider apart than below it, so there the
 * nearest decimal (below) may miss while the next one up does not.
 */
static void shortest_decimal(decimal *d, double x)
{
    for (int n = 1; n <= 17; n++) {
        decimal_from_double(d, x, n);
        if (reads_back(d, x))
            return;
        decimal above = *d;
        step_up(&above);
        if (reads_back(&above, x)) {
            *d = above;
            return;
        }
    }
}

/* repr(x): plain between 1e-4 and 1e16, else with an exponent of two digits at least. */
static void put_real(al_buffer *out, double x)
{
    decimal d = {"0", 1, 0};
    if (fabs(x) >= TWO_TO_63) { /* an integer that did not fit 64 bits; see the header */
        al_buffer_format(out, "%.0f", x);
        return;
    }
    if (x != 0)
        shortest_decimal(&d, fabs(x));
    if (signbit(x))
        al_buffer_putc(out, '-');
    if (d.exponent < -4 || d.exponent >= 16) {
        al_buffer_putc(out, d.digits[0]);
        if (d.n > 1)
            al_buffer_format(out, ".%.*s", d.n - 1, d.digits + 1);
        al_buffer_format(out, "e%c%02d", d.exponent < 0 ? '-' : '+', abs(d.exponent));
    } else if (d.exponent < 0) {
        al_buffer_format(out, "0.%.*s%.*s", -1 - d.exponent, "000", d.n, d.digits);
    } else if (d.n > d.exponent + 1) {
        const int whole = d.exponent + 1;
        al_buffer_format(out, "%.*s.%.*s", whole, d.digits, d.n - whole, d.digits + whole);
    } else {
        al_buffer_format(out, "%.*s%.*s.0", d.n, d.digits, d.exponent + 1 - d.n, "000000000000000");
    }
}

/* One code point of valid UTF-8; returns its bytes. */
static int decode_utf8(const unsigned char *s, uint32_t *code)
{
    if (s[0] < 0x80) {
        *code = s[0];
        return 1;
    }
    const int n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    *code = s[0] & (0x7Fu >> n);
    for (int i = 1; i < n; i++)
        *code = *code << 6 | (s[i] & 0x3Fu);
    return n;
}

void al_json_put_string(al_buffer *out, const char *text, unsigned style)
{
    const unsigned char *s = (const unsigned char *)text;
    static const char special[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    al_buffer_putc(out, '"');
    while (*s) {
        uint32_t code;
        const int n = decode_utf8(s, &code);
        const char *found = code < 0x80 ? strchr(special, (int)code) : NULL;
        if (found)
            al_buffer_format(out, "\\%c", letter[found - special]);
        else if (code < 0x20 || (code > 0x7E && !(style & AL_JSON_KEEP_UTF8))) {
            if (code >= 0x10000)
                al_buffer_format(out, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (code >> 10)),
                                 (unsigned)(0xDC00 + (code & 0x3FF)));
            else
                al_buffer_format(out, "\\u%04x", (unsigned)code);
        } else
            al_buffer_put(out, s, (size_t)n);
        s += n;
    }
    al_buffer_putc(out, '"');
}

static void new_line(al_buffer *out, int depth)
{
    al_buffer_putc(out, '\n');
    for (int i = 0; i < depth; i++)
        al_buffer_puts(out, "  ");
}

static void put_value(al_buffer *out, const json_t *value, unsigned style, int depth);

static void put_array(al_buffer *out, const json_t *array, unsigned style, int depth)
{
    const size_t count = json_array_size(array);
    al_buffer_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            al_buffer_putc(out, ',');
        new_line(out, depth + 1);
        put_value(out, json_array_get(array, i), style, depth + 1);
    }
    if (count)
        new_line(out, depth);
    al_buffer_putc(out, ']');
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b); /* UTF-8 sorts as code points do */
}

static void put_object(al_buffer *out, const json_t *object, unsigned style, int depth)
{
    const size_t count = json_object_size(object);
    size_t n = 0;
    const char **keys = al_calloc(count, sizeof *keys);
    if (!keys) {
        out->failed = true;
        return;
    }
    /* jansson's iterators take a json_t * but change nothing. */
    json_t *readable = (json_t *)(uintptr_t)object;
    for (void *i = json_object_iter(readable); i; i = json_object_iter_next(readable, i))
        keys[n++] = json_object_iter_key(i);
    if (n && !(style & AL_JSON_KEEP_ORDER))
        qsort(keys, n, sizeof *keys, compare_keys);
    al_buffer_putc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            al_buffer_putc(out, ',');
        new_line(out, depth + 1);
        al_json_put_string(out, keys[i], style);
        al_buffer_puts(out, ": ");
        put_value(out, json_object_get(object, keys[i]), style, depth + 1);
    }
    if (n)
        new_line(out, depth);
    al_buffer_putc(out, '}');
    al_free(keys);
}

static void put_value(al_buffer *out, const json_t *value, unsigned style, int depth)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(out, value, style, depth);
        break;
    case JSON_ARRAY:
        put_array(out, value, style, depth);
        break;
    case JSON_STRING:
        al_json_put_string(out, json_string_value(value), style);
        break;
    case JSON_INTEGER:
        al_buffer_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        put_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        al_buffer_puts(out, "true");
        break;
    case JSON_FALSE:
        al_buffer_puts(out, "false");
        break;
    case JSON_NULL:
        al_buffer_puts(out, "null");
        break;
    }
}

align_status al_json_format(char **text, const json_t *value, unsigned style, align_error *err)
{
    al_buffer out = {0};
    *text = NULL;
    put_value(&out, value, style, 0);
    if (!(style & AL_JSON_NO_NEWLINE))
        al_buffer_putc(&out, '\n');
    const align_status status = al_buffer_check(&out, err);
    if (status == ALIGN_OK)
        *text = out.data;
    else
        al_buffer_done(&out);
    return status;
}

align_status al_json_save(const json_t *value, const char *path, unsigned style, align_error *err)
{
    char *text;
    align_status status = al_json_format(&text, value, style, err);
    if (status != ALIGN_OK)
        return status;
    status = al_file_write(path, text, strlen(text), err);
    al_free(text);
    return status;
}
