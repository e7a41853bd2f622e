/*
 * vision_train.c: the vision tower in training: vision.c's blocks with the statistics of the batch, each with its way
 * back below it. B pictures, C channels, y rows, x columns.
 *
 *     pixels [B, G, h, w] -> 3x3 convolution, stride 2 -> norm, act                                       stem
 *     blocks:  1x1 expand e -> norm, act -> depthwise k*k / stride d -> norm, act h
 *              -> squeeze-excite gates -> 1x1 project p -> norm -> drop connect -> + x                    mbconv
 *     pooler:  mean (or max) over the pixels
 *
 * Batch norms are not folded. What may surprise: the expansion's norm has torch's momentum of 0.1, all others the
 * config's; drop connect drops single numbers, not whole pictures, and only where there is a residual; momentum is the
 * weight of the new statistics, so that 0.99 nearly forgets the old.
 *
 * Kept for the way back are each block's input x, what its projection gave before the norm, and small vectors; of the
 * last blocks, which are small, also e and d, as far as how->keep reaches. The others compute e and d again. Gradients
 * of x are written over x, block by block.
 *
 * Source: transformers 4.37.2, modeling_align.py: AlignVisionEmbeddings, AlignVisionBlock, AlignVisionModel.
 */
#include "model/vision_train.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "base/tensor.h"
#include "layers/conv.h"
#include "layers/conv_train.h"
#include "layers/dropout.h"
#include "layers/expanded.h"
#include "layers/matmul.h"

#include <string.h>

/* The expansion's norm is made without the config's momentum: torch's default. */
#define EXPANSION_MOMENTUM 0.1

/* Of the random numbers of this tower, among those of a step. */
#define VISION_SITES ((uint64_t)1 << 32)

/* One block during a pass. */
typedef struct mbconv {
    al_vision_shape in, out;
    al_expanded expanded;
    al_squeeze squeeze;
    float *means; /* [B, E] */
    float *p;     /* [B*y'*x', O], before the norm */
    al_norm_state project_state;
    float *x, *y;
    bool kept;    /* e and d are */
    size_t begin; /* of the arena */
} mbconv;

struct al_vision_trainer {
    const align_vision_config *config;
    align_activation act;
    bool pool_max;
    size_t n_blocks;
    mbconv *blocks;
    al_vision_shape stem;
    al_norm_state stem_state;
    float *features, *pooled; /* what comes out of the last block, and its pooling */
    size_t end;               /* of the arena, after forward */
};

align_status al_vision_trainer_new(al_vision_trainer **out, const align_config *config, const al_model_params *params,
                                   align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_vision_trainer *t = al_calloc(1, sizeof *t);
    if (!t)
        return al_error_no_memory(err, sizeof *t);
    TRY(align_activation_from_name(&t->act, config->vision_config.hidden_act, err));
    t->config = &config->vision_config;
    t->pool_max = !strcmp(config->vision_config.pooling_type, "max");
    t->n_blocks = params->vision.n_blocks;
    t->blocks = al_calloc(t->n_blocks, sizeof *t->blocks);
    if (!t->blocks) {
        status = al_error_no_memory(err, t->n_blocks * sizeof *t->blocks);
        goto done;
    }
    *out = t;
    t = NULL;
done:
    al_vision_trainer_free(t);
    return status;
}

void al_vision_trainer_free(al_vision_trainer *t)
{
    if (!t)
        return;
    al_free(t->blocks);
    al_free(t);
}

/* ---- layers of a pass ---- */

static al_norm_mode norm_mode(const al_training *how)
{
    return (al_norm_mode){how->batch_statistics, how->update_statistics, how->sync};
}

static al_batch_norm batch_norm(const al_vision_trainer *t, double momentum, const al_batch_norm_params *weights,
                                const al_batch_norm_params *gradients)
{
    return (al_batch_norm){.channels = (size_t)weights->weight.shape[0],
                           .eps = t->config->batch_norm_eps,
                           .momentum = momentum,
                           .weight = weights->weight.data,
                           .bias = weights->bias.data,
                           .running_mean = al_tensor_floats(&weights->running_mean),
                           .running_var = al_tensor_floats(&weights->running_var),
                           .batches = (int64_t *)(uintptr_t)weights->num_batches_tracked.data,
                           .weight_gradient = al_tensor_floats(&gradients->weight),
                           .bias_gradient = al_tensor_floats(&gradients->bias)};
}

