/*
 * search.c: times the library's search of vectors, for search.py:
 *
 *     bench_search scan|steps|index|postgres|hnsw FOLDER COUNT WIDTH QUERIES TOP BATCH THREADS SECONDS
 *
 * FOLDER holds `vectors` ([COUNT, WIDTH] f16) and `queries` ([QUERIES, WIDTH] f32). `scan` looks at the mapped vectors,
 * `steps` at their copy in int8 first; `index` asks through <align/search.h>, and makes FOLDER/index.db if it is not
 * there; `postgres` and `hnsw` do so with the server that ALIGN_TEST_SERVER names, exactly and approximately. Prints as
 * JSON the seconds that filling an index took (0: it was there), the milliseconds that the first query takes after
 * mapping, the medians of those that it takes to read the vectors (0 for an index), to ask one query, and BATCH of them
 * at once, and the most memory there was, mapped vectors included; writes the places found for all queries to
 * FOLDER/found ([QUERIES, TOP] int64).
 */
#include "base/file.h"
#include "base/memory.h"
#include "search/scan.h"

#include <align/align.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MOST_RUNS 10000

static double memory_mb(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024.0 : 0.0;
}

typedef struct bench {
    const char *mode, *folder;
    size_t count, width, queries, top, batch;
    int threads;
    double seconds, filled;

    al_map vectors, asked;
    al_threads *team;
    int8_t *steps;
    float *step;
    align_index *index;
    al_found *found;
    size_t *n_found;
    atomic_uint_fast64_t read;
} bench;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void check(align_status status, const align_error *err)
{
    if (status == ALIGN_OK)
        return;
    fprintf(stderr, "bench_search: %s\n", err->message);
    exit(1);
}

