/* conv.c: see conv.h. */
#include "layers/conv.h"

#include "base/least.h"
#include "base/tensor.h"
#include "layers/profile.h"

#include <string.h>

/* ---- stem ---- */

typedef struct windows_job {
    size_t channels, height, width;
    const float *pixels;
    float *windows;
} windows_job;

/* One item is one row of windows of one picture. */
static void windows_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const windows_job *job = user;
    const size_t height = job->height, width = job->width, rows = height / 2, columns = width / 2;
    for (size_t item = begin; item < end; item++) {
        const size_t b = item / rows, y = item % rows;
        float *to = job->windows + item * columns * job->channels * 9;
        for (size_t x = 0; x < columns; x++)
            for (size_t g = 0; g < job->channels; g++) {
                const float *plane = job->pixels + (b * job->channels + g) * height * width;
                for (size_t i = 2 * y; i < 2 * y + 3; i++)
                    for (size_t j = 2 * x; j < 2 * x + 3; j++)
                        *to++ = i < height && j < width ? plane[i * width + j] : 0.0f;
            }
    }
}

void al_stem_windows(const al_run *run, size_t batch, size_t channels, size_t height, size_t width, const float *pixels,
                     float *windows)
{
    if (run->dry)
        return;
    al_profile_count(run, 0, 0, batch * channels * height * width * sizeof *pixels);
    windows_job job = {channels, height, width, pixels, windows};
    al_threads_run(run->threads, batch * (height / 2), 8, windows_work, &job);
}

/* ---- depthwise ---- */

void al_depthwise_conv_init(al_depthwise_conv *conv, const al_packing *packing, const align_tensor *weight,
                            const float *scale, const float *bias)
{
    const al_kernels *k = packing->kernels;
    const size_t channels = (size_t)weight->shape[0], kernel = (size_t)weight->shape[2], taps = kernel * kernel;
    const size_t padded = al_panel_width(k, channels), size = align_dtype_size(weight->dtype);
    float *w = al_arena_floats(packing->arena, padded * taps), *b = al_arena_floats(packing->arena, padded);
    conv->channels = channels;
    conv->kernel = kernel;
    conv->weight = w;
    conv->bias = b;
    if (!al_packing_writes(packing))
        return;
    memset(w, 0, padded * taps * sizeof *w);
    memset(b, 0, padded * sizeof *b);
    for (size_t c = 0; c < channels; c++) {
        for (size_t t = 0; t < taps; t++) {
            float value;
            al_to_f32(weight->dtype, (const char *)weight->data + (c * taps + t) * size, 1, &value);
            w[(c / k->nr * taps + t) * k->nr + c % k->nr] = value * scale[c];
        }
        b[c] = bias[c];
    }
}

size_t al_depthwise_conv_size(const al_depthwise_conv *conv, size_t n)
{
    const ptrdiff_t room = (ptrdiff_t)n + conv->before + conv->after - (ptrdiff_t)conv->kernel;
    return room < 0 ? 0 : (size_t)room / conv->stride + 1;
}

/*
 * The expanded rows that a thread holds at a time: about this many floats of a panel, so that they and the weights stay
 * in L2. A larger picture goes through a window that slides down: the last rows of one band are the first of the next.
 */
#define WINDOW_FLOATS ((size_t)40 * 1024)

/*
 * One panel of one picture is an item of work, with two exceptions. Where there are so few that threads would have
 * none, pictures are cut into parts, which expand again the few rows that they share. Where pictures are so small that
 * a window holds several, these are expanded together: a product wants many rows. All this follows from the shapes
 * alone: sums must not depend on the number of threads.
 */
#define ITEMS         8
#define PART_ROWS     16
#define TOGETHER_ROWS ((size_t)384) /* with more, what they are made of leaves L2 */

typedef struct expand_job {
    const al_run *run;
    const al_linear *expand; /* NULL: none */
    const al_depthwise_conv *conv;
    size_t batch, panels;
    size_t rows, columns, out_rows, out_columns;
    size_t parts, part;   /* of a picture; output rows of one */
    size_t together;      /* whole pictures of an item; 1 where they are cut or pass by in bands */
    size_t band;          /* output rows of one band */
    size_t window_floats; /* that hold the input rows a band reaches */
    align_activation act;
    const float *x;
    const char *operand; /* x as the expansion's product wants it; NULL: in place */
    float *y;
    float *sums;    /* [parts][B][panels * nr] */
    float *windows; /* one a thread */
} expand_job;

