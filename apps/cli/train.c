/*
 * train.c: `align train`: makes a model out of pairs of pictures and texts. The work is align_train's (align/train.h);
 * here are its options, the line that shows where it is, the signals that ask it to stop, and how processes that mpirun
 * has started find together.
 */
#include "cli.h"
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct arguments {
    cli_common common;
    align_train_options train;
    align_dataset_options data;
    const char *config, *pairs, *validation, *format, *optimizer, *schedule, *dropout, *batch_norm, *memory, *cache;
    int64_t seed, loader_threads;
    double crop, color;
    double share; /* of the pairs that --validation takes; 0: it is a path, or not given */
    bool first;   /* of the processes that mpirun started, or alone: the one that prints */
} arguments;

/* ---- options ---- */

static int parse_table(const cli_command *self, arguments *args, int argc, char **argv)
{
    align_train_options *t = &args->train;
    align_dataset_options *d = &args->data;
    align_augmentation *a = &t->augmentation;
    const cli_option options[] = {
        {CLI_TEXT, "data", "PATH", &args->pairs, 0, "the pairs: a file, a folder or tar shards"},
        {CLI_TEXT, "validation", "PATH|SHARE", &args->validation, 0,
         "pairs to validate with, or the share of --data to set aside for it: 0.05"},
        {CLI_TEXT, "output", "DIR", &t->output, 0, "folder for the model, checkpoints and the best model"},
        {CLI_TEXT, "config", "DIR", &args->config, 0,
         "begin from scratch, with the config.json and the processor of this folder, instead of from --model"},
        {CLI_FLAG, "resume", NULL, &t->resume, 0, "go on from the last checkpoint in --output, if there is one"},

        {CLI_INT, "epochs", "N", &t->epochs, 1, "passes over the pairs (default: 1)"},
        {CLI_INT, "steps", "N", &t->steps, 1, "updates of the weights, instead of --epochs"},
        {CLI_INT, "batch", "N", &t->batch, 2, "pairs that the loss compares with each other (default: 64)"},
        {CLI_INT, "slice", "N", &t->slice, 1,
         "pairs whose activations are in memory at once: less memory, two forward passes (default: all of a batch)"},
        {CLI_INT, "accumulate", "N", &t->accumulate, 1, "batches whose gradients make an update (default: 1)"},
        {CLI_INT, "seed", "N", &args->seed, 0,
         "of the order of pairs, augmentation, dropout and new weights (default: 0)"},

        {CLI_CHOICE, "optimizer", "adamw|lamb", &args->optimizer, 0, "how weights are updated (default: adamw)"},
        {CLI_REAL, "lr", "X", &t->lr, 0, "learning rate (default: 0.001)"},
        {CLI_REAL, "text-lr", "X", &t->text_lr, 0, "that of the text tower (default: --lr)"},
        {CLI_REAL, "vision-lr", "X", &t->vision_lr, 0, "that of the vision tower (default: --lr)"},
        {CLI_CHOICE, "schedule", "linear|cosine|constant", &args->schedule, 0,
         "how the rate goes down after warm-up (default: linear)"},
        {CLI_INT, "warmup", "N", &t->warmup, 0, "steps in which the rate rises from 0 (default: 0)"},
        {CLI_REAL, "beta1", "X", &t->beta1, 0, "decay of the first moment (default: 0.9)"},
        {CLI_REAL, "beta2", "X", &t->beta2, 0, "decay of the second moment (default: 0.999)"},
        {CLI_REAL, "epsilon", "X", &t->epsilon, 0, "added to its root (default: 1e-8)"},
        {CLI_REAL, "weight-decay", "X", &t->weight_decay, 0, "pull of the weights to zero (default: 1e-5)"},
        {CLI_REAL, "trust", "X", &t->trust_most, 0, "largest trust ratio of lamb (default: no bound)"},
        {CLI_REAL, "clip", "X", &t->clip, 0, "largest norm of the gradients (default: no bound)"},
        {CLI_REAL, "ema", "X", &t->ema, 0, "decay of a moving average that becomes the model: 0.999 (default: none)"},
        {CLI_REAL, "temperature-min", "X", &t->temperature_least, 0, "least temperature (default: 0.001)"},
        {CLI_REAL, "temperature-max", "X", &t->temperature_most, 0, "largest temperature (default: 100)"},
        {CLI_TEXT, "freeze", "PARTS", &t->freeze, 0,
         "what does not learn: text, vision, text.embeddings, text.layers.A-B, text.pooler, vision.stem, "
         "vision.blocks.A-B, text_projection, temperature; separated by commas"},
        {CLI_CHOICE, "dropout", "on|off", &args->dropout, 0, "dropout at the config's rates (default: on)"},
        {CLI_CHOICE, "batch-norm", "batch|frozen", &args->batch_norm, 0,
         "statistics of the batch, or those in the checkpoint (default: batch)"},
        {CLI_FLAG, "sync-batch-norm", NULL, &t->sync_batch_norm, 0,
         "started by mpirun: statistics of the batches of all processes together"},

        {CLI_CHOICE, "format", "auto|tsv|csv|jsonl|coco|karpathy|webdataset|folder", &args->format, 0,
         "form of the pairs (default: auto)"},
        {CLI_TEXT, "pictures", "DIR", &d->pictures, 0, "where paths of pictures begin (default: beside the file)"},
        {CLI_TEXT, "picture-column", "NAME", &d->picture_column, 0, "column or key of the pictures"},
        {CLI_TEXT, "text-column", "NAME", &d->text_column, 0, "column or key of the texts"},
        {CLI_TEXT, "split", "NAME", &d->split, 0, "split of a Karpathy file"},
        {CLI_FLAG, "all-texts", NULL, &t->all_texts, 0, "an epoch has each text of a picture, instead of one of them"},
        {CLI_FLAG, "known-matches", NULL, &t->known_matches, 0,
         "a picture and a text of the batch that it has too, word for word, do not count as a wrong pair"},
        {CLI_INT, "max-length", "N", &t->max_length, 3, "tokens that texts are cut at (default: 64)"},
        {CLI_REAL, "crop", "SHARE", &args->crop, 0, "random crops of at least this share of the picture: 0.6"},
        {CLI_REAL, "flip", "P", &a->flip, 0, "probability of a horizontal flip (default: 0)"},
        {CLI_REAL, "color", "X", &args->color, 0,
         "brightness, contrast and saturation change by up to this share (default: 0)"},
        {CLI_REAL, "hue", "X", &a->hue, 0, "hue turns by up to this part of the circle (default: 0)"},
        {CLI_FLAG, "fast-decode", NULL, &t->fast_decode, 0,
         "decode large JPEGs at a fraction of their size: faster, slightly other pixels"},
        {CLI_TEXT, "cache", "SIZE", &args->cache, 0, "memory for decoded pictures: 2GB (default: none)"},
        {CLI_INT, "loader-threads", "N", &args->loader_threads, 0, "threads that prepare pictures ahead (default: 1)"},
        {CLI_TEXT, "memory", "SIZE", &args->memory, 0,
         "memory for all of it: 8GB. What does not fit is computed twice (default: no limit)"},

        {CLI_TEXT, "log", "FILE.jsonl", &t->log, 0, "write a JSON object for each step"},
        {CLI_TEXT, "plot", "FILE.svg", &t->plot, 0, "draw the loss, anew at each checkpoint"},
        {CLI_FLAG, "events", NULL, &t->events, 0, "write scalars for TensorBoard into --output"},
        {CLI_INT, "save-every", "N", &t->save_every, 1, "steps between checkpoints (default: an epoch)"},
        {CLI_INT, "validate-every", "N", &t->validate_every, 1, "steps between validations (default: an epoch)"},
        {CLI_INT, "keep", "N", &t->keep, 1, "checkpoints to keep, the last ones (default: 2)"},
        CLI_OPTIONS_COMMON(args->common),
    };
    cli_list rest = {0};
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "takes no arguments, found '%s'", rest.items[0]);
    cli_list_done(&rest);
    return code;
}

