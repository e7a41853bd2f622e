/*
 * sqlite_query.c: the nearest vectors of an SQLite index, and whose they are: rows say which vectors count, every one
 * of these is looked at, and rows say again what those found are of.
 *
 * Where the first in another order are asked for, rows say in it which vectors there are, and each is scored until
 * enough have reached the threshold.
 */
#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/hits.h"
#include "search/scan.h"
#include "search/sqlite.h"

#include <math.h>
#include <string.h>

/* Places and scores of the queries that are asked at once. */
#define FOUND_BYTES ((size_t)64 << 20)
#define WORD_BITS   64

/* ---- which vectors count ---- */

static align_status read_slot(const al_session *s, sqlite3_stmt *row, const al_sqlite_state *state, int64_t *slot,
                              align_error *err)
{
    *slot = sqlite3_column_int64(row, 0);
    if (*slot < 0 || *slot >= state->slots)
        return al_sqlite_damaged(s, err, "vector %" PRId64 " of %" PRId64, *slot, state->slots);
    return ALIGN_OK;
}

typedef struct choice {
    uint64_t *bits; /* NULL: all */
    size_t count;
} choice;

static align_status change_bits(al_session *s, sqlite3_stmt *slots, const al_sqlite_state *state, bool to, choice *out,
                                align_error *err)
{
    align_status status = ALIGN_OK;
    int64_t slot;
    bool row;
    for (;;) {
        TRY(al_session_step(s, slots, &row, err));
        if (!row)
            break;
        TRY(read_slot(s, slots, state, &slot, err));
        const uint64_t bit = UINT64_C(1) << (slot % WORD_BITS);
        uint64_t *word = &out->bits[slot / WORD_BITS];
        if (!(*word & bit) == to) {
            *word ^= bit;
            out->count += to ? 1 : SIZE_MAX;
        }
    }
done:
    return status;
}

/* Kinds that all items are of choose nothing. */
static align_filter effective(const align_filter *filter, const al_sqlite_state *state)
{
    align_filter out = *filter;
    if ((out.images && state->texts == 0) || (out.texts && state->images == 0))
        out.images = out.texts = false;
    return out;
}

static bool chooses_all(const align_filter *filter)
{
    return filter->images == filter->texts && filter->n_folders == 0 && !filter->path && !filter->hash &&
           filter->from == INT64_MIN && filter->until == INT64_MAX;
}

static align_status choose(al_session *s, const al_sqlite_state *state, const align_filter *wanted, choice *out,
                           align_error *err)
{
    align_status status = ALIGN_OK;
    const align_filter filter = effective(wanted, state);
    const bool all = chooses_all(&filter);
    const size_t words = ((size_t)state->slots + WORD_BITS - 1) / WORD_BITS;
    sqlite3_stmt *slots = NULL, *filtered = NULL;
    *out = (choice){NULL, (size_t)state->slots};
    if (all && state->holes == 0)
        return ALIGN_OK;
    out->bits = al_alloc(words * sizeof *out->bits);
    if (!out->bits)
        return al_error_no_memory(err, words * sizeof *out->bits);
    memset(out->bits, all ? 0xFF : 0, words * sizeof *out->bits);
    if (all) {
        TRY(al_session_statement(s, AL_SQL_HOLES, &slots, err));
    } else {
        out->count = 0;
        TRY(al_sqlite_filtered(s, "slot", &filter, ALIGN_ORDER_SCORE, &filtered, err));
        slots = filtered;
    }
    TRY(change_bits(s, slots, state, !all, out, err));
done:
    if (slots && slots != filtered)
        sqlite3_reset(slots);
    sqlite3_finalize(filtered);
    return status;
}

/* ---- hits ---- */

/* A score in f32 is at least this where it is at least the threshold. */
static float threshold_of(double threshold)
{
    const float near = (float)threshold;
    return (double)near < threshold ? nextafterf(near, INFINITY) : near;
}

static align_status add_hit(al_session *s, const al_sqlite_state *state, const al_found *found, al_hits_builder *hits,
                            align_error *err)
{
    align_status status = ALIGN_OK;
    sqlite3_stmt *row;
    align_item item;
    int64_t slot;
    bool there = false;
    TRY(al_session_statement(s, AL_SQL_AT_SLOT, &row, err));
    sqlite3_bind_int64(row, 1, (int64_t)found->place);
    status = al_session_step(s, row, &there, err);
    if (status == ALIGN_OK && !there)
        status = al_sqlite_damaged(s, err, "vector %zu is no item's", found->place);
    if (status == ALIGN_OK)
        status = al_sqlite_read_item(s, row, state, &item, &slot, err);
    /* What f16 rounds may be a little longer than 1. */
    if (status == ALIGN_OK)
        status = al_hits_add(hits, &item, fminf(fmaxf(found->score, -1.0f), 1.0f), err);
    sqlite3_reset(row);
done:
    return status;
}

/* ---- the nearest first ---- */

/* Asks n queries at once and adds the hits of each. */
static align_status ask(al_sqlite *index, const al_sqlite_state *state, const al_scan *scan, const float *queries,
                        size_t n, size_t skip, al_found *found, size_t *n_found, al_hits_builder *hits,
                        align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_scan_run(scan, index->threads, queries, n, found, n_found, err));
    for (size_t q = 0; q < n; q++) {
        for (size_t i = skip; i < n_found[q]; i++)
            TRY(add_hit(&index->session, state, &found[q * scan->top + i], hits, err));
        al_hits_next(hits);
    }
