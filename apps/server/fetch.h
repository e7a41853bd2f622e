#ifndef ALIGN_SERVER_FETCH_H
#define ALIGN_SERVER_FETCH_H
/*
 * fetch.h: pictures of requests that are somewhere on the web. Threads of their own get them, since they wait most of
 * the time, for machines that nobody here knows: neither decoding nor the network's thread should wait with them.
 */
#include "download.h"
#include "engine.h"

/* A picture to get for a job. The caller's, until it is done. */
typedef struct srv_fetch {
    const char *url;
    srv_job *job;           /* gets the bytes; or an outcome, SRV_JOB_BAD, and the reason */
    char *bytes;            /* to be freed after the job; NULL: nothing came */
    struct srv_fetch *next; /* the fetcher's */
} srv_fetch;

typedef struct srv_fetcher_options {
    int threads;
    size_t max_waiting; /* fetches that may wait */
    srv_download_rules rules;
    srv_metrics *metrics;
    bool (*is_wanted)(const srv_job *job);
    bool (*reserve)(const srv_job *job, size_t bytes);
    void (*done)(srv_fetch *fetch); /* once a fetch, in a thread of the fetcher's */
} srv_fetcher_options;

typedef struct srv_fetcher srv_fetcher;

/* NULL without memory or threads. Where the program cannot fetch (srv_can_download), every fetch comes to nothing. */
srv_fetcher *srv_fetcher_open(const srv_fetcher_options *options);

/* Waits for all that were given; no more may be. */
void srv_fetcher_close(srv_fetcher *fetcher);

/* Takes n fetches, or none of them: false, where too many would wait. */
bool srv_fetcher_give(srv_fetcher *fetcher, srv_fetch *fetches, size_t n);
#endif