static void *need(void *memory)
{
    if (!memory) {
        fputs("bench_search: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static const char *path_in(const bench *b, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", b->folder, name);
    return path;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of what run(b, n) takes. */
static double time_runs(bench *b, void (*run)(bench *, size_t), size_t n)
{
    static double times[MOST_RUNS];
    size_t count = 0;
    for (const double end = now_ms() + b->seconds * 1e3; count < MOST_RUNS && (count < 3 || now_ms() < end);) {
        const double begin = now_ms();
        run(b, n);
        times[count++] = now_ms() - begin;
    }
    qsort(times, count, sizeof *times, by_size);
    return times[count / 2];
}

/* ---- what is timed ---- */

static void read_stretch(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    bench *b = user;
    const uint64_t *words = (const uint64_t *)(const void *)b->vectors.data;
    uint64_t all[16] = {0}, one = 0;
    for (size_t i = begin * 16; i < end * 16; i += 16)
        for (size_t j = 0; j < 16; j++)
            all[j] ^= words[i + j];
    for (size_t j = 0; j < 16; j++)
        one ^= all[j];
    atomic_fetch_xor(&b->read, one);
}

static void read_all(bench *b, size_t n)
{
    (void)n;
    al_threads_run(b->team, b->count * b->width * sizeof(uint16_t) / 128, 16 * 1024, read_stretch, b);
}

static const float *query(const bench *b, size_t q)
{
    return (const float *)(const void *)b->asked.data + q * b->width;
}

static void scan(bench *b, size_t n)
{
    const al_scan s = {.vectors = (const uint16_t *)(const void *)b->vectors.data,
                       .count = b->count,
                       .width = b->width,
                       .steps = b->steps,
                       .step = b->step,
                       .top = b->top,
                       .threshold = -2.0f};
    align_error err;
    check(al_scan_run(&s, b->team, query(b, 0), n, b->found, b->n_found, &err), &err);
}

static void ask_index(bench *b, size_t n)
{
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    align_hits hits;
    align_error err;
    options.top = (int64_t)b->top;
    options.approximate = !strcmp(b->mode, "hnsw");
    check(align_index_query(b->index, query(b, 0), n, &options, &hits, &err), &err);
    for (size_t q = 0; q < n; q++) {
        b->n_found[q] = hits.offsets[q + 1] - hits.offsets[q];
        for (size_t i = 0; i < b->n_found[q]; i++)
            b->found[q * b->top + i].place = (size_t)hits.items[hits.offsets[q] + i].id - 1;
    }
    align_hits_done(&hits);
}

/* ---- before and after ---- */

static bool asks_index(const bench *b)
{
    return strcmp(b->mode, "scan") != 0 && strcmp(b->mode, "steps") != 0;
}

/* Items come in order into an index that is new, so that ids count places from 1. */
static void fill_index(bench *b)
{
    enum { BATCH = 4096 };
    static char paths[BATCH][32];
    static align_item items[BATCH];
    float *vectors = need(malloc(BATCH * b->width * sizeof *vectors));
    align_error err;
    for (size_t first = 0; first < b->count; first += BATCH) {
        const size_t n = b->count - first < BATCH ? b->count - first : BATCH;
        al_from_f16(n * b->width, (const uint16_t *)(const void *)b->vectors.data + first * b->width, vectors);
        for (size_t i = 0; i < n; i++) {
            snprintf(paths[i], sizeof paths[i], "/photos/%zu/%zu.jpg", (first + i) / 1000, first + i);
            items[i] = (align_item)ALIGN_ITEM_INIT;
            items[i].path = paths[i];
        }
        check(align_index_add(b->index, items, vectors, n, NULL, &err), &err);
    }
    free(vectors);
}

/* A file, or a schema for so many vectors on the server. */
static const char *place_of_index(const bench *b)
{
    static char place[4096];
    const char *server = getenv("ALIGN_TEST_SERVER");
    if (!strcmp(b->mode, "index"))
        return path_in(b, "index.db");
    if (!server) {
        fputs("bench_search: ALIGN_TEST_SERVER names no server\n", stderr);
        exit(1);
    }
    snprintf(place, sizeof place, "%s#bench_%zu", server, b->count);
    return place;
}

static void open_index(bench *b)
{
    align_error err;
    align_index_info info;
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    options.create = true;
    options.model = "bench";
    options.width = (int64_t)b->width;
    options.threads = b->threads;
    check(align_index_open(&b->index, place_of_index(b), &options, &err), &err);
    check(align_index_get_info(b->index, &info, &err), &err);
    const double begin = now_ms();
    if (info.images == 0)
        fill_index(b);
    b->filled = info.images == 0 ? (now_ms() - begin) / 1e3 : 0.0;
}

static void make_steps(bench *b)
{
    b->steps = need(al_alloc_aligned(b->count * b->width));
    b->step = need(al_alloc_aligned(b->count * sizeof *b->step));
    al_quantize(b->count, b->width, (const uint16_t *)(const void *)b->vectors.data, b->steps, b->step);
}

static void set_up(bench *b)
{
    align_error err;
    check(al_map_open(&b->vectors, path_in(b, "vectors"), &err), &err);
    check(al_map_open(&b->asked, path_in(b, "queries"), &err), &err);
    if (b->vectors.size < b->count * b->width * sizeof(uint16_t) || b->asked.size < b->queries * b->width * 4) {
        fprintf(stderr, "bench_search: %s: fewer vectors than asked for\n", b->folder);
        exit(1);
    }
    check(al_threads_new(&b->team, b->threads, &err), &err);
    b->found = need(calloc(b->queries * b->top, sizeof *b->found));
    b->n_found = need(calloc(b->queries, sizeof *b->n_found));
    if (!strcmp(b->mode, "steps"))
        make_steps(b);
    if (asks_index(b))
        open_index(b);
}

static void write_found(const bench *b)
{
    FILE *file = fopen(path_in(b, "found"), "wb");
    for (size_t q = 0; q < b->queries && file; q++)
        for (size_t i = 0; i < b->top; i++) {
            const int64_t place = i < b->n_found[q] ? (int64_t)b->found[q * b->top + i].place : -1;
            fwrite(&place, sizeof place, 1, file);
        }
    if (!file || fclose(file) != 0) {
        perror("bench_search: found");
        exit(1);
    }
}

static void tear_down(bench *b)
{
    align_index_close(b->index);
    al_free_aligned(b->steps);
    al_free_aligned(b->step);
    al_threads_free(b->team);
    al_map_close(&b->vectors);
    al_map_close(&b->asked);
    free(b->found);
    free(b->n_found);
}

int main(int argc, char **argv)
{
    if (argc != 10) {
        fputs("bench_search scan|steps|index|postgres|hnsw FOLDER COUNT WIDTH QUERIES TOP BATCH THREADS SECONDS\n",
              stderr);
        return 2;
    }
    bench b = {.mode = argv[1],
               .folder = argv[2],
               .count = strtoul(argv[3], NULL, 10),
               .width = strtoul(argv[4], NULL, 10),
               .queries = strtoul(argv[5], NULL, 10),
               .top = strtoul(argv[6], NULL, 10),
               .batch = strtoul(argv[7], NULL, 10),
               .threads = atoi(argv[8]),
               .seconds = atof(argv[9])};
    void (*run)(bench *, size_t) = asks_index(&b) ? ask_index : scan;
    set_up(&b);
    const double begin = now_ms();
    run(&b, 1);
    const double first = now_ms() - begin;
    const double read = b.index ? 0.0 : time_runs(&b, read_all, 0);
    const double one = time_runs(&b, run, 1), batch = time_runs(&b, run, b.batch);
    run(&b, b.queries);
    write_found(&b);
    printf("{\"filled_s\": %.1f, \"first_ms\": %.3f, \"read_ms\": %.3f, \"one_ms\": %.3f, \"batch_ms\": %.3f, "
           "\"memory_mb\": %.1f}\n",
           b.filled, first, read, one, batch, memory_mb());
    tear_down(&b);
    return 0;
}
