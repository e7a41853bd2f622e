/*
 * call.c: one exchange, in the HTTP library's thread: headers are judged, the body is gathered, the request goes to
 * work while its connection sleeps, and its answer is sent.
 *
 * A request that is refused by its headers still has its body read, and thrown away, so that the connection lives on;
 * unless that would be more than a body may be, or the client waits to be told to send it.
 */
#include "call.h"
#include "auth.h"
#include "routes.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_PARTS     4096
#define MOST_ARGUMENTS 64
#define MOST_HEADERS   (16 * 1024) /* bytes; less than the library has room for, so that the refusal is ours */
#define FORM_BUFFER    (64 * 1024)
#define SMALL_ANSWER   4096 /* is given also where memory is short */

typedef struct call {
    srv_server *server;
    srv_request *request;
    srv_connection *watched;
    struct MHD_PostProcessor *form;
    const char *origin; /* of a page elsewhere that may read the answer; of the connection */
    srv_part *field;    /* of a form, that is being read */
    size_t received;    /* bytes */
    size_t parts;       /* arguments and fields */
    bool in_work, is_preflight;
    unsigned status; /* that was sent */
} call;

static const char *header_of(const call *c, const char *name)
{
    return MHD_lookup_connection_value(c->request->connection, MHD_HEADER_KIND, name);
}

/* Gives a problem as the answer, unless there is one. */
#define REFUSE(c, ...)                                              \
    do {                                                            \
        if ((c)->request->answer.status == 0)                       \
            srv_answer_problem(&(c)->request->answer, __VA_ARGS__); \
    } while (0)

/* ---- the answer ---- */

/* What a browser may do with the page, and with what is none. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
static const char data_policy[] = "default-src 'none'; frame-ancestors 'none'; sandbox";

static const char *etag_of(const srv_answer *answer)
{
    return answer->asset ? answer->asset->etag : *answer->etag ? answer->etag : NULL;
}

static void add_headers(const call *c, struct MHD_Response *response)
{
    const srv_answer *answer = &c->request->answer;
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Frame-Options", "DENY");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Content-Security-Policy", answer->asset ? page_policy : data_policy);
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", c->origin ? "cross-origin" : "same-origin");
    MHD_add_response_header(response, "Cache-Control",
                            answer->asset   ? "no-cache"
                            : *answer->etag ? "private, max-age=600"
                                            : "no-store");
    if (answer->type)
        MHD_add_response_header(response, "Content-Type", answer->type);
    if (etag_of(answer))
        MHD_add_response_header(response, "ETag", etag_of(answer));
    if (answer->asset) {
        MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    }
    if (answer->retry_after > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", answer->retry_after);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    if (answer->allow)
        MHD_add_response_header(response, "Allow", answer->allow);
    if (answer->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"align\"");
    if (c->origin) {
        MHD_add_response_header(response, "Access-Control-Allow-Origin", c->origin);
        MHD_add_response_header(response, "Access-Control-Expose-Headers", "Retry-After");
        MHD_add_response_header(response, "Vary", "Origin");
    }
    if (c->is_preflight) {
        MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST");
        MHD_add_response_header(response, "Access-Control-Allow-Headers", "Authorization, Content-Type");
        MHD_add_response_header(response, "Access-Control-Max-Age", "600");
    }
    if (answer->closes || atomic_load(&c->request->service->draining))
        MHD_add_response_header(response, "Connection", "close");
}

static struct MHD_Response *make_response(srv_answer *answer, const char *if_none_match, size_t *size)
{
    const srv_asset *asset = answer->asset;
    if (etag_of(answer) && if_none_match && strcmp(if_none_match, etag_of(answer)) == 0) {
        answer->status = 304;
        answer->type = NULL;
        *size = 0;
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    if (asset) { /* the library wants no const, but leaves a persistent buffer as it is */
        *size = asset->size;
        return MHD_create_response_from_buffer(asset->size, (void *)(uintptr_t)asset->bytes, MHD_RESPMEM_PERSISTENT);
    }
    if (answer->has_file) {
        *size = (size_t)answer->file_size;
        answer->has_file = false; /* the file is the response's now */
        return MHD_create_response_from_fd64(answer->file_size, answer->file);
    }
    srv_text *body = &answer->body;
    *size = body->length;
    struct MHD_Response *response = MHD_create_response_from_buffer(body->length, body->bytes, MHD_RESPMEM_MUST_FREE);
    if (response)
        *body = (srv_text){0}; /* it is the library's now */
    return response;
}

