/* expanded.c: see expanded.h; expanded_backward.c has the way back. */
#include "layers/expanded.h"

#include "base/least.h"
#include "layers/expanded_job.h"

#include <string.h>

/* ---- panels of pictures ---- */

size_t al_panel_lanes(const al_panels_job *job, size_t p)
{
    const size_t vl = job->run->kernels->vl, left = job->c->channels - p * job->nr;
    return al_least((left + vl - 1) / vl * vl, job->nr);
}

float *al_panel_of(const al_panels_job *job, float *base, size_t pixels, size_t p, size_t b)
{
    return base + (p * job->c->batch + b) * pixels * job->nr;
}

al_norm_act al_panel_norm(const al_panels_job *job, const al_norm_state *state, align_activation act, size_t p)
{
    const size_t at = p * job->nr;
    return (al_norm_act){.act = act,
                         .n = al_panel_lanes(job, p),
                         .stride = job->nr,
                         .scale = state->scale + at,
                         .shift = state->shift + at,
                         .mean = state->mean + at};
}

static size_t taps_of(const al_panels_job *job)
{
    return job->c->kernel * job->c->kernel;
}

/* Floats of scratch a thread: two pictures of what is filtered and one of what comes out, of one panel. */
static size_t scratch_size(const al_panels_job *job)
{
    return (2 * job->pixels + job->out_pixels) * job->nr;
}

al_panels_job al_panels_take(const al_run *run, const al_expanded *c)
{
    al_panels_job job = {.run = run,
                         .c = c,
                         .nr = run->kernels->nr,
                         .panels = al_panel_count(run->kernels, c->channels),
                         .width = al_panel_width(run->kernels, c->channels),
                         .pixels = c->rows * c->columns,
                         .out_pixels = c->out_rows * c->out_columns};
    const size_t size = taps_of(&job) * job.width;
    float *weight = al_arena_floats(run->arena, size), *flipped = al_arena_floats(run->arena, size);
    float *zeros = al_arena_floats(run->arena, job.nr);
    job.scratch = al_arena_floats(run->arena, (size_t)al_threads_count(run->threads) * scratch_size(&job));
    job.partial = al_arena_take(run->arena, c->batch * al_norm_sums_size(job.width), sizeof(double));
    job.expand_sums = al_arena_take(run->arena, al_norm_sums_size(job.width), sizeof(double));
    job.depthwise_sums = al_arena_take(run->arena, al_norm_sums_size(job.width), sizeof(double));
    job.weight = weight;
    job.flipped = flipped;
    job.zeros = zeros;
    if (run->dry)
        return job;
    *al_norm_count(job.expand_sums, job.width) = (double)(c->batch * job.pixels);
    *al_norm_count(job.depthwise_sums, job.width) = (double)(c->batch * job.out_pixels);
    memset(weight, 0, size * sizeof *weight);
    memset(flipped, 0, size * sizeof *flipped);
    memset(zeros, 0, job.nr * sizeof *zeros);
    for (size_t channel = 0; channel < c->channels; channel++)
        for (size_t t = 0, taps = taps_of(&job); t < taps; t++) {
            const size_t at = channel / job.nr * taps * job.nr + channel % job.nr;
            weight[at + t * job.nr] = flipped[at + (taps - 1 - t) * job.nr] = c->filter[channel * taps + t];
        }
    return job;
}

typedef struct steps_job {
    const al_panels_job *job;
    const al_panel_step *steps;
    size_t n;
} steps_job;

static float *scratch_of(const al_panels_job *job, int thread)
{
    return job->scratch + (size_t)thread * scratch_size(job);
}

/* All steps of some panels, one panel after the other. */
static void panel_work(void *user, size_t begin, size_t end, int thread)
{
    const steps_job *s = user;
    for (size_t p = begin; p < end; p++)
        for (const al_panel_step *step = s->steps; step < s->steps + s->n; step++) {
            for (size_t b = 0; b < s->job->c->batch; b++)
                step->picture(s->job, p, b, scratch_of(s->job, thread));
            if (step->merge) {
                step->merge(s->job, p);
                step->derive(s->job, p);
            }
        }
}

