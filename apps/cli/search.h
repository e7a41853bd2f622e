#ifndef ALIGN_CLI_SEARCH_H
#define ALIGN_CLI_SEARCH_H
/*
 * search.h: what `align search` and `align duplicates` share: how hits are shown.
 *
 *   search_results.c    the table, JSON lines, paths; which of them
 *   search_page.c       a page with small pictures
 *   search_show.c       pictures in the terminal, by libchafa; search_no_show.c where there is none
 *   search_thumbnail.c  small pictures of hits
 *   search_query.c      the vector to look for
 *   search_list.c       what there is where nothing is looked for
 *   search_dates.c      dates as people write them
 */
#include "cli.h"

/* ---- search_results.c ---- */

typedef struct cli_hit {
    const align_item *item;
    float score;  /* NaN: nothing was looked for */
    bool missing; /* its file is not there any more */
} cli_hit;

cli_hit cli_hit_of(const align_item *item, float score);

/* The hits of one query of a result, to be freed. */
cli_hit *cli_hits_of(const align_hits *hits, size_t query, size_t *count);

/* How to show hits: one of table, JSON, paths; and a page beside it. */
typedef struct cli_showing {
    const cli_common *common;
    bool paths, null, open;
    const char *html; /* NULL: no page, unless it is to be opened */
    const char *show; /* NULL: no pictures; "": in the way of the terminal */
} cli_showing;

/* clang-format off */
#define CLI_OPTIONS_SHOWING(showing) \
    { CLI_FLAG, "paths", NULL, &(showing).paths, 0, "print nothing but paths, one a line, of files that are there" }, \
    { CLI_FLAG, "null", NULL, &(showing).null, 0, "the same, each ended by a zero byte: for xargs -0" }, \
    { CLI_TEXT, "html", "FILE", &(showing).html, 0, "write a page with small pictures, which needs no other file" }, \
    { CLI_FLAG, "open", NULL, &(showing).open, 0, "open that page with xdg-open (without --html: a page in the cache)" }, \
    { CLI_MAYBE, "show", "kitty|sixel|iterm|symbols", &(showing).show, 0, \
      "pictures in the terminal, in the best way it knows or in the way named" }
/* clang-format on */

/* Judges the options together; exit codes as cli_parse. */
int cli_showing_check(const cli_command *command, cli_showing *showing);

/* Shows lists of hits: one of a search, or one a group. heading NULL: lists have none. title tells what was looked for.
 * An exit code. */
typedef struct cli_hit_list {
    cli_hit *hits;
    size_t count;
    char *heading;
} cli_hit_list;
int cli_show_hits(const cli_showing *showing, const char *name, const char *title, const cli_hit_list *lists,
                  size_t n_lists);

/* "2024-05-01", local time; "" where it is not known. */
void cli_item_date(const align_item *item, char date[11]);

/* ---- search_page.c ---- */

/* Writes a page to path; false after a message. */
bool cli_page_write(const char *path, const cli_common *common, const char *title, const cli_hit_list *lists,
                    size_t n_lists);

/* ---- search_show.c ---- */

typedef struct cli_screen cli_screen;

/* Finds out how to draw pictures on standard output. format "": as the terminal can; NULL in *screen where it cannot or
 * is none. False after a message. */
bool cli_screen_open(cli_screen **screen, const cli_common *common, const char *format);
void cli_screen_draw(cli_screen *screen, const align_image *image);
void cli_screen_close(cli_screen *screen); /* NULL is fine */

/* ---- search_thumbnail.c ---- */

/* What small pictures are made from. Begins zeroed. */
typedef struct cli_thumbnails {
    align_dataset *tar; /* opened last */
    char *tar_path;
} cli_thumbnails;

/* The picture of an item, upright, at most so many pixels high and wide. */
align_status cli_thumbnail_open(cli_thumbnails *from, align_image *out, const align_item *item, int64_t most,
                                align_error *err);
void cli_thumbnails_done(cli_thumbnails *thumbnails);

/* ---- search_query.c ---- */

typedef struct cli_query {
    cli_list texts, images, minus;
    double text_weight, image_weight;
    cli_decoding decoding;
} cli_query;

/* The vector of all that is asked for, to be freed; NULL after a message. */
float *cli_query_vector(const cli_query *query, const cli_common *common, const cli_store *store);

/* ---- search_list.c ---- */

typedef struct cli_listing {
    align_item *items;
    size_t count;
    cli_strings texts; /* the items' own */
} cli_listing;

/* The items that a query with these options would choose from, in their order and number. False after a message. */
bool cli_listing_read(cli_listing *out, align_index *index, const align_query_options *options);
cli_hit *cli_listing_hits(const cli_listing *listing); /* to be freed */
void cli_listing_done(cli_listing *listing);           /* a zeroed one is fine */

/* ---- search_dates.c ---- */

/* The time from the first second of a date until the first behind it, seconds since 1970. A date is YYYY, YYYY-MM,
 * YYYY-MM-DD or YYYY-MM-DD HH:MM, in local time. False: there is no such date. */
bool cli_parse_date(const char *text, int64_t *from, int64_t *until);
#endif
