/*
 * expanded_backward.c: see expanded.h. From dh, the gradient of the gated h:
 *
 *     dh -> five sums a channel and picture; the gates' gradient is one of them          al_expanded_gate_sums
 *     with the gates' own way back known: dh -> dd -> the filter's gradient, and through the filter
 *          -> gradient of act(norm(e)) -> de -> the expansion's gradient and dx          al_expanded_backward
 *
 * The sums over all pixels that a batch norm's gradient wants are linear in the gates and in what reaches the pixels
 * through the gates; so one reading of dh and d gives them before either is known (al_gate_sums).
 */
#include "base/least.h"
#include "layers/expanded_job.h"
#include "layers/matmul.h"

#include <string.h>

/* ---- sums ---- */

al_gated_sums al_gated_sums_take(const al_run *run, const al_expanded *c)
{
    return (al_gated_sums){al_arena_floats(run->arena, c->batch * al_panel_width(run->kernels, c->channels) * 5)};
}

static al_gate_sums sums_of(const al_panels_job *job, size_t p, size_t b)
{
    float *s = job->gated.data + (b * job->panels + p) * 5 * job->nr;
    return (al_gate_sums){s, s + job->nr, s + 2 * job->nr, s + 3 * job->nr, s + 4 * job->nr};
}

static void gate_picture(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    const al_expanded *c = job->c;
    const al_gate_sums sums = sums_of(job, p, b);
    const al_norm_act norm = al_panel_norm(job, &c->depthwise_state, c->act, p);
    (void)scratch;
    memset(sums.dy_h, 0, 5 * job->nr * sizeof(float));
    job->run->kernels->channels->gate_sums(&norm, job->out_pixels, al_panel_of(job, c->d, job->out_pixels, p, b),
                                           al_panel_of(job, job->dh, job->out_pixels, p, b), &sums);
    memcpy(job->dgates + b * job->width + p * job->nr, sums.dy_h, job->nr * sizeof(float));
}

void al_expanded_gate_sums(const al_run *run, const al_expanded *c, float *dh, al_gated_sums sums, float *dgates)
{
    const size_t mark = al_arena_mark(run->arena);
    al_panels_job job = al_panels_take(run, c);
    job.dh = dh;
    job.gated = sums;
    job.dgates = dgates;
    const al_panel_step step = {.picture = gate_picture};
    if (!run->dry)
        al_panels_run(&job, &step, 1);
    al_arena_release(run->arena, mark);
}

/* Those of dz and dz (x - mean) over all pictures, dz being the gradient at the depthwise norm. */
static void add_up_gated(const al_panels_job *job)
{
    double *sums = job->depthwise_sums;
    memset(sums, 0, 2 * job->width * sizeof *sums);
    for (size_t b = 0; b < job->c->batch; b++)
        for (size_t p = 0; p < job->panels; p++) {
            const al_gate_sums s = sums_of(job, p, b);
            for (size_t i = 0; i < job->nr; i++) {
                const size_t c = p * job->nr + i, at = b * job->width + c;
                const double gate = (double)job->gates[at], extra = (double)job->extra[at];
                sums[c] += gate * (double)s.dy_slope[i] + extra * (double)s.slope[i];
                sums[job->width + c] += gate * (double)s.dy_slope_u[i] + extra * (double)s.slope_u[i];
            }
        }
}

/* ---- through the filter ---- */

/* One panel of one picture on its way back: what its bands of rows share. */
typedef struct way_back {
    const al_panels_job *job;
    size_t p, b;
    al_depthwise_gradient g; /* of the whole picture, but that din has the rows of a band alone */
    float *input, *dd;       /* what was filtered; the gradient of what came out */
    float *dz_sums, *dz_u_sums;
} way_back;

