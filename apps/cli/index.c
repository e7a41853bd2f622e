/*
 * index.c: `align index`: pictures and captions into an index that `align search` reads. What is there already is not
 * looked at again, so that the same command brings an index up to date, and goes on where it was interrupted.
 */
#include "index.h"
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
    const char *store, *share;
    cli_list places, captions;
    bool prune, watch;
} arguments;

/* ---- the work ---- */

static bool open_run(index_run *run, const arguments *args, index_share *share)
{
    index_report_open(&run->report, &run->common);
    if ((args->share && !index_share_open(share, args->share)) ||
        !cli_session_open(&run->session, &run->common, args->captions.count > 0, args->places.count > 0) ||
        !cli_store_open(&run->store, &run->common, args->store, CLI_STORE_CREATE, &run->session) ||
        !index_catalog_open(&run->catalog, run->store.index))
        return false;
    run->writer = index_writer_open(run->store.index, &run->catalog, (size_t)run->session.width, &run->report);
    return true;
}

static void close_run(index_run *run)
{
    index_writer_close(run->writer);
    index_catalog_done(&run->catalog);
    index_report_done(&run->report);
    cli_store_done(&run->store);
    cli_session_done(&run->session);
}

/* False when one of the arguments is not there; the others are looked at all the same. */
static bool scan_places(index_scan *scan, index_run *run, const arguments *args, cli_strings *places)
{
    bool ok = true;
    for (size_t i = 0; i < args->places.count; i++) {
        char *path = cli_absolute_path(args->places.items[i]);
        const bool found = index_scan_add(scan, run, path);
        ok = ok && found;
        if (found)
            cli_strings_add(places, path);
        else
            free(path);
    }
    index_scan_finish(scan, run);
    return ok;
}

static bool add_captions(index_run *run, const arguments *args, cli_strings *files)
{
    bool ok = true;
    for (size_t i = 0; i < args->captions.count && !cli_interrupted(); i++) {
        char *path = cli_absolute_path(args->captions.items[i]);
        ok = index_texts(run, path, files) && ok;
        free(path);
    }
    return ok;
}

/* How a run has ended that nothing more comes of. */
static int end_of_run(bool ok, bool complete)
{
    if (ok && cli_interrupted())
        return cli_fail("interrupted: what was done is kept, and the same command goes on from there");
    return ok && complete ? CLI_DONE : CLI_FAILED;
}

static int run_shared(index_run *run, const arguments *args, index_share *share)
{
    const bool ok = index_share_run(share, run, &args->places, &args->captions);
    index_report_summary(&run->report, run->store.index);
    return end_of_run(ok, share->complete);
}

static int run_all(index_run *run, const arguments *args)
{
    index_scan scan = {0};
    cli_strings places = {0};
    bool complete = scan_places(&scan, run, args, &places) && !scan.damaged;
    bool ok = index_pictures(run, &scan) && add_captions(run, args, &scan.files);
    if (ok && args->prune && !cli_interrupted()) {
        index_prune(run, &places, &scan.files);
        ok = index_writer_flush(run->writer);
    }
    index_report_summary(&run->report, run->store.index);
    const bool watch = ok && args->watch && !cli_interrupted();
    const int code = watch ? index_watch(run, &places, &scan) : end_of_run(ok, complete);
    index_scan_done(&scan);
    cli_strings_done(&places);
    return code;
}

static int check_sharing(const cli_command *self, const arguments *args)
{
    size_t rank, ranks;
    cli_rank_find(&rank, &ranks);
    if (!args->share && ranks > 1)
        return cli_usage_error(self, "%zu processes would each do all of it: share it out with --share FOLDER", ranks);
    if (args->share && (args->prune || args->watch))
        return cli_usage_error(self, "--prune and --watch look at everything: leave --share to another run");
    return CLI_PROCEED;
}

static int parse(const cli_command *self, arguments *args, index_run *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_OPTION_STORE(args->store),
        {CLI_MANY, "captions", "FILE", &args->captions, 0,
         "texts to find: a .txt with one a line, or captions in any form that align train reads"},
        {CLI_FLAG, "prune", NULL, &args->prune, 0, "drop what is not in these folders and files any more"},
        {CLI_FLAG, "watch", NULL, &args->watch, 0, "go on, and keep the index as the folders become"},
        {CLI_TEXT, "share", "FOLDER", &args->share, 0,
         "share the arguments out among processes that are given the same ones and this folder, which all of them see"},
        CLI_OPTIONS_PICTURES(run->decoding),
        CLI_OPTIONS_COMMON(run->common),
    };
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->places);
    if (code == CLI_PROCEED && args->places.count == 0 && args->captions.count == 0)
        code = cli_usage_error(self, "give folders, pictures or tar files, or --captions");
    if (code == CLI_PROCEED && args->watch && args->places.count == 0)
        code = cli_usage_error(self, "--watch needs a folder");
    return code == CLI_PROCEED ? check_sharing(self, args) : code;
}

static int run_command(index_run *run, const arguments *args)
{
    index_share share;
    if (!open_run(run, args, &share))
        return CLI_FAILED;
    return args->share ? run_shared(run, args, &share) : run_all(run, args);
}

static int run(const cli_command *self, int argc, char **argv)
{
    const cli_command *admin = argc > 0 ? index_admin_command(argv[0]) : NULL;
    if (admin)
        return admin->run(admin, argc - 1, argv + 1);
    arguments args = {0};
    index_run r = {.decoding = CLI_DECODING_INIT, .catalog = INDEX_CATALOG_INIT};
    int code = parse(self, &args, &r, argc, argv);
    if (code == CLI_PROCEED) {
        cli_catch_signals();
        code = run_command(&r, &args);
        close_run(&r);
    }
    cli_list_done(&args.places);
    cli_list_done(&args.captions);
    return code;
}

const cli_command cli_index = {
    .name = "index",
    .arguments = "DIR... [options], or align index status|remove|vacuum|repair",
    .summary = "make pictures and captions searchable",
    .description =
        "Looks for pictures in folders (and in tar files that are named), and puts a vector of each into an index for "
        "align search. What is in the index and has not changed is passed over; what was moved keeps its vector. A "
        "file that cannot be read is listed at the end. Interrupted at any moment, the same command goes on. align "
        "index status, remove, vacuum and repair look after the index; a folder of such a name is given as ./status.",
    .examples = "  align index ~/Pictures\n"
                "  align index ~/Pictures --prune --watch\n"
                "  align index shards/*.tar --captions captions.tsv --store photos.db\n"
                "  align index status\n",
    .run = run,
};
