#ifndef TESTS_SERVER_SCARCE_H
#define TESTS_SERVER_SCARCE_H
/*
 * scarce.h: allocations that fail when a test wants them to. The linker leads malloc and its kin here, of the server
 * and the library. Shared libraries are spared; jansson would read something else where it has no memory.
 */
#include <stdbool.h>

/* Whether this thread, a test's own, is left alone. */
void scarce_spare_me(bool spared);

/* Of all other threads, n allocations succeed from now on, and the next one fails. */
void scarce_fail_after(long n);

/* They succeed again: whether one failed. */
bool scarce_end(void);
#endif
