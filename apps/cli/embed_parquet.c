/*
 * embed_parquet.c: a table in Apache Parquet's format, as small a part of it as every reader knows: groups of rows, in
 * each a page a column, values as they are (PLAIN), nothing compressed. The description of the file at its end, and the
 * headers of pages, are in Thrift's compact protocol.
 *
 *     key, member  string            text  string or null
 *     width, height  int32           embedding  list<float>
 */
#include "embed.h"
#include <stdlib.h>
#include <string.h>

/* Of a group of rows: what readers hold in memory at a time. Sizes in a page's header are of 32 bits. */
#define GROUP_BYTES ((size_t)64 << 20)

/* ---- bytes ---- */

typedef struct buffer {
    uint8_t *data;
    size_t size, capacity;
} buffer;

static void put(buffer *out, const void *data, size_t size)
{
    if (out->capacity - out->size < size) {
        out->capacity = 2 * out->capacity + size;
        out->data = cli_realloc(out->data, out->capacity, 1);
    }
    if (size)
        memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put_byte(buffer *out, unsigned value)
{
    const uint8_t byte = (uint8_t)value;
    put(out, &byte, 1);
}

static void put_u32(buffer *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        put_byte(out, value >> 8 * i & 0xFF);
}

static void put_varint(buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(out, (unsigned)(value & 0x7F) | 0x80);
    put_byte(out, (unsigned)value);
}

/* ---- Thrift ---- */

enum thrift { THRIFT_I32 = 5, THRIFT_I64 = 6, THRIFT_BINARY = 8, THRIFT_LIST = 9, THRIFT_STRUCT = 12 };

/* A struct that is being written. */
typedef struct fields {
    buffer *out;
    unsigned last; /* the field before */
} fields;

static void put_field(fields *f, unsigned number, enum thrift type)
{
    put_byte(f->out, (number - f->last) << 4 | type);
    f->last = number;
}

static void put_zigzag(buffer *out, int64_t value)
{
    put_varint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static void put_number(fields *f, unsigned number, enum thrift type, int64_t value)
{
    put_field(f, number, type);
    put_zigzag(f->out, value);
}

static void put_binary(buffer *out, const char *text)
{
    put_varint(out, strlen(text));
    put(out, text, strlen(text));
}

static void put_name(fields *f, unsigned number, const char *text)
{
    put_field(f, number, THRIFT_BINARY);
    put_binary(f->out, text);
}

static void put_list(fields *f, unsigned number, enum thrift type, size_t count)
{
    put_field(f, number, THRIFT_LIST);
    put_byte(f->out, (unsigned)(count < 15 ? count : 15) << 4 | type);
    if (count >= 15)
        put_varint(f->out, count);
}

static fields begin_struct(buffer *out)
{
    return (fields){out, 0};
}

static fields begin_inner(fields *f, unsigned number)
{
    put_field(f, number, THRIFT_STRUCT);
    return begin_struct(f->out);
}

static void end_struct(fields *f)
{
    put_byte(f->out, 0);
}

/* ---- columns ---- */

/* Numbers of the format's own. */
enum { TYPE_INT32 = 1, TYPE_FLOAT = 4, TYPE_BYTES = 6 };
enum { REQUIRED = 0, OPTIONAL = 1, REPEATED = 2 };
enum { CONVERTED_NONE = -1, CONVERTED_UTF8 = 0, CONVERTED_LIST = 3 };
enum { ENCODING_PLAIN = 0, ENCODING_RLE = 3 };

typedef enum column { KEY, MEMBER, TEXT, WIDTH, HEIGHT, EMBEDDING, COLUMNS } column;

static const struct {
    const char *name;
    int type, repetition, converted;
} columns[COLUMNS] = {
    [KEY] = {"key", TYPE_BYTES, REQUIRED, CONVERTED_UTF8},
    [MEMBER] = {"member", TYPE_BYTES, REQUIRED, CONVERTED_UTF8},
    [TEXT] = {"text", TYPE_BYTES, OPTIONAL, CONVERTED_UTF8},
    [WIDTH] = {"width", TYPE_INT32, REQUIRED, CONVERTED_NONE},
    [HEIGHT] = {"height", TYPE_INT32, REQUIRED, CONVERTED_NONE},
    [EMBEDDING] = {"embedding", TYPE_FLOAT, REQUIRED, CONVERTED_LIST},
};

/* Where a column of a group of rows is in the file. */
typedef struct chunk {
    size_t offset, size, values;
} chunk;

typedef struct group {
    size_t first, rows;
    chunk chunks[COLUMNS];
} group;

typedef struct table {
    FILE *file;
    size_t at; /* bytes written */
    size_t rows, width;
    embed_row_at *row_at;
    void *context;
    group *groups;
    size_t n_groups;
} table;

static embed_row row_of(const table *t, size_t i)
{
    return t->row_at(t->context, i);
}

static void put_string(buffer *out, const char *text)
{
    const size_t size = strlen(text);
    put_u32(out, (uint32_t)size);
    put(out, text, size);
}

/* So many times the same level, of one bit. */
static void put_run(buffer *out, size_t count, unsigned level)
{
    if (count == 0)
        return;
    put_varint(out, (uint64_t)count << 1);
    put_byte(out, level);
}

/* Levels stand before the values, behind their size in bytes. */
static void put_levels(buffer *out, buffer *levels)
{
    put_u32(out, (uint32_t)levels->size);
    put(out, levels->data, levels->size);
    levels->size = 0;
}

/* A list begins with repetition level 0 and goes on with 1; no element is missing. */
static void put_list_levels(buffer *page, const table *t, const group *g)
{
    buffer levels = {0};
    for (size_t i = 0; i < g->rows; i++) {
        put_run(&levels, 1, 0);
        put_run(&levels, t->width - 1, 1);
    }
    put_levels(page, &levels);
    put_run(&levels, g->rows * t->width, 1);
    put_levels(page, &levels);
    free(levels.data);
}

/* Level 1 where there is a text. */
static void put_text_levels(buffer *page, const table *t, const group *g)
{
    buffer levels = {0};
    size_t run = 0;
    unsigned level = 0;
    for (size_t i = 0; i < g->rows; i++) {
        const unsigned has = *row_of(t, g->first + i).text != '\0';
        if (has != level) {
            put_run(&levels, run, level);
            run = 0;
        }
        level = has;
        run++;
    }
    put_run(&levels, run, level);
    put_levels(page, &levels);
    free(levels.data);
}

static void put_value(buffer *page, const table *t, column c, const embed_row *row)
{
    switch (c) {
    case KEY:
        put_string(page, row->key);
        break;
    case MEMBER:
        put_string(page, row->member);
        break;
    case TEXT:
        if (*row->text)
            put_string(page, row->text);
        break;
    case WIDTH:
        put_u32(page, (uint32_t)row->width);
        break;
    case HEIGHT:
        put_u32(page, (uint32_t)row->height);
        break;
    default:
        put(page, row->vector, t->width * sizeof *row->vector);
        break;
    }
}

/* ---- pages ---- */

static void write_bytes(table *t, const buffer *bytes)
{
    fwrite(bytes->data, 1, bytes->size, t->file);
    t->at += bytes->size;
}

static void put_page_header(buffer *out, size_t size, size_t values)
{
    fields header = begin_struct(out);
    put_number(&header, 1, THRIFT_I32, 0); /* a page of data */
    put_number(&header, 2, THRIFT_I32, (int64_t)size);
    put_number(&header, 3, THRIFT_I32, (int64_t)size); /* compressed, or would be */
    fields data = begin_inner(&header, 5);
    put_number(&data, 1, THRIFT_I32, (int64_t)values);
    put_number(&data, 2, THRIFT_I32, ENCODING_PLAIN);
    put_number(&data, 3, THRIFT_I32, ENCODING_RLE);
    put_number(&data, 4, THRIFT_I32, ENCODING_RLE);
    end_struct(&data);
    end_struct(&header);
}

static void write_column(table *t, group *g, column c)
{
    buffer page = {0}, header = {0};
    const size_t values = c == EMBEDDING ? g->rows * t->width : g->rows;
    if (c == EMBEDDING)
        put_list_levels(&page, t, g);
    if (c == TEXT)
        put_text_levels(&page, t, g);
    for (size_t i = 0; i < g->rows; i++) {
        const embed_row row = row_of(t, g->first + i);
        put_value(&page, t, c, &row);
    }
    put_page_header(&header, page.size, values);
    g->chunks[c] = (chunk){t->at, header.size + page.size, values};
    write_bytes(t, &header);
    write_bytes(t, &page);
    free(header.data);
    free(page.data);
}

/* Rows from `first` on that are enough for a group. */
static size_t count_rows(const table *t, size_t first)
{
    size_t rows = 0, bytes = 0;
    for (; first + rows < t->rows && bytes < GROUP_BYTES; rows++) {
        const embed_row row = row_of(t, first + rows);
        bytes += strlen(row.key) + strlen(row.member) + strlen(row.text) + t->width * sizeof *row.vector;
    }
    return rows;
}

static void write_groups(table *t)
{
    for (size_t first = 0; first < t->rows; first += t->groups[t->n_groups++].rows) {
        t->groups = cli_realloc(t->groups, t->n_groups + 1, sizeof *t->groups);
        group *g = &t->groups[t->n_groups];
        *g = (group){.first = first, .rows = count_rows(t, first)};
        for (column c = 0; c < COLUMNS; c++)
            write_column(t, g, c);
    }
}

/* ---- the end of the file ---- */

/* type, converted: -1: none. */
static void put_element(buffer *out, const char *name, int type, int repetition, int children, int converted)
{
    fields element = begin_struct(out);
    if (type >= 0)
        put_number(&element, 1, THRIFT_I32, type);
    if (repetition >= 0)
        put_number(&element, 3, THRIFT_I32, repetition);
    put_name(&element, 4, name);
    if (children > 0)
        put_number(&element, 5, THRIFT_I32, children);
    if (converted >= 0)
        put_number(&element, 6, THRIFT_I32, converted);
    end_struct(&element);
}

/* A list is a group of a repeated group of its element. */
static void put_schema(fields *file)
{
    put_list(file, 2, THRIFT_STRUCT, 1 + COLUMNS + 2);
    put_element(file->out, "schema", -1, -1, COLUMNS, -1);
    for (column c = 0; c < EMBEDDING; c++)
        put_element(file->out, columns[c].name, columns[c].type, columns[c].repetition, 0, columns[c].converted);
    put_element(file->out, columns[EMBEDDING].name, -1, REQUIRED, 1, CONVERTED_LIST);
    put_element(file->out, "list", -1, REPEATED, 1, -1);
    put_element(file->out, "element", TYPE_FLOAT, REQUIRED, 0, -1);
}

static void put_chunk(buffer *out, column c, const chunk *place)
{
    fields outer = begin_struct(out);
    put_number(&outer, 2, THRIFT_I64, (int64_t)place->offset);
    fields about = begin_inner(&outer, 3);
    put_number(&about, 1, THRIFT_I32, columns[c].type);
    put_list(&about, 2, THRIFT_I32, 2);
    put_zigzag(out, ENCODING_PLAIN);
    put_zigzag(out, ENCODING_RLE);
    put_list(&about, 3, THRIFT_BINARY, c == EMBEDDING ? 3 : 1);
    put_binary(out, columns[c].name);
    if (c == EMBEDDING) {
        put_binary(out, "list");
        put_binary(out, "element");
    }
    put_number(&about, 4, THRIFT_I32, 0); /* not compressed */
    put_number(&about, 5, THRIFT_I64, (int64_t)place->values);
    put_number(&about, 6, THRIFT_I64, (int64_t)place->size);
    put_number(&about, 7, THRIFT_I64, (int64_t)place->size);
    put_number(&about, 9, THRIFT_I64, (int64_t)place->offset);
    end_struct(&about);
    end_struct(&outer);
}

static void put_group(buffer *out, const group *g)
{
    size_t size = 0;
    fields f = begin_struct(out);
    put_list(&f, 1, THRIFT_STRUCT, COLUMNS);
    for (column c = 0; c < COLUMNS; c++) {
        put_chunk(out, c, &g->chunks[c]);
        size += g->chunks[c].size;
    }
    put_number(&f, 2, THRIFT_I64, (int64_t)size);
    put_number(&f, 3, THRIFT_I64, (int64_t)g->rows);
    end_struct(&f);
}

static void write_end(table *t)
{
    buffer out = {0};
    fields file = begin_struct(&out);
    put_number(&file, 1, THRIFT_I32, 1); /* the format's version */
    put_schema(&file);
    put_number(&file, 3, THRIFT_I64, (int64_t)t->rows);
    put_list(&file, 4, THRIFT_STRUCT, t->n_groups);
    for (size_t i = 0; i < t->n_groups; i++)
        put_group(&out, &t->groups[i]);
    put_name(&file, 6, "align");
    end_struct(&file);
    put_u32(&out, (uint32_t)out.size);
    put(&out, "PAR1", 4);
    write_bytes(t, &out);
    free(out.data);
}

void embed_put_parquet(FILE *out, size_t rows, size_t width, embed_row_at *row_at, void *context)
{
    table t = {.file = out, .rows = rows, .width = width, .row_at = row_at, .context = context};
    buffer magic = {0};
    put(&magic, "PAR1", 4);
    write_bytes(&t, &magic);
    write_groups(&t);
    write_end(&t);
    free(magic.data);
    free(t.groups);
}
