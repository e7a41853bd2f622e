#ifndef ALIGN_SERVER_AUTH_H
#define ALIGN_SERVER_AUTH_H
/*
 * auth.h: who may ask.
 */
#include <stdbool.h>
#include <stddef.h>

/* Whether an Authorization header, or NULL, is "Bearer TOKEN"; takes as long whatever it holds. */
bool srv_token_matches(const char *token, const char *authorization);

/* Whether a Host header, or NULL, names this machine: localhost, or an address of the loopback. A page elsewhere can
 * have its own name lead here; the browser then sends that name. */
bool srv_is_loopback_name(const char *host);

/* Whether an Origin header is the page that the server itself gave under this Host header. */
bool srv_is_same_origin(const char *origin, const char *host);
#endif
