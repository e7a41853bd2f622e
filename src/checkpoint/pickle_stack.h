#ifndef AL_PICKLE_STACK_H
#define AL_PICKLE_STACK_H
/*
 * pickle_stack.h: what the pickle machine's opcodes work with: the program's bytes, the stack, marks in it. Taking what
 * is not there is a FORMAT error everywhere.
 */
#include "checkpoint/pickle.h"

/* The next bytes of the program, as they lie; as a little-endian number of `size` bytes; up to a newline (taken too).
 */
align_status al_pickle_take(al_pickle *pickle, uint64_t size, const uint8_t **bytes, align_error *err);
align_status al_pickle_take_number(al_pickle *pickle, int size, uint64_t *value, align_error *err);
align_status al_pickle_take_line(al_pickle *pickle, const char **line, size_t *size, align_error *err);

align_status al_pickle_push(al_pickle *pickle, al_pickle_value *value, align_error *err);
align_status al_pickle_pop(al_pickle *pickle, al_pickle_value **value, align_error *err);
align_status al_pickle_top(const al_pickle *pickle, al_pickle_value **value, align_error *err);

/* The last count values, in the order they were pushed. *items stays valid until the next push. */
align_status al_pickle_pop_many(al_pickle *pickle, size_t count, al_pickle_value ***items, align_error *err);

/* A mark, which no pop reaches below; and taking it off with everything above it. */
align_status al_pickle_push_mark(al_pickle *pickle, align_error *err);
align_status al_pickle_pop_mark(al_pickle *pickle, al_pickle_value ***items, size_t *count, align_error *err);

/* Values above the innermost mark. */
size_t al_pickle_above_mark(const al_pickle *pickle);

align_status al_pickle_append(al_pickle_list *list, al_pickle_value *value, align_error *err);

/* Room for need items of item_size bytes in an array that may move. */
align_status al_pickle_grow(void **items, size_t *capacity, size_t need, size_t item_size, align_error *err);
#endif
