/*
 * thumbnail.c: small pictures of large ones, for pages and terminals.
 */
#include <align/processor.h>

#include "base/status.h"

/* n * most / longer, rounded, at least 1. */
static int64_t shrunk(int64_t n, int64_t most, int64_t longer)
{
    const int64_t small = (int64_t)((double)n * (double)most / (double)longer + 0.5);
    return small > 0 ? small : 1;
}

align_status align_image_thumbnail(align_image *out, const void *bytes, size_t size, const char *name, int64_t most,
                                   align_error *err)
{
    align_status status = ALIGN_OK;
    align_image_info info;
    align_image_processor_config config;
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    if (!out || most < 1)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "a thumbnail of at most %" PRId64 " pixels, or nowhere to put it",
             most);
    *out = (align_image){0, 0, 0, NULL};
    TRY(align_image_get_info(&info, bytes, size, name, err));
    const int64_t longer = info.height > info.width ? info.height : info.width;
    if (longer > most) {
        align_image_processor_config_init(&config);
        config.size_height = shrunk(info.height, most, longer);
        config.size_width = shrunk(info.width, most, longer);
        config.resample = ALIGN_BICUBIC;
        options.resize_for = &config;
        options.fast_decode = true;
    }
    TRY(align_image_decode(out, bytes, size, name, &options, err));
done:
    return status;
}
