/*
 * search.c: POST /v1/search: what in the index is nearest to texts, to pictures, or to all of them together, as
 * `align search` has it.
 *
 * What is looked for is the sum of the vectors of texts, pictures and rows of the index, each times its weight, less
 * those of what is not wanted. Where nothing is looked for, the answer lists what the index holds.
 */
#include "search.h"
#include "gallery.h"
#include "routes.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the vector to look for ---- */

bool srv_refuse_index(srv_request *request)
{
    return srv_refuse(request, 503, "index_unavailable", NULL, "the index cannot be read now");
}

static double weight_of(const srv_search *s, size_t job)
{
    if (job < s->n_pictures)
        return s->image_weight;
    return job < s->n_pictures + s->n_texts ? s->text_weight : -s->minus_weight;
}

/* The terms of the sum. */
typedef struct terms {
    size_t width, n;
    float *vectors; /* [n, width] */
    double *weights;
} terms;

static void add_term(terms *t, const float *vector, double weight)
{
    memcpy(t->vectors + t->n * t->width, vector, t->width * sizeof *vector);
    t->weights[t->n++] = weight;
}

static bool add_likes(srv_request *request, const srv_search *s, align_index *index, terms *t)
{
    for (size_t i = 0; i < s->n_likes; i++) {
        const align_status status = align_index_vector(index, s->likes[i], t->vectors + t->n * t->width, NULL);
        if (status == ALIGN_ERROR_NOT_FOUND)
            return srv_refuse(request, 404, "not_found", "like", "there is no item %" PRId64 " in the index",
                              s->likes[i]);
        if (status != ALIGN_OK)
            return srv_refuse_index(request);
        t->weights[t->n++] = s->like_weight;
    }
    return true;
}

/* NULL after a problem. */
static float *compose(srv_request *request, const srv_search *s, align_index *index)
{
    const size_t most = request->n_jobs + s->n_likes + 1; /* one for what the client has */
    terms t = {.width = (size_t)srv_engine_width(request->service->engine)};
    float *sum = srv_request_alloc(request, t.width, sizeof *sum);
    t.vectors = srv_request_alloc(request, most, t.width * sizeof *t.vectors);
    t.weights = srv_request_alloc(request, most, sizeof *t.weights);
    if (!sum || !t.vectors || !t.weights) {
        srv_refuse_memory(request);
        return NULL;
    }
    for (size_t i = 0; i < request->n_jobs; i++)
        add_term(&t, request->jobs[i].embedding, weight_of(s, i));
    if (s->vector)
        add_term(&t, s->vector, s->image_weight);
    if (!add_likes(request, s, index, &t))
        return NULL;
    const align_status status = align_compose(sum, t.vectors, t.weights, t.n, t.width, NULL);
    if (status == ALIGN_OK)
        return sum;
    if (status == ALIGN_ERROR_OUT_OF_MEMORY)
        srv_refuse_memory(request);
    else
        srv_refuse(request, 400, "nothing_left", NULL,
                   "what is looked for and what is not wanted cancel each other out");
    return NULL;
}

/* ---- what was found ---- */

typedef struct page {
    srv_request *request;
    int64_t seen, written; /* items that came, and those of them that are in the answer */
    bool more;             /* behind the last one that is written */
} page;

static void write_string(srv_text *body, const char *key, const char *value)
{
    srv_text_print(body, ",\"%s\":", key);
    if (*value)
        srv_text_string(body, value);
    else
        srv_text_print(body, "null");
}

static void write_number(srv_text *body, const char *key, int64_t value, bool is_known)
{
    if (is_known)
        srv_text_print(body, ",\"%s\":%" PRId64, key, value);
    else
        srv_text_print(body, ",\"%s\":null", key);
}

