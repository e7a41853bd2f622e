/*
 * bench.c: `align bench`: how long one tower takes, and how far its features are from expected ones. One run is one
 * engine, tower and batch, so that a script can alternate it with other engines on the same files (bench/compare.py).
 */
#include "cli.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_RUNS = 1000 };

typedef struct arguments {
    cli_common common;
    const char *inputs, *expected, *tower;
    int64_t batch, seconds;
    bool layers;
} arguments;

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    args->tower = "image";
    args->batch = 1;
    args->seconds = 4;
    const cli_option options[] = {
        {CLI_TEXT, "inputs", "I.safetensors", &args->inputs, 0,
         "file with pixel_values, input_ids and attention_mask, or caption_ids and caption_mask (default: inputs of "
         "the model's sizes, made up)"},
        {CLI_TEXT, "expected", "E.safetensors", &args->expected, 0,
         "file with image_features, text_features or caption_features to compare with"},
        {CLI_CHOICE, "tower", "image|text|caption", &args->tower, 0, "what to run (default: image)"},
        {CLI_INT, "batch", "N", &args->batch, 1, "the first N rows of the inputs at once (default: 1)"},
        {CLI_FLAG, "layers", NULL, &args->layers, 0,
         "before the result, what every step of the tower costs: time, multiply-adds and bytes"},
        {CLI_INT, "seconds", "N", &args->seconds, 1, "measure for about this long (default: 4)"},
        CLI_OPTIONS_COMMON(args->common),
    };
    cli_list rest = {0};
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "takes no arguments, found '%s'", rest.items[0]);
    if (code == CLI_PROCEED && args->expected && !args->inputs)
        code = cli_usage_error(self, "--expected needs --inputs");
    cli_list_done(&rest);
    return code;
}

/* ---- what is run ---- */

typedef struct workload {
    const arguments *args;
    align_model *model;
    align_context *context;
    bool pictures;
    align_tensors *file; /* what the inputs are views of: this, or one of those below */
    float *pixels;
    int64_t *ids, *mask;
    align_inputs inputs;
    align_tensor features; /* of the last run */
} workload;

/* The first batch rows of a tensor of the file. */
static bool take(align_tensor *out, const align_tensors *file, const char *name, const arguments *args)
{
    const align_tensor *found = align_tensors_get(file, name);
    if (!found) {
        cli_fail("%s: no tensor %s", args->inputs, name);
        return false;
    }
    if (found->rank < 1 || found->shape[0] < args->batch) {
        cli_fail("%s: %s: expected at least %" PRId64 " rows, found %" PRId64, args->inputs, name, args->batch,
                 found->rank < 1 ? 0 : found->shape[0]);
        return false;
    }
    *out = *found;
    out->shape[0] = args->batch;
    return true;
}

static bool take_inputs(workload *w)
{
    const arguments *args = w->args;
    align_error err = ALIGN_ERROR_INIT;
    if (align_tensors_open(&w->file, args->inputs, &err) != ALIGN_OK) {
        cli_fail("%s", err.message);
        return false;
    }
    if (w->pictures)
        return take(&w->inputs.pixel_values, w->file, "pixel_values", args);
    const bool captions = strcmp(args->tower, "caption") == 0;
    return take(&w->inputs.input_ids, w->file, captions ? "caption_ids" : "input_ids", args) &&
           take(&w->inputs.attention_mask, w->file, captions ? "caption_mask" : "attention_mask", args);
}

/* ---- inputs that are made up: the same on every machine ---- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Pictures of the model's size, uniform in [-1, 1): about what the processor makes. */
static void make_pictures(workload *w)
{
    const align_vision_config *config = &align_model_config(w->model)->vision_config;
    const int64_t shape[] = {w->args->batch, config->num_channels, config->image_size, config->image_size};
    const size_t pictures = (size_t)shape[0], picture = (size_t)(shape[1] * shape[2] * shape[3]);
    uint32_t seed = 1;
    w->pixels = cli_alloc(pictures, picture * sizeof *w->pixels);
    w->inputs.pixel_values = align_tensor_view(ALIGN_F32, 4, shape, w->pixels);
    for (size_t i = 0; i < pictures * picture; i++)
        w->pixels[i] = (float)next_random(&seed) / (float)(1 << 23) - 1.0f;
}

