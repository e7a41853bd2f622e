/* index_admin.c: `align index status`, `remove`, `vacuum` and `repair`: what is done to an index without a model. */
#include "index.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the command lines ---- */

typedef struct arguments {
    cli_common common;
    const char *store;
} arguments;

static int parse(const cli_command *self, arguments *args, int argc, char **argv, cli_list *paths)
{
    const cli_option options[] = {
        CLI_OPTION_STORE(args->store),
        CLI_OPTIONS_COMMON(args->common),
    };
    return cli_parse(self, options, CLI_COUNT(options), argc, argv, paths);
}

/* Parses and opens what takes no paths. */
static int begin(const cli_command *self, arguments *args, int argc, char **argv, cli_store_use use, cli_store *store)
{
    cli_list rest = {0};
    int code = parse(self, args, argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "takes no arguments, found '%s'", rest.items[0]);
    cli_list_done(&rest);
    if (code == CLI_PROCEED && !cli_store_open(store, &args->common, args->store, use, NULL))
        code = CLI_FAILED;
    return code;
}

/* ---- status ---- */

static void print_bytes(const char *label, int64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < CLI_COUNT(units); unit++)
        value /= 1000;
    printf("%-9s %.*f %s\n", label, unit ? 1 : 0, value, units[unit]);
}

static void print_status(const align_index_info *info, bool json)
{
    if (json) {
        cli_print_json(json_pack(
            "{s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "index", cli_json_text(info->where), "store", info->store,
            "model", cli_json_text(info->model), "width", (json_int_t)info->width, "images", (json_int_t)info->images,
            "texts", (json_int_t)info->texts, "bytes", (json_int_t)info->bytes, "holes", (json_int_t)info->holes));
        return;
    }
    printf("index     %s (%s)\nmodel     %s\n", info->where, info->store, info->model);
    printf("vectors   %" PRId64 " numbers each\npictures  %" PRId64 "\ntexts     %" PRId64 "\n", info->width,
           info->images, info->texts);
    print_bytes("on disk", info->bytes);
    if (info->holes > 0)
        printf("holes     %" PRId64 " vectors of removed items: align index vacuum gives their room back\n",
               info->holes);
}

static int run_status(const cli_command *self, int argc, char **argv)
{
    arguments args = {0};
    cli_store store = {0};
    align_index_info info;
    align_error err = ALIGN_ERROR_INIT;
    int code = begin(self, &args, argc, argv, CLI_STORE_READ, &store);
    if (code == CLI_PROCEED && align_index_get_info(store.index, &info, &err) != ALIGN_OK)
        code = cli_fail("%s", err.message);
    if (code == CLI_PROCEED) {
        print_status(&info, args.common.json);
        code = CLI_DONE;
    }
    cli_store_done(&store);
    return code;
}

/* ---- vacuum ---- */

static int run_vacuum(const cli_command *self, int argc, char **argv)
{
    arguments args = {0};
    cli_store store = {0};
    align_index_info before, after;
    align_error err = ALIGN_ERROR_INIT;
    int code = begin(self, &args, argc, argv, CLI_STORE_CHANGE, &store);
    if (code == CLI_PROCEED) {
        int64_t bytes = 0, holes = 0;
        align_status status = align_index_get_info(store.index, &before, &err);
        if (status == ALIGN_OK) {
            bytes = before.bytes;
            holes = before.holes;
            status = align_index_vacuum(store.index, &err);
        }
        if (status == ALIGN_OK)
            status = align_index_get_info(store.index, &after, &err);
        code = status == ALIGN_OK ? CLI_DONE : cli_fail("%s", err.message);
        if (status == ALIGN_OK && args.common.json)
            cli_print_json(json_pack("{s:s, s:I, s:I, s:I}", "event", "vacuumed", "holes", (json_int_t)holes, "before",
                                     (json_int_t)bytes, "after", (json_int_t)after.bytes));
        else if (status == ALIGN_OK)
            printf("%" PRId64 " vectors dropped; %" PRId64 " bytes, %" PRId64 " before\n", holes, after.bytes, bytes);
    }
    cli_store_done(&store);
    return code;
}

/* ---- repair ---- */

static int run_repair(const cli_command *self, int argc, char **argv)
{
    arguments args = {0};
    cli_store store = {0};
    align_index_info info;
    align_error err = ALIGN_ERROR_INIT;
    int code = begin(self, &args, argc, argv, CLI_STORE_REPAIR, &store);
    if (code == CLI_PROCEED && align_index_get_info(store.index, &info, &err) != ALIGN_OK)
        code = cli_fail("%s", err.message);
    if (code == CLI_PROCEED) {
        code = CLI_DONE;
        if (args.common.json)
            cli_print_json(json_pack("{s:s, s:I, s:I, s:I}", "event", "repaired", "lost", (json_int_t)info.lost,
                                     "images", (json_int_t)info.images, "texts", (json_int_t)info.texts));
        else if (info.lost == 0)
            puts("nothing was lost");
        else
            printf("%" PRId64 " lost, %" PRId64 " left; what was lost is added again by align index\n", info.lost,
                   info.images + info.texts);
    }
    cli_store_done(&store);
    return code;
}

