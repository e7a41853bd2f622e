/*
 * search_question.c: what is asked of POST /v1/search.
 *
 *     {"text": T | [T...], "image": P | [P...], "vector": V, "like": ID | [ID...], "minus": T | [T...],
 *      "text_weight": 2, "image_weight": 1, "like_weight": 1, "minus_weight": 2,
 *      "top_k": 24, "skip": 0, "threshold": -1, "sort": "score" | "newest" | "oldest" | "path",
 *      "kind": "image" | "text" | "all", "folder": F | [F...], "since": SECONDS, "until": SECONDS}
 *
 * A form has the same fields, each as often as there are values, with pictures as files. It is made into JSON, but for
 * the files, and then read like that.
 */
#include "gallery.h"
#include "inputs.h"
#include "routes.h"
#include "search.h"
#include <stdlib.h>
#include <string.h>

#define TOP      24
#define MOST_TOP 200
#define MOST     10000 /* skipped, for each page costs what all before it do */

#define MOST_WEIGHT 100

#define LONGEST_NUMBER 32 /* characters of a field: it is read before its size in memory is known */

/* The paper found that a text should weigh twice as much as a picture. */
#define TEXT_WEIGHT  2
#define IMAGE_WEIGHT 1

/* ---- a form as JSON ---- */

