/*
 * gallery.c: handles of the index, the folders that pictures may be in, and the way to a picture's file.
 */
#include "gallery.h"
#include "thumbnails.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Rows that are looked at for the folder that all are in; others may make it shorter when they are found. */
#define ROWS_FOR_TRUNK 20000

#define LONGEST_NAME 255 /* of a part of a path */

/* Idle handles, one below the other. */
typedef struct handle {
    struct handle *next;
    align_index *index;
} handle;

struct srv_gallery {
    char *place;
    char model[ALIGN_FINGERPRINT_SIZE];
    pthread_mutex_t lock;
    handle *idle;
    char **folders; /* [n_folders] whole paths */
    int *ways;      /* [n_folders] into them */
    size_t n_folders;
    char *trunk; /* of all rows seen, where no folder was given: "" is the root */
    srv_thumbnails *thumbnails;
};

static align_status fail(align_error *err, align_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static align_status fail(align_error *err, align_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->status = status;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

/* ---- handles ---- */

static align_status open_index(const srv_gallery *gallery, align_index **out, align_error *err)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    options.threads = 1; /* requests run beside each other */
    return align_index_open(out, gallery->place, &options, err);
}

align_index *srv_gallery_take(srv_gallery *gallery)
{
    align_index *index = NULL;
    pthread_mutex_lock(&gallery->lock);
    handle *first = gallery->idle;
    if (first)
        gallery->idle = first->next;
    pthread_mutex_unlock(&gallery->lock);
    if (first)
        index = first->index;
    else
        open_index(gallery, &index, NULL);
    free(first);
    return index;
}

void srv_gallery_give(srv_gallery *gallery, align_index *index)
{
    handle *first = malloc(sizeof *first);
    if (!first) {
        align_index_close(index);
        return;
    }
    first->index = index;
    pthread_mutex_lock(&gallery->lock);
    first->next = gallery->idle;
    gallery->idle = first;
    pthread_mutex_unlock(&gallery->lock);
}

/* ---- paths and what clients are told of them ---- */

/* What of the path is below the folder, or NULL. "" is the root. */
static const char *below(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static char *join(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s%s%s", folder, *name ? "/" : "", name) < 0 ? NULL : path;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The longest of the folders that the path is in; n_folders: none. */
static size_t folder_of(const srv_gallery *gallery, const char *path)
{
    size_t best = gallery->n_folders;
    for (size_t i = 0; i < gallery->n_folders; i++)
        if (below(path, gallery->folders[i]) &&
            (best == gallery->n_folders || strlen(gallery->folders[i]) > strlen(gallery->folders[best])))
            best = i;
    return best;
}

/* In the lock: cuts the trunk back until the path is below it; what is left of the path. */
static const char *below_trunk(srv_gallery *gallery, const char *path)
{
    const char *rest;
    while (!(rest = below(path, gallery->trunk)) && *gallery->trunk)
        *strrchr(gallery->trunk, '/') = '\0';
    return rest ? rest : path;
}

char *srv_gallery_show(srv_gallery *gallery, const char *path)
{
    if (gallery->n_folders == 0) {
        pthread_mutex_lock(&gallery->lock);
        char *shown = strdup(below_trunk(gallery, path));
        pthread_mutex_unlock(&gallery->lock);
        return shown;
    }
    const size_t i = folder_of(gallery, path);
    if (i == gallery->n_folders)
        return strdup(last_part(path));
    const char *rest = below(path, gallery->folders[i]);
    return gallery->n_folders > 1 ? join(last_part(gallery->folders[i]), rest) : strdup(rest);
}

/* The part of what a client was told that is below the folder, which it begins with where there are several; NULL: it
 * means another one. */
static const char *meant_below(const srv_gallery *gallery, const char *folder, const char *shown)
{
    const char *name = last_part(folder);
    if (gallery->n_folders < 2)
        return shown;
    return strcmp(shown, name) == 0 ? "" : below(shown, name);
}

static bool add_folder(char **folders, size_t *n, size_t most, char *folder)
{
    if (!folder || *n == most) {
        free(folder);
        return false;
    }
    folders[(*n)++] = folder;
    return true;
}

bool srv_gallery_find_folders(srv_gallery *gallery, const char *shown, char **folders, size_t *n, size_t most)
{
    if (gallery->n_folders == 0) {
        pthread_mutex_lock(&gallery->lock);
        char *folder = join(gallery->trunk, shown);
        pthread_mutex_unlock(&gallery->lock);
        return add_folder(folders, n, most, folder);
    }
    for (size_t i = 0; i < gallery->n_folders; i++) {
        const char *rest = meant_below(gallery, gallery->folders[i], shown);
        if (rest && !add_folder(folders, n, most, join(gallery->folders[i], rest)))
            return false;
    }
    return true;
}

const char *const *srv_gallery_folders(const srv_gallery *gallery, size_t *n)
{
    *n = gallery->n_folders;
    return (const char *const *)gallery->folders;
}

/* ---- the way to a file ---- */

/* Takes the next part of the path; false where it is none to follow. */
static bool take_part(const char **path, char part[LONGEST_NAME + 1])
{
    const size_t length = strcspn(*path, "/");
    if (length == 0 || length > LONGEST_NAME)
        return false;
    memcpy(part, *path, length);
    part[length] = '\0';
    *path += length + ((*path)[length] == '/');
    return strcmp(part, ".") != 0 && strcmp(part, "..") != 0;
}

/* Goes down part by part, so that no link is followed, whatever is being moved about meanwhile. -1: not there. */
static int open_below(int folder, const char *path)
{
    char part[LONGEST_NAME + 1];
    int at = dup(folder);
    while (at >= 0 && take_part(&path, part)) {
        const bool is_last = *path == '\0';
        const int flags = is_last ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY;
        const int next = openat(at, part, flags | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
        if (is_last)
            return at;
    }
    if (at >= 0)
        close(at);
    return -1;
}

static int open_path(const srv_gallery *gallery, const char *path)
{
    if (gallery->n_folders > 0) {
        const size_t i = folder_of(gallery, path);
        return i < gallery->n_folders ? open_below(gallery->ways[i], below(path, gallery->folders[i])) : -1;
    }
    const int root = *path == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    const int file = root >= 0 ? open_below(root, path + 1) : -1;
    if (root >= 0)
        close(root);
    return file;
}

/* By its first bytes: nothing else than a picture leaves this machine. */
static const char *type_of(int file)
{
    char head[12] = {0};
    if (pread(file, head, sizeof head, 0) != (ssize_t)sizeof head)
        return NULL;
    if (memcmp(head, "\xff\xd8\xff", 3) == 0)
        return "image/jpeg";
    if (memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0)
        return "image/png";
    if (memcmp(head, "GIF8", 4) == 0)
        return "image/gif";
    return memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WEBP", 4) == 0 ? "image/webp" : NULL;
}

/* The path of a picture that is a file of its own, to be freed. */
static align_status find_path(srv_gallery *gallery, int64_t id, char **path)
{
    align_item item;
    bool found = false;
    align_index *index = srv_gallery_take(gallery);
    *path = NULL;
    if (!index)
        return ALIGN_ERROR_IO;
    align_status status = align_index_item(index, id, &item, &found, NULL);
    if (status == ALIGN_OK && !(found && item.kind == ALIGN_ITEM_IMAGE && *item.member == '\0'))
        status = ALIGN_ERROR_NOT_FOUND;
    if (status == ALIGN_OK && !(*path = strdup(item.path)))
        status = ALIGN_ERROR_OUT_OF_MEMORY;
    srv_gallery_give(gallery, index);
    return status;
}

align_status srv_gallery_open_picture(srv_gallery *gallery, int64_t id, srv_picture *out)
{
    struct stat info;
    char *path;
    const align_status status = find_path(gallery, id, &path);
    if (status != ALIGN_OK)
        return status;
    out->file = open_path(gallery, path);
    free(path);
    if (out->file < 0)
        return ALIGN_ERROR_NOT_FOUND;
    out->type = fstat(out->file, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 ? type_of(out->file) : NULL;
    if (!out->type) {
        close(out->file);
        return ALIGN_ERROR_NOT_FOUND;
    }
    out->size = info.st_size;
    out->modified = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    return ALIGN_OK;
}

align_status srv_gallery_thumbnail(srv_gallery *gallery, int64_t id, const srv_picture *picture, srv_text *text)
{
    return srv_thumbnails_get(gallery->thumbnails, id, picture, text);
}

/* ---- opening and closing ---- */

static align_status keep_folders(srv_gallery *gallery, const srv_gallery_options *options, align_error *err)
{
    gallery->folders = calloc(options->n_folders + 1, sizeof *gallery->folders);
    gallery->ways = calloc(options->n_folders + 1, sizeof *gallery->ways);
    if (!gallery->folders || !gallery->ways)
        return fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for %zu folders", options->n_folders);
    if (options->n_folders > ALIGN_MOST_FOLDERS)
        return fail(err, ALIGN_ERROR_INVALID_ARGUMENT, "%zu folders: at most %d, or one above them", options->n_folders,
                    ALIGN_MOST_FOLDERS);
    for (size_t i = 0; i < options->n_folders; i++) {
        char *path = realpath(options->folders[i], NULL);
        const int way = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        if (way < 0) {
            free(path);
            return fail(err, ALIGN_ERROR_IO, "%s: %s", options->folders[i], strerror(errno));
        }
        if (strcmp(path, "/") == 0)
            *path = '\0';
        gallery->folders[i] = path;
        gallery->ways[i] = way;
        gallery->n_folders++;
    }
    return ALIGN_OK;
}

/* The folder that all rows are in, as far as they are looked at. */
static align_status find_trunk(srv_gallery *gallery, align_index *index, align_error *err)
{
    align_cursor *cursor;
    align_item item;
    bool more = true;
    align_status status = align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_ID, err);
    for (int64_t i = 0; i < ROWS_FOR_TRUNK && status == ALIGN_OK && more; i++) {
        status = align_cursor_next(cursor, &item, NULL, &more, err);
        if (status != ALIGN_OK || !more || *item.path != '/')
            continue;
        if (!gallery->trunk && (gallery->trunk = strdup(item.path)) != NULL)
            *strrchr(gallery->trunk, '/') = '\0';
        if (!gallery->trunk)
            status = fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for a path");
        else
            below_trunk(gallery, item.path);
    }
    align_cursor_close(cursor);
    if (!gallery->trunk && !(gallery->trunk = strdup("")))
        status = fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for a path");
    return status;
}

static align_status check_model(const srv_gallery *gallery, align_index *index, align_error *err)
{
    align_index_info info;
    const align_status status = align_index_get_info(index, &info, err);
    if (status == ALIGN_OK && strcmp(info.model, gallery->model) != 0)
        return fail(err, ALIGN_ERROR_MISMATCH,
                    "%s: the index is of the model %s, not of %s that is served: name its model with --model",
                    info.where, info.model, gallery->model);
    return status;
}

static align_status set_up(srv_gallery *gallery, const srv_gallery_options *options, align_error *err)
{
    align_index *index;
    gallery->place = strdup(options->place);
    gallery->thumbnails = srv_thumbnails_new(options->thumbnail_bytes);
    if (!gallery->place || !gallery->thumbnails)
        return fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for the index that is searched");
    align_model_fingerprint(options->model, gallery->model);
    align_status status = open_index(gallery, &index, err);
    if (status == ALIGN_ERROR_NOT_FOUND)
        return fail(err, status, "%s: no index there yet: run 'align index DIR --store %s'", options->place,
                    options->place);
    if (status != ALIGN_OK)
        return status;
    status = check_model(gallery, index, err);
    if (status == ALIGN_OK)
        status = find_trunk(gallery, index, err);
    srv_gallery_give(gallery, index);
    return status == ALIGN_OK ? keep_folders(gallery, options, err) : status;
}

align_status srv_gallery_open(srv_gallery **out, const srv_gallery_options *options, align_error *err)
{
    srv_gallery *gallery = calloc(1, sizeof *gallery);
    *out = NULL;
    if (!gallery)
        return fail(err, ALIGN_ERROR_OUT_OF_MEMORY, "no memory for the index that is searched");
    pthread_mutex_init(&gallery->lock, NULL);
    const align_status status = set_up(gallery, options, err);
    if (status == ALIGN_OK)
        *out = gallery;
    else
        srv_gallery_close(gallery);
    return status;
}

void srv_gallery_close(srv_gallery *gallery)
{
    if (!gallery)
        return;
    while (gallery->idle) {
        handle *next = gallery->idle->next;
        align_index_close(gallery->idle->index);
        free(gallery->idle);
        gallery->idle = next;
    }
    for (size_t i = 0; i < gallery->n_folders; i++) {
        close(gallery->ways[i]);
        free(gallery->folders[i]);
    }
    srv_thumbnails_free(gallery->thumbnails);
    pthread_mutex_destroy(&gallery->lock);
    free(gallery->folders);
    free(gallery->ways);
    free(gallery->trunk);
    free(gallery->place);
    free(gallery);
}