static way_back way_back_of(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    const al_expanded *c = job->c;
    const al_depthwise filter = al_panel_filter(job, p);
    float *dinput = scratch + job->pixels * job->nr, *dd = dinput + job->pixels * job->nr;
    return (way_back){.job = job,
                      .p = p,
                      .b = b,
                      .input = scratch,
                      .dd = dd,
                      .g = {.in_rows = c->rows,
                            .in_columns = c->columns,
                            .out_rows = c->out_rows,
                            .out_columns = c->out_columns,
                            .channels = filter.channels,
                            .kernel = c->kernel,
                            .stride = c->stride,
                            .top = c->before,
                            .left = c->before,
                            .in = scratch,
                            .weight = filter.weight,
                            .dout = dd,
                            .din = dinput,
                            .dweight = job->dfilter + (b * job->panels + p) * c->kernel * c->kernel * job->nr}};
}

/* dh -> dd, rows [begin, end) */
static void norm_back(const way_back *w, size_t begin, size_t end)
{
    const al_panels_job *job = w->job;
    const al_expanded *c = job->c;
    const size_t at = w->b * job->width + w->p * job->nr, first = begin * c->out_columns * job->nr;
    al_norm_act norm = al_panel_norm(job, &c->depthwise_state, c->act, w->p);
    norm.gate = job->gates + at;
    norm.extra = job->extra + at;
    norm.slope = job->slope + w->p * job->nr;
    norm.offset = job->offset + w->p * job->nr;
    job->run->kernels->channels->norm_act_backward(
        &norm, (end - begin) * c->out_columns, al_panel_of(job, c->d, job->out_pixels, w->p, w->b) + first,
        al_panel_of(job, job->dh, job->out_pixels, w->p, w->b) + first, w->dd + first);
}

/* What rows [begin, end) of dd add to the filter's gradient. */
static void weight_rows(const way_back *w, size_t begin, size_t end)
{
    al_depthwise_gradient g = w->g;
    g.out_rows = end - begin;
    g.dout += begin * g.out_columns * w->job->nr;
    g.top -= (ptrdiff_t)(begin * g.stride);
    w->job->run->kernels->channels->depthwise_weight(&g);
}

/* Rows of the input whose gradient is known from the first `rows` of dd, and may be put where it goes: perhaps over
 * rows of dh, but only those that have been read. */
static size_t rows_known(const al_panels_job *job, size_t rows)
{
    const al_expanded *c = job->c;
    const ptrdiff_t known = (ptrdiff_t)(rows * c->stride) - c->before;
    if (rows == c->out_rows)
        return c->rows;
    return known < 0 ? 0 : al_least((size_t)known, job->dz == job->dh ? al_least(rows, c->rows) : c->rows);
}

/* dd -> din, rows [begin, end) of the input. For stride 1 that is a convolution with the filter turned round; other
 * strides have a kernel of their own. */
static void input_rows(const way_back *w, size_t begin, size_t end)
{
    const al_panels_job *job = w->job;
    const al_expanded *c = job->c;
    if (c->stride != 1) {
        al_depthwise_gradient g = w->g;
        g.in_rows = end - begin;
        g.top += (ptrdiff_t)begin;
        job->run->kernels->channels->depthwise_input(&g);
        return;
    }
    al_depthwise d = al_panel_filter(job, w->p);
    d.in_rows = c->out_rows;
    d.in_columns = c->out_columns;
    d.out_rows = end - begin;
    d.out_columns = c->columns;
    d.left = (ptrdiff_t)c->kernel - 1 - c->before;
    d.top = d.left - (ptrdiff_t)begin;
    d.in = w->dd;
    d.weight = job->flipped + w->p * c->kernel * c->kernel * job->nr;
    d.out = w->g.din;
    job->run->kernels->depthwise(&d, 0, d.out_rows);
}

