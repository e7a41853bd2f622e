/* builder.c: collects pairs as readers find them, and makes a data set of them. */
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"
#include "train/dataset.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void al_builder_init(al_builder *b, const align_dataset_options *options, const char *folder)
{
    *b = (al_builder){.options = options, .folder = folder};
}

void al_builder_done(al_builder *b)
{
    al_buffer_done(&b->strings);
    al_free(b->pairs);
    al_free(b->texts);
    al_free(b->table);
    al_skips_done(&b->skips);
    al_skips_done(&b->damages);
}

/* ---- strings ---- */

static align_status add_string(al_builder *b, const char *text, size_t size, size_t *string, align_error *err)
{
    *string = b->strings.size;
    al_buffer_put(&b->strings, text, size);
    al_buffer_putc(&b->strings, '\0');
    return al_buffer_check(&b->strings, err);
}

align_status al_builder_string(al_builder *b, const char *text, size_t *string, align_error *err)
{
    return add_string(b, text, strlen(text), string, err);
}

/* ---- pairs ---- */

static const char *name_of(const al_builder *b, size_t pair)
{
    return b->strings.data + b->pairs[pair].place.name;
}

/* The slot that holds the pair of that name, or the free one where it belongs. */
static size_t *find_slot(const al_builder *b, size_t *table, size_t table_size, const char *name)
{
    size_t at = (size_t)al_hash(AL_HASH_START, name, strlen(name)) & (table_size - 1);
    while (table[at] && strcmp(name_of(b, table[at] - 1), name) != 0)
        at = (at + 1) & (table_size - 1);
    return &table[at];
}

/* Keeps the table at most half full. */
static align_status grow_table(al_builder *b, align_error *err)
{
    if (2 * (b->n_pairs + 1) <= b->table_size)
        return ALIGN_OK;
    const size_t size = b->table_size ? 2 * b->table_size : 256;
    size_t *table = al_calloc(size, sizeof *table);
    if (!table)
        return al_error_no_memory(err, size * sizeof *table);
    for (size_t i = 0; i < b->n_pairs; i++)
        *find_slot(b, table, size, name_of(b, i)) = i + 1;
    al_free(b->table);
    b->table = table;
    b->table_size = size;
    return ALIGN_OK;
}

static align_status add_pair(al_builder *b, const al_place *place, size_t *pair, align_error *err)
{
    al_new_pair *pairs = al_grow(b->pairs, b->n_pairs, &b->pairs_capacity, sizeof *pairs);
    if (!pairs)
        return al_error_no_memory(err, b->n_pairs * sizeof *pairs);
    b->pairs = pairs;
    *pair = b->n_pairs;
    b->pairs[b->n_pairs++] = (al_new_pair){.place = *place};
    return ALIGN_OK;
}

align_status al_builder_file(al_builder *b, const char *path, size_t *pair, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t string;
    char *joined = path[0] == '/' ? al_strdup(path) : al_join_path(b->folder, path);
    if (!joined)
        return al_error_no_memory(err, strlen(path));
    TRY(grow_table(b, err));
    size_t *slot = find_slot(b, b->table, b->table_size, joined);
    if (*slot) {
        *pair = *slot - 1;
        goto done;
    }
    TRY(al_builder_string(b, joined, &string, err));
    TRY(add_pair(b, &(al_place){string, string, 0, AL_FILE_REST}, pair, err));
    *slot = *pair + 1;
done:
    al_free(joined);
    return status;
}

align_status al_builder_part(al_builder *b, size_t file, const char *member, size_t offset, size_t size, size_t *pair,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    size_t name;
    char *text = al_format("%s: %s", b->strings.data + file, member);
    if (!text)
        return al_error_no_memory(err, strlen(member));
    TRY(al_builder_string(b, text, &name, err));
    TRY(add_pair(b, &(al_place){file, name, offset, size}, pair, err));
done:
    al_free(text);
    return status;
}

/* ---- what is left out ---- */

static align_status skip(al_builder *b, const al_source *source, const char *reason, align_error *err)
{
    char where[ALIGN_ERROR_MESSAGE_SIZE];
    if (source->unit)
        snprintf(where, sizeof where, "%s, %s %zu", source->file, source->unit, source->number);
    else
        snprintf(where, sizeof where, "%s", source->file);
    return al_skips_add(&b->skips, where, reason, err);
}

