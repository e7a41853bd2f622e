#ifndef AL_LOAD_KEYS_H
#define AL_LOAD_KEYS_H
/*
 * load_keys.h: which tensor of a checkpoint belongs to which key of the model, by the reference's rules.
 *
 * "beta" in a key is read as "bias", else "gamma" as "weight"; if any key begins with "align", every key is expected
 * with "align." before it. One difference is wanted: a tower alone is found in a full checkpoint by its prefix
 * "text_model." or "vision_model." (the reference would leave it at random values), and what lies outside that prefix
 * is then no business of the tower's and not reported as unexpected.
 */
#include <align/model.h>
#include <align/tensor.h>

typedef enum al_fate { AL_FATE_UNUSED = 0, AL_FATE_USED, AL_FATE_MISMATCHED } al_fate;

typedef struct al_file_key {
    const char *name; /* after renaming; the collection's own string or owned */
    char *owned;
    size_t index; /* in the collection */
    al_fate fate; /* set by the one who loads */
} al_file_key;

typedef struct al_key_table {
    const align_tensors *tensors;
    size_t count;
    al_file_key *keys; /* sorted by name */
    char prefix[32];   /* of every expected key: "", "align.", "align.text_model.", ... */
    bool tower_found;  /* prefix ends in a tower's */
} al_key_table;

/* tensors NULL: an empty table. The tensors must outlive it. */
align_status al_key_table_init(al_key_table *table, const align_tensors *tensors, align_tower tower, align_error *err);
void al_key_table_done(al_key_table *table);

/* The key of that name (prefix included), or NULL. */
al_file_key *al_key_table_find(const al_key_table *table, const char *name);

/* ---- lists for the report ---- */

typedef struct al_name_list {
    char **names;
    size_t count, capacity;
} al_name_list;

align_status al_name_list_add(al_name_list *list, const char *prefix, const char *name, align_error *err);
void al_name_list_sort(al_name_list *list);
void al_name_list_free(const char *const *names, size_t count);

/* Keys that nothing asked for, sorted; buffers that older versions saved are left out. */
align_status al_list_unexpected(al_name_list *list, const al_key_table *table, align_tower tower, align_error *err);

/* Keys of another shape, in the order of the checkpoint. */
align_status al_list_mismatched(al_name_list *list, const al_key_table *table, align_error *err);
#endif
