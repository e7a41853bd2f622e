/* arena.c: see arena.h. */
#include "base/arena.h"

#include "base/memory.h"
#include "base/status.h"

#include <stdint.h>
#include <string.h>

#define ALIGNMENT ((size_t)AL_ARENA_ALIGNMENT)

/* Where a measuring arena pretends to begin: never dereferenced, but not NULL either, which would mean "absent". */
#define NOWHERE ((uintptr_t)1 << 20)

al_arena al_arena_over(const void *base, size_t size)
{
    return (al_arena){.base = (char *)(uintptr_t)base, .size = size, .borrowed = true};
}

void *al_arena_take(al_arena *arena, size_t count, size_t size)
{
    size_t bytes, end;
    if (!al_mul(count, size, &bytes) || !al_add(bytes, ALIGNMENT - 1, &bytes))
        bytes = SIZE_MAX / 2;
    bytes = bytes / ALIGNMENT * ALIGNMENT;
    if (!al_add(arena->used, bytes, &end))
        end = SIZE_MAX / 2; /* far more than can be reserved: al_arena_reserve refuses */
    const size_t start = arena->used;
    if (arena->base && end > arena->size)
        return NULL;
    if (arena->base && !arena->borrowed)
        memset(arena->base + start + count * size, 0, bytes - count * size);
    arena->used = end;
    if (end > arena->peak)
        arena->peak = end;
    return arena->base ? (void *)(arena->base + start) : (void *)(NOWHERE + start);
}

float *al_arena_floats(al_arena *arena, size_t count)
{
    return al_arena_take(arena, count, sizeof(float));
}

size_t al_arena_mark(const al_arena *arena)
{
    return arena->used;
}

void al_arena_release(al_arena *arena, size_t mark)
{
    arena->used = mark;
}

al_arena_rehearsal al_arena_rehearse(al_arena *arena)
{
    const al_arena_rehearsal kept = {arena->base, arena->size};
    *arena = (al_arena){0};
    return kept;
}

align_status al_arena_reserve(al_arena *arena, al_arena_rehearsal kept, size_t limit, align_error *err)
{
    const size_t need = arena->peak;
    *arena = (al_arena){.base = kept.base, .size = kept.size};
    if (limit && need > limit)
        return al_error_set(err, ALIGN_ERROR_OUT_OF_MEMORY, "a workspace of %zu bytes is needed, the limit is %zu",
                            need, limit);
    if (arena->base && need <= arena->size)
        return ALIGN_OK;
    al_arena_done(arena);
    if (need >= SIZE_MAX / 4)
        return al_error_no_memory(err, need);
    arena->base = al_alloc_aligned(need);
    if (!arena->base)
        return al_error_no_memory(err, need);
    arena->size = need;
    return ALIGN_OK;
}

void al_arena_done(al_arena *arena)
{
    if (!arena->borrowed)
        al_free_aligned(arena->base);
    *arena = (al_arena){0};
}