static al_batch_norm stem_norm(const al_vision_trainer *t, const al_training *how)
{
    return batch_norm(t, t->config->batch_norm_momentum, &how->weights->vision.stem_norm,
                      &how->gradients->vision.stem_norm);
}

static al_dense stem_convolution(const al_training *how)
{
    return al_training_dense(&how->weights->vision.convolution, NULL, &how->gradients->vision.convolution, NULL,
                             ALIGN_PRECISION_F32); /* it reads pixels */
}

static al_batch_norm project_norm(const al_vision_trainer *t, const al_training *how, size_t i)
{
    return batch_norm(t, t->config->batch_norm_momentum, &how->weights->vision.blocks[i].project_norm,
                      &how->gradients->vision.blocks[i].project_norm);
}

/* ---- stem ---- */

/* Pixels of any float type -> the windows that the convolution multiplies. */
static void stem_windows(const al_run *run, const al_vision_trainer *t, const al_vision_pass *pass, float *windows)
{
    const size_t channels = (size_t)t->config->num_channels, mark = al_arena_mark(run->arena);
    const size_t n = pass->batch * channels * pass->height * pass->width;
    float *pixels = al_arena_floats(run->arena, n);
    if (!run->dry)
        al_to_f32(pass->pixel_values->dtype, pass->pixel_values->data, n, pixels);
    al_stem_windows(run, pass->batch, channels, pass->height, pass->width, pixels, windows);
    al_arena_release(run->arena, mark);
}

/* [B, G, h, w] channels first -> y [B*(h/2)*(w/2), S] */
static void stem_forward(const al_run *run, al_vision_trainer *t, const al_training *how, const al_vision_pass *pass,
                         float *y)
{
    const al_dense conv = stem_convolution(how);
    const al_batch_norm norm = stem_norm(t, how);
    const size_t rows = pass->batch * t->stem.rows * t->stem.columns, mark = al_arena_mark(run->arena);
    float *windows = al_arena_floats(run->arena, rows * conv.in);
    stem_windows(run, t, pass, windows);
    al_dense_forward(run, &conv, rows, windows, y, conv.out);
    al_batch_norm_forward(run, &norm, &t->stem_state, norm_mode(how), t->act, rows, y, y);
    al_arena_release(run->arena, mark);
}

/* dy [B*(h/2)*(w/2), S], overwritten. The convolution is repeated rather than kept. */
static void stem_backward(const al_run *run, const al_vision_trainer *t, const al_training *how,
                          const al_vision_pass *pass, float *dy)
{
    const al_dense conv = stem_convolution(how);
    const al_batch_norm norm = stem_norm(t, how);
    const size_t rows = pass->batch * t->stem.rows * t->stem.columns, mark = al_arena_mark(run->arena);
    float *windows = al_arena_floats(run->arena, rows * conv.in), *x = al_arena_floats(run->arena, rows * conv.out);
    stem_windows(run, t, pass, windows);
    al_dense_forward(run, &conv, rows, windows, x, conv.out);
    al_batch_norm_backward(run, &norm, &t->stem_state, norm_mode(how), t->act, rows, x, dy, dy);
    al_dense_backward(run, &conv, rows, windows, dy, conv.out, false, NULL);
    al_arena_release(run->arena, mark);
}

/* ---- MBConv ---- */

/* Drop connect of block i: 0 where there is none. */
static float drop_rate(const al_vision_trainer *t, const al_training *how, size_t i)
{
    const bool residual = how->weights->vision.blocks[i].residual;
    return how->dropout && residual ? (float)(t->config->drop_connect_rate * (double)i / (double)t->n_blocks) : 0.0f;
}

static uint64_t drop_key(const al_training *how, size_t i)
{
    return al_random_key(how->key, VISION_SITES + i);
}