align_status al_builder_skip(al_builder *b, const al_source *source, align_error *err, const char *reason, ...)
{
    char text[ALIGN_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, reason);
    vsnprintf(text, sizeof text, reason, arguments);
    va_end(arguments);
    return skip(b, source, text, err);
}

align_status al_builder_explain(al_builder *b, size_t pair, const al_source *source, const char *reason,
                                align_error *err)
{
    b->pairs[pair].explained = true;
    return skip(b, source, reason, err);
}

/* ---- texts ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

align_status al_builder_text(al_builder *b, size_t pair, const al_source *source, const char *text, size_t size,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    size_t string;
    while (size && is_blank(*text)) {
        text++;
        size--;
    }
    while (size && is_blank(text[size - 1]))
        size--;
    if (size == 0)
        return al_builder_explain(b, pair, source, "the caption is empty", err);
    if (!al_is_utf8(text, size))
        return al_builder_explain(b, pair, source, "the caption is not UTF-8", err);
    al_new_text *texts = al_grow(b->texts, b->n_texts, &b->texts_capacity, sizeof *texts);
    if (!texts)
        return al_error_no_memory(err, b->n_texts * sizeof *texts);
    b->texts = texts;
    TRY(add_string(b, text, size, &string, err));
    b->texts[b->n_texts++] = (al_new_text){pair, string};
    b->pairs[pair].texts++;
done:
    return status;
}

/* ---- the end ---- */

/* Whether a pair is to be in the data set. */
static bool is_kept(const al_builder *b, size_t pair)
{
    return b->pairs[pair].texts > 0 || b->options->without_texts;
}

static align_status explain_the_rest(al_builder *b, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < b->n_pairs; i++)
        if (!is_kept(b, i) && !b->pairs[i].explained)
            TRY(al_builder_explain(b, i, &(al_source){name_of(b, i), NULL, 0}, "no caption", err));
done:
    return status;
}

static align_status check_count(const al_builder *b, size_t count, const char *path, align_error *err)
{
    const char *where, *reason;
    const bool without_texts = b->options->without_texts;
    if (count >= 2 || (without_texts && (count == 1 || b->options->despite_damage)))
        return ALIGN_OK;
    if (without_texts)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: no pictures", path);
    if (al_skips_get(&b->skips, 0, &where, &reason))
        return al_error_set(
            err, ALIGN_ERROR_FORMAT,
            "%s: %zu pair%s of a picture and a text, expected at least 2; %zu skipped, the first: %s: %s", path, count,
            count == 1 ? "" : "s", b->skips.count, where, reason);
    return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: %zu pair%s of a picture and a text, expected at least 2", path,
                        count, count == 1 ? "" : "s");
}

/* Pairs that are kept, renumbered, and the texts in the order of their pairs. next: room for a number a pair. */
static void fill(align_dataset *d, const al_builder *b, size_t *next)
{
    size_t count = 0, texts = 0;
    for (size_t i = 0; i < b->n_pairs; i++) {
        next[i] = texts;
        if (!is_kept(b, i))
            continue;
        d->places[count] = b->pairs[i].place;
        d->first_text[count++] = texts;
        texts += b->pairs[i].texts;
    }
    d->first_text[count] = texts;
    for (size_t t = 0; t < b->n_texts; t++)
        d->texts[next[b->texts[t].pair]++] = b->texts[t].string;
}

align_status al_builder_finish(al_builder *b, const char *path, align_dataset **out, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t count = 0, *next = NULL;
    al_strings *strings = NULL;
    TRY(explain_the_rest(b, err));
    for (size_t i = 0; i < b->n_pairs; i++)
        count += is_kept(b, i);
    TRY(check_count(b, count, path, err));
    next = al_calloc(b->n_pairs, sizeof *next);
    strings = al_calloc(1, sizeof *strings);
    if (!next || !strings) {
        status = al_error_no_memory(err, b->n_pairs * sizeof *next);
        goto done;
    }
    TRY(al_dataset_new(out, strings, count, b->n_texts, err));
    fill(*out, b, next);
    strings->data = b->strings.data;
    strings = NULL;
    b->strings = (al_buffer){0};
    (*out)->skips = b->skips;
    (*out)->damages = b->damages;
    b->skips = b->damages = (al_skips){0};
done:
    al_free(strings);
    al_free(next);
    return status;
}
