/*
 * index_write.c: changes on their way to the index. A thread of its own makes them while the model computes the next;
 * they come in groups, of which each is a transaction or a few: a kill loses what had not been handed over, some
 * seconds of work at most.
 */
#include "index.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROUP_CHANGES 256
#define GROUP_SECONDS 2

typedef struct group {
    index_change changes[GROUP_CHANGES];
    float *vectors; /* [GROUP_CHANGES, width] */
    size_t count;
    struct timespec since; /* the first change */
} group;

struct index_writer {
    align_index *index;
    const index_catalog *catalog;
    index_report *report;
    size_t width;
    group groups[2]; /* one is filled while the other is written */
    size_t filling;
    bool writing, failed, stop, has_thread; /* under mutex */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* What the store gets in one call, and so in one transaction: changes of one kind that follow each other. */
    index_action action;
    align_item items[GROUP_CHANGES];
    int64_t ids[GROUP_CHANGES];
    const index_change *changes[GROUP_CHANGES];
    char *texts[GROUP_CHANGES]; /* that items keep, owned */
    float *vectors;
    size_t n_items;
};

/* ---- one call of the store ---- */

static void report_item(index_writer *w, size_t i)
{
    const index_change *change = w->changes[i];
    const index_entry *from = &w->catalog->entries[change->from];
    const align_item *item = &w->items[i];
    if (w->action == INDEX_REMOVE)
        index_report_event(w->report, INDEX_REMOVED, item, NULL);
    else if (w->action == INDEX_ADD)
        index_report_event(w->report, change->was_there ? INDEX_CHANGED : INDEX_ADDED, item, NULL);
    else if (change->from == change->entry)
        index_report_event(w->report, INDEX_TOUCHED, item, NULL);
    else
        index_report_event(w->report, INDEX_MOVED, item, from->path);
}

/* Calls the store for the items so far, and begins anew. */
static align_status store_items(index_writer *w, align_error *err)
{
    align_status status = ALIGN_OK;
    if (w->n_items == 0)
        return status;
    if (w->action == INDEX_ADD)
        status = align_index_add(w->index, w->items, w->vectors, w->n_items, w->ids, err);
    else if (w->action == INDEX_RENAME)
        status = align_index_update(w->index, w->items, w->n_items, err);
    else
        status = align_index_remove(w->index, w->ids, w->n_items, NULL, err);
    for (size_t i = 0; i < w->n_items; i++) {
        w->items[i].id = w->ids[i];
        if (status == ALIGN_OK)
            report_item(w, i);
        free(w->texts[i]);
    }
    w->n_items = 0;
    return status;
}

/* The place among the items so far where the entry is changed, or INDEX_NONE. */
static size_t find_pending(const index_writer *w, size_t entry)
{
    for (size_t i = 0; i < w->n_items; i++)
        if (w->changes[i]->entry == entry)
            return i;
    return INDEX_NONE;
}

/* Adds a change to the call; text is what the item keeps, owned, or NULL. */
static void append(index_writer *w, const index_change *change, int64_t id, char *text, const float *vector)
{
    const size_t i = w->n_items++;
    w->changes[i] = change;
    w->items[i] = change->item;
    w->items[i].id = w->ids[i] = id;
    w->texts[i] = text;
    if (text)
        w->items[i].text = text;
    if (vector)
        memcpy(w->vectors + i * w->width, vector, w->width * sizeof *vector);
}

/* ---- making changes ---- */

/* Finds the item that a change is made from. Another process may have taken it away: the next run will see that. */
static align_status find_item(index_writer *w, const index_change *change, align_item *item, bool *found,
                              align_error *err)
{
    const index_entry *from = &w->catalog->entries[change->from];
    const align_status status = align_index_find(w->index, from->path, from->member, item, found, err);
    if (status == ALIGN_OK && !*found && change->action != INDEX_REMOVE)
        index_report_problem(
            w->report, cli_format("%s: what it is made from was removed meanwhile; run again", change->item.path));
    return status;
}

static align_status copy_item(index_writer *w, const index_change *change, align_error *err)
{
    align_status status = ALIGN_OK;
    align_item item;
    bool found = true;
    float *vector = cli_alloc(w->width, sizeof *vector);
    const size_t pending = find_pending(w, change->from);
    if (pending != INDEX_NONE)
        memcpy(vector, w->vectors + pending * w->width, w->width * sizeof *vector);
    else
        status = find_item(w, change, &item, &found, err);
    if (status == ALIGN_OK && found && pending == INDEX_NONE)
        status = align_index_vector(w->index, item.id, vector, err);
    if (status == ALIGN_OK && found)
        append(w, change, 0, NULL, vector);
    free(vector);
    return status;
}

static align_status rename_item(index_writer *w, const index_change *change, align_error *err)
{
    align_status status = ALIGN_OK;
    align_item old;
    bool found;
    if (find_pending(w, change->from) != INDEX_NONE)
        status = store_items(w, err);
    if (status == ALIGN_OK)
        status = find_item(w, change, &old, &found, err);
    if (status == ALIGN_OK && found)
        append(w, change, old.id, change->text ? NULL : cli_format("%s", old.text), NULL);
    return status;
}

