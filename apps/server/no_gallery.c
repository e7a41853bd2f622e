/*
 * no_gallery.c: stands in for gallery.c and what searches it, where the library was built without indices.
 */
#include "gallery.h"
#include "routes.h"
#include <stdio.h>

align_status srv_gallery_open(srv_gallery **out, const srv_gallery_options *options, align_error *err)
{
    *out = NULL;
    err->status = ALIGN_ERROR_UNSUPPORTED;
    snprintf(err->message, sizeof err->message, "%s: this program was built without indices (SQLite)", options->place);
    return err->status;
}

void srv_gallery_close(srv_gallery *gallery)
{
    (void)gallery;
}

bool srv_search_begin(srv_request *request)
{
    return srv_refuse_without_index(request);
}

void srv_search_finish(srv_request *request)
{
    (void)request;
}

bool srv_thumbnail_begin(srv_request *request)
{
    return srv_refuse_without_index(request);
}

bool srv_picture_begin(srv_request *request)
{
    return srv_refuse_without_index(request);
}
