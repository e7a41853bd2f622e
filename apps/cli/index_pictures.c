/*
 * index_pictures.c: pictures to vectors. Workers read files, tell by their bytes whether they are known, and decode
 * those that are not; the tower takes them in batches meanwhile; the writer stores what came of the batch before.
 *
 *     source -> read, hash | in turn: known? | decode, resize -> batch -> tower -> writer
 *
 * Whether a content is known is asked in the order of the sources, so that of two new files of one content it is always
 * the first that the tower sees. Changes are made in that order, too.
 */
#include "index.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_WORKERS 64
#define LEAST_BATCH  8
#define MOST_BATCH   64
#define MOST_WAITING 256 /* changes behind a batch that is not full */

/* A picture on its way. */
typedef struct picture {
    const index_source *source;
    size_t number; /* its turn */
    align_status status;
    align_error err;
    int64_t size, modified; /* as they were when it was read */
    uint8_t hash[ALIGN_HASH_SIZE];
    size_t same; /* the entry of the same content, or INDEX_NONE */
    align_image_info info;
    cli_pixels pixels; /* where same is INDEX_NONE */
} picture;

/* A change whose vector the tower will find, or that has to wait for those before it. */
typedef struct waiting {
    index_change change;
    size_t row; /* of the batch, or INDEX_NONE */
} waiting;

typedef struct pipeline {
    index_run *run;
    const align_image_processor_config *config;
    cli_ahead *ahead;
    pthread_mutex_t mutex;
    pthread_cond_t decided;
    size_t turn; /* the picture whose content is asked for next */
    cli_batch batch;
    waiting *waiting; /* [MOST_WAITING] */
    size_t n_waiting;
} pipeline;

static const index_entry *entry_of(const pipeline *p, size_t number)
{
    return &p->run->catalog.entries[number];
}

static char *name_of(const index_entry *entry)
{
    return cli_item_name(entry->path, entry->member);
}

/* ---- in a worker ---- */

static void wait_for_turn(pipeline *pipe, size_t number)
{
    pthread_mutex_lock(&pipe->mutex);
    while (pipe->turn != number)
        pthread_cond_wait(&pipe->decided, &pipe->mutex);
    pthread_mutex_unlock(&pipe->mutex);
}

static void end_turn(pipeline *pipe)
{
    pthread_mutex_lock(&pipe->mutex);
    pipe->turn++;
    pthread_cond_broadcast(&pipe->decided);
    pthread_mutex_unlock(&pipe->mutex);
}

/* A picture that is not one is left alone before its content counts as known. */
static void read_picture(pipeline *pipe, picture *p, bool in_turn)
{
    const index_entry *entry = entry_of(pipe, p->source->entry);
    char *name = name_of(entry);
    cli_part part;
    p->status = cli_picture_read(&part, entry->path, p->source->offset, p->source->size, name, &p->err);
    p->size = part.size;
    p->modified = part.modified;
    if (p->status == ALIGN_OK) {
        align_content_hash(part.bytes, (size_t)part.size, p->hash);
        p->status = align_image_get_info(&p->info, part.bytes, (size_t)part.size, name, &p->err);
    }
    if (in_turn)
        wait_for_turn(pipe, p->number);
    if (p->status == ALIGN_OK)
        p->same = index_catalog_claim(&pipe->run->catalog, p->source->entry, p->hash);
    if (in_turn)
        end_turn(pipe);
    if (p->status == ALIGN_OK && p->same == INDEX_NONE)
        p->status = cli_pixels_decode(&p->pixels, &part, name, &pipe->run->decoding, pipe->config, &p->err);
    free(part.bytes);
    free(name);
}

static void work(void *context, void *piece)
{
    read_picture(context, piece, true);
}

/* ---- the batch ---- */

static void put_waiting(pipeline *p, const float *vectors, size_t width)
{
    for (size_t i = 0; i < p->n_waiting; i++) {
        const waiting *w = &p->waiting[i];
        const float *vector = w->row == INDEX_NONE ? NULL : vectors + w->row * width;
        double square = 0;
        for (size_t k = 0; vector && k < width; k++)
            square += (double)vector[k] * (double)vector[k];
        if (vector && !(isfinite(square) && square > 0)) {
            char *name = name_of(entry_of(p, w->change.entry));
            index_report_problem(&p->run->report, cli_format("%s: the model has no vector for it", name));
            index_catalog_disclaim(&p->run->catalog, w->change.entry);
            free(w->change.text);
            free(name);
            continue;
        }
        index_writer_put(p->run->writer, &w->change, vector);
    }
    p->n_waiting = 0;
}

/* Runs the tower over what there is, and lets the writer have it. */
static bool run_batch(pipeline *p)
{
    const float *vectors;
    if (!cli_batch_run(&p->batch, &p->run->session, &vectors))
        return false;
    put_waiting(p, vectors, (size_t)p->run->session.width);
    return !index_writer_failed(p->run->writer);
}

static bool add_row(pipeline *p, const picture *pic)
{
    if (!cli_batch_has_room(&p->batch, &pic->pixels) && !run_batch(p))
        return false;
    cli_batch_add(&p->batch, &pic->pixels);
    return true;
}

/* ---- in order ---- */

