/* skips.c: a list of what was left out. */
#include "train/skips.h"

#include "base/memory.h"
#include "base/status.h"

align_status al_skips_add(al_skips *s, const char *where, const char *reason, align_error *err)
{
    if (s->kept == ALIGN_DATASET_REASONS) {
        s->count++;
        return ALIGN_OK;
    }
    al_skip *items = al_grow(s->items, s->kept, &s->capacity, sizeof *items);
    if (!items)
        return al_error_no_memory(err, s->kept * sizeof *items);
    s->items = items;
    al_skip *item = &s->items[s->kept];
    *item = (al_skip){al_strdup(where), al_strdup(reason)};
    if (!item->where || !item->reason) {
        al_free(item->where);
        al_free(item->reason);
        return al_error_no_memory(err, sizeof *item);
    }
    s->kept++;
    s->count++;
    return ALIGN_OK;
}

bool al_skips_get(const al_skips *s, size_t i, const char **where, const char **reason)
{
    if (i >= s->kept)
        return false;
    *where = s->items[i].where;
    *reason = s->items[i].reason;
    return true;
}

void al_skips_done(al_skips *s)
{
    for (size_t i = 0; i < s->kept; i++) {
        al_free(s->items[i].where);
        al_free(s->items[i].reason);
    }
    al_free(s->items);
    *s = (al_skips){0};
}
