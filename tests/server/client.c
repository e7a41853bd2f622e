/*
 * client.c: HTTP as simple as it can be: one connection, one answer at a time, Content-Length.
 */
#include "client.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

int client_open(int port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void client_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server had enough: its answer may be there already */
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* Grows by what comes; false at the end. */
static int read_more(int fd, char **bytes, size_t *size)
{
    char chunk[16384];
    const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
    if (n <= 0)
        return 0;
    *bytes = realloc(*bytes, *size + (size_t)n + 1);
    assert_non_null(*bytes);
    memcpy(*bytes + *size, chunk, (size_t)n);
    *size += (size_t)n;
    (*bytes)[*size] = '\0';
    return 1;
}

const char *reply_header(const reply *r, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = r->headers; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    return NULL;
}

reply client_read(int fd, int is_head)
{
    reply r = {0};
    char *bytes = NULL, *end = NULL;
    size_t size = 0;
    while (!end && read_more(fd, &bytes, &size)) {
        end = strstr(bytes, "\r\n\r\n");
        if (end && strncmp(bytes, "HTTP/1.1 100", 12) == 0) { /* go on */
            size -= (size_t)(end + 4 - bytes);
            memmove(bytes, end + 4, size + 1);
            end = size > 0 ? strstr(bytes, "\r\n\r\n") : NULL;
        }
    }
    if (!end) {
        free(bytes);
        return r;
    }
    r.headers = bytes;
    r.status = atoi(bytes + strlen("HTTP/1.1 "));
    const char *length = reply_header(&r, "Content-Length");
    const size_t head = (size_t)(end + 4 - bytes), wanted = length && !is_head ? strtoul(length, NULL, 10) : 0;
    while (size < head + wanted && read_more(fd, &bytes, &size))
        continue;
    r.headers = bytes;
    r.body_size = size - head < wanted ? size - head : wanted;
    r.body = calloc(r.body_size + 1, 1);
    assert_non_null(r.body);
    memcpy(r.body, bytes + head, r.body_size);
    bytes[head - 2] = '\0';
    return r;
}

void reply_done(reply *r)
{
    free(r->headers);
    free(r->body);
    *r = (reply){0};
}

reply client_ask(int port, const char *method, const char *path, const char *headers, const char *body, size_t size)
{
    const int fd = client_open(port);
    char head[4096];
    char length[64] = "";
    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", size);
    const int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\n%s%s%s\r\n", method, path,
                           strstr(headers, "Host:") ? "" : "Host: localhost\r\n", headers, length);
    assert_in_range(n, 1, sizeof head - 1);
    client_send(fd, head, (size_t)n);
    if (body)
        client_send(fd, body, size);
    reply r = client_read(fd, strcmp(method, "HEAD") == 0);
    close(fd);
    return r;
}

reply client_post(int port, const char *path, const char *format, ...)
{
    char *body;
    va_list args;
    va_start(args, format);
    const int n = vasprintf(&body, format, args);
    va_end(args);
    assert_true(n >= 0);
    reply r = client_ask(port, "POST", path, "Content-Type: application/json\r\n", body, (size_t)n);
    free(body);
    return r;
}

json_t *reply_json(const reply *r)
{
    json_t *json = json_loads(r->body, 0, NULL);
    assert_non_null(json);
    return json;
}
