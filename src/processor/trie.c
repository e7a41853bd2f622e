/* trie.c: building and walking the double array. */
#include "processor/trie.h"

#include "base/memory.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

#define BYTES      256
#define MOST_TRIES 256              /* places looked at for a node's children before earlier gaps are given up */
#define FREE       UINT32_MAX       /* as a parent: nobody's child. Not a state, so no step ends there */
#define NO_PARENT  (UINT32_MAX - 1) /* the root's */

/* A node whose children are still to be placed: the entries [first, last) run through it, depth bytes long so far. */
typedef struct task {
    uint32_t node;
    size_t first, last, depth;
} task;

typedef struct builder {
    al_trie_node *nodes;
    size_t capacity;
    size_t used;  /* nodes from here on are free */
    size_t start; /* where the search for free places begins */
    const al_trie_entry *entries;
    task *tasks; /* a stack */
    size_t task_count, task_capacity;
} builder;

static int compare_entries(const void *a, const void *b)
{
    const al_trie_entry *x = a, *y = b;
    const int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    if (order)
        return order;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static align_status reserve_nodes(builder *b, size_t count, align_error *err)
{
    if (count <= b->capacity)
        return ALIGN_OK;
    const size_t capacity = count + count / 2;
    if (capacity > INT32_MAX)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "too many tokens for a trie");
    al_trie_node *nodes = al_realloc(b->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return al_error_no_memory(err, capacity * sizeof *nodes);
    for (size_t i = b->capacity; i < capacity; i++)
        nodes[i] = (al_trie_node){0, FREE, -1};
    b->nodes = nodes;
    b->capacity = capacity;
    return ALIGN_OK;
}

static align_status push(builder *b, task t, align_error *err)
{
    if (b->task_count == b->task_capacity) {
        const size_t capacity = b->task_capacity ? 2 * b->task_capacity : BYTES;
        task *tasks = al_realloc(b->tasks, capacity * sizeof *tasks);
        if (!tasks)
            return al_error_no_memory(err, capacity * sizeof *tasks);
        b->tasks = tasks;
        b->task_capacity = capacity;
    }
    b->tasks[b->task_count++] = t;
    return ALIGN_OK;
}

/* A base from which every one of the bytes (ascending) leads to a free node. */
static align_status find_base(builder *b, const unsigned char *bytes, size_t count, uint32_t *base, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t candidate = b->start > bytes[0] ? b->start - bytes[0] : 1;
    for (size_t tries = 0;; candidate++) {
        TRY(reserve_nodes(b, candidate + BYTES + 1, err)); /* so that there always is a free node behind */
        size_t i = 0;
        while (i < count && b->nodes[candidate + bytes[i]].parent == FREE)
            i++;
        if (i == count)
            break;
        if (++tries == MOST_TRIES)
            b->start = candidate + bytes[0];
    }
    *base = (uint32_t)candidate;
done:
    return status;
}

/* Places the children of a node and pushes them. */
static align_status expand(builder *b, task t, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_trie_entry *entries = b->entries;
    unsigned char bytes[BYTES];
    size_t count = 0, first = t.first;
    if (entries[first].size == t.depth)
        b->nodes[t.node].value = entries[first].value;
    while (first < t.last && entries[first].size == t.depth)
        first++;
    if (first == t.last)
        return ALIGN_OK;
    for (size_t i = first; i < t.last; i++) {
        const unsigned char byte = (unsigned char)entries[i].text[t.depth];
        if (count == 0 || bytes[count - 1] != byte)
            bytes[count++] = byte;
    }
    uint32_t base;
    TRY(find_base(b, bytes, count, &base, err));
    b->nodes[t.node].base = base;
    for (size_t k = 0, i = first; k < count; k++) {
        size_t last = i;
        while (last < t.last && (unsigned char)entries[last].text[t.depth] == bytes[k])
            last++;
        b->nodes[base + bytes[k]].parent = t.node;
        TRY(push(b, (task){base + bytes[k], i, last, t.depth + 1}, err));
        i = last;
    }
    if (b->used < base + BYTES)
        b->used = base + BYTES;
    while (b->nodes[b->start].parent != FREE)
        b->start++;
done:
    return status;
}

align_status al_trie_build(al_trie *out, al_trie_entry *entries, size_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    builder b = {.entries = entries, .start = AL_TRIE_ROOT + 1, .used = AL_TRIE_ROOT + 1 + BYTES};
    *out = (al_trie){0};
    if (count == 0)
        return ALIGN_OK;
    qsort(entries, count, sizeof *entries, compare_entries);
    TRY(reserve_nodes(&b, b.used + 1, err));
    b.nodes[AL_TRIE_ROOT].parent = NO_PARENT;
    TRY(push(&b, (task){AL_TRIE_ROOT, 0, count, 0}, err));
    while (b.task_count > 0)
        TRY(expand(&b, b.tasks[--b.task_count], err));
    out->nodes = b.nodes;
    out->count = b.used;
    b.nodes = NULL;
done:
    al_free(b.nodes);
    al_free(b.tasks);
    return status;
}

void al_trie_done(al_trie *trie)
{
    al_free(trie->nodes);
    *trie = (al_trie){0};
}

size_t al_trie_longest(const al_trie *trie, uint32_t state, const char *text, size_t size, int32_t *value)
{
    size_t longest = 0;
    for (size_t i = 0; i < size; i++) {
        state = al_trie_step(trie, state, text[i]);
        if (state == AL_TRIE_NOWHERE)
            break;
        if (trie->nodes[state].value >= 0) {
            longest = i + 1;
            *value = trie->nodes[state].value;
        }
    }
    return longest;
}

uint32_t al_trie_walk(const al_trie *trie, uint32_t state, const char *text, size_t size)
{
    for (size_t i = 0; i < size && state != AL_TRIE_NOWHERE; i++)
        state = al_trie_step(trie, state, text[i]);
    return state;
}
