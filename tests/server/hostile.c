/*
 * hostile.c: a kind of request is drawn, then its details.
 */
#include "hostile.h"
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- chance ---- */

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
    return (size_t)(draw(state) % n);
}

static const char *one_of(uint64_t *state, const char *const *list, size_t n)
{
    return list[below(state, n)];
}

#define ONE_OF(state, list) one_of(state, list, COUNT(list))

/* ---- requests with bytes changed ---- */

static void mutate(srv_text *out, uint64_t *state, const char *bytes, size_t n)
{
    static const char *const inserts[] = {"\r\n",  "\r\n\r\n", "\"",       "{",
                                          "[",     "}",        ":",        "--",
                                          "%00",   "\xFF\xFE", "-1",       "99999999999999999999",
                                          "1e999", "\\u0000",  "HTTP/1.1", "\r\nContent-Length: 5"};
    const size_t changes = 1 + below(state, 8);
    srv_text_add(out, bytes, n);
    for (size_t i = 0; i < changes && out->length > 1; i++) {
        const size_t at = below(state, out->length), span = below(state, out->length - at) % 40;
        char kept[64];
        switch (below(state, 4)) {
        case 0:
            out->bytes[at] = (char)draw(state);
            break;
        case 1: /* some are gone */
            memmove(out->bytes + at, out->bytes + at + span, out->length - at - span);
            out->length -= span;
            break;
        case 2: /* some come again */
            memcpy(kept, out->bytes + at, span);
            srv_text_add(out, kept, span);
            break;
        default: {
            const char *insert = ONE_OF(state, inserts);
            const size_t length = strlen(insert);
            if (at + length <= out->length)
                memcpy(out->bytes + at, insert, length);
        }
        }
    }
}

/* ---- JSON ---- */

static void write_value(srv_text *out, uint64_t *state, int depth)
{
    static const char *const plain[] = {"null",
                                        "true",
                                        "0",
                                        "-1",
                                        "1.5",
                                        "1e308",
                                        "1e309",
                                        "-0",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "NaN",
                                        "Infinity",
                                        "01",
                                        "\"\"",
                                        "\"cat\"",
                                        "\"\\u0000\"",
                                        "\"\\ud800\"",
                                        "\"\xC3\x28\"",
                                        "\"https://example.org/a.png\"",
                                        "\"file:///etc/passwd\"",
                                        "\"data:image/png;base64,\"",
                                        "\"data:image/png;base64,AAAA\"",
                                        "\"data:,\"",
                                        "\"====\"",
                                        "\"../../etc/passwd\"",
                                        "\"{}{}{}\"",
                                        "\"{\"",
                                        "{}",
                                        "[]",
                                        "[[]]",
                                        "[1,2,3]",
                                        "[-1]",
                                        "[4294967296]",
                                        "'a'",
                                        ""};
    static const char *const names[] = {"input", "image", "images",     "labels",          "template", "templates",
                                        "top",   "model", "text",       "content",         "url",      "image_url",
                                        "left",  "right", "dimensions", "encoding_format", "modality", "truncate",
                                        "texts", "type",  "",           "\\u0000",         "__proto__"};
    const size_t kind = depth > 5 ? 0 : below(state, 4);
    if (kind < 2) {
        srv_text_print(out, "%s", ONE_OF(state, plain));
        return;
    }
    const bool is_object = kind == 2 || depth == 0;
    const size_t n = below(state, 6);
    srv_text_print(out, is_object ? "{" : "[");
    for (size_t i = 0; i < n; i++) {
        srv_text_print(out, "%s", i > 0 ? "," : "");
        if (is_object)
            srv_text_print(out, "\"%s\":", ONE_OF(state, names));
        write_value(out, state, depth + 1);
    }
    srv_text_print(out, is_object ? "}" : "]");
}

static void post(srv_text *out, const char *path, const char *type, const srv_text *body)
{
    srv_text_print(out, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", path,
                   type, body->length);
    srv_text_add(out, body->bytes ? body->bytes : "", body->length);
}

