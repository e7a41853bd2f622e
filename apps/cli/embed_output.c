/*
 * embed_output.c: the files of a shard: NAME.jsonl (a row an object), NAME.parquet if asked for, NAME.json (the record:
 * what of), NAME.npy (the vectors). Where the last one is, all are, and of one run.
 */
#include "embed.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void embed_put_npy(FILE *out, align_dtype dtype, size_t rows, size_t width, const void *values)
{
    char header[128];
    const size_t size = align_dtype_size(dtype);
    const int length = snprintf(header, sizeof header,
                                "{'descr': '<f%zu', 'fortran_order': False, 'shape': (%zu, %zu), }", size, rows, width);
    const int padded = (10 + length + 1 + 63) / 64 * 64 - 10; /* rows begin at a multiple of 64 */
    fprintf(out, "%cNUMPY%c%c%c%c%-*s\n", '\x93', 1, 0, padded & 0xFF, padded >> 8, padded - 1, header);
    fwrite(values, size, rows * width, out);
}

/* ---- rows ---- */

/* What the members of a picture have in common in their names, to be freed: up to the first dot of the last part. */
static char *key_of(const char *member)
{
    const char *slash = strrchr(member, '/'), *dot = strchr(slash ? slash : member, '.');
    return cli_format("%.*s", dot ? (int)(dot - member) : (int)strlen(member), member);
}

static json_t *row_as_json(const embed_result *r, size_t i)
{
    const embed_picture *picture = &r->pictures[i];
    align_data_place place;
    align_dataset_place(r->tar, picture->number, &place);
    char *key = key_of(place.member), *text = cli_tar_text(r->tar, picture->number);
    json_t *row = json_pack("{s:o, s:o}", "key", cli_json_text(key), "member", cli_json_text(place.member));
    if (text)
        json_object_set_new(row, "text", cli_json_text(text));
    json_object_set_new(row, "width", json_integer(picture->width));
    json_object_set_new(row, "height", json_integer(picture->height));
    free(text);
    free(key);
    return row;
}

static void put_rows(FILE *out, const void *context)
{
    const embed_result *r = context;
    for (size_t i = 0; i < r->rows; i++) {
        json_t *row = row_as_json(r, i);
        json_dumpf(row, out, JSON_COMPACT);
        fputc('\n', out);
        json_decref(row);
    }
}

/* ---- Parquet ---- */

/* The texts of the row that was asked for last. */
typedef struct table {
    const embed_result *result;
    char *key, *member, *text;
} table;

static void forget_row(table *t)
{
    free(t->key);
    free(t->member);
    free(t->text);
}

/* As Parquet's strings are UTF-8, what is not becomes U+FFFD, as in JSON. */
static char *as_utf8(const char *text)
{
    json_t *clean = cli_json_text(text);
    char *copy = cli_format("%s", json_string_value(clean));
    json_decref(clean);
    return copy;
}

static embed_row table_row(void *context, size_t i)
{
    table *t = context;
    const embed_result *r = t->result;
    const embed_picture *picture = &r->pictures[i];
    align_data_place place;
    align_dataset_place(r->tar, picture->number, &place);
    char *key = key_of(place.member), *text = cli_tar_text(r->tar, picture->number);
    forget_row(t);
    t->key = as_utf8(key);
    t->member = as_utf8(place.member);
    t->text = as_utf8(text ? text : "");
    free(text);
    free(key);
    return (embed_row){
        t->key, t->member, t->text, (int32_t)picture->width, (int32_t)picture->height, r->vectors + i * r->width};
}

static void put_table(FILE *out, const void *context)
{
    table t = {.result = context};
    embed_put_parquet(out, t.result->rows, t.result->width, table_row, &t);
    forget_row(&t);
}

/* ---- files ---- */

typedef void put_file(FILE *out, const void *context);

static void put_record(FILE *out, const void *context)
{
    json_dumpf(context, out, JSON_INDENT(1));
    fputc('\n', out);
}

/* Writes a file of a shard, whose size the record may get. */
static bool write_file(const embed_options *options, const char *name, const char *ending, put_file *put,
                       const void *context, json_t *sizes)
{
    int64_t size = 0;
    cli_aside aside;
    char *path = embed_path(options, name, ending);
    FILE *out = cli_aside_open(&aside, path);
    if (out)
        put(out, context);
    const bool ok = cli_aside_close(&aside, &size);
    if (sizes)
        json_object_set_new(sizes, ending + 1, json_integer(size));
    free(path);
    return ok;
}

/* Begins the vectors' file, after what an earlier run left there is gone. */
static bool begin_vectors(cli_aside *aside, const embed_options *options, const char *name, const embed_result *r,
                          json_t *sizes)
{
    const size_t n = r->rows * r->width;
    char *path = embed_path(options, name, ".npy");
    void *values = cli_alloc(n, align_dtype_size(options->dtype));
    bool ok = unlink(path) == 0 || errno == ENOENT;
    if (!ok)
        cli_fail("%s: cannot replace: %s", path, strerror(errno));
    align_tensor_from_f32(r->vectors, n, options->dtype, values, NULL); /* F32 or F16: it cannot fail */
    FILE *out = ok ? cli_aside_open(aside, path) : NULL;
    if (out) {
        embed_put_npy(out, options->dtype, r->rows, r->width, values);
        json_object_set_new(sizes, "npy", json_integer(ftell(out)));
    }
    free(values);
    free(path);
    return out != NULL;
}

bool embed_write_shard(const embed_options *options, const char *name, const embed_result *result, json_t *record)
{
    json_t *sizes = json_object();
    cli_aside vectors = {0};
    json_object_set_new(record, "rows", json_integer((json_int_t)result->rows));
    json_object_set_new(record, "bytes", sizes);
    bool ok = begin_vectors(&vectors, options, name, result, sizes);
    ok = ok && write_file(options, name, ".jsonl", put_rows, result, sizes);
    ok = ok && (!options->parquet || write_file(options, name, ".parquet", put_table, result, sizes));
    ok = ok && write_file(options, name, ".json", put_record, record, NULL);
    if (!ok)
        cli_aside_drop(&vectors);
    return ok && cli_aside_close(&vectors, NULL);
}
