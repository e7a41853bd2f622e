#ifndef AL_TAR_H
#define AL_TAR_H
/*
 * tar.h: the members of a tar file in memory: ustar, with GNU's long names and POSIX's extended headers.
 */
#include "checkpoint/buffer.h"

typedef struct al_tar {
    const char *file; /* for messages */
    const uint8_t *data;
    size_t size, at;
    al_buffer name;
} al_tar;

/* A regular file: bytes [offset, offset + size). name lives until the next call. */
typedef struct al_tar_member {
    const char *name;
    size_t offset, size;
} al_tar_member;

/* The next member that is a regular file; *found is false at the end. FORMAT where the file is damaged or cut. */
align_status al_tar_next(al_tar *tar, al_tar_member *member, bool *found, align_error *err);
void al_tar_done(al_tar *tar);
#endif
