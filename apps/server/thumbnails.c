/*
 * thumbnails.c: making them, and a list of those that are kept in the order of use. Few thousands fit into the usual
 * room, so the list is searched from its head.
 */
#include "thumbnails.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_SIDE 448 /* pixels: a tile of the page on a fine screen */
#define QUALITY   82
#define MOST_FILE ((int64_t)256 << 20) /* bytes of a picture that one is made of */

typedef struct thumbnail {
    struct thumbnail *newer, *older;
    int64_t id, size, modified; /* of the file that it was made of */
    size_t n_bytes;
    char bytes[];
} thumbnail;

struct srv_thumbnails {
    pthread_mutex_t lock;
    size_t most_bytes, bytes;
    thumbnail *newest, *oldest;
};

srv_thumbnails *srv_thumbnails_new(size_t most_bytes)
{
    srv_thumbnails *thumbnails = calloc(1, sizeof *thumbnails);
    if (!thumbnails)
        return NULL;
    pthread_mutex_init(&thumbnails->lock, NULL);
    thumbnails->most_bytes = most_bytes;
    return thumbnails;
}

/* ---- those that are kept ---- */

static void take_out(srv_thumbnails *thumbnails, thumbnail *t)
{
    *(t->newer ? &t->newer->older : &thumbnails->newest) = t->older;
    *(t->older ? &t->older->newer : &thumbnails->oldest) = t->newer;
    thumbnails->bytes -= sizeof *t + t->n_bytes;
}

static void put_first(srv_thumbnails *thumbnails, thumbnail *t)
{
    t->newer = NULL;
    t->older = thumbnails->newest;
    *(t->older ? &t->older->newer : &thumbnails->oldest) = t;
    thumbnails->newest = t;
    thumbnails->bytes += sizeof *t + t->n_bytes;
}

static void drop(srv_thumbnails *thumbnails, thumbnail *t)
{
    take_out(thumbnails, t);
    free(t);
}

static thumbnail *find(const srv_thumbnails *thumbnails, int64_t id)
{
    thumbnail *t = thumbnails->newest;
    while (t && t->id != id)
        t = t->older;
    return t;
}

/* One that was made of another state of the file goes. */
static bool get_kept(srv_thumbnails *thumbnails, int64_t id, const srv_picture *picture, srv_text *text)
{
    pthread_mutex_lock(&thumbnails->lock);
    thumbnail *t = find(thumbnails, id);
    if (t && (t->size != picture->size || t->modified != picture->modified)) {
        drop(thumbnails, t);
        t = NULL;
    }
    if (t) {
        take_out(thumbnails, t);
        put_first(thumbnails, t);
        srv_text_add(text, t->bytes, t->n_bytes);
    }
    pthread_mutex_unlock(&thumbnails->lock);
    return t != NULL;
}

static void keep(srv_thumbnails *thumbnails, int64_t id, const srv_picture *picture, const void *bytes, size_t n)
{
    thumbnail *t = n < thumbnails->most_bytes / 8 ? malloc(sizeof *t + n) : NULL;
    if (!t)
        return;
    *t = (thumbnail){.id = id, .size = picture->size, .modified = picture->modified, .n_bytes = n};
    memcpy(t->bytes, bytes, n);
    pthread_mutex_lock(&thumbnails->lock);
    thumbnail *other = find(thumbnails, id); /* two may have made it at the same time */
    if (other)
        drop(thumbnails, other);
    while (thumbnails->oldest && thumbnails->bytes + sizeof *t + n > thumbnails->most_bytes)
        drop(thumbnails, thumbnails->oldest);
    put_first(thumbnails, t);
    pthread_mutex_unlock(&thumbnails->lock);
}

/* ---- making one ---- */

static align_status encode(const void *file, size_t size, uint8_t **bytes, size_t *n)
{
    align_image image = {0};
    align_status status = align_image_thumbnail(&image, file, size, "picture", MOST_SIDE, NULL);
    if (status == ALIGN_OK)
        status = align_image_encode_jpeg(&image, QUALITY, bytes, n, NULL);
    align_image_done(&image);
    return status;
}

/* The file's bytes are read, not mapped: a file that gets shorter meanwhile must not end the server. */
static align_status read_file(const srv_picture *picture, char **bytes)
{
    const size_t size = (size_t)picture->size;
    size_t have = 0;
    *bytes = NULL;
    if (picture->size > MOST_FILE)
        return ALIGN_ERROR_UNSUPPORTED;
    if (!(*bytes = malloc(size)))
        return ALIGN_ERROR_OUT_OF_MEMORY;
    while (have < size) {
        const ssize_t n = pread(picture->file, *bytes + have, size - have, (off_t)have);
        if (n <= 0)
            return ALIGN_ERROR_IO;
        have += (size_t)n;
    }
    return ALIGN_OK;
}

align_status srv_thumbnails_get(srv_thumbnails *thumbnails, int64_t id, const srv_picture *picture, srv_text *text)
{
    uint8_t *bytes = NULL;
    size_t n;
    char *file;
    if (get_kept(thumbnails, id, picture, text))
        return ALIGN_OK;
    align_status status = read_file(picture, &file);
    if (status == ALIGN_OK)
        status = encode(file, (size_t)picture->size, &bytes, &n);
    free(file);
    if (status == ALIGN_OK) {
        srv_text_add(text, (const char *)bytes, n);
        keep(thumbnails, id, picture, bytes, n);
    }
    align_free(bytes);
    return status;
}

size_t srv_thumbnails_bytes(srv_thumbnails *thumbnails)
{
    pthread_mutex_lock(&thumbnails->lock);
    const size_t bytes = thumbnails->bytes;
    pthread_mutex_unlock(&thumbnails->lock);
    return bytes;
}

void srv_thumbnails_free(srv_thumbnails *thumbnails)
{
    if (!thumbnails)
        return;
    while (thumbnails->oldest)
        drop(thumbnails, thumbnails->oldest);
    pthread_mutex_destroy(&thumbnails->lock);
    free(thumbnails);
}
