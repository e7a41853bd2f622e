#ifndef ALIGN_SERVER_DOWNLOAD_H
#define ALIGN_SERVER_DOWNLOAD_H
/*
 * download.h: one picture from an address of the web, for a client who may be anybody.
 *
 * Only https, only port 443, no user and password, no proxy unless rules have one. Names are looked up for every
 * connection, and the address that is about to be connected to is judged, not one that was looked up before. Redirects
 * are followed one by one, each judged like the first address. Size, time and number are bounded.
 *
 * Clients are not told why nothing came, but where it was the picture itself: whether an address answers, and how, is
 * what somebody outside would like to ask the machines inside.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef struct srv_download_rules {
    size_t max_bytes;
    double timeout; /* seconds, redirects included */
    int max_redirects;
    bool (*is_allowed)(const struct sockaddr *address); /* to connect to: srv_address_is_public */

    /* Others than the system's: whose certificates count (a file), and where names lead ("HOST:PORT:ADDRESS:PORT"). */
    const char *authorities, *connect_to;
} srv_download_rules;

/* What a download asks while it goes on. */
typedef struct srv_download_client {
    bool (*goes_on)(void *closure);               /* false: nobody waits any more */
    bool (*reserve)(void *closure, size_t bytes); /* before so much memory is taken, or more of it */
    void *closure;
} srv_download_client;

/* Whether this program can: it was built with libcurl. To be called once before anything else, by one thread. */
bool srv_can_download(void);

/* Gets the bytes, to be freed; NULL, or why there are none, in words for a client. Any thread. */
const char *srv_download(const char *url, const srv_download_rules *rules, const srv_download_client *client,
                         char **bytes, size_t *size);
#endif
