/*
 * contrast.c: the contrastive loss over many pairs, and its gradient.  n pairs here, N in all, P projection_dim.
 *
 *     L_ij = t_i . v_j / temperature                              text i against picture j
 *     loss = (CE(L) + CE(L^T)) / 2,  CE(L) = mean over i of [ log sum_j exp L_ij - (1 - s) L_ii - s mean_j L_ij ]
 *
 *     d loss / d L_ij = G_ij = ( exp(L_ij - r_i) + exp(L_ij - c_j) - 2 (1 - s) [i = j] - 2 s / N ) / 2N
 *     d loss / d t_i = sum_j G_ij v_j / temperature,   d loss / d temperature = - sum_ij G_ij L_ij / temperature
 *
 * with s the label smoothing, r_i = log sum_j exp L_ij of a row and c_j that of a column. Where a text is known to be
 * true of other pictures of the batch too, those L_ij are left out of all sums and have no gradient, and 1/N in the two
 * means is 1 / (how many are left). The two directions are one
 * and the same computation with texts and pictures changing places: my rows against everyone's. It goes twice over
 * blocks of L that are made, used and forgotten: first for the log sums, then for the gradients.
 *
 * A rank has n of the N rows of each direction, of which it knows everything but the other direction's log sums: those
 * are all that ranks tell each other, beside the embeddings.
 */
#include "model/contrast.h"

#include "base/least.h"
#include "layers/matmul.h"

#include <math.h>
#include <string.h>

/* Of a block of logits. Long sums are cut by blocks, always at the same places. */
#define BLOCK_ROWS    ((size_t)512)
#define BLOCK_COLUMNS ((size_t)4096)

/* What the loss needs of a row of L: its largest so far, the sum of exp(L - largest), the sum of L, how many there are,
 * and L_ii. */
typedef struct row_sums {
    double largest, exponentials, sum, count, target;
} row_sums;

/* One direction: a row is one of mine, a column one of everyone's. */
typedef struct direction {
    size_t rows, columns, width;
    size_t first; /* column of the first row's partner */
    const float *mine, *others;
    double temperature, scale;
    row_sums *sums;                     /* [rows] */
    const uint64_t *matches;            /* [rows, words]; NULL: none */
    double *row_logs, *column_logs;     /* [columns]: log sums of all ranks' rows, and of the columns */
    double *row_counts, *column_counts; /* [columns]: how many were added up there */
    double *slopes;                     /* [rows]: sum_j G_ij L_ij */
    float *gradient;                    /* [rows, P], or NULL */
} direction;

/* A block of L, times temperature. */
typedef struct block {
    const direction *of;
    size_t row, rows, column, columns;
    float *products; /* [rows, columns] */
} block;

typedef void (*block_work)(void *block, size_t begin, size_t end, int thread);

/* ---- what is known to match ---- */

/* In the place of a product that does not count: exp of it is zero. */
#define LEFT_OUT (-INFINITY)

size_t al_match_words(size_t total)
{
    return (total + 63) / 64;
}

static void leave_out_matches(const block *b, size_t i)
{
    const direction *d = b->of;
    const size_t partner = d->first + b->row + i;
    if (!d->matches)
        return;
    const uint64_t *bits = d->matches + (b->row + i) * al_match_words(d->columns);
    for (size_t j = b->column; j < b->column + b->columns; j++)
        if ((bits[j / 64] >> j % 64 & 1) && j != partner)
            b->products[i * b->columns + j - b->column] = LEFT_OUT;
}

/* ---- the log sums ---- */

static void add_to_sums(row_sums *s, const float *products, size_t n, double temperature)
{
    double largest = s->largest, exponentials = 0.0;
    for (size_t j = 0; j < n; j++) {
        if (products[j] == LEFT_OUT)
            continue;
        const double logit = (double)products[j] / temperature;
        largest = logit > largest ? logit : largest;
        s->sum += logit;
        s->count += 1.0;
    }
    for (size_t j = 0; j < n; j++)
        exponentials += exp((double)products[j] / temperature - largest);
    s->exponentials = s->exponentials * exp(s->largest - largest) + exponentials;
    s->largest = largest;
}

