/* dataset.c: opening a data set of whatever format, asking it, splitting it. */
#include "train/dataset.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "checkpoint/json.h"

#include <string.h>
#include <strings.h>

/* A larger file is not a picture that anybody trains with. */
#define PICTURE_LIMIT ((size_t)1 << 30)

/* Bytes of a file that are looked at to tell its format. */
#define SNIFFED 512

const char *const al_picture_names[] = {"image", "path",       "filepath", "filename", "file_name",
                                        "file",  "image_path", "img",      "picture",  NULL};
const char *const al_text_names[] = {"text", "caption", "captions", "texts", "title",
                                     "name", "label",   "sentence", NULL};

bool al_is_picture_name(const char *name)
{
    static const char *const extensions[] = {"jpg", "jpeg", "png", "webp", "gif"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof extensions / sizeof *extensions; i++)
        if (strcasecmp(dot + 1, extensions[i]) == 0)
            return true;
    return false;
}

/* ---- which format it is ---- */

static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n >= m && strcasecmp(path + n - m, end) == 0;
}

static align_status folder_format(align_data_format *format, const char *path, align_error *err)
{
    al_paths names = {0};
    const align_status status = al_folder_list(&names, path, err);
    *format = ALIGN_DATA_FOLDER;
    for (size_t i = 0; i < names.count; i++)
        if (ends_with(names.items[i], ".tar"))
            *format = ALIGN_DATA_WEBDATASET;
    al_paths_done(&names);
    return status;
}

/* Of a file that holds JSON: an object a line, where the first line is one and is not all. */
static align_status json_format(align_data_format *format, const char *path, align_error *err)
{
    al_map map;
    json_t *first = NULL;
    const align_status status = al_map_open(&map, path, err);
    if (status != ALIGN_OK)
        return status;
    const char *text = (const char *)map.data;
    const char *newline = memchr(text, '\n', map.size);
    const size_t line = newline ? (size_t)(newline - text) : map.size;
    size_t more = line;
    while (more < map.size && strchr(" \t\r\n", text[more]))
        more++;
    *format = ALIGN_DATA_COCO;
    if (more < map.size && al_json_parse(&first, text, line, path, NULL) == ALIGN_OK && json_is_object(first))
        *format = ALIGN_DATA_JSON_LINES;
    json_decref(first);
    al_map_close(&map);
    return ALIGN_OK;
}

static align_status format_of_bytes(align_data_format *format, const char *path, align_error *err)
{
    al_map map;
    align_status status = al_map_open(&map, path, err);
    if (status != ALIGN_OK)
        return status;
    const size_t size = map.size < SNIFFED ? map.size : SNIFFED;
    const uint8_t *newline = memchr(map.data, '\n', size);
    const size_t line = newline ? (size_t)(newline - map.data) : size;
    if (size == SNIFFED && memcmp(map.data + 257, "ustar", 5) == 0)
        *format = ALIGN_DATA_WEBDATASET;
    else if (size && (map.data[0] == '{' || map.data[0] == '['))
        status = json_format(format, path, err);
    else if (memchr(map.data, '\t', line))
        *format = ALIGN_DATA_TSV;
    else if (memchr(map.data, ',', line))
        *format = ALIGN_DATA_CSV;
    else
        status = al_error_set(err, ALIGN_ERROR_FORMAT,
                              "%s: not data that this library knows; expected TSV, CSV, JSON lines, captions JSON, tar "
                              "or a folder",
                              path);
    al_map_close(&map);
    return status;
}

static align_status detect(align_data_format *format, const char *path, align_error *err)
{
    static const struct {
        const char *end;
        align_data_format format;
    } endings[] = {
        {".tsv", ALIGN_DATA_TSV},           {".csv", ALIGN_DATA_CSV},        {".jsonl", ALIGN_DATA_JSON_LINES},
        {".ndjson", ALIGN_DATA_JSON_LINES}, {".tar", ALIGN_DATA_WEBDATASET},
    };
    if (al_is_folder(path))
        return folder_format(format, path, err);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(path, endings[i].end)) {
            *format = endings[i].format;
            return ALIGN_OK;
        }
    if (!al_is_file(path) && al_is_pattern(path)) {
        *format = ALIGN_DATA_WEBDATASET;
        return ALIGN_OK;
    }
    return ends_with(path, ".json") ? json_format(format, path, err) : format_of_bytes(format, path, err);
}

