/* scarce.c: allocations that fail when a test wants them to. */
#include "scarce.h"
#include <stdatomic.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static atomic_long until_failure = -1; /* allocations that still succeed; negative: all do */
static atomic_bool has_failed;
static _Thread_local bool is_spared;

static bool fails(void)
{
    if (is_spared || atomic_load(&until_failure) < 0 || atomic_fetch_sub(&until_failure, 1) != 0)
        return false;
    atomic_store(&has_failed, true);
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void scarce_spare_me(bool spared)
{
    is_spared = spared;
}

void scarce_fail_after(long n)
{
    atomic_store(&has_failed, false);
    atomic_store(&until_failure, n);
}

bool scarce_end(void)
{
    atomic_store(&until_failure, -1);
    return atomic_load(&has_failed);
}