static void sum_rows(void *user, size_t begin, size_t end, int thread)
{
    const block *b = user;
    const direction *d = b->of;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        row_sums *s = &d->sums[b->row + i];
        const size_t partner = d->first + b->row + i;
        float *products = b->products + i * b->columns;
        leave_out_matches(b, i);
        add_to_sums(s, products, b->columns, d->temperature);
        if (partner >= b->column && partner < b->column + b->columns)
            s->target = (double)products[partner - b->column] / d->temperature;
    }
}

/* ---- the gradients ---- */

/* Makes a block of L into one of scale * G / temperature. */
static void make_gradient(void *user, size_t begin, size_t end, int thread)
{
    const block *b = user;
    const direction *d = b->of;
    const double n = (double)d->columns;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        const size_t partner = d->first + b->row + i;
        const double row_spread = AL_LABEL_SMOOTHING / d->row_counts[partner];
        float *products = b->products + i * b->columns;
        double slope = 0.0;
        leave_out_matches(b, i);
        for (size_t j = 0; j < b->columns; j++) {
            const size_t column = b->column + j;
            if (products[j] == LEFT_OUT) {
                products[j] = 0.0f;
                continue;
            }
            const double logit = (double)products[j] / d->temperature;
            double g = exp(logit - d->row_logs[partner]) + exp(logit - d->column_logs[column]);
            g -= row_spread + AL_LABEL_SMOOTHING / d->column_counts[column];
            if (column == partner)
                g -= 2.0 * (1.0 - AL_LABEL_SMOOTHING);
            g *= d->scale / (2.0 * n * d->temperature);
            slope += g * logit;
            products[j] = (float)g;
        }
        d->slopes[b->row + i] += slope;
    }
}

/* gradient += G others */
static void spread_gradient(const al_run *run, const block *b)
{
    const direction *d = b->of;
    const size_t nr = run->kernels->nr;
    al_matmul_run(run, &(al_matmul){.m = b->rows,
                                    .n = d->width,
                                    .k = b->columns,
                                    .a = {b->products, b->columns, nr},
                                    .b = {d->others + b->column * d->width, d->width, nr},
                                    .c = d->gradient + b->row * d->width,
                                    .c_row_stride = d->width,
                                    .c_panel = nr,
                                    .add = b->column > 0,
                                    .precision = ALIGN_PRECISION_F32});
}

/* ---- one direction, block by block ---- */

static void multiply_block(const al_run *run, const block *b)
{
    const direction *d = b->of;
    const size_t nr = run->kernels->nr;
    al_matmul_run(run, &(al_matmul){.m = b->rows,
                                    .n = b->columns,
                                    .k = d->width,
                                    .a = {d->mine + b->row * d->width, d->width, nr},
                                    .b = {d->others + b->column * d->width, d->width, nr},
                                    .b_transposed = true,
                                    .c = b->products,
                                    .c_row_stride = b->columns,
                                    .c_panel = nr,
                                    .precision = ALIGN_PRECISION_F32});
}

/* Every block of L in order: work on its rows, then, if that made a gradient of it, the product with the others. */
static void each_block(const al_run *run, const direction *d, block_work work, bool spreads)
{
    const size_t mark = al_arena_mark(run->arena);
    block b = {.of = d};
    b.products = al_arena_floats(run->arena, al_least(d->rows, BLOCK_ROWS) * al_least(d->columns, BLOCK_COLUMNS));
    for (b.row = 0; b.row < d->rows; b.row += b.rows) {
        b.rows = al_least(d->rows - b.row, BLOCK_ROWS);
        for (b.column = 0; b.column < d->columns; b.column += b.columns) {
            b.columns = al_least(d->columns - b.column, BLOCK_COLUMNS);
            multiply_block(run, &b);
            if (!run->dry)
                al_threads_run(run->threads, b.rows, 0, work, &b);
            if (spreads && d->gradient)
                spread_gradient(run, &b);
        }
    }
    al_arena_release(run->arena, mark);
}