/* ---- opening ---- */

static al_reader *const readers[] = {
    [ALIGN_DATA_TSV] = al_read_tsv,
    [ALIGN_DATA_CSV] = al_read_csv,
    [ALIGN_DATA_JSON_LINES] = al_read_json_lines,
    [ALIGN_DATA_COCO] = al_read_captions,
    [ALIGN_DATA_KARPATHY] = al_read_captions,
    [ALIGN_DATA_WEBDATASET] = al_read_shards,
    [ALIGN_DATA_FOLDER] = al_read_folder,
};

/* The folder that paths in the data begin in; freed with al_free. */
static char *folder_of(const char *path, const align_dataset_options *options)
{
    if (options->pictures)
        return al_strdup(options->pictures);
    if (al_is_folder(path))
        return al_strdup(path);
    const char *slash = strrchr(path, '/');
    return slash ? al_strndup(path, (size_t)(slash - path) + 1) : al_strdup("");
}

align_status align_dataset_open(align_dataset **out, const char *path, const align_dataset_options *options,
                                align_error *err)
{
    static const align_dataset_options defaults = ALIGN_DATASET_OPTIONS_INIT;
    align_status status = ALIGN_OK;
    char *folder = NULL;
    al_builder builder = {0};
    if (!out || !path)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no path, or nowhere to put the data set");
    *out = NULL;
    if (!options)
        options = &defaults;
    align_data_format format = options->format;
    if ((unsigned)format > ALIGN_DATA_FOLDER)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "format: %d is no align_data_format", (int)format);
    if (format == ALIGN_DATA_AUTO)
        TRY(detect(&format, path, err));
    if (options->split && readers[format] != al_read_captions)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: only Karpathy's JSON has splits; asked for \"%s\"", path,
             options->split);
    folder = folder_of(path, options);
    if (!folder) {
        status = al_error_no_memory(err, strlen(path));
        goto done;
    }
    al_builder_init(&builder, options, folder);
    TRY(readers[format](&builder, path, err));
    TRY(al_builder_finish(&builder, path, out, err));
done:
    al_builder_done(&builder);
    al_free(folder);
    return status;
}

/* Strings are shared by the parts of a data set that was split; the last one frees them. */
static void let_go(al_strings *strings)
{
    if (!strings || atomic_fetch_sub(&strings->users, 1) > 1)
        return;
    al_free(strings->data);
    al_free(strings);
}

align_status al_dataset_new(align_dataset **out, al_strings *strings, size_t count, size_t texts, align_error *err)
{
    align_dataset *d = al_calloc(1, sizeof *d);
    if (!d)
        return al_error_no_memory(err, sizeof *d);
    d->places = al_calloc(count, sizeof *d->places);
    d->first_text = al_calloc(count + 1, sizeof *d->first_text);
    d->texts = al_calloc(texts, sizeof *d->texts);
    if (!d->places || !d->first_text || !d->texts) {
        align_dataset_free(d);
        return al_error_no_memory(err, count * sizeof *d->places);
    }
    atomic_fetch_add(&strings->users, 1);
    d->strings = strings;
    d->count = count;
    *out = d;
    return ALIGN_OK;
}

void align_dataset_free(align_dataset *d)
{
    if (!d)
        return;
    let_go(d->strings);
    al_free(d->places);
    al_free(d->first_text);
    al_free(d->texts);
    al_skips_done(&d->skips);
    al_skips_done(&d->damages);
    al_free(d);
}

/* ---- asking ---- */

size_t align_dataset_count(const align_dataset *d)
{
    return d->count;
}

const char *align_dataset_picture(const align_dataset *d, size_t i)
{
    return d->strings->data + d->places[i].name;
}

