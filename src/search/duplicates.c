/* duplicates.c: groups of items that are alike. Every item is a query for those that reach the threshold; each of these
 * pairs joins two groups. Any store will do. */
#include "base/memory.h"
#include "base/status.h"
#include "search/hits.h"

#include <string.h>

/* Queries at once, and how many hits each is granted at first: who has as many is asked again for more. */
#define BLOCK  256
#define TOP    32
#define LARGER 8

typedef struct groups {
    align_index *index;
    const align_filter *filter;
    double threshold;
    int64_t width;
    size_t count, capacity;
    int64_t *ids;   /* [count], rising */
    size_t *parent; /* [count]: of an item one of its group that is not newer; the oldest has itself */
    float *best;    /* [count]: the best score to another item */
} groups;

#define NO_SCORE (-2.0f)

static align_status read_ids(groups *g, align_error *err)
{
    align_status status = ALIGN_OK;
    align_cursor *cursor = NULL;
    align_item item;
    bool found;
    TRY(align_cursor_open(&cursor, g->index, g->filter, ALIGN_ORDER_ID, err));
    for (;;) {
        TRY(align_cursor_next(cursor, &item, NULL, &found, err));
        if (!found)
            break;
        int64_t *ids = al_grow(g->ids, g->count, &g->capacity, sizeof *ids);
        if (!ids) {
            status = al_error_no_memory(err, g->count * sizeof *ids);
            goto done;
        }
        g->ids = ids;
        g->ids[g->count++] = item.id;
    }
    g->parent = al_calloc(g->count, sizeof *g->parent);
    g->best = al_calloc(g->count, sizeof *g->best);
    if (!g->parent || !g->best) {
        status = al_error_no_memory(err, g->count * sizeof *g->parent);
        goto done;
    }
    for (size_t i = 0; i < g->count; i++) {
        g->parent[i] = i;
        g->best[i] = NO_SCORE;
    }
done:
    align_cursor_close(cursor);
    return status;
}

/* The place of an id; false for one that came meanwhile. */
static bool place_of(const groups *g, int64_t id, size_t *place)
{
    size_t begin = 0, end = g->count;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (g->ids[middle] < id)
            begin = middle + 1;
        else
            end = middle;
    }
    *place = begin;
    return begin < g->count && g->ids[begin] == id;
}

static size_t oldest(const groups *g, size_t i)
{
    for (; g->parent[i] != i; i = g->parent[i])
        g->parent[i] = g->parent[g->parent[i]];
    return i;
}

static void join(groups *g, size_t a, size_t b, float score)
{
    g->best[a] = score > g->best[a] ? score : g->best[a];
    g->best[b] = score > g->best[b] ? score : g->best[b];
    a = oldest(g, a);
    b = oldest(g, b);
    g->parent[a > b ? a : b] = a < b ? a : b;
}

/* Joins n items of a block with all that are like them. */
static align_status ask(groups *g, const int64_t *ids, const float *vectors, size_t n, int64_t top, align_error *err)
{
    align_status status = ALIGN_OK;
    align_hits hits = {0};
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    options.top = top;
    options.threshold = g->threshold;
    if (g->filter)
        options.filter = *g->filter;
    TRY(align_index_query(g->index, vectors, n, &options, &hits, err));
    for (size_t q = 0; q < n; q++) {
        size_t self, other;
        if (!place_of(g, ids[q], &self))
            continue;
        const size_t begin = hits.offsets[q], end = hits.offsets[q + 1];
        if (end - begin == (size_t)top) {
            TRY(ask(g, &ids[q], vectors + q * (size_t)g->width, 1, top * LARGER, err));
            continue;
        }
        for (size_t i = begin; i < end; i++)
            if (place_of(g, hits.items[i].id, &other) && other != self)
                join(g, self, other, hits.scores[i]);
    }
done:
    align_hits_done(&hits);
    return status;
}

