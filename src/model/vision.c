/*
 * vision.c: AlignVisionModel, which is EfficientNet without its top.  B pictures, C channels, y rows, x columns.
 *
 *     pixels [B, G, h, w] -> 3x3 convolution, stride 2 -> batch norm, act                                  stem
 *     blocks:  1x1 expand, norm, act -> depthwise k*k / stride, norm, act
 *              -> squeeze-excite gates -> 1x1 project, norm -> + x (all but a stage's first block)         mbconv
 *     pooler:  mean (or max) over the pixels                                                               al_pool
 *
 * The batch norms' statistics are frozen, so each is folded into the convolution before it. What may surprise: the stem
 * pads only at the right and bottom, and so does a stride-2 depthwise convolution unless the block's number is listed
 * in depthwise_padding; the first block of a stage has no residual even where the shapes agree; the squeeze is a
 * fraction of the block's input width, not of its expanded width; there is no convolution after the last block and no
 * projection.
 *
 * Pictures go through in small groups, so that the workspace does not grow with the batch.
 *
 * Source: transformers 4.37.2, modeling_align.py: AlignVisionEmbeddings, AlignVisionBlock, AlignVisionModel.
 */
#include "model/vision.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "layers/conv.h"
#include "layers/norm.h"
#include "layers/profile.h"

#include <string.h>

/* Pictures of one group, which go through the blocks together: products want many rows. But those of more than so many
 * pixels have rows enough, and go alone, so that they are still in a cache when the next block reads them. */
#define GROUP         4
#define SMALL_PICTURE ((size_t)1024)

typedef struct mbconv {
    bool expands, residual;
    al_linear expand; /* [E, C] */
    al_depthwise_conv depthwise;
    al_squeeze_excite squeeze_excite;
    al_linear project; /* [O, E] */
} mbconv;

struct al_vision_tower {
    al_arena weights;
    const al_vision_params *params; /* for the shapes alone */
    size_t channels;                /* G */
    align_activation act;
    bool pool_max;
    al_linear stem; /* [S, G*9] */
    size_t n_blocks;
    mbconv *blocks;
};

/* ---- forward ---- */

/* [B, G, h, w] channels first -> [B*(h/2)*(w/2), S] */
static void stem_forward(const al_run *run, const al_vision_tower *t, size_t batch, size_t height, size_t width,
                         const float *pixels, float *y)
{
    const size_t n = batch * (height / 2) * (width / 2), mark = al_arena_mark(run->arena);
    float *windows = al_arena_floats(run->arena, n * t->stem.in);
    al_profile_step(run, ALIGN_STEP_STEM);
    al_stem_windows(run, batch, t->channels, height, width, pixels, windows);
    al_linear_forward(run, &t->stem, n, al_rows(run, windows, t->stem.in), t->act,
                      al_rows_out(run, y, t->stem.out, NULL));
    al_arena_release(run->arena, mark);
}

/* Floats that a pixel's expanded channels take in panels. */
static size_t padded_width(const al_run *run, const mbconv *m)
{
    return al_panel_width(run->kernels, m->project.in);
}

/*
 * The projection of a last block whose picture nobody asks for, pooled: the mean over pixels goes through all that is
 * linear, so mean(W (g x) + b + residual) = W (g mean(x)) + b + mean(residual). means is overwritten.
 */
static void project_means(const al_run *run, const mbconv *m, size_t batch, size_t pixels, const float *gates,
                          float *means, const float *residual, float *pooled)
{
    const size_t width = padded_width(run, m), mark = al_arena_mark(run->arena);
    float *residual_means = m->residual ? al_arena_floats(run->arena, batch * m->project.out) : NULL;
    if (m->residual)
        al_pool(run, batch, pixels, m->project.out, false, residual, residual_means);
    if (!run->dry)
        run->kernels->multiply(batch * width, gates, means);
    al_linear_forward(run, &m->project, batch, al_rows(run, means, width), ALIGN_ACT_LINEAR,
                      al_rows_out(run, pooled, m->project.out, residual_means));
    al_arena_release(run->arena, mark);
}

/* MBConv (AlignVisionBlock): x [B*rows*columns, C] -> y [B*rows'*columns', O]; or, with pooled, only the mean of y over
 * its pixels, [B, O]. */
