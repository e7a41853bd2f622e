/*
 * index_scan.c: what there is to look at: the pictures of folders and of tar files that the index does not hold as they
 * are now. Who has the size and the time of modification that were noted is taken to be unchanged, and not opened.
 */
#include "index.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add_source(index_scan *scan, const index_source *source)
{
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity ? 2 * scan->capacity : 256;
        scan->sources = cli_realloc(scan->sources, scan->capacity, sizeof *scan->sources);
    }
    scan->sources[scan->count++] = *source;
}

/* Takes source.text over. */
static void look_at(index_scan *scan, index_run *run, const char *path, const char *member, index_source source)
{
    source.entry = index_catalog_entry(&run->catalog, path, member, ALIGN_ITEM_IMAGE);
    index_entry *entry = &run->catalog.entries[source.entry];
    const bool met = entry->seen;
    const bool same = entry->stored && entry->size == source.size && entry->modified == source.modified;
    entry->seen = true;
    run->report.unchanged += same && !met;
    if (met || same)
        free(source.text);
    else
        add_source(scan, &source);
}

/* ---- tar files ---- */

/* Whether the whole of a tar file was read; else a problem is noted. */
static bool check_tar(index_run *run, const char *path, const align_dataset *dataset)
{
    const size_t count = align_dataset_count(dataset);
    const char *damage = align_dataset_damage(dataset, 0);
    if (damage)
        index_report_problem(&run->report,
                             cli_format("%s; %zu picture%s before that", damage, count, count == 1 ? "" : "s"));
    else if (count == 0)
        index_report_problem(&run->report, cli_format("%s: no pictures", path));
    return !damage;
}

static void add_tar(index_scan *scan, index_run *run, const char *path, int64_t modified)
{
    align_dataset *dataset = NULL;
    align_error err = ALIGN_ERROR_INIT;
    if (cli_tar_open(&dataset, path, &err) != ALIGN_OK) {
        index_report_problem(&run->report, cli_format("%s", err.message));
        scan->damaged = true;
        return;
    }
    for (size_t i = 0; i < align_dataset_count(dataset); i++) {
        align_data_place place;
        align_dataset_place(dataset, i, &place);
        const index_source source = {
            .offset = (int64_t)place.offset,
            .size = (int64_t)place.size,
            .modified = modified,
            .text = cli_tar_text(dataset, i),
        };
        look_at(scan, run, path, place.member, source);
    }
    if (check_tar(run, path, dataset))
        cli_strings_add(&scan->files, cli_format("%s", path));
    else
        scan->damaged = true;
    align_dataset_free(dataset);
}

/* ---- the whole ---- */

bool index_scan_add(index_scan *scan, index_run *run, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return cli_fail("%s: cannot read: %s", path, strerror(errno)) == CLI_DONE;
    if (S_ISREG(info.st_mode) && cli_has_suffix(path, ".tar"))
        add_tar(scan, run, path, cli_time_modified(&info));
    else if (!cli_walk_add(&scan->walk, path))
        return cli_fail("%s: neither a folder nor a file", path) == CLI_DONE;
    return true;
}

void index_scan_finish(index_scan *scan, index_run *run)
{
    cli_walk_links(&scan->walk);
    for (size_t i = 0; i < scan->walk.n_files; i++) {
        const cli_file *file = &scan->walk.files[i];
        look_at(scan, run, file->path, "",
                (index_source){.offset = -1, .size = file->size, .modified = file->modified});
    }
    for (size_t i = 0; i < scan->walk.problems.count; i++)
        index_report_problem(&run->report, cli_format("%s", scan->walk.problems.items[i]));
}

void index_scan_done(index_scan *scan)
{
    for (size_t i = 0; i < scan->count; i++)
        free(scan->sources[i].text);
    free(scan->sources);
    cli_walk_done(&scan->walk);
    cli_strings_done(&scan->files);
    *scan = (index_scan){0};
}

/* ---- what is there no more ---- */

static bool is_under_any(const char *path, const cli_strings *places)
{
    for (size_t i = 0; i < places->count; i++)
        if (index_is_under(path, places->items[i]))
            return true;
    return false;
}

static bool is_one_of(const char *path, const cli_strings *files)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(path, files->items[i]) == 0)
            return true;
    return false;
}

void index_remove(index_run *run, size_t number)
{
    const index_entry *entry = &run->catalog.entries[number];
    const index_change change = {
        .action = INDEX_REMOVE,
        .entry = number,
        .from = number,
        .item = {.kind = entry->kind, .path = entry->path, .member = entry->member},
    };
    index_writer_put(run->writer, &change, NULL);
    index_catalog_bequeath(&run->catalog, number, INDEX_NONE);
}

void index_prune(index_run *run, const cli_strings *places, const cli_strings *files)
{
    for (size_t i = 0; i < run->catalog.count; i++) {
        const index_entry *entry = &run->catalog.entries[i];
        if (!entry->stored || entry->seen)
            continue;
        const bool gone = is_under_any(entry->path, places) && index_is_gone(entry->path);
        if (gone || (*entry->member && is_one_of(entry->path, files)))
            index_remove(run, i);
    }
}
