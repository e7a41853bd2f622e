/*
 * store.c: where the index is that `align index` fills and `align search` reads, and whether it is of the model in use.
 */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* By the specification relative paths are ignored. */
char *cli_user_folder(const char *variable, const char *below_home)
{
    const char *named = getenv(variable), *home = getenv("HOME");
    if (named && *named == '/')
        return cli_format("%s/align", named);
    return home && *home == '/' ? cli_format("%s/%s/align", home, below_home) : NULL;
}

static char *data_folder(void)
{
    char *folder = cli_user_folder("XDG_DATA_HOME", ".local/share");
    if (!folder)
        cli_fail("neither XDG_DATA_HOME nor HOME names a folder for the index: name it with --store or ALIGN_STORE");
    return folder;
}

char *cli_item_name(const char *path, const char *member)
{
    return cli_format("%s%s%s", path, *member ? ": " : "", member);
}

/* What --store or ALIGN_STORE names, or NULL. */
static const char *named_store(const char *where)
{
    const char *name = where ? where : getenv("ALIGN_STORE");
    return name && *name ? name : NULL;
}

char *cli_store_place(const char *where)
{
    const char *name = named_store(where);
    if (name)
        return cli_format("%s", name);
    char *folder = data_folder();
    char *place = folder ? cli_format("%s/index.db", folder) : NULL;
    free(folder);
    return place;
}

/* On a disk that cannot be written to, an index is searched without the locks that writers wait for. */
static bool cannot_be_written(const char *place)
{
    return access(place, F_OK) == 0 && access(place, W_OK) != 0 && (errno == EROFS || errno == EACCES);
}

/* An address may hold a password, which the library's message leaves out. */
static void say_no_index(const char *where, const char *place, const align_error *err)
{
    if (strstr(place, "://"))
        cli_fail("%s: run 'align index DIR' with the same --store", err->message);
    else if (named_store(where))
        cli_fail("%s: no index there yet: run 'align index DIR --store %s'", place, place);
    else
        cli_fail("%s: no index yet: run 'align index DIR'", place);
}

bool cli_store_open(cli_store *store, const cli_common *common, const char *where, cli_store_use use,
                    const cli_session *session)
{
    char model[ALIGN_FINGERPRINT_SIZE];
    align_error err = ALIGN_ERROR_INIT;
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    store->where = cli_store_place(where);
    if (!store->where)
        return false;
    options.create = use == CLI_STORE_CREATE;
    options.repair = use == CLI_STORE_REPAIR;
    options.read_only = use == CLI_STORE_READ && cannot_be_written(store->where);
    options.threads = (int)common->threads;
    if (session) {
        align_model_fingerprint(session->model, model);
        options.model = model;
        options.width = session->width;
    }
    align_status status = align_index_open(&store->index, store->where, &options, &err);
    if (status == ALIGN_ERROR_IO && use == CLI_STORE_READ && !options.read_only) { /* a disk may be full, too */
        options.read_only = true;
        if (align_index_open(&store->index, store->where, &options, NULL) == ALIGN_OK)
            status = ALIGN_OK;
    }
    if (status == ALIGN_ERROR_NOT_FOUND)
        say_no_index(where, store->where, &err);
    else if (status == ALIGN_ERROR_MISMATCH && session)
        cli_fail("%s (the model here is %s)", err.message, session->folder);
    else if (status != ALIGN_OK)
        cli_fail("%s", err.message);
    return status == ALIGN_OK;
}

bool cli_store_check_model(const cli_store *store, const cli_session *session)
{
    char model[ALIGN_FINGERPRINT_SIZE];
    align_index_info info;
    align_error err = ALIGN_ERROR_INIT;
    align_model_fingerprint(session->model, model);
    if (align_index_get_info(store->index, &info, &err) != ALIGN_OK)
        return cli_fail("%s", err.message) == CLI_DONE;
    if (strcmp(info.model, model) != 0)
        return cli_fail("%s: the index is of the model %s, not of %s in %s: name its model with --model, or make "
                        "another index with --store",
                        info.where, info.model, model, session->folder) == CLI_DONE;
    return true;
}

void cli_store_done(cli_store *store)
{
    align_index_close(store->index);
    free(store->where);
    *store = (cli_store){0};
}

int cli_filter_folders(const cli_command *command, align_filter *filter, cli_strings *paths, const cli_list *folders)
{
    if (folders->count > ALIGN_MOST_FOLDERS)
        return cli_usage_error(command, "%zu folders: at most %d, or one above them", folders->count,
                               ALIGN_MOST_FOLDERS);
    for (size_t i = 0; i < folders->count; i++) {
        if (!*folders->items[i])
            return cli_usage_error(command, "a folder without a name");
        cli_strings_add(paths, cli_absolute_path(folders->items[i]));
    }
    filter->folders = (const char *const *)paths->items;
    filter->n_folders = paths->count;
    return CLI_PROCEED;
}
