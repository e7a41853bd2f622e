#ifndef ALIGN_SERVER_ENGINE_H
#define ALIGN_SERVER_ENGINE_H
/*
 * engine.h: texts and pictures from many requests, embedded together.
 *
 * A job is one of them. Workers, a few threads, make jobs ready: texts become ids, pictures become pixels. One thread
 * owns the model's context and all cores of its team: it takes from the tower whose oldest job has waited longest, as
 * many ready jobs as a batch may have, runs them and hands out the embeddings. Workers also run the tasks of whoever
 * has work that should hold up neither the model nor the network.
 *
 * Knows nothing of HTTP. All functions may be called from any thread.
 */
#include "metrics.h"
#include <align/align.h>

typedef enum srv_tower { SRV_TEXT, SRV_PICTURE, SRV_TOWERS } srv_tower;

typedef enum srv_outcome {
    SRV_JOB_PENDING,
    SRV_JOB_DONE,
    SRV_JOB_BAD,    /* `reason` says in what way: words for a client */
    SRV_JOB_FAILED, /* not the input's fault */
    SRV_JOB_SKIPPED /* nobody waited any more */
} srv_outcome;

/* What a job is of stays the caller's, and must stay as it is until the job is done. */
typedef struct srv_job {
    srv_tower tower;
    const char *text;    /* UTF-8, or NULL: ids */
    const int64_t *ids;  /* in the vocabulary (srv_engine_vocabulary) */
    const char *bytes;   /* the file of a picture */
    size_t n_ids, size;  /* of ids; of bytes */
    bool is_base64;      /* bytes are its base64 */
    bool whole;          /* a text that is too long is bad input, not cut */
    float *embedding;    /* out: [width], of unit length */
    int64_t tokens;      /* out: of a text, as the model saw it */
    srv_outcome outcome; /* out */
    const char *reason;  /* out */
    const char *list;    /* a client calls it list[place] */
    size_t place;
    void *owner;

    /* The engine's own. */
    struct srv_job *next;
    double admitted, ready;
    int64_t *row;     /* [tokens] ids of a text */
    float *pixels;    /* of a picture */
    int64_t shape[4]; /* [1, channels, height, width] */
} srv_job;

/* Work for a worker. */
typedef struct srv_task {
    void (*run)(struct srv_task *task);
    struct srv_task *next;
} srv_task;

typedef struct srv_engine_options {
    int workers;                  /* 0: one more than cores, at least 3 */
    size_t max_batch[SRV_TOWERS]; /* jobs computed together */
    double max_wait;              /* seconds that a job which is ready waits for others */
    size_t max_jobs;              /* admitted and not done */
    size_t cache_bytes;           /* for embeddings of texts; 0: none are kept */
    int64_t max_pixels;           /* of a picture as its file says */
    srv_metrics *metrics;
    bool (*is_wanted)(const srv_job *job); /* whether somebody still waits; asked before each step */
    void (*done)(srv_job *job);            /* once a job, in a thread of the engine's: should be quick */
} srv_engine_options;

typedef struct srv_engine srv_engine;

/* Model, context and processor must outlive the engine, which has the context for itself. A tower or half that is
 * missing makes its jobs SRV_JOB_FAILED. */
align_status srv_engine_open(srv_engine **out, const align_model *model, align_context *context,
                             const align_processor *processor, const srv_engine_options *options, align_error *err);

/* Waits for all jobs and tasks; no more may be given. */
void srv_engine_close(srv_engine *engine);

int64_t srv_engine_width(const srv_engine *engine); /* of an embedding */
int64_t srv_engine_vocabulary(const srv_engine *engine);
int64_t srv_engine_text_limit(const srv_engine *engine); /* tokens that a text can have */

/* Admits n jobs together, or none: false, where there would be more than max_jobs. */
bool srv_engine_give(srv_engine *engine, srv_job *jobs, size_t n);

/* Whether even one job would be refused, and in how many seconds that might be different. */
bool srv_engine_is_full(srv_engine *engine);
unsigned srv_engine_retry_after(srv_engine *engine);

void srv_engine_run(srv_engine *engine, srv_task *task);
#endif
