#ifndef AL_HASH_H
#define AL_HASH_H
/* hash.h: FNV-1a with 64 bits: for tables in memory, and to notice that something is not what it was. */
#include <stddef.h>
#include <stdint.h>

#define AL_HASH_START UINT64_C(0xCBF29CE484222325)

/* The hash of what gave `hash` so far (AL_HASH_START: nothing) and of these bytes after it. */
static inline uint64_t al_hash(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
    return hash;
}
#endif
