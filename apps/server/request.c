/*
 * request.c: who holds a request, who answers it, and what happens in between.
 */
#include "request.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

typedef struct srv_block {
    struct srv_block *next;
    max_align_t bytes[];
} block;

void *srv_request_alloc(srv_request *request, size_t count, size_t size)
{
    if (size > 0 && count > (SIZE_MAX - sizeof(block)) / size)
        return NULL;
    block *b = calloc(1, sizeof *b + count * size);
    if (!b)
        return NULL;
    b->next = request->memory;
    request->memory = b;
    return b->bytes;
}

bool srv_refuse(srv_request *request, unsigned status, const char *code, const char *param, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    srv_answer_problem_v(&request->draft, status, code, param, format, args);
    va_end(args);
    return false;
}

bool srv_refuse_memory(srv_request *request)
{
    return srv_refuse(request, 503, "out_of_memory", NULL, "the server is out of memory");
}

bool srv_request_reserve(srv_request *request, size_t bytes)
{
    if (!srv_budget_take(request->service->budget, bytes))
        return false;
    atomic_fetch_add(&request->reserved, bytes);
    return true;
}

bool srv_refuse_busy(srv_request *request)
{
    srv_count(request->service->metrics, SRV_FULL, 1);
    srv_refuse(request, 503, "busy", NULL, SRV_BUSY);
    request->draft.retry_after = 1;
    return false;
}

/* ---- parts ---- */

srv_part *srv_request_add_part(srv_request *request, const char *name, bool is_argument)
{
    const size_t length = strlen(name);
    srv_part *part = srv_request_alloc(request, 1, sizeof *part);
    char *copy = part ? srv_request_alloc(request, length + 1, 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, name, length);
    part->name = copy;
    part->is_argument = is_argument;
    if (!srv_part_append(part, "", 0))
        return NULL;
    *request->last_part = part;
    request->last_part = &part->next;
    return part;
}

bool srv_part_append(srv_part *part, const char *bytes, size_t n)
{
    if (n >= SIZE_MAX / 2 - part->size)
        return false;
    if (part->size + n + 1 > part->capacity) {
        const size_t capacity = 2 * (part->size + n) + 1;
        char *longer = realloc(part->bytes, capacity);
        if (!longer)
            return false;
        part->bytes = longer;
        part->capacity = capacity;
    }
    memcpy(part->bytes + part->size, bytes, n);
    part->size += n;
    part->bytes[part->size] = '\0';
    return true;
}

const char *srv_request_argument(const srv_request *request, const char *name)
{
    for (const srv_part *part = request->parts; part; part = part->next)
        if (part->is_argument && strcmp(part->name, name) == 0)
            return part->bytes;
    return NULL;
}

/* ---- holding ---- */

srv_request *srv_request_new(srv_service *service)
{
    srv_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    request->service = service;
    request->started = srv_now();
    request->last_part = &request->parts;
    atomic_init(&request->holders, 1);
    return request;
}

void srv_request_hold(srv_request *request)
{
    atomic_fetch_add(&request->holders, 1);
}

void srv_request_release(srv_request *request)
{
    if (atomic_fetch_sub(&request->holders, 1) > 1)
        return;
    for (srv_part *part = request->parts; part; part = part->next)
        free(part->bytes);
    for (size_t i = 0; i < request->n_fetches; i++)
        free(request->fetches[i].bytes);
    while (request->memory) {
        block *next = request->memory->next;
        free(request->memory);
        request->memory = next;
    }
    json_decref(request->json);
    srv_answer_done(&request->draft);
    srv_answer_done(&request->answer);
    srv_budget_give(request->service->budget, atomic_load(&request->reserved));
    free(request->body);
    free(request);
}

/* ---- answering ---- */

static bool claim(srv_request *request)
{
    return !atomic_exchange(&request->claimed, true);
}

bool srv_request_expire(srv_request *request)
{
    if (!claim(request))
        return false;
    srv_count(request->service->metrics, SRV_LATE, 1);
    srv_answer_problem(&request->answer, 504, "deadline", NULL, "the answer would have come too late");
    request->answer.retry_after = srv_engine_retry_after(request->service->engine);
    request->service->wake(request);
    return true;
}

bool srv_request_abandon(srv_request *request)
{
    if (!claim(request))
        return false;
    srv_count(request->service->metrics, SRV_GONE, 1);
    srv_answer_problem(&request->answer, 408, "gone", NULL, "the client went away");
    request->answer.closes = true;
    request->service->wake(request);
    return true;
}

