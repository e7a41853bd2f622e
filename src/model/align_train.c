/*
 * align_train.c: one training step of AlignModel.  B pairs, H hidden_size, P projection_dim.
 *
 *     states [B, H] = text tower,  pooled [B, P] = vision tower
 *     text_embeds = project(states) / length,  image_embeds = pooled / length                         embed
 *     loss, and its gradient by the embeddings (contrast.c)
 *     gradient by pooled and states, text_projection and temperature                                  embed_backward
 *     vision tower backward, text tower backward
 *
 * The loss compares all pairs with each other, but nothing else does (batch norm does, in a slice). So a batch may go
 * through the towers in slices: each slice forward, of which only states and pooled are kept; the loss over all of
 * them; then each slice forward again, as before, and backward. The gradient is that of the whole batch; memory is that
 * of a slice. (Gao et al. 2021, arXiv 2101.06983.) In the second forward pass dropout draws the same numbers, and the
 * running statistics stay.
 *
 * A batch of one slice goes forward once.
 */
#include "model/align_train.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "base/tensor.h"
#include "model/contrast.h"
#include "model/inputs.h"
#include "model/text_train.h"
#include "model/vision_train.h"

#include <math.h>
#include <string.h>

struct al_trainer {
    al_trainable *trainable;
    al_threads *threads;
    al_text_trainer *text;
    al_vision_trainer *vision;
    al_arena workspace;
    size_t workspace_bytes;
};

typedef struct step {
    const al_trainer *trainer;
    const al_trainable *trainable;
    const al_step_options *options;
    al_text_pass texts;      /* all pairs' */
    al_vision_pass pictures; /* all pairs' */
    size_t pairs, slice;
    size_t keep; /* bytes of activations that a tower may keep */
    bool text_learns, vision_learns;
    float *states, *pooled;                   /* [B, H], [B, P] */
    float *states_gradient, *pooled_gradient; /* likewise; NULL where the tower does not learn */
    double loss;
} step;

/* ---- slices ---- */

/* A slice's view of what the towers are given. */
typedef struct slice {
    size_t first, n;
    align_tensor input_ids, inputs_embeds, token_type_ids, position_ids, attention_mask, pixel_values;
    al_text_pass texts;
    al_vision_pass pictures;
    al_training how;
} slice;

/* Rows [first, first + n) of a tensor with a row a pair; a tensor that all pairs share stays whole. */
static align_tensor rows_of(const align_tensor *t, size_t pairs, size_t first, size_t n)
{
    align_tensor some = *t;
    if (!t->data || t->rank < 2 || (size_t)t->shape[0] != pairs || n == pairs)
        return some;
    const size_t row = (size_t)align_tensor_elements(t) / pairs * align_dtype_size(t->dtype);
    some.shape[0] = (int64_t)n;
    some.data = (const char *)t->data + first * row;
    return some;
}

static void slice_inputs(slice *s, const step *of)
{
    const al_text_pass *texts = &of->texts;
    s->input_ids = rows_of(texts->input_ids, of->pairs, s->first, s->n);
    s->inputs_embeds = rows_of(texts->inputs_embeds, of->pairs, s->first, s->n);
    s->token_type_ids = rows_of(texts->token_type_ids, of->pairs, s->first, s->n);
    s->position_ids = rows_of(texts->position_ids, of->pairs, s->first, s->n);
    s->attention_mask = rows_of(texts->attention_mask, of->pairs, s->first, s->n);
    s->pixel_values = rows_of(of->pictures.pixel_values, of->pairs, s->first, s->n);
    s->texts = (al_text_pass){.batch = s->n,
                              .tokens = texts->tokens,
                              .input_ids = &s->input_ids,
                              .inputs_embeds = &s->inputs_embeds,
                              .token_type_ids = &s->token_type_ids,
                              .position_ids = &s->position_ids,
                              .attention_mask = &s->attention_mask,
                              .head_mask = texts->head_mask};
    s->pictures = (al_vision_pass){
        .batch = s->n, .height = of->pictures.height, .width = of->pictures.width, .pixel_values = &s->pixel_values};
    if (s->n == of->pairs) {
        s->pictures.last_hidden_state = of->options->outputs.last_hidden_state;
        s->pictures.hidden_states = of->options->outputs.hidden_states;
    }
}