/* Lays out block i for a pass: shapes, weights, and room for what it keeps whatever it may keep. */
static void mbconv_begin(const al_run *run, al_vision_trainer *t, const al_training *how, size_t i, size_t batch,
                         float *x)
{
    mbconv *m = &t->blocks[i];
    const al_vision_block_params *w = &how->weights->vision.blocks[i], *g = &how->gradients->vision.blocks[i];
    const size_t channels = (size_t)w->expanded, width = al_panel_width(run->kernels, channels);
    m->begin = al_arena_mark(run->arena);
    m->x = x;
    m->expanded = (al_expanded){
        .batch = batch,
        .in = m->in.channels,
        .channels = channels,
        .rows = m->in.rows,
        .columns = m->in.columns,
        .out_rows = m->out.rows,
        .out_columns = m->out.columns,
        .kernel = (size_t)w->kernel,
        .stride = (size_t)w->stride,
        .before = (ptrdiff_t)al_vision_block_padding(w).before,
        .act = t->act,
        .precision = how->precision,
        .mode = norm_mode(how),
        .x = x,
        .expand = w->expand ? w->expand_conv.data : NULL,
        .filter = w->depthwise.data,
        .depthwise_norm = batch_norm(t, t->config->batch_norm_momentum, &w->depthwise_norm, &g->depthwise_norm),
        .depthwise_state = al_norm_state_take(run->arena, width),
    };
    if (w->expand) {
        m->expanded.expand_norm = batch_norm(t, EXPANSION_MOMENTUM, &w->expand_norm, &g->expand_norm);
        m->expanded.expand_state = al_norm_state_take(run->arena, width);
    }
    m->squeeze.batch = batch;
    m->squeeze.act = t->act;
    m->squeeze.reduce = al_training_dense(&w->squeeze_reduce.weight, &w->squeeze_reduce.bias, &g->squeeze_reduce.weight,
                                          &g->squeeze_reduce.bias, how->precision);
    m->squeeze.expand = al_training_dense(&w->squeeze_expand.weight, &w->squeeze_expand.bias, &g->squeeze_expand.weight,
                                          &g->squeeze_expand.bias, how->precision);
    m->squeeze.before = al_arena_floats(run->arena, batch * m->squeeze.reduce.out);
    m->squeeze.after = al_arena_floats(run->arena, batch * m->squeeze.reduce.out);
    m->squeeze.gates = al_arena_floats(run->arena, batch * width);
    m->means = al_arena_floats(run->arena, batch * channels);
    m->project_state = al_norm_state_take(run->arena, m->out.channels);
}

/* Pixels of all pictures, of e and of d. */
static size_t pixels_in(const mbconv *m)
{
    return m->expanded.batch * m->in.rows * m->in.columns;
}

static size_t pixels_out(const mbconv *m)
{
    return m->expanded.batch * m->out.rows * m->out.columns;
}

static void take_expanded(const al_run *run, mbconv *m)
{
    const size_t width = al_panel_width(run->kernels, m->expanded.channels);
    m->expanded.e = m->expanded.expand ? al_arena_floats(run->arena, pixels_in(m) * width) : NULL;
    m->expanded.d = al_arena_floats(run->arena, pixels_out(m) * width);
}

/* x [B*y*x, C] -> y [B*y'*x', O], which stays in the arena. */
static void mbconv_forward(const al_run *run, al_vision_trainer *t, const al_training *how, size_t i)
{
    mbconv *m = &t->blocks[i];
    const al_vision_block_params *w = &how->weights->vision.blocks[i];
    const size_t pixels = m->out.rows * m->out.columns, rows = pixels_out(m), n = rows * m->out.channels;
    const al_batch_norm norm = project_norm(t, how, i);
    if (m->kept)
        take_expanded(run, m);
    m->p = al_arena_floats(run->arena, n);
    m->y = al_arena_floats(run->arena, n);
    const size_t mark = al_arena_mark(run->arena);
    if (!m->kept)
        take_expanded(run, m);
    float *h = m->kept ? al_arena_floats(run->arena, rows * al_panel_width(run->kernels, m->expanded.channels))
                       : m->expanded.d;
    al_expanded_forward(run, &m->expanded, h, m->means);
    al_squeeze_forward(run, &m->squeeze, m->means);
    const al_linear project =
        al_pack_for_pass(run, how->precision, m->expanded.channels, m->out.channels, w->project.data);
    al_gated_projection(run, &project, m->expanded.batch, pixels, h, m->squeeze.gates, NULL, m->p);
    al_arena_release(run->arena, mark);

    al_batch_norm_forward(run, &norm, &m->project_state, norm_mode(how), ALIGN_ACT_LINEAR, rows, m->p, m->y);
    if (drop_rate(t, how, i) > 0.0f)
        al_dropout(run, drop_rate(t, how, i), drop_key(how, i), n, m->y, m->y);
    if (w->residual && !run->dry)
        run->kernels->add(n, m->x, m->y);
}

