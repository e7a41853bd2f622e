/*
 * classify.c: `align classify`: which of the labels a picture shows (zero-shot classification).
 *
 * A label's vector is the mean of its texts' embeddings, one text a template, at unit length again (prompt ensembling).
 * A picture's logits are picture . label / temperature, its probabilities their softmax over the labels.
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_TOP 5
#define BAR_CELLS 24
#define MAX_LABEL 48 /* columns in the table */

typedef struct arguments {
    cli_common common;
    cli_list images, label_lists, templates;
    cli_decoding decoding;
    const char *labels_file;
    int64_t top; /* 0: not given */
} arguments;

typedef struct guess {
    size_t label;
    float logit, probability;
} guess;

static bool has_item(const cli_list *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}

static int check(const cli_command *self, arguments *args)
{
    if (args->images.count == 0)
        return cli_usage_error(self, "name a picture, a folder, or - for standard input");
    if ((args->label_lists.count > 0) == (args->labels_file != NULL))
        return cli_usage_error(self, "give either --labels or --labels-file");
    if (args->labels_file && strcmp(args->labels_file, "-") == 0 && has_item(&args->images, "-"))
        return cli_usage_error(self, "standard input cannot be both a picture and the labels");
    for (size_t i = 0; i < args->templates.count; i++)
        if (!strstr(args->templates.items[i], "{}"))
            return cli_usage_error(self, "--template '%s' has no {} where the label goes", args->templates.items[i]);
    return cli_check_texts(self, "--template", &args->templates);
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_LIST, "labels", "A,B,C", &args->label_lists, 0, "labels to choose from, separated by commas"},
        {CLI_TEXT, "labels-file", "FILE", &args->labels_file, 0, "labels to choose from, one a line; - is stdin"},
        {CLI_LIST, "template", "TEXT", &args->templates, 0,
         "text for a label, with {} in its place: \"a photo of a {}\"; several are averaged (default: {})"},
        {CLI_INT, "top", "K", &args->top, 1, "print the K best labels (default: 5, with --json all)"},
        CLI_OPTIONS_PICTURES(args->decoding),
        CLI_OPTIONS_COMMON(args->common),
    };
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->images);
    if (code == CLI_PROCEED)
        code = check(self, args);
    if (args->templates.count == 0)
        cli_list_add(&args->templates, "{}");
    return code;
}

/* ---- labels ---- */

/* The template with the label in place of every "{}". */
static char *fill_template(const char *template, const char *label)
{
    char *text = cli_format("%s", "");
    for (const char *hole; (hole = strstr(template, "{}")) != NULL; template = hole + 2) {
        char *longer = cli_format("%s%.*s%s", text, (int)(hole - template), template, label);
        free(text);
        text = longer;
    }
    char *whole = cli_format("%s%s", text, template);
    free(text);
    return whole;
}

/* [labels, width] at unit length, or NULL after a message. */
static float *embed_labels(cli_session *session, const arguments *args, const cli_strings *labels)
{
    size_t size = labels->count * (size_t)session->width;
    float *sum = cli_alloc(size, sizeof *sum);
    for (size_t t = 0; t < args->templates.count; t++) {
        cli_strings texts = {0};
        for (size_t i = 0; i < labels->count; i++)
            cli_strings_add(&texts, fill_template(args->templates.items[t], labels->items[i]));
        float *part = cli_embed_texts(session, &args->common, (const char *const *)texts.items, texts.count);
        cli_strings_done(&texts);
        if (!part) {
            free(sum);
            return NULL;
        }
        for (size_t i = 0; i < size; i++)
            sum[i] += part[i];
        free(part);
    }
    align_normalize(sum, labels->count, (size_t)session->width); /* the mean's direction is the sum's */
    return sum;
}

/* ---- guesses ---- */

static int compare_guesses(const void *a, const void *b)
{
    const guess *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit < y->logit ? 1 : -1;
    return (x->label > y->label) - (x->label < y->label); /* ties keep the order that was given */
}

static void rank_labels(const cli_session *session, const float *picture, const float *labels, size_t n, guess *guesses)
{
    size_t width = (size_t)session->width;
    float temperature = align_model_temperature(session->model);
    float *probabilities = cli_alloc(n, sizeof *probabilities);
    for (size_t i = 0; i < n; i++) {
        guesses[i] = (guess){i, cli_dot(picture, labels + i * width, width) / temperature, 0};
        probabilities[i] = guesses[i].logit;
    }
    align_softmax(probabilities, 1, n);
    for (size_t i = 0; i < n; i++)
        guesses[i].probability = probabilities[i];
    free(probabilities);
    qsort(guesses, n, sizeof *guesses, compare_guesses);
}

