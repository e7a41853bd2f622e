/* config_compare.c: see config_compare.h. */
#include "model/config_compare.h"

#include "model/config_fields.h"

#include <stdio.h>
#include <string.h>

static bool same_list(const align_int_list *a, const align_int_list *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->data, b->data, a->count * sizeof *a->data) == 0);
}

static bool same_int(const char *a, const char *b)
{
    return *(const int64_t *)(const void *)a == *(const int64_t *)(const void *)b;
}

static bool same_field(const al_field *field, const char *a, const char *b)
{
    const char *x = a + field->offset, *y = b + field->offset;
    switch (field->type) {
    case AL_FIELD_INT:
        return same_int(x, y);
    case AL_FIELD_DOUBLE:
        return *(const double *)(const void *)x == *(const double *)(const void *)y;
    case AL_FIELD_BOOL:
        return *(const bool *)(const void *)x == *(const bool *)(const void *)y;
    case AL_FIELD_NAME:
        return strcmp(x, y) == 0;
    case AL_FIELD_INT_LIST:
        return same_list((const void *)x, (const void *)y);
    case AL_FIELD_INT_OR_NULL: {
        const bool has = *(const bool *)(const void *)(a + field->has_offset);
        return has == *(const bool *)(const void *)(b + field->has_offset) && (!has || same_int(x, y));
    }
    }
    return true;
}

static bool differ(const al_config_class *class, const void *a, const void *b, char key[AL_CONFIG_KEY_SIZE])
{
    for (size_t i = 0; i < class->n_fields; i++)
        if (!same_field(&class->fields[i], a, b)) {
            const char *nested = class->nested_key ? class->nested_key : "";
            snprintf(key, AL_CONFIG_KEY_SIZE, "%s%s%s", nested, *nested ? "." : "", class->fields[i].key);
            return true;
        }
    return false;
}

bool al_config_difference(const align_config *a, const align_config *b, char key[AL_CONFIG_KEY_SIZE])
{
    return differ(&al_align_config_class, a, b, key) ||
           differ(&al_text_config_class, &a->text_config, &b->text_config, key) ||
           differ(&al_vision_config_class, &a->vision_config, &b->vision_config, key);
}
