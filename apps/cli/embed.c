/*
 * embed.c: `align embed`: embeddings of unit length, so that a dot product is the cosine. They are printed (TSV or JSON
 * lines) as they come, or kept and written to a file whole. Shards of pictures are another matter: embed_bulk.c.
 */
#include "embed.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct arguments {
    embed_options options;
    const char *dtype;
    cli_list images, texts, shards;
} arguments;

/* The embeddings of all pictures, then of all texts, when they are to be written to a file. */
typedef struct result {
    size_t n_images, n_texts, width;
    float *values; /* [n_images + n_texts, width] */
} result;

static int check_output(const cli_command *self, const arguments *args)
{
    if (!args->options.output)
        return CLI_PROCEED;
    if (strcmp(args->options.output, "-") == 0) {
        if (args->options.common.json)
            return cli_usage_error(self, "--json and --output - both want standard output");
        if (isatty(STDOUT_FILENO))
            return cli_usage_error(self, "--output - writes bytes that are not for a terminal");
        return CLI_PROCEED;
    }
    if (!cli_has_suffix(args->options.output, ".npy") && !cli_has_suffix(args->options.output, ".safetensors"))
        return cli_usage_error(self, "--output ends in .npy or .safetensors, or is -, not '%s'", args->options.output);
    return cli_check_output(args->options.output) ? CLI_PROCEED : CLI_FAILED;
}

/* What shards are embedded with, and nothing else is. */
static int check_shards(const cli_command *self, arguments *args)
{
    if (args->shards.count == 0 && (args->dtype || args->options.parquet))
        return cli_usage_error(self, "--dtype and --parquet say how shards are written: see --images");
    if (args->shards.count == 0)
        return CLI_PROCEED;
    if (args->images.count > 0 || args->texts.count > 0)
        return cli_usage_error(self, "--images embeds shards into a folder, and nothing beside: no --image or --text");
    if (!args->options.output)
        return cli_usage_error(self, "--images needs --output FOLDER");
    if (args->dtype && strcmp(args->dtype, "f16") == 0)
        args->options.dtype = ALIGN_F16;
    return CLI_PROCEED;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_MANY, "image", "FILE", &args->images, 0, "pictures: files, folders, or - for standard input"},
        {CLI_MANY, "text", "TEXT", &args->texts, 0, "texts"},
        {CLI_MANY, "images", "TAR", &args->shards, 0,
         "shards of pictures, tar files or folders of them: each becomes files in the folder --output"},
        {CLI_TEXT, "output", "FILE", &args->options.output, 0,
         "write FILE.npy or FILE.safetensors instead of printing; - writes .npy to standard output"},
        {CLI_CHOICE, "dtype", "f32|f16", &args->dtype, 0, "of the vectors of shards (default: f32)"},
        {CLI_FLAG, "parquet", NULL, &args->options.parquet, 0,
         "write a table of each shard, too, for Parquet's readers"},
        CLI_OPTIONS_PICTURES(args->options.decoding),
        CLI_OPTIONS_COMMON(args->options.common),
    };
    cli_list rest = {0};
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "'%s' belongs to no option: use --image or --text", rest.items[0]);
    cli_list_done(&rest);
    if (code == CLI_PROCEED && args->images.count + args->texts.count + args->shards.count == 0)
        code = cli_usage_error(self, "give at least one --image or --text");
    if (code == CLI_PROCEED)
        code = check_shards(self, args);
    if (code == CLI_PROCEED)
        code = cli_check_texts(self, "--text", &args->texts);
    return code == CLI_PROCEED && args->shards.count == 0 ? check_output(self, args) : code;
}

static void print_embedding(const arguments *args, const char *kind, const char *name, const float *values,
                            size_t width)
{
    if (args->options.common.json) {
        cli_print_json(json_pack("{s:o, s:o}", kind, cli_json_text(name), "embedding", cli_json_floats(values, width)));
    } else if (!args->options.output) {
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
    cli_reader *reader = cli_reader_open(session, &args->options.common, pictures, &args->options.decoding);
    cli_progress progress;
    cli_progress_start(&progress, args->options.common.quiet, args->options.common.json || !args->options.output,
                       "pictures", pictures->count);
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
    float *values = cli_embed_texts(session, &args->options.common, args->texts.items, n);
    if (!values)
        return CLI_FAILED;
    memcpy(out, values, n * width * sizeof *out);
    free(values);
    for (size_t i = 0; i < n; i++)
        print_embedding(args, "text", args->texts.items[i], out + i * width, width);
    return CLI_DONE;
}

/* ---- files ---- */

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
        embed_put_npy(stdout, ALIGN_F32, r->n_images + r->n_texts, r->width, r->values); /* the library writes files */
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
    if (code == CLI_DONE && args->options.output)
        code = save(&r, args->options.output); /* never a file with a row missing */
    free(r.values);
    return code;
}

static int embed_items(const arguments *args)
{
    cli_strings pictures = {0};
    cli_session session = {0};
    const bool all_found = cli_pictures_expand(&pictures, &args->images);
    const bool ready = (all_found || !args->options.output) &&
                       cli_session_open(&session, &args->options.common, args->texts.count > 0, args->images.count > 0);
    const int code = ready ? embed(&session, args, &pictures) : CLI_FAILED;
    cli_session_done(&session);
    cli_strings_done(&pictures);
    return all_found ? code : CLI_FAILED;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.options = {.decoding = CLI_DECODING_INIT, .dtype = ALIGN_F32}};
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED)
        code = args.shards.count > 0 ? embed_bulk(self, &args.options, &args.shards) : embed_items(&args);
    cli_list_done(&args.images);
    cli_list_done(&args.texts);
    cli_list_done(&args.shards);
    return code;
}

const cli_command cli_embed = {
    .name = "embed",
    .arguments = "[--image FILE...] [--text TEXT...] [options], or --images TAR... --output FOLDER",
    .summary = "turn pictures and texts into vectors",
    .description =
        "Prints embeddings of unit length: the pictures' first, then the texts', each in the order given. "
        "Without --json a line is the name and the numbers, separated by tabs. A .npy file is one array "
        "[pictures + texts, P] of float32; a .safetensors file has image_embeds and text_embeds. With --images every "
        "shard becomes NAME.npy and NAME.jsonl in a folder; any number of processes may share the work, on "
        "as many machines, and a run that was interrupted goes on.",
    .examples = "  align embed --text \"a red car\" --json\n"
                "  align embed --image photos/ --output photos.npy\n"
                "  mpirun -n 64 align embed --images shards/*.tar --output vectors/\n",
    .run = run,
};