static align_status join_all(groups *g, align_error *err)
{
    align_status status = ALIGN_OK;
    align_cursor *cursor = NULL;
    align_item item;
    int64_t ids[BLOCK];
    size_t n = 0;
    bool found = true;
    float *vectors = al_alloc((size_t)g->width * BLOCK * sizeof *vectors);
    if (!vectors)
        return al_error_no_memory(err, (size_t)g->width * BLOCK * sizeof *vectors);
    TRY(align_cursor_open(&cursor, g->index, g->filter, ALIGN_ORDER_ID, err));
    while (found) {
        TRY(align_cursor_next(cursor, &item, vectors + n * (size_t)g->width, &found, err));
        if (found)
            ids[n++] = item.id;
        if (n > 0 && (n == BLOCK || !found)) {
            TRY(ask(g, ids, vectors, n, TOP, err));
            n = 0;
        }
    }
done:
    align_cursor_close(cursor);
    al_free(vectors);
    return status;
}

/* The items that are in a group of several, in the order of their ids; group [hits]: whose group. */
static align_status collect(groups *g, al_hits_builder *hits, size_t *group, align_error *err)
{
    align_status status = ALIGN_OK;
    align_cursor *cursor = NULL;
    align_item item;
    bool found;
    size_t i;
    TRY(align_cursor_open(&cursor, g->index, g->filter, ALIGN_ORDER_ID, err));
    for (;;) {
        TRY(align_cursor_next(cursor, &item, NULL, &found, err));
        if (!found)
            break;
        if (!place_of(g, item.id, &i) || g->best[i] == NO_SCORE)
            continue;
        group[hits->count] = oldest(g, i);
        TRY(al_hits_add(hits, &item, g->best[i], err));
    }
done:
    align_cursor_close(cursor);
    return status;
}

/* Puts n items that are in the order of their ids into that of their groups. first [count]: zeros. */
static align_status arrange(const groups *g, align_hits *hits, size_t n, const size_t *group, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t *at = al_calloc(g->count + 1, sizeof *at);
    size_t *offsets = al_calloc(n + 1, sizeof *offsets);
    align_item *items = al_calloc(n, sizeof *items);
    float *scores = al_calloc(n, sizeof *scores);
    if (!at || !offsets || !items || !scores) {
        status = al_error_no_memory(err, n * sizeof *items);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        at[group[i] + 1]++;
    for (size_t i = 0; i < g->count; i++) {
        if (at[i + 1] > 0)
            offsets[++hits->queries] = at[i] + at[i + 1];
        at[i + 1] += at[i];
    }
    for (size_t i = 0; i < n; i++) {
        const size_t place = at[group[i]]++;
        items[place] = hits->items[i];
        scores[place] = hits->scores[i];
    }
    const align_hits arranged = {hits->queries, offsets, scores, items, hits->memory};
    offsets = hits->offsets;
    scores = hits->scores;
    items = hits->items;
    *hits = arranged;
done:
    al_free(scores);
    al_free(items);
    al_free(offsets);
    al_free(at);
    return status;
}

align_status align_index_duplicates(align_index *index, double threshold, const align_filter *filter, align_hits *out,
                                    align_error *err)
{
    align_status status = ALIGN_OK;
    groups g = {.index = index, .filter = filter, .threshold = threshold};
    al_hits_builder hits = {0};
    align_index_info info;
    size_t *group = NULL;
    *out = (align_hits){0};
    TRY(align_index_get_info(index, &info, err));
    g.width = info.width;
    TRY(read_ids(&g, err));
    TRY(join_all(&g, err));
    TRY(al_hits_begin(&hits, 0, err));
    group = al_calloc(g.count, sizeof *group);
    if (!group) {
        status = al_error_no_memory(err, g.count * sizeof *group);
        goto done;
    }
    TRY(collect(&g, &hits, group, err));
    TRY(arrange(&g, &hits.hits, hits.count, group, err));
    al_hits_end(&hits, out);
done:
    al_hits_drop(&hits);
    al_free(group);
    al_free(g.best);
    al_free(g.parent);
    al_free(g.ids);
    return status;
}
