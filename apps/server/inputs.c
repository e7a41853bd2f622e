/*
 * inputs.c: bodies of JSON, judged field by field.
 */
#include "inputs.h"
#include <inttypes.h>
#include <string.h>

/* Of a body: values (more could not be of use), objects and arrays (for each input, and besides), and how deep these
 * may be in each other. */
#define MOST_VALUES     400000
#define MOST_CONTAINERS 8
#define MORE_CONTAINERS 64
#define DEEPEST         32

#define MOST_FETCHES 16 /* pictures of a request that are fetched from addresses */

/* What values take when they are read, which is many times their bytes in the body. */
#define VALUE_BYTES     48
#define CONTAINER_BYTES 400

/* ---- the body ---- */

typedef struct extent {
    size_t values, containers, depth;
} extent;

/* Counts what is outside of strings: before every value but the first there is a comma or a bracket. */
static extent measure(const char *body, size_t size)
{
    extent e = {0};
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        const char c = body[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '[' || c == '{')) {
            e.containers++;
            depth++;
            e.depth = depth > e.depth ? depth : e.depth;
        } else if (!quoted && (c == ']' || c == '}')) {
            depth -= depth > 0;
        }
        e.values += !quoted && (c == ',' || c == '[' || c == '{');
    }
    return e;
}

/* The body before it is read: what it would take is known from a look at its punctuation. */
static bool check_extent(srv_request *request, const char *body)
{
    const extent e = measure(body, request->body_size);
    const size_t most = MOST_CONTAINERS * request->service->max_inputs + MORE_CONTAINERS;
    if (e.values > MOST_VALUES)
        return srv_refuse(request, 413, "too_many_values", NULL, "the body has more than %d values", MOST_VALUES);
    if (e.depth > DEEPEST)
        return srv_refuse(request, 400, "too_deep", NULL, "the body has arrays or objects in more than %d others",
                          DEEPEST);
    if (e.containers > most)
        return srv_refuse(request, 413, "too_many_values", NULL, "the body has more than %zu arrays and objects", most);
    return srv_request_reserve(request, e.values * VALUE_BYTES + e.containers * CONTAINER_BYTES) ||
           srv_refuse_busy(request);
}

bool srv_read_json(srv_request *request)
{
    json_error_t error;
    const char *body = request->body ? request->body : "";
    if (!check_extent(request, body))
        return false;
    request->json = json_loadb(body, request->body_size, JSON_REJECT_DUPLICATES, &error);
    if (request->json && json_is_object(request->json))
        return true;
    if (request->json)
        return srv_refuse(request, 400, "invalid_json", NULL, "the body is to be an object of JSON");
    if (error.line < 0) /* it did not come to reading: there was no memory */
        return srv_refuse_memory(request);
    return srv_refuse(request, 400, "invalid_json", NULL, "the body is not JSON%s: line %d, column %d",
                      json_error_code(&error) == json_error_duplicate_key ? ", for a name comes twice" : "", error.line,
                      error.column);
}

/* ---- fields ---- */

static const json_t *field_of(const srv_request *request, const char *key)
{
    const json_t *value = json_object_get(request->json, key);
    return json_is_null(value) ? NULL : value;
}

bool srv_read_whole(srv_request *request, const char *key, int64_t least, int64_t most, int64_t *out)
{
    const json_t *value = field_of(request, key);
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
        return srv_refuse(request, 400, "invalid_value", key, "%s is to be a whole number from %" PRId64 " to %" PRId64,
                          key, least, most);
    *out = json_integer_value(value);
    return true;
}

bool srv_read_flag(srv_request *request, const char *key, bool *out)
{
    const json_t *value = field_of(request, key);
    if (!value)
        return true;
    if (!json_is_boolean(value))
        return srv_refuse(request, 400, "invalid_value", key, "%s is to be true or false", key);
    *out = json_is_true(value);
    return true;
}

