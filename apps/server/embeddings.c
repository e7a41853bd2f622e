/*
 * embeddings.c: POST /v1/embeddings, as clients of OpenAI's interface speak it, with pictures among the inputs.
 */
#include "inputs.h"
#include "routes.h"
#include <inttypes.h>
#include <string.h>

typedef struct embeddings_plan {
    bool base64;
} plan;

static bool read_format(srv_request *request, plan *p)
{
    const char *format = "float", *user = NULL;
    if (!srv_read_string(request, "encoding_format", &format) || !srv_read_string(request, "user", &user))
        return false;
    p->base64 = strcmp(format, "base64") == 0;
    if (!p->base64 && strcmp(format, "float") != 0)
        return srv_refuse(request, 400, "invalid_value", "encoding_format", "encoding_format is 'float' or 'base64'");
    const int64_t width = srv_engine_width(request->service->engine);
    int64_t dimensions = width;
    if (!srv_read_whole(request, "dimensions", 1, INT32_MAX, &dimensions))
        return false;
    if (dimensions != width)
        return srv_refuse(request, 400, "dimensions_not_supported", "dimensions",
                          "embeddings of this model have %" PRId64 " dimensions: shorter ones are not made of them",
                          width);
    return true;
}

/* infinity has strings of pictures told by "modality". */
static bool read_modality(srv_request *request, srv_reading *reading)
{
    const char *modality = NULL;
    if (!srv_read_string(request, "modality", &modality))
        return false;
    if (!modality)
        return true;
    if (strcmp(modality, "text") == 0)
        *reading = SRV_AS_TEXT;
    else if (strcmp(modality, "image") == 0)
        *reading = SRV_AS_PICTURE;
    else
        return srv_refuse(request, 400, "invalid_value", "modality", "modality is 'text' or 'image'");
    return true;
}

bool srv_embeddings_begin(srv_request *request)
{
    srv_reading reading = SRV_AS_SEEMS;
    const char *model = NULL;
    bool truncate = true;
    plan *p = request->plan = srv_request_alloc(request, 1, sizeof *p);
    if (!p)
        return srv_refuse_memory(request);
    if (!srv_read_json(request) || !srv_read_string(request, "model", &model) || !srv_check_model(request, model) ||
        !read_format(request, p) || !read_modality(request, &reading) || !srv_read_flag(request, "truncate", &truncate))
        return false;
    const json_t *input = json_object_get(request->json, "input");
    if (!srv_make_jobs(request, srv_count_items(input), "input") ||
        !srv_read_items(request, request->jobs, input, "input", reading))
        return false;
    for (size_t i = 0; i < request->n_jobs; i++)
        request->jobs[i].whole = !truncate;
    return true;
}

void srv_embeddings_finish(srv_request *request)
{
    const plan *p = request->plan;
    const size_t width = (size_t)srv_engine_width(request->service->engine);
    srv_text *body = &request->draft.body;
    srv_answer_json(&request->draft);
    srv_text_print(body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < request->n_jobs; i++) {
        const float *embedding = request->jobs[i].embedding;
        srv_text_print(body, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", i > 0 ? "," : "", i);
        if (p->base64) { /* little-endian, as every machine that this runs on has them */
            srv_text_print(body, "\"");
            srv_text_base64(body, embedding, width * sizeof *embedding);
            srv_text_print(body, "\"");
        } else {
            srv_text_floats(body, embedding, width);
        }
        srv_text_print(body, "}");
    }
    srv_text_print(body, "],");
    srv_write_model(request);
    srv_text_print(body, ",");
    srv_write_usage(request);
    srv_text_print(body, "}\n");
}
