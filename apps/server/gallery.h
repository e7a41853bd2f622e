#ifndef ALIGN_SERVER_GALLERY_H
#define ALIGN_SERVER_GALLERY_H
/*
 * gallery.h: the index that is searched here, and the pictures that it is of.
 *
 * Clients name pictures by the ids of their rows, never by paths. A file is opened only if a row names it, it lies
 * below one of the folders given (below any, where none were), and no symbolic link is on the way to it from there.
 * What clients are told of a path is the part below that folder.
 *
 * All functions may be called from any thread.
 */
#include "text.h"
#include <align/align.h>
#include <align/search.h>

typedef struct srv_gallery srv_gallery;

typedef struct srv_gallery_options {
    const char *place;          /* of the index */
    const char *const *folders; /* that pictures may be in */
    size_t n_folders;           /* 0: in any */
    const align_model *model;   /* of the vectors */
    size_t thumbnail_bytes;     /* kept in memory */
} srv_gallery_options;

/* MISMATCH where the index is of another model. */
align_status srv_gallery_open(srv_gallery **out, const srv_gallery_options *options, align_error *err);
void srv_gallery_close(srv_gallery *gallery); /* NULL is fine */

/* A handle of the index for one thread, to be given back; NULL if the index cannot be opened now. */
align_index *srv_gallery_take(srv_gallery *gallery);
void srv_gallery_give(srv_gallery *gallery, align_index *index);

/* The folders that all rows for clients are in, for a filter: [*n], 0: there is no limit. */
const char *const *srv_gallery_folders(const srv_gallery *gallery, size_t *n);

/* What a client is told of a path, to be freed; NULL without memory. */
char *srv_gallery_show(srv_gallery *gallery, const char *path);

/* The folders that a client could mean by what it was told of one: adds paths, to be freed, to folders[] from *n on.
 * False where they do not fit, or without memory. */
bool srv_gallery_find_folders(srv_gallery *gallery, const char *shown, char **folders, size_t *n, size_t most);

/* A picture's file. */
typedef struct srv_picture {
    int file;         /* to be closed */
    int64_t size;     /* bytes, at least 1 */
    int64_t modified; /* nanoseconds since 1970 */
    const char *type; /* "image/jpeg" ... */
} srv_picture;

/* Opens the picture of a row. NOT_FOUND where there is none that may be seen. */
align_status srv_gallery_open_picture(srv_gallery *gallery, int64_t id, srv_picture *out);

/* A small JPEG of a picture, to be added to text: of those kept, or made now. OUT_OF_MEMORY, or another error where the
 * file is no picture any more. */
align_status srv_gallery_thumbnail(srv_gallery *gallery, int64_t id, const srv_picture *picture, srv_text *text);
#endif
