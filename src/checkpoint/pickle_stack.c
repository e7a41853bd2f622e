/* pickle_stack.c: the pickle machine's memory: an arena for values, the program's bytes, the stack and its marks. */
#include "checkpoint/pickle_stack.h"

#include "base/memory.h"
#include "base/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024 };

typedef struct al_pickle_block {
    struct al_pickle_block *next;
    size_t used, size;
    max_align_t bytes[];
} block;

void al_pickle_init(al_pickle *p, const uint8_t *data, size_t size, const char *path)
{
    *p = (al_pickle){.data = data, .size = size, .path = path};
}

void al_pickle_done(al_pickle *p)
{
    while (p->blocks) {
        block *next = p->blocks->next;
        al_free(p->blocks);
        p->blocks = next;
    }
    al_free(p->stack.items);
    al_free(p->memo.items);
    al_free(p->marks);
    al_free(p->storages);
    *p = (al_pickle){0};
}

void *al_pickle_alloc(al_pickle *p, size_t bytes)
{
    const size_t rounded = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    block *b = p->blocks;
    if (!b || b->size - b->used < rounded) {
        const size_t size = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;
        b = al_calloc(1, sizeof *b + size);
        if (!b)
            return NULL;
        b->size = size;
        b->next = p->blocks;
        p->blocks = b;
    }
    void *memory = (uint8_t *)b->bytes + b->used;
    b->used += rounded;
    return memory;
}

align_status al_pickle_new(al_pickle *p, al_pickle_kind kind, al_pickle_value **out, align_error *err)
{
    *out = al_pickle_alloc(p, sizeof **out);
    if (!*out)
        return al_error_no_memory(err, sizeof **out);
    (*out)->kind = kind;
    return ALIGN_OK;
}

align_status al_pickle_error(const al_pickle *p, align_error *err, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: pickle, before byte %zu: %s", p->path, p->at, text);
}

const char *al_pickle_kind_name(al_pickle_kind kind)
{
    static const char *const names[] = {"None",   "a boolean", "an integer", "a large integer", "a float",
                                        "a text", "bytes",     "a tuple",    "a list",          "a dict",
                                        "a name", "a storage", "a tensor",   "a mark"};
    return names[kind];
}

bool al_pickle_is_text(const al_pickle_value *value, const char *text)
{
    return value->kind == AL_PICKLE_TEXT && value->u.text.size == strlen(text) &&
           memcmp(value->u.text.bytes, text, value->u.text.size) == 0;
}

/* ---- the program's bytes ---- */

align_status al_pickle_take(al_pickle *p, uint64_t size, const uint8_t **bytes, align_error *err)
{
    if (size > p->size - p->at)
        return al_pickle_error(p, err, "truncated: %" PRIu64 " bytes wanted, %zu left", size, p->size - p->at);
    *bytes = p->data + p->at;
    p->at += (size_t)size;
    return ALIGN_OK;
}

align_status al_pickle_take_number(al_pickle *p, int size, uint64_t *value, align_error *err)
{
    const uint8_t *bytes = NULL;
    const align_status status = al_pickle_take(p, (uint64_t)size, &bytes, err);
    *value = 0;
    for (int i = size - 1; status == ALIGN_OK && i >= 0; i--)
        *value = *value << 8 | bytes[i];
    return status;
}

align_status al_pickle_take_line(al_pickle *p, const char **line, size_t *size, align_error *err)
{
    const uint8_t *start = p->data + p->at;
    const uint8_t *end = p->at < p->size ? memchr(start, '\n', p->size - p->at) : NULL;
    if (!end)
        return al_pickle_error(p, err, "truncated: a line without end");
    *line = (const char *)start;
    *size = (size_t)(end - start);
    p->at += *size + 1;
    return ALIGN_OK;
}

/* ---- the stack ---- */

align_status al_pickle_grow(void **items, size_t *capacity, size_t need, size_t item_size, align_error *err)
{
    if (need <= *capacity)
        return ALIGN_OK;
    size_t wanted = *capacity ? *capacity * 2 : 64, bytes;
    if (wanted < need)
        wanted = need;
    void *grown = al_mul(wanted, item_size, &bytes) ? al_realloc(*items, bytes) : NULL;
    if (!grown)
        return al_error_no_memory(err, wanted * item_size);
    *items = grown;
    *capacity = wanted;
    return ALIGN_OK;
}

align_status al_pickle_append(al_pickle_list *list, al_pickle_value *value, align_error *err)
{
    void *items = list->items;
    const align_status status = al_pickle_grow(&items, &list->capacity, list->count + 1, sizeof *list->items, err);
    list->items = items;
    if (status == ALIGN_OK)
        list->items[list->count++] = value;
    return status;
}

align_status al_pickle_push(al_pickle *p, al_pickle_value *value, align_error *err)
{
    return al_pickle_append(&p->stack, value, err);
}

size_t al_pickle_above_mark(const al_pickle *p)
{
    return p->stack.count - (p->mark_count ? p->marks[p->mark_count - 1] : 0);
}

align_status al_pickle_pop_many(al_pickle *p, size_t count, al_pickle_value ***items, align_error *err)
{
    if (al_pickle_above_mark(p) < count)
        return al_pickle_error(p, err, "a value is missing on the stack");
    p->stack.count -= count;
    *items = p->stack.items + p->stack.count;
    return ALIGN_OK;
}

align_status al_pickle_pop(al_pickle *p, al_pickle_value **value, align_error *err)
{
    al_pickle_value **item = NULL;
    const align_status status = al_pickle_pop_many(p, 1, &item, err);
    if (status == ALIGN_OK)
        *value = *item;
    return status;
}

align_status al_pickle_top(const al_pickle *p, al_pickle_value **value, align_error *err)
{
    if (al_pickle_above_mark(p) == 0)
        return al_pickle_error(p, err, "a value is missing on the stack");
    *value = p->stack.items[p->stack.count - 1];
    return ALIGN_OK;
}

align_status al_pickle_push_mark(al_pickle *p, align_error *err)
{
    void *marks = p->marks;
    const align_status status = al_pickle_grow(&marks, &p->mark_capacity, p->mark_count + 1, sizeof *p->marks, err);
    p->marks = marks;
    if (status == ALIGN_OK)
        p->marks[p->mark_count++] = p->stack.count;
    return status;
}

align_status al_pickle_pop_mark(al_pickle *p, al_pickle_value ***items, size_t *count, align_error *err)
{
    if (p->mark_count == 0)
        return al_pickle_error(p, err, "a mark is missing on the stack");
    const size_t height = p->marks[--p->mark_count];
    *items = p->stack.items + height;
    *count = p->stack.count - height;
    p->stack.count = height;
    return ALIGN_OK;
}
