/*
 * loader.c: batches that threads prepare ahead, row by row.
 *
 * Step s is prepared in slot s % n_slots. Threads take rows in order, and a batch is handed out when all its rows are
 * done:
 *
 *     ... used step | at most n_slots steps in all: ready, in work | next_step, next_row: nobody's yet ...
 *
 * Whoever waits for a batch of which rows are left takes them too, and all of them where there are no threads.
 */
#include "train/loader.h"

#include "base/memory.h"
#include "base/status.h"
#include "train/augment.h"
#include "train/cache.h"
#include "train/dataset.h"
#include "train/sampler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define MOST_THREADS 256
#define MOST_AHEAD   64
#define AHEAD_BYTES  ((size_t)256 << 20) /* of batches prepared ahead, where options leave it open */
#define AHEAD_USUAL  4

typedef struct slot {
    al_sampler_step step;
    size_t done;    /* rows */
    size_t bad_row; /* the first that failed, with status and err */
    align_status status;
    align_error err;
    float *pixels;
    int64_t *ids, *mask;
    size_t *pairs, *texts;
} slot;

struct al_loader {
    const align_dataset *dataset;
    const align_tokenizer *tokenizer;
    const align_image_processor_config *config;
    al_loader_options options;
    al_sampler sampler;
    al_cache *cache;
    int64_t height, width;
    size_t row_floats;    /* of a picture */
    atomic_uchar *broken; /* [pairs]: pictures that could not be read */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t has_room, has_rows;
    pthread_t threads[MOST_THREADS];
    size_t n_threads;
    slot *slots;
    size_t n_slots, slot_bytes;
    uint64_t oldest; /* the step handed out, or the next to be */
    bool holds_one;
    uint64_t next_step;
    size_t next_row;
    size_t working; /* rows that threads are at */
    bool stop, paused;
    al_skips skips;
};

/* ---- a row ---- */

/* Notes that a picture cannot be read, the first time. */
static align_status give_up(al_loader *l, size_t pair, const align_error *why, align_error *err)
{
    if (atomic_exchange(&l->broken[pair], 1))
        return ALIGN_OK;
    const char *name = align_dataset_picture(l->dataset, pair), *reason = why->message;
    const size_t n = strlen(name);
    if (strncmp(reason, name, n) == 0 && strncmp(reason + n, ": ", 2) == 0)
        reason += n + 2; /* the list has the name beside it */
    pthread_mutex_lock(&l->mutex);
    const align_status status = al_skips_add(&l->skips, name, reason, err);
    pthread_mutex_unlock(&l->mutex);
    return status;
}

/* The picture as it is kept in memory: whole for crops, else in the processor's size. */
static align_status decode(const al_loader *l, size_t pair, align_image *image, align_error *err)
{
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    if (!l->options.augmentation.crop) {
        options.resize_for = l->config;
        options.fast_decode = l->options.fast_decode;
    }
    return align_dataset_image(l->dataset, pair, &options, image, err);
}

static align_status copy_image(align_image *out, const align_image *image, align_error *err)
{
    const size_t bytes = (size_t)(image->height * image->width * image->channels);
    uint8_t *pixels = al_alloc(bytes);
    if (!pixels)
        return al_error_no_memory(err, bytes);
    memcpy(pixels, image->pixels, bytes);
    *out = (align_image){image->height, image->width, image->channels, pixels};
    return ALIGN_OK;
}

/* The variant of a picture that its key stands for. */
static align_status vary(const al_loader *l, const align_image *from, uint64_t key, align_image *out, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_augmentation *a = &l->options.augmentation;
    if (a->crop) {
        const al_crop crop = al_crop_draw(a, key, from->height, from->width);
        TRY(al_crop_resize(out, from, &crop, l->config, err));
    } else {
        TRY(copy_image(out, from, err));
    }
    const al_jitter jitter = al_jitter_draw(a, key);
    al_jitter_apply(&jitter, out);
    if (al_flip_draw(a, key))
        al_flip_apply(out);
done:
    return status;
}

static bool is_varied(const align_augmentation *a)
{
    return a->crop || a->flip > 0 || a->brightness > 0 || a->contrast > 0 || a->saturation > 0 || a->hue > 0;
}

static align_status check_size(const al_loader *l, const align_image *image, align_error *err)
{
    int64_t height, width;
    align_image_processor_output_size(l->config, image->height, image->width, &height, &width);
    if (height == l->height && width == l->width)
        return ALIGN_OK;
    return al_error_set(err, ALIGN_ERROR_MISMATCH,
                        "comes out as %" PRId64 " x %" PRId64 ", expected %" PRId64 " x %" PRId64, height, width,
                        l->height, l->width);
}