static void mbconv_forward(const al_run *run, const mbconv *m, align_activation act, size_t batch, size_t rows,
                           size_t columns, const float *x, float *y, float *pooled)
{
    const size_t out_rows = al_depthwise_conv_size(&m->depthwise, rows);
    const size_t out_columns = al_depthwise_conv_size(&m->depthwise, columns);
    const size_t pixels = out_rows * out_columns, width = padded_width(run, m);
    const size_t mark = al_arena_mark(run->arena);
    float *filtered = al_arena_floats(run->arena, batch * pixels * width);
    float *means = al_arena_floats(run->arena, batch * width), *gates = al_arena_floats(run->arena, batch * width);

    al_expand_depthwise_forward(run, m->expands ? &m->expand : NULL, &m->depthwise, batch, rows, columns, x, act,
                                filtered, means);
    al_profile_step(run, ALIGN_STEP_SQUEEZE_EXCITE);
    al_squeeze_excite_gates(run, &m->squeeze_excite, batch, means, act, gates);
    al_profile_step(run, ALIGN_STEP_PROJECT);
    if (pooled)
        project_means(run, m, batch, pixels, gates, means, x, pooled);
    else
        al_gated_projection(run, &m->project, batch, pixels, filtered, gates, m->residual ? x : NULL, y);
    al_arena_release(run->arena, mark);
}

/* Hands out a state: row-major [B*rows*columns, C] of this group into [B, C, rows, columns] of the whole batch. */
static void hand_out(const al_run *run, al_vision_shape s, size_t first, size_t batch, const float *x, float *out)
{
    if (!out)
        return;
    al_profile_step(run, ALIGN_STEP_STATES);
    al_channels_first(run, batch, s.rows * s.columns, s.channels, x, out + first * s.channels * s.rows * s.columns);
}

static al_vision_shape shape_after(const al_vision_tower *t, const al_vision_pass *pass, size_t blocks)
{
    return al_vision_shape_after(t->params, blocks, pass->height, pass->width);
}

/* The floats of `batch` pictures wherever they are between blocks `begin` and `end`, at most. */
static size_t largest_between(const al_vision_tower *t, const al_vision_pass *pass, size_t batch, size_t begin,
                              size_t end)
{
    size_t largest = 0;
    for (size_t i = begin; i <= end; i++) {
        const al_vision_shape s = shape_after(t, pass, i);
        const size_t n = batch * s.rows * s.columns * s.channels;
        largest = n > largest ? n : largest;
    }
    return largest;
}

/* Where the state after i blocks is handed out; NULL: nowhere. */
static float *state_out(const al_vision_pass *pass, size_t i)
{
    return pass->hidden_states ? al_tensor_floats(&pass->hidden_states[i]) : NULL;
}

/* Pictures on their way from a block to another. */
typedef struct passage {
    size_t first, batch; /* of the whole batch */
    size_t begin, end;   /* blocks */
    float *x, *spare;    /* where they are; another buffer as large */
    float *out;          /* where they go in the end; NULL: either of the two */
    float *pooled;       /* if not NULL, the last block gives only the means of its pixels */
} passage;

/* Returns where they are then. */
static float *blocks_forward(const al_run *run, const al_vision_tower *t, const al_vision_pass *pass, passage p)
{
    for (size_t i = p.begin; i < p.end; i++) {
        const al_vision_shape s = shape_after(t, pass, i);
        const bool last = i + 1 == p.end;
        float *y = last && p.out ? p.out : p.spare;
        al_profile_block(run, ALIGN_TOWER_VISION, i + 1);
        mbconv_forward(run, &t->blocks[i], t->act, p.batch, s.rows, s.columns, p.x, y, last ? p.pooled : NULL);
        hand_out(run, shape_after(t, pass, i + 1), p.first, p.batch, y, state_out(pass, i + 1));
        p.spare = p.x;
        p.x = y;
    }
    return p.x;
}

/* The blocks that pictures go through alone, from the stem on: those that read large ones. */
static size_t blocks_alone(const al_vision_tower *t, const al_vision_pass *pass)
{
    for (size_t n = 0; n < t->n_blocks; n++) {
        const al_vision_shape s = shape_after(t, pass, n);
        if (s.rows * s.columns <= SMALL_PICTURE)
            return n;
    }
    return t->n_blocks;
}

/* Pictures first .. first + batch - 1 through the stem and the first `blocks` blocks -> y. */
static void first_blocks_forward(const al_run *run, const al_vision_tower *t, const al_vision_pass *pass, size_t first,
                                 size_t batch, size_t blocks, float *y)
{
    const size_t mark = al_arena_mark(run->arena), picture = t->channels * pass->height * pass->width;
    const size_t largest = blocks ? largest_between(t, pass, batch, 0, blocks) : 0;
    float *pixels = al_arena_floats(run->arena, batch * picture);
    float *x = al_arena_floats(run->arena, largest), *spare = al_arena_floats(run->arena, largest);
    if (!blocks)
        x = y;
    al_profile_block(run, ALIGN_TOWER_VISION, 0);
    al_profile_step(run, ALIGN_STEP_INPUT);
    if (!run->dry) {
        const align_dtype dtype = pass->pixel_values->dtype;
        al_to_f32(dtype, (const char *)pass->pixel_values->data + first * picture * align_dtype_size(dtype),
                  batch * picture, pixels);
    }
    stem_forward(run, t, batch, pass->height, pass->width, pixels, x);
    hand_out(run, shape_after(t, pass, 0), first, batch, x, state_out(pass, 0));
    blocks_forward(run, t, pass, (passage){first, batch, 0, blocks, x, spare, y, NULL});
    al_arena_release(run->arena, mark);
}

