/*
 * search.c: `align search`: what in an index is nearest to texts, to pictures, or to both together.
 */
#include "search.h"
#include <stdlib.h>
#include <string.h>

/* The paper found that a text should weigh twice as much as a picture. */
#define TEXT_WEIGHT  2
#define IMAGE_WEIGHT 1

#define TOP      10
#define PAGE_TOP 60 /* of a page with pictures */

#define NO_THRESHOLD (-2) /* below -1, since rounded vectors may be a little longer than one */

typedef struct arguments {
    cli_common common;
    cli_list words; /* a text without an option */
    cli_query query;
    cli_showing showing;
    cli_list folders;
    const char *store, *since, *until, *sort, *kind;
    int64_t top, page; /* 0: not given */
    double threshold;
    bool approximate;
    char *text; /* the words as one text, or NULL */
    align_query_options options;
    cli_strings absolute_folders;
} arguments;

/* ---- arguments ---- */

static bool looks_for_something(const arguments *args)
{
    return args->query.texts.count + args->query.images.count + args->query.minus.count > 0;
}

/* Without anything to look for: whether it was said what to list. */
static bool lists_something(const arguments *args)
{
    if (looks_for_something(args))
        return false;
    return args->sort ? strcmp(args->sort, "score") != 0 : args->folders.count > 0 || args->since || args->until;
}

/* "two dogs" and two dogs are the same text. */
static void join_words(arguments *args)
{
    for (size_t i = 0; i < args->words.count; i++)
        cli_append(&args->text, " ", args->words.items[i]);
    if (args->text)
        cli_list_add(&args->query.texts, args->text);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static int check_texts(const cli_command *self, const char *option, const cli_list *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        if (is_blank(texts->items[i]))
            return cli_usage_error(self, "%s: the text is empty", option);
    return cli_check_texts(self, option, texts);
}

static int check_question(const cli_command *self, arguments *args)
{
    join_words(args);
    if (args->text && is_blank(args->text))
        return cli_usage_error(self, "the text to look for is empty");
    if (args->text && !cli_utf8_valid(args->text))
        return cli_usage_error(self, "the text to look for is not UTF-8");
    int code = check_texts(self, "--text", &args->query.texts);
    if (code == CLI_PROCEED)
        code = check_texts(self, "--minus", &args->query.minus);
    if (code != CLI_PROCEED)
        return code;
    if (lists_something(args))
        return args->threshold == NO_THRESHOLD
                   ? CLI_PROCEED
                   : cli_usage_error(self, "--threshold: there are no scores where nothing is looked for");
    if (args->query.texts.count + args->query.images.count == 0)
        return cli_usage_error(self, "say what to look for: a text, or --image FILE; or list what there is: --sort "
                                     "newest, --folder DIR");
    return CLI_PROCEED;
}

static int no_date(const cli_command *self, const char *option, const char *text)
{
    return cli_usage_error(self, "%s takes a date (YYYY, YYYY-MM, YYYY-MM-DD, 'YYYY-MM-DD HH:MM'), not '%s'", option,
                           text);
}

static int check_dates(const cli_command *self, arguments *args)
{
    align_filter *filter = &args->options.filter;
    int64_t unused;
    if (args->since && !cli_parse_date(args->since, &filter->from, &unused))
        return no_date(self, "--since", args->since);
    if (args->until && !cli_parse_date(args->until, &unused, &filter->until))
        return no_date(self, "--until", args->until);
    if (filter->from >= filter->until)
        return cli_usage_error(self, "--since %s is later than --until %s", args->since, args->until);
    return CLI_PROCEED;
}

/* By score, if there are any; what is listed begins with the newest. */
static align_item_order order_of(const arguments *args)
{
    static const struct {
        const char *name;
        align_item_order order;
    } orders[] = {{"score", ALIGN_ORDER_SCORE},
                  {"newest", ALIGN_ORDER_NEWEST},
                  {"oldest", ALIGN_ORDER_OLDEST},
                  {"path", ALIGN_ORDER_PATH}};
    for (size_t i = 0; args->sort && i < CLI_COUNT(orders); i++)
        if (strcmp(args->sort, orders[i].name) == 0)
            return orders[i].order;
    return lists_something(args) ? ALIGN_ORDER_NEWEST : ALIGN_ORDER_SCORE;
}

static int check(const cli_command *self, arguments *args)
{
    int code = check_question(self, args);
    if (code == CLI_PROCEED)
        code = check_dates(self, args);
    if (code != CLI_PROCEED)
        return code;
    args->showing.common = &args->common;
    args->options.threshold = args->threshold;
    args->options.approximate = args->approximate;
    args->options.order = order_of(args);
    args->options.top = args->top ? args->top : args->showing.html || args->showing.open ? PAGE_TOP : TOP;
    args->options.skip = args->page ? (args->page - 1) * args->options.top : 0;
    args->options.filter.images = strcmp(args->kind, "text") != 0;
    args->options.filter.texts = strcmp(args->kind, "image") != 0;
    code = cli_filter_folders(self, &args->options.filter, &args->absolute_folders, &args->folders);
    return code == CLI_PROCEED ? cli_showing_check(self, &args->showing) : code;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_MANY, "text", "TEXT", &args->query.texts, 0, "texts to look for"},
        {CLI_MANY, "image", "FILE", &args->query.images, 0,
         "pictures to look for: files, folders, or - for standard input"},
        {CLI_MANY, "minus", "TEXT", &args->query.minus, 0, "texts of what not to find"},
        {CLI_REAL, "text-weight", "W", &args->query.text_weight, 0,
         "how much a text counts (default: 2, twice as much as a picture)"},
        {CLI_REAL, "image-weight", "W", &args->query.image_weight, 0, "how much a picture counts (default: 1)"},
        {CLI_INT, "top", "K", &args->top, 1, "show the first K, the best (default: 10, on a page 60)"},
        {CLI_INT, "page", "N", &args->page, 1, "show the N-th K of them (default: 1)"},
        {CLI_REAL, "threshold", "X", &args->threshold, -1, "show nothing with a score below X (-1 to 1)"},
        {CLI_LIST, "folder", "DIR", &args->folders, 0,
         "look in this folder alone, and in those below it; may be repeated"},
        {CLI_TEXT, "since", "DATE", &args->since, 0, "taken on that date or later: 2024, 2024-05, 2024-05-17"},
        {CLI_TEXT, "until", "DATE", &args->until, 0, "taken on that date or earlier"},
        {CLI_CHOICE, "sort", "score|newest|oldest|path", &args->sort, 0,
         "show the first K in this order of all that reach the threshold (default: score; newest where nothing is "
         "looked for)"},
        {CLI_CHOICE, "kind", "image|text|all", &args->kind, 0, "what to look for: pictures (default), captions, both"},
        {CLI_FLAG, "approximate", NULL, &args->approximate, 0,
         "on PostgreSQL: use the HNSW index, which is faster and may miss some"},
        CLI_OPTION_STORE(args->store),
        CLI_OPTIONS_SHOWING(args->showing),
        CLI_OPTIONS_PICTURES(args->query.decoding),
        CLI_OPTIONS_COMMON(args->common),
    };
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->words);
    return code == CLI_PROCEED ? check(self, args) : code;
}

