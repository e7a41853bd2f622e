/*
 * answer.c: answers and problems.
 */
#include "answer.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_DETAIL 512

const srv_asset *srv_asset_find(const char *path)
{
    for (size_t i = 0; i < srv_n_assets; i++)
        if (strcmp(srv_assets[i].path, path) == 0)
            return &srv_assets[i];
    return NULL;
}

void srv_answer_json(srv_answer *answer)
{
    answer->status = 200;
    answer->type = "application/json";
}

const char *srv_status_title(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void srv_answer_problem_v(srv_answer *answer, unsigned status, const char *code, const char *param, const char *format,
                          va_list args)
{
    char detail[LONGEST_DETAIL];
    vsnprintf(detail, sizeof detail, format, args);
    srv_answer_done(answer);
    answer->status = status;
    answer->type = "application/problem+json";
    srv_text *body = &answer->body;
    srv_text_print(
        body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":", srv_status_title(status), status);
    srv_text_string(body, detail);
    srv_text_print(body, ",\"code\":\"%s\",\"param\":", code);
    if (param)
        srv_text_string(body, param);
    else
        srv_text_print(body, "null");
    srv_text_print(body, "}\n");
}

void srv_answer_problem(srv_answer *answer, unsigned status, const char *code, const char *param, const char *format,
                        ...)
{
    va_list args;
    va_start(args, format);
    srv_answer_problem_v(answer, status, code, param, format, args);
    va_end(args);
}

void srv_answer_done(srv_answer *answer)
{
    srv_text_done(&answer->body);
    if (answer->has_file)
        close(answer->file);
    *answer = (srv_answer){0};
}