static void count_answer(const call *c)
{
    static const srv_counter classes[] = {SRV_ANSWERS_OK, SRV_ANSWERS_OTHER, SRV_ANSWERS_REFUSED, SRV_ANSWERS_FAILED};
    srv_metrics *metrics = c->request->service->metrics;
    srv_count(metrics, classes[c->status / 100 - 2], 1);
    srv_observe(metrics, SRV_REQUEST_SECONDS, srv_now() - c->request->started);
}

/* Memory is short: instead of what there was to answer. */
static void answer_busy(call *c)
{
    srv_count(c->request->service->metrics, SRV_FULL, 1);
    srv_answer_problem(&c->request->answer, 503, "busy", NULL, SRV_BUSY);
    c->request->answer.retry_after = 1;
}

static enum MHD_Result send_answer(call *c)
{
    srv_answer *answer = &c->request->answer;
    size_t size;
    if (answer->body.failed)
        srv_answer_problem(answer, 503, "out_of_memory", NULL, "the server is out of memory");
    else if (answer->body.length > SMALL_ANSWER && !srv_request_reserve(c->request, answer->body.length))
        answer_busy(c);
    struct MHD_Response *response = make_response(answer, header_of(c, "If-None-Match"), &size);
    if (!response)
        return MHD_NO;
    add_headers(c, response);
    c->status = answer->status;
    srv_watch_enter(c->server->watch, c->watched, SRV_ANSWERING, NULL, size);
    const enum MHD_Result result = MHD_queue_response(c->request->connection, c->status, response);
    MHD_destroy_response(response);
    count_answer(c);
    return result;
}

/* ---- who asks, and for what ---- */

static bool is_allowed_origin(const srv_settings *settings, const char *origin)
{
    for (size_t i = 0; i < settings->n_origins; i++)
        if (strcmp(settings->origins[i], "*") == 0 || strcasecmp(settings->origins[i], origin) == 0)
            return true;
    return false;
}

static void judge_origin(call *c, const char *host)
{
    const srv_settings *settings = &c->server->settings;
    const char *origin = header_of(c, "Origin");
    if (settings->checks_host && !srv_is_loopback_name(host))
        REFUSE(c, 421, "wrong_host", NULL, "without a token, only requests to localhost are answered");
    if (origin && is_allowed_origin(settings, origin))
        c->origin = origin;
    else if (origin && !srv_is_same_origin(origin, host))
        REFUSE(c, 403, "wrong_origin", NULL, "pages of other origins may not ask");
}

/* Whether a Content-Type is this one, whatever its parameters. */
static bool is_type(const char *type, const char *name)
{
    const size_t length = strlen(name);
    return type && strncasecmp(type, name, length) == 0 && strchr("; \t", type[length]);
}

static void judge_body(call *c)
{
    const srv_request *request = c->request;
    const char *type = header_of(c, "Content-Type"), *length = header_of(c, "Content-Length");
    const char *encoding = header_of(c, "Content-Encoding");
    const unsigned takes = request->route->takes;
    if (length && (strlen(length) > 15 || strtoull(length, NULL, 10) > c->server->settings.max_body)) {
        REFUSE(c, 413, "body_too_large", NULL, "a body has at most %zu bytes", c->server->settings.max_body);
        c->request->answer.closes = true;
    }
    if (takes == 0)
        return;
    if (!length && !header_of(c, "Transfer-Encoding"))
        REFUSE(c, 411, "length_required", NULL, "a body is needed, and its Content-Length");
    if (encoding && strcasecmp(encoding, "identity") != 0)
        REFUSE(c, 415, "wrong_encoding", NULL, "bodies are not to be compressed");
    const bool is_json = is_type(type, "application/json"), is_form = is_type(type, "multipart/form-data");
    if (!((is_json && (takes & SRV_TAKES_JSON)) || (is_form && (takes & SRV_TAKES_FORM))))
        REFUSE(c, 415, "wrong_type", NULL, "the body's Content-Type is to be application/json%s",
               takes & SRV_TAKES_FORM ? " or multipart/form-data" : "");
    c->request->is_form = is_form;
}

static void find_route(call *c, const char *method, const char *path)
{
    const char *allow;
    c->request->route = srv_route_find(method, path, &allow);
    if (c->request->route && !srv_route_read_path(c->request, path))
        REFUSE(c, 503, "out_of_memory", NULL, "the server is out of memory");
    if (c->request->route || c->is_preflight)
        return;
    if (!allow) {
        REFUSE(c, 404, "not_found", NULL, "there is nothing under this address");
    } else {
        REFUSE(c, 405, "wrong_method", NULL, "this address takes %s", allow);
        c->request->answer.allow = allow;
    }
}

