/* batch_norm.c: see batch_norm.h. */
#include "layers/batch_norm.h"

#include <math.h>
#include <string.h>

al_norm_state al_norm_state_take(al_arena *arena, size_t width)
{
    return (al_norm_state){width, al_arena_floats(arena, width), al_arena_floats(arena, width),
                           al_arena_floats(arena, width), al_arena_floats(arena, width)};
}

size_t al_norm_sums_size(size_t width)
{
    return 2 * width + 1;
}

double *al_norm_count(double *sums, size_t width)
{
    return sums + 2 * width;
}

void al_norm_add_moments(double *sums, size_t width, size_t first, size_t n, size_t rows, const float *mean,
                         const float *squares)
{
    for (size_t c = 0; c < n; c++) {
        const double m = (double)mean[c], sum = (double)rows * m;
        sums[first + c] += sum;
        sums[width + first + c] += (double)squares[c] + sum * m;
    }
}

/* Mean and (biased) variance of channel c. In double, the difference keeps enough of numbers that were floats. */
typedef struct moments_of_batch {
    double mean, var;
} moments_of_batch;

static moments_of_batch moments_from(const double *sums, size_t width, size_t c)
{
    const double count = sums[2 * width], mean = sums[c] / count, var = sums[width + c] / count - mean * mean;
    return (moments_of_batch){mean, var > 0.0 || isnan(var) ? var : 0.0};
}

void al_batch_norm_begin(const al_batch_norm *norm, const al_norm_state *state, const double *sums, size_t begin,
                         size_t end)
{
    for (size_t c = begin; c < end; c++) {
        if (c >= norm->channels) {
            state->mean[c] = state->inverse[c] = state->scale[c] = state->shift[c] = 0.0f;
            continue;
        }
        const moments_of_batch m =
            sums ? moments_from(sums, state->width, c)
                 : (moments_of_batch){(double)norm->running_mean[c], (double)norm->running_var[c]};
        const double inverse = 1.0 / sqrt(m.var + norm->eps), scale = inverse * (double)norm->weight[c];
        state->mean[c] = (float)m.mean;
        state->inverse[c] = (float)inverse;
        state->scale[c] = (float)scale;
        state->shift[c] = (float)((double)norm->bias[c] - m.mean * scale);
    }
}

static float moved(double momentum, float from, double to)
{
    return (float)((1.0 - momentum) * (double)from + momentum * to);
}

void al_batch_norm_update(const al_batch_norm *norm, size_t width, const double *sums)
{
    const double count = sums[2 * width];
    for (size_t c = 0; c < norm->channels; c++) {
        const moments_of_batch m = moments_from(sums, width, c);
        norm->running_mean[c] = moved(norm->momentum, norm->running_mean[c], m.mean);
        norm->running_var[c] = moved(norm->momentum, norm->running_var[c], m.var * count / (count - 1.0));
    }
    ++*norm->batches;
}

void al_batch_norm_gradients(const al_batch_norm *norm, const al_norm_state *state, const double *sums, size_t begin,
                             size_t end)
{
    for (size_t c = begin; c < end && c < norm->channels; c++) {
        if (norm->weight_gradient)
            norm->weight_gradient[c] += (float)(sums[state->width + c] * (double)state->inverse[c]);
        if (norm->bias_gradient)
            norm->bias_gradient[c] += (float)sums[c];
    }
}

void al_batch_norm_slopes(const al_norm_state *state, const double *sums, size_t begin, size_t end, float *slope,
                          float *offset)
{
    const double count = sums[2 * state->width];
    for (size_t c = begin; c < end; c++) {
        const double scale = (double)state->scale[c] / count, inverse = (double)state->inverse[c];
        slope[c] = (float)(-scale * inverse * inverse * sums[state->width + c]);
        offset[c] = (float)(-scale * sums[c]);
    }
}

/* ---- of row-major matrices ---- */

/* Rows are shared out in pieces, each with sums of its own, which are added up in order. */
#define PIECE_ROWS ((size_t)512)
/* Rows whose moments are taken at once: few enough for floats, and for a vector of their channels to stay in L1. */
#define MOMENT_ROWS ((size_t)128)

typedef struct rows_job {
    const al_run *run;
    size_t rows, channels;
    al_norm_act how;
    const float *x, *dy;
    float *y;
    double *sums;  /* [pieces] of al_norm_sums_size; of channels in their place */
    float *floats; /* [pieces][2][channels] */
} rows_job;

static size_t pieces_of(size_t rows)
{
    return (rows + PIECE_ROWS - 1) / PIECE_ROWS;
}

static size_t piece_rows(const rows_job *job, size_t piece)
{
    const size_t left = job->rows - piece * PIECE_ROWS;
    return left < PIECE_ROWS ? left : PIECE_ROWS;
}

static void moments_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const rows_job *job = user;
    const size_t n = job->channels;
    for (size_t piece = begin; piece < end; piece++) {
        double *sums = job->sums + piece * al_norm_sums_size(n);
        float *mean = job->floats + piece * 2 * n, *squares = mean + n;
        memset(sums, 0, al_norm_sums_size(n) * sizeof *sums);
        for (size_t row = 0, rows; row < piece_rows(job, piece); row += rows) {
            rows = piece_rows(job, piece) - row < MOMENT_ROWS ? piece_rows(job, piece) - row : MOMENT_ROWS;
            job->run->kernels->channels->moments(rows, n, n, job->x + (piece * PIECE_ROWS + row) * n, mean, squares);
            al_norm_add_moments(sums, n, 0, n, rows, mean, squares);
        }
    }
}