static int parse_bytes(const cli_command *self, const char *name, const char *text, int64_t *out)
{
    align_error err = ALIGN_ERROR_INIT;
    if (text && align_parse_size(out, text, &err) != ALIGN_OK)
        return cli_usage_error(self, "--%s: %s", name, err.message);
    return CLI_PROCEED;
}

static align_data_format format_of(const char *word)
{
    static const char *const words[] = {"auto", "tsv", "csv", "jsonl", "coco", "karpathy", "webdataset", "folder"};
    for (size_t i = 0; i < CLI_COUNT(words); i++)
        if (word && strcmp(word, words[i]) == 0)
            return (align_data_format)i;
    return ALIGN_DATA_AUTO;
}

static bool is(const char *word, const char *value)
{
    return word && strcmp(word, value) == 0;
}

/* The option behind a field of align_train_options; freed with free. */
static char *option_of(const char *field, size_t n)
{
    static const struct {
        const char *field, *option;
    } others[] = {
        {"trust_most", "trust"},
        {"temperature_least", "temperature-min"},
        {"temperature_most", "temperature-max"},
        {"augmentation.scale_least", "crop"},
        {"augmentation.flip", "flip"},
        {"augmentation.hue", "hue"},
        {"augmentation.brightness", "color"},
    };
    for (size_t i = 0; i < CLI_COUNT(others); i++)
        if (strlen(others[i].field) == n && strncmp(others[i].field, field, n) == 0)
            return cli_format("--%s", others[i].option);
    char *option = cli_format("--%.*s", (int)n, field);
    for (char *c = option; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return option;
}

/* What the library says of a field, said of the option. */
static int check_ranges(const cli_command *self, const align_train_options *train)
{
    align_error err = ALIGN_ERROR_INIT;
    if (align_train_options_check(train, &err) == ALIGN_OK)
        return CLI_PROCEED;
    const size_t field = strcspn(err.message, ":");
    char *option = option_of(err.message, field);
    const int code = cli_usage_error(self, "%s%s", option, err.message + field);
    free(option);
    return code;
}

/* Turns the words into what align_train takes. */
static int interpret(const cli_command *self, arguments *args)
{
    align_train_options *t = &args->train;
    align_augmentation *a = &t->augmentation;
    align_error err = ALIGN_ERROR_INIT;
    t->seed = (uint64_t)args->seed;
    t->threads = (int)args->common.threads;
    t->loader_threads = (int)args->loader_threads;
    t->optimizer = is(args->optimizer, "lamb") ? ALIGN_OPTIMIZER_LAMB : ALIGN_OPTIMIZER_ADAMW;
    t->schedule = is(args->schedule, "cosine")     ? ALIGN_SCHEDULE_COSINE
                  : is(args->schedule, "constant") ? ALIGN_SCHEDULE_CONSTANT
                                                   : ALIGN_SCHEDULE_LINEAR;
    t->no_dropout = is(args->dropout, "off");
    t->freeze_batch_norm = is(args->batch_norm, "frozen");
    args->data.format = format_of(args->format);
    a->crop = args->crop > 0.0;
    a->scale_least = a->crop ? args->crop : a->scale_least;
    a->brightness = a->contrast = a->saturation = args->color;
    if (args->common.precision && align_precision_from_name(&t->precision, args->common.precision, &err) != ALIGN_OK)
        return cli_usage_error(self, "--precision: %s", err.message);
    if (t->precision == ALIGN_PRECISION_INT8)
        return cli_usage_error(self, "--precision: training computes in f32 or bf16, not in int8");
    int code = parse_bytes(self, "memory", args->memory, &t->memory);
    if (code == CLI_PROCEED)
        code = parse_bytes(self, "cache", args->cache, &t->cache);
    return code == CLI_PROCEED ? check_ranges(self, t) : code;
}

static int check(const cli_command *self, arguments *args)
{
    char *end;
    if (!args->pairs)
        return cli_usage_error(self, "--data is missing");
    if (!args->train.output)
        return cli_usage_error(self, "--output is missing");
    if (args->config && args->common.model)
        return cli_usage_error(self, "takes --model to begin from a checkpoint, or --config to begin from scratch, not "
                                     "both");
    if (args->validation && access(args->validation, F_OK) != 0) {
        const double share = strtod(args->validation, &end);
        if (end != args->validation && *end == '\0')
            args->share = share;
        if (args->share != 0.0 && !(args->share > 0.0 && args->share < 1.0))
            return cli_usage_error(self, "--validation is a path, or a share between 0 and 1, not '%s'",
                                   args->validation);
    }
    return CLI_PROCEED;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    int code = parse_table(self, args, argc, argv);
    if (code == CLI_PROCEED)
        code = check(self, args);
    return code == CLI_PROCEED ? interpret(self, args) : code;
}

/* ---- signals ---- */

static volatile sig_atomic_t asked_to_stop;

static void ask_to_stop(int signal_number)
{
    asked_to_stop = 1;
    signal(signal_number, SIG_DFL);
}

/* The first asks for a checkpoint and an end; a second one ends the program at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- the line that shows where it is ---- */

typedef struct display {
    bool shown, quiet;
    double pace; /* seconds a step, of late */
} display;

/* The line takes the place of the last one. On a narrow terminal it is cut off: of two rows one would stay. */
#define START "\r\033[K\033[?7l"
#define END   "\033[?7h"

static void print_left(double seconds)
{
    const int64_t left = (int64_t)seconds;
    if (left >= 86400)
        fprintf(stderr, "%" PRId64 " d ", left / 86400);
    fprintf(stderr, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 " left", left % 86400 / 3600, left % 3600 / 60, left % 60);
}

static void show(display *d, const align_train_progress *p)
{
    d->pace = d->pace > 0.0 ? 0.9 * d->pace + 0.1 * p->seconds : p->seconds;
    if (!d->shown)
        return;
    const double speed = d->pace > 0.0 ? (double)p->pairs / d->pace : 0.0;
    fprintf(stderr, START "step %" PRId64 "/%" PRId64 "  loss %.4f  rate %.3g  %.*f pairs/s  ", p->step, p->steps,
            p->loss, p->rate, speed < 100.0 ? 1 : 0, speed);
    print_left(d->pace * (double)(p->steps - p->step));
    fprintf(stderr, "  temperature %.4f", p->temperature);
    if (p->validation)
        fprintf(stderr, "  recall %.3f\n", align_recall_mean(p->validation));
    fputs(END, stderr);
    fflush(stderr);
}

static bool on_step(void *user, const align_train_progress *progress)
{
    show(user, progress);
    return !asked_to_stop;
}

static void on_warning(void *user, const char *message)
{
    const display *d = user;
    if (d->shown)
        fputs("\r\033[K", stderr);
    cli_warn(d->quiet, "%s", message);
}

/* ---- running ---- */

typedef struct subject {
    char *folder;
    align_processor *processor;
    align_model *model;
    align_dataset *pairs, *validation;
} subject;

static void subject_done(subject *s)
{
    align_dataset_free(s->pairs);
    align_dataset_free(s->validation);
    align_model_free(s->model);
    align_processor_free(s->processor);
    free(s->folder);
}

static void warn_of_left_out(const arguments *args, const char *path, const align_dataset *pairs)
{
    enum { TOLD = 3 };
    const char *where, *reason;
    const size_t skipped = align_dataset_skipped(pairs);
    for (size_t i = 0; i < TOLD && align_dataset_skip_reason(pairs, i, &where, &reason); i++)
        cli_warn(args->common.quiet || !args->first, "%s: %s: left out", where, reason);
    if (skipped > TOLD)
        cli_warn(args->common.quiet || !args->first, "%s: %zu pairs left out in all", path, skipped);
}

static align_status open_pairs(const arguments *args, align_dataset **out, const char *path, align_error *err)
{
    const align_status status = align_dataset_open(out, path, &args->data, err);
    if (status == ALIGN_OK)
        warn_of_left_out(args, path, *out);
    return status;
}

static align_status open_data(const arguments *args, subject *s, align_error *err)
{
    align_status status = open_pairs(args, &s->pairs, args->pairs, err);
    if (status == ALIGN_OK && args->share > 0.0)
        status = align_dataset_split(&s->pairs, args->share, args->train.seed, &s->validation, err);
    else if (status == ALIGN_OK && args->validation)
        status = open_pairs(args, &s->validation, args->validation, err);
    return status;
}

static align_status open_model(const arguments *args, subject *s, align_error *err)
{
    align_load_options load = ALIGN_LOAD_OPTIONS_INIT;
    align_config config = {0};
    load.seed = args->train.seed;
    load.state_only = true;
    if (!args->config)
        return align_model_from_pretrained(&s->model, s->folder, &load, err);
    align_status status = align_config_from_pretrained(&config, args->config, err);
    if (status == ALIGN_OK)
        status = align_model_from_config(&s->model, &config, &load, err);
    align_config_done(&config);
    return status;
}

static align_status open_subject(const arguments *args, subject *s, align_error *err)
{
    s->folder = args->config ? cli_format("%s", args->config) : cli_model_folder(&args->common);
    if (!s->folder)
        return ALIGN_ERROR_NOT_FOUND; /* which has been said */
    align_status status = align_processor_from_pretrained(&s->processor, s->folder, err);
    if (status == ALIGN_OK)
        status = open_data(args, s, err);
    if (status == ALIGN_OK)
        status = open_model(args, s, err);
    return status;
}

static json_t *list_recall(const double recall[3])
{
    json_t *list = json_array();
    for (int i = 0; i < 3; i++)
        json_array_append_new(list, cli_json_real(recall[i]));
    return list;
}

static void report(const arguments *args, const align_train_result *r)
{
    if (args->common.json) {
        json_t *best = json_null();
        if (r->validated)
            best = json_pack("{s:I, s:o, s:o}", "step", (json_int_t)r->best_step, "text_to_image",
                             list_recall(r->best.text_to_image), "image_to_text", list_recall(r->best.image_to_text));
        cli_print_json(json_pack("{s:o, s:I, s:I, s:o, s:o}", "output", cli_json_text(args->train.output), "step",
                                 (json_int_t)r->step, "steps", (json_int_t)r->steps, "loss", cli_json_real(r->loss),
                                 "best", best));
        return;
    }
    printf("%" PRId64 " steps, loss %.4f\n", r->step, r->loss);
    if (r->validated)
        printf("best at step %" PRId64 ": texts to pictures %.1f%% @1, %.1f%% @5, %.1f%% @10; pictures to texts %.1f%% "
               "@1, %.1f%% @5, %.1f%% @10\n",
               r->best_step, 100.0 * r->best.text_to_image[0], 100.0 * r->best.text_to_image[1],
               100.0 * r->best.text_to_image[2], 100.0 * r->best.image_to_text[0], 100.0 * r->best.image_to_text[1],
               100.0 * r->best.image_to_text[2]);
}

/* Says it once, however many processes have come to it. */
static int fail(const arguments *args, const char *message)
{
    return args->first && *message ? cli_fail("%s", message) : CLI_FAILED;
}

static int finish(const arguments *args, const align_train_result *result)
{
    if (args->first)
        report(args, result);
    if (!result->stopped)
        return CLI_DONE;
    if (args->first)
        cli_fail("stopped after step %" PRId64 " of %" PRId64 ": --resume goes on from there", result->step,
                 result->steps);
    return CLI_FAILED;
}

static int train(const arguments *args, const subject *s)
{
    display shown = {args->first && !args->common.quiet && isatty(STDERR_FILENO), args->common.quiet, 0.0};
    const align_train_callbacks callbacks = {&shown, on_step, on_warning};
    align_error err = ALIGN_ERROR_INIT;
    align_train_result result;
    catch_signals();
    const align_status status =
        align_train(s->model, s->processor, s->pairs, s->validation, &args->train, &callbacks, &result, &err);
    if (shown.shown)
        fputs("\n", stderr);
    return status == ALIGN_OK ? finish(args, &result) : fail(args, err.message);
}

/* Whether this is one of several processes that were started together. */
static bool has_company(void)
{
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};
    for (size_t i = 0; i < CLI_COUNT(signs); i++)
        if (getenv(signs[i]))
            return true;
    return false;
}

