/*
 * embed.c: `align embed`: embeddings of unit length, so that a dot product is the cosine. They are printed (TSV or JSON
 * lines) as they come, or kept and written to a file whole.
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct arguments {
    cli_common common;
    cli_list images, texts;
    cli_decoding decoding;
    const char *output;
} arguments;

/* The embeddings of all pictures, then of all texts, when they are to be written to a file. */
typedef struct result {
    size_t n_images, n_texts, width;
    float *values; /* [n_images + n_texts, width] */
} result;

static int check_output(const cli_command *self, const arguments *args)
{
    if (!args->output)
        return CLI_PROCEED;
    if (strcmp(args->output, "-") == 0) {
        if (args->common.json)
            return cli_usage_error(self, "--json and --output - both want standard output");
        if (isatty(STDOUT_FILENO))
            return cli_usage_error(self, "--output - writes bytes that are not for a terminal");
        return CLI_PROCEED;
    }
    if (!cli_has_suffix(args->output, ".npy") && !cli_has_suffix(args->output, ".safetensors"))
        return cli_usage_error(self, "--output ends in .npy or .safetensors, or is -, not '%s'", args->output);
    return cli_check_output(args->output) ? CLI_PROCEED : CLI_FAILED;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_MANY, "image", "FILE", &args->images, 0, "pictures: files, folders, or - for standard input"},
        {CLI_MANY, "text", "TEXT", &args->texts, 0, "texts"},
        {CLI_TEXT, "output", "FILE", &args->output, 0,
         "write FILE.npy or FILE.safetensors instead of printing; - writes .npy to standard output"},
        CLI_OPTIONS_PICTURES(args->decoding),
        CLI_OPTIONS_COMMON(args->common),
    };
    cli_list rest = {0};
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "'%s' belongs to no option: use --image or --text", rest.items[0]);
    cli_list_done(&rest);
    if (code == CLI_PROCEED && args->images.count == 0 && args->texts.count == 0)
        code = cli_usage_error(self, "give at least one --image or --text");
    if (code == CLI_PROCEED)
        code = cli_check_texts(self, "--text", &args->texts);
    return code == CLI_PROCEED ? check_output(self, args) : code;
}

static void print_embedding(const arguments *args, const char *kind, const char *name, const float *values,
                            size_t width)
{
    if (args->common.json) {
        cli_print_json(json_pack("{s:o, s:o}", kind, cli_json_text(name), "embedding", cli_json_floats(values, width)));
    } else if (!args->output) {
        cli_print_text(name, 0, 0);
        for (size_t i = 0; i < width; i++)
            printf("\t%.9g", (double)values[i]);
        putchar('\n');
    }
}

static int embed_pictures(cli_session *session, const arguments *args, const cli_strings *pictures, float *out)
{
    int code = CLI_DONE;
    size_t width = (size_t)session->width;
    if (pictures->count == 0)
        return code;
    cli_reader *reader = cli_reader_open(session, &args->common, pictures, &args->decoding);
    cli_progress progress;
    cli_progress_start(&progress, args->common.quiet, args->common.json || !args->output, "pictures", pictures->count);
    for (size_t i = 0; i < pictures->count && !ferror(stdout); i++) {
        float *row = out + i * width;
        if (cli_embed_next(session, reader, row))
            print_embedding(args, "image", pictures->items[i], row, width);
        else
            code = CLI_FAILED;
        cli_progress_step(&progress);
    }
    cli_progress_end(&progress);
    cli_reader_close(reader);
    return code;
}

static int embed_texts(cli_session *session, const arguments *args, float *out)
{
    size_t width = (size_t)session->width, n = args->texts.count;
    if (n == 0)
        return CLI_DONE;
    float *values = cli_embed_texts(session, &args->common, args->texts.items, n);
    if (!values)
        return CLI_FAILED;
    memcpy(out, values, n * width * sizeof *out);
    free(values);
    for (size_t i = 0; i < n; i++)
        print_embedding(args, "text", args->texts.items[i], out + i * width, width);
    return CLI_DONE;
}

