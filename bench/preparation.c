/*
 * preparation.c: times the processor from inside, through the public headers alone, for tokenizer.py and prepare.py:
 *
 *     bench_preparation texts FOLDER FILE LENGTH SECONDS
 *         encodes all lines of FILE in one call, padded to LENGTH tokens (0: not padded, nor cut)
 *     bench_preparation picture FOLDER FILE exact|fast SECONDS OUT
 *         makes pixel_values of the picture FILE, and writes them to OUT as raw float32
 *
 * Repeats for SECONDS and prints the median as JSON, with what shows that both sides did the same work.
 */
#include <align/align.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_RUNS 100000

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check(align_status status, const align_error *err)
{
    if (status == ALIGN_OK)
        return;
    fprintf(stderr, "bench_preparation: %s\n", err->message);
    exit(1);
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        fputs("bench_preparation: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = allocate(*size + 1);
    if (fread(bytes, 1, *size, file) != *size) {
        perror(path);
        exit(1);
    }
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

typedef void work(void *job);

/* The median of what one run takes. */
static double time_runs(work *run, void *job, double seconds)
{
    static double times[MOST_RUNS];
    size_t count = 0;
    run(job); /* warm */
    for (const double end = now_ms() + seconds * 1e3; count < MOST_RUNS && (count < 3 || now_ms() < end);) {
        const double begin = now_ms();
        run(job);
        times[count++] = now_ms() - begin;
    }
    qsort(times, count, sizeof *times, compare);
    return times[count / 2];
}

/* ---- texts ---- */

typedef struct text_job {
    const align_tokenizer *tokenizer;
    const char **texts;
    size_t count;
    align_encode_options options;
    size_t tokens;
    int64_t sum; /* of the ids */
} text_job;

static void run_texts(void *job)
{
    text_job *j = job;
    align_error err = ALIGN_ERROR_INIT;
    align_encoding encoding;
    check(align_tokenizer_encode(j->tokenizer, j->texts, NULL, j->count, &j->options, &encoding, &err), &err);
    j->tokens = encoding.offsets[encoding.rows];
    j->sum = 0;
    for (size_t i = 0; i < j->tokens; i++)
        j->sum += encoding.input_ids[i];
    align_encoding_done(&encoding);
}

static int time_texts(const align_processor *processor, char **argv)
{
    size_t size;
    char *bytes = read_file(argv[0], &size);
    text_job job = {.tokenizer = align_processor_tokenizer(processor), .options = ALIGN_ENCODE_OPTIONS_INIT};
    job.texts = allocate((size + 1) * sizeof *job.texts);
    for (char *line = strtok(bytes, "\n"); line; line = strtok(NULL, "\n"))
        job.texts[job.count++] = line;
    job.options.max_length = atoi(argv[1]);
    if (job.options.max_length == 0)
        job.options.padding = ALIGN_PAD_NONE;
    const double median = time_runs(run_texts, &job, atof(argv[2]));
    printf("{\"median_ms\": %.6f, \"texts\": %zu, \"tokens\": %zu, \"sum\": %" PRId64 "}\n", median, job.count,
           job.tokens, job.sum);
    free(job.texts);
    free(bytes);
    return 0;
}

/* ---- pictures ---- */

typedef struct picture_job {
    const align_image_processor_config *config;
    const char *path;
    bool fast;
    float *pixel_values;
    size_t count;
} picture_job;

static void run_picture(void *job)
{
    picture_job *j = job;
    align_error err = ALIGN_ERROR_INIT;
    align_image image;
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    options.resize_for = j->config;
    options.fast_decode = j->fast;
    int64_t height, width;
    check(align_image_open(&image, j->path, &options, &err), &err);
    align_image_processor_output_size(j->config, image.height, image.width, &height, &width);
    j->count = (size_t)(image.channels * height * width);
    if (!j->pixel_values)
        j->pixel_values = allocate(j->count * sizeof *j->pixel_values);
    check(align_image_processor_run(j->config, &image, j->pixel_values, &err), &err);
    align_image_done(&image);
}

static int time_picture(const align_processor *processor, char **argv)
{
    picture_job job = {align_processor_image_processor(processor), argv[0], strcmp(argv[1], "fast") == 0, NULL, 0};
    const double median = time_runs(run_picture, &job, atof(argv[2]));
    FILE *out = fopen(argv[3], "wb");
    const bool written = out && fwrite(job.pixel_values, sizeof *job.pixel_values, job.count, out) == job.count;
    if (!written || fclose(out) != 0) {
        perror(argv[3]);
        return 1;
    }
    printf("{\"median_ms\": %.6f}\n", median);
    free(job.pixel_values);
    return 0;
}

int main(int argc, char **argv)
{
    const bool texts = argc == 6 && strcmp(argv[1], "texts") == 0;
    if (!texts && !(argc == 7 && strcmp(argv[1], "picture") == 0)) {
        fputs("usage: bench_preparation texts FOLDER FILE LENGTH SECONDS\n"
              "       bench_preparation picture FOLDER FILE exact|fast SECONDS OUT\n",
              stderr);
        return 2;
    }
    align_processor *processor;
    align_error err = ALIGN_ERROR_INIT;
    check(align_processor_from_pretrained(&processor, argv[2], &err), &err);
    const int code = texts ? time_texts(processor, argv + 3) : time_picture(processor, argv + 3);
    align_processor_free(processor);
    return code;
}