/* score NAN: there is none. */
static void write_item(page *p, const align_item *item, float score)
{
    srv_text *body = &p->request->draft.body;
    const bool is_image = item->kind == ALIGN_ITEM_IMAGE, is_file = is_image && *item->member == '\0';
    char *shown = srv_gallery_show(p->request->service->gallery, item->path);
    srv_text_print(body, "%s{\"id\":%" PRId64 ",\"kind\":\"%s\",\"score\":", p->written > 0 ? "," : "", item->id,
                   is_image ? "image" : "text");
    srv_text_float(body, score);
    body->failed = body->failed || !shown;
    write_string(body, "path", shown ? shown : "");
    write_string(body, "member", item->member);
    write_string(body, "caption", item->text);
    write_number(body, "width", item->width, item->width > 0);
    write_number(body, "height", item->height, item->height > 0);
    write_number(body, "taken", item->taken, item->taken != INT64_MIN);
    if (is_file)
        srv_text_print(body, ",\"thumbnail\":\"/v1/thumbnails/%" PRId64 "\",\"picture\":\"/v1/pictures/%" PRId64 "\"}",
                       item->id, item->id);
    else
        srv_text_print(body, ",\"thumbnail\":null,\"picture\":null}");
    free(shown);
    p->written++;
}

/* Takes the next item in order: one of the pages before, of this one, or a sign that there is another. */
static void take_item(page *p, const srv_search *s, const align_item *item, float score)
{
    for (size_t i = 0; i < s->n_likes; i++)
        if (item->id == s->likes[i])
            return; /* nothing is more like it than itself */
    if (p->written == s->top)
        p->more = true;
    else if (p->seen >= s->skip)
        write_item(p, item, score);
    p->seen++;
}

static bool find_nearest(page *p, const srv_search *s, align_index *index)
{
    align_hits hits;
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    const float *vector = compose(p->request, s, index);
    if (!vector)
        return false;
    /* Rows that are left out may be anywhere among them, so that a page cannot be skipped to. */
    options.top = s->skip + s->top + (int64_t)s->n_likes + 1;
    options.threshold = s->threshold;
    options.filter = s->filter;
    options.order = s->order;
    if (align_index_query(index, vector, 1, &options, &hits, NULL) != ALIGN_OK)
        return srv_refuse_index(p->request);
    for (size_t i = 0; i < hits.offsets[1]; i++)
        take_item(p, s, &hits.items[i], hits.scores[i]);
    align_hits_done(&hits);
    return true;
}

static bool list_items(page *p, const srv_search *s, align_index *index)
{
    align_cursor *cursor;
    align_item item;
    bool found = true;
    align_status status = align_cursor_open(&cursor, index, &s->filter, s->order, NULL);
    while (status == ALIGN_OK && found && !p->more) {
        status = align_cursor_next(cursor, &item, NULL, &found, NULL);
        if (status == ALIGN_OK && found)
            take_item(p, s, &item, NAN);
    }
    align_cursor_close(cursor);
    return status == ALIGN_OK || srv_refuse_index(p->request);
}

static bool write_results(srv_request *request, const srv_search *s, align_index *index)
{
    srv_text *body = &request->draft.body;
    page p = {.request = request};
    align_index_info info;
    srv_answer_json(&request->draft);
    srv_text_print(body, "{\"results\":[");
    const bool ok = srv_search_looks(request, s) ? find_nearest(&p, s, index) : list_items(&p, s, index);
    if (!ok)
        return false;
    if (align_index_get_info(index, &info, NULL) != ALIGN_OK)
        return srv_refuse_index(request);
    srv_text_print(body, "]");
    write_number(body, "next", s->skip + p.written, p.more);
    srv_text_print(body, ",\"index\":{\"images\":%" PRId64 ",\"texts\":%" PRId64 "},", info.images, info.texts);
    srv_write_model(request);
    srv_text_print(body, ",");
    srv_write_usage(request);
    srv_text_print(body, "}\n");
    return true;
}

void srv_search_finish(srv_request *request)
{
    srv_gallery *gallery = request->service->gallery;
    align_index *index = srv_gallery_take(gallery);
    if (!index) {
        srv_refuse_index(request);
        return;
    }
    write_results(request, request->plan, index);
    srv_gallery_give(gallery, index);
}
