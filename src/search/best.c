/* best.c: see best.h. */
#include "search/best.h"

#include "base/memory.h"

static bool is_better(al_found a, al_found b)
{
    return a.score > b.score || (a.score == b.score && a.place < b.place);
}

float al_best_limit(const al_best *best)
{
    return best->count < best->most ? best->threshold : best->items[0].score;
}

/* Moves items[at] up for as long as it is worse than what is above it. */
static void rise(al_found *items, size_t at)
{
    while (at > 0) {
        const size_t above = (at - 1) / 2;
        if (!is_better(items[above], items[at]))
            return;
        const al_found other = items[above];
        items[above] = items[at];
        items[at] = other;
        at = above;
    }
}

/* Moves items[0] down for as long as something below it is worse. */
static void sink(al_found *items, size_t count)
{
    for (size_t at = 0, below = 1; below < count; below = 2 * at + 1) {
        if (below + 1 < count && is_better(items[below], items[below + 1]))
            below++;
        if (!is_better(items[at], items[below]))
            return;
        const al_found other = items[below];
        items[below] = items[at];
        items[at] = other;
        at = below;
    }
}

bool al_best_add(al_best *best, al_found found)
{
    if (!(found.score >= best->threshold))
        return true;
    if (best->count == best->most) {
        if (is_better(found, best->items[0])) {
            best->items[0] = found;
            sink(best->items, best->count);
        }
        return true;
    }
    al_found *items = al_grow(best->items, best->count, &best->capacity, sizeof *items);
    if (!items)
        return false;
    best->items = items;
    items[best->count] = found;
    rise(items, best->count++);
    return true;
}

void al_best_take(al_best *best, al_found *to)
{
    while (best->count > 0) {
        to[--best->count] = best->items[0];
        best->items[0] = best->items[best->count];
        sink(best->items, best->count);
    }
}
