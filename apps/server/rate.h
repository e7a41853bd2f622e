#ifndef ALIGN_SERVER_RATE_H
#define ALIGN_SERVER_RATE_H
/*
 * rate.h: how many requests a second a client may send. A client is an address; of IPv6, the first half of one, since
 * whoever has one address there has all of that network.
 *
 * Each has a bucket of tokens that fills at the rate, up to what two seconds bring, and pays one a request. The table
 * of buckets has a fixed size: where many clients come, those that were quiet for the longest time are forgotten, and
 * find a full bucket when they come again, as they mostly would have had.
 */
#include <stdbool.h>
#include <sys/socket.h>

typedef struct srv_rates srv_rates;

/* A second: more than 0. NULL without memory. */
srv_rates *srv_rates_new(double a_second);
void srv_rates_free(srv_rates *rates);

/* Whether a request that comes now (srv_now) is let in; if not, in how many seconds one would be. One thread's. */
bool srv_rates_admit(srv_rates *rates, const struct sockaddr *client, double now, unsigned *retry_after);
#endif
