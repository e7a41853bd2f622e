/*
 * batch.c: jobs through a tower. Texts of all lengths go together: what a mask leaves out costs nothing.
 */
#include "batch.h"
#include <stdlib.h>
#include <string.h>

void srv_batcher_init(srv_batcher *batcher, const align_model *model, align_context *context)
{
    *batcher =
        (srv_batcher){.model = model, .context = context, .width = (size_t)align_model_config(model)->projection_dim};
}

void srv_batcher_done(srv_batcher *batcher)
{
    free(batcher->room[0]);
    free(batcher->room[1]);
    *batcher = (srv_batcher){0};
}

/* Room of so many bytes, what was in it being lost; NULL without memory. */
static void *take_room(srv_batcher *batcher, int which, size_t bytes)
{
    if (batcher->room_bytes[which] < bytes) {
        free(batcher->room[which]);
        batcher->room[which] = malloc(bytes);
        batcher->room_bytes[which] = batcher->room[which] ? bytes : 0;
    }
    return batcher->room[which];
}

bool srv_batch_fits(const srv_job *a, const srv_job *b)
{
    return a->tower == b->tower && (a->tower == SRV_TEXT || memcmp(a->shape, b->shape, sizeof a->shape) == 0);
}

static bool run_texts(srv_batcher *batcher, srv_job *const *jobs, size_t n, align_tensor *features)
{
    const int64_t step = align_model_config(batcher->model)->text_config.chunk_size_feed_forward;
    int64_t length = 0;
    for (size_t i = 0; i < n; i++)
        length = jobs[i]->tokens > length ? jobs[i]->tokens : length;
    if (step > 1)
        length = (length + step - 1) / step * step;
    const size_t size = n * (size_t)length * sizeof(int64_t);
    int64_t *ids = take_room(batcher, 0, size), *mask = take_room(batcher, 1, size);
    if (!ids || !mask)
        return false;
    memset(ids, 0, size);
    memset(mask, 0, size);
    for (size_t i = 0; i < n; i++) {
        memcpy(ids + i * (size_t)length, jobs[i]->row, (size_t)jobs[i]->tokens * sizeof *ids);
        for (size_t t = 0; t < (size_t)jobs[i]->tokens; t++)
            mask[i * (size_t)length + t] = 1;
    }
    const int64_t shape[] = {(int64_t)n, length};
    align_inputs inputs = ALIGN_INPUTS_INIT;
    inputs.input_ids = align_tensor_view(ALIGN_I64, 2, shape, ids);
    inputs.attention_mask = align_tensor_view(ALIGN_I64, 2, shape, mask);
    return align_model_get_text_features(batcher->context, &inputs, features, NULL) == ALIGN_OK;
}

static bool run_pictures(srv_batcher *batcher, srv_job *const *jobs, size_t n, align_tensor *features)
{
    const int64_t *one = jobs[0]->shape;
    const size_t size = (size_t)(one[1] * one[2] * one[3]);
    const float *pixels = jobs[0]->pixels;
    if (n > 1) {
        float *all = take_room(batcher, 0, n * size * sizeof *all);
        if (!all)
            return false;
        for (size_t i = 0; i < n; i++)
            memcpy(all + i * size, jobs[i]->pixels, size * sizeof *all);
        pixels = all;
    }
    const int64_t shape[] = {(int64_t)n, one[1], one[2], one[3]};
    align_inputs inputs = ALIGN_INPUTS_INIT;
    inputs.pixel_values = align_tensor_view(ALIGN_F32, 4, shape, pixels);
    return align_model_get_image_features(batcher->context, &inputs, features, NULL) == ALIGN_OK;
}

bool srv_batch_run(srv_batcher *batcher, srv_job *const *jobs, size_t n)
{
    align_tensor features;
    const bool ok =
        jobs[0]->tower == SRV_TEXT ? run_texts(batcher, jobs, n, &features) : run_pictures(batcher, jobs, n, &features);
    for (size_t i = 0; i < n && ok; i++) {
        memcpy(jobs[i]->embedding, (const float *)features.data + i * batcher->width,
               batcher->width * sizeof *jobs[i]->embedding);
        align_normalize(jobs[i]->embedding, 1, batcher->width);
    }
    return ok;
}