/* Whether panel p can be filtered where it lies in x, without an expansion and without padding. */
static bool in_place(const expand_job *job, size_t p)
{
    const al_kernels *k = job->run->kernels;
    return !job->expand && (p + 1 < job->panels || job->conv->channels % k->vl == 0);
}

static void plan(expand_job *job)
{
    const size_t nr = job->run->kernels->nr, kernel = job->conv->kernel, stride = job->conv->stride;
    const size_t items = job->panels * job->batch, most = (job->out_rows + PART_ROWS - 1) / PART_ROWS;
    job->parts = items < ITEMS ? (ITEMS + items - 1) / items : 1;
    job->parts = job->parts < most ? job->parts : most;
    job->part = (job->out_rows + job->parts - 1) / job->parts;
    job->parts = (job->out_rows + job->part - 1) / job->part; /* none is empty */
    const size_t fit = WINDOW_FLOATS / (job->columns * nr);
    job->band = fit >= job->rows ? job->part : fit > kernel ? (fit - kernel) / stride + 1 : 1;
    job->band = job->band < job->part ? job->band : job->part;
    const size_t wanted = al_least(TOGETHER_ROWS / (job->rows * job->columns), fit / job->rows);
    job->together = job->expand && job->band == job->out_rows ? al_least(wanted, job->batch) : 1;
    job->together = job->together < 1 ? 1 : job->together;
    const size_t reach = (job->band - 1) * stride + kernel, band_rows = reach < job->rows ? reach : job->rows;
    const size_t held = job->together > 1 ? job->together * job->rows : band_rows;
    job->window_floats = in_place(job, job->panels - 1) ? 0 : held * job->columns * nr;
}

/* Rows [begin, end) of panel p, counted through all pictures, expanded or as they are. */
static void fill_rows(const expand_job *job, size_t p, size_t begin, size_t end, float *out)
{
    const size_t first = begin * job->columns, pixels = (end - begin) * job->columns;
    const size_t nr = job->run->kernels->nr;
    if (job->expand) {
        const al_linear *l = job->expand;
        al_gemm gemm = al_linear_gemm(l);
        gemm.m = pixels;
        gemm.a = (al_matrix){job->x + first * l->in, l->in, nr};
        gemm.operand = job->operand ? job->operand + first * al_linear_operand_row(l) : NULL;
        gemm.act = job->act;
        gemm.c = out;
        gemm.c_row_stride = nr;
        gemm.c_panel = 0; /* whichever panel it is, it goes to the same place */
        gemm.c_padded = true;
        al_linear_kernel(job->run, l, job->operand != NULL)(&gemm, 0, pixels, p, p + 1);
        return;
    }
    const size_t channels = job->conv->channels, n = channels - p * nr < nr ? channels - p * nr : nr;
    for (size_t i = 0; i < pixels; i++) {
        memcpy(out + i * nr, job->x + (first + i) * channels + p * nr, n * sizeof *out);
        memset(out + i * nr + n, 0, (nr - n) * sizeof *out);
    }
}

/* max(0, min(v, most)) */
static size_t clamp(ptrdiff_t v, size_t most)
{
    return v < 0 ? 0 : (size_t)v < most ? (size_t)v : most;
}

/* The depthwise convolution of a part of panel p of picture b, its sums empty. It reads whole pictures at `in`. */
static al_depthwise depthwise_of(const expand_job *job, size_t p, size_t b, size_t part, const float *in,
                                 size_t in_pixel)
{
    const al_depthwise_conv *conv = job->conv;
    const al_kernels *k = job->run->kernels;
    const size_t nr = k->nr, left = conv->channels - p * nr;
    float *sums = job->sums + ((part * job->batch + b) * job->panels + p) * nr;
    memset(sums, 0, nr * sizeof *sums);
    return (al_depthwise){.channels = left < nr ? (left + k->vl - 1) / k->vl * k->vl : nr,
                          .in_pixel = in_pixel,
                          .in_rows = job->rows,
                          .in_columns = job->columns,
                          .out_rows = job->out_rows,
                          .out_columns = job->out_columns,
                          .kernel = conv->kernel,
                          .stride = conv->stride,
                          .top = conv->before,
                          .left = conv->before,
                          .act = job->act,
                          .in = in,
                          .weight = conv->weight + p * conv->kernel * conv->kernel * nr,
                          .bias = conv->bias + p * nr,
                          .out = job->y + (p * job->batch + b) * job->out_rows * job->out_columns * nr,
                          .sums = sums};
}

