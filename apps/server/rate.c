/*
 * rate.c: buckets of tokens, in a table of short rows: an address has its place in one row, wherever it is free or
 * forgotten first.
 */
#include "rate.h"
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROWS            1024 /* a power of two */
#define ROW             8
#define SECONDS_AT_ONCE 2

typedef struct bucket {
    uint8_t client[16];
    double tokens, seen; /* seen 0: free */
} bucket;

struct srv_rates {
    double a_second, most;
    bucket rows[ROWS][ROW];
};

srv_rates *srv_rates_new(double a_second)
{
    srv_rates *rates = calloc(1, sizeof *rates);
    if (!rates)
        return NULL;
    rates->a_second = a_second;
    rates->most = a_second * SECONDS_AT_ONCE > 1 ? a_second * SECONDS_AT_ONCE : 1;
    return rates;
}

void srv_rates_free(srv_rates *rates)
{
    free(rates);
}

/* IPv4 has the same name on sockets of either family. */
static void name_client(uint8_t name[16], const struct sockaddr *client)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, 0xFF};
    memset(name, 0, 16);
    if (client->sa_family == AF_INET) {
        memcpy(name, mapped, sizeof mapped);
        memcpy(name + sizeof mapped, &((const struct sockaddr_in *)(const void *)client)->sin_addr, 4);
    } else if (client->sa_family == AF_INET6) {
        const uint8_t *address = ((const struct sockaddr_in6 *)(const void *)client)->sin6_addr.s6_addr;
        memcpy(name, address, memcmp(address, mapped, sizeof mapped) == 0 ? 16 : 8);
    }
}

static bucket *row_of(srv_rates *rates, const uint8_t name[16])
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (int i = 0; i < 16; i++)
        hash = (hash ^ name[i]) * 16777619u;
    return rates->rows[(hash ^ hash >> 16) & (ROWS - 1)];
}

/* The client's bucket, filled up to now. */
static bucket *find_bucket(srv_rates *rates, const uint8_t name[16], double now)
{
    bucket *row = row_of(rates, name), *oldest = row;
    for (bucket *b = row; b < row + ROW; b++) {
        if (b->seen > 0 && memcmp(b->client, name, 16) == 0) {
            const double tokens = b->tokens + (now - b->seen) * rates->a_second;
            b->tokens = tokens < rates->most ? tokens : rates->most;
            b->seen = now;
            return b;
        }
        if (b->seen < oldest->seen)
            oldest = b;
    }
    memcpy(oldest->client, name, 16);
    oldest->tokens = rates->most;
    oldest->seen = now;
    return oldest;
}

bool srv_rates_admit(srv_rates *rates, const struct sockaddr *client, double now, unsigned *retry_after)
{
    uint8_t name[16];
    name_client(name, client);
    bucket *b = find_bucket(rates, name, now);
    *retry_after = 0;
    if (b->tokens >= 1) {
        b->tokens -= 1;
        return true;
    }
    const double seconds = (1 - b->tokens) / rates->a_second;
    *retry_after = seconds < 1 ? 1 : seconds > 3600 ? 3600 : (unsigned)(seconds + 0.999);
    return false;
}