bool srv_read_string(srv_request *request, const char *key, const char **out)
{
    const json_t *value = field_of(request, key);
    if (!value)
        return true;
    if (!json_is_string(value))
        return srv_refuse(request, 400, "invalid_value", key, "%s is to be a string", key);
    *out = json_string_value(value);
    return true;
}

bool srv_check_model(srv_request *request, const char *name)
{
    const srv_service *service = request->service;
    for (size_t i = 0; i < service->n_names; i++)
        if (!name || strcmp(service->names[i], name) == 0)
            return true;
    return srv_refuse(request, 404, "model_not_found", "model", "no model of that name is served here; %s is",
                      service->names[0]);
}

/* ---- jobs ---- */

bool srv_make_jobs(srv_request *request, size_t n, const char *param)
{
    const size_t width = (size_t)srv_engine_width(request->service->engine);
    if (n == 0)
        return srv_refuse(request, 400, "missing_input", param, "%s is to have at least one item", param);
    if (n > request->service->max_inputs)
        return srv_refuse(request, 400, "too_many_inputs", param, "%s has more than %zu items", param,
                          request->service->max_inputs);
    request->jobs = srv_request_alloc(request, n, sizeof *request->jobs);
    float *embeddings = srv_request_alloc(request, n, width * sizeof *embeddings);
    if (!request->jobs || !embeddings)
        return srv_refuse_memory(request);
    for (size_t i = 0; i < n; i++)
        request->jobs[i].embedding = embeddings + i * width;
    request->n_jobs = n;
    return true;
}

static void name_job(srv_request *request, srv_job *job, srv_tower tower, const char *list, size_t place)
{
    job->tower = tower;
    job->owner = request;
    job->list = list;
    job->place = place;
}

void srv_set_text(srv_request *request, srv_job *job, const char *text, const char *list, size_t place)
{
    name_job(request, job, SRV_TEXT, list, place);
    job->text = text;
}

void srv_set_file(srv_request *request, srv_job *job, const char *bytes, size_t size, const char *list, size_t place)
{
    name_job(request, job, SRV_PICTURE, list, place);
    job->bytes = bytes;
    job->size = size;
}

/* ---- items ---- */

size_t srv_count_items(const json_t *field)
{
    if (!field || json_is_null(field))
        return 0;
    if (!json_is_array(field))
        return 1;
    const size_t n = json_array_size(field);
    return n > 0 && json_is_integer(json_array_get(field, 0)) ? 1 : n; /* the ids of one text */
}

const json_t *srv_get_item(const json_t *field, size_t i)
{
    return json_is_array(field) && !json_is_integer(json_array_get(field, 0)) ? json_array_get(field, i) : field;
}

/* Which item of which field is being read. */
typedef struct place {
    const char *list;
    size_t number;
    srv_reading reading;
} place;

static bool refuse_item(srv_request *request, const place *at, const char *what)
{
    char param[64];
    snprintf(param, sizeof param, "%.40s[%zu]", at->list, at->number);
    return srv_refuse(request, 400, "invalid_input", param, "%s: %s", param, what);
}

static bool read_ids(srv_request *request, srv_job *job, const json_t *array, const place *at)
{
    const size_t n = json_array_size(array);
    const int64_t vocabulary = srv_engine_vocabulary(request->service->engine);
    int64_t *ids = srv_request_alloc(request, n, sizeof *ids);
    if (!ids)
        return srv_refuse_memory(request);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(array, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= vocabulary)
            return refuse_item(request, at, "token ids are to be whole numbers within the model's vocabulary");
        ids[i] = json_integer_value(id);
    }
    name_job(request, job, SRV_TEXT, at->list, at->number);
    job->ids = ids;
    job->n_ids = n;
    return true;
}