/* One step of some panels of some pictures: all panels of a picture follow each other. */
static void picture_work(void *user, size_t begin, size_t end, int thread)
{
    const steps_job *s = user;
    for (size_t item = begin; item < end; item++)
        s->steps->picture(s->job, item % s->job->panels, item / s->job->panels, scratch_of(s->job, thread));
}

/* Bytes of a panel of all pictures up to which it goes through all steps alone, in L2. */
#define PANEL_BYTES ((size_t)1536 * 1024)

void al_panels_run(const al_panels_job *job, const al_panel_step *steps, size_t n)
{
    const al_run *run = job->run;
    const al_collective *sync = job->c->mode.batch ? job->c->mode.sync : NULL;
    const size_t bytes = job->c->batch * (job->pixels + job->out_pixels) * job->nr * sizeof(float);
    if (!sync && bytes <= PANEL_BYTES) {
        steps_job s = {job, steps, n};
        al_threads_run(run->threads, job->panels, 1, panel_work, &s);
        return;
    }
    for (const al_panel_step *step = steps; step < steps + n; step++) {
        steps_job s = {job, step, 1};
        al_threads_run(run->threads, job->panels * job->c->batch, 0, picture_work, &s);
        if (!step->merge)
            continue;
        for (size_t p = 0; p < job->panels; p++)
            step->merge(job, p);
        if (sync)
            sync->sum(sync->user, step->sums, al_norm_sums_size(job->width));
        for (size_t p = 0; p < job->panels; p++)
            step->derive(job, p);
    }
}

/* ---- sums of a batch norm ---- */

/* Rows whose moments are taken at once: few enough for floats. */
#define MOMENT_ROWS ((size_t)128)

double *al_panel_partial(const al_panels_job *job, size_t b)
{
    return job->partial + b * al_norm_sums_size(job->width);
}

static void clear_partial(const al_panels_job *job, size_t p, size_t b)
{
    double *sums = al_panel_partial(job, b) + p * job->nr;
    memset(sums, 0, job->nr * sizeof *sums);
    memset(sums + job->width, 0, job->nr * sizeof *sums);
}

/* Adds those of `rows` pixels of a panel. */
static void add_moments(const al_panels_job *job, size_t p, size_t b, size_t rows, const float *x)
{
    float mean[AL_PEAK_LANES], squares[AL_PEAK_LANES];
    const size_t n = al_panel_lanes(job, p);
    for (size_t row = 0, piece; row < rows; row += piece) {
        piece = al_least(rows - row, MOMENT_ROWS);
        job->run->kernels->channels->moments(piece, n, job->nr, x + row * job->nr, mean, squares);
        al_norm_add_moments(al_panel_partial(job, b), job->width, p * job->nr, n, piece, mean, squares);
    }
}

void al_panel_merge(const al_panels_job *job, size_t p, double *sums)
{
    for (size_t half = 0; half < 2; half++)
        for (size_t c = 0; c < job->nr; c++) {
            const size_t i = half * job->width + p * job->nr + c;
            sums[i] = 0.0;
            for (size_t b = 0; b < job->c->batch; b++)
                sums[i] += al_panel_partial(job, b)[i];
        }
}

static void merge_expand(const al_panels_job *job, size_t p)
{
    al_panel_merge(job, p, job->expand_sums);
}

static void merge_depthwise(const al_panels_job *job, size_t p)
{
    al_panel_merge(job, p, job->depthwise_sums);
}

static void derive_expand(const al_panels_job *job, size_t p)
{
    al_batch_norm_begin(&job->c->expand_norm, &job->c->expand_state, job->expand_sums, p * job->nr, (p + 1) * job->nr);
}

static void derive_depthwise(const al_panels_job *job, size_t p)
{
    al_batch_norm_begin(&job->c->depthwise_norm, &job->c->depthwise_state, job->depthwise_sums, p * job->nr,
                        (p + 1) * job->nr);
}