void align_dataset_place(const align_dataset *d, size_t i, align_data_place *out)
{
    const al_place *p = &d->places[i];
    const char *file = d->strings->data + p->file, *name = d->strings->data + p->name;
    const bool is_part = p->name != p->file; /* then it is called "FILE: MEMBER" */
    *out = (align_data_place){file, is_part ? name + strlen(file) + strlen(": ") : "", p->offset, p->size};
}

size_t align_dataset_texts(const align_dataset *d, size_t i)
{
    return d->first_text[i + 1] - d->first_text[i];
}

const char *align_dataset_text(const align_dataset *d, size_t i, size_t k)
{
    return d->strings->data + d->texts[d->first_text[i] + k];
}

size_t align_dataset_skipped(const align_dataset *d)
{
    return d->skips.count;
}

bool align_dataset_skip_reason(const align_dataset *d, size_t i, const char **where, const char **reason)
{
    return al_skips_get(&d->skips, i, where, reason);
}

const char *align_dataset_damage(const align_dataset *d, size_t i)
{
    const char *where, *reason;
    return al_skips_get(&d->damages, i, &where, &reason) ? reason : NULL;
}

align_status al_dataset_read(const align_dataset *d, size_t i, uint8_t **bytes, size_t *size, align_error *err)
{
    const al_place *p = &d->places[i];
    return al_file_read_part(bytes, size, d->strings->data + p->file, p->offset, p->size, PICTURE_LIMIT, err);
}

align_status align_dataset_image(const align_dataset *d, size_t i, const align_image_options *options, align_image *out,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    uint8_t *bytes = NULL;
    size_t size;
    if (!d || !out || i >= d->count)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "no data set, no such pair, or nowhere to put the picture");
    *out = (align_image){0, 0, 0, NULL};
    TRY(al_dataset_read(d, i, &bytes, &size, err));
    TRY(align_image_decode(out, bytes, size, align_dataset_picture(d, i), options, err));
done:
    al_free(bytes);
    return status;
}

/* ---- splitting ---- */

/* The pairs of d that are taken, or those that are not. */
static align_status select_pairs(align_dataset **out, const align_dataset *d, const bool *taken, bool which,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    align_dataset *part = NULL;
    size_t count = 0, texts = 0;
    for (size_t i = 0; i < d->count; i++)
        if (taken[i] == which) {
            count++;
            texts += align_dataset_texts(d, i);
        }
    TRY(al_dataset_new(&part, d->strings, count, texts, err));
    count = texts = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (taken[i] != which)
            continue;
        const size_t n = align_dataset_texts(d, i);
        part->places[count] = d->places[i];
        part->first_text[count++] = texts;
        memcpy(part->texts + texts, d->texts + d->first_text[i], n * sizeof *d->texts);
        texts += n;
    }
    part->first_text[count] = texts;
    *out = part;
done:
    return status;
}

align_status align_dataset_split(align_dataset **dataset, double fraction, uint64_t seed, align_dataset **validation,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    align_dataset *rest = NULL, *part = NULL;
    bool *taken = NULL;
    if (!dataset || !*dataset || !validation)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no data set to split, or nowhere to put its part");
    *validation = NULL;
    align_dataset *const d = *dataset;
    if (!(fraction > 0 && fraction < 1))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "validation: expected a fraction between 0 and 1, found %g", fraction);
    const size_t count = (size_t)((double)d->count * fraction + 0.5);
    if (count < 2 || d->count - count < 2)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "validation: a share of %g takes %zu of %zu pairs; expected at least 2, and 2 left to train with",
             fraction, count, d->count);
    taken = al_calloc(d->count, sizeof *taken);
    if (!taken) {
        status = al_error_no_memory(err, d->count);
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        taken[al_random_shuffled(seed, d->count, i)] = true;
    TRY(select_pairs(&part, d, taken, true, err));
    TRY(select_pairs(&rest, d, taken, false, err));
    rest->skips = d->skips;
    rest->damages = d->damages;
    d->skips = d->damages = (al_skips){0};
    align_dataset_free(d);
    *dataset = rest;
    *validation = part;
    part = NULL;
done:
    align_dataset_free(part);
    al_free(taken);
    return status;
}
