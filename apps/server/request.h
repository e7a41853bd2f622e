#ifndef ALIGN_SERVER_REQUEST_H
#define ALIGN_SERVER_REQUEST_H
/*
 * request.h: a request from its last byte to its answer.
 *
 * The network's thread gathers it and gives it to srv_request_start. A worker lets the route begin: judge what was
 * sent, and make jobs of it. When the last job is done, a worker lets the route finish: write the answer. Whoever first
 * has an answer claims the request, be it the route, the deadline, or the client by going away; the others' is dropped.
 *
 * Two hold a request: the connection that it came by, and the work that is done for it.
 */
#include "answer.h"
#include "budget.h"
#include "engine.h"
#include "fetch.h"
#include <jansson.h>

struct MHD_Connection;
typedef struct srv_request srv_request;

/* What a route takes. */
enum { SRV_TAKES_JSON = 1, SRV_TAKES_FORM = 2 };

typedef struct srv_route {
    const char *method, *path;
    unsigned takes;                       /* bodies; 0: none */
    bool is_public;                       /* answered without a token */
    bool by_workers;                      /* false: begin answers at once, in the network's thread */
    bool (*begin)(srv_request *request);  /* false: draft has the problem */
    void (*finish)(srv_request *request); /* writes the draft, once all jobs are done; NULL: begin did */
} srv_route;

/* One for all requests. */
typedef struct srv_service {
    const align_model *model;
    const align_processor *processor;
    srv_engine *engine;
    struct srv_gallery *gallery; /* the index that is searched, or NULL */
    srv_fetcher *fetcher;        /* or NULL: pictures are not fetched */
    srv_metrics *metrics;
    srv_budget *budget;       /* of all requests; the server sets it */
    const char *const *names; /* of the model; the first is the one that answers give */
    size_t n_names;
    size_t max_inputs; /* of a request */
    double deadline;   /* seconds that a request may take */
    time_t started;    /* since 1970 */
    bool needs_token;
    atomic_bool draining;
    void (*wake)(srv_request *request); /* the answer is there; in any thread */
} srv_service;

/* A named piece of a request: a field of a form, or an argument of the address. */
typedef struct srv_part {
    struct srv_part *next;
    char *name;
    char *bytes; /* zero-terminated */
    size_t size, capacity;
    bool is_argument;
} srv_part;

struct srv_request {
    srv_service *service;
    const srv_route *route;
    struct MHD_Connection *connection;
    double started;

    /* What was sent: gathered before the start. */
    bool is_form;
    char *body; /* zero-terminated, or NULL */
    size_t body_size, body_capacity;
    srv_part *parts, **last_part;

    /* What the route made of it. */
    json_t *json;
    srv_job *jobs;
    size_t n_jobs;
    srv_fetch *fetches; /* for some of the jobs, before all of them */
    size_t n_fetches;
    void *plan;       /* the route's own, of srv_request_alloc */
    srv_answer draft; /* what begin and finish write */

    srv_answer answer; /* of who claimed it; the network's thread reads it after `wake` */

    /* Bookkeeping. */
    srv_task task;
    atomic_size_t pending; /* fetches, then jobs */
    atomic_int holders;
    atomic_size_t reserved; /* of the budget */
    atomic_bool claimed;
    struct srv_block *memory;
};

srv_request *srv_request_new(srv_service *service); /* held once; NULL without memory */
void srv_request_hold(srv_request *request);
void srv_request_release(srv_request *request);

/* To be called with the request whole. There will be an answer, and `wake` will be called for it, perhaps before this
 * returns. */
void srv_request_start(srv_request *request);

/* Let the deadline, or a client that went away, claim the request; false: somebody had already. */
bool srv_request_expire(srv_request *request);
bool srv_request_abandon(srv_request *request);

/* The fetcher's (srv_fetcher_options). */
bool srv_request_reserve_for(const srv_job *job, size_t bytes);
void srv_request_fetched(srv_fetch *fetch);

/* The engine's two questions (srv_engine_options) about the jobs of requests. */
bool srv_request_wants(const srv_job *job);
void srv_request_job_done(srv_job *job);

/* ---- for routes ---- */

/* Takes bytes out of the budget, for as long as the request lives. False where there are not so many. */
bool srv_request_reserve(srv_request *request, size_t bytes);

/* Writes the problem to the draft (srv_answer_problem) and gives false. */
bool srv_refuse(srv_request *request, unsigned status, const char *code, const char *param, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
bool srv_refuse_memory(srv_request *request);
bool srv_refuse_busy(srv_request *request); /* the budget is spent */

/* Zeroed memory that lives as long as the request; NULL without memory. */
void *srv_request_alloc(srv_request *request, size_t count, size_t size);

/* Adds a part, copying its name; NULL without memory. */
srv_part *srv_request_add_part(srv_request *request, const char *name, bool is_argument);
bool srv_part_append(srv_part *part, const char *bytes, size_t n);

/* An argument of the address, or NULL. */
const char *srv_request_argument(const srv_request *request, const char *name);
#endif