/* Seconds since 1970. A camera's clock whose zone nobody has written down shows the time of this place. */
static int64_t time_taken(const picture *pic)
{
    const align_image_info *info = &pic->info;
    if (info->taken == INT64_MIN)
        return pic->source->offset < 0 ? pic->modified / 1000000000 : INT64_MIN;
    if (info->zone_known)
        return info->taken - info->zone_east;
    struct tm clock;
    const time_t taken = (time_t)info->taken;
    if (!gmtime_r(&taken, &clock))
        return INT64_MIN;
    clock.tm_isdst = -1;
    return (int64_t)mktime(&clock);
}

static index_change change_of(const pipeline *p, const picture *pic)
{
    const index_entry *entry = entry_of(p, pic->source->entry);
    index_change change = {
        .entry = pic->source->entry,
        .from = pic->source->entry,
        .text = pic->source->text ? cli_format("%s", pic->source->text) : NULL,
        .was_there = entry->stored,
        .item = {.kind = ALIGN_ITEM_IMAGE,
                 .path = entry->path,
                 .member = entry->member,
                 .size = pic->size,
                 .modified = pic->modified,
                 .taken = time_taken(pic),
                 .width = pic->info.width,
                 .height = pic->info.height},
    };
    memcpy(change.item.hash, pic->hash, ALIGN_HASH_SIZE);
    return change;
}

/* The content is another entry's: moved here if its file is gone, else copied. */
static void set_action(pipeline *p, index_change *change, size_t same)
{
    index_entry *entries = p->run->catalog.entries;
    while (entries[same].heir != INDEX_NONE)
        same = entries[same].heir;
    change->from = same;
    change->action = INDEX_COPY;
    if (same == change->entry) {
        change->action = INDEX_RENAME;
    } else if (index_is_gone(entries[same].path)) {
        change->action = INDEX_RENAME;
        index_catalog_bequeath(&p->run->catalog, same, change->entry);
    }
}

static bool add_change(pipeline *p, const picture *pic)
{
    index_change change = change_of(p, pic);
    index_entry *entry = &p->run->catalog.entries[change.entry];
    size_t row = INDEX_NONE;
    if (pic->same != INDEX_NONE) {
        set_action(p, &change, pic->same);
    } else if (add_row(p, pic)) {
        row = p->batch.rows - 1;
    } else {
        free(change.text);
        return false;
    }
    entry->stored = true;
    entry->heir = INDEX_NONE;
    entry->size = pic->size;
    entry->modified = pic->modified;
    p->waiting[p->n_waiting++] = (waiting){change, row};
    return p->batch.rows < p->batch.most && p->n_waiting < MOST_WAITING ? true : run_batch(p);
}

static void release(picture *pic)
{
    free(pic->pixels.values);
    free(pic);
}

/* What came of a picture. False: it is no use going on. */
static bool accept(pipeline *p, picture *pic)
{
    /* The one of the same content came to nothing: then this one is tried, for a message that names it. */
    if (pic->status == ALIGN_OK && pic->same != INDEX_NONE && !entry_of(p, pic->same)->stored &&
        entry_of(p, pic->same)->heir == INDEX_NONE) {
        index_catalog_disclaim(&p->run->catalog, pic->source->entry);
        read_picture(p, pic, false);
    }
    cli_progress_step(&p->run->report.progress);
    if (pic->status == ALIGN_OK)
        return add_change(p, pic);
    index_catalog_disclaim(&p->run->catalog, pic->source->entry);
    index_report_problem(&p->run->report, cli_format("%s", pic->err.message));
    return true;
}

static bool run_pipeline(pipeline *p, const index_scan *scan)
{
    bool ok = true;
    for (size_t given = 0; ok && !cli_interrupted();) {
        for (; given < scan->count && cli_ahead_has_room(p->ahead); given++) {
            picture *pic = cli_alloc(1, sizeof *pic);
            pic->source = &scan->sources[given];
            pic->number = given;
            pic->same = INDEX_NONE;
            cli_ahead_give(p->ahead, pic);
        }
        picture *pic = cli_ahead_take(p->ahead);
        if (!pic)
            break;
        ok = accept(p, pic);
        release(pic);
    }
    cli_ahead_stop(p->ahead);
    for (picture *pic; (pic = cli_ahead_take(p->ahead)) != NULL;)
        release(pic);
    return ok && run_batch(p);
}

static size_t clamp(size_t value, size_t least, size_t most)
{
    return value < least ? least : value > most ? most : value;
}

bool index_pictures(index_run *run, const index_scan *scan)
{
    const size_t cores = cli_count_cores(&run->common);
    pipeline p = {.run = run, .config = align_processor_image_processor(run->session.processor)};
    if (scan->count == 0)
        return true;
    p.batch.most = clamp(4 * cores, LEAST_BATCH, MOST_BATCH); /* pictures go through the tower in groups of four */
    const size_t workers = clamp(cores, 1, MOST_WORKERS);
    p.waiting = cli_alloc(MOST_WAITING, sizeof *p.waiting);
    pthread_mutex_init(&p.mutex, NULL);
    pthread_cond_init(&p.decided, NULL);
    p.ahead = cli_ahead_open(work, &p, workers, 2 * p.batch.most + workers);
    cli_progress_start(&run->report.progress, run->common.quiet, run->common.json, "pictures", scan->count);
    const bool ok = run_pipeline(&p, scan);
    cli_progress_end(&run->report.progress);
    cli_ahead_close(p.ahead);
    for (size_t i = 0; i < p.n_waiting; i++)
        free(p.waiting[i].change.text);
    pthread_cond_destroy(&p.decided);
    pthread_mutex_destroy(&p.mutex);
    free(p.waiting);
    cli_batch_done(&p.batch);
    return index_writer_flush(run->writer) && ok;
}
