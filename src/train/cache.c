/* cache.c: pictures behind atomic pointers, which are set once. */
#include "train/cache.h"

#include "base/memory.h"
#include "base/status.h"

#include <stdatomic.h>

struct al_cache {
    size_t count;
    atomic_size_t room; /* bytes */
    _Atomic(align_image *) *images;
};

align_status al_cache_new(al_cache **out, size_t count, size_t bytes, align_error *err)
{
    al_cache *c = al_calloc(1, sizeof *c);
    if (c)
        c->images = al_calloc(count, sizeof *c->images);
    if (!c || !c->images) {
        al_free(c);
        return al_error_no_memory(err, count * sizeof *c->images);
    }
    c->count = count;
    atomic_init(&c->room, bytes);
    *out = c;
    return ALIGN_OK;
}

void al_cache_free(al_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        align_image *image = atomic_load(&c->images[i]);
        if (image)
            align_image_done(image);
        al_free(image);
    }
    al_free(c->images);
    al_free(c);
}

const align_image *al_cache_get(al_cache *c, size_t i)
{
    return c ? atomic_load(&c->images[i]) : NULL;
}

static bool take_room(al_cache *c, size_t bytes)
{
    size_t room = atomic_load(&c->room);
    do {
        if (room < bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&c->room, &room, room - bytes));
    return true;
}

void al_cache_put(al_cache *c, size_t i, align_image *image)
{
    const size_t bytes = (size_t)(image->height * image->width * image->channels);
    if (!c || !take_room(c, bytes))
        return;
    align_image *copy = al_alloc(sizeof *copy), *none = NULL;
    if (copy)
        *copy = *image;
    if (!copy || !atomic_compare_exchange_strong(&c->images[i], &none, copy)) {
        al_free(copy); /* another thread was first */
        atomic_fetch_add(&c->room, bytes);
        return;
    }
    *image = (align_image){0, 0, 0, NULL};
}
