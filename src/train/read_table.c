/*
 * read_table.c: pairs from rows of columns: TSV (a tab ends a column, nothing is quoted) and CSV (RFC 4180: a column
 * may stand in quotes, then with commas, line breaks and doubled quotes in it).
 */
#include "base/memory.h"
#include "base/status.h"
#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct table {
    const char *file;
    bool quotes;
    char separator;
    const char *at, *end;
    size_t line, next_line; /* of the row that was read, and behind it; from 1 */
    al_buffer text;         /* the row's cells, each with its NUL */
    size_t *cells;          /* where each begins */
    size_t n_cells, capacity;
} table;

/* ---- rows ---- */

static align_status begin_cell(table *t, align_error *err)
{
    size_t *cells = al_grow(t->cells, t->n_cells, &t->capacity, sizeof *cells);
    if (!cells)
        return al_error_no_memory(err, t->n_cells * sizeof *cells);
    t->cells = cells;
    t->cells[t->n_cells++] = t->text.size;
    return ALIGN_OK;
}

static bool at_line_end(const table *t)
{
    return t->at == t->end || *t->at == '\n' || (*t->at == '\r' && t->at + 1 < t->end && t->at[1] == '\n');
}

/* Behind the opening quote, up to behind the closing one. */
static align_status read_quoted(table *t, align_error *err)
{
    for (;;) {
        const char *quote = memchr(t->at, '"', (size_t)(t->end - t->at));
        if (!quote)
            return al_error_set(err, ALIGN_ERROR_FORMAT, "%s, line %zu: a quote that is never closed", t->file,
                                t->line);
        for (const char *c = t->at; c < quote; c++)
            t->next_line += *c == '\n';
        const bool doubled = quote + 1 < t->end && quote[1] == '"';
        al_buffer_put(&t->text, t->at, (size_t)(quote - t->at) + doubled);
        t->at = quote + 1 + doubled;
        if (!doubled)
            return ALIGN_OK;
    }
}

static align_status read_cell(table *t, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(begin_cell(t, err));
    if (t->quotes && t->at < t->end && *t->at == '"') {
        t->at++;
        TRY(read_quoted(t, err));
        if (!at_line_end(t) && *t->at != t->separator)
            FAIL(err, ALIGN_ERROR_FORMAT, "%s, line %zu: column %zu goes on behind its closing quote", t->file,
                 t->next_line, t->n_cells);
    } else {
        const char *from = t->at;
        while (!at_line_end(t) && *t->at != t->separator)
            t->at++;
        al_buffer_put(&t->text, from, (size_t)(t->at - from));
    }
    al_buffer_putc(&t->text, '\0');
done:
    return status;
}

/* The next row that is not an empty line; n_cells 0: the end. */
static align_status read_row(table *t, align_error *err)
{
    align_status status = ALIGN_OK;
    t->n_cells = t->text.size = 0;
    for (; t->at < t->end && at_line_end(t); t->next_line++)
        t->at += *t->at == '\r' ? 2 : 1;
    t->line = t->next_line;
    if (t->at == t->end)
        return ALIGN_OK;
    for (;;) {
        TRY(read_cell(t, err));
        if (at_line_end(t))
            break;
        t->at++;
    }
    TRY(al_buffer_check(&t->text, err));
done:
    return status;
}

static const char *cell(const table *t, size_t i)
{
    return t->text.data + t->cells[i];
}

/* A cell may hold a NUL, which ends no text. */
static size_t cell_size(const table *t, size_t i)
{
    return (i + 1 < t->n_cells ? t->cells[i + 1] : t->text.size) - 1 - t->cells[i];
}

/* ---- columns ---- */

#define NO_COLUMN SIZE_MAX

static size_t column_named(const table *t, const char *name)
{
    for (size_t i = 0; i < t->n_cells; i++)
        if (strcasecmp(cell(t, i), name) == 0)
            return i;
    return NO_COLUMN;
}

static size_t usual_column(const table *t, const char *const *names)
{
    size_t found = NO_COLUMN;
    for (; *names && found == NO_COLUMN; names++)
        found = column_named(t, *names);
    return found;
}