/* The slice that begins at a pair. again: its forward pass is a repeated one. Dropout counts pairs over all ranks. */
static void slice_at(slice *s, const step *of, size_t first, bool again)
{
    const al_step_options *options = of->options;
    const size_t left = of->pairs - first;
    s->first = first;
    s->n = left < of->slice ? left : of->slice;
    slice_inputs(s, of);
    s->how = (al_training){.config = &of->trainable->config,
                           .weights = &of->trainable->weights,
                           .gradients = &of->trainable->gradients,
                           .precision = options->precision,
                           .dropout = options->dropout,
                           .key = al_random_key(options->key, (options->ranks ? options->first : 0) + first),
                           .batch_statistics = options->batch_statistics,
                           .update_statistics = options->batch_statistics && !again,
                           .keep = of->keep,
                           .watch = s->n == left ? options->watch : NULL,
                           .sync = options->sync_statistics ? options->ranks : NULL};
}

/* ---- towers ---- */

static size_t hidden_size(const step *s)
{
    return (size_t)s->trainable->config.text_config.hidden_size;
}

static size_t width(const step *s)
{
    return (size_t)s->trainable->config.projection_dim;
}

static void text_forward(const al_run *run, const step *s, const slice *part)
{
    al_text_train_forward(run, s->trainer->text, &part->how, &part->texts, s->states + part->first * hidden_size(s));
}

static void text_backward(const al_run *run, const step *s, const slice *part)
{
    al_text_train_backward(run, s->trainer->text, &part->how, &part->texts,
                           s->states_gradient + part->first * hidden_size(s));
}

static void vision_forward(const al_run *run, const step *s, slice *part)
{
    part->pictures.pooler_output = s->pooled + part->first * width(s);
    al_vision_train_forward(run, s->trainer->vision, &part->how, &part->pictures);
}

static void vision_backward(const al_run *run, const step *s, const slice *part)
{
    al_vision_train_backward(run, s->trainer->vision, &part->how, &part->pictures,
                             s->pooled_gradient + part->first * width(s));
}

/* ---- the head ---- */

/* y [B, P] = x / its length */
static void normalize(const al_run *run, size_t rows, size_t n, const float *x, float *y)
{
    if (run->dry)
        return;
    memcpy(y, x, rows * n * sizeof *y);
    align_normalize(y, rows, n);
}

/* With y = x / |x|:  dx = (dy - y (y . dy)) / |x|, over dy. */
static void normalize_backward(const al_run *run, size_t rows, size_t n, const float *x, const float *y, float *dy)
{
    for (size_t r = 0; r < rows && !run->dry; r++, x += n, y += n, dy += n) {
        double squares = 0.0, along = 0.0;
        for (size_t i = 0; i < n; i++) {
            squares += (double)x[i] * (double)x[i];
            along += (double)y[i] * (double)dy[i];
        }
        const double length = sqrt(squares);
        for (size_t i = 0; i < n; i++)
            dy[i] = (float)(((double)dy[i] - (double)y[i] * along) / length);
    }
}

/* features [B, P] = states W^T + b */
static al_dense projection(const step *s)
{
    const al_linear_params *p = &s->trainable->weights.text_projection;
    const al_linear_params *gradients = &s->trainable->gradients.text_projection;
    return al_training_dense(&p->weight, &p->bias, &gradients->weight, &gradients->bias, ALIGN_PRECISION_F32);
}

static void copy_out(const al_run *run, const step *s, const float *from, float *to)
{
    if (to && !run->dry)
        memcpy(to, from, s->pairs * width(s) * sizeof *to);
}

