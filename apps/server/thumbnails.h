#ifndef ALIGN_SERVER_THUMBNAILS_H
#define ALIGN_SERVER_THUMBNAILS_H
/*
 * thumbnails.h: small JPEGs of pictures. Those that were asked for last are kept, as many as fit into so many bytes.
 *
 * All functions may be called from any thread.
 */
#include "gallery.h"

typedef struct srv_thumbnails srv_thumbnails;

srv_thumbnails *srv_thumbnails_new(size_t most_bytes); /* NULL without memory; 0: none are kept */
void srv_thumbnails_free(srv_thumbnails *thumbnails);  /* NULL is fine */

/* As srv_gallery_thumbnail has it. */
align_status srv_thumbnails_get(srv_thumbnails *thumbnails, int64_t id, const srv_picture *picture, srv_text *text);

size_t srv_thumbnails_bytes(srv_thumbnails *thumbnails); /* kept now */
#endif