/* Output rows [begin, end), band by band through the window. */
static void filter_expanded(const expand_job *job, size_t p, size_t b, size_t begin, size_t end, al_depthwise d,
                            float *window, int thread)
{
    const al_depthwise_conv *conv = job->conv;
    const size_t row = job->columns * job->run->kernels->nr;
    size_t first = 0, held = 0; /* the window holds input rows first .. held - 1 */
    for (size_t y = begin, next; y < end; y = next) {
        next = end - y < job->band ? end : y + job->band;
        const size_t from = clamp((ptrdiff_t)(y * conv->stride) - conv->before, job->rows);
        const size_t to = clamp((ptrdiff_t)((next - 1) * conv->stride + conv->kernel) - conv->before, job->rows);
        if (held > from)
            memmove(window, window + (from - first) * row, (held - from) * row * sizeof *window);
        else
            held = from;
        first = from;
        if (to > held) {
            fill_rows(job, p, b * job->rows + held, b * job->rows + to, window + (held - first) * row);
            held = to;
        }
        al_profile_lap(job->run, thread, job->expand ? ALIGN_STEP_EXPAND : ALIGN_STEP_DEPTHWISE);
        d.in_rows = job->rows - first; /* row 0 of the kernel's picture is row `first` of ours */
        d.top = conv->before + (ptrdiff_t)first;
        job->run->kernels->depthwise(&d, y, next);
        al_profile_lap(job->run, thread, ALIGN_STEP_DEPTHWISE);
    }
}

/* Panel p of whole pictures [begin, end). */
static void filter_together(const expand_job *job, size_t p, size_t begin, size_t end, float *window, int thread)
{
    const size_t nr = job->run->kernels->nr;
    fill_rows(job, p, begin * job->rows, end * job->rows, window);
    al_profile_lap(job->run, thread, ALIGN_STEP_EXPAND);
    for (size_t b = begin; b < end; b++, window += job->rows * job->columns * nr) {
        const al_depthwise d = depthwise_of(job, p, b, 0, window, nr);
        job->run->kernels->depthwise(&d, 0, job->out_rows);
    }
    al_profile_lap(job->run, thread, ALIGN_STEP_DEPTHWISE);
}

/* One part of panel p of picture b. */
static void filter_part(const expand_job *job, size_t p, size_t b, size_t part, float *window, int thread)
{
    const al_kernels *k = job->run->kernels;
    const size_t begin = part * job->part, left = job->out_rows - begin;
    const size_t end = begin + (left < job->part ? left : job->part), channels = job->conv->channels;
    if (!in_place(job, p)) {
        filter_expanded(job, p, b, begin, end, depthwise_of(job, p, b, part, window, k->nr), window, thread);
        return;
    }
    const float *picture = job->x + b * job->rows * job->columns * channels + p * k->nr;
    const al_depthwise d = depthwise_of(job, p, b, part, picture, channels);
    k->depthwise(&d, begin, end);
    al_profile_lap(job->run, thread, ALIGN_STEP_DEPTHWISE);
}

/* Of pictures that are expanded together. */
static size_t groups_of(const expand_job *job)
{
    return (job->batch + job->together - 1) / job->together;
}

static void expand_work(void *user, size_t begin, size_t end, int thread)
{
    const expand_job *job = user;
    float *window = job->windows + (size_t)thread * job->window_floats;
    al_profile_lap_start(job->run, thread);
    for (size_t item = begin; item < end; item++) {
        /* panels go round first: the pixels of a part are then all of one thread, as in the projection after this */
        const size_t p = item % job->panels, part = item / job->panels % job->parts;
        const size_t b = item / job->panels / job->parts * job->together, left = job->batch - b;
        if (job->together > 1)
            filter_together(job, p, b, b + (left < job->together ? left : job->together), window, thread);
        else
            filter_part(job, p, b, part, window, thread);
    }
}

