/*
 * similarity.c: `align similarity`: every picture against every text. The logits are AlignModel's logits_per_image; the
 * probabilities are their softmax over the texts (which text fits this picture) and over the pictures (the reverse).
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

#define MAX_PICTURE 40 /* columns in the table */
#define MAX_TEXT    28
#define CELL        17 /* "  -12.345 (100.0%)" without its gap */

typedef struct arguments {
    cli_common common;
    cli_list images, texts;
    cli_decoding decoding;
} arguments;

typedef struct matrix {
    size_t rows, columns;
    float *values;
} matrix;

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_MANY, "image", "FILE", &args->images, 0, "pictures: files, folders, or - for standard input"},
        {CLI_MANY, "text", "TEXT", &args->texts, 0, "texts"},
        CLI_OPTIONS_PICTURES(args->decoding),
        CLI_OPTIONS_COMMON(args->common),
    };
    cli_list rest = {0};
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "'%s' belongs to no option: use --image or --text", rest.items[0]);
    cli_list_done(&rest);
    if (code == CLI_PROCEED && (args->images.count == 0 || args->texts.count == 0))
        code = cli_usage_error(self, "give at least one --image and one --text");
    return code == CLI_PROCEED ? cli_check_texts(self, "--text", &args->texts) : code;
}

/* logits_per_image [pictures, texts]; values NULL after a message. */
static matrix compute_logits(cli_session *session, const arguments *args, const cli_strings *pictures)
{
    size_t width = (size_t)session->width;
    float temperature = align_model_temperature(session->model);
    matrix logits = {pictures->count, args->texts.count, NULL};
    float *texts = cli_embed_texts(session, &args->common, args->texts.items, args->texts.count);
    if (!texts)
        return logits;
    float *picture = cli_alloc(width, sizeof *picture);
    logits.values = cli_alloc(logits.rows, logits.columns * sizeof *logits.values);
    bool ok = true;
    cli_reader *reader = cli_reader_open(session, &args->common, pictures, &args->decoding);
    cli_progress progress;
    cli_progress_start(&progress, args->common.quiet, false, "pictures", pictures->count);
    for (size_t i = 0; i < logits.rows; i++) {
        ok = cli_embed_next(session, reader, picture) && ok;
        for (size_t j = 0; j < logits.columns && ok; j++)
            logits.values[i * logits.columns + j] = cli_dot(picture, texts + j * width, width) / temperature;
        cli_progress_step(&progress);
    }
    cli_progress_end(&progress);
    cli_reader_close(reader);
    free(picture);
    free(texts);
    if (!ok) {
        free(logits.values);
        logits.values = NULL;
    }
    return logits;
}

static matrix transposed(const matrix *m)
{
    matrix t = {m->columns, m->rows, cli_alloc(m->rows, m->columns * sizeof *m->values)};
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->columns; j++)
            t.values[j * m->rows + i] = m->values[i * m->columns + j];
    return t;
}

static matrix probabilities(const matrix *logits)
{
    size_t size = logits->rows * logits->columns;
    matrix p = {logits->rows, logits->columns, cli_alloc(size, sizeof *p.values)};
    memcpy(p.values, logits->values, size * sizeof *p.values);
    align_softmax(p.values, p.rows, p.columns);
    return p;
}

static json_t *json_rows(const matrix *m)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < m->rows; i++)
        json_array_append_new(rows, cli_json_floats(m->values + i * m->columns, m->columns));
    return rows;
}

static json_t *json_texts(const char *const *texts, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, cli_json_text(texts[i]));
    return array;
}

static void print_json(const matrix *logits, const matrix *per_image, const cli_strings *pictures,
                       const cli_list *texts)
{
    matrix logits_t = transposed(logits);
    matrix per_text = probabilities(&logits_t);
    cli_print_json(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "images",
                             json_texts((const char *const *)pictures->items, pictures->count), "texts",
                             json_texts(texts->items, texts->count), "logits_per_image", json_rows(logits),
                             "logits_per_text", json_rows(&logits_t), "probabilities_per_image", json_rows(per_image),
                             "probabilities_per_text", json_rows(&per_text)));
    free(per_text.values);
    free(logits_t.values);
}

static void print_table(const matrix *logits, const matrix *per_image, const cli_strings *pictures,
                        const cli_list *texts)
{
    size_t first = 0;
    for (size_t i = 0; i < pictures->count; i++) {
        size_t width = cli_text_width(pictures->items[i]);
        first = width > first ? width : first;
    }
    first = first > MAX_PICTURE ? MAX_PICTURE : first;
    cli_print_text("", first, 0);
    for (size_t j = 0; j < texts->count; j++) {
        size_t width = cli_text_width(texts->items[j]);
        width = width > MAX_TEXT ? MAX_TEXT : width;
        printf("  %*s", width < CELL ? (int)(CELL - width) : 0, "");
        cli_print_text(texts->items[j], 0, MAX_TEXT);
    }
    putchar('\n');
    for (size_t i = 0; i < pictures->count; i++) {
        cli_print_text(pictures->items[i], first, MAX_PICTURE);
        for (size_t j = 0; j < texts->count; j++) {
            size_t width = cli_text_width(texts->items[j]);
            width = width > MAX_TEXT ? MAX_TEXT : width;
            size_t at = i * logits->columns + j;
            printf("  %*s%8.3f (%5.1f%%)", width > CELL ? (int)(width - CELL) : 0, "", (double)logits->values[at],
                   100 * (double)per_image->values[at]);
        }
        putchar('\n');
    }
}

static int compare(cli_session *session, const arguments *args, const cli_strings *pictures)
{
    matrix logits = compute_logits(session, args, pictures);
    if (!logits.values)
        return CLI_FAILED;
    matrix per_image = probabilities(&logits);
    if (args->common.json)
        print_json(&logits, &per_image, pictures, &args->texts);
    else
        print_table(&logits, &per_image, pictures, &args->texts);
    free(per_image.values);
    free(logits.values);
    return CLI_DONE;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.decoding = CLI_DECODING_INIT};
    cli_strings pictures = {0};
    cli_session session = {0};
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED) {
        bool ready =
            cli_pictures_expand(&pictures, &args.images) && cli_session_open(&session, &args.common, true, true);
        code = ready ? compare(&session, &args, &pictures) : CLI_FAILED;
    }
    cli_session_done(&session);
    cli_strings_done(&pictures);
    cli_list_done(&args.images);
    cli_list_done(&args.texts);
    return code;
}

const cli_command cli_similarity = {
    .name = "similarity",
    .arguments = "--image FILE... --text TEXT... [options]",
    .summary = "compare pictures with texts",
    .description = "Prints, for every picture and text, the logit and the probability of the text among the texts. "
                   "With --json: one object with logits and probabilities in both directions.",
    .examples = "  align similarity --image cat.jpg dog.jpg --text \"a photo of a cat\" \"a photo of a dog\"\n",
    .run = run,
};