/* From states and pooled to the loss, and back to their gradients. */
static void embed_and_contrast(const al_run *run, step *s)
{
    const size_t mark = al_arena_mark(run->arena), n = s->pairs * width(s);
    const al_step_options *options = s->options;
    const align_tensor *temperature = &s->trainable->weights.temperature;
    const al_dense project = projection(s);
    float *features = al_arena_floats(run->arena, n), *text_gradient = al_arena_floats(run->arena, n);
    float *texts = al_arena_floats(run->arena, n), *images = al_arena_floats(run->arena, n);
    al_dense_forward(run, &project, s->pairs, s->states, features, width(s));
    normalize(run, s->pairs, width(s), features, texts);
    normalize(run, s->pairs, width(s), s->pooled, images);
    copy_out(run, s, texts, options->outputs.text_embeds);
    copy_out(run, s, images, options->outputs.image_embeds);
    copy_out(run, s, s->pooled, options->outputs.pooler_output);

    al_contrast contrast = {.pairs = s->pairs, .width = width(s), .total = s->pairs, .texts = texts, .images = images};
    contrast.temperature = run->dry ? 1.0f : *(const float *)temperature->data;
    contrast.scale = (double)options->scale;
    contrast.text_matches = options->text_matches;
    contrast.image_matches = options->image_matches;
    contrast.text_gradient = text_gradient;
    contrast.image_gradient = s->pooled_gradient;
    if (options->ranks) {
        contrast.ranks = options->ranks;
        contrast.first = options->first;
        contrast.total = options->total;
    }
    al_contrast_run(run, &contrast);
    s->loss = contrast.loss;

    float *temperature_gradient = al_tensor_floats(&s->trainable->gradients.temperature);
    if (temperature_gradient && !run->dry)
        *temperature_gradient += (float)contrast.temperature_gradient;
    normalize_backward(run, s->pairs, width(s), features, texts, text_gradient);
    al_dense_backward(run, &project, s->pairs, s->states, text_gradient, width(s), false, s->states_gradient);
    if (s->pooled_gradient)
        normalize_backward(run, s->pairs, width(s), s->pooled, images, s->pooled_gradient);
    al_arena_release(run->arena, mark);
}

/* ---- the step ---- */

/* One slice: forward and backward, with both towers' activations in between. */
static void step_at_once(const al_run *run, step *s)
{
    const size_t mark = al_arena_mark(run->arena);
    slice all;
    slice_at(&all, s, 0, false);
    vision_forward(run, s, &all);
    const size_t after_vision = al_arena_mark(run->arena);
    text_forward(run, s, &all);
    embed_and_contrast(run, s);
    if (s->text_learns)
        text_backward(run, s, &all);
    al_arena_release(run->arena, after_vision);
    if (s->vision_learns)
        vision_backward(run, s, &all);
    al_arena_release(run->arena, mark);
}

static void step_in_slices(const al_run *run, step *s)
{
    const size_t mark = al_arena_mark(run->arena);
    slice part;
    for (size_t first = 0; first < s->pairs; first += part.n) {
        slice_at(&part, s, first, false);
        part.how.keep = 0;
        vision_forward(run, s, &part);
        al_arena_release(run->arena, mark);
        text_forward(run, s, &part);
        al_arena_release(run->arena, mark);
    }
    embed_and_contrast(run, s);
    for (size_t first = 0; first < s->pairs; first += part.n) {
        slice_at(&part, s, first, true);
        if (s->text_learns) {
            text_forward(run, s, &part);
            text_backward(run, s, &part);
            al_arena_release(run->arena, mark);
        }
        if (s->vision_learns) {
            vision_forward(run, s, &part);
            vision_backward(run, s, &part);
            al_arena_release(run->arena, mark);
        }
    }
}

static void run_step(const al_run *run, step *s)
{
    s->states = al_arena_floats(run->arena, s->pairs * hidden_size(s));
    s->pooled = al_arena_floats(run->arena, s->pairs * width(s));
    s->states_gradient = s->text_learns ? al_arena_floats(run->arena, s->pairs * hidden_size(s)) : NULL;
    s->pooled_gradient = s->vision_learns ? al_arena_floats(run->arena, s->pairs * width(s)) : NULL;
    if (s->slice < s->pairs)
        step_in_slices(run, s);
    else
        step_at_once(run, s);
}

/* ---- memory ---- */

/* Bytes that a step takes with s->keep. */
static size_t measure(al_trainer *t, step *s)
{
    al_arena measured = {0};
    const al_run dry = {al_kernels_get(), t->threads, &measured, true, NULL};
    run_step(&dry, s);
    return measured.peak;
}

/* Steps of halving what may be kept. */
#define KEEP_ROUNDS 8

/*
 * Decides how many activations to keep: all, or what the limit leaves room for; and gets the workspace. What the last
 * blocks keep is given back before the first ones need most: it can be more than the limit exceeds the least.
 */
static align_status reserve(al_trainer *t, step *s, align_error *err)
{
    const size_t limit = s->options->memory;
    s->keep = limit ? 0 : SIZE_MAX;
    size_t need = measure(t, s);
    if (limit > need) {
        size_t fits = 0, most = limit;
        for (int round = 0; round < KEEP_ROUNDS; round++) {
            s->keep = fits + (most - fits) / 2;
            const size_t bytes = measure(t, s);
            if (bytes > limit) {
                most = s->keep;
                continue;
            }
            fits = s->keep;
            need = bytes;
        }
        s->keep = fits;
    }
    const al_arena_rehearsal workspace = al_arena_rehearse(&t->workspace);
    t->workspace.peak = need;
    if (need > t->workspace_bytes)
        t->workspace_bytes = need;
    return al_arena_reserve(&t->workspace, workspace, limit, err);
}