/* Ends the work on a request: its draft is the answer, if none was given yet. */
static void publish(srv_request *request)
{
    if (claim(request)) {
        if (request->draft.body.failed)
            srv_refuse_memory(request);
        request->answer = request->draft;
        request->draft = (srv_answer){0};
        request->service->wake(request);
    }
    srv_request_release(request);
}

/* ---- working ---- */

static srv_request *request_of(srv_task *task)
{
    return (srv_request *)(void *)((char *)task - offsetof(srv_request, task));
}

bool srv_request_wants(const srv_job *job)
{
    const srv_request *request = job->owner;
    return !atomic_load(&request->claimed);
}

/* False, with a problem, if a job came to nothing. */
static bool check_job(srv_request *request, const srv_job *job)
{
    char param[64];
    snprintf(param, sizeof param, "%.40s[%zu]", job->list, job->place);
    if (job->outcome == SRV_JOB_BAD)
        return srv_refuse(request, 400, "invalid_input", param, "%s: %s", param, job->reason);
    if (job->outcome != SRV_JOB_DONE)
        return srv_refuse(request, 500, "not_computed", param, "%s: %s", param,
                          job->reason ? job->reason : "it was not computed");
    return true;
}

static bool check_jobs(srv_request *request)
{
    for (size_t i = 0; i < request->n_jobs; i++)
        if (!check_job(request, &request->jobs[i]))
            return false;
    return true;
}

static void finish(srv_task *task)
{
    srv_request *request = request_of(task);
    if (!atomic_load(&request->claimed) && check_jobs(request))
        request->route->finish(request);
    publish(request);
}

void srv_request_job_done(srv_job *job)
{
    srv_request *request = job->owner;
    if (atomic_fetch_sub(&request->pending, 1) > 1)
        return;
    request->task.run = finish;
    srv_engine_run(request->service->engine, &request->task);
}

static void refuse_full(srv_request *request)
{
    srv_engine *engine = request->service->engine;
    srv_count(request->service->metrics, SRV_FULL, 1);
    srv_refuse(request, 429, "queue_full", NULL, "too many inputs wait to be computed: try again later");
    request->draft.retry_after = srv_engine_retry_after(engine);
}

/* Has all jobs computed, or the refusal published. */
static void give_jobs(srv_request *request)
{
    atomic_store(&request->pending, request->n_jobs);
    if (!srv_engine_give(request->service->engine, request->jobs, request->n_jobs)) {
        refuse_full(request);
        publish(request);
    }
}

static bool check_fetches(srv_request *request)
{
    for (size_t i = 0; i < request->n_fetches; i++)
        if (request->fetches[i].job->outcome == SRV_JOB_BAD)
            return check_job(request, request->fetches[i].job);
    return true;
}

static void go_on_with_fetched(srv_task *task)
{
    srv_request *request = request_of(task);
    if (atomic_load(&request->claimed) || !check_fetches(request))
        publish(request);
    else
        give_jobs(request);
}

bool srv_request_reserve_for(const srv_job *job, size_t bytes)
{
    return srv_request_reserve(job->owner, bytes);
}

void srv_request_fetched(srv_fetch *fetch)
{
    srv_request *request = fetch->job->owner;
    if (atomic_fetch_sub(&request->pending, 1) > 1)
        return;
    request->task.run = go_on_with_fetched;
    srv_engine_run(request->service->engine, &request->task);
}

static void give_fetches(srv_request *request)
{
    atomic_store(&request->pending, request->n_fetches);
    if (!srv_fetcher_give(request->service->fetcher, request->fetches, request->n_fetches)) {
        refuse_full(request);
        publish(request);
    }
}

static void begin(srv_task *task)
{
    srv_request *request = request_of(task);
    if (atomic_load(&request->claimed) || !request->route->begin(request)) {
        publish(request);
    } else if (request->n_fetches > 0) {
        give_fetches(request);
    } else if (request->n_jobs > 0) {
        give_jobs(request);
    } else {
        if (request->route->finish)
            request->route->finish(request);
        publish(request);
    }
}

void srv_request_start(srv_request *request)
{
    srv_request_hold(request);
    if (srv_engine_is_full(request->service->engine)) {
        refuse_full(request);
        publish(request);
        return;
    }
    request->task.run = begin;
    srv_engine_run(request->service->engine, &request->task);
}