/* The steps of the profile; see conv.h for what they share. */
static void begin_expand(const expand_job *job)
{
    const al_linear *l = job->expand;
    const size_t pixels = job->batch * job->rows * job->columns;
    al_profile_step(job->run, ALIGN_STEP_EXPAND);
    al_profile_count(job->run, pixels * l->in * l->out, al_packed_bytes(&l->weight, l->in, l->out),
                     pixels * l->in * sizeof(float));
}

static void begin_depthwise(const expand_job *job)
{
    const size_t taps = job->conv->kernel * job->conv->kernel, channels = job->conv->channels;
    const size_t in = job->expand ? 0 : job->batch * job->rows * job->columns * channels;
    const size_t out = job->batch * job->out_rows * job->out_columns * channels;
    al_profile_step(job->run, ALIGN_STEP_DEPTHWISE);
    al_profile_count(job->run, out * taps, channels * taps * sizeof(float), (in + out) * sizeof(float));
}

void al_expand_depthwise_forward(const al_run *run, const al_linear *expand, const al_depthwise_conv *conv,
                                 size_t batch, size_t rows, size_t columns, const float *x, align_activation act,
                                 float *y, float *means)
{
    expand_job job = {.run = run,
                      .expand = expand,
                      .conv = conv,
                      .batch = batch,
                      .panels = al_panel_count(run->kernels, conv->channels),
                      .rows = rows,
                      .columns = columns,
                      .out_rows = al_depthwise_conv_size(conv, rows),
                      .out_columns = al_depthwise_conv_size(conv, columns),
                      .act = act,
                      .x = x,
                      .y = y};
    plan(&job);
    if (expand)
        begin_expand(&job);
    const size_t mark = al_arena_mark(run->arena), pixels = batch * rows * columns;
    const size_t width = batch * job.panels * run->kernels->nr;
    if (expand && al_linear_prepares(expand, pixels)) {
        char *operand = al_arena_take(run->arena, pixels, al_linear_operand_row(expand));
        al_linear_prepare(run, expand, pixels, al_rows(run, x, expand->in), NULL, operand);
        job.operand = operand;
    }
    job.sums = al_arena_floats(run->arena, job.parts * width);
    job.windows = al_arena_floats(run->arena, (size_t)al_threads_count(run->threads) * job.window_floats);
    if (!run->dry) {
        begin_depthwise(&job);
        al_profile_laps_begin(run);
        /* a thread takes neighbours, since it fetches the weights of the panel after the one it works on */
        al_threads_run(run->threads, job.panels * groups_of(&job) * job.parts, 0, expand_work, &job);
        al_profile_laps_end(run);
        memcpy(means, job.sums, width * sizeof *means);
        for (size_t part = 1; part < job.parts; part++)
            run->kernels->add(width, job.sums + part * width, means);
        for (size_t c = 0; c < width; c++)
            means[c] /= (float)(job.out_rows * job.out_columns);
    }
    al_arena_release(run->arena, mark);
}

/* ---- squeeze and excite ---- */

void al_squeeze_excite_gates(const al_run *run, const al_squeeze_excite *se, size_t batch, const float *means,
                             align_activation act, float *gates)
{
    const size_t width = al_panel_width(run->kernels, se->expand.out);
    const size_t mark = al_arena_mark(run->arena);
    float *squeezed = al_arena_floats(run->arena, batch * se->reduce.out);
    if (!run->dry && width != se->expand.out) /* row-major results do not touch the padding */
        memset(gates, 0, batch * width * sizeof *gates);
    al_linear_forward(run, &se->reduce, batch, al_rows(run, means, width), act,
                      al_rows_out(run, squeezed, se->reduce.out, NULL));
    al_linear_forward(run, &se->expand, batch, al_rows(run, squeezed, se->reduce.out), ALIGN_ACT_SIGMOID,
                      al_rows_out(run, gates, width, NULL));
    al_arena_release(run->arena, mark);
}

typedef struct gate_job {
    const al_kernels *kernels;
    size_t batch, pixels, panels;
    const float *gates;
    float *x;
} gate_job;

static void gate_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const gate_job *job = user;
    const size_t nr = job->kernels->nr;
    for (size_t item = begin; item < end; item++) {
        const size_t panel = item / job->batch, b = item % job->batch;
        const float *gate = job->gates + (b * job->panels + panel) * nr;
        float *x = job->x + item * job->pixels * nr;
        for (size_t i = 0; i < job->pixels; i++)
            job->kernels->multiply(nr, gate, x + i * nr);
    }
}

