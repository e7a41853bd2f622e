#ifndef ALIGN_SERVER_CACHE_H
#define ALIGN_SERVER_CACHE_H
/*
 * cache.h: embeddings of texts that were asked for lately: labels come again and again. What was used longest ago goes
 * first. For use from any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct srv_cache srv_cache;

/* Holds vectors of so many floats, in at most so many bytes; NULL without memory. */
srv_cache *srv_cache_new(size_t width, size_t most_bytes);
void srv_cache_free(srv_cache *cache);

/* Copies the text's vector and how many tokens it has; false: it is not there. */
bool srv_cache_get(srv_cache *cache, const char *text, float *vector, int64_t *tokens);

/* Keeps it, if there is memory; a text too large for the cache is passed over. */
void srv_cache_put(srv_cache *cache, const char *text, const float *vector, int64_t tokens);

size_t srv_cache_bytes(srv_cache *cache);
#endif
