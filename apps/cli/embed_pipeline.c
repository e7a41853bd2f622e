/*
 * embed_pipeline.c: pictures of shards to vectors. Workers read and decode ahead, from one shard into the next; the
 * tower takes batches meanwhile.
 *
 *     shard -> picture -> read, decode, resize | in order: batch -> tower -> rows of the shard
 *
 * A batch is of one shard, and batches are of one size on every machine: what comes of a shard is the same then, to the
 * bit, whoever works on it and on whatever before.
 */
#include "embed.h"
#include <math.h>
#include <stdlib.h>

#define BATCH        32 /* groups of four for eight threads */
#define MOST_WORKERS 64

/* Messages of a shard that are kept; more are counted. */
#define MOST_MESSAGES 1000

typedef struct picture {
    embed_work *work;
    size_t number;
    align_status status;
    align_error err;
    int64_t modified; /* of the shard, when it was read */
    align_image_info info;
    cli_pixels pixels;
} picture;

typedef struct pipeline {
    cli_session *session;
    const embed_options *options;
    const align_image_processor_config *config;
    embed_next *next;
    embed_finish *finish;
    void *context;
    cli_ahead *ahead;
    embed_work *first, *last; /* that are not done, in order; pictures of the last are given */
    size_t ahead_of_tower;    /* pictures that were given and not taken */
    bool none_left;
    cli_batch batch; /* of the first */
    embed_picture pictures[BATCH];
} pipeline;

/* ---- in a worker ---- */

static void read_picture(void *context, void *piece)
{
    const pipeline *pipe = context;
    picture *p = piece;
    align_data_place place;
    cli_part part;
    align_dataset_place(p->work->tar, p->number, &place);
    const char *name = align_dataset_picture(p->work->tar, p->number);
    p->status = cli_picture_read(&part, place.file, (int64_t)place.offset, (int64_t)place.size, name, &p->err);
    p->modified = part.modified;
    if (p->status == ALIGN_OK)
        p->status = align_image_get_info(&p->info, part.bytes, (size_t)part.size, name, &p->err);
    if (p->status == ALIGN_OK)
        p->status = cli_pixels_decode(&p->pixels, &part, name, &pipe->options->decoding, pipe->config, &p->err);
    free(part.bytes);
}

static void release(picture *p)
{
    free(p->pixels.values);
    free(p);
}

/* ---- ahead ---- */

/* The shard whose pictures are given next; false: there is none. The next shard is claimed when its pictures are needed
 * to keep the workers busy, and no sooner: others may be without one. */
static bool find_work(pipeline *p)
{
    while (!p->none_left && (!p->last || p->last->given == p->last->count)) {
        if (p->ahead_of_tower >= BATCH)
            return false;
        embed_work *work = cli_interrupted() ? NULL : p->next(p->context);
        p->none_left = !work;
        if (work && p->first)
            p->last->next = work;
        else if (work)
            p->first = work;
        p->last = work ? work : p->last;
    }
    return !p->none_left;
}

static void give_ahead(pipeline *p)
{
    while (cli_ahead_has_room(p->ahead) && find_work(p)) {
        picture *pic = cli_alloc(1, sizeof *pic);
        pic->work = p->last;
        pic->number = p->last->given++;
        cli_ahead_give(p->ahead, pic);
        p->ahead_of_tower++;
    }
}

/* ---- in order ---- */

static void note_unreadable(embed_work *work, const char *message)
{
    if (work->n_unreadable++ < MOST_MESSAGES)
        json_array_append_new(work->unreadable, cli_json_text(message));
}

/* Whether a vector has a length, and another than zero. */
static bool has_length(const float *vector, size_t width)
{
    double square = 0;
    for (size_t i = 0; i < width; i++)
        square += (double)vector[i] * (double)vector[i];
    return isfinite(square) && square > 0;
}

