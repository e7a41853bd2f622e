/*
 * search_thumbnail.c: small pictures of what was found, from files of their own or out of tar files.
 */
#include "search.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((size_t)1 << 30)

/* size bytes of a file from offset on, or SIZE_MAX: all that follow. *bytes is to be freed. */
static align_status read_part(const align_data_place *place, char **bytes, size_t *size, align_error *err)
{
    FILE *file = fopen(place->file, "rb");
    bool ok = file && fseeko(file, 0, SEEK_END) == 0;
    off_t end = ok ? ftello(file) : -1;
    *bytes = NULL;
    *size = place->size == SIZE_MAX && end >= 0 ? (size_t)end - place->offset : place->size;
    ok = ok && end >= 0 && *size <= MOST_BYTES && fseeko(file, (off_t)place->offset, SEEK_SET) == 0;
    if (ok) {
        errno = 0;
        *bytes = cli_alloc(*size, 1);
        ok = fread(*bytes, 1, *size, file) == *size;
    }
    if (!ok) {
        err->status = ALIGN_ERROR_IO;
        snprintf(err->message, sizeof err->message, "%s: cannot read: %s", place->file,
                 errno ? strerror(errno) : "no file of a picture");
        free(*bytes);
        *bytes = NULL;
    }
    if (file)
        fclose(file);
    return ok ? ALIGN_OK : err->status;
}

/* Where a member of a tar file is. The file that was opened last stays open: hits come from few. */
static align_status find_member(cli_thumbnails *from, const align_item *item, align_data_place *place, align_error *err)
{
    align_dataset_options options = ALIGN_DATASET_OPTIONS_INIT;
    options.format = ALIGN_DATA_WEBDATASET;
    options.without_texts = true;
    if (!from->tar_path || strcmp(from->tar_path, item->path) != 0) {
        cli_thumbnails_done(from);
        if (align_dataset_open(&from->tar, item->path, &options, err) != ALIGN_OK)
            return err->status;
        from->tar_path = cli_format("%s", item->path);
    }
    for (size_t i = 0; i < align_dataset_count(from->tar); i++) {
        align_dataset_place(from->tar, i, place);
        if (strcmp(place->member, item->member) == 0)
            return ALIGN_OK;
    }
    err->status = ALIGN_ERROR_NOT_FOUND;
    snprintf(err->message, sizeof err->message, "%s: there is no member %s any more", item->path, item->member);
    return err->status;
}

align_status cli_thumbnail_open(cli_thumbnails *from, align_image *out, const align_item *item, int64_t most,
                                align_error *err)
{
    align_data_place place = {item->path, "", 0, SIZE_MAX};
    size_t size;
    char *bytes = NULL;
    *out = (align_image){0, 0, 0, NULL};
    align_status status = *item->member ? find_member(from, item, &place, err) : ALIGN_OK;
    if (status == ALIGN_OK)
        status = read_part(&place, &bytes, &size, err);
    if (status == ALIGN_OK)
        status = align_image_thumbnail(out, bytes, size, item->path, most, err);
    free(bytes);
    return status;
}

void cli_thumbnails_done(cli_thumbnails *thumbnails)
{
    align_dataset_free(thumbnails->tar);
    free(thumbnails->tar_path);
    *thumbnails = (cli_thumbnails){0};
}
