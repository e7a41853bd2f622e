#ifndef ALIGN_SERVER_SERVER_H
#define ALIGN_SERVER_SERVER_H
/*
 * server.h: `align serve` seen from above.
 *
 *   serve.c        the command: options, the model, signals
 *   server.c       listening, the HTTP library, ending in good order
 *   call.c         one exchange as the HTTP library has it: who asks, the body, the answer's headers
 *   watch.c        how long connections may take for what they do
 *   request.c      from a whole request to its answer
 *   routes.c       what can be asked: a table
 *   inputs.c       texts and pictures out of JSON
 *   embeddings.c   /v1/embeddings
 *   search.c       /v1/search: search_question.c reads what is asked
 *   pictures.c     /v1/thumbnails, /v1/pictures
 *   gallery.c      the index that is searched, and the way to its pictures; thumbnails.c makes small ones
 *   answer.c       answers and problems
 *   engine.c       many requests' texts and pictures, computed together; prepare.c and batch.c before and in the model
 *   cache.c        embeddings of texts that come again
 *   fetch.c        pictures from addresses of the web: a queue; download.c gets one, netaddr.c says from where
 *   auth.c         who may ask; rate.c how often; budget.c how much at a time
 *   metrics.c text.c
 *
 * Threads: the HTTP library's one, which moves bytes; the engine's workers, which read requests, tokenise, decode and
 * write answers; the engine's computing one; those that fetch pictures; and that of watch.c.
 */
#include "rate.h"
#include "request.h"
#include "watch.h"

typedef struct srv_settings {
    const char *host;
    int port;                   /* 0: any */
    const char *token;          /* NULL: none is needed */
    bool checks_host;           /* requests must be addressed to this machine */
    const char *const *origins; /* of pages elsewhere that may ask; "*": all */
    size_t n_origins;
    size_t max_body;                                      /* bytes */
    size_t max_held;                                      /* bytes of requests and answers in memory */
    unsigned max_connections, max_connections_per_client; /* 0: the latter is not limited */
    double client_rate;                                   /* requests of one address a second; 0: any number */
    double timeout;                                       /* seconds */
    bool logs, logs_json;
} srv_settings;

typedef struct srv_server {
    srv_settings settings;
    srv_service *service;
    srv_watch *watch;
    struct MHD_Daemon *daemon;
    int port; /* that it listens on */
    srv_budget budget;
    srv_rates *rates; /* or NULL */
} srv_server;

/* Service and what the settings point to must outlive the server. */
align_status srv_server_start(srv_server *server, srv_service *service, const srv_settings *settings, align_error *err);

/* Lets nobody in any more, and waits for the answers of those who are. Ends the server. */
void srv_server_drain(srv_server *server);
#endif
