/* recall.c: ranks of right answers among all, by blocks of texts against all pictures; see validate.h. */
#include "base/memory.h"
#include "base/status.h"
#include "layers/matmul.h"
#include "train/validate.h"

#include <math.h>

#define BLOCK 256 /* texts whose scores exist at once */

static const size_t depths[3] = {1, 5, 10};

typedef struct ranking {
    const al_retrieval *r;
    float *own;          /* [n_texts]: the score of each with its picture, as the blocks give it */
    float *best;         /* [n_pictures]: of a picture and the nearest of its texts; -INFINITY: it has none */
    size_t *best_text;   /* which that is */
    size_t *text_ranks;  /* [n_texts]: pictures nearer than the right one */
    size_t *ranks;       /* [n_pictures]: texts nearer than the nearest right one */
    size_t begin, count; /* the present block of texts */
    float *scores;       /* [count, n_pictures] */
} ranking;

static void score_block(const al_run *run, ranking *k)
{
    const size_t n = k->r->n_pictures, width = k->r->width, nr = run->kernels->nr;
    const al_matmul product = {.m = k->count,
                               .n = n,
                               .k = width,
                               .a = {k->r->texts + k->begin * width, width, nr},
                               .b = {k->r->pictures, width, nr},
                               .b_transposed = true,
                               .c = k->scores,
                               .c_row_stride = n,
                               .c_panel = nr,
                               .precision = ALIGN_PRECISION_F32};
    al_matmul_run(run, &product);
}

static void rank_texts(void *user, size_t begin, size_t end, int thread)
{
    ranking *k = user;
    const size_t n = k->r->n_pictures;
    (void)thread;
    for (size_t t = begin; t < end; t++) {
        const float *row = k->scores + t * n;
        const size_t right = k->r->picture_of[k->begin + t];
        size_t nearer = 0;
        for (size_t i = 0; i < n; i++)
            nearer += row[i] > row[right] || (row[i] == row[right] && i < right);
        k->own[k->begin + t] = row[right];
        k->text_ranks[k->begin + t] = nearer;
    }
}

static void rank_pictures(void *user, size_t begin, size_t end, int thread)
{
    ranking *k = user;
    (void)thread;
    for (size_t t = 0; t < k->count; t++) {
        const float *row = k->scores + t * k->r->n_pictures;
        for (size_t i = begin; i < end; i++)
            k->ranks[i] += row[i] > k->best[i] || (row[i] == k->best[i] && k->begin + t < k->best_text[i]);
    }
}

/* Every block of scores, and what is to be done with it by rows or by columns. */
static void go_through(const al_run *run, ranking *k, bool by_texts)
{
    const size_t mark = al_arena_mark(run->arena);
    k->scores = al_arena_floats(run->arena, BLOCK * k->r->n_pictures);
    for (k->begin = 0; k->begin < k->r->n_texts; k->begin += BLOCK) {
        const size_t left = k->r->n_texts - k->begin;
        k->count = left < BLOCK ? left : BLOCK;
        score_block(run, k);
        if (run->dry)
            break; /* the first block is the largest */
        al_threads_run(run->threads, by_texts ? k->count : k->r->n_pictures, 0, by_texts ? rank_texts : rank_pictures,
                       k);
    }
    al_arena_release(run->arena, mark);
}

static void find_best(ranking *k)
{
    for (size_t i = 0; i < k->r->n_pictures; i++)
        k->best[i] = -INFINITY;
    for (size_t t = 0; t < k->r->n_texts; t++) {
        const size_t i = k->r->picture_of[t];
        if (k->own[t] > k->best[i]) {
            k->best[i] = k->own[t];
            k->best_text[i] = t;
        }
    }
}

static void count_hits(double out[3], const size_t *ranks, const float *scores, size_t n)
{
    for (int d = 0; d < 3; d++) {
        size_t hits = 0, all = 0;
        for (size_t i = 0; i < n; i++) {
            if (isinf(scores[i]))
                continue; /* a picture without texts */
            all++;
            hits += ranks[i] < depths[d] && !isnan(scores[i]);
        }
        out[d] = all ? (double)hits / (double)all : 0.0;
    }
}

align_status al_recall(align_recall *out, const al_retrieval *r, al_threads *threads, align_error *err)
{
    align_status status = ALIGN_OK;
    ranking k = {.r = r};
    al_arena arena = {0};
    const al_run plan = {al_kernels_get(), threads, &arena, true, NULL};
    const al_run run = {plan.kernels, threads, &arena, false, NULL};
    k.own = al_calloc(r->n_texts, sizeof *k.own);
    k.best = al_calloc(r->n_pictures, sizeof *k.best);
    k.best_text = al_calloc(r->n_pictures, sizeof *k.best_text);
    k.text_ranks = al_calloc(r->n_texts, sizeof *k.text_ranks);
    k.ranks = al_calloc(r->n_pictures, sizeof *k.ranks);
    if (!k.own || !k.best || !k.best_text || !k.text_ranks || !k.ranks) {
        status = al_error_no_memory(err, (r->n_texts + r->n_pictures) * sizeof *k.ranks);
        goto done;
    }
    const al_arena_rehearsal rehearsal = al_arena_rehearse(&arena);
    go_through(&plan, &k, true);
    TRY(al_arena_reserve(&arena, rehearsal, 0, err));
    go_through(&run, &k, true);
    find_best(&k);
    go_through(&run, &k, false);
    count_hits(out->text_to_image, k.text_ranks, k.own, r->n_texts);
    count_hits(out->image_to_text, k.ranks, k.best, r->n_pictures);
done:
    al_arena_done(&arena);
    al_free(k.own);
    al_free(k.best);
    al_free(k.best_text);
    al_free(k.text_ranks);
    al_free(k.ranks);
    return status;
}

double align_recall_mean(const align_recall *recall)
{
    double sum = 0.0;
    for (int i = 0; i < 3; i++)
        sum += recall->text_to_image[i] + recall->image_to_text[i];
    return sum / 6.0;
}
