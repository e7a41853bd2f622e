#ifndef AL_TRIE_H
#define AL_TRIE_H
/*
 * trie.h: a set of byte strings with values, walked byte by byte: the longest entry that starts here in one pass.
 *
 * It is a double array: the child of a node under byte b lies at base + b and knows its parent, so a step is two loads
 * and one comparison, whatever the size of the vocabulary.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AL_TRIE_NOWHERE = 0, /* the state after a step that no entry takes */
    AL_TRIE_ROOT = 1,
};

typedef struct al_trie_node {
    uint32_t base;
    uint32_t parent;
    int32_t value; /* -1: no entry ends here */
} al_trie_node;

typedef struct al_trie {
    al_trie_node *nodes; /* any base may be stepped from with any byte; NULL when there are no entries */
    size_t count;
} al_trie;

typedef struct al_trie_entry {
    const char *text;
    size_t size;
    int32_t value;
} al_trie_entry;

/* Entries are sorted in place. Of two with the same text the one that comes first in the array counts. */
align_status al_trie_build(al_trie *out, al_trie_entry *entries, size_t count, align_error *err);
void al_trie_done(al_trie *trie);

static inline uint32_t al_trie_step(const al_trie *trie, uint32_t state, char byte)
{
    const uint32_t next = trie->nodes[state].base + (unsigned char)byte;
    return trie->nodes[next].parent == state ? next : AL_TRIE_NOWHERE;
}

/*
 * The longest entry of at least one byte that goes on from state along text: its size, or 0 when there is none. The
 * trie must not be empty; from AL_TRIE_NOWHERE nothing is found.
 */
size_t al_trie_longest(const al_trie *trie, uint32_t state, const char *text, size_t size, int32_t *value);

/* The state after all of text. */
uint32_t al_trie_walk(const al_trie *trie, uint32_t state, const char *text, size_t size);
#endif
