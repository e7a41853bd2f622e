/*
 * serve.c: `align serve`: the model behind HTTP, until it is told to end.
 */
#include "../cli/cli.h"
#include "auth.h"
#include "gallery.h"
#include "netaddr.h"
#include "server.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MEBI             (1024 * 1024)
#define BODIES_IN_MEMORY 8 /* so many of the largest size, or more smaller ones */
#define FETCHING_THREADS 8
#define FETCHING_SECONDS 10
#define MOST_REDIRECTS   3
#define FAIR_SHARE       100 /* connections, and requests a second, of one address of a network */

typedef struct arguments {
    cli_common common;
    cli_list positional, names, origins, folders;
    const char *host, *token, *index;
    bool insecure, allow_url_fetch;
    int64_t port, workers, cache, thumbnails;                                 /* the last two: MiB */
    int64_t max_body, max_inputs, max_pixels, max_queue;                      /* of a body: MiB */
    int64_t max_connections, max_client_connections, max_texts, max_pictures; /* the last two: of a batch */
    double wait, timeout, deadline, client_rate;                              /* wait: milliseconds */
} arguments;

/* ---- arguments ---- */

static int check(const cli_command *self, arguments *args)
{
    if (args->positional.count > 0)
        return cli_usage_error(self, "there is nothing to name here, found '%s'", args->positional.items[0]);
    if (!args->token)
        args->token = getenv("ALIGN_TOKEN");
    if (args->token && *args->token == '\0')
        return cli_usage_error(self, "the token is empty");
    if (!args->token && !args->insecure && !srv_is_loopback_name(args->host))
        return cli_usage_error(self,
                               "whoever reaches %s could use this server: give a token, by --token or in "
                               "ALIGN_TOKEN, or say --insecure",
                               args->host);
    /* Who can reach this machine only shares it with nobody. */
    const int fair_share = srv_is_loopback_name(args->host) ? 0 : FAIR_SHARE;
    if (args->max_client_connections < 0)
        args->max_client_connections = fair_share;
    if (args->client_rate < 0)
        args->client_rate = fair_share;
    if (args->allow_url_fetch && !srv_can_download())
        return cli_usage_error(self, "--allow-url-fetch: this program was built without libcurl");
    if (args->port > 65535)
        return cli_usage_error(self, "--port is at most 65535, not %lld", (long long)args->port);
    if (args->folders.count > 0 && !args->index)
        return cli_usage_error(self, "--folder says what of an index is shown: name it with --index");
    if (args->max_inputs > args->max_queue)
        return cli_usage_error(self, "--queue is to be at least --max-inputs: a request must fit into the queue");
    return CLI_PROCEED;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_TEXT, "host", "ADDRESS", &args->host, 0, "address to listen on (default: 127.0.0.1)"},
        {CLI_INT, "port", "N", &args->port, 0, "port to listen on; 0: any that is free (default: 8080)"},
        {CLI_TEXT, "token", "TOKEN", &args->token, 0,
         "what clients must send as a bearer token (default: $ALIGN_TOKEN, else none)"},
        {CLI_FLAG, "insecure", NULL, &args->insecure, 0, "serve other machines without a token"},
        {CLI_FLAG, "allow-url-fetch", NULL, &args->allow_url_fetch, 0,
         "fetch pictures from https addresses in requests; never from private ones"},
        {CLI_LIST, "allow-origin", "ORIGIN", &args->origins, 0,
         "let pages of this origin (https://example.org) use the server; may be repeated"},
        {CLI_LIST, "name", "NAME", &args->names, 0,
         "what clients call the model; may be repeated (default: the folder's name)"},
        {CLI_TEXT, "index", "PLACE", &args->index, 0,
         "search this index (align index) and show its pictures: a file, or postgresql://..."},
        {CLI_LIST, "folder", "DIR", &args->folders, 0,
         "find and show only what is in this folder of the index, or below; may be repeated"},
        {CLI_INT, "thumbnails", "MIB", &args->thumbnails, 0, "memory for small pictures of the index (default: 64)"},
        {CLI_INT, "max-body", "MIB", &args->max_body, 1, "largest body of a request (default: 32)"},
        {CLI_INT, "max-inputs", "N", &args->max_inputs, 1, "most texts and pictures in a request (default: 512)"},
        {CLI_INT, "max-pixels", "N", &args->max_pixels, 1, "most pixels of a picture (default: 50000000)"},
        {CLI_INT, "max-connections", "N", &args->max_connections, 1, "most connections (default: 2000)"},
        {CLI_INT, "max-client-connections", "N", &args->max_client_connections, 0,
         "most connections of one address; 0: any number (default: 0 on the loopback, else 100)"},
        {CLI_REAL, "client-rate", "N", &args->client_rate, 0,
         "most requests of one address a second; 0: any number (default: 0 on the loopback, else 100)"},
        {CLI_INT, "queue", "N", &args->max_queue, 1,
         "texts and pictures that may wait; more are refused for now (default: 1024)"},
        {CLI_INT, "batch-texts", "N", &args->max_texts, 1, "most texts computed together (default: 64)"},
        {CLI_INT, "batch-pictures", "N", &args->max_pictures, 1, "most pictures computed together (default: 16)"},
        {CLI_REAL, "wait", "MS", &args->wait, 0, "longest wait for others to compute together (default: 2)"},
        {CLI_INT, "workers", "N", &args->workers, 1, "threads that decode and tokenise (default: one more than cores)"},
        {CLI_INT, "cache", "MIB", &args->cache, 0, "memory for embeddings of texts asked for before (default: 64)"},
        {CLI_REAL, "timeout", "S", &args->timeout, 1, "seconds that a client may be silent (default: 30)"},
        {CLI_REAL, "deadline", "S", &args->deadline, 1, "seconds that a request may take (default: 60)"},
        CLI_OPTIONS_COMMON(args->common),
    };
    const int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->positional);
    return code == CLI_PROCEED ? check(self, args) : code;
}

