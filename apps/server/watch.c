/*
 * watch.c: a list of connections, and the thread that looks at it.
 *
 * The lock is never held while the HTTP library or a request is called: either may be waiting for it elsewhere.
 */
#include "watch.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#define LOOK_EVERY 100  /* milliseconds */
#define LEAST_RATE 8192 /* bytes a second, from and to a client */
#define LOOKED_AT  256  /* requests in one look, and silent connections; the others are looked at in the next */
#define LET_BE     0.2  /* seconds before a connection is suspected to be silent */

struct srv_connection {
    srv_connection *previous, *next;
    int fd;
    bool is_shut;
    srv_phase phase;
    double since;
    size_t bytes;
    srv_request *request;
};

struct srv_watch {
    srv_metrics *metrics;
    double timeout;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    srv_connection *first;
    size_t next_look; /* of the connections in work, where the next look begins */
    size_t next_peek; /* of those that are silent */
    bool draining, ending;
    pthread_t thread;
};

/* ---- the list ---- */

srv_connection *srv_watch_add(srv_watch *watch, int fd)
{
    srv_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (srv_connection){.fd = fd, .since = srv_now()};
    pthread_mutex_lock(&watch->lock);
    c->next = watch->first;
    if (c->next)
        c->next->previous = c;
    watch->first = c;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    srv_gauge_add(watch->metrics, SRV_CONNECTIONS, 1);
    return c;
}

void srv_watch_remove(srv_watch *watch, srv_connection *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&watch->lock);
    *(c->previous ? &c->previous->next : &watch->first) = c->next;
    if (c->next)
        c->next->previous = c->previous;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    srv_gauge_add(watch->metrics, SRV_CONNECTIONS, -1);
    free(c);
}

/* In the lock. What is shut down is seen by the HTTP library as a client that went away. */
static void shut(srv_connection *c)
{
    if (!c->is_shut)
        shutdown(c->fd, SHUT_RDWR);
    c->is_shut = true;
}

void srv_watch_enter(srv_watch *watch, srv_connection *c, srv_phase phase, srv_request *request, size_t bytes)
{
    pthread_mutex_lock(&watch->lock);
    srv_gauge_add(watch->metrics, SRV_IN_WORK, (phase == SRV_WORKING) - (c->phase == SRV_WORKING));
    c->phase = phase;
    c->since = srv_now();
    c->request = request;
    c->bytes = bytes;
    if (watch->draining) {
        if (phase == SRV_IDLE)
            shut(c);
        pthread_cond_broadcast(&watch->changed);
    }
    pthread_mutex_unlock(&watch->lock);
}

void srv_watch_expect(srv_watch *watch, srv_connection *c, size_t bytes)
{
    pthread_mutex_lock(&watch->lock);
    c->bytes += bytes;
    pthread_mutex_unlock(&watch->lock);
}

/* ---- the look ---- */

/* Requests that a look found something about, held until it is dealt with. */
typedef struct finding {
    srv_request *expired[LOOKED_AT], *working[LOOKED_AT];
    struct pollfd sockets[LOOKED_AT]; /* of those working */
    size_t n_expired, n_working;
} finding;

static void look_at_working(finding *found, srv_connection *c, double now)
{
    srv_request *request = c->request;
    if (now > c->since + request->service->deadline) {
        if (found->n_expired < LOOKED_AT) {
            srv_request_hold(request);
            found->expired[found->n_expired++] = request;
        }
    } else if (found->n_working < LOOKED_AT) {
        srv_request_hold(request);
        found->working[found->n_working] = request;
        found->sockets[found->n_working++] = (struct pollfd){c->fd, POLLRDHUP, 0};
    }
}

/* Whether the client has ended its side and nothing more can come: the HTTP library would wait for the rest. */
static bool has_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* In the lock. */
static void look(srv_watch *watch, finding *found)
{
    const double now = srv_now();
    size_t number = 0, silent = 0;
    found->n_expired = found->n_working = 0;
    for (srv_connection *c = watch->first; c; c = c->next) {
        if (c->phase == SRV_WORKING) {
            if (number++ >= watch->next_look)
                look_at_working(found, c, now);
        } else if (!c->is_shut && now > c->since + watch->timeout + (double)c->bytes / LEAST_RATE) {
            if (c->phase != SRV_IDLE || c->bytes > 0)
                srv_count(watch->metrics, SRV_SLOW, 1);
            shut(c);
        } else if (!c->is_shut && c->phase != SRV_ANSWERING && now > c->since + LET_BE) {
            const size_t place = silent++;
            if (place >= watch->next_peek && place - watch->next_peek < LOOKED_AT && has_ended(c->fd))
                shut(c);
        }
    }
    watch->next_peek = silent > watch->next_peek + LOOKED_AT ? watch->next_peek + LOOKED_AT : 0;
    watch->next_look = found->n_working == LOOKED_AT ? watch->next_look + LOOKED_AT : 0;
}

/* Out of the lock: a socket that was given to somebody else meanwhile does not matter, for then the request was
 * answered before, and cannot be abandoned any more. */
static void deal_with(finding *found)
{
    for (size_t i = 0; i < found->n_expired; i++) {
        srv_request_expire(found->expired[i]);
        srv_request_release(found->expired[i]);
    }
    if (found->n_working > 0)
        poll(found->sockets, found->n_working, 0);
    for (size_t i = 0; i < found->n_working; i++) {
        if (found->sockets[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
            srv_request_abandon(found->working[i]);
        srv_request_release(found->working[i]);
    }
}

static void wait_a_little(srv_watch *watch)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_EVERY * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    while (!watch->ending && pthread_cond_timedwait(&watch->changed, &watch->lock, &until) == 0)
        continue;
}

static void *keep_looking(void *argument)
{
    srv_watch *watch = argument;
    finding found;
    pthread_mutex_lock(&watch->lock);
    while (!watch->ending) {
        if (!watch->first) {
            pthread_cond_wait(&watch->changed, &watch->lock);
            continue;
        }
        look(watch, &found);
        pthread_mutex_unlock(&watch->lock);
        deal_with(&found);
        pthread_mutex_lock(&watch->lock);
        wait_a_little(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

/* ---- opening, draining, closing ---- */

srv_watch *srv_watch_open(srv_metrics *metrics, double timeout)
{
    srv_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->metrics = metrics;
    watch->timeout = timeout;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&watch->thread, NULL, keep_looking, watch) == 0)
        return watch;
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
    return NULL;
}

void srv_watch_drain(srv_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->draining = true;
    for (srv_connection *c = watch->first; c; c = c->next)
        if (c->phase == SRV_IDLE)
            shut(c);
    while (watch->first)
        pthread_cond_wait(&watch->changed, &watch->lock);
    pthread_mutex_unlock(&watch->lock);
}

void srv_watch_close(srv_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->ending = true;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}
