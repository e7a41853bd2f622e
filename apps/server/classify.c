/*
 * classify.c: POST /v1/classify: which of some labels each picture shows, as `align classify` has it.
 *
 * A label's vector is the mean of its texts' embeddings, one text a template, at unit length again. A picture's logits
 * are picture . label / temperature, its probabilities their softmax over the labels; or, with "multi", each label's
 * against a label of nothing.
 *
 *     {"image": P | "images": [P...], "labels": [L...], "template": T | "templates": [T...], "multi": B, "top": K}
 *     fields of a form: image..., label..., template..., multi, top
 */
#include "inputs.h"
#include "routes.h"
#include "vectors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bytes: answers tell each label for every picture, and a template may have its label many times. */
#define LONGEST_LABEL 1024
#define LONGEST_TEXT  8192

typedef struct classify_plan {
    size_t n_pictures, n_labels, n_templates; /* jobs: pictures, then in each template the labels */
    bool multi;                               /* and then nothing */
    const char **labels, **templates;
    int64_t top; /* labels to tell of each picture */
} plan;

typedef struct label_guess {
    size_t label;
    float logit, probability;
} label_guess;

/* Labels, with nothing among them where it is needed. */
static size_t count_texts(const plan *p)
{
    return p->n_labels + p->multi;
}

/* ---- what was asked ---- */

static size_t count_holes(const char *template)
{
    size_t holes = 0;
    for (const char *hole = template; (hole = strstr(hole, "{}")) != NULL; hole += 2)
        holes++;
    return holes;
}

/* The template with the label in place of every "{}"; NULL without memory. */
static char *fill_template(srv_request *request, const char *template, const char *label)
{
    char *text = srv_request_alloc(request, strlen(template) + count_holes(template) * strlen(label) + 1, 1);
    char *end = text;
    for (const char *hole; text && (hole = strstr(template, "{}")) != NULL; template = hole + 2) {
        memcpy(end, template, (size_t)(hole - template));
        end = stpcpy(end + (hole - template), label);
    }
    if (text)
        strcpy(end, template);
    return text;
}

/* Strings of a field of JSON, one or an array of them. */
static bool read_strings(srv_request *request, const char *key, const char ***out, size_t *n)
{
    const json_t *field = json_object_get(request->json, key);
    *n = srv_count_items(field);
    const char **strings = *out = srv_request_alloc(request, *n, sizeof *strings);
    if (!strings)
        return srv_refuse_memory(request);
    for (size_t i = 0; i < *n; i++) {
        strings[i] = json_string_value(srv_get_item(field, i));
        if (!strings[i])
            return srv_refuse(request, 400, "invalid_value", key, "%s is to be strings", key);
    }
    return true;
}

static bool read_fields(srv_request *request, const char *name, const char ***out, size_t *n)
{
    *n = 0;
    *out = srv_request_alloc(request, srv_count_fields(request, name), sizeof **out);
    if (!*out)
        return srv_refuse_memory(request);
    for (const srv_part *part = request->parts; part; part = part->next)
        if (!part->is_argument && strcmp(part->name, name) == 0)
            (*out)[(*n)++] = part->bytes;
    return true;
}

/* Neither strings alone nor what they make together may be long. */
static bool check_lengths(srv_request *request, const plan *p)
{
    size_t longest = 0;
    for (size_t i = 0; i < p->n_labels; i++) {
        const size_t length = strlen(p->labels[i]);
        if (length > LONGEST_LABEL)
            return srv_refuse(request, 400, "invalid_value", "labels", "label %zu has more than %d bytes", i,
                              LONGEST_LABEL);
        longest = length > longest ? length : longest;
    }
    for (size_t i = 0; i < p->n_templates; i++) {
        const size_t length = strlen(p->templates[i]);
        if (length > LONGEST_TEXT || length + count_holes(p->templates[i]) * longest > LONGEST_TEXT)
            return srv_refuse(request, 400, "invalid_value", "templates",
                              "template %zu with a label in it has more than %d bytes", i, LONGEST_TEXT);
    }
    return true;
}

static bool check_plan(srv_request *request, plan *p)
{
    static const char *plain[] = {"{}"};
    if (p->n_templates == 0) {
        p->templates = plain;
        p->n_templates = 1;
    }
    for (size_t i = 0; i < p->n_templates; i++)
        if (!strstr(p->templates[i], "{}"))
            return srv_refuse(request, 400, "invalid_value", "templates", "template %zu has no {} where the label goes",
                              i);
    if (p->n_labels == 0)
        return srv_refuse(request, 400, "missing_input", "labels", "labels is to have at least one item");
    if (p->n_pictures == 0)
        return srv_refuse(request, 400, "missing_input", "image", "a picture is needed: image");
    const size_t most = request->service->max_inputs;
    if (count_texts(p) > most / p->n_templates || p->n_pictures + count_texts(p) * p->n_templates > most)
        return srv_refuse(request, 400, "too_many_inputs", NULL,
                          "pictures, and labels times templates, are more than %zu", most);
    return check_lengths(request, p);
}

static bool make_jobs(srv_request *request, plan *p)
{
    if (!srv_make_jobs(request, p->n_pictures + count_texts(p) * p->n_templates, "labels"))
        return false;
    srv_job *job = request->jobs + p->n_pictures;
    for (size_t t = 0; t < p->n_templates; t++)
        for (size_t i = 0; i < count_texts(p); i++) {
            const char *text = fill_template(request, p->templates[t], i < p->n_labels ? p->labels[i] : "");
            if (!text)
                return srv_refuse_memory(request);
            srv_set_text(request, job++, text, "labels", i);
        }
    return true;
}

