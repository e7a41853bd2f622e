#ifndef TEST_SUPPORT_SCRATCH_H
#define TEST_SUPPORT_SCRATCH_H
/*
 * scratch.h: a folder for the files that a test writes: made before its tests, and removed behind them with all that is
 * in it. Include it behind cmocka.h. Each test is one program, so everything here is static.
 */
#include "base/folder.h"

#include <stdio.h>
#include <stdlib.h>

static char scratch[] = "/tmp/align-test-XXXXXX";

static inline int scratch_open(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int scratch_close(void **state)
{
    (void)state;
    return al_folder_remove(scratch, NULL) == ALIGN_OK ? 0 : -1;
}

/* The path of a file in the scratch folder; one of a few buffers in turn. */
static inline const char *in_scratch(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}
#endif
