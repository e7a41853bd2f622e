/*
 * walk.c: the pictures in folders: all that their suffix says are pictures, sorted, deep, nothing hidden.
 *
 * Links are followed. A folder is entered once, however many ways lead to it, and by a link only where there is no
 * other way, so that links may go round in circles and files still have the name that people know them by.
 */
#include "cli.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A folder on disk, whatever it is called. */
typedef struct cli_place {
    dev_t device;
    ino_t inode;
    bool taken;
} place;

bool cli_is_picture_name(const char *name)
{
    static const char *const suffixes[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif"};
    for (size_t i = 0; i < CLI_COUNT(suffixes); i++)
        if (cli_has_suffix(name, suffixes[i]))
            return true;
    return false;
}

/* ---- folders that were entered ---- */

static place *find_place(place *table, size_t size, dev_t device, ino_t inode)
{
    size_t at = ((size_t)inode * UINT64_C(0x9E3779B97F4A7C15) + (size_t)device) & (size - 1);
    while (table[at].taken && (table[at].device != device || table[at].inode != inode))
        at = (at + 1) & (size - 1);
    return &table[at];
}

static void grow_places(cli_walk *walk)
{
    size_t size = walk->places_size ? 2 * walk->places_size : 64;
    place *table = cli_alloc(size, sizeof *table);
    for (size_t i = 0; i < walk->places_size; i++)
        if (walk->places[i].taken)
            *find_place(table, size, walk->places[i].device, walk->places[i].inode) = walk->places[i];
    free(walk->places);
    walk->places = table;
    walk->places_size = size;
}

/* Whether the folder is entered for the first time. */
static bool enter(cli_walk *walk, const struct stat *info)
{
    if (2 * (walk->folders.count + 1) > walk->places_size)
        grow_places(walk);
    place *p = find_place(walk->places, walk->places_size, info->st_dev, info->st_ino);
    if (p->taken)
        return false;
    *p = (place){info->st_dev, info->st_ino, true};
    return true;
}

/* ---- what is found ---- */

static void add_file(cli_walk *walk, char *path, const struct stat *info)
{
    if (walk->n_files == walk->capacity) {
        walk->capacity = walk->capacity ? 2 * walk->capacity : 64;
        walk->files = cli_realloc(walk->files, walk->capacity, sizeof *walk->files);
    }
    walk->files[walk->n_files++] = (cli_file){path, info->st_size, cli_time_modified(info)};
}

static void add_problem(cli_walk *walk, const char *path, const char *what)
{
    cli_strings_add(&walk->problems, cli_format("%s: %s: %s", path, what, strerror(errno)));
}

/* Names in the folder that may be of interest. */
static void list_folder(cli_walk *walk, cli_strings *names, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        add_problem(walk, folder, "cannot open folder");
        return;
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; errno = 0)
        if (entry->d_name[0] != '.' && (entry->d_type != DT_REG || cli_is_picture_name(entry->d_name)))
            cli_strings_add(names, cli_format("%s", entry->d_name));
    if (errno != 0)
        add_problem(walk, folder, "cannot read folder");
    closedir(dir);
    cli_strings_sort(names);
}

/* Takes path over. Links to folders have to wait until all folders are known that can be reached without. */
static void add_folder(cli_walk *walk, char *folder, const struct stat *info)
{
    if (!enter(walk, info)) {
        free(folder);
        return;
    }
    cli_strings_add(&walk->folders, folder);
    cli_strings names = {0};
    list_folder(walk, &names, folder);
    for (size_t i = 0; i < names.count; i++) {
        char *path = cli_join_path(folder, names.items[i]);
        struct stat entry, target;
        if (stat(path, &target) != 0) {
            if (cli_is_picture_name(path))
                add_problem(walk, path, "cannot read");
        } else if (S_ISREG(target.st_mode) && cli_is_picture_name(path)) {
            add_file(walk, path, &target);
            continue;
        } else if (S_ISDIR(target.st_mode) && lstat(path, &entry) == 0) {
            if (S_ISLNK(entry.st_mode))
                cli_strings_add(&walk->links, path);
            else
                add_folder(walk, path, &target);
            continue;
        }
        free(path);
    }
    cli_strings_done(&names);
}

bool cli_walk_add(cli_walk *walk, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        add_problem(walk, path, "cannot read");
    else if (S_ISDIR(info.st_mode))
        add_folder(walk, cli_format("%s", path), &info);
    else if (S_ISREG(info.st_mode))
        add_file(walk, cli_format("%s", path), &info);
    else
        return false;
    return true;
}

void cli_walk_links(cli_walk *walk)
{
    for (size_t i = 0; i < walk->links.count; i++) { /* links behind links join the list */
        struct stat info;
        if (stat(walk->links.items[i], &info) == 0 && S_ISDIR(info.st_mode))
            add_folder(walk, cli_format("%s", walk->links.items[i]), &info);
    }
    cli_strings_done(&walk->links);
}

void cli_walk_done(cli_walk *walk)
{
    for (size_t i = 0; i < walk->n_files; i++)
        free(walk->files[i].path);
    free(walk->files);
    free(walk->places);
    cli_strings_done(&walk->folders);
    cli_strings_done(&walk->links);
    cli_strings_done(&walk->problems);
    *walk = (cli_walk){0};
}
