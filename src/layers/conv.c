/* conv.c: see conv.h. */
#include "layers/conv.h"

#include "base/tensor.h"

#include <string.h>

static size_t panels_of(const al_kernels *k, size_t channels)
{
    return (channels + k->nr - 1) / k->nr;
}

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
    windows_job job = {channels, height, width, pixels, windows};
    al_threads_run(run->threads, batch * (height / 2), 8, windows_work, &job);
}

/* ---- depthwise ---- */

void al_depthwise_conv_init(al_depthwise_conv *conv, const al_kernels *k, al_arena *arena, const align_tensor *weight,
                            const float *scale, const float *bias)
{
    const size_t channels = (size_t)weight->shape[0], kernel = (size_t)weight->shape[2], taps = kernel * kernel;
    const size_t padded = panels_of(k, channels) * k->nr, size = align_dtype_size(weight->dtype);
    float *w = al_arena_floats(arena, padded * taps), *b = al_arena_floats(arena, padded);
    conv->channels = channels;
    conv->kernel = kernel;
    conv->weight = w;
    conv->bias = b;
    if (!arena->base)
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

typedef struct depthwise_job {
    const al_kernels *kernels;
    const al_depthwise_conv *conv;
    size_t batch, in_rows, in_columns, out_rows, out_columns, band, bands;
    align_activation act;
    const float *x;
    float *y;
} depthwise_job;

/* One item is one band of rows of one panel of one picture. */
static void depthwise_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const depthwise_job *job = user;
    const al_depthwise_conv *conv = job->conv;
    const size_t nr = job->kernels->nr, in = job->in_rows * job->in_columns * nr;
    const size_t out = job->out_rows * job->out_columns * nr;
    for (size_t item = begin; item < end; item++) {
        const size_t band = item % job->bands, picture = item / job->bands, panel = picture / job->batch;
        const size_t first = band * job->band, left = job->out_rows - first;
        const al_depthwise d = {.in_rows = job->in_rows,
                                .in_columns = job->in_columns,
                                .out_rows = job->out_rows,
                                .out_columns = job->out_columns,
                                .kernel = conv->kernel,
                                .stride = conv->stride,
                                .top = conv->before,
                                .left = conv->before,
                                .act = job->act,
                                .in = job->x + picture * in,
                                .weight = conv->weight + panel * conv->kernel * conv->kernel * nr,
                                .bias = conv->bias + panel * nr,
                                .out = job->y + picture * out};
        job->kernels->depthwise(&d, first, first + (left < job->band ? left : job->band));
    }
}

void al_depthwise_conv_forward(const al_run *run, const al_depthwise_conv *conv, size_t batch, size_t rows,
                               size_t columns, const float *x, align_activation act, float *y)
{
    if (run->dry)
        return;
    const size_t out_rows = al_depthwise_conv_size(conv, rows), band = 16;
    depthwise_job job = {run->kernels,
                         conv,
                         batch,
                         rows,
                         columns,
                         out_rows,
                         al_depthwise_conv_size(conv, columns),
                         band,
                         (out_rows + band - 1) / band,
                         act,
                         x,
                         y};
    al_threads_run(run->threads, panels_of(run->kernels, conv->channels) * batch * job.bands, 1, depthwise_work, &job);
}

typedef struct layout_job {
    const al_kernels *kernels;
    size_t pixels, channels;
    const float *x;
    float *y;
} layout_job;

static void panels_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const layout_job *job = user;
    const size_t nr = job->kernels->nr, channels = job->channels;
    for (size_t p = 0; p < panels_of(job->kernels, channels); p++) {
        const size_t n = channels - p * nr < nr ? channels - p * nr : nr;
        for (size_t i = begin; i < end; i++) {
            float *to = job->y + (p * job->pixels + i) * nr;
            memcpy(to, job->x + i * channels + p * nr, n * sizeof *to);
            memset(to + n, 0, (nr - n) * sizeof *to);
        }
    }
}

void al_rows_to_panels(const al_run *run, size_t pixels, size_t channels, const float *x, float *y)
{
    if (run->dry)
        return;
    layout_job job = {run->kernels, pixels, channels, x, y};
    al_threads_run(run->threads, pixels, 1024, panels_work, &job);
}

/* ---- squeeze and excite ---- */

typedef struct mean_job {
    const al_kernels *kernels;
    size_t batch, pixels, panels;
    const float *x;
    float *means; /* [B, panels * nr] */
} mean_job;

static void mean_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const mean_job *job = user;
    const size_t nr = job->kernels->nr;
    for (size_t item = begin; item < end; item++) {
        const size_t panel = item / job->batch, b = item % job->batch;
        float *mean = job->means + (b * job->panels + panel) * nr;
        job->kernels->column_sum(job->pixels, nr, nr, job->x + item * job->pixels * nr, mean);
        for (size_t c = 0; c < nr; c++)
            mean[c] /= (float)job->pixels;
    }
}

void al_squeeze_excite_gates(const al_run *run, const al_squeeze_excite *se, size_t batch, size_t pixels,
                             const float *x, align_activation act, float *gates)
{
    const size_t panels = panels_of(run->kernels, se->expand.out), width = panels * run->kernels->nr;
    const size_t mark = al_arena_mark(run->arena);
    float *means = al_arena_floats(run->arena, batch * width);
    float *squeezed = al_arena_floats(run->arena, batch * se->reduce.out);
    if (!run->dry) {
        mean_job job = {run->kernels, batch, pixels, panels, x, means};
        al_threads_run(run->threads, panels * batch, 1, mean_work, &job);
        if (width != se->expand.out) /* row-major results do not touch the padding */
            memset(gates, 0, batch * width * sizeof *gates);
    }
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
    const size_t nr = run->kernels->nr, panels = panels_of(run->kernels, l->out);
    const size_t width = panels_of(run->kernels, l->in) * nr, mark = al_arena_mark(run->arena);
    float *scaled = al_arena_floats(run->arena, panels * nr * l->in);
    for (size_t b = 0; b < batch; b++) {
        if (!run->dry) {
            scale_job job = {nr, l->in, l->weight, gates + b * width, scaled};
            al_threads_run(run->threads, panels * l->in, 256, scale_work, &job);
        }
        const al_linear gated = {l->in, l->out, scaled, l->bias};
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
    if (pixels > l->out) {
        project_with_gated_weights(run, l, batch, pixels, x, gates, residual, y);
        return;
    }
    if (!run->dry) {
        const size_t panels = panels_of(run->kernels, l->in);
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
    layout_job job = {run->kernels, pixels, channels, x, y};
    al_threads_run(run->threads, batch * channels, 16, channels_first_work, &job);
}