/* ---- remove ---- */

/* What is in the index of a file, or in and under a folder. */
typedef struct found {
    int64_t *ids;
    cli_strings paths;
    size_t count, capacity;
} found;

static void add_found(found *f, const align_item *item)
{
    if (f->count == f->capacity) {
        f->capacity = f->capacity ? 2 * f->capacity : 64;
        f->ids = cli_realloc(f->ids, f->capacity, sizeof *f->ids);
    }
    f->ids[f->count++] = item->id;
    cli_strings_add(&f->paths, cli_item_name(item->path, item->member));
}

static align_status find_under(found *f, align_index *index, const char *path, align_error *err)
{
    align_filter filter = ALIGN_FILTER_INIT;
    align_cursor *cursor = NULL;
    align_item item;
    bool more = true;
    filter.folders = &path;
    filter.n_folders = 1;
    align_status status = align_cursor_open(&cursor, index, &filter, ALIGN_ORDER_PATH, err);
    while (status == ALIGN_OK && more) {
        status = align_cursor_next(cursor, &item, NULL, &more, err);
        if (status == ALIGN_OK && more)
            add_found(f, &item);
    }
    align_cursor_close(cursor);
    return status;
}

static int remove_path(const arguments *args, align_index *index, const char *argument)
{
    found f = {0};
    align_error err = ALIGN_ERROR_INIT;
    char *path = cli_absolute_path(argument);
    int code = CLI_DONE;
    align_status status = find_under(&f, index, path, &err);
    if (status == ALIGN_OK && f.count > 0)
        status = align_index_remove(index, f.ids, f.count, NULL, &err);
    if (status != ALIGN_OK)
        code = cli_fail("%s", err.message);
    else if (f.count == 0)
        code = cli_fail("%s: nothing in the index is there", path);
    for (size_t i = 0; i < f.count && status == ALIGN_OK && args->common.json; i++)
        cli_print_json(json_pack("{s:s, s:I, s:o}", "event", "removed", "id", (json_int_t)f.ids[i], "path",
                                 cli_json_text(f.paths.items[i])));
    if (code == CLI_DONE && !args->common.json)
        printf("%zu removed: %s\n", f.count, argument);
    cli_strings_done(&f.paths);
    free(f.ids);
    free(path);
    return code;
}

static int run_remove(const cli_command *self, int argc, char **argv)
{
    arguments args = {0};
    cli_store store = {0};
    cli_list paths = {0};
    int code = parse(self, &args, argc, argv, &paths);
    if (code == CLI_PROCEED && paths.count == 0)
        code = cli_usage_error(self, "give the files or folders to remove");
    if (code == CLI_PROCEED)
        code = cli_store_open(&store, &args.common, args.store, CLI_STORE_CHANGE, NULL) ? CLI_DONE : CLI_FAILED;
    for (size_t i = 0; i < paths.count && store.index; i++)
        if (remove_path(&args, store.index, paths.items[i]) != CLI_DONE)
            code = CLI_FAILED;
    cli_store_done(&store);
    cli_list_done(&paths);
    return code;
}

static const cli_command commands[] = {
    {
        .name = "index status",
        .arguments = "[options]",
        .summary = "what an index holds",
        .description = "Says where the index is, what model it is of, and how much it holds.",
        .examples = "  align index status\n  align index status --store photos.db --json\n",
        .run = run_status,
    },
    {
        .name = "index remove",
        .arguments = "PATH... [options]",
        .summary = "take files out of an index",
        .description = "Takes files and folders with all that is in them out of the index; the files stay. They need "
                       "not be there any more.",
        .examples = "  align index remove ~/Pictures/private\n",
        .run = run_remove,
    },
    {
        .name = "index vacuum",
        .arguments = "[options]",
        .summary = "give back the room of what was removed",
        .description = "Writes the vectors of the index anew without those of removed items. It may be searched "
                       "meanwhile.",
        .examples = "  align index vacuum\n",
        .run = run_vacuum,
    },
    {
        .name = "index repair",
        .arguments = "[options]",
        .summary = "let go of what is damaged",
        .description = "Takes the items out of an index whose vectors are lost, so that it can be used again; align "
                       "index, called as before, then adds them again. An index that is in order stays as it is.",
        .examples = "  align index repair --store photos.db\n",
        .run = run_repair,
    },
};

const cli_command *index_admin_command(const char *name)
{
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        if (strcmp(commands[i].name + strlen("index "), name) == 0)
            return &commands[i];
    return NULL;
}