/* Pictures first .. first + batch - 1 through the whole tower. */
static void group_forward(const al_run *run, const al_vision_tower *t, const al_vision_pass *pass, size_t first,
                          size_t batch)
{
    const size_t mark = al_arena_mark(run->arena), alone = blocks_alone(t, pass), together = alone ? 1 : batch;
    const size_t picture = largest_between(t, pass, 1, alone, alone);
    const size_t largest = largest_between(t, pass, batch, alone, t->n_blocks);
    float *x = al_arena_floats(run->arena, largest), *y = al_arena_floats(run->arena, largest);
    for (size_t i = 0; i < batch; i += together)
        first_blocks_forward(run, t, pass, first + i, together, alone, x + i * picture);

    const al_vision_shape s = shape_after(t, pass, t->n_blocks);
    float *pooled = pass->pooler_output + first * s.channels;
    const bool pools_early = t->n_blocks > alone && !t->pool_max && !pass->last_hidden_state && !pass->hidden_states;
    x = blocks_forward(run, t, pass,
                       (passage){first, batch, alone, t->n_blocks, x, y, NULL, pools_early ? pooled : NULL});
    al_profile_block(run, ALIGN_TOWER_VISION, 0);
    hand_out(run, s, first, batch, x, pass->last_hidden_state);
    al_profile_step(run, ALIGN_STEP_POOL);
    if (!pools_early)
        al_pool(run, batch, s.rows * s.columns, s.channels, t->pool_max, x, pooled);
    al_arena_release(run->arena, mark);
}

/* Groups that threads take one each. */
typedef struct groups_job {
    const al_run *run;
    const al_vision_tower *tower;
    const al_vision_pass *pass;
    char *rooms; /* workspace of each thread */
    size_t room;
} groups_job;

static void groups_work(void *user, size_t begin, size_t end, int thread)
{
    const groups_job *job = user;
    al_arena arena = {.base = job->rooms + (size_t)thread * job->room, .size = job->room};
    const al_run alone = {.kernels = job->run->kernels, .arena = &arena};
    for (size_t i = begin; i < end; i++)
        group_forward(&alone, job->tower, job->pass, i * GROUP, GROUP);
}

/* The workspace of a whole group that one thread computes. */
static size_t group_room(const al_run *run, const al_vision_tower *t, const al_vision_pass *pass)
{
    al_arena arena = {0};
    const al_run rehearsal = {.kernels = run->kernels, .arena = &arena, .dry = true};
    group_forward(&rehearsal, t, pass, 0, GROUP);
    return arena.peak;
}

void al_vision_forward(const al_run *run, const al_vision_tower *t, const al_vision_pass *pass)
{
    /* As many groups as keep every thread busy go one to a thread, which shares nothing with the others; all threads
     * work on each of the rest. Either way a group has the same pictures and the same results. */
    const size_t threads = (size_t)al_threads_count(run->threads);
    const size_t apart = threads > 1 && !run->profile ? pass->batch / GROUP / threads * threads : 0;
    if (apart) {
        const size_t mark = al_arena_mark(run->arena), room = group_room(run, t, pass);
        groups_job job = {run, t, pass, al_arena_take(run->arena, threads, room), room};
        if (!run->dry)
            al_threads_run(run->threads, apart, 1, groups_work, &job);
        al_arena_release(run->arena, mark);
    }
    for (size_t first = apart * GROUP; first < pass->batch; first += GROUP)
        group_forward(run, t, pass, first, pass->batch - first < GROUP ? pass->batch - first : GROUP);
}

size_t al_vision_blocks(const al_vision_tower *t)
{
    return t->n_blocks;
}

/* ---- preparing ---- */

/* Packs a convolution whose window is one pixel (or was unrolled into a row), with the batch norm after it folded in.
 */
