/*
 * decode.c: `align decode`: token ids back to text, as AlignProcessor.decode does it.
 */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>

typedef struct arguments {
    cli_common common;
    cli_list ids;
    bool skip_special_tokens, no_clean_up;
} arguments;

static int parse_ids(const cli_command *self, const cli_list *words, int64_t *ids)
{
    for (size_t i = 0; i < words->count; i++) {
        char *end;
        errno = 0;
        ids[i] = strtoll(words->items[i], &end, 10);
        if (errno != 0 || end == words->items[i] || *end != '\0' || ids[i] < 0)
            return cli_usage_error(self, "a token id is a whole number from 0, not '%s'", words->items[i]);
    }
    return CLI_PROCEED;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_FLAG, "skip-special-tokens", NULL, &args->skip_special_tokens, 0, "leave out [CLS], [SEP], [PAD], ..."},
        {CLI_FLAG, "no-clean-up", NULL, &args->no_clean_up, 0, "keep the spaces before punctuation"},
        CLI_OPTIONS_COMMON(args->common),
    };
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->ids);
    if (code == CLI_PROCEED && args->ids.count == 0)
        code = cli_usage_error(self, "give at least one token id");
    return code;
}

static int decode(const align_tokenizer *tokenizer, const arguments *args, const int64_t *ids)
{
    char *text = NULL;
    align_error err = ALIGN_ERROR_INIT;
    if (align_tokenizer_decode(tokenizer, ids, args->ids.count, args->skip_special_tokens, args->no_clean_up ? 0 : -1,
                               &text, &err) != ALIGN_OK)
        return cli_fail("%s", err.message);
    if (args->common.json)
        cli_print_json(json_pack("{s:o}", "text", cli_json_text(text)));
    else
        puts(text);
    align_free(text);
    return CLI_DONE;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {0};
    cli_session session = {0};
    int code = parse(self, &args, argc, argv);
    int64_t *ids = cli_alloc(args.ids.count, sizeof *ids);
    if (code == CLI_PROCEED)
        code = parse_ids(self, &args.ids, ids);
    if (code == CLI_PROCEED)
        code = cli_session_open_processor(&session, &args.common, true, false)
                   ? decode(align_processor_tokenizer(session.processor), &args, ids)
                   : CLI_FAILED;
    cli_session_done(&session);
    free(ids);
    cli_list_done(&args.ids);
    return code;
}

const cli_command cli_decode = {
    .name = "decode",
    .arguments = "ID... [options]",
    .summary = "turn token ids into text",
    .description = "AlignProcessor.decode: joins the tokens of the given ids. Ids outside the vocabulary vanish.",
    .examples = "  align decode --skip-special-tokens 101 1037 4937 102\n",
    .run = run,
};