static const struct sockaddr *address_of(const call *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

static void judge_load(call *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const struct sockaddr *address = address_of(c);
    unsigned retry_after;
    if (c->server->rates && address && !srv_rates_admit(c->server->rates, address, c->request->started, &retry_after)) {
        srv_count(c->request->service->metrics, SRV_OFTEN, 1);
        REFUSE(c, 429, "too_often", NULL, "requests come too often from this address: try again later");
        c->request->answer.retry_after = retry_after;
    }
    if (info && info->header_size > MOST_HEADERS) {
        REFUSE(c, 431, "headers_too_large", NULL, "the headers of a request have at most %d bytes", MOST_HEADERS);
        c->request->answer.closes = true;
    }
}

static void judge(call *c, const char *method, const char *path)
{
    const char *token = c->server->settings.token;
    judge_load(c);
    judge_origin(c, header_of(c, "Host"));
    c->is_preflight = c->origin && strcmp(method, "OPTIONS") == 0;
    find_route(c, method, path);
    const srv_route *route = c->request->route;
    if (!route)
        return;
    if (token && !route->is_public && !srv_token_matches(token, header_of(c, "Authorization")))
        REFUSE(c, 401, "unauthorized", NULL, "a token is needed: Authorization: Bearer TOKEN");
    judge_body(c);
}

/* ---- the body ---- */

static enum MHD_Result add_argument(void *closure, enum MHD_ValueKind kind, const char *name, const char *value)
{
    call *c = closure;
    (void)kind;
    if (++c->parts > MOST_ARGUMENTS)
        return MHD_NO;
    srv_part *part = srv_request_add_part(c->request, name, true);
    return part && srv_part_append(part, value ? value : "", value ? strlen(value) : 0) ? MHD_YES : MHD_NO;
}

static void refuse_memory(call *c)
{
    REFUSE(c, 503, "out_of_memory", NULL, "the server is out of memory");
}

static enum MHD_Result add_field(void *closure, enum MHD_ValueKind kind, const char *name, const char *filename,
                                 const char *type, const char *encoding, const char *data, uint64_t offset, size_t size)
{
    call *c = closure;
    (void)kind;
    (void)filename;
    (void)type;
    (void)encoding;
    srv_request *request = c->request;
    if (offset == 0) {
        if (++c->parts > MOST_PARTS) {
            REFUSE(c, 413, "too_many_fields", NULL, "a form has at most %d fields", MOST_PARTS);
            return MHD_NO;
        }
        c->field = srv_request_add_part(request, name ? name : "", false);
    }
    if (!c->field || !srv_part_append(c->field, data, size)) {
        refuse_memory(c);
        return MHD_NO;
    }
    return MHD_YES;
}

static bool append_to_body(srv_request *request, const char *data, size_t n)
{
    if (request->body_size + n + 1 > request->body_capacity) {
        const size_t capacity = 2 * (request->body_size + n) + 1;
        char *longer = realloc(request->body, capacity);
        if (!longer)
            return false;
        request->body = longer;
        request->body_capacity = capacity;
    }
    memcpy(request->body + request->body_size, data, n);
    request->body_size += n;
    request->body[request->body_size] = '\0';
    return true;
}

/* Bytes of bodies that are kept are counted, for one request and for all. */
static bool has_room(call *c, size_t n)
{
    const srv_settings *settings = &c->server->settings;
    c->received += n;
    if (c->received > settings->max_body) {
        REFUSE(c, 413, "body_too_large", NULL, "a body has at most %zu bytes", settings->max_body);
        return false;
    }
    if (c->request->answer.status != 0)
        return false;
    if (!srv_request_reserve(c->request, n)) {
        answer_busy(c);
        return false;
    }
    return true;
}

static enum MHD_Result take_body(call *c, const char *data, size_t n)
{
    srv_watch_expect(c->server->watch, c->watched, n);
    if (!has_room(c, n))
        return c->received > 2 * c->server->settings.max_body ? MHD_NO : MHD_YES; /* nobody listens any more */
    if (c->form) {
        if (MHD_post_process(c->form, data, n) != MHD_YES)
            REFUSE(c, 400, "invalid_form", NULL, "the form is malformed");
    } else if (c->request->route->takes != 0 && !append_to_body(c->request, data, n)) {
        refuse_memory(c);
    }
    return MHD_YES;
}

/* A form that breaks off has its last field lost: the library tells when it is closed. */
static void close_form(call *c)
{
    if (c->form && MHD_destroy_post_processor(c->form) != MHD_YES)
        REFUSE(c, 400, "invalid_form", NULL, "the form is malformed");
    c->form = NULL;
}

/* ---- the exchange ---- */

static enum MHD_Result open_call(srv_server *server, struct MHD_Connection *connection, const char *path,
                                 const char *method, void **state)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    call *c = calloc(1, sizeof *c);
    srv_request *request = c ? srv_request_new(server->service) : NULL;
    if (!request || !info->socket_context) {
        if (request)
            srv_request_release(request);
        free(c);
        return MHD_NO;
    }
    *c = (call){.server = server, .request = request, .watched = info->socket_context};
    *state = c;
    request->connection = connection;
    srv_watch_enter(server->watch, c->watched, SRV_READING, NULL, 0);
    judge(c, method, path);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_argument, c);
    if (c->parts > MOST_ARGUMENTS)
        REFUSE(c, 400, "too_many_arguments", NULL, "an address has at most %d arguments", MOST_ARGUMENTS);
    if (request->answer.status == 0 && request->is_form &&
        !(c->form = MHD_create_post_processor(connection, FORM_BUFFER, add_field, c)))
        REFUSE(c, 400, "invalid_form", NULL, "the form's Content-Type has no boundary");
    const bool ends_now = request->answer.status != 0 && (request->answer.closes || header_of(c, "Expect"));
    return ends_now ? send_answer(c) : MHD_YES;
}