/* pixel_values of a pair's picture. */
static align_status read_picture(al_loader *l, const al_sample_item *item, float *pixels, align_error *err)
{
    align_status status = ALIGN_OK;
    align_image decoded = {0, 0, 0, NULL}, varied = {0, 0, 0, NULL};
    const align_image *image = al_cache_get(l->cache, item->pair);
    if (!image) {
        TRY(decode(l, item->pair, &decoded, err));
        image = &decoded;
    }
    if (is_varied(&l->options.augmentation)) {
        TRY(vary(l, image, item->key, &varied, err));
        image = &varied;
    }
    TRY(check_size(l, image, err));
    TRY(align_image_processor_run(l->config, image, pixels, err));
    if (decoded.pixels)
        al_cache_put(l->cache, item->pair, &decoded);
done:
    align_image_done(&decoded);
    align_image_done(&varied);
    return status;
}

static align_status read_text(const al_loader *l, const al_sample_item *item, int64_t *ids, int64_t *mask,
                              align_error *err)
{
    align_status status = ALIGN_OK;
    align_encoding encoding = {0};
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    options.truncation = ALIGN_TRUNCATE_LONGEST_FIRST;
    options.max_length = l->options.max_length;
    const char *text = align_dataset_text(l->dataset, item->pair, item->text);
    TRY(align_tokenizer_encode(l->tokenizer, &text, NULL, 1, &options, &encoding, err));
    memcpy(ids, encoding.input_ids, (size_t)l->options.max_length * sizeof *ids);
    memcpy(mask, encoding.attention_mask, (size_t)l->options.max_length * sizeof *mask);
done:
    align_encoding_done(&encoding);
    if (status != ALIGN_OK)
        al_error_prefix(err, "%s", align_dataset_picture(l->dataset, item->pair));
    return status;
}

/* Row `row` of this rank's: the item that stands there, or the first after it whose picture can be read. */
static align_status prepare_row(al_loader *l, slot *s, size_t row, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t length = (size_t)l->options.max_length;
    for (size_t attempt = 0; attempt <= l->sampler.items; attempt++) {
        const al_sample_item item = al_sampler_item(&l->sampler, &s->step, s->step.first + row, attempt);
        align_error reason = ALIGN_ERROR_INIT;
        if (atomic_load(&l->broken[item.pair]))
            continue;
        status = read_picture(l, &item, s->pixels + row * l->row_floats, &reason);
        if (status == ALIGN_OK) {
            s->pairs[row] = item.pair;
            s->texts[row] = item.text;
            return read_text(l, &item, s->ids + row * length, s->mask + row * length, err);
        }
        if (status == ALIGN_ERROR_OUT_OF_MEMORY)
            return al_error_set(err, status, "%s", reason.message);
        TRY(give_up(l, item.pair, &reason, err));
    }
    pthread_mutex_lock(&l->mutex);
    const char *where = "", *why = "";
    (void)al_skips_get(&l->skips, 0, &where, &why);
    status = al_error_set(err, ALIGN_ERROR_FORMAT, "none of %zu pictures can be read; the first: %s: %s",
                          align_dataset_count(l->dataset), where, why);
    pthread_mutex_unlock(&l->mutex);
done:
    return status;
}

/* ---- rows in turn; the mutex is held between, not during them ---- */

static slot *slot_of(al_loader *l, uint64_t step)
{
    return &l->slots[step % l->n_slots];
}

static bool has_work(const al_loader *l)
{
    return !l->paused && l->next_step < l->oldest + l->n_slots;
}

static bool is_ready(al_loader *l, uint64_t step)
{
    const slot *s = slot_of(l, step);
    return l->next_step > step && s->done == s->step.count;
}

/* Takes the next row and prepares it. */
static void do_row(al_loader *l)
{
    slot *s = slot_of(l, l->next_step);
    const size_t row = l->next_row++;
    align_error err = ALIGN_ERROR_INIT;
    if (row == 0) {
        s->step = al_sampler_step_at(&l->sampler, l->next_step);
        s->status = ALIGN_OK;
        s->done = 0;
    }
    if (l->next_row >= s->step.count) {
        l->next_step++;
        l->next_row = 0;
    }
    if (row < s->step.count) { /* a rank may have none */
        l->working++;
        pthread_mutex_unlock(&l->mutex);
        const align_status status = prepare_row(l, s, row, &err);
        pthread_mutex_lock(&l->mutex);
        l->working--;
        s->done++;
        if (status != ALIGN_OK && (s->status == ALIGN_OK || row < s->bad_row)) {
            s->status = status;
            s->err = err;
            s->bad_row = row;
        }
    }
    if (s->done == s->step.count || l->paused)
        pthread_cond_broadcast(&l->has_rows);
}