static int train_together(arguments *args)
{
    align_error err = ALIGN_ERROR_INIT;
    subject s = {0};
    align_ranks *ranks = NULL;
    if (has_company() && align_ranks_join(&ranks, &err) != ALIGN_OK)
        return cli_fail("%s", err.message);
    args->train.ranks = ranks;
    args->first = align_ranks_rank(ranks) == 0;
    const align_status status = align_ranks_agree(ranks, open_subject(args, &s, &err), &err);
    const int code = status == ALIGN_OK ? train(args, &s) : fail(args, err.message);
    subject_done(&s);
    align_ranks_leave(ranks);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.train = ALIGN_TRAIN_OPTIONS_INIT, .data = ALIGN_DATASET_OPTIONS_INIT, .loader_threads = 1};
    const int code = parse(self, &args, argc, argv);
    return code == CLI_PROCEED ? train_together(&args) : code;
}

const cli_command cli_train = {
    .name = "train",
    .arguments = "--data PATH --output DIR [options]",
    .summary = "make a model out of pairs of pictures and texts",
    .description =
        "Trains the model on pairs of pictures and texts by the contrastive recipe of the ALIGN paper, and writes a "
        "model folder, with checkpoints to go on from and the model that validated best. Ctrl-C or SIGTERM writes a "
        "checkpoint and stops; --resume goes on from the last one to the same result as if nothing had happened.",
    .examples =
        "  align train --model model --data pairs.tsv --validation 0.05 --output tuned --epochs 3 --lr 1e-4\n"
        "  align train --config model --data 'shards/{000..012}.tar' --output fresh --steps 100000 \\\n"
        "        --batch 4096 --slice 256 --optimizer lamb --warmup 10000 --crop 0.6 --flip 0.5 \\\n"
        "        --log fresh.jsonl --plot fresh.svg\n"
        "  align train --model model --data pairs.tsv --output tuned --resume\n"
        "  mpirun -n 4 align train --model model --data pairs.tsv --output tuned --batch 256 --sync-batch-norm\n",
    .run = run,
};