static enum MHD_Result work(call *c)
{
    srv_request *request = c->request;
    close_form(c);
    if (c->is_preflight && request->answer.status == 0)
        request->answer.status = 204;
    if (request->answer.status != 0)
        return send_answer(c);
    if (!request->route->by_workers) {
        request->route->begin(request);
        request->answer = request->draft;
        request->draft = (srv_answer){0};
        return send_answer(c);
    }
    c->in_work = true;
    MHD_suspend_connection(request->connection);
    srv_watch_enter(c->server->watch, c->watched, SRV_WORKING, request, 0);
    srv_request_start(request);
    return MHD_YES;
}

enum MHD_Result srv_call_handle(void *closure, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *data_size, void **state)
{
    call *c = *state;
    (void)version;
    if (!c)
        return open_call(closure, connection, url, method, state);
    if (*data_size > 0) {
        const size_t n = *data_size;
        *data_size = 0;
        return take_body(c, data, n);
    }
    return c->in_work ? send_answer(c) : work(c);
}

void srv_call_wake(srv_request *request)
{
    MHD_resume_connection(request->connection);
}

static void log_call(const call *c)
{
    const srv_request *request = c->request;
    const struct sockaddr *client = address_of(c);
    char address[INET6_ADDRSTRLEN] = "-";
    if (client && client->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)client)->sin_addr, address, sizeof address);
    else if (client && client->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr, address, sizeof address);
    const char *method = request->route ? request->route->method : "-",
               *path = request->route ? request->route->path : "-";
    const double milliseconds = 1000 * (srv_now() - request->started);
    const char *format = c->server->settings.logs_json
                             ? "{\"client\":\"%s\",\"method\":\"%s\",\"route\":\"%s\",\"status\":%u,\"ms\":%.1f,"
                               "\"bytes\":%zu,\"inputs\":%zu}\n"
                             : "%s %s %s %u %.1f ms, %zu bytes, %zu inputs\n";
    fprintf(stderr, format, address, method, path, c->status, milliseconds, c->received, request->n_jobs);
}

void srv_call_completed(void *closure, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode reason)
{
    srv_server *server = closure;
    call *c = *state;
    (void)connection;
    (void)reason;
    if (!c)
        return;
    if (c->form)
        MHD_destroy_post_processor(c->form);
    if (server->settings.logs)
        log_call(c);
    srv_watch_enter(server->watch, c->watched, SRV_IDLE, NULL, 0);
    srv_request_release(c->request);
    free(c);
    *state = NULL;
}

void srv_call_connection(void *closure, struct MHD_Connection *connection, void **socket_state,
                         enum MHD_ConnectionNotificationCode what)
{
    srv_server *server = closure;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_state = srv_watch_add(server->watch, info->connect_fd);
    } else {
        srv_watch_remove(server->watch, *socket_state);
        *socket_state = NULL;
    }
}