static void print_json(const char *image, const cli_strings *labels, const guess *guesses, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:o}", "label", cli_json_text(labels->items[guesses[i].label]),
                                        "probability", cli_json_real((double)guesses[i].probability), "logit",
                                        cli_json_real((double)guesses[i].logit)));
    cli_print_json(json_pack("{s:o, s:o}", "image", cli_json_text(image), "labels", array));
}

static void print_table(const char *image, const cli_strings *labels, const guess *guesses, size_t n, bool bars)
{
    size_t widest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t width = cli_text_width(labels->items[guesses[i].label]);
        widest = width > widest ? width : widest;
    }
    widest = widest > MAX_LABEL ? MAX_LABEL : widest;
    cli_print_text(image, 0, 0);
    putchar('\n');
    for (size_t i = 0; i < n; i++) {
        double probability = (double)guesses[i].probability;
        fputs("  ", stdout);
        cli_print_text(labels->items[guesses[i].label], widest, MAX_LABEL);
        printf("  %5.1f%%", 100 * probability);
        if (bars && probability > 0)
            fputs("  ", stdout);
        for (int cell = 0; bars && cell < (int)(BAR_CELLS * probability + 0.5); cell++)
            fputs("\u2588", stdout);
        putchar('\n');
    }
}

static int classify_pictures(cli_session *session, const arguments *args, const cli_strings *pictures,
                             const cli_strings *labels)
{
    float *label_vectors = embed_labels(session, args, labels);
    if (!label_vectors)
        return CLI_FAILED;
    float *picture = cli_alloc((size_t)session->width, sizeof *picture);
    guess *guesses = cli_alloc(labels->count, sizeof *guesses);
    size_t top = args->top > 0 ? (size_t)args->top : args->common.json ? labels->count : TABLE_TOP;
    top = top < labels->count ? top : labels->count;
    bool bars = isatty(STDOUT_FILENO);
    int code = CLI_DONE;
    cli_reader *reader = cli_reader_open(session, &args->common, pictures, &args->decoding);
    cli_progress progress;
    cli_progress_start(&progress, args->common.quiet, true, "pictures", pictures->count);
    for (size_t i = 0; i < pictures->count && !ferror(stdout); i++) {
        if (cli_embed_next(session, reader, picture)) {
            rank_labels(session, picture, label_vectors, labels->count, guesses);
            if (args->common.json)
                print_json(pictures->items[i], labels, guesses, top);
            else
                print_table(pictures->items[i], labels, guesses, top, bars);
        } else {
            code = CLI_FAILED;
        }
        cli_progress_step(&progress);
    }
    cli_progress_end(&progress);
    cli_reader_close(reader);
    free(guesses);
    free(picture);
    free(label_vectors);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.decoding = CLI_DECODING_INIT};
    cli_strings labels = {0}, pictures = {0};
    cli_session session = {0};
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED)
        code = args.labels_file ? cli_labels_read(&labels, args.labels_file)
                                : cli_labels_split(self, &labels, &args.label_lists);
    if (code == CLI_PROCEED) {
        bool all_found = cli_pictures_expand(&pictures, &args.images);
        bool ready = pictures.count > 0 && cli_session_open(&session, &args.common, true, true);
        code = ready ? classify_pictures(&session, &args, &pictures, &labels) : CLI_FAILED;
        code = all_found ? code : CLI_FAILED;
    }
    cli_session_done(&session);
    cli_strings_done(&pictures);
    cli_strings_done(&labels);
    cli_list_done(&args.images);
    cli_list_done(&args.label_lists);
    cli_list_done(&args.templates);
    return code;
}

const cli_command cli_classify = {
    .name = "classify",
    .arguments = "IMAGE... --labels A,B,C | --labels-file FILE [options]",
    .summary = "say which of some labels each picture shows",
    .description = "Zero-shot classification: prints, for each picture, the labels that fit it best and their "
                   "probabilities. IMAGE is a file, a folder (all pictures inside it), or - for standard input. "
                   "A picture that cannot be read is reported, the others go on, and the exit code is 1.",
    .examples = "  align classify cat.jpg --labels cat,dog,car\n"
                "  align classify photos/ --labels-file labels.txt --template \"a photo of a {}\" --json\n",
    .run = run,
};