/* ---- the model's names ---- */

/* The last part of the folder's whole path, to be freed. */
static char *folder_name(const char *folder)
{
    char *path = realpath(folder, NULL);
    const char *slash = path ? strrchr(path, '/') : NULL;
    char *name = cli_format("%s", slash && slash[1] ? slash + 1 : "align");
    free(path);
    return name;
}

/* ---- serving ---- */

static srv_engine_options engine_options(const arguments *args, srv_metrics *metrics)
{
    return (srv_engine_options){
        .workers = (int)args->workers,
        .max_batch = {[SRV_TEXT] = (size_t)args->max_texts, [SRV_PICTURE] = (size_t)args->max_pictures},
        .max_wait = args->wait / 1000,
        .max_jobs = (size_t)args->max_queue,
        .cache_bytes = (size_t)args->cache * MEBI,
        .max_pixels = args->max_pixels,
        .metrics = metrics,
        .is_wanted = srv_request_wants,
        .done = srv_request_job_done,
    };
}

static srv_gallery_options gallery_options(const arguments *args, const cli_session *session)
{
    return (srv_gallery_options){
        .place = args->index,
        .folders = args->folders.items,
        .n_folders = args->folders.count,
        .model = session->model,
        .thumbnail_bytes = (size_t)args->thumbnails * MEBI,
    };
}

static srv_fetcher_options fetcher_options(const arguments *args, srv_metrics *metrics)
{
    return (srv_fetcher_options){
        .threads = FETCHING_THREADS,
        .max_waiting = (size_t)args->max_queue,
        .rules = {.max_bytes = (size_t)args->max_body * MEBI,
                  .timeout = FETCHING_SECONDS,
                  .max_redirects = MOST_REDIRECTS,
                  .is_allowed = srv_address_is_public},
        .metrics = metrics,
        .is_wanted = srv_request_wants,
        .reserve = srv_request_reserve_for,
        .done = srv_request_fetched,
    };
}

static srv_settings server_settings(const arguments *args)
{
    return (srv_settings){
        .host = args->host,
        .port = (int)args->port,
        .token = args->token,
        .checks_host = !args->token && !args->insecure,
        .origins = args->origins.items,
        .n_origins = args->origins.count,
        .max_body = (size_t)args->max_body * MEBI,
        .max_held = (size_t)args->max_body * MEBI * BODIES_IN_MEMORY,
        .max_connections = (unsigned)args->max_connections,
        .max_connections_per_client = (unsigned)args->max_client_connections,
        .client_rate = args->client_rate,
        .timeout = args->timeout,
        .logs = !args->common.quiet,
        .logs_json = args->common.json,
    };
}