/* Texts of 64 tokens, or of as many as the model takes; captions have 6 to 19 of them and padding. */
static void make_texts(workload *w)
{
    enum { TOKENS = 64, LEAST = 6, LENGTHS = 14 };
    const align_text_config *config = &align_model_config(w->model)->text_config;
    const int64_t tokens = config->max_position_embeddings < TOKENS ? config->max_position_embeddings : TOKENS;
    const int64_t shape[] = {w->args->batch, tokens};
    const size_t rows = (size_t)w->args->batch, columns = (size_t)tokens;
    const bool captions = strcmp(w->args->tower, "caption") == 0;
    uint32_t seed = 1;
    w->ids = cli_alloc(rows, columns * sizeof *w->ids);
    w->mask = cli_alloc(rows, columns * sizeof *w->mask);
    for (size_t r = 0; r < rows; r++) {
        const size_t length = captions ? LEAST + next_random(&seed) % LENGTHS : columns;
        for (size_t i = 0; i < columns; i++) {
            w->ids[r * columns + i] = next_random(&seed) % config->vocab_size;
            w->mask[r * columns + i] = i < length;
        }
    }
    w->inputs.input_ids = align_tensor_view(ALIGN_I64, 2, shape, w->ids);
    w->inputs.attention_mask = align_tensor_view(ALIGN_I64, 2, shape, w->mask);
}

static void make_inputs(workload *w)
{
    if (w->pictures)
        make_pictures(w);
    else
        make_texts(w);
}

static bool run_once(workload *w, double *milliseconds)
{
    align_error err = ALIGN_ERROR_INIT;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const align_status status = w->pictures ? align_model_get_image_features(w->context, &w->inputs, &w->features, &err)
                                            : align_model_get_text_features(w->context, &w->inputs, &w->features, &err);
    clock_gettime(CLOCK_MONOTONIC, &end);
    *milliseconds = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) * 1e-6;
    if (status != ALIGN_OK)
        cli_fail("%s", err.message);
    return status == ALIGN_OK;
}

/* ---- what is said of it ---- */

/* The smallest cosine between a row of features and the row expected; NaN when nothing is expected. */
static bool smallest_cosine(const workload *w, double *out)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *file = NULL;
    *out = (double)NAN;
    if (!w->args->expected)
        return true;
    if (align_tensors_open(&file, w->args->expected, &err) != ALIGN_OK) {
        cli_fail("%s", err.message);
        return false;
    }
    char *name = cli_format("%s_features", w->args->tower);
    const align_tensor *expected = align_tensors_get(file, name);
    const size_t n = (size_t)w->features.shape[1], rows = (size_t)w->features.shape[0];
    const bool fits = expected && expected->rank == 2 && expected->shape[1] == w->features.shape[1] &&
                      expected->shape[0] >= w->features.shape[0];
    if (!fits)
        cli_fail("%s: %s: expected [%zu or more, %zu]", w->args->expected, name, rows, n);
    else {
        float *want = cli_alloc((size_t)align_tensor_elements(expected), sizeof *want);
        align_tensor_to_f32(expected, want);
        *out = 1.0;
        for (size_t r = 0; r < rows; r++) {
            const float *x = (const float *)w->features.data + r * n, *y = want + r * n;
            double xy = 0.0, xx = 0.0, yy = 0.0;
            for (size_t i = 0; i < n; i++) {
                xy += (double)x[i] * (double)y[i];
                xx += (double)x[i] * (double)x[i];
                yy += (double)y[i] * (double)y[i];
            }
            *out = fmin(*out, xy / sqrt(xx * yy));
        }
        free(want);
    }
    free(name);
    align_tensors_free(file);
    return fits;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const workload *w, double *times, size_t n, double cosine)
{
    const arguments *args = w->args;
    const char *precision = align_precision_name(align_model_precision(w->model));
    qsort(times, n, sizeof *times, by_size);
    const double least = times[0] / (double)args->batch, median = times[n / 2] / (double)args->batch;
    if (args->common.json) {
        cli_print_json(json_pack("{s:s, s:s, s:I, s:I, s:s, s:o, s:o, s:o, s:s}", "engine", "align", "tower",
                                 args->tower, "batch", (json_int_t)args->batch, "threads",
                                 (json_int_t)args->common.threads, "precision", precision, "min_ms",
                                 cli_json_real(least), "median_ms", cli_json_real(median), "cos", cli_json_real(cosine),
                                 "isa", align_isa()));
        return;
    }
    printf("%s, batch %" PRId64 ", %s, %s: median %.2f ms an item, least %.2f", args->tower, args->batch, precision,
           align_isa(), median, least);
    if (!isnan(cosine))
        printf(", cosine %.7f", cosine);
    printf("\n");
}

