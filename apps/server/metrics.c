/*
 * metrics.c: counters, gauges and histograms, and how Prometheus reads them.
 */
#include "metrics.h"
#include <inttypes.h>
#include <time.h>

typedef struct metric {
    const char *family, *label, *help; /* help NULL: another member of the family before */
    srv_scale scale;                   /* of histograms */
} metric;

#define METRIC_ROW(name, ...) {__VA_ARGS__},
#define PLAIN_ROW(name, ...)  {__VA_ARGS__, SRV_COUNTS},
static const metric counters[] = {SRV_COUNTERS(PLAIN_ROW)};
static const metric gauges[] = {SRV_GAUGES(PLAIN_ROW)};
static const metric histograms[] = {SRV_HISTOGRAMS(METRIC_ROW)};

static const double bounds[][SRV_BUCKETS] = {
    [SRV_SECONDS] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30},
    [SRV_COUNTS] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256},
};

double srv_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void srv_count(srv_metrics *metrics, srv_counter counter, uint64_t more)
{
    atomic_fetch_add_explicit(&metrics->counters[counter], more, memory_order_relaxed);
}

void srv_gauge_add(srv_metrics *metrics, srv_gauge gauge, int64_t more)
{
    atomic_fetch_add_explicit(&metrics->gauges[gauge], more, memory_order_relaxed);
}

void srv_observe(srv_metrics *metrics, srv_histogram histogram, double value)
{
    const double *bound = bounds[histograms[histogram].scale];
    int bucket = 0;
    while (bucket < SRV_BUCKETS && value > bound[bucket])
        bucket++;
    atomic_fetch_add_explicit(&metrics->histograms[histogram].buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metrics->histograms[histogram].millionths, (uint64_t)(value * 1e6),
                              memory_order_relaxed);
}

static void write_head(srv_text *out, const metric *m, const char *type)
{
    if (m->help)
        srv_text_print(out, "# HELP %s %s\n# TYPE %s %s\n", m->family, m->help, m->family, type);
}

static void write_value(srv_text *out, const metric *m, int64_t value)
{
    const char *open = *m->label ? "{" : "", *close = *m->label ? "}" : "";
    srv_text_print(out, "%s%s%s%s %" PRId64 "\n", m->family, open, m->label, close, value);
}

static void write_histogram(const srv_metrics *metrics, srv_text *out, int number)
{
    const metric *m = &histograms[number];
    const char *comma = *m->label ? "," : "", *open = *m->label ? "{" : "", *close = *m->label ? "}" : "";
    uint64_t sum = 0;
    write_head(out, m, "histogram");
    for (int b = 0; b <= SRV_BUCKETS; b++) {
        sum += atomic_load_explicit(&metrics->histograms[number].buckets[b], memory_order_relaxed);
        if (b < SRV_BUCKETS)
            srv_text_print(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", m->family, m->label, comma,
                           bounds[m->scale][b], sum);
        else
            srv_text_print(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", m->family, m->label, comma, sum);
    }
    const uint64_t millionths = atomic_load_explicit(&metrics->histograms[number].millionths, memory_order_relaxed);
    srv_text_print(out, "%s_sum%s%s%s %.6f\n", m->family, open, m->label, close, (double)millionths / 1e6);
    srv_text_print(out, "%s_count%s%s%s %" PRIu64 "\n", m->family, open, m->label, close, sum);
}

void srv_metrics_write(const srv_metrics *metrics, srv_text *out)
{
    for (int i = 0; i < SRV_COUNTER_COUNT; i++) {
        write_head(out, &counters[i], "counter");
        write_value(out, &counters[i], (int64_t)atomic_load_explicit(&metrics->counters[i], memory_order_relaxed));
    }
    for (int i = 0; i < SRV_GAUGE_COUNT; i++) {
        write_head(out, &gauges[i], "gauge");
        write_value(out, &gauges[i], atomic_load_explicit(&metrics->gauges[i], memory_order_relaxed));
    }
    for (int i = 0; i < SRV_HISTOGRAM_COUNT; i++)
        write_histogram(metrics, out, i);
}
