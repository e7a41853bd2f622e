/* search_list.c: `align search` without anything to look for: what the index holds, in an order, page by page. */
#include "search.h"
#include <math.h>
#include <stdlib.h>

/* Keeps an item and its strings. */
static void keep(cli_listing *list, size_t *capacity, const align_item *item)
{
    if (list->count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 64;
        list->items = cli_realloc(list->items, *capacity, sizeof *list->items);
    }
    align_item *kept = &list->items[list->count++];
    *kept = *item;
    const char **const texts[] = {&kept->path, &kept->member, &kept->text};
    for (size_t i = 0; i < CLI_COUNT(texts); i++) {
        char *copy = cli_format("%s", *texts[i]);
        cli_strings_add(&list->texts, copy);
        *texts[i] = copy;
    }
}

bool cli_listing_read(cli_listing *out, align_index *index, const align_query_options *options)
{
    align_cursor *cursor = NULL;
    align_error err = ALIGN_ERROR_INIT;
    align_item item;
    bool more = true;
    size_t capacity = 0;
    *out = (cli_listing){0};
    align_status status = align_cursor_open(&cursor, index, &options->filter, options->order, &err);
    for (int64_t i = 0; i < options->skip + options->top && status == ALIGN_OK && more; i++) {
        status = align_cursor_next(cursor, &item, NULL, &more, &err);
        if (status == ALIGN_OK && more && i >= options->skip)
            keep(out, &capacity, &item);
    }
    align_cursor_close(cursor);
    if (status != ALIGN_OK)
        cli_fail("%s", err.message);
    return status == ALIGN_OK;
}

cli_hit *cli_listing_hits(const cli_listing *listing)
{
    cli_hit *hits = cli_alloc(listing->count, sizeof *hits);
    for (size_t i = 0; i < listing->count; i++)
        hits[i] = cli_hit_of(&listing->items[i], NAN);
    return hits;
}

void cli_listing_done(cli_listing *listing)
{
    cli_strings_done(&listing->texts);
    free(listing->items);
    *listing = (cli_listing){0};
}
