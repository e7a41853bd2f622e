/*
 * cache.c: a table of chains, and a list in the order of use. Entries are found by a keyed hash, so that a client
 * cannot choose texts that all land in one chain.
 */
#include "cache.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SMALLEST_TABLE 256

typedef struct entry {
    struct entry *chain;         /* of the same place in the table */
    struct entry *newer, *older; /* in the order of use */
    uint64_t hash;
    int64_t tokens;
    size_t bytes; /* all it takes */
    char *text;   /* behind the vector, in the same block */
    float vector[];
} entry;

struct srv_cache {
    pthread_mutex_t lock;
    uint64_t key[2];
    size_t width, most_bytes, bytes;
    entry **table;
    size_t size, count; /* of the table, a power of two; of entries */
    entry *newest, *oldest;
};

/* ---- hash ---- */

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein). */
static uint64_t hash_text(const uint64_t key[2], const char *text, size_t length)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                     key[1] ^ 0x7465646279746573};
    for (size_t i = 0; i <= length; i += 8) {
        uint64_t word = 0;
        const size_t have = length - i < 8 ? length - i : 8;
        memcpy(&word, text + i, have);
        if (have < 8)
            word |= (uint64_t)length << 56;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the list ---- */

static void unlink_entry(srv_cache *cache, entry *e)
{
    *(e->newer ? &e->newer->older : &cache->newest) = e->older;
    *(e->older ? &e->older->newer : &cache->oldest) = e->newer;
}

static void link_newest(srv_cache *cache, entry *e)
{
    e->newer = NULL;
    e->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = e;
    cache->newest = e;
}

/* ---- the table ---- */

static entry **find_place(srv_cache *cache, uint64_t hash, const char *text)
{
    entry **place = &cache->table[hash & (cache->size - 1)];
    while (*place && ((*place)->hash != hash || strcmp((*place)->text, text) != 0))
        place = &(*place)->chain;
    return place;
}

static void remove_entry(srv_cache *cache, entry *e)
{
    *find_place(cache, e->hash, e->text) = e->chain;
    unlink_entry(cache, e);
    cache->bytes -= e->bytes;
    cache->count--;
    free(e);
}

/* Doubles the table; it stays as it is where there is no memory. */
static void grow(srv_cache *cache)
{
    entry **table = calloc(2 * cache->size, sizeof *table);
    if (!table)
        return;
    cache->bytes += cache->size * sizeof *table;
    cache->size *= 2;
    free(cache->table);
    cache->table = table;
    for (entry *e = cache->newest; e; e = e->older) {
        entry **place = &table[e->hash & (cache->size - 1)];
        e->chain = *place;
        *place = e;
    }
}

srv_cache *srv_cache_new(size_t width, size_t most_bytes)
{
    srv_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->table = calloc(SMALLEST_TABLE, sizeof *cache->table);
    if (!cache->table || getrandom(cache->key, sizeof cache->key, 0) != (ssize_t)sizeof cache->key ||
        pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache->table);
        free(cache);
        return NULL;
    }
    cache->width = width;
    cache->most_bytes = most_bytes;
    cache->size = SMALLEST_TABLE;
    cache->bytes = SMALLEST_TABLE * sizeof *cache->table;
    return cache;
}

void srv_cache_free(srv_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        remove_entry(cache, cache->oldest);
    pthread_mutex_destroy(&cache->lock);
    free(cache->table);
    free(cache);
}

bool srv_cache_get(srv_cache *cache, const char *text, float *vector, int64_t *tokens)
{
    const uint64_t hash = hash_text(cache->key, text, strlen(text));
    pthread_mutex_lock(&cache->lock);
    entry *e = *find_place(cache, hash, text);
    if (e) {
        memcpy(vector, e->vector, cache->width * sizeof *vector);
        *tokens = e->tokens;
        unlink_entry(cache, e);
        link_newest(cache, e);
    }
    pthread_mutex_unlock(&cache->lock);
    return e != NULL;
}

/* In the lock, of a text that is not there. */
static void insert(srv_cache *cache, entry *e)
{
    while (cache->oldest && cache->bytes + e->bytes > cache->most_bytes)
        remove_entry(cache, cache->oldest);
    entry **place = find_place(cache, e->hash, e->text);
    e->chain = *place;
    *place = e;
    link_newest(cache, e);
    cache->bytes += e->bytes;
    if (++cache->count > cache->size)
        grow(cache);
}

void srv_cache_put(srv_cache *cache, const char *text, const float *vector, int64_t tokens)
{
    const size_t length = strlen(text), vector_bytes = cache->width * sizeof *vector;
    const size_t bytes = sizeof(entry) + vector_bytes + length + 1;
    if (bytes > cache->most_bytes / 8)
        return;
    entry *e = malloc(bytes);
    if (!e)
        return;
    *e = (entry){.hash = hash_text(cache->key, text, length), .tokens = tokens, .bytes = bytes};
    memcpy(e->vector, vector, vector_bytes);
    e->text = (char *)e->vector + vector_bytes;
    memcpy(e->text, text, length + 1);
    pthread_mutex_lock(&cache->lock);
    const bool known = *find_place(cache, e->hash, text) != NULL;
    if (!known)
        insert(cache, e);
    pthread_mutex_unlock(&cache->lock);
    if (known)
        free(e);
}

size_t srv_cache_bytes(srv_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    const size_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}