static const char *const paths[] = {"/v1/embeddings", "/v1/classify", "/v1/similarity", "/v1/search"};

static void odd_json(srv_text *out, uint64_t *state)
{
    srv_text body = {0};
    write_value(&body, state, 0);
    post(out, ONE_OF(state, paths), "application/json", &body);
    srv_text_done(&body);
}

/* Ten thousand brackets, or as many of something else. */
static void long_json(srv_text *out, uint64_t *state)
{
    static const char *const pieces[] = {"[", "{\"a\":", "[],", "{},",   "1,",         "\"a\",",
                                         "-", "9",       "\\",  "\"\",", "{\"input\":"};
    srv_text body = {0};
    const char *piece = ONE_OF(state, pieces);
    const size_t n = 1 + below(state, 20000);
    srv_text_print(&body, "{\"input\":[");
    for (size_t i = 0; i < n; i++)
        srv_text_add(&body, piece, strlen(piece));
    srv_text_print(&body, "%s", below(state, 2) ? "1]}" : "");
    post(out, ONE_OF(state, paths), "application/json", &body);
    srv_text_done(&body);
}

/* ---- pictures ---- */

static void damaged_picture(srv_text *out, uint64_t *state, const hostile_seeds *seeds)
{
    srv_text picture = {0}, body = {0};
    mutate(&picture, state, seeds->picture, seeds->picture_size);
    if (below(state, 3) == 0)
        picture.length = 1 + below(state, picture.length);
    srv_text_print(&body, "{\"input\":[{\"image\":\"");
    srv_text_base64(&body, picture.bytes, picture.length);
    srv_text_print(&body, "\"}]}");
    post(out, "/v1/embeddings", "application/json", &body);
    srv_text_done(&picture);
    srv_text_done(&body);
}

/* ---- forms ---- */

static void odd_form(srv_text *out, uint64_t *state)
{
    static const char *const types[] = {"multipart/form-data; boundary=XX",
                                        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"XX",
                                        "multipart/form-data", "multipart/form-data; boundary=XX; boundary=YY"};
    static const char *const lines[] = {
        "--XX\r\n",
        "--XX--\r\n",
        "--XX",
        "--YY\r\n",
        "\r\n",
        "\n",
        "Content-Disposition: form-data; name=\"image\"\r\n\r\n",
        "Content-Disposition: form-data; name=\"label\"\r\n\r\n",
        "Content-Disposition: form-data\r\n\r\n",
        "Content-Disposition: form-data; name=\"top\"\r\n\r\n",
        "-5\r\n",
        "cat\r\n",
        "a\0b\r\n",
        "Content-Disposition: form-data; name=\"../../x\"; filename=\"/etc/passwd\"\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=ZZ\r\n\r\n",
        "--ZZ\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\n"};
    srv_text body = {0};
    for (size_t n = below(state, 30); n > 0; n--)
        srv_text_print(&body, "%s", ONE_OF(state, lines));
    post(out, paths[1 + below(state, 3)], ONE_OF(state, types), &body);
    srv_text_done(&body);
}

/* ---- heads ---- */

