/*
 * schema.c: a little of JSON Schema.
 */
#include "schema.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* "#/components/schemas/Model" */
static const json_t *follow(const json_t *document, const json_t *value)
{
    const char *path = json_string_value(json_object_get(value, "$ref"));
    if (!path)
        return value;
    const json_t *found = document;
    for (const char *part = strchr(path, '/'); part && found; part = strchr(part + 1, '/')) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(part + 1, "/"), part + 1);
        found = json_object_get(found, name);
    }
    return found;
}

static bool is_of_type(const char *type, const json_t *value)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool type_fits(const json_t *type, const json_t *value)
{
    if (json_is_string(type))
        return is_of_type(json_string_value(type), value);
    for (size_t i = 0; i < json_array_size(type); i++)
        if (is_of_type(json_string_value(json_array_get(type, i)), value))
            return true;
    return !type;
}

static bool is_among(const json_t *list, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), value))
            return true;
    return !list;
}

static bool wrong(char *at, size_t size, const char *where, const char *what)
{
    snprintf(at, size, "%s %s", where, what);
    return false;
}

typedef struct place {
    const json_t *document;
    char *at;
    size_t size;
    const char *where;
} place;

static bool fits(const place *p, const json_t *schema, const json_t *value);

static bool fits_inside(const place *p, const char *name, const json_t *schema, const json_t *value)
{
    char where[256];
    snprintf(where, sizeof where, "%.180s.%.40s", p->where, name);
    return fits(&(place){p->document, p->at, p->size, where}, schema, value);
}

static bool members_fit(const place *p, const json_t *schema, const json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties"), *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++)
        if (!json_object_get(value, json_string_value(json_array_get(required, i))))
            return wrong(p->at, p->size, p->where, json_string_value(json_array_get(required, i)));
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        if (properties && !json_object_get(properties, name))
            return wrong(p->at, p->size, p->where, name);
        if (properties && !fits_inside(p, name, json_object_get(properties, name), member))
            return false;
    }
    return true;
}

static bool items_fit(const place *p, const json_t *schema, const json_t *value)
{
    if (json_array_size(value) < (size_t)json_integer_value(json_object_get(schema, "minItems")))
        return wrong(p->at, p->size, p->where, "has too few items");
    for (size_t i = 0; i < json_array_size(value) && json_object_get(schema, "items"); i++)
        if (!fits_inside(p, "[]", json_object_get(schema, "items"), json_array_get(value, i)))
            return false;
    return true;
}

static bool any_fits(const place *p, const json_t *choices, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(choices); i++)
        if (fits(p, json_array_get(choices, i), value))
            return true;
    return wrong(p->at, p->size, p->where, "fits none of the choices");
}

static bool fits(const place *p, const json_t *schema, const json_t *value)
{
    schema = follow(p->document, schema);
    const json_t *constant = json_object_get(schema, "const"), *least = json_object_get(schema, "minimum");
    if (!schema)
        return wrong(p->at, p->size, p->where, "has no schema");
    if (json_object_get(schema, "anyOf"))
        return any_fits(p, json_object_get(schema, "anyOf"), value);
    if (!type_fits(json_object_get(schema, "type"), value))
        return wrong(p->at, p->size, p->where, "has another type");
    if ((constant && !json_equal(constant, value)) || !is_among(json_object_get(schema, "enum"), value))
        return wrong(p->at, p->size, p->where, "has another value");
    if (least && json_number_value(value) < json_number_value(least))
        return wrong(p->at, p->size, p->where, "is too small");
    if (json_is_object(value))
        return members_fit(p, schema, value);
    return !json_is_array(value) || items_fit(p, schema, value);
}

bool schema_fits(const json_t *document, const json_t *schema, const json_t *value, char *at, size_t size)
{
    return fits(&(place){document, at, size, "$"}, schema, value);
}

const json_t *schema_of_answer(const json_t *document, const json_t *method, int status, const char *type)
{
    char code[16];
    snprintf(code, sizeof code, "%d", status);
    const json_t *answer = follow(document, json_object_get(json_object_get(method, "responses"), code));
    return json_object_get(json_object_get(json_object_get(answer, "content"), type), "schema");
}
