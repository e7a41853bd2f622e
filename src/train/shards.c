/*
 * shards.c: names of many files: "{000..012}" and "{a,b}" spelt out as a shell would, then wildcards looked up; and
 * what a folder holds.
 */
#include "base/memory.h"
#include "base/status.h"
#include "train/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* More shards than anybody has; braces multiply. */
#define MOST_SHARDS 1000000

align_status al_paths_add(al_paths *paths, char *path, align_error *err)
{
    if (!path)
        return al_error_no_memory(err, 1);
    char **items = al_grow(paths->items, paths->count, &paths->capacity, sizeof *items);
    if (!items) {
        al_free(path);
        return al_error_no_memory(err, paths->count * sizeof *items);
    }
    paths->items = items;
    paths->items[paths->count++] = path;
    return ALIGN_OK;
}

void al_paths_done(al_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        al_free(paths->items[i]);
    al_free(paths->items);
    *paths = (al_paths){0};
}

/* ---- braces ---- */

/* The first pair of braces; false: there is none. */
static bool find_braces(const char *text, const char **open, const char **close)
{
    *open = strchr(text, '{');
    *close = *open ? strchr(*open, '}') : NULL;
    return *close;
}

/* "007..012" */
static bool read_range(const char *text, size_t size, unsigned long *first, unsigned long *last, int *width)
{
    const char *const end = text + size;
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || end - text < (ptrdiff_t)digits + 3 || memcmp(text + digits, "..", 2) != 0)
        return false;
    const char *second = text + digits + 2;
    const size_t more = strspn(second, "0123456789");
    if (more > 9 || second + more != end)
        return false;
    *first = strtoul(text, NULL, 10);
    *last = strtoul(second, NULL, 10);
    *width = (int)digits;
    return *first <= *last;
}

/* Appends what pattern is with item instead of its braces. */
static align_status add_filled(al_paths *out, const char *pattern, const char *open, const char *close,
                               const char *item, size_t size, align_error *err)
{
    if (out->count >= MOST_SHARDS)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: stands for more than %d files", pattern,
                            MOST_SHARDS);
    return al_paths_add(out, al_format("%.*s%.*s%s", (int)(open - pattern), pattern, (int)size, item, close + 1), err);
}

static align_status expand_first(al_paths *out, const char *pattern, const char *open, const char *close,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    unsigned long first, last;
    int width;
    if (read_range(open + 1, (size_t)(close - open - 1), &first, &last, &width)) {
        for (unsigned long n = first; n <= last; n++) {
            char *number = al_format("%0*lu", width, n);
            status = number ? add_filled(out, pattern, open, close, number, strlen(number), err)
                            : al_error_no_memory(err, (size_t)width);
            al_free(number);
            if (status != ALIGN_OK)
                goto done;
        }
        goto done;
    }
    for (const char *item = open + 1; item <= close;) {
        const size_t size = strcspn(item, ",}");
        TRY(add_filled(out, pattern, open, close, item, size, err));
        item += size + 1;
    }
done:
    return status;
}

/* All braces, from the left; braces in braces are not known. Every pattern has as many as the first. */
static align_status expand_braces(al_paths *patterns, align_error *err)
{
    align_status status = ALIGN_OK;
    al_paths expanded = {0};
    const char *open, *close;
    while (find_braces(patterns->items[0], &open, &close)) {
        for (size_t i = 0; i < patterns->count && find_braces(patterns->items[i], &open, &close); i++)
            TRY(expand_first(&expanded, patterns->items[i], open, close, err));
        al_paths_done(patterns);
        *patterns = expanded;
        expanded = (al_paths){0};
    }
done:
    al_paths_done(&expanded);
    return status;
}

/* ---- wildcards ---- */

static bool has_wildcard(const char *path)
{
    return strpbrk(path, "*?[");
}

bool al_is_pattern(const char *path)
{
    const char *open, *close;
    return has_wildcard(path) || find_braces(path, &open, &close);
}

static align_status add_matches(al_paths *out, const char *pattern, align_error *err)
{
    align_status status = ALIGN_OK;
    glob_t found = {0};
    const int failed = glob(pattern, 0, NULL, &found);
    if (failed == GLOB_NOSPACE)
        FAIL(err, ALIGN_ERROR_OUT_OF_MEMORY, "%s: out of memory looking for files", pattern);
    if (failed)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: no file has such a name", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++)
        TRY(al_paths_add(out, al_strdup(found.gl_pathv[i]), err));
done:
    globfree(&found);
    return status;
}

static align_status add_tars_of(al_paths *out, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    al_paths names = {0};
    TRY(al_folder_list(&names, folder, err));
    for (size_t i = 0; i < names.count; i++) {
        const size_t n = strlen(names.items[i]);
        if (n > 4 && strcmp(names.items[i] + n - 4, ".tar") == 0)
            TRY(al_paths_add(out, al_join_path(folder, names.items[i]), err));
    }
    if (out->count == 0)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: no .tar files are there", folder);
done:
    al_paths_done(&names);
    return status;
}

align_status al_shards_find(al_paths *out, const char *pattern, align_error *err)
{
    align_status status = ALIGN_OK;
    al_paths patterns = {0};
    *out = (al_paths){0};
    if (al_is_folder(pattern))
        TRY(add_tars_of(out, pattern, err));
    else if (al_is_file(pattern)) /* whatever characters it has in its name */
        TRY(al_paths_add(out, al_strdup(pattern), err));
    else {
        TRY(al_paths_add(&patterns, al_strdup(pattern), err));
        TRY(expand_braces(&patterns, err));
        for (size_t i = 0; i < patterns.count; i++)
            if (has_wildcard(patterns.items[i]))
                TRY(add_matches(out, patterns.items[i], err));
            else
                TRY(al_paths_add(out, al_strdup(patterns.items[i]), err));
    }
done:
    al_paths_done(&patterns);
    if (status != ALIGN_OK)
        al_paths_done(out);
    return status;
}

/* ---- folders ---- */

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

align_status al_folder_list(al_paths *out, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = (al_paths){0};
    DIR *d = opendir(folder);
    if (!d)
        return al_error_set(err, errno == ENOENT ? ALIGN_ERROR_NOT_FOUND : ALIGN_ERROR_IO, "%s: cannot open: %s",
                            folder, strerror(errno));
    for (const struct dirent *entry = readdir(d); entry; entry = readdir(d))
        if (entry->d_name[0] != '.')
            TRY(al_paths_add(out, al_strdup(entry->d_name), err));
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, compare_paths);
done:
    closedir(d);
    if (status != ALIGN_OK)
        al_paths_done(out);
    return status;
}
