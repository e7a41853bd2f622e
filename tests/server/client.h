#ifndef TESTS_SERVER_CLIENT_H
#define TESTS_SERVER_CLIENT_H
/*
 * client.h: the other end of the wire: requests byte by byte, and answers taken apart.
 */
#include <jansson.h>
#include <stddef.h>

typedef struct reply {
    int status;    /* 0: the server closed without an answer */
    char *headers; /* from the status line to the empty one */
    char *body;
    size_t body_size;
} reply;

int client_open(int port); /* a socket */
void client_send(int fd, const char *bytes, size_t n);

/* Reads one answer; is_head: it has no body. To be freed by reply_done. */
reply client_read(int fd, int is_head);
void reply_done(reply *r);

/* One exchange on a connection of its own. headers: whole lines, ended by \r\n, or "". body NULL: none. */
reply client_ask(int port, const char *method, const char *path, const char *headers, const char *body, size_t size);

/* POST of JSON; the format is that of printf. */
reply client_post(int port, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The value of a header, or NULL: a string that lives as long as the reply. */
const char *reply_header(const reply *r, const char *name);

/* The body as JSON, which it must be; to be released. */
json_t *reply_json(const reply *r);
#endif
