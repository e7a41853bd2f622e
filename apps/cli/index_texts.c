/*
 * index_texts.c: captions to vectors. A text is an item of its own: in the file that it stands in, under its number.
 */
#include "index.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64 /* of different texts, so that the writer has something to do meanwhile */

/* The texts of a plain list, or of any data set. */
static bool read_texts(cli_strings *texts, const char *path)
{
    align_dataset *dataset = NULL;
    align_error err = ALIGN_ERROR_INIT;
    if (cli_has_suffix(path, ".txt"))
        return cli_labels_read(texts, path) == CLI_PROCEED;
    if (align_dataset_open(&dataset, path, NULL, &err) != ALIGN_OK)
        return cli_fail("%s", err.message) == CLI_DONE;
    for (size_t i = 0; i < align_dataset_count(dataset); i++)
        for (size_t k = 0; k < align_dataset_texts(dataset, i); k++)
            cli_strings_add(texts, cli_format("%s", align_dataset_text(dataset, i, k)));
    align_dataset_free(dataset);
    return true;
}

typedef struct captions {
    index_run *run;
    const char *path;
    int64_t modified;
    const cli_strings *texts;
    size_t *entries;             /* [texts] */
    index_change changes[BATCH]; /* that wait for their vectors */
    const char *waiting[BATCH];
    size_t n_waiting;
} captions;

/* Notes all texts first: the catalog may not grow while it is read by others. */
static void find_entries(captions *c)
{
    for (size_t i = 0; i < c->texts->count; i++) {
        char *number = cli_format("%zu", i + 1);
        c->entries[i] = index_catalog_entry(&c->run->catalog, c->path, number, ALIGN_ITEM_TEXT);
        free(number);
    }
}

static bool run_batch(captions *c)
{
    cli_common quiet = c->run->common;
    const size_t width = (size_t)c->run->session.width;
    quiet.quiet = true; /* there is a bar already, and captions may be long */
    if (c->n_waiting == 0)
        return true;
    float *vectors = cli_embed_texts(&c->run->session, &quiet, c->waiting, c->n_waiting);
    for (size_t i = 0; vectors && i < c->n_waiting; i++)
        index_writer_put(c->run->writer, &c->changes[i], vectors + i * width);
    for (size_t i = 0; !vectors && i < c->n_waiting; i++)
        free(c->changes[i].text);
    c->n_waiting = 0;
    free(vectors);
    return vectors && !index_writer_failed(c->run->writer);
}

static bool is_waiting(const captions *c, size_t entry)
{
    for (size_t i = 0; i < c->n_waiting; i++)
        if (c->changes[i].entry == entry)
            return true;
    return false;
}

static bool add_text(captions *c, size_t i)
{
    index_catalog *catalog = &c->run->catalog;
    const char *text = c->texts->items[i];
    index_entry *entry = &catalog->entries[c->entries[i]];
    index_change change = {
        .entry = c->entries[i],
        .text = cli_format("%s", text),
        .was_there = entry->stored,
        .item = {.kind = ALIGN_ITEM_TEXT,
                 .path = entry->path,
                 .member = entry->member,
                 .size = (int64_t)strlen(text),
                 .modified = c->modified,
                 .taken = INT64_MIN},
    };
    align_content_hash(text, strlen(text), change.item.hash);
    const size_t same = index_catalog_claim(catalog, change.entry, change.item.hash);
    const bool unchanged = same == change.entry && entry->modified == c->modified;
    entry->seen = entry->stored = true;
    entry->modified = c->modified;
    if (unchanged) {
        c->run->report.unchanged++;
        free(change.text);
        return true;
    }
    if (same == INDEX_NONE || is_waiting(c, same)) { /* the model sees a text of a batch once */
        c->waiting[c->n_waiting] = text;
        c->changes[c->n_waiting++] = change;
        return c->n_waiting < BATCH || run_batch(c);
    }
    change.action = same == change.entry ? INDEX_RENAME : INDEX_COPY;
    change.from = same;
    index_writer_put(c->run->writer, &change, NULL);
    return !index_writer_failed(c->run->writer);
}

static bool add_all(captions *c)
{
    cli_progress *progress = &c->run->report.progress;
    bool ok = true;
    cli_progress_start(progress, c->run->common.quiet, c->run->common.json, "texts", c->texts->count);
    for (size_t i = 0; i < c->texts->count && ok && !cli_interrupted(); i++) {
        ok = add_text(c, i);
        cli_progress_step(progress);
    }
    ok = ok && run_batch(c);
    cli_progress_end(progress);
    for (size_t i = 0; i < c->n_waiting; i++)
        free(c->changes[i].text);
    return index_writer_flush(c->run->writer) && ok;
}

bool index_texts(index_run *run, const char *path, cli_strings *files)
{
    struct stat info;
    cli_strings texts = {0};
    captions *c = cli_alloc(1, sizeof *c);
    bool ok = stat(path, &info) == 0;
    if (!ok)
        cli_fail("%s: cannot read: %s", path, strerror(errno));
    ok = ok && read_texts(&texts, path);
    if (ok) {
        c->run = run;
        c->path = path;
        c->modified = cli_time_modified(&info);
        c->texts = &texts;
        c->entries = cli_alloc(texts.count, sizeof *c->entries);
        find_entries(c);
        ok = add_all(c);
        if (ok)
            cli_strings_add(files, cli_format("%s", path));
    }
    free(c->entries);
    free(c);
    cli_strings_done(&texts);
    return ok;
}
