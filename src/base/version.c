/* version.c: the version of the library that is running. */
#include <align/align.h>

const char *align_version(void)
{
    return ALIGN_VERSION;
}