static void *work(void *argument)
{
    al_loader *l = argument;
    pthread_mutex_lock(&l->mutex);
    while (!l->stop) {
        if (has_work(l))
            do_row(l);
        else
            pthread_cond_wait(&l->has_room, &l->mutex);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* ---- making one ---- */

static align_status check_options(const al_loader_options *o, align_error *err)
{
    align_status status = ALIGN_OK;
    if (o->threads < 0 || o->threads > MOST_THREADS)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "loader threads: %d is not in 0..%d", o->threads, MOST_THREADS);
    if (o->ahead > MOST_AHEAD)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "batches ahead: %zu is not in 0..%d", o->ahead, MOST_AHEAD);
    TRY(al_augmentation_check(&o->augmentation, err));
done:
    return status;
}

/* Learns the size that all pictures come out with. */
static align_status find_size(al_loader *l, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_image_processor_config *c = l->config;
    size_t floats = 3;
    if (!c->do_resize && l->options.augmentation.crop)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "random crops need a processor that resizes: do_resize is false");
    if (!c->do_resize && !c->do_center_crop)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "the processor gives pictures no common size: do_resize and do_center_crop are false");
    align_image_processor_output_size(c, c->crop_height, c->crop_width, &l->height, &l->width);
    if (l->height < 1 || l->width < 1 || !al_mul(floats, (size_t)l->height, &floats) ||
        !al_mul(floats, (size_t)l->width, &floats))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "the processor makes pictures of %" PRId64 " x %" PRId64, l->height,
             l->width);
    l->row_floats = floats;
done:
    return status;
}

/* One text on trial: a tokenizer that cannot pad, or a max_length that is too short, fails here. */
static align_status try_tokenizer(const al_loader *l, align_error *err)
{
    align_status status = ALIGN_OK;
    align_encoding encoding = {0};
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    options.truncation = ALIGN_TRUNCATE_LONGEST_FIRST;
    options.max_length = l->options.max_length;
    const char *text = "a";
    if (options.max_length < 1 || options.max_length > INT32_MAX)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "max_length: expected at least 1 token, found %" PRId64,
             options.max_length);
    TRY(align_tokenizer_encode(l->tokenizer, &text, NULL, 1, &options, &encoding, err));
    if (encoding.length != options.max_length)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "max_length: %" PRId64 " tokens are too few for the special ones",
             options.max_length);
done:
    align_encoding_done(&encoding);
    return status;
}

static align_status make_slots(al_loader *l, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t rows = l->options.batch / (size_t)l->options.ranks + 1, length = (size_t)l->options.max_length;
    size_t pixels, tokens;
    if (!al_mul(rows, l->row_floats * sizeof(float), &pixels) || !al_mul(rows, length * sizeof(int64_t), &tokens))
        return al_error_no_memory(err, SIZE_MAX);
    const size_t usual = AHEAD_BYTES / pixels;
    const size_t ahead = l->options.ahead      ? l->options.ahead
                         : usual < 1           ? 1
                         : usual > AHEAD_USUAL ? AHEAD_USUAL
                                               : usual;
    l->slots = al_calloc(ahead + 1, sizeof *l->slots);
    if (!l->slots)
        return al_error_no_memory(err, ahead * sizeof *l->slots);
    l->slot_bytes = pixels + 2 * tokens;
    for (; l->n_slots <= ahead; l->n_slots++) {
        slot *s = &l->slots[l->n_slots];
        s->pixels = al_alloc_aligned(pixels);
        s->ids = al_alloc_aligned(tokens);
        s->mask = al_alloc_aligned(tokens);
        s->pairs = al_calloc(rows, sizeof *s->pairs);
        s->texts = al_calloc(rows, sizeof *s->texts);
        if (!s->pixels || !s->ids || !s->mask || !s->pairs || !s->texts) {
            l->n_slots++;
            status = al_error_no_memory(err, l->slot_bytes);
            break;
        }
    }
    return status;
}

