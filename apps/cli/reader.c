/*
 * reader.c: pictures on their way to the model. Decoding a photo often takes longer than running a small model on it,
 * so several threads decode and process ahead of the one that runs the model; pictures are handed out in order all the
 * same.
 *
 * Picture i goes through slot i % n_slots. `taken` pictures have a worker, `released` ones are done with:
 *
 *     0 ... released | in slots, at most n_slots ... taken | nobody's yet ... count
 */
#include "cli.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_WORKERS     8 /* each holds a whole picture while it decodes */
#define SLOTS_PER_WORKER 2

typedef struct slot {
    bool ready;
    align_status status;
    align_error err;
    int64_t shape[4];
    float *pixels;
} slot;

struct cli_reader {
    const align_image_processor_config *config;
    const cli_strings *pictures;
    const cli_decoding *decoding;
    pthread_t workers[MOST_WORKERS];
    size_t n_workers; /* 0: pictures are read when they are asked for */
    pthread_mutex_t mutex;
    pthread_cond_t has_room, has_picture;
    slot *slots;
    size_t n_slots, taken, released;
    bool holds_one, stop;
};

static void read_picture(const cli_reader *reader, size_t i, slot *s)
{
    align_image image = {0};
    s->status = cli_picture_open(&image, reader->pictures->items[i], reader->decoding, reader->config, &s->err);
    if (s->status == ALIGN_OK) {
        int64_t height, width;
        align_image_processor_output_size(reader->config, image.height, image.width, &height, &width);
        s->shape[0] = 1;
        s->shape[1] = image.channels;
        s->shape[2] = height;
        s->shape[3] = width;
        s->pixels = cli_alloc((size_t)(image.channels * height * width), sizeof *s->pixels);
        s->status = align_image_processor_run(reader->config, &image, s->pixels, &s->err);
    }
    align_image_done(&image);
}

static void *work(void *argument)
{
    cli_reader *reader = argument;
    pthread_mutex_lock(&reader->mutex);
    while (!reader->stop && reader->taken < reader->pictures->count) {
        if (reader->taken >= reader->released + reader->n_slots) {
            pthread_cond_wait(&reader->has_room, &reader->mutex);
            continue;
        }
        size_t i = reader->taken++;
        slot *s = &reader->slots[i % reader->n_slots];
        pthread_mutex_unlock(&reader->mutex);
        read_picture(reader, i, s);
        pthread_mutex_lock(&reader->mutex);
        s->ready = true;
        pthread_cond_signal(&reader->has_picture);
    }
    pthread_mutex_unlock(&reader->mutex);
    return NULL;
}

static size_t count_workers(const cli_common *common, size_t pictures)
{
    long cores = common->threads > 0 ? (long)common->threads : sysconf(_SC_NPROCESSORS_ONLN);
    size_t workers = cores < 1 ? 1 : cores > MOST_WORKERS ? MOST_WORKERS : (size_t)cores;
    workers = workers < pictures ? workers : pictures;
    return workers > 1 ? workers : 0;
}

cli_reader *cli_reader_open(const cli_session *session, const cli_common *common, const cli_strings *pictures,
                            const cli_decoding *decoding)
{
    cli_reader *reader = cli_alloc(1, sizeof *reader);
    size_t wanted = count_workers(common, pictures->count);
    reader->config = align_processor_image_processor(session->processor);
    reader->pictures = pictures;
    reader->decoding = decoding;
    reader->n_slots = wanted ? SLOTS_PER_WORKER * wanted : 1;
    reader->slots = cli_alloc(reader->n_slots, sizeof *reader->slots);
    pthread_mutex_init(&reader->mutex, NULL);
    pthread_cond_init(&reader->has_room, NULL);
    pthread_cond_init(&reader->has_picture, NULL);
    while (reader->n_workers < wanted && pthread_create(&reader->workers[reader->n_workers], NULL, work, reader) == 0)
        reader->n_workers++; /* fewer threads than wanted are slower, not wrong */
    return reader;
}

/* The picture that was handed out is done with. */
static void release(cli_reader *reader)
{
    slot *s = &reader->slots[reader->released % reader->n_slots];
    free(s->pixels);
    *s = (slot){0};
    reader->released++;
    reader->holds_one = false;
    pthread_cond_broadcast(&reader->has_room);
}

align_status cli_reader_next(cli_reader *reader, align_tensor *pixel_values, align_error *err)
{
    pthread_mutex_lock(&reader->mutex);
    if (reader->holds_one)
        release(reader);
    size_t i = reader->released;
    slot *s = &reader->slots[i % reader->n_slots];
    if (reader->n_workers == 0)
        read_picture(reader, i, s);
    while (reader->n_workers > 0 && !s->ready)
        pthread_cond_wait(&reader->has_picture, &reader->mutex);
    reader->holds_one = true;
    pthread_mutex_unlock(&reader->mutex);
    if (s->status == ALIGN_OK)
        *pixel_values = align_tensor_view(ALIGN_F32, 4, s->shape, s->pixels);
    else
        *err = s->err;
    return s->status;
}

void cli_reader_close(cli_reader *reader)
{
    pthread_mutex_lock(&reader->mutex);
    reader->stop = true;
    pthread_cond_broadcast(&reader->has_room);
    pthread_mutex_unlock(&reader->mutex);
    for (size_t i = 0; i < reader->n_workers; i++)
        pthread_join(reader->workers[i], NULL);
    for (size_t i = 0; i < reader->n_slots; i++)
        free(reader->slots[i].pixels);
    pthread_cond_destroy(&reader->has_picture);
    pthread_cond_destroy(&reader->has_room);
    pthread_mutex_destroy(&reader->mutex);
    free(reader->slots);
    free(reader);
}
