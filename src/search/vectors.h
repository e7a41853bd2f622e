#ifndef AL_VECTORS_H
#define AL_VECTORS_H
/*
 * vectors.h: the file of vectors beside an SQLite index (docs/index-format.md): a page that says what it is, then
 * vectors in f16, one a slot. It knows nothing of items: how many slots there are and which of them count, their rows
 * say.
 *
 * Slots are written once, behind all others; what lies behind those that rows know of means nothing and is written
 * over. So readers need no lock.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AL_IDENTITY_SIZE 16

/* What a slot holds: a vector in f16; or what is made of it (quantized.h): in steps of its own, and how large these
 * are.
 */
typedef enum al_vectors_element { AL_ELEMENT_F16 = 1, AL_ELEMENT_STEPS = 2, AL_ELEMENT_STEP = 3 } al_vectors_element;

/* Which file this must be. */
typedef struct al_vectors_key {
    uint8_t identity[AL_IDENTITY_SIZE]; /* of the index: random */
    int64_t generation;                 /* counts the files that the index has had */
    int64_t width;
    int64_t element; /* an al_vectors_element */
} al_vectors_key;

typedef struct al_vectors {
    al_vectors_key key;
    char *path;
    int fd;
    bool writable;
    const uint8_t *map; /* NULL: none */
    size_t mapped;      /* bytes, beyond the file's end, too */
} al_vectors;

#define AL_VECTORS_CLOSED ((al_vectors){.fd = -1})

/* "<index>-vectors-<generation>", with ".steps" or ".step" behind it for what is made of them; freed with al_free; NULL
 * without memory. */
char *al_vectors_path(const char *index, int64_t generation, al_vectors_element element);

/* Makes an empty one, in the place of whatever has the name, and opens it for writing. */
align_status al_vectors_create(al_vectors *out, const char *index, const al_vectors_key *key, align_error *err);

/* Opens one. Errors: NOT_FOUND; FORMAT for a file that is not the one of the key; IO. */
align_status al_vectors_open(al_vectors *out, const char *index, const al_vectors_key *key, bool writable,
                             align_error *err);
void al_vectors_close(al_vectors *vectors); /* a closed one is fine */

/* How many slots the file has room for, whether they count or not. */
align_status al_vectors_count(const al_vectors *vectors, int64_t *slots, align_error *err);

/* Whether the file holds so many slots: FORMAT where it is shorter. */
align_status al_vectors_check(const al_vectors *vectors, int64_t slots, align_error *err);

/* Writes count slots from `slot` on; they are on disk after al_vectors_sync. */
align_status al_vectors_write(al_vectors *vectors, int64_t slot, const void *rows, size_t count, align_error *err);
align_status al_vectors_sync(al_vectors *vectors, align_error *err);

/* How many slots are as they should be, where that is for the file itself to say: what is made of vectors. */
align_status al_vectors_get_ready(const al_vectors *vectors, int64_t *slots, align_error *err);
align_status al_vectors_set_ready(al_vectors *vectors, int64_t slots, align_error *err);

/* Gives back what lies behind so many slots. */
void al_vectors_cut(al_vectors *vectors, int64_t slots);

/* Copies slots [from, from + count) of one file behind the first `to` of another. */
align_status al_vectors_copy(al_vectors *to, int64_t to_slot, const al_vectors *from, int64_t slot, int64_t count,
                             align_error *err);

/* The first slots, mapped. Valid until the next call for more slots, or close. */
align_status al_vectors_view(al_vectors *vectors, int64_t slots, const void **out, align_error *err);
#endif