static bool read_multi_field(srv_request *request, bool *out)
{
    const char *text = srv_get_field(request, "multi");
    *out = text && strcmp(text, "true") == 0;
    if (text && !*out && strcmp(text, "false") != 0)
        return srv_refuse(request, 400, "invalid_value", "multi", "multi is to be true or false");
    return true;
}

static bool begin_form(srv_request *request, plan *p)
{
    p->n_pictures = srv_count_fields(request, "image");
    if (!srv_check_model(request, srv_get_field(request, "model")) ||
        !read_fields(request, "label", &p->labels, &p->n_labels) ||
        !read_fields(request, "template", &p->templates, &p->n_templates) || !read_multi_field(request, &p->multi) ||
        !srv_read_field_whole(request, "top", 1, INT32_MAX, &p->top) || !check_plan(request, p) ||
        !make_jobs(request, p))
        return false;
    srv_read_files(request, request->jobs, "image");
    return true;
}

static bool begin_json(srv_request *request, plan *p)
{
    const char *model = NULL;
    if (!srv_read_json(request) || !srv_read_string(request, "model", &model) || !srv_check_model(request, model) ||
        !srv_read_flag(request, "multi", &p->multi) || !srv_read_whole(request, "top", 1, INT32_MAX, &p->top))
        return false;
    const bool many = json_object_get(request->json, "images") != NULL;
    const char *name = many ? "images" : "image";
    const char *templates = json_object_get(request->json, "templates") ? "templates" : "template";
    const json_t *pictures = json_object_get(request->json, name);
    p->n_pictures = srv_count_items(pictures);
    return read_strings(request, "labels", &p->labels, &p->n_labels) &&
           read_strings(request, templates, &p->templates, &p->n_templates) && check_plan(request, p) &&
           make_jobs(request, p) && srv_read_items(request, request->jobs, pictures, name, SRV_AS_PICTURE);
}

bool srv_classify_begin(srv_request *request)
{
    plan *p = request->plan = srv_request_alloc(request, 1, sizeof *p);
    if (!p)
        return srv_refuse_memory(request);
    p->top = INT32_MAX;
    return request->is_form ? begin_form(request, p) : begin_json(request, p);
}

/* ---- what it shows ---- */

/* The label's first text becomes its vector. */
static void average_templates(srv_request *request, const plan *p, size_t width)
{
    for (size_t i = 0; i < count_texts(p); i++) {
        float *sum = request->jobs[p->n_pictures + i].embedding;
        for (size_t t = 1; t < p->n_templates; t++) {
            const float *part = request->jobs[p->n_pictures + t * count_texts(p) + i].embedding;
            for (size_t k = 0; k < width; k++)
                sum[k] += part[k];
        }
        align_normalize(sum, 1, width); /* the mean's direction is the sum's */
    }
}

static int compare_guesses(const void *a, const void *b)
{
    const label_guess *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit < y->logit ? 1 : -1;
    return (x->label > y->label) - (x->label < y->label); /* ties keep the order that was given */
}

static void write_guesses(srv_request *request, const plan *p, const label_guess *guesses)
{
    srv_text *body = &request->draft.body;
    const size_t n = (size_t)p->top < p->n_labels ? (size_t)p->top : p->n_labels;
    for (size_t i = 0; i < n; i++) {
        srv_text_print(body, "%s{\"label\":", i > 0 ? "," : "");
        srv_text_string(body, p->labels[guesses[i].label]);
        srv_text_print(body, ",\"probability\":");
        srv_text_float(body, guesses[i].probability);
        srv_text_print(body, ",\"logit\":");
        srv_text_float(body, guesses[i].logit);
        srv_text_print(body, "}");
    }
}

/* What a picture says to each of the labels; logits has room for them and for nothing. */
static void make_guesses(const srv_request *request, const plan *p, size_t picture, float *logits, label_guess *guesses)
{
    const size_t width = (size_t)srv_engine_width(request->service->engine), n = p->n_labels;
    const float temperature = align_model_temperature(request->service->model);
    for (size_t i = 0; i < count_texts(p); i++)
        logits[i] =
            srv_dot(request->jobs[picture].embedding, request->jobs[p->n_pictures + i].embedding, width) / temperature;
    for (size_t i = 0; i < n; i++)
        guesses[i] = (label_guess){i, logits[i], p->multi ? 1 / (1 + expf(logits[n] - logits[i])) : 0};
    if (!p->multi) {
        align_softmax(logits, 1, n);
        for (size_t i = 0; i < n; i++)
            guesses[i].probability = logits[i];
    }
    qsort(guesses, n, sizeof *guesses, compare_guesses);
}

void srv_classify_finish(srv_request *request)
{
    const plan *p = request->plan;
    label_guess *guesses = srv_request_alloc(request, p->n_labels, sizeof *guesses);
    float *logits = srv_request_alloc(request, count_texts(p), sizeof *logits);
    if (!guesses || !logits) {
        srv_refuse_memory(request);
        return;
    }
    srv_text *body = &request->draft.body;
    average_templates(request, p, (size_t)srv_engine_width(request->service->engine));
    srv_answer_json(&request->draft);
    srv_text_print(body, "{\"results\":[");
    for (size_t picture = 0; picture < p->n_pictures; picture++) {
        make_guesses(request, p, picture, logits, guesses);
        srv_text_print(body, "%s{\"index\":%zu,\"labels\":[", picture > 0 ? "," : "", picture);
        write_guesses(request, p, guesses);
        srv_text_print(body, "]}");
    }
    srv_text_print(body, "],");
    srv_write_model(request);
    srv_text_print(body, ",");
    srv_write_usage(request);
    srv_text_print(body, "}\n");
}
