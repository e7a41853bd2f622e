/*
 * read_json.c: pairs from JSON: an object a line, COCO's captions (images and annotations apart), and Karpathy's split
 * (images with their sentences).
 */
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>

/* ---- objects with a picture and texts ---- */

/* What an object holds under the key asked for, or under the first of the names that it has. */
static const json_t *value_of(const json_t *object, const char *asked, const char *const *names)
{
    if (asked)
        return json_object_get(object, asked);
    const json_t *value = NULL;
    for (; *names && !value; names++)
        value = json_object_get(object, *names);
    return value;
}

static align_status add_string(al_builder *b, size_t pair, const al_source *source, const json_t *text,
                               align_error *err)
{
    return al_builder_text(b, pair, source, json_string_value(text), json_string_length(text), err);
}

/* A string, or an array of strings or of objects that hold one ("raw" is Karpathy's word). */
static align_status add_texts(al_builder *b, size_t pair, const al_source *source, const json_t *value,
                              align_error *err)
{
    static const char *const names[] = {"raw", "caption", "text", NULL};
    align_status status = ALIGN_OK;
    if (json_is_string(value))
        return add_string(b, pair, source, value, err);
    if (!json_is_array(value))
        return al_builder_explain(b, pair, source,
                                  value && !json_is_null(value) ? "a caption that is no text" : "no caption", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        const json_t *text = json_is_object(item) ? value_of(item, NULL, names) : item;
        if (json_is_string(text))
            TRY(add_string(b, pair, source, text, err));
        else
            TRY(al_builder_explain(b, pair, source, "a caption that is no text", err));
    }
done:
    return status;
}

static align_status add_object(al_builder *b, const al_source *source, const json_t *object, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t pair;
    const json_t *picture = value_of(object, b->options->picture_column, al_picture_names);
    if (!json_is_string(picture) || !*json_string_value(picture))
        return al_builder_skip(b, source, err, "no path of a picture");
    TRY(al_builder_file(b, json_string_value(picture), &pair, err));
    TRY(add_texts(b, pair, source, value_of(object, b->options->text_column, al_text_names), err));
done:
    return status;
}

align_status al_read_caption_json(al_builder *b, size_t pair, const al_source *source, const char *json, size_t size,
                                  align_error *err)
{
    json_t *object;
    align_error reason = ALIGN_ERROR_INIT;
    align_status status = al_json_parse(&object, json, size, "caption", &reason);
    if (status == ALIGN_OK)
        status = add_texts(b, pair, source, value_of(object, b->options->text_column, al_text_names), err);
    else if (status == ALIGN_ERROR_OUT_OF_MEMORY)
        al_error_write(err, status, "%s", reason.message);
    else
        status = al_builder_explain(b, pair, source, reason.message, err);
    json_decref(object);
    return status;
}

/* ---- an object a line ---- */

static align_status add_line(al_builder *b, const al_source *source, const char *line, size_t size, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *object = NULL;
    char *name = al_format("%s, line %zu", source->file, source->number);
    if (!name)
        return al_error_no_memory(err, strlen(source->file));
    TRY(al_json_parse(&object, line, size, name, err));
    if (!json_is_object(object))
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: expected an object", name);
    TRY(add_object(b, source, object, err));
done:
    json_decref(object);
    al_free(name);
    return status;
}

static bool is_blank(const char *text, size_t size)
{
    while (size && strchr(" \t\r", *text)) {
        text++;
        size--;
    }
    return size == 0;
}

align_status al_read_json_lines(al_builder *b, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    al_map map;
    status = al_map_open(&map, path, err);
    if (status != ALIGN_OK)
        return status;
    const char *at = (const char *)map.data, *const end = at + map.size;
    for (size_t line = 1; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        if (!is_blank(at, (size_t)(stop - at)))
            TRY(add_line(b, &(al_source){path, "line", line}, at, (size_t)(stop - at), err));
        at = newline ? newline + 1 : end;
    }
done:
    al_map_close(&map);
    return status;
}

/* ---- COCO ---- */

typedef struct image_id {
    int64_t id;
    size_t pair;
} image_id;

static int compare_ids(const void *a, const void *b)
{
    const int64_t x = ((const image_id *)a)->id, y = ((const image_id *)b)->id;
    return x < y ? -1 : x > y;
}

static align_status add_images(al_builder *b, const char *path, const json_t *images, image_id *ids, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *image = json_array_get(images, i);
        const json_t *id = json_object_get(image, "id"), *name = json_object_get(image, "file_name");
        if (!json_is_integer(id) || !json_is_string(name))
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: images[%zu]: expected an object with an integer id and a file_name",
                 path, i);
        ids[i].id = json_integer_value(id);
        TRY(al_builder_file(b, json_string_value(name), &ids[i].pair, err));
    }
