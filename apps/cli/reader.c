/*
 * reader.c: pictures on their way to the model. Decoding a photo often takes longer than running a small model on it,
 * so several threads decode and process ahead of the one that runs the model; pictures are handed out in order all the
 * same.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "cli.h"
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_WORKERS     8 /* each holds a whole picture while it decodes */
#define SLOTS_PER_WORKER 2

typedef struct picture {
    const char *path;
    align_status status;
    align_error err;
    cli_pixels pixels;
} picture;

struct cli_reader {
    const align_image_processor_config *config;
    const cli_strings *paths;
    const cli_decoding *decoding;
    cli_ahead *ahead;
    size_t given;     /* how many paths are on their way or were read */
    picture *current; /* that was handed out */
};

align_status cli_pixels_process(cli_pixels *out, const align_image *image, const align_image_processor_config *config,
                                align_error *err)
{
    int64_t height, width;
    align_image_processor_output_size(config, image->height, image->width, &height, &width);
    *out = (cli_pixels){{1, image->channels, height, width}, NULL};
    out->values = cli_alloc((size_t)(image->channels * height * width), sizeof *out->values);
    return align_image_processor_run(config, image, out->values, err);
}

static void read_picture(void *context, void *piece)
{
    const cli_reader *reader = context;
    picture *p = piece;
    align_image image = {0};
    p->status = cli_picture_open(&image, p->path, reader->decoding, reader->config, &p->err);
    if (p->status == ALIGN_OK)
        p->status = cli_pixels_process(&p->pixels, &image, reader->config, &p->err);
    align_image_done(&image);
}

size_t cli_count_cores(const cli_common *common)
{
    cpu_set_t set;
    if (common->threads > 0)
        return (size_t)common->threads;
    const long cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : (size_t)cores;
}

static size_t count_workers(const cli_common *common, size_t pictures)
{
    size_t workers = cli_count_cores(common);
    workers = workers < MOST_WORKERS ? workers : MOST_WORKERS;
    workers = workers < pictures ? workers : pictures;
    return workers > 1 ? workers : 0;
}

cli_reader *cli_reader_open(const cli_session *session, const cli_common *common, const cli_strings *pictures,
                            const cli_decoding *decoding)
{
    cli_reader *reader = cli_alloc(1, sizeof *reader);
    size_t workers = count_workers(common, pictures->count);
    reader->config = align_processor_image_processor(session->processor);
    reader->paths = pictures;
    reader->decoding = decoding;
    reader->ahead = cli_ahead_open(read_picture, reader, workers, workers ? SLOTS_PER_WORKER * workers : 1);
    return reader;
}

static void release(picture *p)
{
    if (p)
        free(p->pixels.values);
    free(p);
}

align_status cli_reader_next(cli_reader *reader, align_tensor *pixel_values, align_error *err)
{
    release(reader->current);
    for (; reader->given < reader->paths->count && cli_ahead_has_room(reader->ahead); reader->given++) {
        picture *p = cli_alloc(1, sizeof *p);
        p->path = reader->paths->items[reader->given];
        cli_ahead_give(reader->ahead, p);
    }
    picture *p = reader->current = cli_ahead_take(reader->ahead);
    if (p->status == ALIGN_OK)
        *pixel_values = align_tensor_view(ALIGN_F32, 4, p->pixels.shape, p->pixels.values);
    else
        *err = p->err;
    return p->status;
}

void cli_reader_close(cli_reader *reader)
{
    release(reader->current);
    cli_ahead_stop(reader->ahead);
    for (picture *p; (p = cli_ahead_take(reader->ahead)) != NULL;)
        release(p);
    cli_ahead_close(reader->ahead);
    free(reader);
}