static void odd_head(srv_text *out, uint64_t *state)
{
    static const char *const methods[] = {"GET",
                                          "POST",
                                          "PUT",
                                          "DELETE",
                                          "OPTIONS",
                                          "TRACE",
                                          "CONNECT",
                                          "PATCH",
                                          "get",
                                          "",
                                          "G\0T",
                                          "PRI",
                                          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    static const char *const targets[] = {"/",
                                          "/v1/embeddings",
                                          "/v1/models",
                                          "/../../etc/passwd",
                                          "/%2e%2e/%2e%2e/etc/passwd",
                                          "//etc/passwd",
                                          "/app.js/../../x",
                                          "*",
                                          "http://example.org/",
                                          "example.org:80",
                                          "",
                                          "/healthz?a=%00&%ff=%zz&&&=",
                                          "/%",
                                          "/\xFF",
                                          "/v1/embeddings%00",
                                          "/metrics?x",
                                          "/v1/pictures/1?id=-1",
                                          "/v1/thumbnails/99999999999999999999"};
    static const char *const versions[] = {"HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9",
                                           "HTTP/9.9", "http/1.1", "",         "HTTP/1.1 x"};
    static const char *const headers[] = {"Host: localhost\r\n",
                                          "Host: localhost\r\n",
                                          "Host: localhost\r\n",
                                          "Host: evil.example\r\n",
                                          "Host:\r\n",
                                          "Content-Length: 3\r\n",
                                          "Content-Length: -1\r\n",
                                          "Content-Length: 1e3\r\n",
                                          "Content-Length: 99999999999\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          "Transfer-Encoding: gzip, chunked\r\n",
                                          "Content-Type: application/json\r\n",
                                          "Expect: 100-continue\r\n",
                                          "Expect: nonsense\r\n",
                                          "Origin: null\r\n",
                                          "Origin: http://evil.example\r\n",
                                          "Authorization: Bearer\r\n",
                                          "Authorization: Basic Og==\r\n",
                                          "Connection: close, upgrade\r\n",
                                          "Upgrade: h2c\r\n",
                                          "Range: bytes=0-\r\n",
                                          "If-None-Match: *\r\n",
                                          "no colon\r\n",
                                          ": empty\r\n",
                                          " folded\r\n",
                                          "X: \x01\x02\r\n",
                                          "Cookie: a=b; c\r\n",
                                          "Content-Encoding: gzip\r\n",
                                          "Accept: image/gif\r\n"};
    static const char *const ends[] = {"\r\n",
                                       "\r\n",
                                       "\r\n",
                                       "\n",
                                       "",
                                       "\r\nabc",
                                       "\r\n5\r\nhello\r\n0\r\n\r\n",
                                       "\r\nffffffffffffffff\r\nabc",
                                       "\r\nzz\r\n",
                                       "\r\n-1\r\n"};
    srv_text_print(out, "%s %s %s\r\n", ONE_OF(state, methods), ONE_OF(state, targets), ONE_OF(state, versions));
    for (size_t n = below(state, 8); n > 0; n--)
        srv_text_print(out, "%s", ONE_OF(state, headers));
    if (below(state, 20) == 0)
        for (size_t n = below(state, 5000); n > 0; n--)
            srv_text_print(out, "X: aaaaaaaaaaaaaaa\r\n");
    srv_text_print(out, "%s", ONE_OF(state, ends));
}

static void noise(srv_text *out, uint64_t *state)
{
    for (size_t n = 1 + below(state, 300); n > 0; n--) {
        const uint64_t bits = draw(state);
        srv_text_add(out, (const char *)&bits, sizeof bits);
    }
}

/* ---- one of them ---- */

hostile_parting hostile_request(srv_text *out, uint64_t seed, uint64_t n, const hostile_seeds *seeds)
{
    uint64_t state = seed * 0x100000001B3u + n;
    const srv_text *good = &seeds->requests[below(&state, seeds->n)];
    switch (below(&state, 10)) {
    case 0:
    case 1:
        mutate(out, &state, good->bytes, good->length);
        break;
    case 2: /* breaks off */
        srv_text_add(out, good->bytes, below(&state, good->length));
        break;
    case 3: /* another behind it, which may be broken */
        srv_text_add(out, good->bytes, good->length);
        mutate(out, &state, good->bytes, good->length);
        break;
    case 4:
        odd_json(out, &state);
        return PARTS_WAITING;
    case 5:
        long_json(out, &state);
        return PARTS_WAITING;
    case 6:
        damaged_picture(out, &state, seeds);
        return PARTS_WAITING;
    case 7:
        odd_form(out, &state);
        return PARTS_WAITING;
    case 8:
        odd_head(out, &state);
        break;
    default:
        noise(out, &state);
    }
    const size_t parting = below(&state, 10);
    return parting == 0 ? PARTS_AT_ONCE : parting == 1 ? PARTS_WITH_RESET : PARTS_READING;
}
