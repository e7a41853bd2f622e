/*
 * search_results.c: hits on standard output: a table for people, JSON lines, or nothing but paths for other programs.
 */
#include "search.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_TEXT    80 /* columns in the table */
#define SMALL_IMAGE 512

extern char **environ;

cli_hit cli_hit_of(const align_item *item, float score)
{
    return (cli_hit){item, score, access(item->path, F_OK) != 0};
}

cli_hit *cli_hits_of(const align_hits *hits, size_t query, size_t *count)
{
    size_t first = hits->offsets[query];
    *count = hits->offsets[query + 1] - first;
    cli_hit *list = cli_alloc(*count, sizeof *list);
    for (size_t i = 0; i < *count; i++)
        list[i] = cli_hit_of(&hits->items[first + i], hits->scores[first + i]);
    return list;
}

int cli_showing_check(const cli_command *command, cli_showing *showing)
{
    showing->paths = showing->paths || showing->null;
    if (showing->paths && showing->common->json)
        return cli_usage_error(command, "--json and --%s exclude each other", showing->null ? "null" : "paths");
    if (showing->show && (showing->paths || showing->common->json))
        return cli_usage_error(command, "--show goes with the table, not with --%s",
                               showing->common->json ? "json"
                               : showing->null       ? "null"
                                                     : "paths");
    return showing->html && !cli_check_output(showing->html) ? CLI_FAILED : CLI_PROCEED;
}

/* ---- items in words ---- */

void cli_item_date(const align_item *item, char date[11])
{
    time_t taken = (time_t)item->taken;
    struct tm parts;
    date[0] = '\0';
    if (item->taken != INT64_MIN && localtime_r(&taken, &parts))
        strftime(date, 11, "%Y-%m-%d", &parts);
}

/* "4000x3000"; "" where it is not known. */
static void print_size(char size[48], const align_item *item)
{
    size[0] = '\0';
    if (item->width > 0 && item->height > 0)
        snprintf(size, 48, "%" PRId64 "x%" PRId64, item->width, item->height);
}

/* ---- table ---- */

/* A column that no hit has anything for is left out. */
typedef struct columns {
    int date, size;
} columns;

static columns measure(const cli_hit *hits, size_t count)
{
    columns widest = {0, 0};
    for (size_t i = 0; i < count; i++) {
        char date[11], size[48];
        cli_item_date(hits[i].item, date);
        print_size(size, hits[i].item);
        widest.date = (int)strlen(date) > widest.date ? (int)strlen(date) : widest.date;
        widest.size = (int)strlen(size) > widest.size ? (int)strlen(size) : widest.size;
    }
    return widest;
}

static void print_cell(const char *text, int width)
{
    if (width > 0)
        printf("%-*s  ", width, *text ? text : "-");
}

static void print_row(const cli_hit *hit, const columns *widest)
{
    char date[11], size[48];
    char *name = cli_item_name(hit->item->path, hit->item->member);
    cli_item_date(hit->item, date);
    print_size(size, hit->item);
    if (!isnan(hit->score))
        printf("%.3f  ", (double)hit->score);
    print_cell(date, widest->date);
    print_cell(size, widest->size);
    cli_print_text(name, 0, 0);
    if (hit->missing)
        fputs("  (missing)", stdout);
    if (*hit->item->text) {
        fputs("  ", stdout);
        cli_print_text(hit->item->text, 0, MAX_TEXT);
    }
    putchar('\n');
    free(name);
}

static void draw(cli_screen *screen, cli_thumbnails *thumbnails, const cli_hit *hit, bool quiet)
{
    align_image image;
    align_error err = ALIGN_ERROR_INIT;
    if (!screen || hit->missing || hit->item->kind != ALIGN_ITEM_IMAGE)
        return;
    if (cli_thumbnail_open(thumbnails, &image, hit->item, SMALL_IMAGE, &err) == ALIGN_OK)
        cli_screen_draw(screen, &image);
    else
        cli_warn(quiet, "%s", err.message);
    align_image_done(&image);
}

static int print_table(const cli_showing *showing, const cli_hit_list *lists, size_t n_lists)
{
    cli_screen *screen = NULL;
    cli_thumbnails thumbnails = {0};
    if (showing->show && !cli_screen_open(&screen, showing->common, showing->show))
        return CLI_FAILED;
    for (size_t l = 0; l < n_lists; l++) {
        const columns widest = measure(lists[l].hits, lists[l].count);
        if (lists[l].heading)
            printf("%s%s\n", l > 0 ? "\n" : "", lists[l].heading);
        for (size_t i = 0; i < lists[l].count && !ferror(stdout); i++) {
            print_row(&lists[l].hits[i], &widest);
            draw(screen, &thumbnails, &lists[l].hits[i], showing->common->quiet);
        }
    }
    cli_thumbnails_done(&thumbnails);
    cli_screen_close(screen);
    return CLI_DONE;
}

/* ---- JSON ---- */

