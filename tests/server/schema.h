#ifndef TESTS_SERVER_SCHEMA_H
#define TESTS_SERVER_SCHEMA_H
/*
 * schema.h: whether a value is what a description of OpenAPI 3.1 says of it, as far as ours goes: $ref, anyOf, type,
 * const, enum, required, properties, items, minItems, minimum. A member that is not described is a mistake, too.
 */
#include <jansson.h>
#include <stdbool.h>

/* document: where references lead. At a mistake, says where it is in at (of size bytes). */
bool schema_fits(const json_t *document, const json_t *schema, const json_t *value, char *at, size_t size);

/* The schema of a content type's body, among the responses of a method: NULL if there is none. */
const json_t *schema_of_answer(const json_t *document, const json_t *method, int status, const char *type);
#endif