static bool is_number_field(const char *name)
{
    static const char *const names[] = {"text_weight", "image_weight", "minus_weight", "like_weight", "like",
                                        "top_k",       "skip",         "threshold",    "since",       "until"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A text where a number was expected stays one, and is refused as such. */
static json_t *value_of_field(const srv_part *part)
{
    const bool is_number = is_number_field(part->name) && part->size <= LONGEST_NUMBER;
    json_t *number = is_number ? json_loadb(part->bytes, part->size, JSON_DECODE_ANY, NULL) : NULL;
    return number ? number : json_stringn(part->bytes, part->size);
}

static bool read_form(srv_request *request)
{
    request->json = json_object();
    for (const srv_part *part = request->parts; part; part = part->next) {
        if (part->is_argument || strcmp(part->name, "image") == 0)
            continue;
        json_t *value = value_of_field(part), *values = json_object_get(request->json, part->name);
        if (!value)
            return srv_refuse(request, 400, "invalid_value", part->name, "%.40s is to be UTF-8", part->name);
        if (!values && json_object_set_new(request->json, part->name, values = json_array()) != 0) {
            json_decref(value);
            return srv_refuse_memory(request);
        }
        if (json_array_append_new(values, value) != 0)
            return srv_refuse_memory(request);
    }
    return true;
}

/* The one value of a field; of a form it is in an array. */
static const json_t *value_of(const srv_request *request, const char *key)
{
    const json_t *value = json_object_get(request->json, key);
    if (json_is_array(value) && json_array_size(value) == 1)
        value = json_array_get(value, 0);
    return json_is_null(value) ? NULL : value;
}

/* ---- fields ---- */

static bool read_whole(srv_request *request, const char *key, int64_t least, int64_t most, int64_t *out)
{
    const json_t *value = value_of(request, key);
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
        return srv_refuse(request, 400, "invalid_value", key, "%s is to be a whole number from %lld to %lld", key,
                          (long long)least, (long long)most);
    *out = json_integer_value(value);
    return true;
}

static bool read_real(srv_request *request, const char *key, double least, double most, double *out)
{
    const json_t *value = value_of(request, key);
    if (!value)
        return true;
    if (!json_is_number(value) || !(json_number_value(value) >= least && json_number_value(value) <= most))
        return srv_refuse(request, 400, "invalid_value", key, "%s is to be a number from %g to %g", key, least, most);
    *out = json_number_value(value);
    return true;
}

/* One of some words, or NULL: its number; without the field *out stays as it is. */
static bool read_choice(srv_request *request, const char *key, const char *const *words, size_t n, size_t *out)
{
    const json_t *value = value_of(request, key);
    const char *word = json_string_value(value);
    if (!value)
        return true;
    for (size_t i = 0; i < n; i++)
        if (word && strcmp(word, words[i]) == 0) {
            *out = i;
            return true;
        }
    return srv_refuse(request, 400, "invalid_value", key, "%s is to be %s, %s or %s", key, words[0], words[1],
                      words[2]);
}

static bool read_order(srv_request *request, srv_search *s)
{
    static const char *const words[] = {"score", "newest", "oldest", "path"};
    static const align_item_order orders[] = {ALIGN_ORDER_SCORE, ALIGN_ORDER_NEWEST, ALIGN_ORDER_OLDEST,
                                              ALIGN_ORDER_PATH};
    const bool has_scores = srv_search_looks(request, s);
    size_t choice = has_scores ? 0 : 1;
    if (!read_choice(request, "sort", words, sizeof words / sizeof *words, &choice))
        return false;
    if (choice == 0 && !has_scores)
        return srv_refuse(request, 400, "invalid_value", "sort", "there are no scores where nothing is looked for");
    s->order = orders[choice];
    return true;
}

static bool read_kind(srv_request *request, srv_search *s)
{
    static const char *const words[] = {"image", "text", "all"};
    size_t choice = 0;
    if (!read_choice(request, "kind", words, sizeof words / sizeof *words, &choice))
        return false;
    s->filter.images = choice != 1;
    s->filter.texts = choice != 0;
    return true;
}

static bool read_numbers_of_vector(const json_t *field, float *out, size_t width)
{
    size_t n;
    if (!json_is_array(field))
        return json_string_length(field) <= 4 * width * sizeof *out &&
               srv_base64_decode((uint8_t *)out, &n, json_string_value(field), json_string_length(field)) &&
               n == width * sizeof *out;
    for (size_t i = 0; i < width; i++)
        out[i] = (float)json_number_value(json_array_get(field, i));
    return json_array_size(field) == width;
}

/* An embedding as /v1/embeddings gives it, of either format, brought to unit length. */
static bool read_vector(srv_request *request, srv_search *s)
{
    const size_t width = (size_t)srv_engine_width(request->service->engine);
    const double weight = 1;
    const json_t *field = value_of(request, "vector");
    if (!field)
        return true;
    float *given = srv_request_alloc(request, 4 * width, sizeof *given);
    s->vector = srv_request_alloc(request, width, sizeof *s->vector);
    if (!given || !s->vector)
        return srv_refuse_memory(request);
    if (!(json_is_array(field) || json_is_string(field)) || !read_numbers_of_vector(field, given, width) ||
        align_compose(s->vector, given, &weight, 1, width, NULL) != ALIGN_OK)
        return srv_refuse(request, 400, "invalid_value", "vector",
                          "vector is to be an embedding of %zu numbers, as an array or as base64", width);
    return true;
}

static bool read_likes(srv_request *request, srv_search *s)
{
    const json_t *field = json_object_get(request->json, "like");
    const size_t n = json_is_array(field) ? json_array_size(field) : field && !json_is_null(field) ? 1 : 0;
    if (n > request->service->max_inputs)
        return srv_refuse(request, 400, "too_many_inputs", "like", "like has more than %zu items",
                          request->service->max_inputs);
    s->likes = srv_request_alloc(request, n, sizeof *s->likes);
    if (!s->likes)
        return srv_refuse_memory(request);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(field) ? json_array_get(field, i) : field;
        if (!json_is_integer(id) || json_integer_value(id) < 1)
            return srv_refuse(request, 400, "invalid_value", "like", "like is to be ids of items in the index");
        s->likes[s->n_likes++] = json_integer_value(id);
    }
    return true;
}

/* ---- folders ---- */

/* What a client names is a part of what it was told of paths: no way up, no way to the root. */
static bool is_folder(const char *shown)
{
    return *shown && *shown != '/' && shown[strlen(shown) - 1] != '/';
}

static bool read_folder(srv_request *request, const json_t *field, char **folders, size_t *n)
{
    const char *shown = json_string_value(field);
    if (!shown || !is_folder(shown))
        return srv_refuse(request, 400, "invalid_value", "folder",
                          "folder is to be the beginning of paths, like 2024/beach");
    if (srv_gallery_find_folders(request->service->gallery, shown, folders, n, ALIGN_MOST_FOLDERS))
        return true;
    if (*n < ALIGN_MOST_FOLDERS)
        return srv_refuse_memory(request);
    return srv_refuse(request, 400, "too_many_inputs", "folder", "at most %d folders can be named", ALIGN_MOST_FOLDERS);
}

/* The paths of folders[n], which are freed, as strings of the request. */
static const char **keep_folders(srv_request *request, char **folders, size_t n)
{
    const char **kept = srv_request_alloc(request, n, sizeof *kept);
    for (size_t i = 0; i < n; i++) {
        const size_t size = strlen(folders[i]) + 1;
        char *copy = kept ? srv_request_alloc(request, size, 1) : NULL;
        if (copy)
            kept[i] = memcpy(copy, folders[i], size);
        else
            kept = NULL;
        free(folders[i]);
    }
    return kept;
}

static bool read_folders(srv_request *request, srv_search *s)
{
    char *folders[ALIGN_MOST_FOLDERS];
    size_t n = 0;
    const json_t *field = json_object_get(request->json, "folder");
    const size_t named = srv_count_items(field);
    bool ok = true;
    s->filter.folders = srv_gallery_folders(request->service->gallery, &s->filter.n_folders);
    if (named == 0)
        return true;
    for (size_t i = 0; i < named && ok; i++)
        ok = read_folder(request, srv_get_item(field, i), folders, &n);
    const char **kept = keep_folders(request, folders, n);
    if (!ok)
        return false;
    if (!kept)
        return srv_refuse_memory(request);
    if (n == 0)
        return srv_refuse(request, 404, "not_found", "folder", "there is no such folder");
    s->filter.folders = kept;
    s->filter.n_folders = n;
    return true;
}

/* ---- the whole ---- */

static bool read_inputs(srv_request *request, srv_search *s)
{
    const json_t *texts = json_object_get(request->json, "text"), *minus = json_object_get(request->json, "minus");
    const json_t *pictures = json_object_get(request->json, "image");
    s->n_pictures = request->is_form ? srv_count_fields(request, "image") : srv_count_items(pictures);
    s->n_texts = srv_count_items(texts);
    s->n_minus = srv_count_items(minus);
    if (s->n_pictures + s->n_texts + s->n_likes == 0 && !s->vector && s->n_minus > 0)
        return srv_refuse(request, 400, "missing_input", "text", "say what to look for, not only what not to find");
    const size_t n = s->n_pictures + s->n_texts + s->n_minus;
    if (n == 0)
        return true;
    if (!srv_make_jobs(request, n, "text"))
        return false;
    srv_job *jobs = request->jobs;
    if (request->is_form)
        srv_read_files(request, jobs, "image");
    else if (!srv_read_items(request, jobs, pictures, "image", SRV_AS_PICTURE))
        return false;
    return srv_read_items(request, jobs + s->n_pictures, texts, "text", SRV_AS_TEXT) &&
           srv_read_items(request, jobs + s->n_pictures + s->n_texts, minus, "minus", SRV_AS_TEXT);
}

static bool read_numbers(srv_request *request, srv_search *s)
{
    return read_real(request, "text_weight", 0, MOST_WEIGHT, &s->text_weight) &&
           read_real(request, "image_weight", 0, MOST_WEIGHT, &s->image_weight) &&
           read_real(request, "minus_weight", 0, MOST_WEIGHT, &s->minus_weight) &&
           read_real(request, "like_weight", 0, MOST_WEIGHT, &s->like_weight) &&
           read_real(request, "threshold", -1, 1, &s->threshold) &&
           read_whole(request, "top_k", 1, MOST_TOP, &s->top) && read_whole(request, "skip", 0, MOST, &s->skip) &&
           read_whole(request, "since", INT32_MIN, UINT32_MAX, &s->filter.from) &&
           read_whole(request, "until", INT32_MIN, UINT32_MAX, &s->filter.until);
}

bool srv_search_begin(srv_request *request)
{
    const align_query_options defaults = ALIGN_QUERY_OPTIONS_INIT;
    const char *model = NULL;
    if (!request->service->gallery)
        return srv_refuse_without_index(request);
    srv_search *s = request->plan = srv_request_alloc(request, 1, sizeof *s);
    if (!s)
        return srv_refuse_memory(request);
    *s = (srv_search){.text_weight = TEXT_WEIGHT,
                      .image_weight = IMAGE_WEIGHT,
                      .minus_weight = TEXT_WEIGHT,
                      .like_weight = IMAGE_WEIGHT,
                      .top = TOP,
                      .threshold = defaults.threshold,
                      .filter = defaults.filter};
    if (!(request->is_form ? read_form(request) : srv_read_json(request)))
        return false;
    if (value_of(request, "model") && !(model = json_string_value(value_of(request, "model"))))
        return srv_refuse(request, 400, "invalid_value", "model", "model is to be a string");
    return srv_check_model(request, model) && read_vector(request, s) && read_likes(request, s) &&
           read_inputs(request, s) && read_numbers(request, s) && read_order(request, s) && read_kind(request, s) &&
           read_folders(request, s);
}