/* ---- files ---- */

/* NumPy's format, version 1.0: a header padded to 64 bytes, then the rows. The library writes it to files only. */
static void print_npy(const result *r)
{
    char header[128];
    int length = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                          r->n_images + r->n_texts, r->width);
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    printf("%cNUMPY%c%c%c%c%-*s\n", '\x93', 1, 0, padded & 0xFF, padded >> 8, padded - 1, header);
    fwrite(r->values, sizeof *r->values, (r->n_images + r->n_texts) * r->width, stdout);
}

static align_status save_safetensors(const result *r, const char *path, align_error *err)
{
    align_tensors *tensors = NULL;
    int64_t images[] = {(int64_t)r->n_images, (int64_t)r->width}, texts[] = {(int64_t)r->n_texts, (int64_t)r->width};
    align_tensor image_embeds = align_tensor_view(ALIGN_F32, 2, images, r->values);
    align_tensor text_embeds = align_tensor_view(ALIGN_F32, 2, texts, r->values + r->n_images * r->width);
    align_status status = align_tensors_new(&tensors, err);
    if (status == ALIGN_OK && r->n_images > 0)
        status = align_tensors_add_view(tensors, "image_embeds", &image_embeds, err);
    if (status == ALIGN_OK && r->n_texts > 0)
        status = align_tensors_add_view(tensors, "text_embeds", &text_embeds, err);
    if (status == ALIGN_OK)
        status = align_tensors_save(tensors, path, err);
    align_tensors_free(tensors);
    return status;
}

static int save(const result *r, const char *path)
{
    align_error err = ALIGN_ERROR_INIT;
    align_status status = ALIGN_OK;
    if (strcmp(path, "-") == 0) {
        print_npy(r);
    } else if (cli_has_suffix(path, ".npy")) {
        int64_t shape[] = {(int64_t)(r->n_images + r->n_texts), (int64_t)r->width};
        align_tensor all = align_tensor_view(ALIGN_F32, 2, shape, r->values);
        status = align_tensor_save_npy(&all, path, &err);
    } else {
        status = save_safetensors(r, path, &err);
    }
    return status == ALIGN_OK ? CLI_DONE : cli_fail("%s", err.message);
}

static int embed(cli_session *session, const arguments *args, const cli_strings *pictures)
{
    result r = {pictures->count, args->texts.count, (size_t)session->width, NULL};
    r.values = cli_alloc(r.n_images + r.n_texts, r.width * sizeof *r.values);
    int code = embed_pictures(session, args, pictures, r.values);
    int texts_code = embed_texts(session, args, r.values + r.n_images * r.width);
    code = code == CLI_DONE ? texts_code : code;
    if (code == CLI_DONE && args->output)
        code = save(&r, args->output); /* never a file with a row missing */
    free(r.values);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.decoding = CLI_DECODING_INIT};
    cli_strings pictures = {0};
    cli_session session = {0};
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED) {
        bool all_found = cli_pictures_expand(&pictures, &args.images);
        bool ready = (all_found || !args.output) &&
                     cli_session_open(&session, &args.common, args.texts.count > 0, args.images.count > 0);
        code = ready ? embed(&session, &args, &pictures) : CLI_FAILED;
        code = all_found ? code : CLI_FAILED;
    }
    cli_session_done(&session);
    cli_strings_done(&pictures);
    cli_list_done(&args.images);
    cli_list_done(&args.texts);
    return code;
}

const cli_command cli_embed = {
    .name = "embed",
    .arguments = "[--image FILE...] [--text TEXT...] [options]",
    .summary = "turn pictures and texts into vectors",
    .description = "Prints embeddings of unit length: the pictures' first, then the texts', each in the order given. "
                   "Without --json a line is the name and the numbers, separated by tabs. A .npy file is one array "
                   "[pictures + texts, P] of float32; a .safetensors file has image_embeds and text_embeds.",
    .examples = "  align embed --text \"a red car\" --json\n"
                "  align embed --image photos/ --output photos.npy\n",
    .run = run,
};
