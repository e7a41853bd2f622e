/*
 * duplicates.c: `align duplicates`: pictures of an index that look alike, in groups.
 */
#include "search.h"
#include <stdlib.h>

#define THRESHOLD 0.95

typedef struct arguments {
    cli_common common;
    cli_list folders;
    cli_showing showing;
    const char *store;
    double threshold;
    bool omit_first;
    cli_strings absolute_folders;
    align_filter filter;
} arguments;

static int check(const cli_command *self, arguments *args)
{
    args->showing.common = &args->common;
    if (args->threshold > 1)
        return cli_usage_error(self, "--threshold is a cosine, at most 1, not %g", args->threshold);
    int code = cli_filter_folders(self, &args->filter, &args->absolute_folders, &args->folders);
    return code == CLI_PROCEED ? cli_showing_check(self, &args->showing) : code;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_REAL, "threshold", "X", &args->threshold, 0, "how alike: the least score, 0 to 1 (default: 0.95)"},
        {CLI_FLAG, "omit-first", NULL, &args->omit_first, 0,
         "leave out of each group what was indexed first: what may go"},
        CLI_OPTION_STORE(args->store),
        CLI_OPTIONS_SHOWING(args->showing),
        CLI_OPTIONS_COMMON(args->common),
    };
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->folders);
    return code == CLI_PROCEED ? check(self, args) : code;
}

static int find(const arguments *args, const cli_store *store)
{
    align_hits groups;
    align_error err = ALIGN_ERROR_INIT;
    if (align_index_duplicates(store->index, args->threshold, &args->filter, &groups, &err) != ALIGN_OK)
        return cli_fail("%s", err.message);
    cli_hit_list *lists = cli_alloc(groups.queries, sizeof *lists);
    for (size_t g = 0; g < groups.queries; g++) {
        lists[g].hits = cli_hits_of(&groups, g, &lists[g].count);
        lists[g].heading = cli_format("%zu pictures alike", lists[g].count);
        if (args->omit_first) {
            lists[g].count--;
            for (size_t i = 0; i < lists[g].count; i++)
                lists[g].hits[i] = lists[g].hits[i + 1];
        }
    }
    if (groups.queries == 0)
        cli_warn(args->common.quiet, "no pictures alike");
    int code = cli_show_hits(&args->showing, "duplicates", "Pictures that look alike", lists, groups.queries);
    for (size_t g = 0; g < groups.queries; g++) {
        free(lists[g].heading);
        free(lists[g].hits);
    }
    free(lists);
    align_hits_done(&groups);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.threshold = THRESHOLD, .filter = ALIGN_FILTER_INIT};
    cli_store store = {0};
    args.filter.images = true;
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED)
        code =
            cli_store_open(&store, &args.common, args.store, CLI_STORE_READ, NULL) ? find(&args, &store) : CLI_FAILED;
    cli_store_done(&store);
    cli_list_done(&args.folders);
    cli_strings_done(&args.absolute_folders);
    return code;
}

const cli_command cli_duplicates = {
    .name = "duplicates",
    .arguments = "[DIR...] [--threshold X] [options]",
    .summary = "find pictures that look alike",
    .description = "Prints groups of pictures of an index (align index) that look alike, in the folders that are named "
                   "or anywhere: each is at least as near to "
                   "another of its group as the threshold says. The first of a group is the one that was indexed "
                   "first; nothing is removed.",
    .examples = "  align duplicates\n"
                "  align duplicates ~/Pictures ~/Downloads --threshold 0.99 --omit-first --null | xargs -0 ls -l\n",
    .run = run,
};
