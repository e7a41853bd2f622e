#ifndef ALIGN_SERVER_WATCH_H
#define ALIGN_SERVER_WATCH_H
/*
 * watch.h: what every connection is doing, and for how long it may. A thread looks at all of them some times a second:
 * it closes those whose clients are too slow, lets requests expire whose deadline has passed, and finds out which
 * clients went away while their request was in work, when the HTTP library does not look at the connection.
 */
#include "request.h"

typedef enum srv_phase {
    SRV_IDLE,     /* nothing of a request was seen whole; headers may be on their way */
    SRV_READING,  /* a body is */
    SRV_WORKING,  /* a request is in work, the connection suspended */
    SRV_ANSWERING /* an answer is on its way */
} srv_phase;

typedef struct srv_watch srv_watch;
typedef struct srv_connection srv_connection;

/* timeout: seconds for headers, and for a body or an answer that is not slower than a minimum rate. NULL without
 * memory. */
srv_watch *srv_watch_open(srv_metrics *metrics, double timeout);
void srv_watch_close(srv_watch *watch); /* no connection may be left */

srv_connection *srv_watch_add(srv_watch *watch, int fd);             /* NULL without memory */
void srv_watch_remove(srv_watch *watch, srv_connection *connection); /* before the descriptor is closed */

/* A connection enters a phase. request: that is in work; bytes: that are to be moved, as far as it is known. */
void srv_watch_enter(srv_watch *watch, srv_connection *connection, srv_phase phase, srv_request *request, size_t bytes);
void srv_watch_expect(srv_watch *watch, srv_connection *connection, size_t bytes);

/* Closes connections that are idle, now and from now on, and waits until no other is left. */
void srv_watch_drain(srv_watch *watch);
#endif
