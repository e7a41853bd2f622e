/*
 * routes.c: the table of routes, and those of them that need no model.
 */
#include "routes.h"
#include "inputs.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool say_healthy(srv_request *request)
{
    srv_answer_json(&request->draft);
    srv_text_print(&request->draft.body, "{\"status\":\"ok\"}\n");
    return true;
}

static bool say_ready(srv_request *request)
{
    if (atomic_load(&request->service->draining))
        return srv_refuse(request, 503, "draining", NULL, "the server is about to end");
    srv_answer_json(&request->draft);
    srv_text_print(&request->draft.body, "{\"status\":\"ready\"}\n");
    return true;
}

static void write_model(srv_request *request, const char *name)
{
    const srv_service *service = request->service;
    srv_text *body = &request->draft.body;
    srv_text_print(body, "{\"id\":");
    srv_text_string(body, name);
    srv_text_print(body,
                   ",\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":\"align\",\"dimensions\":%" PRId64
                   ",\"max_tokens\":%" PRId64 ",\"temperature\":",
                   (int64_t)service->started, srv_engine_width(service->engine),
                   srv_engine_text_limit(service->engine));
    srv_text_float(body, align_model_temperature(service->model));
    srv_text_print(body, "}");
}

static bool list_models(srv_request *request)
{
    const srv_service *service = request->service;
    srv_text *body = &request->draft.body;
    srv_answer_json(&request->draft);
    srv_text_print(body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < service->n_names; i++) {
        srv_text_print(body, "%s", i > 0 ? "," : "");
        write_model(request, service->names[i]);
    }
    srv_text_print(body, "]}\n");
    return true;
}

static bool tell_model(srv_request *request)
{
    const char *name = srv_request_argument(request, "model");
    if (!srv_check_model(request, name))
        return false;
    srv_answer_json(&request->draft);
    write_model(request, name);
    srv_text_print(&request->draft.body, "\n");
    return true;
}

static bool write_metrics(srv_request *request)
{
    request->draft.status = 200;
    request->draft.type = "text/plain; version=0.0.4; charset=utf-8";
    srv_metrics_write(request->service->metrics, &request->draft.body);
    return true;
}

/* GET / and the rest of the page, and the description of the interface. */
static bool send_file(srv_request *request, const char *path)
{
    const srv_asset *asset = srv_asset_find(path);
    if (!asset)
        return srv_refuse(request, 404, "not_found", NULL, "there is no such file");
    request->draft.status = 200;
    request->draft.type = asset->type;
    request->draft.asset = asset;
    return true;
}

static bool send_asset(srv_request *request)
{
    return send_file(request, request->route->path);
}

/* A picture that the page offers to those who have none at hand. */
static bool send_example(srv_request *request)
{
    char path[64];
    snprintf(path, sizeof path, "/examples/%.40s", srv_request_argument(request, "name"));
    return send_file(request, path);
}

/* clang-format off */
const srv_route srv_routes[] = {
    /* method, path, takes, public, by workers, begin, finish */
    {"POST", "/v1/embeddings", SRV_TAKES_JSON, false, true, srv_embeddings_begin, srv_embeddings_finish},
    {"POST", "/v1/classify", SRV_TAKES_JSON | SRV_TAKES_FORM, false, true, srv_classify_begin, srv_classify_finish},
    {"POST", "/v1/similarity", SRV_TAKES_JSON | SRV_TAKES_FORM, false, true, srv_similarity_begin, srv_similarity_finish},
    {"POST", "/v1/search", SRV_TAKES_JSON | SRV_TAKES_FORM, false, true, srv_search_begin, srv_search_finish},
    {"GET", "/v1/thumbnails/{id}", 0, false, true, srv_thumbnail_begin, NULL},
    {"GET", "/v1/pictures/{id}", 0, false, true, srv_picture_begin, NULL},
    {"GET", "/v1/models", 0, false, false, list_models, NULL},
    {"GET", "/v1/models/{model}", 0, false, false, tell_model, NULL},
    {"GET", "/healthz", 0, true, false, say_healthy, NULL},
    {"GET", "/readyz", 0, true, false, say_ready, NULL},
    {"GET", "/metrics", 0, false, false, write_metrics, NULL},
    {"GET", "/openapi.json", 0, true, false, send_asset, NULL},
    {"GET", "/", 0, true, false, send_asset, NULL},
    {"GET", "/style.css", 0, true, false, send_asset, NULL},
    {"GET", "/app.js", 0, true, false, send_asset, NULL},
    {"GET", "/classify.js", 0, true, false, send_asset, NULL},
    {"GET", "/common.js", 0, true, false, send_asset, NULL},
    {"GET", "/search.js", 0, true, false, send_asset, NULL},
    {"GET", "/examples/{name}", 0, true, false, send_example, NULL},
};
/* clang-format on */
const size_t srv_n_routes = sizeof srv_routes / sizeof *srv_routes;

/* The last part of a path may be in braces: anything that is one part. */
static bool matches(const char *pattern, const char *path)
{
    const size_t fixed = strcspn(pattern, "{");
    if (pattern[fixed] == '\0')
        return strcmp(pattern, path) == 0;
    return strncmp(pattern, path, fixed) == 0 && path[fixed] != '\0' && !strchr(path + fixed, '/');
}

bool srv_route_read_path(srv_request *request, const char *path)
{
    char name[16];
    const char *pattern = request->route->path;
    const size_t fixed = strcspn(pattern, "{");
    if (pattern[fixed] == '\0')
        return true;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(pattern + fixed + 1, "}"), pattern + fixed + 1);
    srv_part *part = srv_request_add_part(request, name, true);
    return part && srv_part_append(part, path + fixed, strlen(path + fixed));
}

const srv_route *srv_route_find(const char *method, const char *path, const char **allow)
{
    *allow = NULL;
    for (size_t i = 0; i < srv_n_routes; i++) {
        const srv_route *route = &srv_routes[i];
        if (!matches(route->path, path))
            continue;
        const bool is_get = strcmp(route->method, "GET") == 0;
        if (strcmp(route->method, method) == 0 || (is_get && strcmp(method, "HEAD") == 0))
            return route;
        *allow = is_get ? "GET, HEAD" : route->method;
    }
    return NULL;
}

void srv_write_model(srv_request *request)
{
    srv_text_print(&request->draft.body, "\"model\":");
    srv_text_string(&request->draft.body, request->service->names[0]);
}

void srv_write_usage(srv_request *request)
{
    int64_t tokens = 0;
    for (size_t i = 0; i < request->n_jobs; i++)
        tokens += request->jobs[i].tokens;
    srv_text_print(&request->draft.body, "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 "}",
                   tokens, tokens);
}

bool srv_refuse_without_index(srv_request *request)
{
    return srv_refuse(request, 404, "no_index", NULL,
                      "no index is searched here: make one with 'align index DIR', and name it with 'align serve "
                      "--index PLACE'");
}