/* Runs the tower over the batch, which is of the first shard. */
static bool run_batch(pipeline *p)
{
    embed_work *work = p->first;
    embed_result *r = &work->result;
    const size_t rows = p->batch.rows;
    const float *vectors;
    if (!cli_batch_run(&p->batch, p->session, &vectors))
        return false;
    for (size_t i = 0; i < rows; i++) {
        const float *vector = vectors + i * r->width;
        float *row = r->vectors + r->rows * r->width;
        if (!has_length(vector, r->width)) {
            char *message = cli_format("%s: the model has no vector for it",
                                       align_dataset_picture(work->tar, p->pictures[i].number));
            note_unreadable(work, message);
            free(message);
            continue;
        }
        for (size_t k = 0; k < r->width; k++)
            row[k] = vector[k];
        align_normalize(row, 1, r->width);
        r->pictures[r->rows++] = p->pictures[i];
    }
    return true;
}

/* A read that fails says nothing about the picture: the shard is left to be done again. */
static bool can_go_on(embed_work *work, const picture *pic)
{
    if (!work->failure && pic->status == ALIGN_ERROR_IO)
        work->failure = cli_format("%s", pic->err.message);
    else if (!work->failure && pic->status == ALIGN_OK && pic->modified != work->shard->modified)
        work->failure = cli_format("%s: changed while it was read", work->shard->path);
    return !work->failure;
}

static bool accept(pipeline *p, const picture *pic)
{
    embed_work *work = pic->work;
    work->taken++;
    if (!can_go_on(work, pic))
        return true;
    if (pic->status != ALIGN_OK) {
        note_unreadable(work, pic->err.message);
        return true;
    }
    if (!cli_batch_has_room(&p->batch, &pic->pixels) && !run_batch(p))
        return false;
    p->pictures[p->batch.rows] = (embed_picture){pic->number, pic->info.width, pic->info.height};
    cli_batch_add(&p->batch, &pic->pixels);
    return true;
}

/* Gives back the shards all of whose pictures were taken. */
static bool finish_works(pipeline *p)
{
    while (p->first && p->first->taken == p->first->count) {
        if (!run_batch(p))
            return false;
        embed_work *work = p->first;
        p->first = work->next;
        p->last = p->first ? p->last : NULL;
        if (!p->finish(p->context, work))
            return false;
    }
    return true;
}

static bool run(pipeline *p)
{
    while (!cli_interrupted()) {
        give_ahead(p);
        if (!finish_works(p))
            return false;
        picture *pic = cli_ahead_take(p->ahead);
        if (!pic && !p->first && p->none_left)
            return true;
        if (pic) {
            p->ahead_of_tower--;
            const bool ok = accept(p, pic);
            release(pic);
            if (!ok)
                return false;
        }
    }
    return true;
}

/* What is left when it ends early is given back as it is. */
static void drop_works(pipeline *p)
{
    cli_ahead_stop(p->ahead);
    for (picture *pic; (pic = cli_ahead_take(p->ahead)) != NULL;)
        release(pic);
    while (p->first) {
        embed_work *work = p->first;
        p->first = work->next;
        work->abandoned = true;
        p->finish(p->context, work);
    }
}

bool embed_pipeline(cli_session *session, const embed_options *options, embed_next *next, embed_finish *finish,
                    void *context)
{
    const size_t cores = cli_count_cores(&options->common), workers = cores < MOST_WORKERS ? cores : MOST_WORKERS;
    pipeline p = {
        .session = session,
        .options = options,
        .config = align_processor_image_processor(session->processor),
        .next = next,
        .finish = finish,
        .context = context,
        .batch = {.most = BATCH},
    };
    p.ahead = cli_ahead_open(read_picture, &p, workers, 2 * BATCH + workers);
    const bool ok = run(&p);
    drop_works(&p);
    cli_ahead_close(p.ahead);
    cli_batch_done(&p.batch);
    return ok;
}