/* ---- forward ---- */

/* Pixels of a panel that are still in a cache when they are looked at again. */
#define HOT_PIXELS ((size_t)1024)

static void expand_picture(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    const al_expanded *c = job->c;
    const size_t first = b * job->pixels;
    (void)scratch;
    float *e = al_panel_of(job, c->e, job->pixels, p, b);
    al_gemm gemm = al_linear_gemm(&job->expand);
    gemm.m = job->pixels;
    gemm.act = ALIGN_ACT_LINEAR;
    gemm.a = al_rows(job->run, c->x + first * c->in, c->in);
    gemm.operand = job->operand ? job->operand + first * al_linear_operand_row(&job->expand) : NULL;
    gemm.c = e;
    gemm.c_row_stride = job->nr;
    gemm.c_panel = 0; /* whichever panel it is, it goes to the same place */
    gemm.c_padded = true;
    clear_partial(job, p, b);
    for (size_t row = 0, rows; row < job->pixels; row += rows) {
        rows = al_least(job->pixels - row, HOT_PIXELS);
        al_linear_kernel(job->run, &job->expand, job->operand != NULL)(&gemm, row, row + rows, p, p + 1);
        if (!job->gates && c->mode.batch)
            add_moments(job, p, b, rows, e + row * job->nr);
    }
}

size_t al_panel_band(const al_expanded *c)
{
    return HOT_PIXELS / c->out_columns + 1;
}

/* Rows [begin, end) of what is filtered. */
static void fill_input(const al_panels_job *job, size_t p, size_t b, size_t begin, size_t end, float *input)
{
    const al_expanded *c = job->c;
    const size_t first = begin * c->columns, pixels = (end - begin) * c->columns, nr = job->nr;
    input += first * nr;
    if (c->expand) {
        const al_norm_act norm = al_panel_norm(job, &c->expand_state, c->act, p);
        const float *e = al_panel_of(job, c->e, job->pixels, p, b) + first * nr;
        job->run->kernels->channels->norm_act(&norm, pixels, e, input, NULL);
        return;
    }
    const size_t n = al_least(c->channels - p * nr, nr);
    const float *x = c->x + (b * job->pixels + first) * c->channels + p * nr;
    for (size_t i = 0; i < pixels; i++) {
        memcpy(input + i * nr, x + i * c->channels, n * sizeof *input);
        memset(input + i * nr + n, 0, (nr - n) * sizeof *input);
    }
}

size_t al_panel_fill(const al_panels_job *job, size_t p, size_t b, size_t filled, size_t next, float *input)
{
    const al_expanded *c = job->c;
    const ptrdiff_t reach = (ptrdiff_t)((next - 1) * c->stride + c->kernel) - c->before;
    const size_t to = reach < 0 ? 0 : al_least((size_t)reach, c->rows);
    if (to <= filled)
        return filled;
    fill_input(job, p, b, filled, to, input);
    return to;
}

al_depthwise al_panel_filter(const al_panels_job *job, size_t p)
{
    const al_expanded *c = job->c;
    return (al_depthwise){.in_rows = c->rows,
                          .in_columns = c->columns,
                          .out_rows = c->out_rows,
                          .out_columns = c->out_columns,
                          .channels = al_panel_lanes(job, p),
                          .in_pixel = job->nr,
                          .kernel = c->kernel,
                          .stride = c->stride,
                          .top = c->before,
                          .left = c->before,
                          .act = ALIGN_ACT_LINEAR,
                          .weight = job->weight + p * taps_of(job) * job->nr,
                          .bias = job->zeros};
}

/* Band by band, so that what is filled in is filtered, and what is filtered added up, while it is near. */
static void filter_picture(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    const al_expanded *c = job->c;
    al_depthwise d = al_panel_filter(job, p);
    d.in = scratch;
    d.out = al_panel_of(job, c->d, job->out_pixels, p, b);
    clear_partial(job, p, b);
    size_t filled = 0;
    for (size_t y = 0, next; y < c->out_rows; y = next) {
        next = al_least(c->out_rows, y + al_panel_band(c));
        filled = al_panel_fill(job, p, b, filled, next, scratch);
        job->run->kernels->depthwise(&d, y, next);
        if (!job->gates && c->mode.batch)
            add_moments(job, p, b, (next - y) * c->out_columns, d.out + y * c->out_columns * job->nr);
    }
}

