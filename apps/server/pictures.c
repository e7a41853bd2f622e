/*
 * pictures.c: GET /v1/thumbnails/{id} and GET /v1/pictures/{id}: what a row of the index is of, small, and as it is.
 */
#include "gallery.h"
#include "routes.h"
#include "search.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The picture that the address names. */
static bool open_picture(srv_request *request, int64_t *id, srv_picture *picture)
{
    srv_gallery *gallery = request->service->gallery;
    const char *text = srv_request_argument(request, "id");
    if (!gallery)
        return srv_refuse_without_index(request);
    errno = 0;
    *id = strtoll(text, NULL, 10);
    const bool is_id = errno == 0 && text[strspn(text, "0123456789")] == '\0' && *id > 0;
    const align_status status = is_id ? srv_gallery_open_picture(gallery, *id, picture) : ALIGN_ERROR_NOT_FOUND;
    if (status == ALIGN_ERROR_NOT_FOUND)
        return srv_refuse(request, 404, "not_found", "id", "there is no picture of that id");
    if (status == ALIGN_ERROR_OUT_OF_MEMORY)
        return srv_refuse_memory(request);
    return status == ALIGN_OK || srv_refuse_index(request);
}

/* The same file has the same tag, as far as can be told without reading it. */
static void set_tag(srv_request *request, int64_t id, const srv_picture *picture)
{
    snprintf(request->draft.etag, sizeof request->draft.etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"", (uint64_t)id,
             (uint64_t)picture->modified, (uint64_t)picture->size);
}

bool srv_thumbnail_begin(srv_request *request)
{
    srv_picture picture;
    int64_t id = 0;
    if (!open_picture(request, &id, &picture))
        return false;
    const align_status status = srv_gallery_thumbnail(request->service->gallery, id, &picture, &request->draft.body);
    close(picture.file);
    if (status == ALIGN_ERROR_OUT_OF_MEMORY)
        return srv_refuse_memory(request);
    if (status != ALIGN_OK)
        return srv_refuse(request, 404, "not_found", "id", "the file is no picture any more");
    request->draft.status = 200;
    request->draft.type = "image/jpeg";
    set_tag(request, id, &picture);
    return true;
}

bool srv_picture_begin(srv_request *request)
{
    srv_picture picture;
    int64_t id = 0;
    if (!open_picture(request, &id, &picture))
        return false;
    request->draft.status = 200;
    request->draft.type = picture.type;
    request->draft.has_file = true;
    request->draft.file = picture.file;
    request->draft.file_size = (uint64_t)picture.size;
    set_tag(request, id, &picture);
    return true;
}