/* "2024-05-01T10:00:00Z", or null. */
static json_t *json_time(int64_t seconds, bool known)
{
    char text[40];
    time_t time = (time_t)seconds;
    struct tm parts;
    if (!known || !gmtime_r(&time, &parts) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return json_null();
    return json_string(text);
}

static json_t *json_hit(const cli_hit *hit)
{
    const align_item *item = hit->item;
    json_t *object = json_pack("{s:o, s:s, s:o, s:I}", "score", cli_json_real((double)hit->score), "kind",
                               item->kind == ALIGN_ITEM_TEXT ? "text" : "image", "path", cli_json_text(item->path),
                               "id", (json_int_t)item->id);
    if (*item->member)
        json_object_set_new(object, "member", cli_json_text(item->member));
    if (*item->text)
        json_object_set_new(object, "text", cli_json_text(item->text));
    json_object_set_new(object, "taken", json_time(item->taken, item->taken != INT64_MIN));
    json_object_set_new(object, "modified", json_time(item->modified / INT64_C(1000000000), item->modified != 0));
    json_object_set_new(object, "width", item->width > 0 ? json_integer(item->width) : json_null());
    json_object_set_new(object, "height", item->height > 0 ? json_integer(item->height) : json_null());
    json_object_set_new(object, "bytes", item->size > 0 ? json_integer(item->size) : json_null());
    json_object_set_new(object, "missing", json_boolean(hit->missing));
    return object;
}

/* A hit a line; or, with headings, a list a line. */
static void print_json(const cli_hit_list *lists, size_t n_lists)
{
    for (size_t l = 0; l < n_lists && !ferror(stdout); l++) {
        json_t *group = json_array();
        for (size_t i = 0; i < lists[l].count; i++)
            if (lists[l].heading)
                json_array_append_new(group, json_hit(&lists[l].hits[i]));
            else
                cli_print_json(json_hit(&lists[l].hits[i]));
        if (lists[l].heading)
            cli_print_json(json_pack("{s:i, s:O}", "group", (int)l + 1, "items", group));
        json_decref(group);
    }
}

/* ---- paths ---- */

/* Other programs can do nothing with files that are gone, and want those once that hold several items. Lists have
 * an empty line between them, but nothing that xargs would take for a file. */
static void print_paths(const cli_showing *showing, const cli_hit_list *lists, size_t n_lists)
{
    const int end = showing->null ? '\0' : '\n';
    json_t *printed = json_object(); /* jansson's objects are hash tables */
    for (size_t l = 0; l < n_lists && !ferror(stdout); l++) {
        if (l > 0 && !showing->null)
            putchar('\n');
        for (size_t i = 0; i < lists[l].count; i++) {
            const char *path = lists[l].hits[i].item->path;
            if (json_object_get(printed, path))
                continue;
            json_object_set_new_nocheck(printed, path, json_true());
            if (lists[l].hits[i].missing)
                cli_warn(showing->common->quiet, "%s: left out: there is no such file any more", path);
            else
                printf("%s%c", path, end);
        }
    }
    json_decref(printed);
}

/* ---- page ---- */

/* The folder of pages that nobody named, made if need be; to be freed. NULL after a message. */
static char *cache_folder(void)
{
    char *folder = cli_user_folder("XDG_CACHE_HOME", ".cache");
    if (!folder) {
        cli_fail("neither XDG_CACHE_HOME nor HOME names a folder for the page: name a file with --html");
        return NULL;
    }
    char *above = cli_format("%.*s", (int)(strrchr(folder, '/') - folder), folder);
    mkdir(above, 0700);
    bool made = mkdir(folder, 0700) == 0 || errno == EEXIST;
    if (!made)
        cli_fail("%s: cannot make folder: %s", folder, strerror(errno));
    free(above);
    if (made)
        return folder;
    free(folder);
    return NULL;
}

static int open_page(const char *path)
{
    char program[] = "xdg-open";
    char *absolute = cli_absolute_path(path);
    char *arguments[] = {program, absolute, NULL};
    pid_t child;
    int state = 0;
    int error = posix_spawnp(&child, program, NULL, NULL, arguments, environ);
    while (error == 0 && waitpid(child, &state, 0) < 0 && errno == EINTR)
        continue;
    free(absolute);
    if (error != 0)
        return cli_fail("%s: cannot open: xdg-open: %s", path, strerror(error));
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return cli_fail("%s: cannot open: xdg-open failed", path);
    return CLI_DONE;
}

static int make_page(const cli_showing *showing, const char *name, const char *title, const cli_hit_list *lists,
                     size_t n_lists)
{
    char *path;
    if (showing->html) {
        path = cli_format("%s", showing->html);
    } else {
        char *folder = cache_folder();
        if (!folder)
            return CLI_FAILED;
        path = cli_format("%s/%s.html", folder, name);
        free(folder);
    }
    int code = cli_page_write(path, showing->common, title, lists, n_lists) ? CLI_DONE : CLI_FAILED;
    if (code == CLI_DONE && showing->open)
        code = open_page(path);
    free(path);
    return code;
}

/* ---- all of it ---- */

int cli_show_hits(const cli_showing *showing, const char *name, const char *title, const cli_hit_list *lists,
                  size_t n_lists)
{
    int code = CLI_DONE;
    if (showing->common->json)
        print_json(lists, n_lists);
    else if (showing->paths)
        print_paths(showing, lists, n_lists);
    else if (!showing->html && !showing->open)
        code = print_table(showing, lists, n_lists);
    if (code == CLI_DONE && (showing->html || showing->open))
        code = make_page(showing, name, title, lists, n_lists);
    return code;
}