/* dh = dp W, and the gradient of W, of the gated h, which dh overwrites. */
static void project_backward(const al_run *run, const mbconv *m, const al_training *how, size_t i, const float *dp,
                             float *h)
{
    const size_t rows = pixels_out(m);
    al_weight_gradient(run, how->precision, rows, m->expanded.channels, m->out.channels,
                       al_rows(run, dp, m->out.channels), al_panels(run, h, rows),
                       al_tensor_floats(&how->gradients->vision.blocks[i].project));
    const al_matmul product = {.m = rows,
                               .n = m->expanded.channels,
                               .k = m->out.channels,
                               .a = al_rows(run, dp, m->out.channels),
                               .b = al_rows(run, how->weights->vision.blocks[i].project.data, m->expanded.channels),
                               .c = h,
                               .c_row_stride = run->kernels->nr,
                               .c_panel = rows * run->kernels->nr,
                               .precision = how->precision};
    al_matmul_run(run, &product);
}

/* The gradient of the means, shared out among the pixels. */
static void share_out(const al_run *run, const mbconv *m, const float *dmeans, float *extra)
{
    const size_t channels = m->expanded.channels, width = al_panel_width(run->kernels, channels);
    if (run->dry)
        return;
    memset(extra, 0, m->expanded.batch * width * sizeof *extra);
    for (size_t b = 0; b < m->expanded.batch; b++)
        for (size_t c = 0; c < channels; c++)
            extra[b * width + c] = dmeans[b * channels + c] / (float)(m->out.rows * m->out.columns);
}

/* dy in m->y -> the block's gradients and, where it is wanted, dx in m->x. */
static void mbconv_backward(const al_run *run, al_vision_trainer *t, const al_training *how, size_t i, bool below)
{
    mbconv *m = &t->blocks[i];
    const al_vision_block_params *w = &how->weights->vision.blocks[i], *g = &how->gradients->vision.blocks[i];
    const size_t rows = pixels_out(m), n = rows * m->out.channels, mark = al_arena_mark(run->arena);
    const size_t channels = m->expanded.channels, width = al_panel_width(run->kernels, channels),
                 batch = m->expanded.batch;
    const al_batch_norm norm = project_norm(t, how, i);
    const al_expanded_gradient gradient = {al_tensor_floats(&g->expand_conv), al_tensor_floats(&g->depthwise)};

    float *dp = al_arena_floats(run->arena, n), *h = al_arena_floats(run->arena, rows * width);
    if (!m->kept)
        take_expanded(run, m);
    if (drop_rate(t, how, i) > 0.0f)
        al_dropout(run, drop_rate(t, how, i), drop_key(how, i), n, m->y, dp);
    al_batch_norm_backward(run, &norm, &m->project_state, norm_mode(how), ALIGN_ACT_LINEAR, rows, m->p,
                           drop_rate(t, how, i) > 0.0f ? dp : m->y, dp);
    al_expanded_again(run, &m->expanded, m->kept, m->squeeze.gates, h);
    project_backward(run, m, how, i, dp, h);

    float *dgates = al_arena_floats(run->arena, batch * width), *dmeans = al_arena_floats(run->arena, batch * channels);
    float *extra = al_arena_floats(run->arena, batch * width);
    const al_gated_sums sums = al_gated_sums_take(run, &m->expanded);
    al_expanded_gate_sums(run, &m->expanded, h, sums, dgates);
    al_squeeze_backward(run, &m->squeeze, m->means, dgates, dmeans);
    share_out(run, m, dmeans, extra);
    al_expanded_backward(run, &m->expanded, m->squeeze.gates, extra, sums, h, &gradient, w->residual ? m->y : NULL,
                         below ? m->x : NULL);
    al_arena_release(run->arena, mark);
}

/* ---- the tower ---- */

/* The last blocks keep e and d: as many as fit. */
static void choose_kept(const al_run *run, al_vision_trainer *t, const al_training *how, size_t batch)
{
    size_t left = how->keep;
    bool fits = true;
    for (size_t i = t->n_blocks; i-- > 0;) {
        mbconv *m = &t->blocks[i];
        const al_vision_block_params *w = &how->weights->vision.blocks[i];
        const size_t in = w->expand ? m->in.rows * m->in.columns : 0, out = m->out.rows * m->out.columns;
        const size_t bytes = batch * (in + out) * al_panel_width(run->kernels, (size_t)w->expanded) * sizeof(float);
        fits = fits && bytes <= left;
        m->kept = fits;
        left -= fits ? bytes : 0;
    }
}

