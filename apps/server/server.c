/*
 * server.c: where the server listens, and how it begins and ends.
 */
#include "server.h"
#include "call.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEADER_BYTES (64 * 1024) /* of a connection: its headers must fit, and the bytes on their way */
#define BACKLOG      512
#define OTHER_FILES  64 /* than connections */

static align_status fail(align_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
static align_status fail(align_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->status = ALIGN_ERROR_IO;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return ALIGN_ERROR_IO;
}

/* ---- listening ---- */

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

static int listen_at(const struct addrinfo *place)
{
    const int fd = socket(place->ai_family, place->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, place->ai_protocol);
    const int on = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, place->ai_addr, place->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static align_status open_socket(srv_server *server, int *fd, align_error *err)
{
    const srv_settings *settings = &server->settings;
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *places;
    char port[16];
    snprintf(port, sizeof port, "%d", settings->port);
    const int code = getaddrinfo(settings->host, port, &hints, &places);
    if (code != 0)
        return fail(err, "%s: no such address: %s", settings->host, gai_strerror(code));
    *fd = -1;
    for (const struct addrinfo *place = places; place && *fd < 0; place = place->ai_next)
        *fd = listen_at(place);
    const int reason = errno;
    freeaddrinfo(places);
    if (*fd < 0)
        return fail(err, "cannot listen on %s, port %d: %s", settings->host, settings->port, strerror(reason));
    server->port = port_of(*fd);
    return ALIGN_OK;
}

/* Connections are files: raises the limit of these, and gives the number of connections that it leaves room for. */
static unsigned allow_files(unsigned connections)
{
    struct rlimit limit;
    const rlim_t wanted = (rlim_t)connections + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return connections;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > OTHER_FILES ? (unsigned)(limit.rlim_cur - OTHER_FILES) : 1;
}

/* What the library has to say of connections is of no use to whoever runs a server. */
static void say_nothing(void *closure, const char *format, va_list args)
{
    (void)closure;
    (void)format;
    (void)args;
}

align_status srv_server_start(srv_server *server, srv_service *service, const srv_settings *settings, align_error *err)
{
    int fd;
    *server = (srv_server){.settings = *settings, .service = service};
    service->wake = srv_call_wake;
    srv_budget_init(&server->budget, settings->max_held, service->metrics);
    service->budget = &server->budget;
    const unsigned connections = allow_files(settings->max_connections);
    if (open_socket(server, &fd, err) != ALIGN_OK)
        return err->status;
    server->watch = srv_watch_open(service->metrics, settings->timeout);
    server->rates = settings->client_rate > 0 ? srv_rates_new(settings->client_rate) : NULL;
    if (server->watch && (server->rates || settings->client_rate <= 0))
        server->daemon = MHD_start_daemon(
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
            srv_call_handle, server, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
            settings->max_connections_per_client, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES,
            MHD_OPTION_NOTIFY_COMPLETED, srv_call_completed, server, MHD_OPTION_NOTIFY_CONNECTION, srv_call_connection,
            server, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (server->daemon)
        return ALIGN_OK;
    srv_watch_close(server->watch);
    srv_rates_free(server->rates);
    close(fd);
    return fail(err, "the HTTP library could not start: %s", strerror(errno));
}

void srv_server_drain(srv_server *server)
{
    atomic_store(&server->service->draining, true);
    const int fd = MHD_quiesce_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
    srv_watch_drain(server->watch);
    MHD_stop_daemon(server->daemon);
    srv_watch_close(server->watch);
    srv_rates_free(server->rates);
}
