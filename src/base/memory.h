#ifndef AL_MEMORY_H
#define AL_MEMORY_H
/*
 * memory.h: the one door through which the library allocates.
 *
 * Everything goes through al_alloc and its relatives so that a test can make the n-th allocation fail. Sizes that come
 * from outside are multiplied with al_mul / al_add, which refuse to overflow. Memory is freed with al_free.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *al_alloc(size_t bytes);               /* like malloc; never NULL for 0 bytes unless memory is out */
void *al_calloc(size_t count, size_t size); /* zeroed; NULL also when count * size overflows */
void *al_realloc(void *memory, size_t bytes);
void al_free(void *memory);
char *al_strdup(const char *text);
char *al_strndup(const char *text, size_t n);
char *al_format(const char *format, ...) __attribute__((format(printf, 1, 2))); /* asprintf; NULL without memory */

/* An array of count items with room for one more: items itself, or that moved to twice the capacity. NULL without
 * memory; then nothing has changed. */
void *al_grow(void *items, size_t count, size_t *capacity, size_t size);

/* 64-byte aligned, for what kernels read and write; freed with al_free_aligned. */
void *al_alloc_aligned(size_t bytes);
void al_free_aligned(void *memory);

/* *out = a * b, a + b; false on overflow (then *out is not touched). */
bool al_mul(size_t a, size_t b, size_t *out);
bool al_add(size_t a, size_t b, size_t *out);

/* For tests: the n-th allocation from now on (1 = the next) and every later one fails; 0 switches it off. */
void al_memory_fail_at(long n);
#endif