/* ---- what may not be ---- */

/* As PyTorch's batch norm says it. */
static align_status check_values(size_t pictures, al_vision_shape s, align_error *err)
{
    if (pictures * s.rows * s.columns > 1)
        return ALIGN_OK;
    return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                        "Expected more than 1 value per channel when training, got input size torch.Size([%zu, %zu, "
                        "%zu, %zu])",
                        pictures, s.channels, s.rows, s.columns);
}

/* Every batch norm needs two values a channel, of the smallest slice. */
static align_status check_statistics(const step *s, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_vision_params *vision = &s->trainable->weights.vision;
    const size_t rest = s->pairs % s->slice, smallest = rest ? rest : s->slice;
    al_vision_shape shape = al_vision_shape_after(vision, 0, s->pictures.height, s->pictures.width);
    TRY(check_values(smallest, shape, err));
    for (size_t i = 0; i < vision->n_blocks; i++) {
        shape.channels = (size_t)vision->blocks[i].expanded;
        if (vision->blocks[i].expand)
            TRY(check_values(smallest, shape, err));
        shape.rows = (size_t)al_vision_block_output(&vision->blocks[i], (int64_t)shape.rows);
        shape.columns = (size_t)al_vision_block_output(&vision->blocks[i], (int64_t)shape.columns);
        TRY(check_values(smallest, shape, err));
    }
done:
    return status;
}

static align_status check_step(step *s, const align_inputs *inputs, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_trainable *t = s->trainable;
    const al_step_options *options = s->options;
    TRY(al_check_pairs(&t->config, &t->weights, inputs, &s->texts, &s->pictures, err));
    s->pairs = s->texts.batch;
    if (options->precision != ALIGN_PRECISION_F32 && options->precision != ALIGN_PRECISION_BF16)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "training computes in f32 or bf16");
    s->slice = options->slice && options->slice < s->pairs ? options->slice : s->pairs;
    if (options->batch_statistics && !options->sync_statistics)
        TRY(check_statistics(s, err));
done:
    return status;
}

/* ---- the trainer ---- */

align_status al_trainer_new(al_trainer **out, al_trainable *trainable, al_threads *threads, align_error *err)
{
    align_status status = ALIGN_OK;
    al_trainer *t = NULL;
    *out = NULL;
    if (trainable->tower != ALIGN_TOWER_BOTH)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "training needs both towers");
    t = al_calloc(1, sizeof *t);
    if (!t) {
        status = al_error_no_memory(err, sizeof *t);
        goto done;
    }
    t->trainable = trainable;
    t->threads = threads;
    TRY(al_text_trainer_new(&t->text, &trainable->config.text_config, &trainable->weights, err));
    TRY(al_vision_trainer_new(&t->vision, &trainable->config, &trainable->weights, err));
    *out = t;
    t = NULL;
done:
    al_trainer_free(t);
    return status;
}

void al_trainer_free(al_trainer *t)
{
    if (!t)
        return;
    al_text_trainer_free(t->text);
    al_vision_trainer_free(t->vision);
    al_arena_done(&t->workspace);
    al_free(t);
}

/* All that may fail, before anybody waits for others. */
static align_status prepare(al_trainer *t, step *s, const align_inputs *inputs, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(check_step(s, inputs, err));
    s->text_learns = al_trainable_learns(t->trainable, ALIGN_TOWER_TEXT);
    s->vision_learns = al_trainable_learns(t->trainable, ALIGN_TOWER_VISION);
    TRY(reserve(t, s, err));
done:
    return status;
}

align_status al_trainer_step(al_trainer *t, const align_inputs *inputs, const al_step_options *options, double *loss,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    step s = {.trainer = t, .trainable = t->trainable, .options = options};
    TRY(al_agree(options->ranks, prepare(t, &s, inputs, err), err));
    const al_run run = {al_kernels_get(), t->threads, &t->workspace, false, NULL};
    run_step(&run, &s);
    *loss = s.loss;
done:
    return status;
}

void al_trainer_rest(al_trainer *t)
{
    al_arena_done(&t->workspace);
}

size_t al_trainer_workspace(const al_trainer *t)
{
    return t->workspace_bytes;
}