/* Hands out x [B*rows*columns, C] as [B, C, rows, columns], where somebody asks for it. */
static void hand_out(const al_run *run, al_vision_shape s, const al_vision_pass *pass, const float *x, float *out)
{
    if (out)
        al_channels_first(run, pass->batch, s.rows * s.columns, s.channels, x, out);
}

static float *state_of(const al_vision_pass *pass, size_t i)
{
    return pass->hidden_states ? al_tensor_floats(&pass->hidden_states[i]) : NULL;
}

void al_vision_train_forward(const al_run *run, al_vision_trainer *t, const al_training *how,
                             const al_vision_pass *pass)
{
    const al_vision_params *params = &how->weights->vision;
    al_vision_shape s = t->stem = al_vision_shape_after(params, 0, pass->height, pass->width);
    for (size_t i = 0; i < t->n_blocks; i++) {
        t->blocks[i].in = s;
        s = t->blocks[i].out = al_vision_shape_after(params, i + 1, pass->height, pass->width);
    }
    choose_kept(run, t, how, pass->batch);

    t->stem_state = al_norm_state_take(run->arena, t->stem.channels);
    float *x = al_arena_floats(run->arena, pass->batch * t->stem.rows * t->stem.columns * t->stem.channels);
    stem_forward(run, t, how, pass, x);
    hand_out(run, t->stem, pass, x, state_of(pass, 0));
    for (size_t i = 0; i < t->n_blocks; i++) {
        mbconv_begin(run, t, how, i, pass->batch, x);
        mbconv_forward(run, t, how, i);
        x = t->blocks[i].y;
        hand_out(run, t->blocks[i].out, pass, x, state_of(pass, i + 1));
    }
    hand_out(run, s, pass, x, pass->last_hidden_state);
    t->features = x;
    t->pooled = al_arena_floats(run->arena, pass->batch * s.channels);
    al_pool(run, pass->batch, s.rows * s.columns, s.channels, t->pool_max, x, t->pooled);
    if (!run->dry)
        memcpy(pass->pooler_output, t->pooled, pass->batch * s.channels * sizeof *t->pooled);
    t->end = al_arena_mark(run->arena);
}

static bool norm_learns(const al_batch_norm_params *gradients)
{
    return gradients->weight.data || gradients->bias.data;
}

static bool linear_learns(const al_linear_params *gradients)
{
    return gradients->weight.data || gradients->bias.data;
}

static bool stem_learns(const al_vision_params *gradients)
{
    return gradients->convolution.data || norm_learns(&gradients->stem_norm);
}

static bool block_learns(const al_vision_block_params *g)
{
    return g->expand_conv.data || norm_learns(&g->expand_norm) || g->depthwise.data ||
           norm_learns(&g->depthwise_norm) || linear_learns(&g->squeeze_reduce) || linear_learns(&g->squeeze_expand) ||
           g->project.data || norm_learns(&g->project_norm);
}

void al_vision_train_backward(const al_run *run, al_vision_trainer *t, const al_training *how,
                              const al_vision_pass *pass, const float *pooled_gradient)
{
    const al_vision_params *gradients = &how->gradients->vision;
    const bool gives_back = al_arena_mark(run->arena) == t->end;
    const al_vision_shape s = t->n_blocks ? t->blocks[t->n_blocks - 1].out : t->stem;
    size_t lowest = 0; /* block that learns, or all of them where the stem does */
    while (lowest < t->n_blocks && !stem_learns(gradients) && !block_learns(&gradients->blocks[lowest]))
        lowest++;
    al_pool_backward(run, pass->batch, s.rows * s.columns, s.channels, t->pool_max, t->features, t->pooled,
                     pooled_gradient, t->features);
    for (size_t i = t->n_blocks; i-- > lowest;) {
        const al_vision_block_params *block = &gradients->blocks[i];
        mbconv_backward(run, t, how, i, i > lowest || stem_learns(gradients));
        al_training_tell(run, how, block->expand ? &block->expand_conv : &block->depthwise);
        if (gives_back)
            al_arena_release(run->arena, t->blocks[i].begin);
    }
    if (stem_learns(gradients))
        stem_backward(run, t, how, pass, t->n_blocks ? t->blocks[0].x : t->features);
    al_training_tell(run, how, &gradients->convolution);
}