static align_status remove_item(index_writer *w, const index_change *change, align_error *err)
{
    align_item item;
    bool found;
    const align_status status = find_item(w, change, &item, &found, err);
    if (status == ALIGN_OK && found)
        append(w, change, item.id, NULL, NULL);
    return status;
}

static align_status write_change(index_writer *w, const index_change *change, const float *vector, align_error *err)
{
    align_status status = ALIGN_OK;
    const index_action action = change->action == INDEX_COPY ? INDEX_ADD : change->action;
    if (w->action != action)
        status = store_items(w, err);
    w->action = action;
    if (status != ALIGN_OK)
        return status;
    switch (change->action) {
    case INDEX_ADD:
        append(w, change, 0, NULL, vector);
        break;
    case INDEX_COPY:
        status = copy_item(w, change, err);
        break;
    case INDEX_RENAME:
        status = rename_item(w, change, err);
        break;
    case INDEX_REMOVE:
        status = remove_item(w, change, err);
        break;
    }
    return status;
}

static align_status write_group(index_writer *w, const group *g, align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < g->count && status == ALIGN_OK; i++)
        status = write_change(w, &g->changes[i], g->vectors + i * w->width, err);
    return status == ALIGN_OK ? store_items(w, err) : status;
}

/* After a failure: the items of a call that was not made. */
static void drop_items(index_writer *w)
{
    for (size_t i = 0; i < w->n_items; i++)
        free(w->texts[i]);
    w->n_items = 0;
}

static void empty_group(group *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->changes[i].text);
    g->count = 0;
}

/* Makes the changes of the group that is not being filled. */
static bool write_other(index_writer *w)
{
    group *g = &w->groups[1 - w->filling];
    align_error err = ALIGN_ERROR_INIT;
    const align_status status = write_group(w, g, &err);
    if (status != ALIGN_OK)
        cli_fail("%s", err.message);
    drop_items(w);
    empty_group(g);
    return status == ALIGN_OK;
}

static void *run_writer(void *argument)
{
    index_writer *w = argument;
    pthread_mutex_lock(&w->mutex);
    for (;;) {
        while (!w->stop && !w->writing)
            pthread_cond_wait(&w->changed, &w->mutex);
        if (!w->writing)
            break;
        pthread_mutex_unlock(&w->mutex);
        const bool ok = write_other(w);
        pthread_mutex_lock(&w->mutex);
        w->failed = w->failed || !ok;
        w->writing = false;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* ---- handing over ---- */

index_writer *index_writer_open(align_index *index, const index_catalog *catalog, size_t width, index_report *report)
{
    index_writer *w = cli_alloc(1, sizeof *w);
    w->index = index;
    w->catalog = catalog;
    w->report = report;
    w->width = width;
    for (int i = 0; i < 2; i++)
        w->groups[i].vectors = cli_alloc(GROUP_CHANGES, width * sizeof(float));
    w->vectors = cli_alloc(GROUP_CHANGES, width * sizeof(float));
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->has_thread = pthread_create(&w->thread, NULL, run_writer, w) == 0;
    return w;
}

static void wait_written(index_writer *w)
{
    while (w->writing)
        pthread_cond_wait(&w->changed, &w->mutex);
}

/* Lets the writer have the group that was filled; one that has failed before is dropped. */
static void hand_over(index_writer *w)
{
    pthread_mutex_lock(&w->mutex);
    wait_written(w);
    w->filling = 1 - w->filling;
    if (w->failed)
        empty_group(&w->groups[1 - w->filling]);
    else if (w->has_thread)
        w->writing = true;
    else
        w->failed = !write_other(w);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}

static bool is_due(const group *g)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return g->count == GROUP_CHANGES || now.tv_sec - g->since.tv_sec >= GROUP_SECONDS;
}

void index_writer_put(index_writer *w, const index_change *change, const float *vector)
{
    group *g = &w->groups[w->filling];
    if (g->count == 0)
        clock_gettime(CLOCK_MONOTONIC, &g->since);
    if (vector)
        memcpy(g->vectors + g->count * w->width, vector, w->width * sizeof *vector);
    g->changes[g->count] = *change;
    g->changes[g->count].item.text = change->text;
    g->count++;
    if (is_due(g))
        hand_over(w);
}

bool index_writer_failed(index_writer *w)
{
    pthread_mutex_lock(&w->mutex);
    const bool failed = w->failed;
    pthread_mutex_unlock(&w->mutex);
    return failed;
}

bool index_writer_flush(index_writer *w)
{
    hand_over(w);
    pthread_mutex_lock(&w->mutex);
    wait_written(w);
    const bool ok = !w->failed;
    pthread_mutex_unlock(&w->mutex);
    return ok;
}

void index_writer_close(index_writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mutex);
    wait_written(w);
    w->stop = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    if (w->has_thread)
        pthread_join(w->thread, NULL);
    for (int i = 0; i < 2; i++) {
        empty_group(&w->groups[i]);
        free(w->groups[i].vectors);
    }
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w->vectors);
    free(w);
}
