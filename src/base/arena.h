#ifndef AL_ARENA_H
#define AL_ARENA_H
/*
 * arena.h: memory by the stack discipline, with a rehearsal.
 *
 * A forward pass (and the packing of weights) takes its buffers from an arena in a fixed order and gives them back by
 * going to an earlier mark. The same text is run twice: first over an arena without memory, which only measures, then
 * over one that is exactly as large as the first run found. So the plan and the run cannot disagree, and the run has no
 * place where memory can be missing.
 *
 *     measured:   | input | expanded      | filtered |            peak = everything that lived at once
 *     after mark: | input |
 *
 * Blocks are 64-byte aligned, and the bytes up to the next are zero, so that an arena can be written to a file as it
 * is. An arena that measures hands out addresses that must not be read or written.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>

/* Of blocks, and so of an arena. */
#define AL_ARENA_ALIGNMENT 64

typedef struct al_arena {
    char *base;  /* NULL: measuring */
    size_t size; /* bytes at base */
    size_t used, peak;
    bool borrowed; /* base is somebody else's and only read: nothing is written into it, nothing freed */
} al_arena;

/* An arena over size bytes that hold what an earlier one did; they must be 64-byte aligned and outlive it. */
al_arena al_arena_over(const void *base, size_t size);

/* Takes count elements of size bytes; NULL only if the sizes overflow or (a defect) the rehearsal was shorter. */
void *al_arena_take(al_arena *arena, size_t count, size_t size);

/* Where the arena stands, and going back there. */
size_t al_arena_mark(const al_arena *arena);
void al_arena_release(al_arena *arena, size_t mark);

/* Starts a rehearsal: the arena forgets what it holds but keeps its memory for reserve to use again. */
typedef struct al_arena_rehearsal {
    char *base;
    size_t size;
} al_arena_rehearsal;
al_arena_rehearsal al_arena_rehearse(al_arena *arena);

/* Ends it: gets at least as many bytes as were measured and starts afresh. limit 0: none. */
align_status al_arena_reserve(al_arena *arena, al_arena_rehearsal rehearsal, size_t limit, align_error *err);

void al_arena_done(al_arena *arena);

/* Takes floats; the element type nearly everyone wants. */
float *al_arena_floats(al_arena *arena, size_t count);
#endif