static void pack_conv_norm(const al_packing *packing, al_linear *conv, const align_tensor *weight,
                           const al_batch_norm_params *norm, double eps)
{
    const size_t out = (size_t)weight->shape[0];
    const size_t in = (size_t)(align_tensor_elements(weight) / weight->shape[0]);
    al_linear_init(conv, packing, in, out);
    /* scale and shift are needed only while packing: they are taken after the weights and given back */
    const size_t packed = al_arena_mark(packing->arena);
    float *scale = al_arena_floats(packing->arena, out), *shift = al_arena_floats(packing->arena, out);
    if (al_packing_writes(packing)) {
        al_batch_norm_fold(eps, &norm->weight, &norm->bias, &norm->running_mean, &norm->running_var, scale, shift);
        const align_tensor bias = align_tensor_view(ALIGN_F32, 1, &weight->shape[0], shift);
        al_linear_pack(conv, packing, 0, out, weight, &bias, scale);
    }
    al_arena_release(packing->arena, packed);
}

static void pack_depthwise_norm(const al_packing *packing, al_depthwise_conv *conv, const align_tensor *weight,
                                const al_batch_norm_params *norm, double eps)
{
    /* here scale and shift come first, since init packs at once; they stay, a few kilobytes */
    const size_t channels = (size_t)weight->shape[0];
    float *scale = al_arena_floats(packing->arena, channels), *shift = al_arena_floats(packing->arena, channels);
    if (al_packing_writes(packing))
        al_batch_norm_fold(eps, &norm->weight, &norm->bias, &norm->running_mean, &norm->running_var, scale, shift);
    al_depthwise_conv_init(conv, packing, weight, scale, shift);
}

static void pack_block(const al_packing *packing, mbconv *m, const al_vision_block_params *p, double eps)
{
    /* a gate multiplies a whole channel: its error is everywhere */
    al_packing gates = *packing;
    if (gates.precision == ALIGN_PRECISION_INT8)
        gates.precision = ALIGN_PRECISION_BF16;
    m->expands = p->expand;
    m->residual = p->residual;
    if (p->expand)
        pack_conv_norm(packing, &m->expand, &p->expand_conv, &p->expand_norm, eps);
    pack_depthwise_norm(packing, &m->depthwise, &p->depthwise, &p->depthwise_norm, eps);
    const al_vision_padding padding = al_vision_block_padding(p);
    m->depthwise.stride = (size_t)p->stride;
    m->depthwise.before = (ptrdiff_t)padding.before;
    m->depthwise.after = (ptrdiff_t)padding.after;
    al_linear_init_packed(&m->squeeze_excite.reduce, &gates, &p->squeeze_reduce.weight, &p->squeeze_reduce.bias);
    al_linear_init_packed(&m->squeeze_excite.expand, &gates, &p->squeeze_expand.weight, &p->squeeze_expand.bias);
    pack_conv_norm(packing, &m->project, &p->project, &p->project_norm, eps);
}

typedef struct vision_source {
    al_vision_tower *tower;
    const align_vision_config *config;
    const al_vision_params *params;
} vision_source;

/* Everything that is packed, in the order in which a forward pass reads it. The stem reads pixels: f32 in every
 * precision. */
static void pack_tower(void *user, const al_packing *packing)
{
    const vision_source *source = user;
    const double eps = source->config->batch_norm_eps;
    al_packing stem = *packing;
    stem.precision = ALIGN_PRECISION_F32;
    pack_conv_norm(&stem, &source->tower->stem, &source->params->convolution, &source->params->stem_norm, eps);
    for (size_t i = 0; i < source->tower->n_blocks; i++)
        pack_block(packing, &source->tower->blocks[i], &source->params->blocks[i], eps);
}

align_status al_vision_tower_new(al_vision_tower **out, const align_vision_config *config,
                                 const al_vision_params *params, const al_packing *packing, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_vision_tower *t = al_calloc(1, sizeof *t);
    if (!t)
        return al_error_no_memory(err, sizeof *t);
    TRY(align_activation_from_name(&t->act, config->hidden_act, err));
    t->params = params;
    t->channels = (size_t)config->num_channels;
    t->pool_max = !strcmp(config->pooling_type, "max");
    t->n_blocks = params->n_blocks;
    t->blocks = al_calloc(t->n_blocks, sizeof *t->blocks);
    if (!t->blocks) {
        status = al_error_no_memory(err, t->n_blocks * sizeof *t->blocks);
        goto done;
    }
    vision_source source = {t, config, params};
    TRY(al_packing_run(packing, &t->weights, pack_tower, &source, err));
    *out = t;
    t = NULL;
done:
    al_vision_tower_free(t);
    return status;
}

const al_arena *al_vision_tower_weights(const al_vision_tower *t)
{
    return &t->weights;
}

void al_vision_tower_free(al_vision_tower *t)
{
    if (!t)
        return;
    al_arena_done(&t->weights);
    al_free(t->blocks);
    al_free(t);
}