done:
    return status;
}

static align_status ask_all(al_sqlite *index, const al_sqlite_state *state, const al_scan *scan, const float *vectors,
                            size_t queries, size_t skip, al_hits_builder *hits, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t most = FOUND_BYTES / sizeof(al_found) / scan->top;
    const size_t step = most < 1 ? 1 : most < queries ? most : queries;
    size_t bytes;
    al_found *found = al_mul(step, scan->top * sizeof *found, &bytes) ? al_alloc(bytes) : NULL;
    size_t *n_found = al_alloc(step * sizeof *n_found);
    if (!found || !n_found) {
        status = al_error_no_memory(err, step * scan->top);
        goto done;
    }
    if (!index->threads)
        TRY(al_threads_new(&index->threads, index->wanted_threads, err));
    for (size_t q = 0; q < queries; q += step) {
        const size_t n = al_least(queries - q, step);
        TRY(ask(index, state, scan, vectors + q * scan->width, n, skip, found, n_found, hits, err));
    }
done:
    al_free(n_found);
    al_free(found);
    return status;
}

static align_status query_by_score(al_sqlite *index, const al_sqlite_state *state, const float *vectors, size_t queries,
                                   const align_query_options *options, al_hits_builder *hits, align_error *err)
{
    align_status status = ALIGN_OK;
    choice chosen = {0};
    const void *mapped;
    al_scan scan = {.width = (size_t)state->key.width,
                    .count = (size_t)state->slots,
                    .threshold = threshold_of(options->threshold)};
    TRY(choose(&index->session, state, &options->filter, &chosen, err));
    const uint64_t asked = (uint64_t)options->skip + (uint64_t)options->top;
    scan.top = asked < chosen.count ? (size_t)asked : chosen.count;
    scan.chosen = chosen.bits;
    if (scan.top == 0) {
        for (size_t q = 0; q < queries; q++)
            al_hits_next(hits);
        goto done;
    }
    TRY(al_vectors_view(&index->session.vectors, state->slots, &mapped, err));
    scan.vectors = mapped;
    if (index->quantize)
        (void)al_quantized_view(&index->quantized, index->base.where, &index->session.vectors, scan.vectors,
                                state->slots, &scan.steps, &scan.step, NULL);
    TRY(ask_all(index, state, &scan, vectors, queries, (size_t)options->skip, hits, err));
done:
    al_free(chosen.bits);
    return status;
}

/* ---- the first in another order ---- */

/* The hits of one query; wide is room for a vector. */
static align_status walk(al_session *s, const al_sqlite_state *state, const uint16_t *vectors, const float *query,
                         const align_query_options *options, float *wide, al_hits_builder *hits, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_filter filter = effective(&options->filter, state);
    const size_t width = (size_t)state->key.width;
    const float threshold = threshold_of(options->threshold);
    sqlite3_stmt *slots = NULL;
    int64_t slot, skip = options->skip, left = options->top;
    bool row;
    TRY(al_sqlite_filtered(s, "slot", &filter, options->order, &slots, err));
    while (left > 0) {
        TRY(al_session_step(s, slots, &row, err));
        if (!row)
            break;
        TRY(read_slot(s, slots, state, &slot, err));
        const float score = al_scan_score(vectors + (size_t)slot * width, query, width, wide);
        if (!(score >= threshold))
            continue;
        if (skip > 0) {
            skip--;
            continue;
        }
        TRY(add_hit(s, state, &(al_found){(size_t)slot, score}, hits, err));
        left--;
    }
    al_hits_next(hits);
done:
    sqlite3_finalize(slots);
    return status;
}

static align_status query_in_order(al_sqlite *index, const al_sqlite_state *state, const float *vectors, size_t queries,
                                   const align_query_options *options, al_hits_builder *hits, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t width = (size_t)state->key.width;
    const void *mapped;
    float *wide = al_alloc(width * sizeof *wide);
    if (!wide)
        return al_error_no_memory(err, width * sizeof *wide);
    TRY(al_vectors_view(&index->session.vectors, state->slots, &mapped, err));
    for (size_t q = 0; q < queries; q++)
        TRY(walk(&index->session, state, mapped, vectors + q * width, options, wide, hits, err));
done:
    al_free(wide);
    return status;
}

/* ---- the query ---- */

align_status al_sqlite_query(al_store *store, const float *vectors, size_t queries, const align_query_options *options,
                             align_hits *out, align_error *err)
{
    align_status status = ALIGN_OK;
    al_sqlite *index = (al_sqlite *)store;
    al_sqlite_state state;
    al_hits_builder hits = {0};
    TRY(al_hits_begin(&hits, queries, err));
    TRY(al_session_begin(&index->session, false, &state, err));
    status = (options->order == ALIGN_ORDER_SCORE ? query_by_score : query_in_order)(index, &state, vectors, queries,
                                                                                     options, &hits, err);
    TRY(al_session_end(&index->session, status, err));
    al_hits_end(&hits, out);
done:
    al_hits_drop(&hits);
    return status;
}