/* Rows of a panel of dx, where nothing was expanded: what comes through the filter, and the residual. */
static void put_rows(const way_back *w, size_t begin, size_t end)
{
    const al_panels_job *job = w->job;
    const size_t channels = job->c->channels, n = al_least(channels - w->p * job->nr, job->nr);
    const size_t at = (w->b * job->pixels + begin * job->c->columns) * channels + w->p * job->nr;
    for (size_t i = 0; i < (end - begin) * job->c->columns; i++) {
        float *dx = job->dx + at + i * channels;
        memcpy(dx, w->g.din + i * job->nr, n * sizeof *dx);
        if (job->residual)
            job->run->kernels->add(n, job->residual + at + i * channels, dx);
    }
}

/* din, rows [begin, end) -> dz, that of what act is taken of after the expansion's norm, and its sums. */
static void activation_back(const way_back *w, size_t begin, size_t end)
{
    const al_panels_job *job = w->job;
    const size_t first = begin * job->c->columns * job->nr;
    const al_norm_act norm = al_panel_norm(job, &job->c->expand_state, job->c->act, w->p);
    job->run->kernels->channels->norm_act_sums(
        &norm, (end - begin) * job->c->columns, al_panel_of(job, job->c->e, job->pixels, w->p, w->b) + first, w->g.din,
        al_panel_of(job, job->dz, job->pixels, w->p, w->b) + first, w->dz_sums, w->dz_u_sums);
}

/* dh -> the filter's gradient, and dz or dx; band by band, so that what one step writes the next reads while it is
 * near. */
static void filter_back(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    const al_expanded *c = job->c;
    way_back w = way_back_of(job, p, b, scratch);
    float sums[2 * AL_PEAK_LANES] = {0.0f};
    w.dz_sums = sums;
    w.dz_u_sums = sums + job->nr;
    memset(w.g.dweight, 0, c->kernel * c->kernel * job->nr * sizeof *w.g.dweight);
    size_t filled = 0, done = 0;
    for (size_t y = 0, next; y < c->out_rows; y = next) {
        next = al_least(c->out_rows, y + al_panel_band(c));
        norm_back(&w, y, next);
        if (job->gradient->filter) {
            filled = al_panel_fill(job, p, b, filled, next, w.input);
            weight_rows(&w, y, next);
        }
        const size_t known = job->below ? rows_known(job, next) : done;
        if (known == done)
            continue;
        input_rows(&w, done, known);
        if (c->expand)
            activation_back(&w, done, known);
        else
            put_rows(&w, done, known);
        done = known;
    }
    double *partial = al_panel_partial(job, b) + p * job->nr;
    for (size_t i = 0; i < job->nr; i++) {
        partial[i] = (double)w.dz_sums[i];
        partial[job->width + i] = (double)w.dz_u_sums[i];
    }
}

static void merge_expand(const al_panels_job *job, size_t p)
{
    const al_expanded *c = job->c;
    al_panel_merge(job, p, job->expand_sums);
    al_batch_norm_gradients(&c->expand_norm, &c->expand_state, job->expand_sums, p * job->nr, (p + 1) * job->nr);
}

static void derive_expand(const al_panels_job *job, size_t p)
{
    if (job->c->mode.batch)
        al_batch_norm_slopes(&job->c->expand_state, job->expand_sums, p * job->nr, (p + 1) * job->nr, job->expand_slope,
                             job->expand_offset);
}

/* dz -> de, in place of e */
static void expand_back(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    float *e = al_panel_of(job, job->c->e, job->pixels, p, b);
    al_norm_act norm = al_panel_norm(job, &job->c->expand_state, ALIGN_ACT_LINEAR, p);
    (void)scratch;
    norm.slope = job->expand_slope + p * job->nr;
    norm.offset = job->expand_offset + p * job->nr;
    job->run->kernels->channels->norm_act_backward(&norm, job->pixels, e, al_panel_of(job, job->dz, job->pixels, p, b),
                                                   e);
}

