/*
 * auth.c: tokens, and the two headers by which browsers say for whom they ask.
 */
#include "auth.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

bool srv_token_matches(const char *token, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t skip = sizeof scheme - 1, length = strlen(token);
    const bool has_scheme = authorization && strncasecmp(authorization, scheme, skip) == 0;
    const char *given = has_scheme ? authorization + skip : "";
    const size_t given_length = strlen(given);
    /* Every byte that was sent is compared, wherever the first difference is; a token is never empty. */
    size_t difference = given_length ^ length;
    for (size_t i = 0; i < given_length; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)token[i % length];
    return difference == 0;
}

/* The name in "name:port" or "[address]:port". */
static bool get_name(const char *host, char *name, size_t size)
{
    const bool bracketed = *host == '[';
    const char *begin = host + bracketed;
    const size_t length = strcspn(begin, bracketed ? "]" : ":");
    if (length == 0 || length >= size)
        return false;
    memcpy(name, begin, length);
    name[length] = '\0';
    return true;
}

bool srv_is_loopback_name(const char *host)
{
    char name[64];
    struct in_addr v4;
    if (!host || !get_name(host, name, sizeof name))
        return false;
    if (inet_pton(AF_INET, name, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return strcasecmp(name, "localhost") == 0 || strcmp(name, "::1") == 0;
}

bool srv_is_same_origin(const char *origin, const char *host)
{
    const char *authority = strstr(origin, "://");
    return authority && host && strcasecmp(authority + 3, host) == 0;
}