/* Says where, in a form that can be opened, and waits for the signal to end. A second one ends the process at once. */
static void serve_until_told(srv_server *server, const sigset_t *ends)
{
    int signal_number;
    const bool is_v6 = strchr(server->settings.host, ':') != NULL;
    printf("listening on http://%s%s%s:%d\n", is_v6 ? "[" : "", server->settings.host, is_v6 ? "]" : "", server->port);
    fflush(stdout);
    sigwait(ends, &signal_number);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, ends, NULL);
    srv_server_drain(server);
}

static int serve(const arguments *args, cli_session *session, const sigset_t *ends)
{
    align_error err = ALIGN_ERROR_INIT;
    srv_metrics metrics = {0};
    srv_server server;
    srv_service service = {
        .model = session->model,
        .processor = session->processor,
        .metrics = &metrics,
        .names = args->names.items,
        .n_names = args->names.count,
        .max_inputs = (size_t)args->max_inputs,
        .deadline = args->deadline,
        .started = time(NULL),
    };
    const srv_engine_options options = engine_options(args, &metrics);
    const srv_settings settings = server_settings(args);
    const srv_gallery_options gallery = gallery_options(args, session);
    const srv_fetcher_options fetching = fetcher_options(args, &metrics);
    int code = CLI_DONE;
    if (args->allow_url_fetch && !(service.fetcher = srv_fetcher_open(&fetching)))
        code = cli_fail("no thread to fetch pictures could be started");
    else if ((args->index && srv_gallery_open(&service.gallery, &gallery, &err) != ALIGN_OK) ||
             srv_engine_open(&service.engine, session->model, session->context, session->processor, &options, &err) !=
                 ALIGN_OK ||
             srv_server_start(&server, &service, &settings, &err) != ALIGN_OK)
        code = cli_fail("%s", err.message);
    else
        serve_until_told(&server, ends);
    srv_fetcher_close(service.fetcher); /* it gives what it has to the engine */
    srv_engine_close(service.engine);
    srv_gallery_close(service.gallery);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.host = "127.0.0.1",
                      .port = 8080,
                      .cache = 64,
                      .thumbnails = 64,
                      .max_body = 32,
                      .max_inputs = 512,
                      .max_pixels = 50000000,
                      .max_queue = 1024,
                      .max_connections = 2000,
                      .max_client_connections = -1,
                      .client_rate = -1,
                      .max_texts = 64,
                      .max_pictures = 16,
                      .wait = 2,
                      .timeout = 30,
                      .deadline = 60};
    cli_session session = {0};
    char *name = NULL;
    sigset_t ends;
    int code = parse(self, &args, argc, argv);
    /* Threads to come inherit the mask, so that the signals are this one's. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    if (code == CLI_PROCEED)
        pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (code == CLI_PROCEED && !cli_session_open(&session, &args.common, true, true))
        code = CLI_FAILED;
    if (code == CLI_PROCEED && args.names.count == 0)
        cli_list_add(&args.names, name = folder_name(session.folder));
    if (code == CLI_PROCEED)
        code = serve(&args, &session, &ends);
    cli_session_done(&session);
    free(name);
    cli_list_done(&args.positional);
    cli_list_done(&args.names);
    cli_list_done(&args.origins);
    cli_list_done(&args.folders);
    return code;
}

const cli_command cli_serve = {
    .name = "serve",
    .arguments = "[options]",
    .summary = "answer over HTTP: embeddings, classification, a page",
    .description = "Serves the model over HTTP: embeddings for clients of OpenAI's interface, classification and "
                   "similarity, and a page for people. Listens on this machine alone unless told otherwise. SIGTERM "
                   "ends it when all answers are given.",
    .examples = "  align serve\n"
                "  ALIGN_TOKEN=secret align serve --host 0.0.0.0 --model models/emoji --name clip\n",
    .run = run,
};
