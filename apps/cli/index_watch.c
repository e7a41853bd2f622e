/*
 * index_watch.c: `align index --watch`: folders that change. The system tells of every name that comes, goes or is
 * written to (inotify); when it has been quiet for a moment these names are looked at, and nothing else. Where it has
 * told too little, the folders are walked again: when its queue was too short, and when a folder is new, since files
 * may have come before anybody watched it.
 */
#include "index.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MILLISECONDS 300  /* after the last event */
#define MOST_MILLISECONDS  5000 /* after the first, however much happens */
#define LONG_MILLISECONDS  500  /* a signal that comes just before a wait is noticed after it */

#define EVENTS (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR)

typedef struct watch {
    index_run *run;
    const cli_strings *places;
    int fd;
    char **folders; /* [n_folders]: the path of each watch by its number; NULL: there is none */
    size_t n_folders, watched;
    cli_strings changed; /* paths that something happened to */
    cli_strings left;    /* folders that went away, with all that is in them */
    bool overflow;       /* something was not told */
} watch;

/* ---- which folders ---- */

static bool watch_folder(watch *w, const char *folder)
{
    const int number = inotify_add_watch(w->fd, folder, EVENTS);
    if (number < 0 && errno == ENOSPC)
        return cli_fail("%s: the system watches no more than %zu folders for you: raise fs.inotify.max_user_watches",
                        folder, w->watched) == CLI_DONE;
    if (number < 0)
        return true; /* it is gone already, or may not be read, which the walk has said */
    if ((size_t)number >= w->n_folders) {
        const size_t n = 2 * (size_t)number + 16;
        w->folders = cli_realloc(w->folders, n, sizeof *w->folders);
        memset(w->folders + w->n_folders, 0, (n - w->n_folders) * sizeof *w->folders);
        w->n_folders = n;
    }
    char **known = &w->folders[number];
    if (!*known) {
        w->watched++;
        cli_strings_add(&w->changed, cli_format("%s", folder)); /* files may have come since it was walked */
    }
    free(*known);
    *known = cli_format("%s", folder);
    return true;
}

static bool watch_folders(watch *w, const cli_strings *folders)
{
    bool ok = true;
    for (size_t i = 0; i < folders->count && ok; i++)
        ok = watch_folder(w, folders->items[i]);
    return ok;
}

/* A folder that went away is another one where it turns up again. */
static void leave_folder(watch *w, const char *folder)
{
    for (size_t i = 0; i < w->n_folders; i++)
        if (w->folders[i] && index_is_under(w->folders[i], folder))
            inotify_rm_watch(w->fd, (int)i); /* which tells of IN_IGNORED */
}

/* ---- what happens ---- */

/* A file that is only begun is looked at when it is closed; links are whole at once. */
static bool is_unfinished(const struct inotify_event *event, const char *path)
{
    struct stat info;
    return (event->mask & IN_CREATE) && lstat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1;
}

static void note_event(watch *w, const struct inotify_event *event)
{
    const bool known = event->wd >= 0 && (size_t)event->wd < w->n_folders && w->folders[event->wd];
    if (event->mask & IN_Q_OVERFLOW)
        w->overflow = true;
    if (!known)
        return;
    if (event->mask & IN_IGNORED) {
        free(w->folders[event->wd]);
        w->folders[event->wd] = NULL;
        w->watched--;
        return;
    }
    if (event->len == 0 || event->name[0] == '.')
        return;
    char *path = cli_join_path(w->folders[event->wd], event->name);
    const bool gone = (event->mask & (IN_MOVED_FROM | IN_DELETE)) != 0;
    if (gone && (event->mask & IN_ISDIR)) {
        leave_folder(w, path);
        cli_strings_add(&w->left, path);
    } else if (!is_unfinished(event, path)) {
        cli_strings_add(&w->changed, path);
    } else {
        free(path);
    }
}

