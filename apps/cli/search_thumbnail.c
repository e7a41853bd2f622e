/*
 * search_thumbnail.c: small pictures of what was found, from files of their own or out of tar files.
 */
#include "search.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where a member of a tar file is. The file that was opened last stays open: hits come from few. */
static align_status find_member(cli_thumbnails *from, const align_item *item, align_data_place *place, align_error *err)
{
    if (!from->tar_path || strcmp(from->tar_path, item->path) != 0) {
        cli_thumbnails_done(from);
        if (cli_tar_open(&from->tar, item->path, err) != ALIGN_OK)
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
    cli_part part;
    *out = (align_image){0, 0, 0, NULL};
    if (*item->member && find_member(from, item, &place, err) != ALIGN_OK)
        return err->status;
    if (!cli_part_read(&part, place.file, place.offset, place.size)) {
        err->status = ALIGN_ERROR_IO;
        snprintf(err->message, sizeof err->message, "%s: cannot read: %s", place.file,
                 errno ? strerror(errno) : "no file of a picture");
        return err->status;
    }
    const align_status status = align_image_thumbnail(out, part.bytes, (size_t)part.size, item->path, most, err);
    free(part.bytes);
    return status;
}

void cli_thumbnails_done(cli_thumbnails *thumbnails)
{
    align_dataset_free(thumbnails->tar);
    free(thumbnails->tar_path);
    *thumbnails = (cli_thumbnails){0};
}
