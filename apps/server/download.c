/*
 * download.c: the rules of download.h, told to libcurl.
 */
#include "download.h"
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_URL 2048
#define MOST_UNREAD (64 * 1024) /* bytes of headers, and of answers that are no picture */

static const char not_fetched[] = "no picture could be fetched from this address";
static const char not_allowed[] = "pictures are fetched from https addresses alone, without user, password or port";
static const char too_large[] = "the picture at this address is too large";
static const char wrong_type[] = "what is at this address is no picture: JPEG, PNG, WebP or GIF was expected";
static const char no_memory[] = "the server is out of memory";

typedef struct download {
    const srv_download_rules *rules;
    const srv_download_client *client;
    CURL *curl;
    CURLU *url;
    struct curl_slist *connect_to;
    char *bytes;
    size_t size, capacity;
    size_t unread;      /* bytes that came and are not of the picture */
    const char *reason; /* why it was broken off */
} download;

bool srv_can_download(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* ---- what libcurl asks ---- */

/* The socket for an address that was just looked up: the only place where a connection begins. */
static curl_socket_t open_socket(void *closure, curlsocktype purpose, struct curl_sockaddr *to)
{
    const download *d = closure;
    if (purpose != CURLSOCKTYPE_IPCXN || !d->rules->is_allowed(&to->addr))
        return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int look_up_progress(void *closure, curl_off_t total, curl_off_t now, curl_off_t to_send, curl_off_t sent)
{
    const download *d = closure;
    (void)total;
    (void)now;
    (void)to_send;
    (void)sent;
    return !d->client->goes_on(d->client->closure);
}

static size_t skip(char *bytes, size_t unit, size_t n, void *closure)
{
    download *d = closure;
    (void)bytes;
    (void)unit; /* is 1 */
    d->unread += n;
    return d->unread > MOST_UNREAD ? 0 : n;
}

/* Breaks off: for libcurl, anything but the number of bytes does. */
static size_t break_off(download *d, const char *reason)
{
    d->reason = reason;
    return 0;
}

static bool is_picture_type(const char *type)
{
    static const char *const types[] = {"image/jpeg", "image/jpg", "image/png",
                                        "image/webp", "image/gif", "application/octet-stream"};
    for (size_t i = 0; i < sizeof types / sizeof *types && type; i++) {
        const size_t length = strlen(types[i]);
        if (strncasecmp(type, types[i], length) == 0 && strchr("; ", type[length])) /* its zero as well */
            return true;
    }
    return false;
}

static size_t keep(char *bytes, size_t unit, size_t n, void *closure)
{
    download *d = closure;
    long status = 0;
    const char *type = NULL;
    curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return skip(bytes, unit, n, d); /* a page about an error or a redirect is not kept */
    curl_easy_getinfo(d->curl, CURLINFO_CONTENT_TYPE, &type);
    if (!is_picture_type(type))
        return break_off(d, wrong_type);
    if (n > d->rules->max_bytes - d->size)
        return break_off(d, too_large);
    if (d->size + n > d->capacity) {
        const size_t capacity = 2 * (d->size + n);
        if (!d->client->reserve(d->client->closure, capacity - d->capacity))
            return break_off(d, no_memory);
        char *longer = realloc(d->bytes, capacity);
        if (!longer)
            return break_off(d, no_memory);
        d->bytes = longer;
        d->capacity = capacity;
    }
    memcpy(d->bytes + d->size, bytes, n);
    d->size += n;
    return n;
}

/* ---- addresses ---- */

static bool has_part(const download *d, CURLUPart part)
{
    char *text = NULL;
    const bool has = curl_url_get(d->url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static bool part_is(const download *d, CURLUPart part, const char *expected)
{
    char *text = NULL;
    const bool is = curl_url_get(d->url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK && strcmp(text, expected) == 0;
    curl_free(text);
    return is;
}

/* The next address, which may be relative to the one before. It is read once, by who will connect. */
static bool go_to(download *d, const char *url)
{
    return strlen(url) <= LONGEST_URL && curl_url_set(d->url, CURLUPART_URL, url, 0) == CURLUE_OK &&
           part_is(d, CURLUPART_SCHEME, "https") && part_is(d, CURLUPART_PORT, "443") && !has_part(d, CURLUPART_USER) &&
           !has_part(d, CURLUPART_PASSWORD) && curl_url_set(d->url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
           curl_easy_setopt(d->curl, CURLOPT_CURLU, d->url) == CURLE_OK;
}

/* ---- the download ---- */

#define SET(option, value) (ok = curl_easy_setopt(d->curl, option, value) == CURLE_OK && ok)

static bool set_rules(download *d)
{
    bool ok = true;
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, d);
    SET(CURLOPT_PROXY, ""); /* also none of the environment */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_USERAGENT, "align");
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)d->rules->max_bytes);
    SET(CURLOPT_HEADERFUNCTION, skip);
    SET(CURLOPT_HEADERDATA, d);
    SET(CURLOPT_WRITEFUNCTION, keep);
    SET(CURLOPT_WRITEDATA, d);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, look_up_progress);
    SET(CURLOPT_XFERINFODATA, d);
    if (d->rules->authorities)
        SET(CURLOPT_CAINFO, d->rules->authorities);
    if (d->rules->connect_to) {
        d->connect_to = curl_slist_append(NULL, d->rules->connect_to);
        ok = d->connect_to && ok;
        SET(CURLOPT_CONNECT_TO, d->connect_to);
    }
    return ok;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One address: NULL, and the next one in *redirect if there is one; or why nothing came. */
static const char *get_one(download *d, double until, char **redirect)
{
    const double left = until - seconds_now();
    long status = 0;
    *redirect = NULL;
    d->size = d->unread = 0;
    if (left <= 0 || curl_easy_setopt(d->curl, CURLOPT_TIMEOUT_MS, (long)(left * 1000) + 1) != CURLE_OK)
        return not_fetched;
    const CURLcode code = curl_easy_perform(d->curl);
    if (code != CURLE_OK)
        return d->reason ? d->reason : code == CURLE_FILESIZE_EXCEEDED ? too_large : not_fetched;
    curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(d->curl, CURLINFO_REDIRECT_URL, redirect);
    return *redirect || (status == 200 && d->size > 0) ? NULL : not_fetched;
}

static const char *follow(download *d, const char *url)
{
    const double until = seconds_now() + d->rules->timeout;
    if (!go_to(d, url))
        return not_allowed;
    for (int i = 0; i <= d->rules->max_redirects; i++) {
        char *redirect;
        const char *reason = get_one(d, until, &redirect);
        if (reason || !redirect)
            return reason;
        if (!go_to(d, redirect))
            return not_fetched;
    }
    return not_fetched;
}

const char *srv_download(const char *url, const srv_download_rules *rules, const srv_download_client *client,
                         char **bytes, size_t *size)
{
    download d = {.rules = rules, .client = client, .curl = curl_easy_init(), .url = curl_url()};
    const char *reason = d.curl && d.url && set_rules(&d) ? follow(&d, url) : no_memory;
    curl_easy_cleanup(d.curl);
    curl_url_cleanup(d.url);
    curl_slist_free_all(d.connect_to);
    if (reason) {
        free(d.bytes);
        d.bytes = NULL;
        d.size = 0;
    }
    *bytes = d.bytes;
    *size = d.size;
    return reason;
}