/* Notes what the system has to tell. False: nothing came within so many milliseconds. */
static bool read_events(watch *w, int milliseconds)
{
    _Alignas(struct inotify_event) char bytes[1 << 16];
    struct pollfd ready = {w->fd, POLLIN, 0};
    if (poll(&ready, 1, milliseconds) <= 0)
        return false;
    const ssize_t size = read(w->fd, bytes, sizeof bytes);
    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(bytes + at);
        note_event(w, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
    return size > 0;
}

static int64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for_events(watch *w)
{
    while (!cli_interrupted() && !read_events(w, LONG_MILLISECONDS)) {
    }
    const int64_t first = milliseconds_now();
    while (!cli_interrupted() && milliseconds_now() - first < MOST_MILLISECONDS && read_events(w, QUIET_MILLISECONDS)) {
    }
}

/* ---- a round ---- */

/* Looks at names that are there. */
static void scan_changed(cli_strings *changed, index_scan *scan)
{
    cli_strings_sort(changed);
    for (size_t i = 0; i < changed->count; i++) {
        const char *path = changed->items[i];
        struct stat info;
        if ((i > 0 && strcmp(path, changed->items[i - 1]) == 0) || stat(path, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode) || (S_ISREG(info.st_mode) && cli_is_picture_name(path)))
            cli_walk_add(&scan->walk, path);
    }
}

static void scan_places(watch *w, index_scan *scan)
{
    struct stat info;
    for (size_t i = 0; i < w->places->count; i++)
        if (stat(w->places->items[i], &info) == 0)
            cli_walk_add(&scan->walk, w->places->items[i]);
}

static void remove_if_gone(watch *w, size_t number)
{
    const index_entry *entry = &w->run->catalog.entries[number];
    if (entry->stored && index_is_gone(entry->path))
        index_remove(w->run, number);
}

/* After files that came have been looked at: one that was moved has its new name by now. */
static void remove_gone(watch *w, const cli_strings *changed, const cli_strings *left)
{
    index_catalog *catalog = &w->run->catalog;
    for (size_t i = 0; i < changed->count; i++) {
        const size_t number = index_catalog_find(catalog, changed->items[i], "");
        if (number != INDEX_NONE)
            remove_if_gone(w, number);
    }
    for (size_t i = 0; i < left->count; i++)
        for (size_t k = 0; k < catalog->count; k++)
            if (index_is_under(catalog->entries[k].path, left->items[i]))
                remove_if_gone(w, k);
}

static bool has_news(const index_report *report)
{
    size_t n = report->problems.count;
    for (int event = 0; event < INDEX_EVENTS; event++)
        n += report->events[event];
    return n > 0;
}

/* Everything is looked at as if it were met for the first time, but what is unchanged stays. */
static void forget_seen(index_catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++)
        catalog->entries[i].seen = false;
}

/* Brings the index up to date with what has been noted; new folders are noted in turn. */
static bool run_round(watch *w)
{
    index_scan scan = {0};
    cli_strings changed = w->changed, left = w->left;
    const bool everything = w->overflow;
    w->changed = w->left = (cli_strings){0};
    w->overflow = false;
    forget_seen(&w->run->catalog);
    if (everything)
        scan_places(w, &scan);
    scan_changed(&changed, &scan);
    index_scan_finish(&scan, w->run);
    bool ok = watch_folders(w, &scan.walk.folders) && index_pictures(w->run, &scan);
    if (ok && !cli_interrupted()) {
        remove_gone(w, &changed, everything ? w->places : &left);
        ok = index_writer_flush(w->run->writer);
    }
    if (has_news(&w->run->report))
        index_report_summary(&w->run->report, w->run->store.index);
    index_scan_done(&scan);
    cli_strings_done(&changed);
    cli_strings_done(&left);
    return ok;
}

static void say_watching(const watch *w)
{
    if (w->run->common.json) {
        cli_print_json(json_pack("{s:s, s:I}", "event", "watching", "folders", (json_int_t)w->watched));
        fflush(stdout);
    } else if (!w->run->common.quiet) {
        fprintf(stderr, "align: watching %zu folder%s\n", w->watched, w->watched == 1 ? "" : "s");
    }
}

int index_watch(index_run *run, const cli_strings *places, const index_scan *scan)
{
    watch w = {.run = run, .places = places, .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (w.fd < 0)
        return cli_fail("cannot watch folders: %s", strerror(errno));
    bool ok = watch_folders(&w, &scan->walk.folders), told = false;
    while (ok && !cli_interrupted()) {
        while (ok && (w.overflow || w.changed.count + w.left.count > 0) && !cli_interrupted())
            ok = run_round(&w);
        if (ok && !told && !cli_interrupted())
            say_watching(&w);
        told = true;
        if (ok)
            wait_for_events(&w);
    }
    for (size_t i = 0; i < w.n_folders; i++)
        free(w.folders[i]);
    free(w.folders);
    close(w.fd);
    cli_strings_done(&w.changed);
    cli_strings_done(&w.left);
    return ok ? CLI_DONE : CLI_FAILED;
}