/* Fills row_logs and row_counts with those of all ranks; gives this rank's part of the cross entropy, times N. */
static double log_sums(const al_run *run, const direction *d, const al_collective *ranks)
{
    double loss = 0.0;
    for (size_t i = 0; i < d->rows && !run->dry; i++)
        d->sums[i] = (row_sums){.largest = -INFINITY};
    each_block(run, d, sum_rows, false);
    if (run->dry)
        return 0.0;
    memset(d->row_logs, 0, d->columns * sizeof *d->row_logs);
    memset(d->row_counts, 0, d->columns * sizeof *d->row_counts);
    for (size_t i = 0; i < d->rows; i++) {
        const row_sums *s = &d->sums[i];
        const double log_sum = s->largest + log(s->exponentials), mean = s->sum / s->count;
        d->row_logs[d->first + i] = log_sum;
        d->row_counts[d->first + i] = s->count;
        loss += log_sum - (1.0 - AL_LABEL_SMOOTHING) * s->target - AL_LABEL_SMOOTHING * mean;
    }
    if (ranks) {
        ranks->sum(ranks->user, d->row_logs, d->columns);
        ranks->sum(ranks->user, d->row_counts, d->columns);
    }
    return loss;
}

/* ---- both ---- */

/* All ranks' embeddings, [N, P]. */
static const float *everyone(const al_run *run, const al_contrast *c, const float *mine)
{
    if (!c->ranks)
        return mine;
    float *all = al_arena_floats(run->arena, c->total * c->width);
    if (!run->dry)
        c->ranks->gather(c->ranks->user, mine, c->pairs * c->width * sizeof *mine, all);
    return all;
}

static direction direction_of(const al_run *run, const al_contrast *c, const float *mine, const float *others,
                              float *gradient)
{
    direction d = {.rows = c->pairs, .columns = c->total, .width = c->width, .first = c->first};
    d.mine = mine;
    d.others = others;
    d.temperature = (double)c->temperature;
    d.scale = c->scale;
    d.sums = al_arena_take(run->arena, c->pairs, sizeof *d.sums);
    d.row_logs = al_arena_take(run->arena, c->total, sizeof *d.row_logs);
    d.row_counts = al_arena_take(run->arena, c->total, sizeof *d.row_counts);
    d.slopes = al_arena_take(run->arena, c->pairs, sizeof *d.slopes);
    d.gradient = gradient;
    if (!run->dry)
        memset(d.slopes, 0, c->pairs * sizeof *d.slopes);
    return d;
}

void al_contrast_run(const al_run *run, al_contrast *c)
{
    const size_t mark = al_arena_mark(run->arena);
    const float *texts = everyone(run, c, c->texts), *images = everyone(run, c, c->images);
    direction of_texts = direction_of(run, c, c->texts, images, c->text_gradient);
    direction of_images = direction_of(run, c, c->images, texts, c->image_gradient);
    of_texts.matches = c->text_matches;
    of_images.matches = c->image_matches;
    of_texts.column_logs = of_images.row_logs;
    of_texts.column_counts = of_images.row_counts;
    of_images.column_logs = of_texts.row_logs;
    of_images.column_counts = of_texts.row_counts;
    const double text_loss = log_sums(run, &of_texts, c->ranks), image_loss = log_sums(run, &of_images, c->ranks);
    each_block(run, &of_texts, make_gradient, true);
    if (c->image_gradient)
        each_block(run, &of_images, make_gradient, true);
    if (!run->dry) {
        c->loss = (text_loss + image_loss) / (2.0 * (double)c->total);
        if (c->ranks)
            c->ranks->sum(c->ranks->user, &c->loss, 1);
        c->temperature_gradient = 0.0;
        for (size_t i = 0; i < c->pairs; i++)
            c->temperature_gradient -= of_texts.slopes[i];
    }
    al_arena_release(run->arena, mark);
}
