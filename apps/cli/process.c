/*
 * process.c: `align process`: AlignProcessor alone, from pictures and texts to the tensors that the model takes. Texts
 * are cut only when asked, as in the reference; pictures are turned upright as their EXIF orientation says, as in every
 * other command: the reference leaves that to whoever opens the picture.
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

#define MOST_TOKENS 1000000 /* far beyond any model; padding to more would only fill the memory */

typedef struct arguments {
    cli_common common;
    cli_list images, texts, pairs;
    cli_decoding decoding;
    const char *output, *padding;
    int64_t max_length;
    bool truncation;
} arguments;

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_MANY, "image", "FILE", &args->images, 0, "pictures: files, folders, or - for standard input"},
        {CLI_MANY, "text", "TEXT", &args->texts, 0, "texts"},
        {CLI_MANY, "text-pair", "TEXT", &args->pairs, 0, "second halves, one for each text"},
        {CLI_TEXT, "output", "O.safetensors", &args->output, 0, "file to write"},
        {CLI_CHOICE, "padding", "max_length|longest|do_not_pad", &args->padding, 0,
         "how far texts are padded (default: max_length)"},
        {CLI_INT, "max-length", "N", &args->max_length, 1, "tokens to pad to and cut at (default: 64)"},
        {CLI_FLAG, "truncation", NULL, &args->truncation, 0, "cut longer texts; without it they stay longer"},
        CLI_OPTIONS_PICTURES(args->decoding),
        CLI_OPTIONS_COMMON(args->common),
    };
    cli_list rest = {0};
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "'%s' belongs to no option: use --image or --text", rest.items[0]);
    cli_list_done(&rest);
    if (code != CLI_PROCEED)
        return code;
    if (args->images.count == 0 && args->texts.count == 0)
        return cli_usage_error(self, "give at least one --image or --text");
    if (args->pairs.count > 0 && args->pairs.count != args->texts.count)
        return cli_usage_error(self, "--text-pair was given %zu times for %zu texts", args->pairs.count,
                               args->texts.count);
    if (!args->output)
        return cli_usage_error(self, "--output is missing");
    if (args->max_length > MOST_TOKENS)
        return cli_usage_error(self, "--max-length is at most %d, not %lld", MOST_TOKENS, (long long)args->max_length);
    code = cli_check_texts(self, "--text", &args->texts);
    return code == CLI_PROCEED ? cli_check_texts(self, "--text-pair", &args->pairs) : code;
}

static align_encode_options encode_options(const arguments *args)
{
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    if (strcmp(args->padding, "longest") == 0)
        options.padding = ALIGN_PAD_LONGEST;
    else if (strcmp(args->padding, "do_not_pad") == 0)
        options.padding = ALIGN_PAD_NONE;
    options.truncation = args->truncation ? ALIGN_TRUNCATE_LONGEST_FIRST : ALIGN_TRUNCATE_NONE;
    options.max_length = args->max_length;
    return options;
}

static align_status process(const align_processor *processor, const arguments *args, const cli_strings *pictures,
                            align_error *err)
{
    align_tensors *tensors = NULL;
    align_image *images = cli_alloc(pictures->count, sizeof *images);
    align_encode_options options = encode_options(args);
    const align_image_processor_config *config = align_processor_image_processor(processor);
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < pictures->count && status == ALIGN_OK; i++)
        status = cli_picture_open(&images[i], pictures->items[i], &args->decoding, config, err);
    if (status == ALIGN_OK)
        status = align_processor_call(processor, args->texts.items, args->pairs.count > 0 ? args->pairs.items : NULL,
                                      args->texts.count, images, pictures->count, &options, &tensors, err);
    if (status == ALIGN_OK)
        status = align_tensors_save(tensors, args->output, err);
    if (status == ALIGN_OK && args->common.json)
        cli_print_json(
            json_pack("{s:o, s:o}", "output", cli_json_text(args->output), "tensors", cli_json_tensors(tensors)));
    align_tensors_free(tensors);
    for (size_t i = 0; i < pictures->count; i++)
        align_image_done(&images[i]);
    free(images);
    return status;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.decoding = CLI_DECODING_INIT, .padding = "max_length", .max_length = 64};
    cli_strings pictures = {0};
    cli_session session = {0};
    align_error err = ALIGN_ERROR_INIT;
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED) {
        bool ready = cli_check_output(args.output) && cli_pictures_expand(&pictures, &args.images) &&
                     cli_session_open_processor(&session, &args.common, args.texts.count > 0, args.images.count > 0);
        code = ready ? CLI_DONE : CLI_FAILED;
        if (ready && process(session.processor, &args, &pictures, &err) != ALIGN_OK)
            code = cli_fail("%s", err.message);
    }
    cli_session_done(&session);
    cli_strings_done(&pictures);
    cli_list_done(&args.images);
    cli_list_done(&args.texts);
    cli_list_done(&args.pairs);
    return code;
}

const cli_command cli_process = {
    .name = "process",
    .arguments = "[--image FILE...] [--text TEXT...] --output O.safetensors [options]",
    .summary = "write the tensors that a model takes",
    .description = "AlignProcessor alone: pictures become pixel_values (F32 [pictures, channels, height, width]), "
                   "texts become input_ids, token_type_ids and attention_mask (I64 [texts, tokens]).",
    .examples = "  align process --image cat.jpg --text \"a cat\" --output inputs.safetensors\n"
                "  align process --text \"a cat\" \"two dogs\" --padding longest --output inputs.safetensors\n",
    .run = run,
};