/* The column that is asked for by number, from 1; NO_COLUMN: by name. */
static size_t numbered_column(const char *asked)
{
    if (!asked || !*asked || asked[strspn(asked, "0123456789")])
        return NO_COLUMN;
    const unsigned long long number = strtoull(asked, NULL, 10);
    return number == 0 || number > 1000000 ? NO_COLUMN : (size_t)number - 1;
}

/* Looks a column up in the row of names. */
static align_status find_column(const table *t, const char *asked, const char *const *names, const char *what,
                                size_t *column, align_error *err)
{
    align_status status = ALIGN_OK;
    *column = numbered_column(asked);
    if (*column == NO_COLUMN)
        *column = asked ? column_named(t, asked) : usual_column(t, names);
    if (*column == NO_COLUMN && asked)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s, line %zu: no column \"%s\" for the %ss; the first is \"%s\"", t->file,
             t->line, asked, what, cell(t, 0));
    if (*column == NO_COLUMN)
        FAIL(err, ALIGN_ERROR_NOT_FOUND,
             "%s, line %zu: no column of %ss has a usual name; say which it is. The first is \"%s\"", t->file, t->line,
             what, cell(t, 0));
done:
    return status;
}

typedef struct columns {
    size_t picture, text;
    bool named; /* the first row has their names */
} columns;

static align_status find_columns(const table *t, const align_dataset_options *o, columns *c, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t picture = numbered_column(o->picture_column), text = numbered_column(o->text_column);
    const bool asked = (o->picture_column && picture == NO_COLUMN) || (o->text_column && text == NO_COLUMN);
    c->named = asked || usual_column(t, al_picture_names) != NO_COLUMN;
    c->picture = picture == NO_COLUMN ? 0 : picture;
    c->text = text == NO_COLUMN ? 1 : text;
    if (c->named) {
        TRY(find_column(t, o->picture_column, al_picture_names, "picture", &c->picture, err));
        TRY(find_column(t, o->text_column, al_text_names, "text", &c->text, err));
    }
    if (c->picture == c->text)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: column %zu cannot hold both pictures and texts", t->file,
             c->text + 1);
done:
    return status;
}

/* ---- reading ---- */

static align_status add_row(al_builder *b, const table *t, const columns *c, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t pair;
    const al_source source = {t->file, "line", t->line};
    if (c->picture >= t->n_cells || c->text >= t->n_cells)
        return al_builder_skip(b, &source, err, "%zu column%s, expected at least %zu", t->n_cells,
                               t->n_cells == 1 ? "" : "s", (c->picture > c->text ? c->picture : c->text) + 1);
    if (!*cell(t, c->picture))
        return al_builder_skip(b, &source, err, "no path of a picture");
    TRY(al_builder_file(b, cell(t, c->picture), &pair, err));
    TRY(al_builder_text(b, pair, &source, cell(t, c->text), cell_size(t, c->text), err));
done:
    return status;
}

static align_status read_table(al_builder *b, const char *path, bool quotes, char separator, align_error *err)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    align_status status = ALIGN_OK;
    al_map map;
    columns c;
    TRY(al_map_open(&map, path, err));
    table t = {.file = path, .quotes = quotes, .separator = separator, .next_line = 1};
    t.at = (const char *)map.data;
    t.end = t.at + map.size;
    if (map.size >= 3 && memcmp(t.at, byte_order_mark, 3) == 0)
        t.at += 3;
    status = read_row(&t, err);
    if (status == ALIGN_OK && t.n_cells) {
        status = find_columns(&t, b->options, &c, err);
        if (status == ALIGN_OK && c.named)
            status = read_row(&t, err);
    }
    while (status == ALIGN_OK && t.n_cells) {
        status = add_row(b, &t, &c, err);
        if (status == ALIGN_OK)
            status = read_row(&t, err);
    }
    al_buffer_done(&t.text);
    al_free(t.cells);
    al_map_close(&map);
done:
    return status;
}

align_status al_read_tsv(al_builder *b, const char *path, align_error *err)
{
    return read_table(b, path, false, '\t', err);
}

align_status al_read_csv(al_builder *b, const char *path, align_error *err)
{
    return read_table(b, path, true, ',', err);
}