/* The pictures' gradients of the filter, in their order. */
static void add_up_filter(const al_panels_job *job)
{
    const size_t taps = job->c->kernel * job->c->kernel, width = job->width;
    for (size_t b = 0; b < job->c->batch; b++)
        for (size_t c = 0; c < job->c->channels; c++)
            for (size_t t = 0; t < taps; t++)
                job->gradient->filter[c * taps + t] +=
                    job->dfilter[b * width * taps + (c / job->nr * taps + t) * job->nr + c % job->nr];
}

/* ---- all of it ---- */

/* Both norms' slopes and offsets: zero where statistics are constants. */
static void take_slopes(al_panels_job *job)
{
    float *numbers = al_arena_floats(job->run->arena, 4 * job->width);
    job->slope = numbers;
    job->offset = numbers + job->width;
    job->expand_slope = numbers + 2 * job->width;
    job->expand_offset = numbers + 3 * job->width;
    if (!job->run->dry)
        memset(numbers, 0, 4 * job->width * sizeof *numbers);
}

static void depthwise_slopes(const al_panels_job *job)
{
    const al_expanded *c = job->c;
    add_up_gated(job);
    al_batch_norm_gradients(&c->depthwise_norm, &c->depthwise_state, job->depthwise_sums, 0, job->width);
    if (!c->mode.batch)
        return;
    if (c->mode.sync)
        c->mode.sync->sum(c->mode.sync->user, job->depthwise_sums, al_norm_sums_size(job->width));
    al_batch_norm_slopes(&c->depthwise_state, job->depthwise_sums, 0, job->width, job->slope, job->offset);
}

/* The expansion, from de in place of e. */
static void expansion_backward(const al_run *run, const al_expanded *c, const al_expanded_gradient *gradient,
                               const float *residual, float *dx)
{
    const size_t pixels = c->batch * c->rows * c->columns;
    al_weight_gradient(run, c->precision, pixels, c->in, c->channels, al_panels(run, c->e, pixels),
                       al_rows(run, c->x, c->in), gradient->expand);
    const al_matmul product = {.m = pixels,
                               .n = c->in,
                               .k = c->channels,
                               .a = al_panels(run, c->e, pixels),
                               .b = al_rows(run, c->expand, c->in),
                               .c = dx,
                               .c_row_stride = c->in,
                               .c_panel = run->kernels->nr,
                               .add = residual != NULL,
                               .precision = c->precision};
    if (!dx)
        return;
    if (residual && !run->dry)
        memcpy(dx, residual, pixels * c->in * sizeof *dx);
    al_matmul_run(run, &product);
}

void al_expanded_backward(const al_run *run, const al_expanded *c, const float *gates, const float *extra,
                          al_gated_sums sums, float *dh, const al_expanded_gradient *gradient, const float *residual,
                          float *dx)
{
    const size_t mark = al_arena_mark(run->arena);
    al_panels_job job = al_panels_take(run, c);
    const size_t pixels = c->batch * job.pixels;
    const bool expands = c->expand != NULL;
    job.gates = gates;
    job.extra = extra;
    job.gated = sums;
    job.dh = dh;
    job.gradient = gradient;
    job.residual = residual;
    job.dx = dx;
    job.below = dx || (expands && (gradient->expand || c->expand_norm.weight_gradient || c->expand_norm.bias_gradient));
    job.dfilter = al_arena_floats(run->arena, c->batch * job.width * c->kernel * c->kernel);
    job.dz =
        !expands || !job.below || job.out_pixels == job.pixels ? dh : al_arena_floats(run->arena, pixels * job.width);
    take_slopes(&job);
    const al_panel_step steps[] = {{filter_back, merge_expand, job.expand_sums, derive_expand},
                                   {.picture = expand_back}};
    const al_panel_step last = {.picture = filter_back};
    if (!run->dry) {
        depthwise_slopes(&job);
        al_panels_run(&job, expands && job.below ? steps : &last, expands && job.below ? 2 : 1);
        if (gradient->filter)
            add_up_filter(&job);
    }
    al_arena_release(run->arena, mark);
    if (expands && job.below)
        expansion_backward(run, c, gradient, residual, dx);
}
