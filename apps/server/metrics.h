#ifndef ALIGN_SERVER_METRICS_H
#define ALIGN_SERVER_METRICS_H
/*
 * metrics.h: what the server counts, in the form of Prometheus. Any thread may count. A metric is a line in one of
 * these lists: name of its family, label of the family's member, what it says.
 */
#include "text.h"
#include <stdatomic.h>

/* clang-format off */
#define SRV_COUNTERS(X) \
    X(ANSWERS_OK, "align_http_answers_total", "status=\"2xx\"", "Answers by the class of their status.") \
    X(ANSWERS_OTHER, "align_http_answers_total", "status=\"3xx\"", NULL) \
    X(ANSWERS_REFUSED, "align_http_answers_total", "status=\"4xx\"", NULL) \
    X(ANSWERS_FAILED, "align_http_answers_total", "status=\"5xx\"", NULL) \
    X(FULL, "align_refused_total", "reason=\"full\"", "Requests that were refused to protect the others.") \
    X(OFTEN, "align_refused_total", "reason=\"rate\"", NULL) \
    X(LATE, "align_refused_total", "reason=\"deadline\"", NULL) \
    X(GONE, "align_abandoned_total", "", "Requests whose client went away before the answer.") \
    X(SLOW, "align_slow_clients_total", "", "Connections closed because the client was too slow.") \
    X(TEXTS, "align_inputs_total", "kind=\"text\"", "Inputs embedded, those from the cache included.") \
    X(PICTURES, "align_inputs_total", "kind=\"picture\"", NULL) \
    X(SKIPPED, "align_skipped_inputs_total", "", "Inputs that nobody waited for any more.") \
    X(TOKENS, "align_tokens_total", "", "Tokens of the texts embedded.") \
    X(FETCHED, "align_fetches_total", "result=\"picture\"", "Pictures fetched from addresses.") \
    X(NOT_FETCHED, "align_fetches_total", "result=\"nothing\"", NULL) \
    X(CACHE_HITS, "align_cache_hits_total", "", "Texts whose embedding was kept from before.") \
    X(CACHE_MISSES, "align_cache_misses_total", "", "Texts whose embedding had to be computed.")

#define SRV_GAUGES(X) \
    X(CONNECTIONS, "align_connections", "", "Open connections.") \
    X(IN_WORK, "align_requests_in_work", "", "Requests that wait for their answer.") \
    X(QUEUE_TEXTS, "align_queue", "kind=\"text\"", "Inputs admitted and not answered yet.") \
    X(QUEUE_PICTURES, "align_queue", "kind=\"picture\"", NULL) \
    X(HELD_BYTES, "align_held_bytes", "", "Bytes of requests and answers in memory.")

/* Bounds are those of seconds or of counts. */
#define SRV_HISTOGRAMS(X) \
    X(REQUEST_SECONDS, "align_request_seconds", "", "From the headers of a request to its answer.", SRV_SECONDS) \
    X(QUEUE_SECONDS, "align_queue_seconds", "", "From admission of an input to its computation.", SRV_SECONDS) \
    X(BATCH_TEXTS, "align_batch_inputs", "kind=\"text\"", "Inputs computed together.", SRV_COUNTS) \
    X(BATCH_PICTURES, "align_batch_inputs", "kind=\"picture\"", NULL, SRV_COUNTS) \
    X(COMPUTE_TEXTS, "align_compute_seconds", "kind=\"text\"", "Time of the model a batch.", SRV_SECONDS) \
    X(COMPUTE_PICTURES, "align_compute_seconds", "kind=\"picture\"", NULL, SRV_SECONDS)

#define SRV_METRIC_NAME(name, ...) SRV_##name,
typedef enum srv_counter { SRV_COUNTERS(SRV_METRIC_NAME) SRV_COUNTER_COUNT } srv_counter;
typedef enum srv_gauge { SRV_GAUGES(SRV_METRIC_NAME) SRV_GAUGE_COUNT } srv_gauge;
typedef enum srv_histogram { SRV_HISTOGRAMS(SRV_METRIC_NAME) SRV_HISTOGRAM_COUNT } srv_histogram;
/* clang-format on */

typedef enum srv_scale { SRV_SECONDS, SRV_COUNTS } srv_scale;

#define SRV_BUCKETS 14

/* Begins zeroed. */
typedef struct srv_metrics {
    atomic_uint_least64_t counters[SRV_COUNTER_COUNT];
    atomic_int_least64_t gauges[SRV_GAUGE_COUNT];
    struct {
        atomic_uint_least64_t buckets[SRV_BUCKETS + 1], millionths; /* the last bucket has no bound */
    } histograms[SRV_HISTOGRAM_COUNT];
} srv_metrics;

void srv_count(srv_metrics *metrics, srv_counter counter, uint64_t more);
void srv_gauge_add(srv_metrics *metrics, srv_gauge gauge, int64_t more);
void srv_observe(srv_metrics *metrics, srv_histogram histogram, double value);

/* All of them, in version 0.0.4 of the text format. */
void srv_metrics_write(const srv_metrics *metrics, srv_text *out);

/* Seconds of a clock that only goes forward. */
double srv_now(void);
#endif