static bool read_text(srv_request *request, srv_job *job, const json_t *text, const place *at)
{
    if (json_is_array(text))
        return read_ids(request, job, text, at);
    if (!json_is_string(text))
        return refuse_item(request, at, "a text is to be a string");
    srv_set_text(request, job, json_string_value(text), at->list, at->number);
    return true;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* A picture that is to be fetched, where the server does that. */
static bool read_address(srv_request *request, srv_job *job, const char *url, const place *at)
{
    if (!request->service->fetcher)
        return refuse_item(request, at, "pictures are not fetched from addresses: send them as base64");
    if (!request->fetches)
        request->fetches = srv_request_alloc(request, MOST_FETCHES, sizeof *request->fetches);
    if (!request->fetches)
        return srv_refuse_memory(request);
    if (request->n_fetches == MOST_FETCHES)
        return refuse_item(request, at, "too many pictures are to be fetched from addresses");
    srv_set_file(request, job, NULL, 0, at->list, at->number);
    request->fetches[request->n_fetches++] = (srv_fetch){.url = url, .job = job};
    return true;
}

static bool read_picture(srv_request *request, srv_job *job, const json_t *picture, const place *at)
{
    const json_t *url = json_object_get(picture, "url");
    const json_t *value = url ? url : picture;
    const char *text = json_string_value(value);
    if (!text)
        return refuse_item(request, at, "a picture is to be a string: base64, or a data: address of it");
    size_t length = json_string_length(value);
    if (begins_with(text, "http:") || begins_with(text, "https:"))
        return read_address(request, job, text, at);
    if (begins_with(text, "data:")) {
        const char *comma = strchr(text, ',');
        if (!comma || comma - text < 7 || strncmp(comma - 7, ";base64", 7) != 0)
            return refuse_item(request, at, "a data: address is to have ';base64,' before its data");
        length -= (size_t)(comma + 1 - text);
        text = comma + 1;
    }
    srv_set_file(request, job, text, length, at->list, at->number);
    job->is_base64 = true;
    return true;
}

static bool read_item(srv_request *request, srv_job *job, const json_t *item, const place *at);

/* An object says by its fields which of the two it is. */
static bool read_object(srv_request *request, srv_job *job, const json_t *item, const place *at)
{
    static const char *const picture_fields[] = {"image", "image_url", "image_base64"};
    const json_t *text = json_object_get(item, "text"), *content = json_object_get(item, "content"), *picture = NULL;
    for (size_t i = 0; i < sizeof picture_fields / sizeof *picture_fields && !picture; i++)
        picture = json_object_get(item, picture_fields[i]);
    if ((text != NULL) + (picture != NULL) + (content != NULL) != 1)
        return refuse_item(request, at, "an item is to have either a text or an image");
    if (text)
        return read_text(request, job, text, at);
    if (picture)
        return read_picture(request, job, picture, at);
    if (json_is_string(content))
        return read_text(request, job, content, at);
    const json_t *part = json_array_get(content, 0);
    if (json_array_size(content) != 1 || json_object_get(part, "content"))
        return refuse_item(request, at, "content is to be one text or one image: an embedding is of one of them");
    return read_item(request, job, part, at);
}

static bool read_item(srv_request *request, srv_job *job, const json_t *item, const place *at)
{
    if (json_is_object(item) && !(at->reading == SRV_AS_PICTURE && json_object_get(item, "url")))
        return read_object(request, job, item, at);
    const char *string = json_string_value(item);
    const bool seems_picture = string && begins_with(string, "data:image/");
    if (at->reading == SRV_AS_PICTURE || (at->reading == SRV_AS_SEEMS && seems_picture))
        return read_picture(request, job, item, at);
    return read_text(request, job, item, at);
}

bool srv_read_items(srv_request *request, srv_job *jobs, const json_t *field, const char *name, srv_reading reading)
{
    const size_t n = srv_count_items(field);
    for (size_t i = 0; i < n; i++)
        if (!read_item(request, &jobs[i], srv_get_item(field, i), &(place){name, i, reading}))
            return false;
    return true;
}