done:
    return status;
}

static align_status add_annotations(al_builder *b, const char *path, const json_t *annotations, const image_id *ids,
                                    size_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < json_array_size(annotations); i++) {
        const json_t *annotation = json_array_get(annotations, i), *id = json_object_get(annotation, "image_id");
        const al_source source = {path, "annotation", i};
        if (!json_is_integer(id))
            FAIL(err, ALIGN_ERROR_FORMAT, "%s: annotations[%zu]: expected an object with an integer image_id", path, i);
        const image_id wanted = {json_integer_value(id), 0};
        const image_id *found = bsearch(&wanted, ids, count, sizeof *ids, compare_ids);
        if (found)
            TRY(add_texts(b, found->pair, &source, json_object_get(annotation, "caption"), err));
        else
            TRY(al_builder_skip(b, &source, err, "there is no image %" PRId64, wanted.id));
    }
done:
    return status;
}

static align_status read_coco(al_builder *b, const char *path, const json_t *images, const json_t *annotations,
                              align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t count = json_array_size(images);
    image_id *ids = al_calloc(count, sizeof *ids);
    if (!ids)
        return al_error_no_memory(err, count * sizeof *ids);
    TRY(add_images(b, path, images, ids, err));
    qsort(ids, count, sizeof *ids, compare_ids);
    TRY(add_annotations(b, path, annotations, ids, count, err));
done:
    al_free(ids);
    return status;
}

/* ---- Karpathy ---- */

/* Whether a split is one of those asked for: "train+restval". */
static bool is_wanted(const char *asked, const char *split)
{
    const size_t n = strlen(split);
    while (asked) {
        const char *plus = strchr(asked, '+');
        if ((plus ? (size_t)(plus - asked) : strlen(asked)) == n && memcmp(asked, split, n) == 0)
            return true;
        asked = plus ? plus + 1 : NULL;
    }
    return false;
}

static align_status add_karpathy_image(al_builder *b, const char *path, size_t i, const json_t *image, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t pair;
    const char *folder = json_string_value(json_object_get(image, "filepath"));
    const char *name = json_string_value(json_object_get(image, "filename"));
    if (!name)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: images[%zu]: expected an object with a filename", path, i);
    char *joined = folder ? al_join_path(folder, name) : al_strdup(name);
    if (!joined)
        return al_error_no_memory(err, strlen(name));
    TRY(al_builder_file(b, joined, &pair, err));
    TRY(add_texts(b, pair, &(al_source){path, "image", i}, json_object_get(image, "sentences"), err));
done:
    al_free(joined);
    return status;
}

static align_status read_karpathy(al_builder *b, const char *path, const json_t *images, align_error *err)
{
    align_status status = ALIGN_OK;
    const char *asked = b->options->split, *other = "none";
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *image = json_array_get(images, i);
        const char *split = json_string_value(json_object_get(image, "split"));
        if (!asked || (split && is_wanted(asked, split)))
            TRY(add_karpathy_image(b, path, i, image, err));
        else if (split)
            other = split;
    }
    if (asked && b->n_pairs == 0)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: no image is of split \"%s\"; there is \"%s\"", path, asked, other);
done:
    return status;
}

/* ---- files of captions ---- */

static align_status read_objects(al_builder *b, const char *path, const json_t *array, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < json_array_size(array); i++)
        TRY(add_object(b, &(al_source){path, "object", i}, json_array_get(array, i), err));
done:
    return status;
}

/* Which of the forms a file has is plain from its content, but one that was asked for is insisted on. */
align_status al_read_captions(al_builder *b, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_data_format asked = b->options->format;
    json_t *root = NULL;
    TRY(al_json_load(&root, path, err));
    const json_t *images = json_object_get(root, "images"), *annotations = json_object_get(root, "annotations");
    const bool coco = json_is_array(images) && json_is_array(annotations) && asked != ALIGN_DATA_KARPATHY;
    const bool karpathy = json_is_array(images) && !coco && asked != ALIGN_DATA_COCO;
    if (b->options->split && !karpathy)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: only Karpathy's JSON has splits; asked for \"%s\"", path,
             b->options->split);
    if (coco)
        TRY(read_coco(b, path, images, annotations, err));
    else if (karpathy)
        TRY(read_karpathy(b, path, images, err));
    else if (json_is_array(root) && asked == ALIGN_DATA_AUTO)
        TRY(read_objects(b, path, root, err));
    else
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: expected %s", path,
             asked == ALIGN_DATA_COCO       ? "arrays \"images\" and \"annotations\""
             : asked == ALIGN_DATA_KARPATHY ? "an array \"images\""
                                            : "COCO's captions, Karpathy's split or an array of objects");
done:
    json_decref(root);
    return status;
}
