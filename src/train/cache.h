#ifndef AL_CACHE_H
#define AL_CACHE_H
/*
 * cache.h: decoded pictures that stay in memory, as many as a number of bytes allows; the first to come stay. For many
 * threads at once.
 */
#include <align/processor.h>

typedef struct al_cache al_cache;

/* For pictures 0 to count - 1. */
align_status al_cache_new(al_cache **out, size_t count, size_t bytes, align_error *err);
void al_cache_free(al_cache *cache);

/* A picture that is there, for as long as the cache; NULL: it is not. A NULL cache holds none. */
const align_image *al_cache_get(al_cache *cache, size_t i);

/* Takes the pixels of *image (and zeroes it) where there is room. Memory that is missing is room that is missing. */
void al_cache_put(al_cache *cache, size_t i, align_image *image);
#endif