/* h = act(norm(d)) gates, and the means of it. */
static void activate_picture(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    const al_expanded *c = job->c;
    const size_t first = p * job->nr;
    al_norm_act norm = al_panel_norm(job, &c->depthwise_state, c->act, p);
    float sums[AL_PEAK_LANES] = {0.0f};
    (void)scratch;
    norm.gate = job->gates ? job->gates + b * job->width + first : NULL;
    job->run->kernels->channels->norm_act(&norm, job->out_pixels, al_panel_of(job, c->d, job->out_pixels, p, b),
                                          al_panel_of(job, job->h, job->out_pixels, p, b), job->means ? sums : NULL);
    for (size_t i = 0; job->means && i < al_least(c->channels - first, job->nr); i++)
        job->means[b * c->channels + first + i] = sums[i] / (float)job->out_pixels;
}

/* All of it, where no statistics are to be waited for. */
static void known_picture(const al_panels_job *job, size_t p, size_t b, float *scratch)
{
    if (!job->kept) {
        if (job->c->expand)
            expand_picture(job, p, b, scratch);
        filter_picture(job, p, b, scratch);
    }
    activate_picture(job, p, b, scratch);
}

/* Packs the expansion and prepares its rows. */
static void take_expansion(al_panels_job *job)
{
    const al_expanded *c = job->c;
    const al_run *run = job->run;
    const size_t pixels = c->batch * job->pixels;
    if (!c->expand || job->kept)
        return;
    job->expand = al_pack_for_pass(run, c->precision, c->in, c->channels, c->expand);
    if (!al_linear_prepares(&job->expand, pixels))
        return;
    char *operand = al_arena_take(run->arena, pixels, al_linear_operand_row(&job->expand));
    al_linear_prepare(run, &job->expand, pixels, al_rows(run, c->x, c->in), NULL, operand);
    job->operand = operand;
}

void al_expanded_forward(const al_run *run, const al_expanded *c, float *h, float *means)
{
    const size_t mark = al_arena_mark(run->arena);
    al_panels_job job = al_panels_take(run, c);
    job.h = h;
    job.means = means;
    take_expansion(&job);
    const al_panel_step known = {.picture = known_picture};
    const al_panel_step steps[] = {{expand_picture, merge_expand, job.expand_sums, derive_expand},
                                   {filter_picture, merge_depthwise, job.depthwise_sums, derive_depthwise},
                                   {.picture = activate_picture}};
    if (!run->dry && !c->mode.batch) {
        if (c->expand)
            al_batch_norm_begin(&c->expand_norm, &c->expand_state, NULL, 0, job.width);
        al_batch_norm_begin(&c->depthwise_norm, &c->depthwise_state, NULL, 0, job.width);
        al_panels_run(&job, &known, 1);
    } else if (!run->dry) {
        al_panels_run(&job, c->expand ? steps : steps + 1, c->expand ? 3 : 2);
        if (c->mode.update && c->expand)
            al_batch_norm_update(&c->expand_norm, job.width, job.expand_sums);
        if (c->mode.update)
            al_batch_norm_update(&c->depthwise_norm, job.width, job.depthwise_sums);
    }
    al_arena_release(run->arena, mark);
}

void al_expanded_again(const al_run *run, const al_expanded *c, bool kept, const float *gates, float *h)
{
    const size_t mark = al_arena_mark(run->arena);
    al_panels_job job = al_panels_take(run, c);
    job.kept = kept;
    job.h = h;
    job.gates = gates;
    take_expansion(&job);
    const al_panel_step known = {.picture = known_picture};
    if (!run->dry)
        al_panels_run(&job, &known, 1);
    al_arena_release(run->arena, mark);
}
