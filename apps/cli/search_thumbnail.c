/*
 * search_thumbnail.c: small pictures of what was found.
 */
#include "search.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MOST_BYTES (INT64_C(1) << 30)

/* A whole file, to be freed; NULL with the reason in err. */
static char *read_file(const char *path, size_t *size, align_error *err)
{
    struct stat info;
    char *bytes = NULL;
    FILE *file = fopen(path, "rb");
    errno = file ? 0 : errno;
    if (file && fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= MOST_BYTES) {
        *size = (size_t)info.st_size;
        bytes = cli_alloc(*size, 1);
        if (fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (!bytes) {
        err->status = ALIGN_ERROR_IO;
        snprintf(err->message, sizeof err->message, "%s: cannot read: %s", path,
                 errno ? strerror(errno) : "no file of a picture's size");
    }
    if (file)
        fclose(file);
    return bytes;
}

align_status cli_thumbnail_open(align_image *out, const align_item *item, int64_t most, align_error *err)
{
    size_t size;
    *out = (align_image){0, 0, 0, NULL};
    char *bytes = read_file(item->path, &size, err);
    if (!bytes)
        return err->status;
    align_status status = align_image_thumbnail(out, bytes, size, item->path, most, err);
    free(bytes);
    return status;
}