align_status al_loader_new(al_loader **out, const align_dataset *dataset, const align_processor *processor,
                           const al_loader_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_loader *l = al_calloc(1, sizeof *l);
    if (!l)
        return al_error_no_memory(err, sizeof *l);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->has_room, NULL);
    pthread_cond_init(&l->has_rows, NULL);
    l->dataset = dataset;
    l->options = *options;
    l->tokenizer = align_processor_tokenizer(processor);
    l->config = align_processor_image_processor(processor);
    if (!l->tokenizer || !l->config)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "the processor has no %s in its folder",
             l->config ? "tokenizer: expected tokenizer.json or vocab.txt"
                       : "image processor: expected preprocessor_config.json");
    TRY(check_options(&l->options, err));
    TRY(al_sampler_init(&l->sampler, dataset, &l->options, err));
    TRY(find_size(l, err));
    TRY(try_tokenizer(l, err));
    l->broken = al_calloc(dataset->count, sizeof *l->broken);
    if (!l->broken) {
        status = al_error_no_memory(err, dataset->count);
        goto done;
    }
    if (options->cache)
        TRY(al_cache_new(&l->cache, dataset->count, options->cache, err));
    TRY(make_slots(l, err));
    while (l->n_threads < (size_t)options->threads && !pthread_create(&l->threads[l->n_threads], NULL, work, l))
        l->n_threads++; /* fewer than wanted are slower, not wrong */
    *out = l;
    l = NULL;
done:
    al_loader_free(l);
    return status;
}

void al_loader_free(al_loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_broadcast(&l->has_room);
    pthread_mutex_unlock(&l->mutex);
    for (size_t i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    for (size_t i = 0; i < l->n_slots; i++) {
        al_free_aligned(l->slots[i].pixels);
        al_free_aligned(l->slots[i].ids);
        al_free_aligned(l->slots[i].mask);
        al_free(l->slots[i].pairs);
        al_free(l->slots[i].texts);
    }
    pthread_cond_destroy(&l->has_rows);
    pthread_cond_destroy(&l->has_room);
    pthread_mutex_destroy(&l->mutex);
    al_skips_done(&l->skips);
    al_cache_free(l->cache);
    al_free(l->slots);
    al_free(l->broken);
    al_free(l);
}

/* ---- using it ---- */

size_t al_loader_memory(const al_loader *l)
{
    return l->n_slots * l->slot_bytes + l->options.cache;
}

uint64_t al_loader_steps_per_epoch(const al_loader *l)
{
    return l->sampler.steps_per_epoch;
}

/* Lets the threads finish their rows and begin no others; with the mutex held. */
static void pause_threads(al_loader *l)
{
    l->paused = true;
    while (l->working > 0)
        pthread_cond_wait(&l->has_rows, &l->mutex);
}

void al_loader_pause(al_loader *l)
{
    pthread_mutex_lock(&l->mutex);
    pause_threads(l);
    pthread_mutex_unlock(&l->mutex);
}

void al_loader_seek(al_loader *l, uint64_t step)
{
    pthread_mutex_lock(&l->mutex);
    pause_threads(l);
    l->paused = l->holds_one = false;
    l->oldest = l->next_step = step;
    l->next_row = 0;
    pthread_cond_broadcast(&l->has_room);
    pthread_mutex_unlock(&l->mutex);
}

align_status al_loader_next(al_loader *l, al_loader_batch *batch, align_error *err)
{
    pthread_mutex_lock(&l->mutex);
    if (l->holds_one) {
        l->oldest++;
        pthread_cond_broadcast(&l->has_room);
    }
    l->holds_one = true;
    while (!is_ready(l, l->oldest)) {
        if (l->next_step == l->oldest)
            do_row(l);
        else
            pthread_cond_wait(&l->has_rows, &l->mutex);
    }
    pthread_mutex_unlock(&l->mutex);
    const slot *s = slot_of(l, l->oldest); /* nobody's but ours until the next call */
    if (s->status != ALIGN_OK)
        return al_error_set(err, s->status, "%s", s->err.message);
    *batch = (al_loader_batch){
        .step = l->oldest,
        .epoch = s->step.epoch,
        .total = s->step.total,
        .first = s->step.first,
        .count = s->step.count,
        .height = l->height,
        .width = l->width,
        .length = l->options.max_length,
        .pixel_values = s->pixels,
        .input_ids = s->ids,
        .attention_mask = s->mask,
        .pairs = s->pairs,
        .texts = s->texts,
    };
    return ALIGN_OK;
}

size_t al_loader_skipped(al_loader *l)
{
    pthread_mutex_lock(&l->mutex);
    const size_t count = l->skips.count;
    pthread_mutex_unlock(&l->mutex);
    return count;
}

bool al_loader_skip_reason(al_loader *l, size_t i, const char **where, const char **reason)
{
    pthread_mutex_lock(&l->mutex);
    const bool found = al_skips_get(&l->skips, i, where, reason);
    pthread_mutex_unlock(&l->mutex);
    return found;
}