static void forward_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const rows_job *job = user;
    for (size_t piece = begin; piece < end; piece++) {
        const size_t at = piece * PIECE_ROWS * job->channels;
        job->run->kernels->channels->norm_act(&job->how, piece_rows(job, piece), job->x + at, job->y + at, NULL);
    }
}

static void sums_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const rows_job *job = user;
    const size_t n = job->channels;
    for (size_t piece = begin; piece < end; piece++) {
        const size_t at = piece * PIECE_ROWS * n;
        double *sums = job->sums + piece * al_norm_sums_size(n);
        float *dz = job->floats + piece * 2 * n;
        memset(dz, 0, 2 * n * sizeof *dz);
        job->run->kernels->channels->norm_act_sums(&job->how, piece_rows(job, piece), job->x + at, job->dy + at,
                                                   job->y + at, dz, dz + n);
        for (size_t i = 0; i < 2 * n; i++)
            sums[i] = (double)dz[i];
    }
}

static void backward_work(void *user, size_t begin, size_t end, int thread)
{
    (void)thread;
    const rows_job *job = user;
    for (size_t piece = begin; piece < end; piece++) {
        const size_t at = piece * PIECE_ROWS * job->channels;
        job->run->kernels->channels->norm_act_backward(&job->how, piece_rows(job, piece), job->x + at, job->y + at,
                                                       job->y + at);
    }
}

/* The pieces' sums into the first of them, in their order, and the count of rows. */
static void add_up(const rows_job *job)
{
    const size_t size = al_norm_sums_size(job->channels);
    for (size_t piece = 1; piece < pieces_of(job->rows); piece++)
        for (size_t i = 0; i + 1 < size; i++)
            job->sums[i] += job->sums[piece * size + i];
    *al_norm_count(job->sums, job->channels) = (double)job->rows;
}

static rows_job rows_job_take(const al_run *run, const al_norm_state *state, align_activation act, size_t rows,
                              size_t channels)
{
    const size_t pieces = pieces_of(rows);
    const al_norm_act how = {.act = act,
                             .n = channels,
                             .stride = channels,
                             .scale = state->scale,
                             .shift = state->shift,
                             .mean = state->mean};
    return (rows_job){.run = run,
                      .rows = rows,
                      .channels = channels,
                      .how = how,
                      .sums = al_arena_take(run->arena, pieces * al_norm_sums_size(channels), sizeof(double)),
                      .floats = al_arena_floats(run->arena, pieces * 2 * channels)};
}

static void exchange(const al_collective *sync, double *sums, size_t n)
{
    if (sync)
        sync->sum(sync->user, sums, n);
}

void al_batch_norm_forward(const al_run *run, const al_batch_norm *norm, const al_norm_state *state, al_norm_mode mode,
                           align_activation act, size_t rows, const float *x, float *y)
{
    const size_t n = norm->channels, mark = al_arena_mark(run->arena);
    rows_job job = rows_job_take(run, state, act, rows, n);
    job.x = x;
    job.y = y;
    if (!run->dry) {
        if (mode.batch) {
            al_threads_run(run->threads, pieces_of(rows), 1, moments_work, &job);
            add_up(&job);
            exchange(mode.sync, job.sums, al_norm_sums_size(n));
            if (mode.update)
                al_batch_norm_update(norm, n, job.sums);
        }
        al_batch_norm_begin(norm, state, mode.batch ? job.sums : NULL, 0, n);
        al_threads_run(run->threads, pieces_of(rows), 1, forward_work, &job);
    }
    al_arena_release(run->arena, mark);
}

void al_batch_norm_backward(const al_run *run, const al_batch_norm *norm, const al_norm_state *state, al_norm_mode mode,
                            align_activation act, size_t rows, const float *x, const float *dy, float *dx)
{
    const size_t n = norm->channels, mark = al_arena_mark(run->arena);
    rows_job job = rows_job_take(run, state, act, rows, n);
    float *slope = al_arena_floats(run->arena, n), *offset = al_arena_floats(run->arena, n);
    job.x = x;
    job.dy = dy;
    job.y = dx;
    if (!run->dry) {
        al_threads_run(run->threads, pieces_of(rows), 1, sums_work, &job);
        add_up(&job);
        al_batch_norm_gradients(norm, state, job.sums, 0, n);
        memset(slope, 0, n * sizeof *slope);
        memset(offset, 0, n * sizeof *offset);
        if (mode.batch) {
            exchange(mode.sync, job.sums, al_norm_sums_size(n));
            al_batch_norm_slopes(state, job.sums, 0, n, slope, offset);
        }
        job.how.act = ALIGN_ACT_LINEAR; /* dx holds dz */
        job.how.slope = slope;
        job.how.offset = offset;
        al_threads_run(run->threads, pieces_of(rows), 1, backward_work, &job);
    }
    al_arena_release(run->arena, mark);
}
