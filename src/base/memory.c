/* memory.c: malloc with a switch for tests. */
#include "base/memory.h"

#include <align/error.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64

/* Weights and workspaces are worth the pages that a TLB entry covers most of: they fault in by the hundred, not by the
 * hundred thousand. */
#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE     (2 * HUGE_PAGE)

/* 0: never fail; n > 0: n-1 more succeed; negative: all fail from here on. */
static atomic_long countdown;

void al_memory_fail_at(long n)
{
    atomic_store(&countdown, n);
}

static bool must_fail(void)
{
    const long left = atomic_load_explicit(&countdown, memory_order_relaxed);
    if (left == 0)
        return false;
    if (left < 0)
        return true;
    const long before = atomic_fetch_sub(&countdown, 1);
    if (before <= 1) {
        atomic_store(&countdown, -1);
        return true;
    }
    return false;
}

void *al_alloc(size_t bytes)
{
    return must_fail() ? NULL : malloc(bytes ? bytes : 1);
}

void *al_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *al_realloc(void *memory, size_t bytes)
{
    return must_fail() ? NULL : realloc(memory, bytes ? bytes : 1);
}

void al_free(void *memory)
{
    free(memory);
}

void align_free(void *memory)
{
    al_free(memory);
}

char *al_strndup(const char *text, size_t n)
{
    char *copy = al_alloc(n + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *al_strdup(const char *text)
{
    return al_strndup(text, strlen(text));
}

char *al_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0)
        return NULL;
    char *text = al_alloc((size_t)n + 1);
    if (!text)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)n + 1, format, arguments);
    va_end(arguments);
    return text;
}

void *al_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    size_t wanted, bytes;
    if (count < *capacity)
        return items;
    if (!al_mul(*capacity ? *capacity : 8, 2, &wanted) || !al_mul(wanted, size, &bytes))
        return NULL;
    void *grown = al_realloc(items, bytes);
    if (grown)
        *capacity = wanted;
    return grown;
}

void *al_alloc_aligned(size_t bytes)
{
    if (must_fail() || bytes > SIZE_MAX - HUGE_PAGE)
        return NULL;
    const size_t alignment = bytes < LARGE ? ALIGNMENT : HUGE_PAGE;
    const size_t rounded = (bytes + alignment) / alignment * alignment;
    void *memory = aligned_alloc(alignment, rounded);
#ifdef MADV_HUGEPAGE
    if (memory && bytes >= LARGE)
        (void)madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return memory;
}

void al_free_aligned(void *memory)
{
    free(memory);
}

bool al_mul(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool al_add(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}
