#ifndef ALIGN_SERVER_ANSWER_H
#define ALIGN_SERVER_ANSWER_H
/*
 * answer.h: what a client gets: a status, a type and bytes. What went wrong is told in one form only, problem details
 * as RFC 9457 has them, in words that say nothing of this machine.
 */
#include "text.h"
#include <stdarg.h>

/* A file that is part of the program. */
typedef struct srv_asset {
    const char *path, *type;
    const uint8_t *bytes;
    size_t size;
    const char *etag; /* quotes and all */
} srv_asset;

extern const srv_asset srv_assets[];
extern const size_t srv_n_assets;

/* The asset that is served under the path, or NULL. */
const srv_asset *srv_asset_find(const char *path);

/* Begins zeroed; status 0: there is none yet. */
typedef struct srv_answer {
    unsigned status;
    const char *type;
    srv_text body;
    const srv_asset *asset; /* instead of a body */
    bool has_file;          /* instead of a body: a file, which is the answer's to close, and its bytes */
    int file;
    uint64_t file_size;
    char etag[64];        /* of a body or a file that may be kept for a while; "": it may not */
    unsigned retry_after; /* seconds; 0: not said */
    const char *allow;    /* the methods that a path has; NULL: not said */
    bool closes;          /* the connection ends with it */
} srv_answer;

/* Ready for a body of JSON to be written to answer->body. */
void srv_answer_json(srv_answer *answer);

/* code is for programs ("input_too_long"); param, or NULL, names the part of the request. What was written is dropped.
 */
void srv_answer_problem(srv_answer *answer, unsigned status, const char *code, const char *param, const char *format,
                        ...) __attribute__((format(printf, 5, 6)));
void srv_answer_problem_v(srv_answer *answer, unsigned status, const char *code, const char *param, const char *format,
                          va_list args);

/* The detail of problem "busy". */
#define SRV_BUSY "too much is being sent at once: try again later"

/* "Too Many Requests" */
const char *srv_status_title(unsigned status);

void srv_answer_done(srv_answer *answer);
#endif
