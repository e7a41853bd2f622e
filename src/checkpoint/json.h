#ifndef AL_JSON_H
#define AL_JSON_H
/*
 * json.h: reading and writing JSON files over jansson, with errors that name the file and the key, and text that is
 * byte for byte what Python's json module writes.
 *
 * Trees are jansson's (json_t, json_decref). What jansson refuses is refused with its line and column: NaN and
 * Infinity, lone surrogates, numbers beyond a double, nesting deeper than 2048. One thing is made to work: an integer
 * beyond 64 bits (tokenizer_config.json's model_max_length is int(1e30)) becomes the nearest real, and is written as
 * digits again.
 */
#include "checkpoint/buffer.h"

#include <align/error.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Larger files are not JSON anybody wrote for this library. The largest met is a tokenizer.json, some MB. */
#define AL_JSON_FILE_LIMIT ((size_t)256 << 20)

/* Any JSON value in a file, or in size bytes of text; source is what messages call the text. */
align_status al_json_load(json_t **out, const char *path, align_error *err);
align_status al_json_parse(json_t **out, const char *text, size_t size, const char *source, align_error *err);

/* The same for text that may be hostile: a key twice in one object and integers beyond 64 bits are errors. */
align_status al_json_parse_strict(json_t **out, const char *text, size_t size, const char *source, align_error *err);

/*
 * An object to read keys from, with its place for messages: "FILE: key text_config.hidden_size: ...". It borrows the
 * tree and the file's name.
 */
typedef struct al_json_object {
    const json_t *object;
    const char *file;
    char path[128]; /* "" or "text_config." */
} al_json_object;

/* FORMAT when value is not an object. */
align_status al_json_root(al_json_object *out, const json_t *value, const char *file, align_error *err);

bool al_json_has(const al_json_object *object, const char *key);     /* there, and not null */
bool al_json_is_null(const al_json_object *object, const char *key); /* there, and null */

/*
 * Typed values. An absent key leaves *value as it is: put the default there first. null is a wrong type; where it means
 * something, ask al_json_is_null before. Wrong types are FORMAT errors. Strings, arrays and objects are borrowed.
 * An int64 key takes whole literals only (3, not 3.0), one too large for 64 bits gives INT64_MAX or INT64_MIN;
 * a double key takes integers as well.
 */
align_status al_json_int64(const al_json_object *object, const char *key, int64_t *value, align_error *err);
align_status al_json_double(const al_json_object *object, const char *key, double *value, align_error *err);
align_status al_json_bool(const al_json_object *object, const char *key, bool *value, align_error *err);
align_status al_json_string(const al_json_object *object, const char *key, const char **value, align_error *err);
align_status al_json_array(const al_json_object *object, const char *key, const json_t **value, align_error *err);
align_status al_json_child(const al_json_object *object, const char *key, al_json_object *value, align_error *err);

/* The FORMAT error of the functions above, for callers with types of their own: "FILE: key K: expected E, found F". */
align_status al_json_wrong_type(const al_json_object *object, const char *key, const char *expected,
                                const json_t *found, align_error *err);

/* ---- writing ---- */

/* How a tree becomes text: json.dumps(value, indent=2, ...) + "\n". */
typedef enum al_json_style {
    AL_JSON_PYTHON = 0,     /* sort_keys=True: config.json, preprocessor_config.json, *.index.json */
    AL_JSON_KEEP_ORDER = 1, /* keys as they were inserted */
    AL_JSON_KEEP_UTF8 = 2,  /* ensure_ascii=False: tokenizer_config.json, special_tokens_map.json */
    AL_JSON_NO_NEWLINE = 4, /* without the last newline */
} al_json_style;

/* *text is NUL-terminated and freed with al_free. style is an "or" of al_json_style. */
align_status al_json_format(char **text, const json_t *value, unsigned style, align_error *err);

/* One quoted and escaped string; text must be UTF-8. */
void al_json_put_string(al_buffer *out, const char *text, unsigned style);

/* The tree as a file, beside and renamed into place. */
align_status al_json_save(const json_t *value, const char *path, unsigned style, align_error *err);
#endif