static bool report_layers(const workload *w, size_t runs, double milliseconds, double peak)
{
    align_error err = ALIGN_ERROR_INIT;
    align_profile profile;
    if (align_context_profile(w->context, &profile, &err) != ALIGN_OK) {
        cli_fail("%s", err.message);
        return false;
    }
    const cli_layers run = {(int64_t)runs, w->args->batch, milliseconds, peak};
    cli_print_layers(&profile, &run, w->args->common.json);
    return true;
}

/* Two runs to warm up, and then those that are measured may begin. */
static bool warm_up(workload *w, double *peak)
{
    align_error err = ALIGN_ERROR_INIT;
    double time;
    for (int i = 0; i < 2; i++)
        if (!run_once(w, &time))
            return false;
    if (!w->args->layers)
        return true;
    *peak = align_context_peak(w->context);
    if (align_context_profile_start(w->context, &err) == ALIGN_OK)
        return true;
    cli_fail("%s", err.message);
    return false;
}

/* Runs until the time is over, at least five. */
static int measure(workload *w)
{
    double times[MOST_RUNS], total = 0.0, peak = 0.0, cosine;
    size_t n = 0;
    if (!warm_up(w, &peak))
        return CLI_FAILED;
    while (n < MOST_RUNS && (n < 5 || total < (double)w->args->seconds * 1e3)) {
        if (!run_once(w, &times[n]))
            return CLI_FAILED;
        total += times[n++];
    }
    if (!smallest_cosine(w, &cosine) || (w->args->layers && !report_layers(w, n, total, peak)))
        return CLI_FAILED;
    report(w, times, n, cosine);
    return CLI_DONE;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {0};
    cli_session session = {0};
    int code = parse(self, &args, argc, argv);
    if (code != CLI_PROCEED)
        return code;
    code = CLI_FAILED;
    workload w = {.args = &args, .pictures = strcmp(args.tower, "image") == 0, .inputs = ALIGN_INPUTS_INIT};
    if ((!args.inputs || take_inputs(&w)) && cli_session_open_model(&session, &args.common, NULL)) {
        w.model = session.model;
        w.context = session.context;
        if (!args.inputs)
            make_inputs(&w);
        code = measure(&w);
    }
    cli_session_done(&session);
    align_tensors_free(w.file);
    free(w.pixels);
    free(w.ids);
    free(w.mask);
    return code;
}

const cli_command cli_bench = {
    .name = "bench",
    .arguments = "[options]",
    .summary = "time a tower, and compare its features with expected ones",
    .description =
        "Runs one tower on the first rows of the inputs again and again and prints the median and the least\n"
        "time an item took, in milliseconds. bench/compare.py makes such files and runs other engines on them.\n"
        "With --layers it says first where the time goes, and how near each step is to the most multiply-adds that\n"
        "this machine can do in f32.",
    .examples = "  align bench --tower text --threads 1 --layers\n"
                "  align bench --model DIR --inputs DIR/inputs.safetensors --expected DIR/expected.safetensors \\\n"
                "        --tower image --batch 8 --threads 1 --json\n",
    .run = run,
};