typedef struct scale_job {
    size_t nr, in;
    const float *weight, *gates;
    float *scaled;
} scale_job;

/* One item is one row of a packed panel: all outputs' weights of one input. */
static void scale_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const scale_job *job = user;
    for (size_t i = begin; i < end; i++) {
        const float gate = job->gates[i % job->in];
        for (size_t j = 0; j < job->nr; j++)
            job->scaled[i * job->nr + j] = job->weight[i * job->nr + j] * gate;
    }
}

static void project_with_gated_weights(const al_run *run, const al_linear *l, size_t batch, size_t pixels,
                                       const float *x, const float *gates, const float *residual, float *y)
{
    const size_t nr = run->kernels->nr, panels = al_panel_count(run->kernels, l->out);
    const size_t width = al_panel_width(run->kernels, l->in), mark = al_arena_mark(run->arena);
    float *scaled = al_arena_floats(run->arena, panels * nr * l->in);
    for (size_t b = 0; b < batch; b++) {
        if (!run->dry) {
            scale_job job = {nr, l->in, l->weight.weight, gates + b * width, scaled};
            al_threads_run(run->threads, panels * l->in, 256, scale_work, &job);
        }
        al_linear gated = *l;
        gated.weight.weight = scaled;
        const al_matrix picture = {x + b * pixels * nr, nr, batch * pixels * nr};
        const size_t at = b * pixels * l->out;
        al_linear_forward(run, &gated, pixels, picture, ALIGN_ACT_LINEAR,
                          al_rows_out(run, y + at, l->out, residual ? residual + at : NULL));
    }
    al_arena_release(run->arena, mark);
}

void al_gated_projection(const al_run *run, const al_linear *l, size_t batch, size_t pixels, float *x,
                         const float *gates, const float *residual, float *y)
{
    if (al_linear_prepares(l, batch * pixels)) { /* the gates join on the way */
        const al_gates each = {gates, pixels, al_panel_width(run->kernels, l->in)};
        al_linear_forward_gated(run, l, batch * pixels, al_panels(run, x, batch * pixels), each,
                                al_rows_out(run, y, l->out, residual));
        return;
    }
    if (pixels > l->out && l->weight.product->element == AL_F32) {
        project_with_gated_weights(run, l, batch, pixels, x, gates, residual, y);
        return;
    }
    if (!run->dry) {
        const size_t panels = al_panel_count(run->kernels, l->in);
        gate_job job = {run->kernels, batch, pixels, panels, gates, x};
        al_threads_run(run->threads, panels * batch, 1, gate_work, &job);
    }
    al_linear_forward(run, l, batch * pixels, al_panels(run, x, batch * pixels), ALIGN_ACT_LINEAR,
                      al_rows_out(run, y, l->out, residual));
}

/* ---- pooling and layout ---- */

void al_pool(const al_run *run, size_t batch, size_t pixels, size_t channels, bool max, const float *x, float *y)
{
    if (run->dry)
        return;
    al_profile_count(run, 0, 0, batch * (pixels + 1) * channels * sizeof *x);
    for (size_t b = 0; b < batch; b++) {
        const float *picture = x + b * pixels * channels;
        if (max) {
            run->kernels->column_max(pixels, channels, channels, picture, y + b * channels);
            continue;
        }
        run->kernels->column_sum(pixels, channels, channels, picture, y + b * channels);
        for (size_t c = 0; c < channels; c++)
            y[b * channels + c] /= (float)pixels;
    }
}

typedef struct layout_job {
    size_t pixels, channels;
    const float *x;
    float *y;
} layout_job;

static void channels_first_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const layout_job *job = user;
    for (size_t item = begin; item < end; item++) {
        const size_t b = item / job->channels, c = item % job->channels;
        const float *from = job->x + b * job->pixels * job->channels + c;
        for (size_t i = 0; i < job->pixels; i++)
            job->y[item * job->pixels + i] = from[i * job->channels];
    }
}

void al_channels_first(const al_run *run, size_t batch, size_t pixels, size_t channels, const float *x, float *y)
{
    if (run->dry)
        return;
    al_profile_count(run, 0, 0, 2 * batch * pixels * channels * sizeof *x);
    layout_job job = {pixels, channels, x, y};
    al_threads_run(run->threads, batch * channels, 16, channels_first_work, &job);
}
