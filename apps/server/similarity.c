/*
 * similarity.c: POST /v1/similarity: how near each of some items is to each of some others.
 *
 *     {"images": [P...], "texts": [T...]}   rows are pictures, columns texts
 *     {"left": [I...], "right": [I...]}     rows and columns are any items
 *     fields of a form: image..., text...
 */
#include "inputs.h"
#include "routes.h"
#include "vectors.h"

typedef struct similarity_plan {
    size_t n_rows, n_columns; /* jobs: the rows, then the columns */
} plan;

static bool make_jobs(srv_request *request, plan *p, const char *rows, const char *columns)
{
    if (p->n_rows == 0 || p->n_columns == 0)
        return srv_refuse(request, 400, "missing_input", p->n_rows == 0 ? rows : columns,
                          "both %s and %s are to have at least one item", rows, columns);
    return srv_make_jobs(request, p->n_rows + p->n_columns, rows);
}

static bool begin_form(srv_request *request, plan *p)
{
    p->n_rows = srv_count_fields(request, "image");
    p->n_columns = srv_count_fields(request, "text");
    if (!srv_check_model(request, srv_get_field(request, "model")) || !make_jobs(request, p, "image", "text"))
        return false;
    srv_read_files(request, request->jobs, "image");
    srv_read_texts(request, request->jobs + p->n_rows, "text");
    return true;
}

static bool begin_json(srv_request *request, plan *p)
{
    const char *model = NULL;
    if (!srv_read_json(request) || !srv_read_string(request, "model", &model) || !srv_check_model(request, model))
        return false;
    const bool any = json_object_get(request->json, "left") != NULL;
    const char *names[] = {any ? "left" : "images", any ? "right" : "texts"};
    const json_t *rows = json_object_get(request->json, names[0]), *columns = json_object_get(request->json, names[1]);
    p->n_rows = srv_count_items(rows);
    p->n_columns = srv_count_items(columns);
    return make_jobs(request, p, names[0], names[1]) &&
           srv_read_items(request, request->jobs, rows, names[0], any ? SRV_AS_SEEMS : SRV_AS_PICTURE) &&
           srv_read_items(request, request->jobs + p->n_rows, columns, names[1], any ? SRV_AS_SEEMS : SRV_AS_TEXT);
}

bool srv_similarity_begin(srv_request *request)
{
    plan *p = request->plan = srv_request_alloc(request, 1, sizeof *p);
    if (!p)
        return srv_refuse_memory(request);
    return request->is_form ? begin_form(request, p) : begin_json(request, p);
}

static void write_matrix(srv_text *body, const char *name, const float *values, const plan *p)
{
    srv_text_print(body, "\"%s\":[", name);
    for (size_t row = 0; row < p->n_rows; row++) {
        if (row > 0)
            srv_text_add(body, ",", 1);
        srv_text_floats(body, values + row * p->n_columns, p->n_columns);
    }
    srv_text_add(body, "],", 2);
}

void srv_similarity_finish(srv_request *request)
{
    const plan *p = request->plan;
    const size_t width = (size_t)srv_engine_width(request->service->engine), n = p->n_rows * p->n_columns;
    const float temperature = align_model_temperature(request->service->model);
    float *values = srv_request_alloc(request, n, sizeof *values);
    srv_text *body = &request->draft.body;
    if (!values) {
        srv_refuse_memory(request);
        return;
    }
    srv_answer_json(&request->draft);
    srv_text_print(body, "{");
    for (size_t i = 0; i < n; i++)
        values[i] = srv_dot(request->jobs[i / p->n_columns].embedding,
                            request->jobs[p->n_rows + i % p->n_columns].embedding, width);
    write_matrix(body, "cosines", values, p);
    for (size_t i = 0; i < n; i++)
        values[i] /= temperature;
    write_matrix(body, "logits", values, p);
    align_softmax(values, p->n_rows, p->n_columns);
    write_matrix(body, "probabilities", values, p);
    srv_write_model(request);
    srv_text_print(body, ",");
    srv_write_usage(request);
    srv_text_print(body, "}\n");
}
