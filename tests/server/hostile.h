#ifndef TESTS_SERVER_HOSTILE_H
#define TESTS_SERVER_HOSTILE_H
/*
 * hostile.h: requests that nobody should send, from a seed: good ones with bytes changed, cut off or repeated, JSON of
 * known names with unfit values, forms that do not end, damaged pictures, heads that break the rules.
 */
#include "text.h"
#include <stdint.h>

/* Good requests, whole as they are sent; the hostile ones are made of them. */
typedef struct hostile_seeds {
    const srv_text *requests;
    size_t n;
    const char *picture; /* the file of one, as bytes */
    size_t picture_size;
} hostile_seeds;

/* How a client parts from the server when it has sent what it had to send. */
typedef enum hostile_parting {
    PARTS_READING, /* says that there is no more, and reads what comes */
    PARTS_WAITING, /* the request is whole: reads one answer */
    PARTS_AT_ONCE, /* closes */
    PARTS_WITH_RESET
} hostile_parting;

/* Writes request number n of a seed, and how it ends; the same each time. */
hostile_parting hostile_request(srv_text *out, uint64_t seed, uint64_t n, const hostile_seeds *seeds);
#endif