/* ---- the search ---- */

/* "dog + photo.jpg - people", to be freed: what was asked, for the head of a page. */
static char *describe(const cli_query *query)
{
    char *words = NULL;
    const struct {
        const cli_list *list;
        const char *mark;
    } parts[] = {{&query->texts, " + "}, {&query->images, " + "}, {&query->minus, " \u2212 "}};
    for (size_t p = 0; p < CLI_COUNT(parts); p++)
        for (size_t i = 0; i < parts[p].list->count; i++)
            cli_append(&words, parts[p].mark, parts[p].list->items[i]);
    return words;
}

static int show(const arguments *args, cli_hit *hits, size_t count, const char *title)
{
    const cli_hit_list list = {hits, count, NULL};
    if (count == 0)
        cli_warn(args->common.quiet, "nothing found");
    return cli_show_hits(&args->showing, "search", title, &list, 1);
}

static int search(const arguments *args, const cli_store *store)
{
    align_hits found;
    align_error err = ALIGN_ERROR_INIT;
    size_t count;
    if (args->options.order != ALIGN_ORDER_SCORE && args->threshold == NO_THRESHOLD)
        cli_warn(args->common.quiet, "without --threshold everything is found: --sort %s shows the first of all",
                 args->sort);
    float *vector = cli_query_vector(&args->query, &args->common, store);
    if (!vector)
        return CLI_FAILED;
    align_status status = align_index_query(store->index, vector, 1, &args->options, &found, &err);
    free(vector);
    if (status != ALIGN_OK)
        return cli_fail("%s", err.message);
    cli_hit *hits = cli_hits_of(&found, 0, &count);
    char *title = describe(&args->query);
    int code = show(args, hits, count, title);
    free(title);
    free(hits);
    align_hits_done(&found);
    return code;
}

/* What there is, where nothing is looked for. */
static int list(const arguments *args, const cli_store *store)
{
    cli_listing listing;
    int code = CLI_FAILED;
    if (cli_listing_read(&listing, store->index, &args->options)) {
        cli_hit *hits = cli_listing_hits(&listing);
        code =
            show(args, hits, listing.count, args->folders.count == 1 ? args->absolute_folders.items[0] : "The index");
        free(hits);
    }
    cli_listing_done(&listing);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {
        .query = {.text_weight = TEXT_WEIGHT, .image_weight = IMAGE_WEIGHT, .decoding = CLI_DECODING_INIT},
        .kind = "image",
        .threshold = NO_THRESHOLD,
        .options = ALIGN_QUERY_OPTIONS_INIT,
    };
    cli_store store = {0};
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED && !cli_store_open(&store, &args.common, args.store, CLI_STORE_READ, NULL))
        code = CLI_FAILED;
    if (code == CLI_PROCEED)
        code = (looks_for_something(&args) ? search : list)(&args, &store);
    cli_store_done(&store);
    cli_list_done(&args.words);
    cli_list_done(&args.query.texts);
    cli_list_done(&args.query.images);
    cli_list_done(&args.query.minus);
    cli_list_done(&args.folders);
    cli_strings_done(&args.absolute_folders);
    free(args.text);
    return code;
}

const cli_command cli_search = {
    .name = "search",
    .arguments = "[TEXT...] [--image FILE...] [--minus TEXT...] [options]",
    .summary = "find pictures by words, by pictures, by both",
    .description = "Prints what in an index (align index) is nearest to a text, to pictures, or to both together, the "
                   "best first: the score, the date, the size and the path. A score is the cosine between what was "
                   "asked and what was found. Where nothing is asked for, but --sort, --folder, --since or --until is "
                   "given, prints what the index holds, the newest first.",
    .examples = "  align search two dogs in snow\n"
                "  align search at night --image beach.jpg --minus people --open\n"
                "  align search dog --threshold 0.25 --sort newest\n"
                "  align search --folder ~/Pictures/2024 --sort path\n"
                "  align search cat --since 2023 --threshold 0.25 --null | xargs -0 cp -t cats/\n",
    .run = run,
};
